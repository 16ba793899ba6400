"""Reads the features to diagnose from feature-store folders and .npz files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from corit.diagnose.features import FINAL, LayerFeatures, assign_splits
from corit.diagnose.npz import read_npz
from corit.errors import DataError
from corit.features.store import FeatureStore
from corit.heads.rows import Rows


def read_stores(paths: Sequence[str | Path]) -> tuple[LayerFeatures, ...]:
    """Read feature stores and .npz files.

    Args:
        paths: folders that `corit extract --levels` wrote, and .npz files (see `read_npz`).

    Returns:
        The features of each path under a name of its own, every row in train, val or test (see `assign_splits`).

    Raises:
        DataError: for no path, the same path twice, and an .npz file that cannot be read.
        StoreError: for a folder that is no feature store.
    """
    if not paths:
        raise DataError("expected a feature store or an .npz file of features, got none; or give --demo")
    files = [Path(p) for p in paths]
    if len({f.resolve() for f in files}) < len(files):
        raise DataError(f"expected each store once, got {', '.join(map(str, files))}")
    short = [f.stem if f.suffix == ".npz" else f.resolve().name for f in files]
    names = short if len(set(short)) == len(short) else [str(f) for f in files]
    return tuple(assign_splits(_read(f, n)) for f, n in zip(files, names, strict=True))


def _read(path: Path, name: str) -> LayerFeatures:
    if path.suffix == ".npz":
        return read_npz(path, name)
    if not path.is_dir():
        raise DataError(f"expected a feature-store folder or an .npz file at {path}, but there is none; check the path")
    return _store(FeatureStore.open(path), name)


def _store(store: FeatureStore, name: str) -> LayerFeatures:
    """The labelled rows of a store that have features: z, and F_l of every layer that it keeps."""
    rows = store.features(label=(0, 1))
    numbers = range(store.header.levels[0]) if store.header.levels else range(0)
    layers: dict[int, Rows] = {l: store.features(level=l, label=(0, 1)) for l in numbers}
    recipe, sets = store.recipe, sorted(set(rows.column("dataset").tolist()) - {""})
    weights = recipe.backbone.weights[:12]
    model = f"{recipe.model.kind} features of {recipe.backbone.name}{f', weights {weights}' if weights else ''}"
    caption = f"{', '.join(sets) or store.path.name}; {model}"
    texts = {c: rows.column(c).astype(str) for c in ("split", "manipulation", "dataset", "group")}
    texts["group"] = np.where(texts["group"] == "", rows.ids.astype(str), texts["group"])
    return LayerFeatures(name, caption, {**layers, FINAL: rows}, rows.y.astype(np.int64), **texts)
