"""Recognise videos by their first bytes, and files that end before their container does."""

from __future__ import annotations

import os
from typing import BinaryIO

from corit.errors import UnreadableError, UnsupportedError
from corit.files import open_regular
from corit.images.signatures import BRAND, container_of_head

READ = "MP4, MOV, AVI, Matroska, WebM, MPEG, WMV, FLV, Ogg or GIF"
TS_PACKETS = ((0, 188), (4, 192))  # offset of the sync byte and size; cameras and Blu-ray discs write the second
EMPTY = (b"free", b"skip")  # boxes without content, with which nothing is lost
SYNC = b"G"  # the sync byte of a transport stream's packet
HEAD = 200  # bytes that are read to recognise a file
ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
PACK = b"\x00\x00\x01\xba"


def is_video_file(path: str) -> bool:
    """Whether a file starts as videos do; False for files that cannot be read."""
    try:
        return bool(_container(_head(path)))
    except OSError:
        return False


def container_of(path: str, name: str) -> str:
    """Find the video decoder's name of a file's container.

    Args:
        path: of the file.
        name: the file's name, for messages.

    Returns:
        Such as "mov" or "matroska".

    Raises:
        UnreadableError: when the file is missing, empty, or cannot be opened.
        UnsupportedError: when the file is not a video.
    """
    try:
        head = _head(path)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as err:
        raise UnreadableError(f"expected a video file at {path}; there is none") from err
    except OSError as err:
        raise UnreadableError(f"{name} cannot be read: {err.strerror}") from err
    if not head:
        raise UnreadableError(f"{name} is empty")
    container = _container(head)
    if not container:
        raise UnsupportedError(f"expected a video ({READ}), but {name} is none of these, whatever its name says")
    return container


def _head(path: str) -> bytes:
    with open_regular(path) as file:
        return file.read(HEAD)


def _container(head: bytes) -> str:
    return "mpegts" if _packet_size(head) is not None else container_of_head(head)


def _packet_size(head: bytes) -> int | None:
    """The size of a transport stream's packets, by its first two; None for other files."""
    sizes = (size for at, size in TS_PACKETS if head[at : at + 1] == head[at + size : at + size + 1] == SYNC)
    return next(sizes, None)


def asf_seconds(path: str) -> float:
    """Read the seconds of an ASF (WMV) file from its header, which the decoder ignores in cut files; 0 without one."""
    with open_regular(path) as file:
        head = file.read(1 << 16)
    at = head.find(ASF_PROPERTIES)
    if at < 0 or at + 88 > len(head):
        return 0.0
    played, preroll = (int.from_bytes(head[at + k : at + k + 8], "little") for k in (64, 80))
    return max(0.0, played / 1e7 - preroll / 1e3)  # of 100 ns, and of 1 ms


def breaks_off(path: str) -> bool:
    """Whether a file ends in the middle of a packet or box: MPEG streams, transport streams, MP4."""
    with open_regular(path) as file:
        head = file.read(HEAD)
        size = file.seek(0, os.SEEK_END)
        if packet := _packet_size(head):
            return size % packet != 0
        if head.startswith(PACK):
            return _breaks_pack(file, size)
        return head[4:8] == BRAND and breaks_box(file, size)


def breaks_box(file: BinaryIO, size: int) -> bool:
    """Whether the last box of an MP4-like file, such as HEIC and AVIF, reaches beyond the file's size in bytes."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        head = file.read(16)
        length = int.from_bytes(head[:4])
        length = int.from_bytes(head[8:]) if length == 1 else length or size - at
        if length < 8:
            return False  # not a box: something was appended
        at += length
        if at > size:
            return head[4:8] not in EMPTY
    return at > size


def _breaks_pack(file: BinaryIO, size: int) -> bool:
    """Whether the packets behind the last pack header reach beyond the end of the file."""
    file.seek(max(0, size - (1 << 16)))
    tail = file.read()
    at = tail.rfind(PACK)
    if at < 0 or at + 14 > len(tail):
        return at >= 0
    at += 14 + (tail[at + 13] & 7) if tail[at + 4] >> 6 == 1 else 12  # MPEG-2, with stuffing, or MPEG-1
    while tail[at : at + 3] == b"\x00\x00\x01" and tail[at + 3 : at + 4] != b"\xb9":  # the end code has no length
        at += 6 + int.from_bytes(tail[at + 4 : at + 6])
    return at > len(tail)
