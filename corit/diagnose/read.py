"""Paths -> what can be diagnosed: feature-store folders and .npz files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from corit.diagnose.measured import FINAL, Measured, dealt
from corit.diagnose.npz import arrays
from corit.errors import DataError
from corit.features.store import FeatureStore
from corit.heads.rows import Rows


def read(paths: Sequence[str | Path]) -> tuple[Measured, ...]:
    """The stores and .npz files at some paths, each with a name of its own, every row in train, val or test.

    Raises DataError or StoreError for what cannot be read, and DataError for the same path twice.
    """
    if not paths:
        raise DataError("expected a feature store or an .npz file of features, got none; or give --demo")
    files = [Path(p) for p in paths]
    if len({f.resolve() for f in files}) < len(files):
        raise DataError(f"expected each store once, got {', '.join(map(str, files))}")
    short = [f.stem if f.suffix == ".npz" else f.resolve().name for f in files]
    names = short if len(set(short)) == len(short) else [str(f) for f in files]
    return tuple(dealt(_read(f, n)) for f, n in zip(files, names, strict=True))


def _read(path: Path, name: str) -> Measured:
    if path.suffix == ".npz":
        return arrays(path, name)
    if not path.is_dir():
        raise DataError(f"expected a feature-store folder or an .npz file at {path}, but there is none; check the path")
    return _store(FeatureStore.open(path), name)


def _store(store: FeatureStore, name: str) -> Measured:
    """The measured, labelled rows of a store: z, and F_l of every layer that it keeps."""
    rows = store.features(label=(0, 1))
    kept = range(store.header.levels[0]) if store.header.levels else range(0)
    layers: dict[int, Rows] = {l: store.features(level=l, label=(0, 1)) for l in kept}
    recipe, sets = store.recipe, sorted(set(rows.column("dataset").tolist()) - {""})
    weights = recipe.backbone.weights[:12]
    model = f"{recipe.model.kind} features of {recipe.backbone.name}{f', weights {weights}' if weights else ''}"
    caption = f"{', '.join(sets) or store.path.name}; {model}"
    texts = {c: rows.column(c).astype(str) for c in ("split", "manipulation", "dataset", "group")}
    texts["group"] = np.where(texts["group"] == "", rows.ids.astype(str), texts["group"])
    return Measured(name, caption, {**layers, FINAL: rows}, rows.y.astype(np.int64), **texts)
