"""The small collections of real and forged pictures that the packaged detectors are trained on."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from pathlib import Path, PurePath
from typing import TypeVar

from corit.data.folders import describe_extra, list_pictures, read_with_landmarks
from corit.data.sample import Sample
from corit.data.split import split_by_group
from corit.data.text_files import read_text
from corit.errors import DataError
from corit.images.picture import Picture
from corit.seeding import seed

T = TypeVar("T")
PAIRS = "a CSV file of pairs with the columns real, fake, mean_abs_diff_112 and correlation_112"
ALIGNED_CORRELATION, ALIGNED_DIFFERENCE = 0.7, 2.0  # of a pair that shows one face, once forged; see pairs.csv


@dataclass(frozen=True)
class Collection:
    """A folder of real pictures, and of fakes of one kind.

    Attributes:
        name: the manipulation type of its fakes, and the data set of its rows.
        folder: its folder below the root.
        aligned: its pictures are tight face crops, without room for a face finder.
        pairs: its pairs.csv tells which fake belongs to which real picture; other pictures are left out.
        classes: its real pictures lie in real/ and its fakes in fake/; else all pictures are real.
    """

    name: str
    folder: str
    aligned: bool = False
    pairs: bool = False
    classes: bool = True


DFDC = Collection("dfdc", "dfdc-crops", aligned=True, pairs=True)
STYLEGAN = Collection("stylegan", "stylegan-faces")
COMPOSITES = Collection("composite", "composited-faces")
PHOTOGRAPHS = Collection("photograph", "photographs", classes=False)
FACES = (DFDC, STYLEGAN, COMPOSITES)
SCENES = (PHOTOGRAPHS,)


@dataclass(frozen=True)
class CollectionSource:
    """A collection's rows, each with its split; the order of a hash decides which are taken.

    Attributes:
        collection: the collection.
        root: the folder that holds the collection's folder.
        limit: the most groups (pairs, or pictures of each class) that are taken and split; 0 for all.
        first: list at most so many of these groups of each class, with the splits of all; 0 for all.
        key: seeds the order and the splits.
    """

    collection: Collection
    root: str
    limit: int = 0
    first: int = 0
    key: int = 0

    @cached_property
    def samples(self) -> Sequence[Sample]:
        """The rows. Raises DataError when the folder is missing or holds no pictures."""
        rows = split_by_group(tuple(self._rows()), key=self.key)
        return describe_extra(_first(rows, self.first), self.collection.aligned)

    def load(self, sample: Sample) -> Picture:
        """Decode one picture. Raises InputError."""
        return read_with_landmarks(sample.path, self.collection.aligned)

    def _rows(self) -> Iterator[Sample]:
        if self.collection.pairs:
            yield from self._pairs()
        elif self.collection.classes:
            yield from self._pictures("real", 0)
            yield from self._pictures("fake", 1)
        else:
            yield from self._pictures("", 0)

    def _pairs(self) -> Iterator[Sample]:
        for real, fake in self._taken(read_aligned_pairs(self._folder / "pairs.csv")):
            yield self._row(f"real/{real}.jpg", 0, real)
            yield self._row(f"fake/{fake}.jpg", 1, real)

    def _pictures(self, inner: str, label: int) -> Iterator[Sample]:
        folder = self._folder / inner
        if not folder.is_dir():
            raise DataError(f"expected a folder of pictures at {folder}, but there is none; check the data's root")
        for path in self._taken([os.path.relpath(p, self._folder) for p in list_pictures(folder)]):
            yield self._row(path, label, PurePath(path).with_suffix("").as_posix())

    def _taken(self, items: Sequence[T]) -> list[T]:
        ordered = sorted(items, key=lambda item: seed("collection", self.key, str(item)))
        return ordered[: self.limit or None]

    def _row(self, inside: str, label: int, group: str) -> Sample:
        name, path = self.collection.name, str(self._folder / inside)
        kind, group = name if label else "", f"{name}/{group}"
        return Sample(f"{self.collection.folder}/{inside}", path, label, "", kind, name, group)

    @property
    def _folder(self) -> Path:
        return Path(self.root) / self.collection.folder


def _first(rows: Sequence[Sample], groups: int) -> Sequence[Sample]:
    """The rows of each class's first groups, in the order of the rows."""
    if not groups:
        return rows
    numbers: dict[int | None, dict[str, int]] = {}
    for s in rows:
        of_class = numbers.setdefault(s.label, {})
        of_class.setdefault(s.group, len(of_class))
    return tuple(s for s in rows if numbers[s.label][s.group] < groups)


def read_aligned_pairs(path: Path) -> list[tuple[str, str]]:
    """Read the pairs (real, fake) that show one face, once forged: alike in all, but not equal.

    Args:
        path: a CSV file with the columns real, fake, mean_abs_diff_112, correlation_112.

    Raises:
        DataError: the file or a column is missing.
    """
    table = csv.DictReader(StringIO(read_text(path, PAIRS)))
    try:
        return [(row["real"], row["fake"]) for row in table if _is_aligned(row)]
    except (KeyError, ValueError) as err:
        raise DataError(f"expected {PAIRS} at {path}, but: {err!r}") from err


def _is_aligned(row: dict[str, str]) -> bool:
    alike = float(row["correlation_112"]) >= ALIGNED_CORRELATION
    return alike and float(row["mean_abs_diff_112"]) >= ALIGNED_DIFFERENCE
