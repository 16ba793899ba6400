"""ForenSynths and the diffusion sets of UniversalFakeDetect: 19 test subsets, and ProGAN for training."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, get_args

from corit.data.dataset import ROOT, DataSet, PublishedSize
from corit.data.folders import list_pictures
from corit.data.origin import Origin
from corit.data.sample import Sample, Split
from corit.data.walk import list_names
from corit.errors import DataError
from corit.images.picture import Picture, read_picture
from corit.seeding import generator

ORIGIN = Origin(
    "ForenSynths and the diffusion sets of UniversalFakeDetect",
    "test/<name>/[<class>/]{0_real,1_fake}/, diffusion_datasets/<name>/{0_real,1_fake}/, train/progan/<class>/",
    "https://github.com/PeterWang512/CNNDetection (sywang/CNNDetection on the Hugging Face hub) and "
    "https://github.com/WisconsinAIVision/UniversalFakeDetect",
)
# The test subsets in the order of the published tables: name -> the folder below test/.
GANS = {
    "progan": "progan",
    "cyclegan": "cyclegan",
    "biggan": "biggan",
    "stylegan": "stylegan",
    "gaugan": "gaugan",
    "stargan": "stargan",
    "deepfake": "deepfake",
    "sitd": "seeingdark",
    "san": "san",
    "crn": "crn",
    "imle": "imle",
}
# ... and name -> the folder of reals that it shares, below diffusion_datasets/.
DIFFUSION = {
    "guided": "imagenet",
    "ldm_200": "laion",
    "ldm_200_cfg": "laion",
    "ldm_100": "laion",
    "glide_100_27": "laion",
    "glide_50_27": "laion",
    "glide_100_10": "laion",
    "dalle": "laion",
}
SUBSETS = (*GANS, *DIFFUSION)
CLASSES = ("0_real", "1_fake")
Sampling = Literal["unifd-full", "unifd-max1000"]


@dataclass(frozen=True)
class ForenSynths:
    """The 19 test subsets of UniversalFakeDetect, and ProGAN's 20 classes for training and validation.

    A sample's dataset is UniFD/<subset>, also in training. Its group is its file, so that a real picture that several
    subsets share keeps one group.

    Attributes:
        root: the data set's folder.
        subsets: the test subsets.
        splits: the splits to list.
        classes: the classes of ProGAN's training pictures; empty for all.
        sampling: "unifd-full" takes every picture; "unifd-max1000" cuts a test subset as UniversalFakeDetect's
            evaluation does, see `cut_subset`.
        key: seeds this cut.
        partial: go on without classes that have no pictures.
        on_missing: called with each folder that is missing; also go on without it.

    Raises:
        DataError: an unknown subset or sampling; when rows are listed, a class of a subset has no pictures.
    """

    root: str
    subsets: tuple[str, ...] = SUBSETS
    splits: tuple[Split, ...] = ("test",)
    classes: tuple[str, ...] = ()
    sampling: Sampling = "unifd-full"
    key: int = 0
    partial: bool = False
    on_missing: Callable[[str], None] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        unknown = sorted(set(self.subsets) - set(SUBSETS))
        if unknown:
            raise DataError(f"no such subset: {', '.join(unknown)}; there are {', '.join(SUBSETS)}")
        if self.sampling not in get_args(Sampling):
            raise DataError(f"expected sampling {' or '.join(get_args(Sampling))}, got {self.sampling!r}")

    @property
    def types(self) -> tuple[str, ...]:
        """The manipulation types that are asked for."""
        return tuple(dict.fromkeys(self.subsets)) if "test" in self.splits else ("progan",)

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """Training and validation by class, then the test subsets in the order of `subsets`; reals first in each."""
        sides = [s for s in ("train", "val") if s in self.splits]
        learning = [s for side in sides for s in self._progan(side)]  # type: ignore[arg-type]
        subsets = self.subsets if "test" in self.splits else ()
        tests = [s for subset in dict.fromkeys(subsets) for s in self._test(subset)]
        if not learning and not tests:
            raise ORIGIN.missing(self.root, "expected pictures of some subset, found none", subsets)
        return (*learning, *tests)

    def _test(self, subset: str) -> Iterator[Sample]:
        reals, fakes = self._diffusion(subset) if subset in DIFFUSION else self._gan(GANS[subset])
        if not (reals and fakes):
            self._miss(f"test pictures of {subset}", [f"{_where(subset)}/{c}" for c in CLASSES])
            return
        if self.sampling == "unifd-max1000":
            reals, fakes = cut_subset(reals, fakes, f"{self.key} {subset}")
        for label, paths in enumerate((reals, fakes)):
            yield from self._rows(subset, subset, label, paths, "test")

    def _gan(self, folder: str) -> tuple[list[str], list[str]]:
        """Paths of a subset's reals and fakes, which lie in it or in a folder for each class of things."""
        base = os.path.join(self.root, "test", folder)
        if not os.path.isdir(base):
            return [], []
        if _classed(base):
            return self._both([base, *filter(_classed, _folders(base))])
        inner = _folders(base)
        return self._both(inner if any(map(_classed, inner)) else [])

    def _diffusion(self, subset: str) -> tuple[list[str], list[str]]:
        """Fakes of a subset, and the reals beside them or those it shares with others."""
        base = os.path.join(self.root, "diffusion_datasets")
        own, shared = (os.path.join(base, name, "0_real") for name in (subset, DIFFUSION[subset]))
        return _pictures(own) or _pictures(shared), _pictures(os.path.join(base, subset, "1_fake"))

    def _progan(self, split: Split) -> Iterator[Sample]:
        base = os.path.join(self.root, split)
        base = os.path.join(base, "progan") if os.path.isdir(os.path.join(base, "progan")) else base
        there = [os.path.basename(f) for f in _folders(base)] if os.path.isdir(base) else []
        lost = [c for c in self.classes if c not in there]
        if lost or not there:
            self._miss(f"classes of ProGAN for {split}", [f"{split}/progan/{c}" for c in lost] or [f"{split}/progan"])
        for name in dict.fromkeys(self.classes or there):
            if name in there:
                for label, paths in enumerate(self._both([os.path.join(base, name)])):
                    yield from self._rows("progan", f"{split}/{name}", label, paths, split)

    def _both(self, folders: list[str]) -> tuple[list[str], list[str]]:
        """Reals and fakes of some folders, each of which must have both."""
        classes: tuple[list[str], list[str]] = [], []
        for folder in folders:
            for paths, name in zip(classes, CLASSES, strict=True):
                listed = _pictures(os.path.join(folder, name))
                if not listed:
                    inside = os.path.relpath(folder, self.root).replace(os.sep, "/")
                    self._miss(f"pictures in {inside}/{name}/", [f"{inside}/{name}"])
                paths += listed
        return classes

    def _miss(self, what: str, looked: Sequence[str]) -> None:
        for name in looked if self.on_missing else ():
            self.on_missing(f"{name}/")  # type: ignore[misc]
        if not self.partial and not self.on_missing:
            problem = f"expected {what}, found none; extract them, or ask for a partial listing"
            raise ORIGIN.missing(self.root, problem, looked)

    def _rows(self, subset: str, prefix: str, label: int, paths: Sequence[str], split: Split) -> Iterator[Sample]:
        kind = subset if label else ""
        start = len(os.path.join(self.root, ""))
        for path in paths:
            inside = path[start:].replace(os.sep, "/")
            name = f"{prefix}/{'fake' if label else 'real'}/{inside}"
            yield Sample(name, path, label, split, kind, f"UniFD/{subset}", inside)

    def load(self, sample: Sample) -> Picture:
        """Decode one picture. Raises InputError's kinds."""
        return read_picture(sample.path)


