"""Check that a TIFF file holds all strips and tiles of its pages, and that those of the first page are whole."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping

import numpy as np

from corit.images.jpeg import decode_jpeg
from corit.images.tiff_directories import beyond_the_end, directories

# Tags, and values of the tag COMPRESSION.
COMPRESSION, SAMPLES, JPEG_TABLES = 259, 277, 347
WIDTH, LENGTH, BITS, TILE = 256, 257, 258, (322, 323)
PIECE = 1 << 20  # bytes that are unpacked at a time
PARTS = ((273, 279), (324, 325))  # offsets and lengths of strips, and of tiles
JPEG, DEFLATE = 7, (8, 32946)


def require_whole_tiff(data: bytes) -> None:
    """Refuse a TIFF file that is cut short, or whose first page is damaged.

    Strips and tiles that are compressed by Deflate have a checksum, and those that are JPEG have a strict decoder.
    Damage of others is known only where their decoder fails.

    Args:
        data: the bytes of the file.

    Raises:
        ValueError: when the file is cut short or damaged; the message says where.
    """
    for page, directory in enumerate(directories(data), start=1):
        if directory.after is None:
            raise ValueError(beyond_the_end(page))
        tags = {tag: directory.values(tag) for tag in directory.entries}
        parts = list(_parts(tags))
        if any(start + size > len(data) for start, size in parts):
            raise ValueError(f"page {page} reaches beyond the end of the file")
        if page == 1:
            for start, size in parts:
                _require_part(data[start : start + size], tags)


def _parts(tags: Mapping[int, np.ndarray]) -> Iterator[tuple[int, int]]:
    """Where each strip and tile starts, and its length; nothing for pages that do not say so."""
    for offsets, lengths in PARTS:
        if offsets in tags and lengths in tags:
            yield from zip(tags[offsets].tolist(), tags[lengths].tolist(), strict=False)


def _require_part(part: bytes, tags: Mapping[int, np.ndarray]) -> None:
    compression = tags[COMPRESSION][0] if COMPRESSION in tags else 1
    if part and compression in DEFLATE:
        _require_deflated(part, _max_bytes(tags))
    if part and compression == JPEG:
        tables = tags[JPEG_TABLES].tobytes() if JPEG_TABLES in tags else b""
        _require_jpeg(tables[:-2] + part[2:] if tables else part, tags)


def _require_deflated(part: bytes, limit: int) -> None:
    """Check the checksum of a part, piece by piece, since a small part may unpack to gigabytes."""
    unpacked, total = zlib.decompressobj(), 0
    while not unpacked.eof:
        length = len(unpacked.decompress(part, PIECE))
        part, total = unpacked.unconsumed_tail, total + length
        if total > limit:
            raise ValueError("a part of it unpacks to more than its picture holds")
        if not length and not part and not unpacked.eof:
            raise ValueError("a part of it ends before its data do")


def _max_bytes(tags: Mapping[int, np.ndarray]) -> int:
    """A limit that no strip or tile of a page reaches."""
    width, height, samples = (int(tags[t][0]) if t in tags else 1 for t in (WIDTH, LENGTH, SAMPLES))
    tile = [int(tags[t][0]) if t in tags else 0 for t in TILE]
    bits = int(max(tags[BITS])) if BITS in tags and len(tags[BITS]) else 1
    pixels = max(width, tile[0]) * max(height, tile[1])
    return pixels * samples * max(8, bits) // 8 + PIECE


def _require_jpeg(data: bytes, tags: Mapping[int, np.ndarray]) -> None:
    channels = int(tags[SAMPLES][0]) if SAMPLES in tags else 1
    if channels in (1, 3, 4):
        decode_jpeg(data, channels)
