"""The directories of a TIFF file: which of its pictures is the one that is meant, and which files are raw."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from corit.errors import UnsupportedError

MAGIC = {b"II*\0": "<", b"MM\0*": ">", b"II+\0": "<", b"MM\0+": ">"}
EXPORT = "export it as JPEG, PNG or TIFF"
SUBFILE, OLD_SUBFILE, PHOTOMETRIC, CHILDREN, DNG_VERSION = 254, 255, 262, 330, 50706
SENSOR = (32803, 34892)  # photometric interpretations: a colour filter array, and linear raw
REDUCED, MASK = 1, 4  # bits of the subfile type
SIZES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
WANTED = frozenset((SUBFILE, OLD_SUBFILE, PHOTOMETRIC, CHILDREN, DNG_VERSION))
PAGES = 100_000  # more than any file has; a chain that is longer runs in a circle


@dataclass(frozen=True)
class Directory:
    """One picture of a file: where it is described, and the tags that say what it is."""

    offset: int
    tags: dict[int, tuple[int, ...]]

    @property
    def full(self) -> bool:
        """Whether it is a picture by itself, neither a smaller copy of another one nor its mask."""
        return not (self._first(SUBFILE) & (REDUCED | MASK)) and self._first(OLD_SUBFILE) != 2

    @property
    def raw(self) -> bool:
        """Whether it holds what a sensor measured."""
        return self._first(PHOTOMETRIC) in SENSOR or DNG_VERSION in self.tags

    def _first(self, tag: int) -> int:
        return next(iter(self.tags.get(tag, ())), 0)


def main_picture(data: bytes, name: str = "") -> tuple[bytes, str]:
    """The file with its first picture of full resolution in front, so that decoders take that one.

    Args:
        data: any file; what is no TIFF file comes back as it is.
        name: for messages.

    Returns:
        The bytes, and what is to be said of the other pages, or nothing.

    Raises:
        UnsupportedError: for a raw file of a camera that is a TIFF file; see `corit.images.unsupported` for the others.
    """
    order = MAGIC.get(data[:4])
    if order is None:
        return data, ""
    pages = list(_chain(data, order))
    inner = [d for p in pages for at in p.tags.get(CHILDREN, ()) for d in _chain(data, order, at, most=1)]
    if any(d.raw for d in (*pages, *inner)):
        kind = " (DNG)" if any(DNG_VERSION in p.tags for p in pages) else ""
        raise UnsupportedError(
            f"{name or 'the file'} is a raw picture of a camera{kind}, which is not supported; {EXPORT}"
        )
    full = [p for p in pages if p.full]
    first = next(iter(full or [d for d in inner if d.full] or pages), None)
    note = f"page 1 of {len(full)}: the other pages are not scored" if len(full) > 1 else ""
    return (data if first is None or first is pages[0] else _led_by(data, order, first.offset)), note


def describes_picture(data: bytes) -> bool:
    """Whether a file is a TIFF file that says what its pixels stand for, if not in a way that can be decoded."""
    order = MAGIC.get(data[:4])
    return order is not None and any(PHOTOMETRIC in d.tags for d in _chain(data, order))


def _big(data: bytes) -> bool:
    return b"+" in data[:4]


def _led_by(data: bytes, order: str, offset: int) -> bytes:
    """The file with another directory as its first."""
    if _big(data):
        return data[:8] + struct.pack(order + "Q", offset) + data[16:]
    return data[:4] + struct.pack(order + "I", offset) + data[8:]


def _chain(data: bytes, order: str, offset: int | None = None, most: int = PAGES) -> Iterator[Directory]:
    """The directories from one on, or all, as far as they can be read."""
    big, seen = _big(data), set[int]()
    try:
        if offset is None:
            (offset,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
        while offset and offset not in seen and len(seen) < most:
            seen.add(offset)
            tags, after = _directory(data, order, offset, big)
            yield Directory(offset, tags)
            offset = after
    except struct.error:  # the decoder says what is damaged
        return


def _directory(data: bytes, order: str, offset: int, big: bool) -> tuple[dict[int, tuple[int, ...]], int]:
    """The wanted tags of a directory, and where the next one is."""
    head, width, word = ("Q", 20, "Q") if big else ("H", 12, "I")
    (count,) = struct.unpack_from(order + head, data, offset)
    at, tags = offset + struct.calcsize(order + head), dict[int, tuple[int, ...]]()
    for entry in range(at, min(at + count * width, len(data)), width):
        tag, kind, values = struct.unpack_from(order + "HH" + word, data, entry)
        if tag in WANTED and kind in SIZES:
            tags[tag] = _values(data, order, entry + width - struct.calcsize(word), kind, min(values, PAGES), word)
    try:
        (after,) = struct.unpack_from(order + word, data, at + count * width)
    except struct.error:
        after = 0
    return tags, after


def _values(data: bytes, order: str, at: int, kind: int, count: int, word: str) -> tuple[int, ...]:
    form = f"{order}{count}{SIZES[kind]}"
    if struct.calcsize(form) > struct.calcsize(word):
        (at,) = struct.unpack_from(order + word, data, at)
    return struct.unpack_from(form, data, at)
