"""What can be diagnosed: labelled rows with their features at several layers, each row in train, val or test."""

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
class Measured:
    """Labelled rows with their features at several layers, the same rows in each.

    layers: layer -> rows (n, D_l), FINAL for z. y (n) in {0, 1}; split, manipulation, dataset, group (n) texts, the
    manipulation empty for reals. caption: world, backbone and model in a line.
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
    """A layer as tables show it: its number, or z."""
    return "z" if layer == FINAL else str(layer)


def headline(layers: Iterable[int]) -> int:
    """The layer that speaks for a store: z where it was measured, else the last."""
    found = set(layers)
    return FINAL if FINAL in found else max(found)


def dealt(found: Measured) -> Measured:
    """The same rows, all in train, val or test: parts that are missing are dealt from the rest, group by group.

    Without any split all rows are dealt (`split_by_group`). Without val or test, those are dealt from train. Rows in
    no split of a set that has splits are left out of train and test alike. Raises DataError where that cannot be.
    """
    unknown = sorted(set(found.split.tolist()) - {*PARTS, ""})
    if unknown:
        raise DataError(f"{found.name}: expected the splits {', '.join(PARTS)}, got {', '.join(unknown)}; rename them")
    present = [p for p in PARTS if (found.split == p).any()]
    if present and "train" not in present:
        raise DataError(
            f"{found.name}: expected rows in train, got only {', '.join(present)}; name the splits otherwise"
        )
    missing = [p for p in PARTS if p not in present]
    samples = _samples(found)
    if not present or missing:
        chosen = np.flatnonzero(found.split == ("train" if present else ""))
        shares: dict[Split, float] = {**dict.fromkeys([p for p in ("test", "val") if p in missing], 0.2), "train": 0.6}
        assigned = split_by_group([replace(samples[i], split="") for i in chosen], shares=shares)
        split = found.split.astype("<U5")
        split[chosen] = [s.split for s in assigned]
        return replace(found, split=split)
    require_groups_apart([s for s in samples if s.split])
    return found


def _samples(found: Measured) -> list[Sample]:
    columns = (found.y.tolist(), found.split.tolist(), found.group.tolist())
    return [Sample(str(i), str(i), y, s, group=g) for i, (y, s, g) in enumerate(zip(*columns, strict=True))]


def require_layers(found: Measured, layers: Sequence[int]) -> None:
    """Raise StoreError unless all the layers are there."""
    missing = [l for l in layers if l not in found.layers]
    if missing:
        have = ", ".join(layer_name(l) for l in sorted(found.layers, key=lambda l: (l == FINAL, l)))
        raise StoreError(
            f"{found.name} has no layer {', '.join(map(layer_name, missing))}; it has {have}. Extract with --levels to "
            "keep every layer"
        )


def require_finite(found: Measured, layers: Sequence[int]) -> None:
    """Raise DataError unless all features of the layers are finite."""
    for layer in layers:
        bad = sum(int((~torch.isfinite(c).all(-1)).sum()) for c in chunks(found.layers[layer]))
        if bad:
            raise DataError(
                f"{found.name}: expected finite features, got NaN or infinity in {bad} of {len(found.y)} rows of layer "
                f"{layer_name(layer)}; extract them again or drop those rows"
            )


def usual_layers(found: Measured) -> tuple[int, ...]:
    """Five layers spread evenly up to the last, as Table VII's 5, 10, 15, 20, 24 of 24, and z unless it is the last."""
    numbers = sorted(l for l in found.layers if l > 0)
    if not numbers:
        return (FINAL,)
    last = numbers[-1]
    wanted = {min(l for l in numbers if l >= -(-k * last // 5)) for k in range(1, 6)}
    return (*sorted(wanted), *(() if _same(found.layers[FINAL], found.layers[last]) else (FINAL,)))


def _same(a: Rows, b: Rows) -> bool:
    """Whether two tables begin alike, up to half precision."""
    if a.width != b.width:
        return False
    first, second = (rows.gather(np.arange(min(len(rows), 64))) for rows in (a, b))
    return bool((first - second).abs().max() <= 1e-2 * first.abs().max())
