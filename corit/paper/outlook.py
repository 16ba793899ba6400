"""What an artefact needs here, whether it can be made, and how long that takes; nothing is measured for it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from corit.errors import DataError
from corit.paper.artefact import ARTEFACTS, Artefact
from corit.paper.stage import DAMAGED, PLACES, Stage

# Seconds that a picture of 224 px takes by one recipe of CLIP ViT-L/14 on two cores: see docs/performance.md.
SECONDS = 1.0
FEW = 5  # pictures of masks that are drawn and not stored


@dataclass(frozen=True)
class Outlook:
    """One artefact: the places that it reads, which of them cannot be read and why, and minutes from nothing.

    lacks: "missing" or "incomplete" -> places; empty where it can be made. minutes: in the miniature, or on real data
    with CLIP ViT-L/14 on two CPU cores, None where that cannot be said.
    """

    artefact: Artefact
    needs: tuple[str, ...]
    lacks: Mapping[str, tuple[str, ...]]
    minutes: float | None

    @property
    def here(self) -> str:
        """Whether it can be made here."""
        said = [f"{word} {', '.join(places)}" for word, places in self.lacks.items()]
        return f"no: {'; '.join(said)}" if said else "yes"


def outlooks(stage: Stage) -> tuple[list[Outlook], tuple[str, ...]]:
    """All artefacts, and for each data set that is missing or incomplete what was looked for and where to get it."""
    if stage.kind == "miniature":
        return [Outlook(a, (), {}, a.minutes) for a in ARTEFACTS], ()
    counts, problems = _counts(stage, dict.fromkeys(d for a in ARTEFACTS for d in a.data(stage)))
    if "faceforensics" in counts:
        counts[DAMAGED] = len(stage.sources[DAMAGED]().samples)
    return [_outlook(a, stage, counts, problems) for a in ARTEFACTS], tuple(dict.fromkeys(problems.values()))


def _outlook(of: Artefact, stage: Stage, counts: Mapping[str, int], problems: Mapping[str, str]) -> Outlook:
    data = of.data(stage)
    lacks = _lacks(stage, [PLACES[d][0] for d in data if d in problems])
    pictures = sum(counts.get(d, 0) for d in (*data, *((DAMAGED,) if of.name == "figure08" else ())))
    minutes = None if lacks else (of.recipes * pictures or FEW) * SECONDS / 60
    return Outlook(of, tuple(dict.fromkeys(PLACES[d][0] for d in data)), lacks, minutes)


def _lacks(stage: Stage, places: Iterable[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for place in dict.fromkeys(places):
        word = "incomplete" if os.path.isdir(os.path.join(stage.root, place)) else "missing"
        found[word] = (*found.get(word, ()), place)
    return found


def _counts(stage: Stage, names: Iterable[str]) -> tuple[dict[str, int], dict[str, str]]:
    """Pictures of the data sets that can be listed, and what is wrong with the others."""
    counts, problems = {}, {}
    for name in names:
        try:
            counts[name] = len(stage.sources[name]().samples)
        except DataError as err:
            problems[name] = str(err)
    return counts, problems


def duration(minutes: float | None) -> str:
    """A time in words: in seconds, minutes, hours or days."""
    if minutes is None:
        return ""
    if minutes < 0.95:
        return f"{60 * minutes:.0f} s"
    if minutes < 90:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.0f} h" if minutes < 48 * 60 else f"{minutes / 1440:.0f} days"
