"""Labelled rows with their features at several layers, each row in train, val or test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from corit.data.sample import Sample, Split
from corit.data.split import require_groups_apart, split_by_group
from corit.errors import DataError, StoreError
from corit.heads.rows import Rows, chunks

FINAL = -1  # the layer number of z, the feature that the method itself reads
PARTS: tuple[Split, ...] = ("train", "val", "test")


@dataclass(frozen=True)
class LayerFeatures:
    """Labelled rows with their features at several layers, the same rows in each.

    Attributes:
        name: of the store, in tables and figures.
        caption: world, backbone and model in one line.
        layers: layer number -> rows (n, D_l); `FINAL` for z.
        y: (n), 0 for real and 1 for fake.
        split: (n) train, val or test; empty for none.
        manipulation: (n), empty for reals.
        dataset: (n).
        group: (n), what may not be divided between splits: the source, which a fake shares with its real.

    Raises:
        DataError: when reals or fakes are missing.
    """

    name: str
    caption: str
    layers: Mapping[int, Rows] = field(repr=False)
    y: np.ndarray = field(repr=False)
    split: np.ndarray = field(repr=False)
    manipulation: np.ndarray = field(repr=False)
    dataset: np.ndarray = field(repr=False)
    group: np.ndarray = field(repr=False)

    def __post_init__(self) -> None:
        kinds = set(np.unique(self.y).tolist())
        if kinds != {0, 1}:
            raise DataError(
                f"{self.name}: expected reals (label 0) and fakes (label 1), got the labels {sorted(kinds)}; give both"
            )


def layer_name(layer: int) -> str:
    """Name a layer as tables show it: its number, or z."""
    return "z" if layer == FINAL else str(layer)


def headline(layers: Iterable[int]) -> int:
    """Return the layer whose results stand for a store: z if it is among the layers, else the last."""
    numbers = set(layers)
    return FINAL if FINAL in numbers else max(numbers)


def assign_splits(features: LayerFeatures) -> LayerFeatures:
    """Assign rows to the splits that are missing, group by group.

    Without any split, all rows are assigned (see `split_by_group`). Without val or test, these are taken from train.
    Where there are splits, a row without one stays outside of all of them.

    Raises:
        DataError: for an unknown split, without rows in train, and for a group in several splits.
    """
    unknown = sorted(set(features.split.tolist()) - {*PARTS, ""})
    if unknown:
        raise DataError(
            f"{features.name}: expected the splits {', '.join(PARTS)}, got {', '.join(unknown)}; rename them"
        )
    present = [p for p in PARTS if (features.split == p).any()]
    if present and "train" not in present:
        raise DataError(
            f"{features.name}: expected rows in train, got only {', '.join(present)}; name the splits otherwise"
        )
    missing = [p for p in PARTS if p not in present]
    samples = _samples(features)
    if not present or missing:
        chosen = np.flatnonzero(features.split == ("train" if present else ""))
        shares: dict[Split, float] = {**dict.fromkeys([p for p in ("test", "val") if p in missing], 0.2), "train": 0.6}
        assigned = split_by_group([replace(samples[i], split="") for i in chosen], shares=shares)
        split = features.split.astype("<U5")
        split[chosen] = [s.split for s in assigned]
        return replace(features, split=split)
    require_groups_apart([s for s in samples if s.split])
    return features


def _samples(features: LayerFeatures) -> list[Sample]:
    columns = (features.y.tolist(), features.split.tolist(), features.group.tolist())
    return [Sample(str(i), str(i), y, s, group=g) for i, (y, s, g) in enumerate(zip(*columns, strict=True))]


def require_layers(features: LayerFeatures, layers: Sequence[int]) -> None:
    """Check that features have all the layers.

    Raises:
        StoreError: for a missing layer.
    """
    missing = [l for l in layers if l not in features.layers]
    if missing:
        have = ", ".join(layer_name(l) for l in sorted(features.layers, key=lambda l: (l == FINAL, l)))
        raise StoreError(
            f"{features.name} has no layer {', '.join(map(layer_name, missing))}; it has {have}. Extract with --levels "
            "to keep every layer"
        )


def require_finite(features: LayerFeatures, layers: Sequence[int]) -> None:
    """Check that all features of the layers are finite.

    Raises:
        DataError: for NaN or infinity.
    """
    for layer in layers:
        bad = sum(int((~torch.isfinite(c).all(-1)).sum()) for c in chunks(features.layers[layer]))
        if bad:
            raise DataError(
                f"{features.name}: expected finite features, got NaN or infinity in {bad} of {len(features.y)} rows of "
                f"layer {layer_name(layer)}; extract them again or drop those rows"
            )


def default_layers(features: LayerFeatures) -> tuple[int, ...]:
    """Choose five layers spread evenly up to the last, as Table VII's 5, 10, 15, 20, 24 of 24, and z.

    z is left out where it equals the last layer.
    """
    numbers = sorted(l for l in features.layers if l > 0)
    if not numbers:
        return (FINAL,)
    last = numbers[-1]
    wanted = {min(l for l in numbers if l >= -(-k * last // 5)) for k in range(1, 6)}
    return (*sorted(wanted), *(() if _same(features.layers[FINAL], features.layers[last]) else (FINAL,)))


def _same(a: Rows, b: Rows) -> bool:
    """Whether two tables begin alike, up to half precision."""
    if a.width != b.width:
        return False
    first, second = (rows.gather(np.arange(min(len(rows), 64))) for rows in (a, b))
    return bool((first - second).abs().max() <= 1e-2 * first.abs().max())
