"""Landmarks from files: JSON and NumPy, never pickles."""

from __future__ import annotations

import os
import posixpath
import struct
import tokenize
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from corit.data.text_files import read_json
from corit.errors import DataError, UnreadableError
from corit.files import open_regular, require_regular

# What NumPy raises for files that are damaged or that pretend to be large.
DAMAGED = (
    *(OSError, ValueError, EOFError, TypeError, KeyError, NotImplementedError, BadZipFile, zlib.error, struct.error),
    *(MemoryError, OverflowError, RecursionError, SyntaxError, tokenize.TokenError),
)


@dataclass(frozen=True)
class Landmarks:
    """Points (P, 2) float32 by picture, and which picture each entry is of.

    An entry's key is a path. It is that of the one picture that

    - has exactly this path: absolute, or relative to the folder of the landmarks' file; or as it was given;
    - or else has a path that ends with the key, in whole folders: `videoA/000.png` is `x/videoA/000.png` and never
      `x/videoB/000.png`. This counts only among the pictures of a run (see `among`) and where one of them alone has
      such a path, and never for a key that leads to another file from the folder of the landmarks' file. Of several
      keys the longest counts.

    Separators may be Windows', and `./` may come before. If an entry may mean two pictures, neither gets landmarks, and
    an error says so: a wrong face would give a confident wrong score.

    Attributes:
        points: of each entry.
        origin: the file they came from.
        wrong: what is wrong with entries that hold no points, in words by key.
        shared: keys that more than one picture of the run ends with; None while the run's pictures are not known.
    """

    points: Mapping[str, np.ndarray]
    origin: str = ""
    wrong: Mapping[str, str] = field(default_factory=dict)
    shared: frozenset[str] | None = None

    def among(self, paths: Iterable[str]) -> Landmarks:
        """Return the same landmarks for a run over some pictures, of which several may end with one key.

        Args:
            paths: of all pictures of the run, each once; they are not kept.
        """
        first: dict[str, str] = {}
        shared = set()
        for path in paths:
            whole = _absolute(path)
            for key in self._endings(whole):
                if first.setdefault(key, whole) != whole:
                    shared.add(key)
        return replace(self, shared=frozenset(shared))

    def find(self, path: str) -> np.ndarray | None:
        """Return the points (P, 2) float32 of a picture, or None where no entry is of it.

        Raises:
            UnreadableError: the entry is damaged, two entries are of the picture and differ, or an entry could be of
                another picture as well.
        """
        keys = self._exact(path) or self._ending(path)
        written = [k for key in keys for k in self._known[key]]
        for key in written:
            if key in self.wrong:
                raise UnreadableError(f"expected landmarks of {path}, but {self.wrong[key]}; correct the entry")
        if any(not np.array_equal(self.points[k], self.points[written[0]], equal_nan=True) for k in written):
            entries = " and ".join(map(repr, written))
            raise UnreadableError(f"expected one entry of {path} in {self.origin}, got {entries}; remove one")
        return self.points[written[0]] if written else None

    def _exact(self, path: str) -> tuple[str, ...]:
        """The plain keys whose whole path is the picture's."""
        placed = self._placed.get(_absolute(path), ())
        plain = _plain(path)
        as_given = plain in self._known and plain not in placed and self._target(plain, path) is not False
        return (*placed, plain) if as_given else placed

    def _ending(self, path: str) -> tuple[str, ...]:
        """The longest plain key that the picture's path ends with, if there is one."""
        for key in self._endings(_absolute(path)):
            target = self._target(key, path)
            if target is False:
                continue
            if target is None and (self.shared is None or key in self.shared):
                raise UnreadableError(
                    f"expected landmarks of {path} in {self.origin}, but the entry {key!r} is ambiguous: it could be "
                    "of another picture as well; write the picture's whole path, or its path from the file's folder"
                )
            return (key,)
        return ()

    def _endings(self, whole: str) -> Iterator[str]:
        """The plain keys that an absolute path ends with, longest first."""
        parts = whole.split("/")[-self._depth :] if self._depth else []
        return (key for n in range(len(parts)) if (key := "/".join(parts[n:])) in self._known)

    def _target(self, key: str, path: str) -> bool | None:
        """Whether a key leads from the folder of the landmarks' file to the picture; None where nothing is there."""
        target = os.path.join(self._folder, key)
        if not os.path.exists(target):
            return None
        return os.path.exists(path) and os.path.samefile(target, path)

    @cached_property
    def _folder(self) -> str:
        return os.path.dirname(os.path.abspath(self.origin)) if self.origin else os.getcwd()

    @cached_property
    def _known(self) -> Mapping[str, tuple[str, ...]]:
        """Plain key -> the keys that are written so."""
        keys: dict[str, tuple[str, ...]] = {}
        for key in (*self.points, *self.wrong):
            keys[_plain(key)] = (*keys.get(_plain(key), ()), key)
        return keys

    @cached_property
    def _placed(self) -> Mapping[str, tuple[str, ...]]:
        """Absolute path -> the plain keys that lead there from the folder of the landmarks' file."""
        keys: dict[str, tuple[str, ...]] = {}
        for key in self._known:
            where = _absolute(os.path.join(self._folder, key))
            keys[where] = (*keys.get(where, ()), key)
        return keys

    @cached_property
    def _depth(self) -> int:
        """The folders and the name of the longest key."""
        return max((k.count("/") + 1 for k in self._known), default=0)


