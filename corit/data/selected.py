"""Some rows of a source, and several sources as one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from corit.data.sample import Sample, Source
from corit.errors import DataError, examples
from corit.images.picture import Picture
from corit.seeding import seed


@dataclass(frozen=True)
class SelectedRows:
    """Another source's rows of some splits and manipulations, at most `most` of each class, in their order.

    splits, manipulations: which to keep, empty for all; reals have no manipulation and stay. most: of each data set,
    split, label and manipulation, drawn by a hash of the id and `key`, so that more of them hold the fewer ones; 0 for
    all. Raises DataError when nothing is left, and for a split or manipulation that no row has.
    """

    source: Source
    splits: tuple[str, ...] = ()
    manipulations: tuple[str, ...] = ()
    most: int = 0
    key: int = 0

    @cached_property
    def samples(self) -> Sequence[Sample]:
        """The rows that were chosen."""
        rows = self.source.samples
        for what, wanted in (("split", self.splits), ("manipulation", self.manipulations)):
            there = {getattr(s, what) for s in rows} - {""}
            lost = [w for w in wanted if w not in there]
            if lost:
                raise DataError(
                    f"no row has the {what} {', '.join(lost)}; there are {examples(sorted(there)) or 'none'}"
                )
        kept = [s for s in rows if self._wants(s)]
        if not kept:
            raise DataError(f"expected rows, but none of {len(rows)} is of the splits and manipulations asked for")
        return limit_per_class(kept, self.most, self.key) if self.most else tuple(kept)

    def _wants(self, sample: Sample) -> bool:
        in_split = not self.splits or sample.split in self.splits
        return in_split and (not self.manipulations or sample.label == 0 or sample.manipulation in self.manipulations)

    def load(self, sample: Sample) -> Picture:
        """The picture of one row. Raises InputError's kinds."""
        return self.source.load(sample)


def limit_per_class(samples: Sequence[Sample], most: int, key: int = 0) -> tuple[Sample, ...]:
    """At most so many samples of each data set, split, label and manipulation, in their order.

    Raises DataError for less than one.
    """
    if most < 1:
        raise DataError(f"expected at least one sample of each class, got {most}")
    classes: dict[tuple[str, str, int | None, str], list[int]] = defaultdict(list)
    for i, s in enumerate(samples):
        classes[s.dataset, s.split, s.label, s.manipulation].append(i)
    kept: list[int] = []
    for rows in classes.values():
        kept += rows if len(rows) <= most else sorted(rows, key=lambda i: seed("few", key, samples[i].id))[:most]
    return tuple(samples[i] for i in sorted(kept))


@dataclass(frozen=True)
class JoinedSources:
    """Several sources as one, in their order. Raises DataError when two of them have a row of the same id."""

    sources: tuple[Source, ...]

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """The rows of each source in turn."""
        samples = tuple(s for source in self.sources for s in source.samples)
        if len(self._owners) < len(samples):
            raise DataError("expected sources without common rows, but two of them have rows of the same id")
        return samples

    @cached_property
    def _owners(self) -> dict[str, Source]:
        return {s.id: source for source in self.sources for s in source.samples}

    def load(self, sample: Sample) -> Picture:
        """The picture of one row, from the source that lists it. Raises InputError's kinds."""
        return self._owners[sample.id].load(sample)
