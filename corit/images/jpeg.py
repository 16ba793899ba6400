"""Decode JPEG files so that damage is an error.

libjpeg goes on after damage and makes up pixels; it only warns, and Pillow drops its warnings. The strict decoder of
simplejpeg is the same library, gives the same pixels, and raises the first warning. Each of libjpeg's warnings either
means that pixels or colours are made up, or it does not:

| warning | what it means here |
|---|---|
| premature end of data segment, Premature end of JPEG file | blocks are missing: damage |
| bad Huffman code, bad arithmetic code | blocks are misread: damage |
| found marker ... instead of RST... | a part between restart markers is lost: damage |
| Inconsistent progression sequence | a scan is lost: damage |
| Unknown Adobe color transform code | the colours are guessed: damage |
| ... extraneous bytes before marker ... | blocks are misread, or a segment is; harmless if zeros pad the last scan |
| Invalid SOS parameters for sequential JPEG | harmless: such frames do not use them (some phones write zeros) |
| unknown JFIF revision number | harmless: the decoder reads all revisions alike |
| bad ICC marker | harmless for the pixels: the profile is dropped, as viewers do |

Only the first warning has words, so a harmless one is mended in the bytes, and these are decoded again. Scans that are
missing before the end marker bring no warning: they are looked for in the headers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import simplejpeg

MARKER = re.compile(rb"\xff([\xc0-\xcf\xd8-\xfe])")  # not the stuffed zeros and restart markers of coded data
SOS, EOI, APP0, APP2 = 0xDA, 0xD9, 0xE0, 0xE2
HUFFMAN = frozenset((0xC0, 0xC1))  # frames in one pass
PROGRESSIVE = frozenset((0xC2, 0xCA))
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
ALL = (1 << 64) - 1  # a bit for each of a block's coefficients
UNKNOWN_SAMPLING = "Could not determine subsampling"


class _Segment(NamedTuple):
    """A segment with a header: its marker's code, and where its contents start and end in the file."""

    code: int
    start: int
    end: int


def decode_jpeg(data: bytes, channels: int) -> np.ndarray | None:
    """Decode the first picture of a JPEG file.

    Args:
        data: the file; what follows the end marker is not looked at.
        channels: 1 for grey, 3 for RGB, 4 for CMYK as it is stored.

    Returns:
        Pixels (H, W, channels) uint8, or None where the strict decoder does not know how the colours are sampled (such
        as 3x1), so that nobody can say whether the file is whole.

    Raises:
        ValueError: the data are damaged or cut short; the words are the decoder's.
    """
    colours = {1: "GRAY", 3: "RGB", 4: "CMYK"}[channels]
    pixels = _strict(data, colours)
    if pixels is not None and (lacking := _lacking(data)):
        raise ValueError(f"premature end of the file: {lacking}")
    return pixels


def _strict(data: bytes, colours: str) -> np.ndarray | None:
    for _ in range(len(HARMLESS) + 1):  # each at most once
        try:
            pixels: np.ndarray = simplejpeg.decode_jpeg(data, colours, strict=True)
            return pixels
        except ValueError as err:
            words = str(err)
            if UNKNOWN_SAMPLING in words:
                return None
            mend = next((m for start, m in HARMLESS.items() if start in words), None)
            mended = data if mend is None else mend(data, words)
            if mended == data:
                raise
            data = mended
    raise AssertionError("the last round returns or raises")


def _segments(data: bytes) -> Iterator[_Segment]:
    """The segments of the first picture, up to its end marker."""
    at = 2
    while match := MARKER.search(data, at):
        marker = match.end()
        code = data[marker - 1]
        if code == EOI:
            return
        at = max(marker + 2, marker + int.from_bytes(data[marker : marker + 2]))
        yield _Segment(code, marker + 2, at)


def _lacking(data: bytes) -> str:
    """What of the picture no scan brings, in words; empty where the scans bring all of it."""
    left: dict[int, int] = {}  # for each component a bit for each coefficient that is not yet exact
    progressive = False
    for code, start, end in _segments(data):
        if code in FRAMES:
            progressive = code in PROGRESSIVE
            left = dict.fromkeys(data[start + 6 : end : 3], ALL)
        elif code == SOS:
            first, last, bits = data[end - 3 : end]
            brought = (2 << last) - (1 << first) if progressive else ALL
            for component in data[start + 1 : end - 3 : 2]:
                left[component] &= ~(0 if progressive and bits & 15 else brought)
            if not any(left.values()):
                return ""
    return f"scans of {sum(map(bool, left.values()))} of {len(left)} colour components are missing"


def _with_usual_scan(data: bytes, _: str) -> bytes:
    """A sequential picture whose scan headers say that they hold all coefficients."""
    repaired, sequential = bytearray(data), False
    for s in _segments(data):
        if s.code in FRAMES:
            sequential = s.code not in PROGRESSIVE
        elif s.code == SOS and sequential:
            repaired[s.end - 3 : s.end] = b"\x00\x3f\x00"
    return bytes(repaired)


def _with_known_revision(data: bytes, _: str) -> bytes:
    repaired = bytearray(data)
    for s in _segments(data):
        if s.code == APP0 and data[s.start : s.end].startswith(b"JFIF\0"):
            repaired[s.start + 5] = 1
    return bytes(repaired)


def _without_profile(data: bytes, _: str) -> bytes:
    repaired = bytearray(data)
    for s in _segments(data):
        if s.code == APP2 and data[s.start : s.end].startswith(b"ICC_PROFILE\0"):
            repaired[s.start] = ord("-")
    return bytes(repaired)


def _without_padding(data: bytes, words: str) -> bytes:
    """The file without zeros before its end marker.

    Where zeros lie over a part of the picture, it ends too early without them, which is an error of its own. An
    arithmetic decoder reads an early end as zeros and reports no error: such a file keeps its zeros.
    """
    segments = list(_segments(data))
    if not words.endswith("before marker 0xd9") or not any(s.code in HUFFMAN for s in segments):
        return data
    end = data.find(b"\xff\xd9", segments[-1].end)
    return data[:end].rstrip(b"\0") + data[end:]


HARMLESS: dict[str, Callable[[bytes, str], bytes]] = {
    "Invalid SOS parameters": _with_usual_scan,
    "unknown JFIF revision": _with_known_revision,
    "bad ICC marker": _without_profile,
    "extraneous bytes": _without_padding,
}
