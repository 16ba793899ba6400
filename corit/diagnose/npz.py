"""Reads features from an .npz file of the user's own, with an error message for each thing that is wrong."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from corit.diagnose.features import FINAL, LayerFeatures
from corit.errors import DataError
from corit.files import require_regular
from corit.heads.rows import Rows, TensorRows


def read_npz(path: Path, name: str) -> LayerFeatures:
    """Read labelled features from an .npz file.

    The file holds y (n) in {0, 1} and features: z (n, D), levels (n, L, D), or both. Optional arrays: split ("train",
    "val" or "test"), manipulation, dataset and group, texts (n); layers, the numbers (L) of the levels, by default 1 to
    L; caption, a line that says what the features are. Without z the last level takes its place.

    Args:
        path: the file.
        name: the name of the features in tables and figures.

    Raises:
        DataError: for a file of another content.
    """
    held = _load(path)
    y = _column(held, "y", path)
    n = len(y)
    if y.dtype.kind not in "iub" or not set(np.unique(y).tolist()) <= {0, 1}:
        raise DataError(f"{path}: expected y of integers, 0 for real and 1 for fake, got {np.unique(y).tolist()[:5]}")
    layers: dict[int, Rows] = {FINAL: _rows(held["z"], path, "z", n)} if "z" in held else {}
    layers |= _levels(held, path, n)
    if not layers:
        raise DataError(f"{path}: expected features z (n, D) or levels (n, L, D), got {', '.join(held)}; add one")
    layers.setdefault(FINAL, layers[max(layers)])
    texts = {k: _texts(held, k, n, path) for k in ("split", "manipulation", "dataset", "group")}
    group = np.where(texts["group"] == "", [f"row {i}" for i in range(n)], texts["group"])
    caption = str(held["caption"]) if "caption" in held else f"{path.name}, features of unknown origin"
    return LayerFeatures(name, caption, layers, y.astype(np.int64), **{**texts, "group": group})


def _load(path: Path) -> dict[str, np.ndarray]:
    try:
        require_regular(path)
        with np.load(path, allow_pickle=False) as held:
            return {k: held[k] for k in held.files}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as err:
        raise DataError(
            f"expected an .npz file of plain arrays at {path}: {err}. Write it with numpy.savez, texts as fixed-width "
            "arrays, not objects"
        ) from err


def _column(held: Mapping[str, np.ndarray], name: str, path: Path) -> np.ndarray:
    if name not in held or held[name].ndim != 1 or len(held[name]) == 0:
        actual = f"{name} of shape {held[name].shape}" if name in held else f"only {', '.join(held) or 'nothing'}"
        raise DataError(f"{path}: expected an array {name} (n), got {actual}")
    return held[name]


def _texts(held: Mapping[str, np.ndarray], name: str, n: int, path: Path) -> np.ndarray:
    if name not in held:
        return np.full(n, "")
    values = _column(held, name, path)
    if len(values) != n:
        raise DataError(f"{path}: expected {name} for each of {n} rows, got {len(values)}")
    return values.astype(str)


def _levels(held: Mapping[str, np.ndarray], path: Path, n: int) -> dict[int, Rows]:
    """Layers 1 to L of `levels`, or numbered as the array `layers` says."""
    if "levels" not in held:
        return {}
    values = held["levels"]
    if values.ndim != 3:
        raise DataError(f"{path}: expected levels (n, L, D), got {values.shape}")
    numbers = [int(l) for l in held["layers"]] if "layers" in held else list(range(1, values.shape[1] + 1))
    if len(numbers) != values.shape[1] or len(set(numbers)) < len(numbers) or min(numbers, default=0) < 0:
        raise DataError(f"{path}: expected a number from 0 for each of {values.shape[1]} levels, got layers {numbers}")
    return {l: _rows(values[:, k], path, f"levels[:, {k}]", n) for k, l in enumerate(numbers)}


def _rows(values: np.ndarray, path: Path, name: str, n: int) -> TensorRows:
    if values.ndim != 2 or values.dtype.kind != "f" or len(values) != n:
        raise DataError(
            f"{path}: expected {name} ({n}, D) of floats, a row for each y; got {values.shape}, {values.dtype}"
        )
    bad = int((~np.isfinite(values).all(1)).sum())
    if bad:
        raise DataError(
            f"{path}: expected finite features, got NaN or infinity in {bad} of {n} rows of {name}; drop those rows"
        )
    dtype = np.float32 if values.dtype.itemsize <= 4 else np.float64  # float32 may not hold its values, large or small
    return TensorRows(torch.from_numpy(np.ascontiguousarray(values, dtype=dtype)))
