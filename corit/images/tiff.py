"""Which picture of a TIFF file is the one to score, and which files are raw."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from corit.errors import UnsupportedError
from corit.images.tiff_directories import BYTE_ORDERS, Layout, directories

EXPORT = "export it as JPEG, PNG or TIFF"
SUBFILE, OLD_SUBFILE, PHOTOMETRIC, CHILDREN, DNG_VERSION = 254, 255, 262, 330, 50706
SENSOR = (32803, 34892)  # photometric interpretations: a colour filter array, and linear raw
REDUCED, MASK = 1, 4  # bits of the subfile type
TAGS = (SUBFILE, OLD_SUBFILE, PHOTOMETRIC, CHILDREN, DNG_VERSION)
MAX_PAGES = 100_000  # more than any file has


@dataclass(frozen=True)
class Page:
    """One picture of a file.

    Attributes:
        offset: where its directory starts.
        tags: the values of each of TAGS that the directory has.
    """

    offset: int
    tags: dict[int, tuple[int, ...]]

    @property
    def full(self) -> bool:
        """Whether it is a picture by itself, neither a smaller copy of another one nor its mask."""
        return not (self._first(SUBFILE) & (REDUCED | MASK)) and self._first(OLD_SUBFILE) != 2

    @property
    def raw(self) -> bool:
        """Whether it holds what a camera's sensor measured."""
        return self._first(PHOTOMETRIC) in SENSOR or DNG_VERSION in self.tags

    def _first(self, tag: int) -> int:
        return next(iter(self.tags.get(tag, ())), 0)


def main_picture(data: bytes, name: str = "") -> tuple[bytes, str]:
    """Put the first picture of full resolution in front, so that decoders read that one.

    Args:
        data: the bytes of any file; other files than TIFF come back as they are.
        name: the file's name, for messages.

    Returns:
        The bytes, and a note on the other pages, "" where there are none.

    Raises:
        UnsupportedError: when the file is a camera's raw file; see `corit.images.unsupported` for raw files that are
            not TIFF files.
    """
    if data[:4] not in BYTE_ORDERS:
        return data, ""
    pages = list(_pages(data))
    children = [p for page in pages for at in page.tags.get(CHILDREN, ()) for p in islice(_pages(data, at), 1)]
    if any(p.raw for p in (*pages, *children)):
        kind = " (DNG)" if any(DNG_VERSION in p.tags for p in pages) else ""
        raise UnsupportedError(
            f"{name or 'the file'} is a raw picture of a camera{kind}, which is not supported; {EXPORT}"
        )
    full = [p for p in pages if p.full]
    first = next(iter(full or [p for p in children if p.full] or pages), None)
    note = f"page 1 of {len(full)}: the other pages are not scored" if len(full) > 1 else ""
    return (data if first is None or first is pages[0] else _with_first_page(data, first.offset)), note


def describes_picture(data: bytes) -> bool:
    """Whether a file is a TIFF file that says what its pixels stand for, even if no decoder knows the way it does."""
    return data[:4] in BYTE_ORDERS and any(PHOTOMETRIC in p.tags for p in _pages(data))


def _with_first_page(data: bytes, offset: int) -> bytes:
    """The file with another directory as its first one."""
    layout = Layout.of(data)
    link = struct.pack(layout.order + ("Q" if layout.big else "I"), offset)
    return data[: layout.first] + link + data[layout.first + len(link) :]


def _pages(data: bytes, offset: int | None = None) -> Iterator[Page]:
    """The pages from a directory on, or all, as far as they can be read; damage is the decoder's to report."""
    try:
        for d in islice(directories(data, offset), MAX_PAGES):
            yield Page(d.offset, {t: tuple(d.values(t)[:MAX_PAGES].tolist()) for t in TAGS if t in d.entries})
    except ValueError:
        return
