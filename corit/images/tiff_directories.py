"""Read the directories of a TIFF or BigTIFF file: one for each picture, with the values of its tags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">", b"II+\0": "<", b"MM\0+": ">"}  # by the first bytes; the last two: BigTIFF
WHOLE_NUMBERS = {1: 1, 3: 2, 4: 4, 7: 1, 13: 4, 16: 8, 18: 8}  # bytes of each type that holds whole numbers


@dataclass(frozen=True)
class Layout:
    """How a file stores numbers: in which byte order, and whether offsets are wide (BigTIFF)."""

    order: str
    big: bool

    @classmethod
    def of(cls, data: bytes) -> Layout:
        """Read the layout from the first four bytes of a file."""
        return cls("<" if data[:2] == b"II" else ">", data[2:4] in (b"\x2b\0", b"\0\x2b"))

    @property
    def first(self) -> int:
        """Where the offset of the first directory stands."""
        return 8 if self.big else 4

    @cached_property
    def wide(self) -> np.dtype:
        """The type of offsets and of counts of values."""
        return np.dtype(f"{self.order}u{8 if self.big else 4}")

    @cached_property
    def length(self) -> np.dtype:
        """The type of the number of entries in a directory."""
        return np.dtype(f"{self.order}u{8 if self.big else 2}")

    @cached_property
    def entry(self) -> np.dtype:
        """The type of an entry; its last field holds the values themselves where they fit, else their offset."""
        short = f"{self.order}u2"
        return np.dtype([("tag", short), ("type", short), ("count", self.wide), ("value", f"V{self.wide.itemsize}")])


@dataclass(frozen=True)
class Directory:
    """One picture of a file.

    Attributes:
        data: the bytes of the file.
        layout: how the file stores numbers.
        offset: where the directory starts.
        entries: the entry of each tag that holds whole numbers.
        after: the offset of the next directory, 0 behind the last one; None where the file ends before that number.
    """

    data: bytes
    layout: Layout
    offset: int
    entries: Mapping[int, np.void]
    after: int | None

    def values(self, tag: int) -> np.ndarray:
        """Read the values of a tag.

        Args:
            tag: one of `entries`.

        Returns:
            Whole numbers (n).

        Raises:
            ValueError: when the values lie beyond the end of the file.
        """
        entry = self.entries[tag]
        kind = np.dtype(f"{self.layout.order}u{WHOLE_NUMBERS[int(entry['type'])]}")
        count, field = int(entry["count"]), bytes(entry["value"])
        if count * kind.itemsize <= len(field):
            return np.frombuffer(field, kind, count)
        start = int(np.frombuffer(field, self.layout.wide)[0])
        if start + count * kind.itemsize > len(self.data):
            raise ValueError(f"tag {tag} reaches beyond the end of the file")
        return np.frombuffer(self.data, kind, count, start)


def directories(data: bytes, offset: int | None = None) -> Iterator[Directory]:
    """Follow the chain of directories.

    Args:
        data: the bytes of a TIFF file.
        offset: of the directory to start from; by default the first one of the file.

    Yields:
        Each directory once, also where the chain is a circle.

    Raises:
        ValueError: when a directory reaches beyond the end of the file.
    """
    layout, visited = Layout.of(data), set[int]()
    at = _number(data, layout.wide, layout.first) if offset is None else offset
    while at and at not in visited:
        visited.add(at)
        directory = _directory(data, layout, at, page=len(visited))
        yield directory
        at = directory.after or 0


def _directory(data: bytes, layout: Layout, at: int, page: int) -> Directory:
    count = _number(data, layout.length, at)
    start = at + layout.length.itemsize
    end = start + count * layout.entry.itemsize
    if end > len(data):
        raise ValueError(beyond_the_end(page))
    entries = np.frombuffer(data, layout.entry, count, start) if count else ()
    after = None if end + layout.wide.itemsize > len(data) else _number(data, layout.wide, end)
    return Directory(data, layout, at, {int(e["tag"]): e for e in entries if int(e["type"]) in WHOLE_NUMBERS}, after)


def beyond_the_end(page: int) -> str:
    """Say that the tags of a page, counted from 1, are cut off."""
    return f"the tags of page {page} reach beyond the end of the file"


def _number(data: bytes, kind: np.dtype, at: int) -> int:
    if at + kind.itemsize > len(data):
        raise ValueError("it has a page beyond the end of the file")
    return int(np.frombuffer(data, kind, 1, at)[0])
