"""Landmarks that somebody already found: JSON and NumPy files, never pickles."""

from __future__ import annotations

import os
import struct
import tokenize
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from corit.data.lists import read_json
from corit.errors import DataError, UnreadableError
from corit.regular import open_regular, require_regular

OUTLINE = 60  # the fewest points that can say where a face ends
SPAN = 4  # pixels: the least width and height of a face; files of frames in which none was found hold zeros
# What NumPy raises of files that are damaged, or made to look large.
DAMAGED = (
    *(OSError, ValueError, EOFError, TypeError, KeyError, NotImplementedError, BadZipFile, zlib.error, struct.error),
    *(MemoryError, OverflowError, RecursionError, SyntaxError, tokenize.TokenError),
)


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
    table = _arrays(path) if path.suffix == ".npz" else read_json(path, "landmarks in JSON or .npz")
    if not isinstance(table, dict):
        raise DataError(f"expected {path} to hold an object {{picture: [[x, y], ...]}}, got a {type(table).__name__}")
    return Landmarks({str(k): _points(v, k, path) for k, v in table.items()}, str(path))


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        require_regular(path)
        with np.load(path, allow_pickle=False) as data:
            return {k: data[k] for k in data.files}
    except DAMAGED as err:
        raise DataError(f"expected landmarks in JSON or .npz at {path}, but it cannot be read: {err!r}") from err


def read_points(path: str | Path) -> np.ndarray:
    """The points (P, 2) float32 of one .npy file, as DeepfakeBench lays them beside frames. Raises DataError."""
    try:
        with open_regular(path) as file:
            found = np.lib.format.read_array(file, allow_pickle=False)
    except DAMAGED as err:
        raise DataError(f"expected landmarks in {path}, but it cannot be read: {err!r}") from err
    return _points(found, "points", Path(path))


def require_face(points: np.ndarray, size: tuple[int, ...], where: str) -> None:
    """Raise UnreadableError for points (P, 2) that outline no face of a picture: too few, in one place, or outside."""
    height, width = size
    inside = ((points >= 0) & (points <= (width, height))).all(1)
    if len(points) >= OUTLINE and np.ptp(points, axis=0).min() >= SPAN and inside.mean() >= 0.5:
        return
    raise UnreadableError(
        f"expected at least {OUTLINE} points of a face in {width} x {height} pixels at {where}, got {len(points)}, "
        f"{int(inside.sum())} of them inside; prepare the video again"
    )


def _points(value: object, key: str, path: Path) -> np.ndarray:
    try:
        points = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError, OverflowError) as err:
        raise DataError(f"expected points [[x, y], ...] for {key!r} in {path}, got {value!r:.60}") from err
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise DataError(f"expected finite points (P, 2) for {key!r} in {path}, got an array {points.shape}")
    return points
