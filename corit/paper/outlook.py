"""The list of artefacts: what each needs, whether it can be made here, and how long that takes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from corit.backbones.load import missing_weights
from corit.bench.parts import available, first_sentence
from corit.bench.protocols import Protocol
from corit.bench.testbed import DATA_SETS, PERTURBED, Testbed
from corit.errors import DataError
from corit.paper.artefact import ARTEFACTS, Artefact
from corit.sources import SOURCES, PartOfSet

# Seconds a picture of 224 px with its twin, one recipe of CLIP ViT-L/14 on two cores: see the page on performance.
SECONDS_PER_PICTURE = 2.0
MASK_PICTURES = 40  # of figures without stored features
BORROWED = {"df40": ("celeb-df-v2",)}  # data set -> the data sets whose reals it uses


@dataclass(frozen=True)
class Outlook:
    """What one artefact needs here.

    Attributes:
        artefact: the artefact.
        needs: the folders of the data sets that it reads.
        lacks: "missing" or "incomplete" -> folders; empty when it can be made.
        minutes: time in the miniature, or on real data with CLIP ViT-L/14 on two CPU cores; None when it is unknown.
        fetch: weights that have to be downloaded first.
    """

    artefact: Artefact
    needs: tuple[str, ...]
    lacks: Mapping[str, tuple[str, ...]]
    minutes: float | None
    fetch: tuple[str, ...] = ()

    @property
    def here(self) -> str:
        """Whether it can be made here, in words."""
        lacks = [f"{word} {', '.join(places)}" for word, places in self.lacks.items()]
        if lacks:
            return f"no: {'; '.join(lacks)}"
        return f"yes, once {' and '.join(self.fetch)} can be fetched" if self.fetch else "yes"


def outlooks(testbed: Testbed, weights: Mapping[str, str]) -> tuple[list[Outlook], tuple[str, ...]]:
    """List what each artefact needs; nothing is measured.

    Args:
        testbed: the data sets.
        weights: where a run takes weights from, by backbone, the run's own first.

    Returns:
        An outlook for each artefact; and the problem of each data set that is missing or incomplete, or for a run on
        parts how much of each is there.

    Raises:
        BackboneError: for an unknown backbone.
        WeightsError: when a weights file does not exist.
    """
    for name, place in weights.items():
        missing_weights(name, place)
    if testbed.kind == "miniature":
        return [Outlook(a, (), {}, a.minutes) for a in ARTEFACTS], ()
    counts, problems = _counts(testbed, dict.fromkeys(d for a in ARTEFACTS for d in _data(a, testbed)))
    if "faceforensics" in counts:
        counts[PERTURBED] = len(testbed.sources[PERTURBED]().samples)
    if testbed.partial:
        shares = _shares(testbed, dict.fromkeys(d for a in ARTEFACTS for d in _data(a, testbed)))
        return [_outlook(a, testbed, counts, _blocking(a, testbed, problems), weights) for a in ARTEFACTS], shares
    all_outlooks = [_outlook(a, testbed, counts, problems, weights) for a in ARTEFACTS]
    return all_outlooks, tuple(dict.fromkeys(problems.values()))


def _outlook(
    of: Artefact, testbed: Testbed, counts: Mapping[str, int], problems: Mapping[str, str], weights: Mapping[str, str]
) -> Outlook:
    data = _data(of, testbed)
    lacks = _lacks(testbed, [DATA_SETS[d][0] for d in data if d in problems])
    measured = [*of.data(testbed), *((PERTURBED,) if of.name == "figure08" else ())]
    pictures = sum(counts.get(d, 0) for d in measured)
    minutes = None if lacks else (of.recipes * pictures or MASK_PICTURES) * SECONDS_PER_PICTURE / 60
    used = of.backbones or list(weights)[:1]
    fetch = tuple(filter(None, (missing_weights(name, weights.get(name, "")) for name in used)))
    return Outlook(of, tuple(dict.fromkeys(DATA_SETS[d][0] for d in data)), lacks, minutes, fetch)


def _blocking(of: Artefact, testbed: Testbed, problems: Mapping[str, str]) -> Mapping[str, str]:
    """The problems that leave nothing to measure in a run on parts."""
    protocols = [testbed.protocol(p) for p in of.protocols]
    return {} if not protocols or any(_measurable(p, testbed) for p in protocols) else problems


def _measurable(protocol: Protocol, testbed: Testbed) -> bool:
    try:
        available(protocol, lambda data: testbed.sources[data]().samples)
    except DataError:
        return False
    return True


def _shares(testbed: Testbed, names: Iterable[str]) -> tuple[str, ...]:
    """How much of each data set is there."""
    texts = []
    for name in names:
        source = testbed.sources[name]()
        try:
            texts += [source.share.text] if isinstance(source, PartOfSet) else []
        except DataError as err:
            texts.append(f"{DATA_SETS[name][0]}: nothing: {first_sentence(str(err))}")
    return tuple(texts)


def _data(of: Artefact, testbed: Testbed) -> tuple[str, ...]:
    """The data sets that it reads, with those whose reals they use."""
    names = of.data(testbed)
    return tuple(dict.fromkeys([*names, *(b for d in names for b in BORROWED.get(d, ()))]))


def _lacks(testbed: Testbed, places: Iterable[str]) -> dict[str, tuple[str, ...]]:
    lacks: dict[str, tuple[str, ...]] = {}
    for place in dict.fromkeys(places):
        word = "incomplete" if os.path.isdir(os.path.join(testbed.root, place)) else "missing"
        lacks[word] = (*lacks.get(word, ()), place)
    return lacks


def _counts(testbed: Testbed, names: Iterable[str]) -> tuple[dict[str, int], dict[str, str]]:
    """Pictures of the data sets that can be listed, and the problems of the others."""
    counts: dict[str, int] = {}
    problems: dict[str, str] = {}
    for name in names:
        try:
            counts[name] = len(testbed.sources[name]().samples)
        except DataError as err:
            problems[name] = str(err)
    for name in [d for d in problems if any(_same(problems[d], problems.get(o, "")) for o in BORROWED.get(d, ()))]:
        own = os.path.join(testbed.root, DATA_SETS[name][0])
        if os.path.isdir(own):
            del problems[name]  # only the borrowed data set has a problem
        else:
            problems[name] = str(SOURCES[name].origin.missing(own, "there is no such folder"))
    return counts, problems


def _same(problem: str, other: str) -> bool:
    """Whether two errors name the same folder."""
    return problem.partition(": ")[0] == other.partition(": ")[0]


def duration(minutes: float | None) -> str:
    """Return a time in words: in seconds, minutes, hours or days; "" for None."""
    if minutes is None:
        return ""
    if minutes < 0.95:
        return f"{60 * minutes:.0f} s"
    if minutes < 90:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.0f} h" if minutes < 48 * 60 else f"{minutes / 1440:.0f} days"
