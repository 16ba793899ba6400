"""Decode the chosen frames of a video file in one pass, and say so when the file ends before its time."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from corit.errors import UnreadableError, UnsupportedError
from corit.images.choice import Choice, choose

# What containers start with, as (offset, bytes). Nothing else reaches the decoder: it would also follow playlists,
# which name other files and hosts, and would take a picture for a video of one frame.
CONTAINERS = (
    *((4, kind) for kind in (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")),
    (8, b"AVI "),
    (0, b"\x1aE\xdf\xa3"),  # Matroska, WebM
    (0, b"\x00\x00\x01\xba"),  # MPEG program stream
    (0, b"\x00\x00\x01\xb3"),  # MPEG video
    (0, b"\x30\x26\xb2\x75"),  # ASF, WMV
    (0, b"FLV"),
    (0, b"OggS"),
    (0, b"GIF8"),
    (0, b"G"),  # MPEG transport stream: its sync byte, checked once more a packet later
)
TS_PACKET = 188


@dataclass(frozen=True)
class Frame:
    """One decoded frame: its index in the video, its time in seconds from the start, pixels (H, W, 3) uint8 RGB."""

    index: int
    seconds: float
    pixels: np.ndarray


@dataclass(frozen=True)
class Ending:
    """How a pass through a video ended: ok, or truncated with a reason; missing: chosen frames that were not had."""

    status: str
    reason: str
    missing: int


class Film:
    """A video file opened for one pass.

    count: the frames that the file announces, 0 for none said. fps: frames a second, 0 where unknown. size: (width,
    height) in pixels, as stored. Raises UnreadableError for a file that is absent, empty or damaged, UnsupportedError
    for one that is no video, whatever its name says.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = os.fspath(path)
        self.name = os.path.basename(self.path)
        self.ending: Ending | None = None
        _require_container(self.path, self.name)
        self._open()
        self.fps = _positive(self._capture.get(cv2.CAP_PROP_FPS))
        self.count = int(_positive(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        self.size = tuple(int(self._capture.get(p)) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))

    def _open(self) -> None:
        self._capture = cv2.VideoCapture(self.path, cv2.CAP_FFMPEG)
        if not self._capture.isOpened():
            raise UnreadableError(
                f"{self.name} is called a video, but it is damaged, cut short, or of an unknown codec"
            )

    def frames(self, wanted: int | None = None, choice: Choice = "even") -> Iterator[Frame]:
        """Decode the chosen frames in order; afterwards `ending` says whether all of them could be had.

        The choice is made among the frames that the file announces, so that a cut video gives the frames of a whole
        one as far as it goes. Where nothing is announced, the frames are counted first, in a pass of their own. A video
        that lacks one announced frame at its end is no cut video: many encoders count one too many. Raises
        UnreadableError when not one frame can be decoded, DataError for a choice that there is not.
        """
        if self.count == 0 and wanted is not None:
            self._count()
        targets = choose(self.count, wanted, choice) if wanted is not None else None
        decoded = had = 0
        for frame in self._decode(targets):
            decoded += 1
            if frame is not None:
                had += 1
                yield frame
        self._capture.release()
        if had == 0:
            raise UnreadableError(f"{self.name} has no frame that can be decoded")
        self.ending = self._ending(decoded, had, targets)

    def _decode(self, targets: list[int] | None) -> Iterator[Frame | None]:
        """Each frame up to the last chosen one or the end; None where it is not chosen or is damaged."""
        chosen = None if targets is None else set(targets)
        last = None if targets is None else targets[-1]
        index = 0
        while (last is None or index <= last) and self._capture.grab():
            yield self._retrieve(index) if chosen is None or index in chosen else None
            index += 1

    def _retrieve(self, index: int) -> Frame | None:
        seconds = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if not (math.isfinite(seconds) and seconds >= 0) or (index and not seconds):
            seconds = index / self.fps if self.fps else 0.0
        ok, pixels = self._capture.retrieve()
        return Frame(index, seconds, np.ascontiguousarray(pixels[..., ::-1])) if ok else None

    def _count(self) -> None:
        while self._capture.grab():
            self.count += 1
        self._capture.release()
        self._open()
        if self.count == 0:
            raise UnreadableError(f"{self.name} has no frame that can be decoded")

    def _ending(self, decoded: int, had: int, targets: list[int] | None) -> Ending:
        asked = self.count if targets is None else len(targets)
        reached = self.count if targets is None else targets[-1] + 1
        if decoded >= reached - 1 and had >= asked - 1:
            return Ending("ok", "", max(0, asked - had))
        reason = f"{self.name} announces {self.count} frames, but can be decoded only up to frame {decoded}"
        return Ending("truncated", f"{reason}: {had} of {asked} chosen frames were had", asked - had)


@dataclass(frozen=True)
class Video:
    """The chosen frames of a video in memory. status: ok or truncated; count, fps and size as in `Film`."""

    path: str
    frames: tuple[Frame, ...]
    count: int
    fps: float
    size: tuple[int, ...]
    status: str
    reason: str


def read_video(path: str | Path, wanted: int | None = None, choice: Choice = "even") -> Video:
    """Decode at most `wanted` frames of a video file, or all; see `Film`, which gives them one by one, and raises."""
    film = Film(path)
    frames = tuple(film.frames(wanted, choice))
    assert film.ending is not None
    return Video(film.path, frames, film.count, film.fps, film.size, film.ending.status, film.ending.reason)


def _positive(value: float) -> float:
    return value if math.isfinite(value) and value > 0 else 0.0


def _require_container(path: str, name: str) -> None:
    try:
        if not os.path.isfile(path):
            raise UnreadableError(f"expected a video file at {path}; there is none")
        with open(path, "rb") as file:
            head = file.read(TS_PACKET + 5)
    except OSError as err:
        raise UnreadableError(f"{name} cannot be read: {err.strerror}") from err
    if not head:
        raise UnreadableError(f"{name} is empty")
    if not any(head[at : at + len(magic)] == magic and (magic != b"G" or _transport(head)) for at, magic in CONTAINERS):
        raise UnsupportedError(f"expected a video, but {name} is none, whatever its name says")


def _transport(head: bytes) -> bool:
    return head[TS_PACKET : TS_PACKET + 1] == b"G"
