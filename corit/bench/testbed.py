"""Testbeds: data sets by name, real ones or the miniature's stand-ins, and the protocols over them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from corit.bench import protocols
from corit.bench.perturbed import PerturbedFirstFrames
from corit.bench.protocols import Protocol, Selection
from corit.data.frames import Reading
from corit.data.sample import Source
from corit.errors import DataError
from corit.seeding import seed

FORGERIES = ("DF", "F2F", "FS", "NT")
# Data set -> its folder below the root, and the options of its source.
DATA_SETS = {
    "faceforensics": ("FaceForensics++", ""),
    "deepfakedetection": ("FaceForensics++", ""),
    "celeb-df-v1": ("Celeb-DF-v1", "splits=test"),
    "celeb-df-v2": ("Celeb-DF-v2", "splits=test"),
    "dfdcp": ("DFDCP", "splits=test"),
    "dfdc": ("DFDC", "splits=test"),
    "df40": (
        "DF40",
        "splits=test,names=uniface_cdf+e4s_cdf+facedancer_cdf+fsgan_cdf+inswap_cdf,celebdf={root}/Celeb-DF-v2",
    ),
    "unifd": ("UniversalFakeDetect", "splits=train+val+test"),
}
DEFAULT_READING = Reading(32)  # frames of each video that the paper's protocols take
PERTURBED = "damaged"  # data set: first frames of the protocol "faceforensics" under every perturbation


@dataclass(frozen=True)
class Testbed:
    """Data sets by name, and the protocols over them.

    Attributes:
        kind: "miniature" or "root", the real data sets.
        caption: the data in words, for every figure and table.
        key: name of the features' folder; it differs when the pictures differ.
        sources: opens a data set, by the name that protocols use, for a reading, by default `DEFAULT_READING`. Drawn
            ones list all of their pictures.
        protocols: the protocols, by name.
        stand_ins: what stands in for the data set of a test set, by title; empty on real data.
        root: the folder of the real data sets.
        partial: what is there of the data sets is used, see `corit.bench.parts`.
    """

    kind: Literal["miniature", "root"]
    caption: str
    key: str
    sources: Mapping[str, Callable[..., Source]] = field(repr=False)
    protocols: Mapping[str, Protocol] = field(repr=False)
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    root: str = ""
    partial: bool = False

    def protocol(self, name: str) -> Protocol:
        """Return a protocol by name.

        Raises:
            DataError: for an unknown name.
        """
        if name not in self.protocols:
            raise DataError(f"no protocol {name!r} here; there are {', '.join(self.protocols)}")
        return self.protocols[name]

    def describe_stand_ins(self, titles: tuple[str, ...]) -> str:
        """Describe in one sentence what stands in for some test sets; empty on real data."""
        alike: dict[str, list[str]] = {}
        for title in titles:
            alike.setdefault(self.stand_ins.get(title, ""), []).append(title)
        each = [f"{', '.join(names)}: {what}" for what, names in alike.items() if what]
        return f"Stand-ins. {'; '.join(each)}." if each else ""


@dataclass(frozen=True)
class Size:
    """The size of the miniature's worlds.

    Attributes:
        train: training identities.
        val: validation identities.
        test: test identities.
        pictures: pictures of each identity.
        each: test pictures of each maker of whole pictures.
    """

    train: int = 40
    val: int = 16
    test: int = 40
    pictures: int = 3
    each: int = 20

    @classmethod
    def of(cls, people: int, pictures: int) -> Size:
        """Return the size with as many training as test identities; validation has two fifths of them."""
        return cls(people, max(2, people * 2 // 5), people, pictures, max(2, people // 2))

    @property
    def text(self) -> str:
        """The size in words."""
        return f"{self.train}/{self.val}/{self.test} identities x {self.pictures} pictures"


def real_testbed(folder: str, *, max_rows: int = 0, partial: bool = False) -> Testbed:
    """Return the testbed of the real data sets.

    A missing data set is an error of the results that need it.

    Args:
        folder: holds each data set in its folder, see `DATA_SETS`.
        max_rows: largest number of rows of each data set, split, label and manipulation type, 0 for all.
        partial: use what is there of each data set. Features and results are kept apart from those of whole ones.

    Raises:
        DataError: when the folder is missing, or `max_rows` is negative.
    """
    if not os.path.isdir(folder):
        raise DataError(
            f"expected a folder of data sets at {folder}, but there is none; it should hold "
            f"{', '.join(dict.fromkeys(place for place, _ in DATA_SETS.values()))}"
        )
    if max_rows < 0:
        raise DataError(f"expected a largest number of rows, or 0 for all, got {max_rows}")
    sources = {name: _opener(name, folder, max_rows, partial) for name in DATA_SETS}
    sources[PERTURBED] = lambda reading=DEFAULT_READING: PerturbedFirstFrames(sources["faceforensics"](reading))
    limit = f", at most {max_rows} rows of each split, label and manipulation" if max_rows else ""
    key = f"root-{seed(os.path.abspath(folder), max_rows):016x}"
    parts = ", those parts that are there" if partial else ""
    caption, key = f"the data sets in {folder}{parts}{limit}", f"{key}-partial" if partial else key
    return Testbed("root", caption, key, sources, _real_protocols(), root=folder, partial=partial)


def _opener(name: str, folder: str, max_rows: int, partial: bool) -> Callable[..., Source]:
    def open_data_set(reading: Reading = DEFAULT_READING) -> Source:
        from corit.sources import PartOfSet, open_source

        place, options = DATA_SETS[name]
        parts = [options.format(root=folder), f"max={max_rows}" if max_rows else ""]
        if name != "unifd":  # its pictures are no frames
            parts += [f"choice={reading.choice}", f"frames={reading.frames}" if reading.frames else ""]
        spec = ",".join([f"{name}:{os.path.join(folder, place)}", *filter(None, parts)])
        return PartOfSet(spec) if partial else open_source(spec)

    return open_data_set


def _subset_titles() -> tuple[str, ...]:
    """Titles of the 19 subsets in papers, which are the names of the makers of whole pictures."""
    from corit.world.upsamplers import UPSAMPLERS

    return tuple(UPSAMPLERS)


def _real_protocols() -> dict[str, Protocol]:
    names = ["cross-dataset", "cross-dataset-video", "df40", "components", "universal", "universal-max1000"]
    names += ["faceforensics", protocols.COMBINED]
    names += [f"faceforensics-without-{k}" for k in FORGERIES]
    return {n: _titled(protocols.protocol(n)) for n in names}


def _titled(of: Protocol) -> Protocol:
    """The 19 subsets under the titles of the papers."""
    if not of.name.startswith("universal"):
        return of
    titles = _subset_titles()
    return of.replace(test=tuple(replace(s, name=t) for s, t in zip(of.test, titles, strict=True)))


WORLD, ELSEWHERE, DISJOINT, MAKERS = "miniature", "miniature-elsewhere", "miniature-disjoint", "miniature-makers"
# Test sets of all four forgeries have their own pictures: beside the same reals, their AUC would be the mean of four.
ELSEWHERE_ALL, DISJOINT_ALL = "miniature-elsewhere-all", "miniature-disjoint-all"
# Which forgeries of which world stand for a test set; () is all four.
STAND_INS: dict[str, tuple[str, tuple[str, ...]]] = {
    "CDFv1": (ELSEWHERE, ("DF",)),
    "CDFv2": (ELSEWHERE, ("FS",)),
    "DFDCP": (ELSEWHERE, ("F2F",)),
    "DFDC": (ELSEWHERE_ALL, ()),
    "DFD": (ELSEWHERE, ("NT",)),
    "uniface": (DISJOINT, ("DF",)),
    "e4s": (DISJOINT, ("FS",)),
    "facedancer": (DISJOINT, ("F2F",)),
    "fsgan": (DISJOINT, ("NT",)),
    "inswap": (DISJOINT_ALL, ()),
}
JPEG_LEVEL = 1  # of the second compression of the other worlds' pictures
RECOMPRESSED, PERIODS = f"recompressed (JPEG level {JPEG_LEVEL})", "with traces of other periods"
WORLDS = {
    ELSEWHERE: f"of another world, {RECOMPRESSED}",
    ELSEWHERE_ALL: f"of a third world, {RECOMPRESSED}",
    DISJOINT: PERIODS,
    DISJOINT_ALL: f"of a fourth world, {PERIODS}",
}


def miniature_testbed(size: Size | None = None, seed: int = 0) -> Testbed:
    """Return the testbed of the miniature: five worlds of faces and nineteen makers of whole pictures as stand-ins."""
    from corit.data.perturbed import PerturbedSource
    from corit.world.miniature import Miniature, MiniatureSpec
    from corit.world.upsamplers import Upsampled

    size = size or Size()
    home = MiniatureSpec(seed, size.train, size.val, size.test, size.pictures)
    elsewhere, disjoint = replace(home, seed=seed + 1), replace(home, seed=seed + 2, traces="disjoint")
    tests = max(2, size.test // 2)  # each has five pictures for every real one of a column
    third, fourth = replace(elsewhere, seed=seed + 3, test=tests), replace(disjoint, seed=seed + 4, test=tests)
    drawn: dict[str, Callable[[], Source]] = {
        WORLD: lambda: Miniature(home),
        ELSEWHERE: lambda: PerturbedSource(Miniature(elsewhere, ["test"]), "jpeg", JPEG_LEVEL),
        ELSEWHERE_ALL: lambda: PerturbedSource(Miniature(third, ["test"]), "jpeg", JPEG_LEVEL),
        DISJOINT: lambda: Miniature(disjoint, ["test"]),
        DISJOINT_ALL: lambda: Miniature(fourth, ["test"]),
        PERTURBED: lambda: PerturbedFirstFrames(Miniature(home, ["test"])),
        MAKERS: lambda: Upsampled(seed, size.train * size.pictures, size.val * size.pictures, size.each),
    }
    sources = {name: _drawn_source(build) for name, build in drawn.items()}
    caption = f"miniature, seed {seed}, {size.text}, {home.side} px"
    key = f"miniature-{seed}-{size.train}-{size.val}-{size.test}-{size.pictures}-{size.each}"
    return Testbed("miniature", caption, key, sources, _miniature_protocols(), _stand_ins())


def _drawn_source(build: Callable[[], Source]) -> Callable[..., Source]:
    """A source of drawn pictures lists all of them for any reading; a protocol then selects its frames."""
    return lambda reading=DEFAULT_READING: build()


def _miniature_protocols() -> dict[str, Protocol]:
    """The paper's protocols over the worlds, trained and selected in the first, and the world's own."""
    parts = {s: (Selection(WORLD, s, FORGERIES, name="FF++"),) for s in ("train", "val")}
    named = {t: Selection(data, "test", kinds, name=t) for t, (data, kinds) in STAND_INS.items()}
    known = {}
    for name in ("cross-dataset", "cross-dataset-video", "df40", "components"):
        base = protocols.protocol(name).with_test_sets(named)
        known[name] = base.replace(train=parts["train"], select=parts["val"])
    inside = protocols.protocol("miniature").replace(name="faceforensics")
    together = inside.replace(name=protocols.COMBINED, test=(Selection(WORLD, "test", FORGERIES, name="FF++"),))
    known |= {p.name: p for p in (inside, together, *protocols.leave_one_out(inside, FORGERIES))}
    titles = _subset_titles()
    for name in ("universal", "universal-max1000"):
        known[name] = protocols.protocol(name).replace(
            train=(Selection(MAKERS, "train"),),
            select=(Selection(MAKERS, "val"),),
            test=tuple(Selection(MAKERS, "test", datasets=(t,), name=t) for t in titles),
        )
    return known | {n: p for n, p in protocols.PROTOCOLS.items() if p.data == (WORLD,)}


def _stand_ins() -> dict[str, str]:
    own = {k: f"the world's own forgery {k}, a mimic of FaceForensics++'s" for k in FORGERIES}
    faces = {t: f"{'+'.join(kinds) or 'all four forgeries'} {WORLDS[d]}" for t, (d, kinds) in STAND_INS.items()}
    makers = dict.fromkeys(_subset_titles(), "a maker of whole pictures by smoothing and periodic traces")
    return own | faces | makers
