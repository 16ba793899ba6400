"""Whether a file is a picture or a video by its first bytes, for file names that do not tell."""

from __future__ import annotations

from typing import Literal

from corit.files import open_regular
from corit.images.signatures import starts_as_picture
from corit.images.video_container import is_video_file

MediaKind = Literal["picture", "video", ""]
HEAD = 32
CANON = b"CR"  # at 8 in Canon's raw files, which start as TIFF files do
BITMAPS = frozenset((12, 40, 52, 56, 64, 108, 124))  # sizes of a BMP file's second header, which starts at 14


def kind_of(path: str) -> MediaKind:
    """Tell pictures and videos by their first bytes.

    Args:
        path: of a file. Only regular files are opened, since reading a named pipe may never end.

    Returns:
        "picture" or "video" for files that can be read, GIF files are pictures; "" for all others, and for files that
        cannot be opened.
    """
    head = _head(path)
    if _text(head):
        return ""
    return "picture" if _picture(head) else "video" if is_video_file(path) else ""


def is_gif(path: str) -> bool:
    """Whether a regular file starts as a GIF file does."""
    return _head(path).startswith(b"GIF8")


def _head(path: str) -> bytes:
    """The first bytes of a regular file; empty where it cannot be opened."""
    try:
        with open_regular(path) as file:
            return file.read(HEAD)
    except (OSError, ValueError):  # ValueError for names that no file can have
        return b""


def _picture(head: bytes) -> bool:
    bitmap = head.startswith(b"BM") and head[6:10] == bytes(4) and int.from_bytes(head[14:18], "little") in BITMAPS
    raw = head[:2] in (b"II", b"MM") and head[8:10] == CANON
    return bitmap or (not raw and starts_as_picture(head))


def _text(head: bytes) -> bool:
    """Whether the first bytes are plain text, which may contain the words of video containers by chance."""
    return all(byte >= 32 or byte in b"\t\n\r\f" for byte in head[:16])
