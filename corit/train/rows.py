"""Measured rows of several sources, as heads are trained and measured on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from corit.data.split import SHARES
from corit.errors import DataError, FitError
from corit.features.store import FeatureStore
from corit.heads.rows import Rows, Subset
from corit.seeding import generator
from corit.train.heads import LABELS, PARTS

MOST_REPEATS = 4  # of all rows together, where sources of different sizes weigh the same


@dataclass(frozen=True)
class LabelledRows:
    """Features with what training and measuring need to know of each row.

    Attributes:
        z: (n, D) raw features.
        labels: (n), 0 for real and 1 for fake.
        splits: (n) texts.
        sources: (n) data sets.
        kinds: (n) manipulation types, "" for reals.
        groups: (n) whole numbers; rows of one group never stand in two splits.

    Raises:
        FitError: a column has another number of rows than the features.
    """

    z: Rows
    labels: np.ndarray
    splits: np.ndarray
    sources: np.ndarray
    kinds: np.ndarray
    groups: np.ndarray

    def __post_init__(self) -> None:
        lengths = {len(c) for c in (self.z, self.labels, self.splits, self.sources, self.kinds, self.groups)}
        if len(lengths) > 1:
            raise FitError(f"expected columns of one length, got {', '.join(map(str, sorted(lengths)))} rows")

    def __len__(self) -> int:
        return len(self.z)

    def take(self, index: np.ndarray) -> LabelledRows:
        """Select rows, in the order of `index`; a row may come several times."""
        columns = (c[index] for c in (self.labels, self.splits, self.sources, self.kinds, self.groups))
        return LabelledRows(Subset(self.z, index), *columns)

    def part(self, split: str) -> LabelledRows:
        """Select the rows of a split."""
        return self.take(np.flatnonzero(self.splits == split))

    def named(self, source: str) -> LabelledRows:
        """Return the rows with one data set for all."""
        return replace(self, sources=np.full(len(self), source))

    @property
    def counts(self) -> dict[str, int]:
        """Rows by split and label, such as "train real"."""
        pairs = [(split, kind, y) for split in PARTS for kind, y in LABELS]
        return {f"{split} {kind}": int(((self.splits == split) & (self.labels == y)).sum()) for split, kind, y in pairs}


def rows_of(store: FeatureStore) -> LabelledRows:
    """Read the measured, labelled rows of a store that stand in a split.

    Raises:
        StoreError: the store has no such row.
    """
    features = store.features(label=(0, 1), split=tuple(SHARES))
    groups = np.unique(features.column("group").astype(str), return_inverse=True)[1]
    split, dataset, kind = (features.column(name).astype(str) for name in ("split", "dataset", "manipulation"))
    return LabelledRows(features.z, features.y.astype(np.int64), split, dataset, kind, groups)


@dataclass(frozen=True)
class StackedRows:
    """Several tables of features (n_i, D), one below the other."""

    parts: tuple[Rows, ...]

    def __len__(self) -> int:
        return int(self._starts[-1])

    @cached_property
    def _starts(self) -> np.ndarray:
        return np.cumsum([0, *map(len, self.parts)])

    @property
    def width(self) -> int:
        """D, the width of a row."""
        return self.parts[0].width

    def gather(self, index: np.ndarray) -> Tensor:
        """Gather rows; see `Rows.gather`."""
        out = torch.empty(len(index), self.width)
        for part, start in zip(self.parts, self._starts[:-1], strict=True):
            own = np.flatnonzero((index >= start) & (index < start + len(part)))
            if len(own):
                out[torch.from_numpy(own)] = part.gather(index[own] - start).float()
        return out


def stack(parts: Sequence[LabelledRows]) -> LabelledRows:
    """Put rows of several origins below each other; groups of different origins stay apart.

    Raises:
        FitError: their features differ in width.
    """
    widths = {p.z.width for p in parts}
    if len(widths) > 1:
        raise FitError(f"expected features of one width, got {', '.join(map(str, sorted(widths)))}")
    shifts = np.cumsum([0, *(int(p.groups.max(initial=-1)) + 1 for p in parts)])
    groups = [p.groups + shift for p, shift in zip(parts, shifts[:-1], strict=True)]
    return LabelledRows(
        StackedRows(tuple(p.z for p in parts)),
        np.concatenate([p.labels for p in parts]),
        np.concatenate([p.splits for p in parts]),
        np.concatenate([p.sources for p in parts]),
        np.concatenate([p.kinds for p in parts]),
        np.concatenate(groups),
    )


def two_class_sources(rows: LabelledRows) -> np.ndarray:
    """Name the source of each row, such that every source has reals and fakes where that can be.

    Data sets that hold one class only, such as two folders real/ and fake/, make up one source "".

    Returns:
        (n) texts.
    """
    whole = [s for s in np.unique(rows.sources) if len(set(rows.labels[rows.sources == s].tolist())) == 2]
    return np.where(np.isin(rows.sources, whole), rows.sources, "")


def equal_shares(sources: np.ndarray, new: str, weight_new: float | None = None) -> dict[str, float]:
    """Return the share of each source in a training: all the same, or one of a stated share.

    Args:
        sources: (n) texts.
        new: the source whose share may be stated.
        weight_new: its share, in (0, 1); None for the same as the others.

    Raises:
        DataError: a share that is not between 0 and 1.
    """
    names = np.unique(sources).tolist()
    if weight_new is None:
        return dict.fromkeys(names, 1 / len(names))
    if not 0 < weight_new < 1:
        raise DataError(f"expected a weight of your pictures between 0 and 1, got {weight_new}; 0.5 is half of all")
    return {name: weight_new if name == new else (1 - weight_new) / (len(names) - 1) for name in names}


def weighted_index(sources: np.ndarray, shares: dict[str, float], key: str) -> np.ndarray:
    """Repeat rows such that each source makes up its share; heads that know no weights are trained on the result.

    A source's rows come all equally often, but for one time more or less. In all, there are at most `MOST_REPEATS`
    times as many rows as before; a source that is larger than its share of them is drawn from.

    Args:
        sources: (n) texts.
        shares: by source.
        key: seeds which rows come once more.

    Returns:
        (m) indices, in rising order.
    """
    counts = {name: int((sources == name).sum()) for name in shares}
    total = min(max(counts[n] / share for n, share in shares.items()), MOST_REPEATS * len(sources))
    chosen = [_repeated(np.flatnonzero(sources == n), round(total * share), key) for n, share in shares.items()]
    return np.sort(np.concatenate(chosen))


def _repeated(index: np.ndarray, places: int, key: str) -> np.ndarray:
    """`places` entries (at least one) of an index, all equally often but for one time."""
    whole, rest = divmod(max(1, places), len(index))
    extra = generator(key, len(index), places).permutation(len(index))[:rest]
    return np.concatenate([np.repeat(index, whole), index[extra]])
