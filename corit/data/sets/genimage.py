"""GenImage."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from corit.data.dataset import ROOT, DataSet
from corit.data.folders import list_pictures
from corit.data.origin import ARCHIVE, Origin
from corit.data.sample import Sample, Split
from corit.data.walk import list_names
from corit.errors import DataError
from corit.images.picture import Picture, read_picture

ORIGIN = Origin(
    "GenImage", "<generator>/imagenet_*/{train,val}/{ai,nature}/", "https://github.com/GenImage-Dataset/GenImage"
)
CLASSES = {"nature": 0, "ai": 1}
# The data set calls what it tests on "val"; nothing is selected on it here, so it is the test split.
SIDES: dict[str, Split] = {"train": "train", "val": "test"}


@dataclass(frozen=True)
class GenImage:
    """GenImage: pictures of eight generators, each with ImageNet photographs of its own.

    A sample's dataset is GenImage/<generator>. A photograph's group is its ImageNet name.

    Attributes:
        root: the data set's folder.
        generators: folder names in capitals or small letters; empty for all that are there.
        splits: "train" and "test"; the data set tests on its folder val/.
        partial: go on without folders that are empty or packed.
        on_missing: called with each folder that is missing; also go on without it.

    Raises:
        DataError: another split; when rows are listed, a folder of a generator is absent or empty.
    """

    root: str
    generators: tuple[str, ...] = ()
    splits: tuple[Split, ...] = ("train", "test")
    partial: bool = False
    on_missing: Callable[[str], None] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        unknown = [s for s in self.splits if s not in SIDES.values()]
        if unknown or not self.splits:
            raise DataError(f"expected the splits train and test of GenImage (it has no other), got {self.splits!r}")

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """By generator, split and class, photographs first."""
        folders = self._generators()
        lost = [g for g in self.generators if g.lower() not in {f.lower() for f in folders}]
        self._report([] if self.generators else self._packed(folders))
        if lost or not folders:
            raise ORIGIN.missing(self.root, "expected folders of generators, but some are not there", lost)
        chosen = {g.lower() for g in self.generators} or {f.lower() for f in folders}
        rows = tuple(s for name, base in folders.items() if name.lower() in chosen for s in self._rows(name, base))
        if not rows:
            raise ORIGIN.missing(self.root, "expected pictures, found none")
        return rows

    def _generators(self) -> dict[str, str]:
        """Generator -> the folder with train/ and val/, which is it or lies in it."""
        folders = {}
        for name in list_names(self.root):
            folder = os.path.join(self.root, name)
            bases = [b for b in (folder, *(os.path.join(folder, n) for n in list_names(folder))) if _divided(b)]
            if len(bases) > 1:
                problem = f"expected one folder with train/ and val/ in {name}/, got several; move them into one"
                raise ORIGIN.missing(self.root, problem, [os.path.relpath(b, self.root) for b in bases])
            if bases:
                folders[name] = bases[0]
        return folders

    def _packed(self, folders: Mapping[str, str]) -> list[str]:
        """Folders of generators in which nothing but archives lies."""
        rest = {n: os.path.join(self.root, n) for n in list_names(self.root) if n not in folders}
        return [n for n, f in rest.items() if any(map(ARCHIVE.search, list_names(f)))]

    def _report(self, packed: list[str]) -> None:
        for name in packed if self.on_missing else ():
            self.on_missing(f"{name}/ (not extracted)")  # type: ignore[misc]
        if packed and not (self.partial or self.on_missing):
            problem = f"expected pictures of {', '.join(packed)}, but nobody extracted the archives there; extract them"
            raise ORIGIN.missing(self.root, f"{problem}, or ask for a partial listing", packed)

    def _rows(self, name: str, base: str) -> Iterator[Sample]:
        for side, split in SIDES.items():
            for kind, label in CLASSES.items() if split in self.splits else ():
                for path, file in self._files(os.path.join(base, side, kind)):
                    ident = f"{name}/{side}/{kind}/{file}"
                    group = ident if label else os.path.splitext(os.path.basename(file))[0]
                    yield Sample(ident, path, label, split, name if label else "", f"GenImage/{name}", group)

    def _files(self, folder: str) -> Iterator[tuple[str, str]]:
        """(path, path inside the folder) of every picture. Raises DataError when there is none."""
        paths = list(list_pictures(folder)) if os.path.isdir(folder) else []
        inside = os.path.relpath(folder, self.root).replace(os.sep, "/")
        if not paths and self.on_missing:
            self.on_missing(f"{inside}/")
        elif not paths and not self.partial:
            problem = f"expected pictures in {inside}/, found none; extract them, or ask for a partial listing"
            raise ORIGIN.missing(self.root, problem, [inside])
        yield from ((path, path[len(folder) + 1 :].replace(os.sep, "/")) for path in paths)

    def load(self, sample: Sample) -> Picture:
        """Decode one picture. Raises InputError's kinds."""
        return read_picture(sample.path)


def _divided(folder: str) -> bool:
    return any(os.path.isdir(os.path.join(folder, side)) for side in SIDES)


DATASET = DataSet(
    "genimage",
    GenImage,
    ORIGIN,
    {**ROOT, "generators": "words", "splits": "words", "partial": "flag"},
    marks=("*/val/nature", "*/imagenet*/val/nature"),
)
