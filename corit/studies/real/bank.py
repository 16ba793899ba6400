"""Stored levels as arrays: the rows of a set that all its stores hold, and features that are read from them.

A picture counts with its largest face. Its levels F_l = [C; T_1..T_K] give every layer, every subset of tokens, every
l_m and both fusions without another forward pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from corit.data.frames import SPLITS
from corit.errors import DataError
from corit.features.preparation import SELF_BLENDED
from corit.features.store import FeatureStore
from corit.model.corit import cross_attention


@dataclass(frozen=True)
class Reading:
    """A feature: tokens of some levels of one store, side by side.

    Attributes:
        store: the variant whose levels are read.
        levels: the layers, in order.
        tokens: the places in F_l, 0 for the class token.
        attends: fuse the two levels by (25) instead of (24).
    """

    store: str
    levels: tuple[int, ...]
    tokens: tuple[int, ...]
    attends: bool = False


@dataclass(frozen=True)
class Rows:
    """Rows of one or several sets.

    Attributes:
        y: labels (n), 0 real and 1 fake.
        split: (n) train, val or test.
        group: (n) the pair or picture.
        kind: (n) the set's name, or "self-blended" for fakes made of its reals.
        levels: by store, (n, L+1, T, D) float16.
        failed: pictures of the sets that could not be measured, by status.
    """

    y: np.ndarray
    split: np.ndarray
    group: np.ndarray
    kind: np.ndarray
    levels: Mapping[str, np.ndarray] = field(repr=False)
    failed: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.y)

    def take(self, chosen: np.ndarray) -> Rows:
        """Select rows by a mask or by indices (m)."""
        levels = {k: v[chosen] for k, v in self.levels.items()}
        return Rows(self.y[chosen], self.split[chosen], self.group[chosen], self.kind[chosen], levels, self.failed)

    def part(self, *splits: str) -> Rows:
        """Select the rows of some splits."""
        return self.take(np.isin(self.split, splits))

    def without_blends(self) -> Rows:
        """Select the reals and the set's own fakes."""
        return self.take(self.kind != SELF_BLENDED)

    def blends(self) -> Rows:
        """Select the self-blends and the reals that they are made of."""
        made = self.group[self.kind == SELF_BLENDED]
        return self.take((self.kind == SELF_BLENDED) | ((self.y == 0) & np.isin(self.group, made)))

    def read(self, reading: Reading) -> np.ndarray:
        """Return a feature (n, width) float32."""
        levels = self.levels[reading.store]
        parts = [levels[:, l][:, list(reading.tokens)].astype(np.float32) for l in reading.levels]
        if reading.attends:
            middle, last = (torch.from_numpy(p) for p in parts)
            return cross_attention(middle, last).numpy()
        return np.concatenate([p.reshape(len(p), -1) for p in parts], axis=1)

    def count(self) -> dict[str, dict[str, int]]:
        """Count rows by kind and split."""
        names = np.where(self.y == 0, "real", self.kind)
        return {
            str(name): {s: int(((names == name) & (self.split == s)).sum()) for s in SPLITS}
            for name in np.unique(names)
        }


def load_rows(name: str, stores: Mapping[str, FeatureStore]) -> Rows:
    """Load the rows that every one of a set's stores holds, in the order of their ids.

    Args:
        name: the set.
        stores: its stores with levels, by variant.

    Raises:
        DataError: no row is in all of them, or one lacks reals or fakes.
    """
    kept = {v: s.features(level=0, face=0) for v, s in stores.items()}
    common = sorted(set.intersection(*(set(f.ids.tolist()) for f in kept.values())))
    if not common:
        raise DataError(
            f"expected pictures of {name} that all of {', '.join(stores)} could measure, but there are none"
        )
    first = kept[next(iter(stores))]
    first = first.take(np.flatnonzero(np.isin(first.ids, common)))
    levels = {v: _stacked(s, np.flatnonzero(np.isin(kept[v].ids, common))) for v, s in stores.items()}
    kinds = first.column("manipulation")
    kinds = np.where(first.y == 0, name, kinds)
    failed = _failed(next(iter(stores.values())))
    return Rows(first.y.astype(np.int64), first.column("split"), first.column("group"), kinds, levels, failed)


def _stacked(store: FeatureStore, index: np.ndarray) -> np.ndarray:
    """The levels (n, L+1, T, D) of some rows, as the store holds them. Raises StoreError when it keeps no levels."""
    layers, tokens, width = store.header.levels or (0, 0, 0)
    out = np.empty((len(index), layers, tokens, width), np.float16)
    for l in range(layers):
        rows = store.features(level=l, face=0).take(index).to_tensor()
        out[:, l] = rows.numpy().reshape(-1, tokens, width)
    return out


def _failed(store: FeatureStore) -> dict[str, int]:
    return {status: n for status, n in store.counts().items() if status != "ok"}


def join(parts: Sequence[Rows]) -> Rows:
    """Put rows of several sets below each other; groups of different sets are different."""
    shared = set.intersection(*(set(p.levels) for p in parts))
    levels = {v: np.concatenate([p.levels[v] for p in parts]) for v in shared}
    y, split, group, kind = (np.concatenate([getattr(p, c) for p in parts]) for c in ("y", "split", "group", "kind"))
    return Rows(y, split, group, kind, levels)
