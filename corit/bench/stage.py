"""Where the paper's artefacts are made: data sets by name, and the protocols over them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from corit.bench import protocols
from corit.bench.damage import Damaged
from corit.bench.protocols import Protocol, Selection
from corit.data.frames import Reading
from corit.data.sample import Source
from corit.errors import DataError
from corit.seeding import seed

FORGERIES = ("DF", "F2F", "FS", "NT")
# The data sets of the protocols: where each lies below the root, and what is said of it beside that.
PLACES = {
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
USUAL = Reading(32)  # of videos: what the paper's protocols take
DAMAGED = "damaged"  # test pictures of the protocol `faceforensics`, under every damage of Figure 8


@dataclass(frozen=True)
class Stage:
    """A world in which artefacts are made.

    kind: "miniature" or "root". caption: the world in words, said under every figure and table. key: names the folder
    of its features, another for other pictures. sources: data sets by the name that protocols use, each for a reading,
    by default `USUAL`; drawn ones list all of their pictures. protocols: by name. shown: what stands for a column's
    data set, by title; empty on real data. root: the folder of the data sets.
    """

    kind: Literal["miniature", "root"]
    caption: str
    key: str
    sources: Mapping[str, Callable[..., Source]] = field(repr=False)
    protocols: Mapping[str, Protocol] = field(repr=False)
    shown: Mapping[str, str] = field(default_factory=dict)
    root: str = ""

    def protocol(self, name: str) -> Protocol:
        """A protocol of this stage. Raises DataError for one that there is not."""
        if name not in self.protocols:
            raise DataError(f"no protocol {name!r} here; there are {', '.join(self.protocols)}")
        return self.protocols[name]

    def standing(self, titles: tuple[str, ...]) -> str:
        """What stands for some columns, in one sentence; empty where the data sets are the paper's own."""
        alike: dict[str, list[str]] = {}
        for title in titles:
            alike.setdefault(self.shown.get(title, ""), []).append(title)
        said = [f"{', '.join(names)}: {what}" for what, names in alike.items() if what]
        return f"Stand-ins. {'; '.join(said)}." if said else ""


