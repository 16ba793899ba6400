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
    """Another source's rows of some splits and manipulations, in their order.

    Attributes:
        source: the other source.
        splits: the splits to keep; empty for all.
        manipulations: the manipulations to keep; empty for all. Reals have none, and stay.
        limit: the most rows of each data set, split, label and manipulation; 0 for all. They are drawn by a hash of the
            id and `key`, so that a larger selection contains a smaller one.
        key: seeds the draw.

    Raises:
        DataError: when rows are listed: no row has such a split or manipulation, or none is left.
    """

    source: Source
    splits: tuple[str, ...] = ()
    manipulations: tuple[str, ...] = ()
    limit: int = 0
    key: int = 0

    @cached_property
    def samples(self) -> Sequence[Sample]:
        """The selected rows."""
        rows = self.source.samples
        for attribute, selected in (("split", self.splits), ("manipulation", self.manipulations)):
            known = {getattr(s, attribute) for s in rows} - {""}
            unknown = [w for w in selected if w not in known]
            if unknown:
                raise DataError(
                    f"no row has the {attribute} {', '.join(unknown)}; there are {examples(sorted(known)) or 'none'}"
                )
        kept = [s for s in rows if self._keeps(s)]
        if not kept:
            raise DataError(f"expected rows, but none of {len(rows)} is of the splits and manipulations asked for")
        return limit_per_class(kept, self.limit, self.key) if self.limit else tuple(kept)

    def _keeps(self, sample: Sample) -> bool:
        in_split = not self.splits or sample.split in self.splits
        return in_split and (not self.manipulations or sample.label == 0 or sample.manipulation in self.manipulations)

    def load(self, sample: Sample) -> Picture:
        """Return the picture of one row. Raises InputError's kinds."""
        return self.source.load(sample)


def limit_per_class(samples: Sequence[Sample], limit: int, key: int = 0) -> tuple[Sample, ...]:
    """Draw at most `limit` samples of each data set, split, label and manipulation, and keep their order.

    Args:
        samples: what to draw from.
        limit: the most samples of each class, at least 1.
        key: seeds the draw; of one key, a larger draw contains a smaller one.

    Raises:
        DataError: the limit is less than 1.
    """
    if limit < 1:
        raise DataError(f"expected at least one sample of each class, got {limit}")
    classes: dict[tuple[str, str, int | None, str], list[int]] = defaultdict(list)
    for i, s in enumerate(samples):
        classes[s.dataset, s.split, s.label, s.manipulation].append(i)
    chosen: list[int] = []
    for rows in classes.values():
        chosen += rows if len(rows) <= limit else sorted(rows, key=lambda i: seed("few", key, samples[i].id))[:limit]
    return tuple(samples[i] for i in sorted(chosen))


@dataclass(frozen=True)
class JoinedSources:
    """Several sources as one.

    Attributes:
        sources: the sources, whose rows follow each other.

    Raises:
        DataError: when rows are listed: two sources have a row of the same id.
    """

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
        """Return the picture of one row, from the source that lists it. Raises InputError's kinds."""
        return self._owners[sample.id].load(sample)
