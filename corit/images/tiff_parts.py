"""Whether a TIFF file holds all the parts of its pages, and those of the first page are whole."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from corit.images.jpeg import decode_jpeg

# Tags, and the values of the compression's.
COMPRESSION, SAMPLES, JPEG_TABLES = 259, 277, 347
WIDTH, LENGTH, BITS, TILE = 256, 257, 258, (322, 323)
PIECE = 1 << 20
PARTS = ((273, 279), (324, 325))  # offsets and lengths of strips, and of tiles
JPEG, DEFLATE = 7, (8, 32946)
WIDTHS = {1: 1, 3: 2, 4: 4, 7: 1, 13: 4, 16: 8, 18: 8}  # bytes of each type of whole numbers


@dataclass(frozen=True)
class _Layout:
    """How numbers are stored: TIFF, or BigTIFF with wide offsets, in one order of bytes or the other."""

    order: str
    big: bool

    @classmethod
    def of(cls, data: bytes) -> _Layout:
        order = "<" if data[:2] == b"II" else ">"
        return cls(order, data[2:4] in (b"\x2b\0", b"\0\x2b"))

    @property
    def first(self) -> int:
        """Where the offset of the first directory is."""
        return 8 if self.big else 4

    @cached_property
    def wide(self) -> np.dtype:
        """Of offsets and counts of values."""
        return np.dtype(f"{self.order}u{8 if self.big else 4}")

    @cached_property
    def length(self) -> np.dtype:
        """Of the number of a directory's entries."""
        return np.dtype(f"{self.order}u{8 if self.big else 2}")

    @cached_property
    def entry(self) -> np.dtype:
        """Of an entry, whose value is its own place where it is short."""
        short = f"{self.order}u2"
        return np.dtype([("tag", short), ("type", short), ("count", self.wide), ("value", f"V{self.wide.itemsize}")])


def require_whole_tiff(data: bytes) -> None:
    """Raise an error for a TIFF file that ends before its last page does, or whose first page is damaged.

    Parts that are compressed by Deflate have a checksum, and those that are JPEG a strict decoder; damage of others is
    known only where their decoder stumbles over it.

    Args:
        data: the file.

    Raises:
        ValueError: with words on what is wrong.
    """
    for page, tags in enumerate(_directories(data), start=1):
        parts = list(_parts(tags))
        if any(start + size > len(data) for start, size in parts):
            raise ValueError(f"page {page} reaches beyond the end of the file")
        if page == 1:
            for start, size in parts:
                _require_part(data[start : start + size], tags)


def _directories(data: bytes) -> Iterator[Mapping[int, np.ndarray]]:
    """The values of the tags of each page that are whole numbers."""
    layout, seen = _Layout.of(data), set[int]()
    at = _number(data, layout.wide, layout.first)
    while at and at not in seen:
        seen.add(at)
        count = _number(data, layout.length, at)
        start = at + layout.length.itemsize
        end = start + count * layout.entry.itemsize
        if end + layout.wide.itemsize > len(data):
            raise ValueError(f"the tags of page {len(seen)} reach beyond the end of the file")
        entries = np.frombuffer(data, layout.entry, count, start)
        yield {int(e["tag"]): _values(data, layout, e) for e in entries if int(e["type"]) in WIDTHS}
        at = _number(data, layout.wide, end)


def _number(data: bytes, kind: np.dtype, at: int) -> int:
    if at + kind.itemsize > len(data):
        raise ValueError("it has a page beyond the end of the file")
    return int(np.frombuffer(data, kind, 1, at)[0])


def _values(data: bytes, layout: _Layout, entry: np.void) -> np.ndarray:
    kind = np.dtype(f"{layout.order}u{WIDTHS[int(entry['type'])]}")
    count = int(entry["count"])
    held = bytes(entry["value"])
    if count * kind.itemsize <= len(held):
        return np.frombuffer(held, kind, count)
    start = int(np.frombuffer(held, layout.wide)[0])
    if start + count * kind.itemsize > len(data):
        raise ValueError(f"tag {int(entry['tag'])} reaches beyond the end of the file")
    return np.frombuffer(data, kind, count, start)


def _parts(tags: Mapping[int, np.ndarray]) -> Iterator[tuple[int, int]]:
    """Where each strip and tile starts, and its length; none of pages that do not say so."""
    for offsets, lengths in PARTS:
        if offsets in tags and lengths in tags:
            yield from zip(tags[offsets].tolist(), tags[lengths].tolist(), strict=False)


def _require_part(part: bytes, tags: Mapping[int, np.ndarray]) -> None:
    compression = tags[COMPRESSION][0] if COMPRESSION in tags else 1
    if part and compression in DEFLATE:
        _require_deflated(part, _most(tags))
    if part and compression == JPEG:
        tables = tags[JPEG_TABLES].tobytes() if JPEG_TABLES in tags else b""
        _require_jpeg(tables[:-2] + part[2:] if tables else part, tags)


def _require_deflated(part: bytes, most: int) -> None:
    """Raise ValueError unless a part unpacks to its checksum; in pieces, as a small one may unpack to gigabytes."""
    unpacked, total = zlib.decompressobj(), 0
    while not unpacked.eof:
        made = len(unpacked.decompress(part, PIECE))
        part, total = unpacked.unconsumed_tail, total + made
        if total > most:
            raise ValueError("a part of it unpacks to more than its picture holds")
        if not made and not part and not unpacked.eof:
            raise ValueError("a part of it ends before its data do")


def _most(tags: Mapping[int, np.ndarray]) -> int:
    """More bytes than a strip or a tile of a page can hold."""
    width, height, samples = (int(tags[t][0]) if t in tags else 1 for t in (WIDTH, LENGTH, SAMPLES))
    tile = [int(tags[t][0]) if t in tags else 0 for t in TILE]
    bits = int(max(tags[BITS])) if BITS in tags and len(tags[BITS]) else 1
    pixels = max(width, tile[0]) * max(height, tile[1])
    return pixels * samples * max(8, bits) // 8 + PIECE


def _require_jpeg(data: bytes, tags: Mapping[int, np.ndarray]) -> None:
    channels = int(tags[SAMPLES][0]) if SAMPLES in tags else 1
    if channels in (1, 3, 4):
        decode_jpeg(data, channels)
