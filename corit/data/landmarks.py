"""Landmarks that somebody already found: JSON and NumPy files, never pickles."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from corit.errors import DataError


@dataclass(frozen=True)
class Landmarks:
    """Points (P, 2) float32 by picture; `origin` is the file they came from."""

    points: Mapping[str, np.ndarray]
    origin: str = ""

    def find(self, path: str) -> np.ndarray | None:
        """The points of a picture: by its path as given, relative to the landmarks' file, or by its name if unique."""
        beside = os.path.relpath(path, os.path.dirname(self.origin) or ".").replace(os.sep, "/")
        for key in (path, path.replace(os.sep, "/"), beside):
            if key in self.points:
                return self.points[key]
        named = self._by_name.get(os.path.basename(path))
        return self.points[named] if named else None

    @cached_property
    def _by_name(self) -> dict[str, str]:
        """File name -> key; empty where two keys share the name, since guessing would mix up faces."""
        found: dict[str, str] = {}
        for key in self.points:
            name = key.replace("\\", "/").rsplit("/", 1)[-1]
            found[name] = "" if name in found else key
        return found


def read_landmarks(path: str | Path) -> Landmarks:
    """Read a JSON object {picture: [[x, y], ...]} or an .npz with an array (P, 2) for each picture.

    Raises DataError when the file is absent, damaged, or holds other shapes.
    """
    path = Path(path)
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as data:
                table = {k: data[k] for k in data.files}
        else:
            table = json.loads(path.read_text())
    except (OSError, ValueError) as err:
        raise DataError(f"expected landmarks in JSON or .npz at {path}, but it cannot be read: {err}") from err
    if not isinstance(table, dict):
        raise DataError(f"expected {path} to hold an object {{picture: [[x, y], ...]}}, got a {type(table).__name__}")
    return Landmarks({str(k): _points(v, k, path) for k, v in table.items()}, str(path))


def read_points(path: str | Path) -> np.ndarray:
    """The points (P, 2) float32 of one .npy file, as DeepfakeBench lays them beside frames. Raises DataError."""
    try:
        return _points(np.load(path, allow_pickle=False), "points", Path(path))
    except (OSError, ValueError, EOFError) as err:
        raise DataError(f"expected landmarks in {path}, but it cannot be read: {err}") from err


def _points(value: object, key: str, path: Path) -> np.ndarray:
    try:
        points = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError) as err:
        raise DataError(f"expected points [[x, y], ...] for {key!r} in {path}, got {value!r:.60}") from err
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise DataError(f"expected finite points (P, 2) for {key!r} in {path}, got an array {points.shape}")
    return points