def cut_subset(
    reals: Sequence[str], fakes: Sequence[str], key: str, maximum: int = 1000, fallback: int = 100
) -> tuple[list[str], list[str]]:
    """Cut a subset as UniversalFakeDetect does: `maximum` of each class, `fallback` of each where a class is smaller.

    So SITD (180 and 180) and SAN (219 and 219) are scored on 100 and 100. Which pictures the published numbers are of
    depends on the order of files on one machine.

    Args:
        reals: paths of real pictures.
        fakes: paths of fake pictures.
        key: seeds the shuffle that draws the pictures.
        maximum: of each class.
        fallback: of each class where either has fewer than the maximum.

    Returns:
        The reals and fakes that are drawn, in their order.
    """
    shorter = min(len(reals), len(fakes))
    count = min(maximum if shorter >= maximum else fallback, shorter)
    rng = generator("unifd-max1000", key)
    reals, fakes = ([c[i] for i in sorted(rng.permutation(len(c))[:count])] for c in (reals, fakes))
    return reals, fakes


def _where(subset: str) -> str:
    return f"diffusion_datasets/{subset}" if subset in DIFFUSION else f"test/{GANS[subset]}"


def _classed(folder: str) -> bool:
    return any(os.path.isdir(os.path.join(folder, c)) for c in CLASSES)


def _folders(folder: str) -> list[str]:
    paths = (os.path.join(folder, n) for n in list_names(folder) if n not in CLASSES)
    return [p for p in paths if os.path.isdir(p)]


def _pictures(folder: str) -> list[str]:
    """Every picture below a folder, whatever dots and capitals its name has; empty when there is no such folder."""
    return list(list_pictures(folder)) if os.path.isdir(folder) else []


# Pictures of both classes in each test subset.
PICTURES = {
    **{"progan": 8000, "cyclegan": 2642, "biggan": 4000, "stylegan": 11982, "gaugan": 10000, "stargan": 3998},
    **{"deepfake": 5405, "sitd": 360, "san": 438, "crn": 12764, "imle": 12764},
    **dict.fromkeys(DIFFUSION, 2000),
}
DATASET = DataSet(
    "unifd",
    ForenSynths,
    ORIGIN,
    {
        **ROOT,
        **{"subsets": "words", "classes": "words", "sampling": "text", "key": "number"},
        **{"splits": "words", "partial": "flag"},
    },
    marks=("test/progan", "diffusion_datasets", "train/progan"),
    sizes={
        (f"UniFD/{name}", "test"): PublishedSize(totals=(count, min(count, 2000) if count >= 2000 else 200))
        for name, count in PICTURES.items()
    },
)
