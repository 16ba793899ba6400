"""What a file is by its first bytes, whatever its name says: for names that say nothing."""

from __future__ import annotations

from typing import Literal

from corit.files import open_regular
from corit.images.video_container import is_video_file

Kind = Literal["picture", "video", ""]
HEAD = 32
# How pictures that can be read begin, as (offset, bytes).
PICTURES = (
    (0, b"\xff\xd8\xff"),  # JPEG
    (0, b"\x89PNG\r\n\x1a\n"),
    (0, b"GIF87a"),
    (0, b"GIF89a"),
    (8, b"WEBP"),
    (0, b"II*\0"),  # TIFF, and many cameras' raw files
    (0, b"MM\0*"),
    *((4, b"ftyp" + brand) for brand in (b"avif", b"avis", b"heic", b"heix", b"mif1")),
)
CANON = b"CR"  # at 8 of its raw files, which begin as TIFF
BITMAPS = frozenset((12, 40, 52, 56, 64, 108, 124))  # sizes of the header behind the first 14 bytes of a BMP file


def kind_of(path: str) -> Kind:
    """Whether a file begins as a picture or a video that can be read; empty for others, also for what cannot be opened.

    Only regular files are opened: a named pipe would be waited for. A GIF file is a picture.
    """
    head = _head(path)
    if _text(head):
        return ""
    return "picture" if _picture(head) else "video" if is_video_file(path) else ""


def is_gif(path: str) -> bool:
    """Whether a regular file begins as a GIF file."""
    return _head(path).startswith(b"GIF8")


def _head(path: str) -> bytes:
    """The first bytes of a regular file; none of what cannot be opened."""
    try:
        with open_regular(path) as file:
            return file.read(HEAD)
    except (OSError, ValueError):  # the second of names that no file can have
        return b""


def _picture(head: bytes) -> bool:
    bitmap = head.startswith(b"BM") and head[6:10] == bytes(4) and int.from_bytes(head[14:18], "little") in BITMAPS
    raw = head[:2] in (b"II", b"MM") and head[8:10] == CANON
    return bitmap or (not raw and any(head.startswith(magic, at) for at, magic in PICTURES))


def _text(head: bytes) -> bool:
    """Whether the beginning is plain text, in which the words of video containers may stand by chance."""
    return all(byte >= 32 or byte in b"\t\n\r\f" for byte in head[:16])