@dataclass(frozen=True)
class Size:
    """How large the miniature's worlds are: identities of the splits, pictures of each, pictures of each maker."""

    train: int = 40
    val: int = 16
    test: int = 40
    pictures: int = 3
    each: int = 20

    @classmethod
    def of(cls, people: int, pictures: int) -> Size:
        """A size by its training and test identities: validation has two fifths as many."""
        return cls(people, max(2, people * 2 // 5), people, pictures, max(2, people // 2))

    @property
    def text(self) -> str:
        """The size in words."""
        return f"{self.train}/{self.val}/{self.test} identities x {self.pictures} pictures"


def root(folder: str, *, most: int = 0) -> Stage:
    """The real data sets, each in its place below a folder (see `PLACES`).

    most: at most so many rows of each data set, split, label and manipulation, 0 for all: for a rehearsal. Raises
    DataError when the folder is absent; a data set that is missing is an error of the artefacts that need it.
    """
    if not os.path.isdir(folder):
        raise DataError(
            f"expected a folder of data sets at {folder}, but there is none; it should hold "
            f"{', '.join(dict.fromkeys(place for place, _ in PLACES.values()))}"
        )
    if most < 0:
        raise DataError(f"expected a largest number of rows, or 0 for all, got {most}")
    sources = {name: _listed(name, folder, most) for name in PLACES}
    sources[DAMAGED] = lambda reading=USUAL: Damaged(sources["faceforensics"](reading))
    few = f", at most {most} rows of each split, label and manipulation" if most else ""
    caption = f"the data sets in {folder}{few}"
    return Stage("root", caption, f"root-{seed(os.path.abspath(folder), most):016x}", sources, _real(), root=folder)


def _listed(name: str, folder: str, most: int) -> Callable[..., Source]:
    def build(reading: Reading = USUAL) -> Source:
        from corit.sources import open_source

        place, options = PLACES[name]
        parts = [options.format(root=folder), f"max={most}" if most else ""]
        if name != "unifd":  # whose pictures are no frames
            parts += [f"choice={reading.choice}", f"frames={reading.frames}" if reading.frames else ""]
        return open_source(",".join([f"{name}:{os.path.join(folder, place)}", *filter(None, parts)]))

    return build


def _subset_titles() -> tuple[str, ...]:
    """The paper's titles of the 19 subsets, which the makers of whole pictures carry as names."""
    from corit.world.upsamplers import UPSAMPLERS

    return tuple(UPSAMPLERS)


def _real() -> dict[str, Protocol]:
    names = ["cross-dataset", "cross-dataset-video", "df40", "components", "universal", "universal-max1000"]
    names += ["faceforensics", protocols.COMBINED]
    names += [f"faceforensics-without-{k}" for k in FORGERIES]
    return {n: _titled(protocols.protocol(n)) for n in names}


def _titled(of: Protocol) -> Protocol:
    """The 19 subsets under the paper's titles."""
    if not of.name.startswith("universal"):
        return of
    titles = _subset_titles()
    return of.replace(test=tuple(replace(s, name=t) for s, t in zip(of.test, titles, strict=True)))


WORLD, ELSEWHERE, DISJOINT, MAKERS = "miniature", "miniature-elsewhere", "miniature-disjoint", "miniature-makers"
# All four forgeries beside the same reals have the mean of the four as their AUC: these have pictures of their own.
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
CAMERA = 1  # the level of the JPEG compression that the other world's pictures go through once more
RECOMPRESSED, PERIODS = f"recompressed (JPEG level {CAMERA})", "with traces of other periods"
NAMES = {
    ELSEWHERE: f"of another world, {RECOMPRESSED}",
    ELSEWHERE_ALL: f"of a third world, {RECOMPRESSED}",
    DISJOINT: PERIODS,
    DISJOINT_ALL: f"of a fourth world, {PERIODS}",
}


def miniature(size: Size | None = None, seed: int = 0) -> Stage:
    """The miniature: five worlds of faces and nineteen makers of whole pictures stand for the data sets."""
    from corit.data.perturbed import PerturbedSource
    from corit.world.miniature import Miniature, MiniatureSpec
    from corit.world.upsamplers import Upsampled

    size = size or Size()
    home = MiniatureSpec(seed, size.train, size.val, size.test, size.pictures)
    elsewhere, disjoint = replace(home, seed=seed + 1), replace(home, seed=seed + 2, traces="disjoint")
    few = max(2, size.test // 2)  # each has five pictures for every real one of a column
    third, fourth = replace(elsewhere, seed=seed + 3, test=few), replace(disjoint, seed=seed + 4, test=few)
    drawn: dict[str, Callable[[], Source]] = {
        WORLD: lambda: Miniature(home),
        ELSEWHERE: lambda: PerturbedSource(Miniature(elsewhere, ["test"]), "jpeg", CAMERA),
        ELSEWHERE_ALL: lambda: PerturbedSource(Miniature(third, ["test"]), "jpeg", CAMERA),
        DISJOINT: lambda: Miniature(disjoint, ["test"]),
        DISJOINT_ALL: lambda: Miniature(fourth, ["test"]),
        DAMAGED: lambda: Damaged(Miniature(home, ["test"])),
        MAKERS: lambda: Upsampled(seed, size.train * size.pictures, size.val * size.pictures, size.each),
    }
    sources = {name: _whole(build) for name, build in drawn.items()}
    caption = f"miniature, seed {seed}, {size.text}, {home.side} px"
    key = f"miniature-{seed}-{size.train}-{size.val}-{size.test}-{size.pictures}-{size.each}"
    return Stage("miniature", caption, key, sources, _standing(), _shown())


def _whole(build: Callable[[], Source]) -> Callable[..., Source]:
    """A source of drawn pictures: all of them, whatever the reading; a protocol then takes its own."""
    return lambda reading=USUAL: build()


def _standing() -> dict[str, Protocol]:
    """The paper's protocols over the worlds, trained and selected in the first, and the world's own."""
    parts = {s: (Selection(WORLD, s, FORGERIES, name="FF++"),) for s in ("train", "val")}
    named = {t: Selection(data, "test", kinds, name=t) for t, (data, kinds) in STAND_INS.items()}
    found = {}
    for name in ("cross-dataset", "cross-dataset-video", "df40", "components"):
        base = protocols.protocol(name)
        test = tuple(named[s.title] for s in base.test)
        found[name] = base.replace(train=parts["train"], select=parts["val"], test=test)
    inside = protocols.protocol("miniature").replace(name="faceforensics")
    together = inside.replace(name=protocols.COMBINED, test=(Selection(WORLD, "test", FORGERIES, name="FF++"),))
    found |= {p.name: p for p in (inside, together, *protocols.leave_one_out(inside, FORGERIES))}
    titles = _subset_titles()
    for name in ("universal", "universal-max1000"):
        found[name] = protocols.protocol(name).replace(
            train=(Selection(MAKERS, "train"),),
            select=(Selection(MAKERS, "val"),),
            test=tuple(Selection(MAKERS, "test", datasets=(t,), name=t) for t in titles),
        )
    return found | {n: p for n, p in protocols.PROTOCOLS.items() if p.data == (WORLD,)}


def _shown() -> dict[str, str]:
    own = {k: f"the world's own forgery {k}, a mimic of FaceForensics++'s" for k in FORGERIES}
    faces = {t: f"{'+'.join(kinds) or 'all four forgeries'} {NAMES[d]}" for t, (d, kinds) in STAND_INS.items()}
    makers = dict.fromkeys(_subset_titles(), "a maker of whole pictures by smoothing and periodic traces")
    return own | faces | makers
