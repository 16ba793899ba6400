"""How much of a data set is there: its videos against those that its lists or its publication name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from corit.data.dataset import DataSet, PublishedSize
from corit.data.frames import SPLITS
from corit.data.sample import Sample, Source
from corit.data.selected import SelectedRows
from corit.errors import examples

LISTS = (".csv", ".json")  # files that name videos; the others that a data set misses are videos


@dataclass(frozen=True)
class Share:
    """How much of a data set is there.

    Attributes:
        name: the data set's name, with its compression where it has several.
        there: its videos, or pictures where it has no videos.
        of: how many there should be, by its own lists or its publication; 0 where nobody knows.
        unit: "videos" or "pictures".
        types: its manipulation types that are there, and all that it was asked for; (0, 0) where nobody knows.
        lost: folders and lists that are missing.
    """

    name: str
    there: int
    of: int = 0
    unit: str = "videos"
    types: tuple[int, int] = (0, 0)
    lost: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether nothing is known to be missing."""
        return self.there >= self.of and self.types[0] >= self.types[1] and not self.lost

    @property
    def text(self) -> str:
        """One line, such as "FaceForensics++ c23: 149 of 5,000 videos, 3 of 4 manipulation types"."""
        if self.complete:
            return f"{self.name}: {'all ' if self.of else ''}{self.there:,} {self.unit}"
        count = f"{self.there:,} of {self.of:,}" if self.of > self.there else f"{self.there:,}"
        parts = [f"{count} {self.unit}"]
        if self.types[0] < self.types[1]:
            parts.append(f"{self.types[0]} of {self.types[1]} manipulation types")
        without = f"; without {examples(self.lost)}" if self.lost else ""
        return f"{self.name}: {', '.join(parts)}{without}"


def share_of(dataset: DataSet, source: Source, missing: Sequence[str] = ()) -> Share:
    """Measure how much of a data set is there.

    A limit on the rows of a class does not count as a lack.

    Args:
        dataset: the record of the data set.
        source: the data set, whose rows are listed.
        missing: what it called `on_missing` with while it was listed: videos, lists, and folders with a slash at their
            end.
    """
    base, splits = _unselected(source)
    rows = [s for s in base.samples if s.split in splits]
    types: tuple[str, ...] | None = getattr(base, "types", None)
    there, of = len(_units(rows)), 0
    published = dict(_published(dataset, splits, types, rows))
    lost_videos = [m for m in missing if _is_video(m)]
    if published or lost_videos:
        others = [s for s in rows if (s.dataset, s.split) not in published]
        of = max(there + len(lost_videos), sum(published.values()) + len(_units(others)))
    fakes = {s.manipulation for s in rows if s.label}
    counted = (len(fakes & set(types)), len(types)) if types else (0, 0)
    lost = tuple(m for m in missing if not _is_video(m) and "(in no official list)" not in m)
    unit = "videos" if any(s.video for s in rows) or (dataset.video and not rows) else "pictures"
    return Share(_name(dataset, base, rows), there, of, unit, counted, lost)


def _is_video(missing: str) -> bool:
    return not missing.endswith(("/", ")", *LISTS))


def _units(rows: Sequence[Sample]) -> set[str]:
    return {s.video or s.id for s in rows}


def _unselected(source: Source) -> tuple[Source, tuple[str, ...]]:
    """The data set below selections of its rows, and the splits that are asked for."""
    splits: tuple[str, ...] = ()
    while isinstance(source, SelectedRows):
        splits, source = source.splits or splits, source.source
    own = getattr(source, "reading", source)
    return source, splits or (*getattr(own, "splits", SPLITS), "")


def _published(
    dataset: DataSet, splits: Sequence[str], types: Sequence[str] | None, rows: Sequence[Sample]
) -> Iterator[tuple[tuple[str, str], int]]:
    """The published size of each part of the data set that is asked for."""
    there: dict[tuple[str, str], set[str]] = defaultdict(set)
    for s in rows:
        there[s.dataset, s.split].add(s.video or s.id)
    for key, size in dataset.sizes.items():
        subset = key[0].partition("/")[2]
        if key[1] in splits and (not subset or types is None or subset in types):
            yield key, _total(size, types, len(there[key]))


def _total(size: PublishedSize, types: Sequence[str] | None, there: int) -> int:
    """The published number: of both labels together, where a protocol's cut counts as the whole, or of each kind."""
    if size.totals:
        return there if there in size.totals else size.totals[0]
    return size.each * (1 + (1 if types is None else len(types)))


def _name(dataset: DataSet, source: Source, rows: Sequence[Sample]) -> str:
    names = {s.dataset.partition("/")[0] for s in rows}
    if hasattr(source, "names") or len(names) != 1:  # DF40, whose rows have the name of their manipulation type
        return dataset.origin.title
    return " ".join(filter(None, (*names, getattr(source, "compression", ""))))
