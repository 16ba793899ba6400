"""What an artefact needs here, whether it can be made, and how long that takes; nothing is measured for it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from corit.backbones.load import missing_weights
from corit.bench.testbed import DATA_SETS, PERTURBED, Testbed
from corit.errors import DataError
from corit.paper.artefact import ARTEFACTS, Artefact
from corit.sources import SOURCES

# Seconds a picture of 224 px with its twin, one recipe of CLIP ViT-L/14 on two cores: see the page on performance.
SECONDS = 2.0
FEW = 40  # pictures of masks that are drawn and not stored
BEHIND = {"df40": ("celeb-df-v2",)}  # data sets whose reals another one borrows


@dataclass(frozen=True)
class Outlook:
    """One artefact: the places that it reads, which of them cannot be read and why, and minutes from nothing.

    lacks: "missing" or "incomplete" -> places; empty where it can be made. fetch: weights that the hub must give first.
    minutes: in the miniature, or on real data
    with CLIP ViT-L/14 on two CPU cores, None where that cannot be said.
    """

    artefact: Artefact
    needs: tuple[str, ...]
    lacks: Mapping[str, tuple[str, ...]]
    minutes: float | None
    fetch: tuple[str, ...] = ()

    @property
    def here(self) -> str:
        """Whether it can be made here."""
        said = [f"{word} {', '.join(places)}" for word, places in self.lacks.items()]
        if said:
            return f"no: {'; '.join(said)}"
        return f"yes, once {' and '.join(self.fetch)} can be fetched" if self.fetch else "yes"


def outlooks(stage: Testbed, weights: Mapping[str, str]) -> tuple[list[Outlook], tuple[str, ...]]:
    """All artefacts, and for each data set that is missing or incomplete what was looked for and where to get it.

    weights: where a run would take them from, by backbone, the run's own first. Raises BackboneError and
    WeightsError as `missing_weights`.
    """
    for name, place in weights.items():
        missing_weights(name, place)
    if stage.kind == "miniature":
        return [Outlook(a, (), {}, a.minutes) for a in ARTEFACTS], ()
    counts, problems = _counts(stage, dict.fromkeys(d for a in ARTEFACTS for d in _data(a, stage)))
    if "faceforensics" in counts:
        counts[PERTURBED] = len(stage.sources[PERTURBED]().samples)
    found = [_outlook(a, stage, counts, problems, weights) for a in ARTEFACTS]
    return found, tuple(dict.fromkeys(problems.values()))


def _outlook(
    of: Artefact, stage: Testbed, counts: Mapping[str, int], problems: Mapping[str, str], weights: Mapping[str, str]
) -> Outlook:
    data = _data(of, stage)
    lacks = _lacks(stage, [DATA_SETS[d][0] for d in data if d in problems])
    measured = [*of.data(stage), *((PERTURBED,) if of.name == "figure08" else ())]
    pictures = sum(counts.get(d, 0) for d in measured)
    minutes = None if lacks else (of.recipes * pictures or FEW) * SECONDS / 60
    used = of.backbones or list(weights)[:1]
    fetch = tuple(filter(None, (missing_weights(name, weights.get(name, "")) for name in used)))
    return Outlook(of, tuple(dict.fromkeys(DATA_SETS[d][0] for d in data)), lacks, minutes, fetch)


def _data(of: Artefact, stage: Testbed) -> tuple[str, ...]:
    """The data sets that it reads, with those that they borrow from."""
    found = of.data(stage)
    return tuple(dict.fromkeys([*found, *(b for d in found for b in BEHIND.get(d, ()))]))


def _lacks(stage: Testbed, places: Iterable[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for place in dict.fromkeys(places):
        word = "incomplete" if os.path.isdir(os.path.join(stage.root, place)) else "missing"
        found[word] = (*found.get(word, ()), place)
    return found


def _counts(stage: Testbed, names: Iterable[str]) -> tuple[dict[str, int], dict[str, str]]:
    """Pictures of the data sets that can be listed, and what is wrong with the others."""
    counts: dict[str, int] = {}
    problems: dict[str, str] = {}
    for name in names:
        try:
            counts[name] = len(stage.sources[name]().samples)
        except DataError as err:
            problems[name] = str(err)
    for name in [d for d in problems if any(_same(problems[d], problems.get(o, "")) for o in BEHIND.get(d, ()))]:
        own = os.path.join(stage.root, DATA_SETS[name][0])
        if os.path.isdir(own):
            del problems[name]  # nothing is wrong with it but what it borrows
        else:
            problems[name] = str(SOURCES[name].origin.missing(own, "there is no such folder"))
    return counts, problems


def _same(problem: str, other: str) -> bool:
    """Whether two errors complain of the same folder, as that of who borrows from it and its own do."""
    return problem.partition(": ")[0] == other.partition(": ")[0]


def duration(minutes: float | None) -> str:
    """A time in words: in seconds, minutes, hours or days."""
    if minutes is None:
        return ""
    if minutes < 0.95:
        return f"{60 * minutes:.0f} s"
    if minutes < 90:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.0f} h" if minutes < 48 * 60 else f"{minutes / 1440:.0f} days"