def _plain(path: str) -> str:
    """A path in one notation: with / between folders, and ./a.png as a.png."""
    return posixpath.normpath(path.replace("\\", "/"))


def _absolute(path: str) -> str:
    return _plain(os.path.abspath(path))


def read_landmarks(path: str | Path) -> Landmarks:
    """Read a JSON object {picture: [[x, y], ...]} or an .npz with an array (P, 2) for each picture.

    An entry that holds no points is kept with the reason, so that its picture alone cannot be scored.

    Raises:
        DataError: the file is absent or damaged, or not one of its entries has the shape of points.
    """
    path = Path(path)
    expected = "landmarks in JSON or .npz"
    table = _arrays(path, expected) if path.suffix.lower() == ".npz" else read_json(path, expected, _once)
    if not isinstance(table, dict):
        raise DataError(f"expected {path} to hold an object {{picture: [[x, y], ...]}}, got a {type(table).__name__}")
    points: dict[str, np.ndarray] = {}
    wrong: dict[str, str] = {}
    for key, value in table.items():
        try:
            points[key] = _points(value, key, path)
        except DataError as err:
            wrong[key] = str(err)
    if wrong and not points:
        raise DataError(f"expected {expected} at {path}, but not one entry is any: {next(iter(wrong.values()))}")
    return Landmarks(points, str(path), wrong)


def _arrays(path: Path, expected: str) -> dict[str, Any]:
    """The arrays of an .npz file by name; in the place of a damaged one, NumPy's error."""
    try:
        require_regular(path)
        with np.load(path, allow_pickle=False) as data:
            return {k: _array(data, k) for k in data.files}
    except DAMAGED as err:
        raise DataError(f"expected {expected} at {path}, but it cannot be read: {err!r}") from err


def _array(data: Any, name: str) -> Any:
    try:
        return data[name]
    except DAMAGED as err:
        return repr(err)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; a name that comes twice with different values gets an error in words as its value."""
    entries: dict[str, Any] = {}
    for key, value in pairs:
        entries[key] = "two entries of this name" if key in entries and entries[key] != value else value
    return entries


def read_points(path: str | Path) -> np.ndarray:
    """Read the points (P, 2) float32 of one .npy file, as DeepfakeBench puts them beside frames. Raises DataError."""
    try:
        with open_regular(path) as file:
            points = np.lib.format.read_array(file, allow_pickle=False)
    except DAMAGED as err:
        raise DataError(f"expected landmarks in {path}, but it cannot be read: {err!r}") from err
    return _points(points, "points", Path(path))


def _points(value: object, key: str, path: Path) -> np.ndarray:
    """Points (P, 2) float32, which need be neither finite nor a face; see `require_face`."""
    try:
        with np.errstate(over="ignore"):
            points = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError, OverflowError) as err:
        raise DataError(f"expected points [[x, y], ...] for {key!r} in {path}, got {value!r:.60}") from err
    if points.ndim != 2 or points.shape[1] != 2:
        raise DataError(f"expected points (P, 2) for {key!r} in {path}, got an array {points.shape}")
    return points
