"""Decode the chosen frames of a video file in one pass, and say so when the file ends before its time."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from corit.errors import UnreadableError, UnsupportedError
from corit.images.choice import Choice, choose
from corit.images.media import MEGAPIXELS

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
SLACK = 0.1  # seconds by which the announced length may exceed the frames: containers round it, and count sound in
# The decoder would write of each damaged file to standard error; what it has to say is said in the status.
QUIET = ("OPENCV_FFMPEG_LOGLEVEL", "-8")


@dataclass(frozen=True)
class Frame:
    """One decoded frame: its index in the video, its time in seconds from the start, pixels (H, W, 3) uint8 RGB."""

    index: int
    seconds: float
    pixels: np.ndarray


@dataclass(frozen=True)
class Ending:
    """How a pass through a video ended: ok, or truncated with a reason.

    missing: chosen frames that were not had. decoded: frames. seconds: the time of the last of them.
    """

    status: str
    reason: str
    missing: int
    decoded: int = 0
    seconds: float = 0.0


class Film:
    """A video file opened for one pass.

    count: the frames that the file announces, 0 for none said; once frames are taken, the number they were chosen
    among. fps: announced frames a second, 0 where unknown. size: (width, height) in pixels of the frames, which come
    upright, as the file says the camera was held. Raises UnreadableError for a file that is absent, empty or damaged,
    UnsupportedError for one that is no video, whatever its name says.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = os.fspath(path)
        self.name = os.path.basename(self.path)
        self.ending: Ending | None = None
        _require_container(self.path, self.name)
        self._seconds = 0.0  # of the frame that was decoded last
        self._at = 0  # the index of the next frame
        self._capture = self._open()
        self.fps = _positive(self._capture.get(cv2.CAP_PROP_FPS))
        self.count = int(_positive(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        self.size = tuple(int(self._capture.get(p)) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        if math.prod(self.size) > MEGAPIXELS * 1e6:
            raise UnreadableError(
                f"{self.name} has frames of {self.size[0]} x {self.size[1]} pixels, more than {MEGAPIXELS:g} million; "
                "shrink it first"
            )

    def _open(self, *options: int) -> cv2.VideoCapture:
        os.environ.setdefault(*QUIET)
        level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
        # An absolute path, since the decoder takes "concat:" and its like at the beginning of a name for a protocol.
        capture = cv2.VideoCapture(os.path.abspath(self.path), cv2.CAP_FFMPEG, list(options))
        cv2.utils.logging.setLogLevel(level)
        if not capture.isOpened():
            raise UnreadableError(
                f"{self.name} is called a video, but it is damaged, cut short, or of an unknown codec"
            )
        return capture

    def frames(self, wanted: int | None = None, choice: Choice = "even") -> Iterator[Frame]:
        """Decode the chosen frames in order; afterwards `ending` says whether all of them could be had.

        "even" chooses among the frames that the file has, which are counted without decoding them, since many files
        announce another number; a cut file gives the frames of the whole one as far as it goes. Raises UnreadableError
        when not one frame can be decoded, DataError for a choice that there is not.
        """
        choose(1, wanted, choice)
        if wanted is None or choice == "even":
            self.survey()
            targets: Sequence[int] | None = None if wanted is None else choose(self.count, wanted, choice)
        else:
            targets = range(wanted)
        decoded = had = 0
        for frame in self._decode(targets):
            decoded += 1
            if frame is not None:
                had += 1
                yield frame
        self._capture.release()
        if had == 0:
            raise UnreadableError(f"{self.name} has no frame that can be decoded")
        if targets is not None and decoded < len(targets) and choice == "first":
            self.count = frames_of(self.count, self.fps, decoded, self._seconds)
            targets = targets[: self.count]
        self.ending = self._ending(decoded, had, targets)

    def frame(self, index: int) -> Frame | None:
        """The frame of an index, from the last one that was had onward; None where it cannot be decoded.

        What lies between is decoded in passing, so that frames asked for in ascending order cost one pass together.
        Raises ValueError for an index that lies behind.
        """
        if index < self._at:
            raise ValueError(f"frame {index} lies behind the next one, {self._at}; open the film again")
        while self._at <= index:
            if not self._grab():
                return None
        return self._retrieve(index)

    def survey(self) -> int:
        """Read all packets, one a frame, without decoding them: how many frames the whole video has, now `count`."""
        packets = self._open(cv2.CAP_PROP_FORMAT, -1)
        held, last = 0, 0.0
        while packets.grab():
            held, last = held + 1, max(last, packets.get(cv2.CAP_PROP_POS_MSEC) / 1000)
        packets.release()
        self.count = frames_of(self.count, self.fps, held, last)
        return self.count

    def _decode(self, targets: Sequence[int] | None) -> Iterator[Frame | None]:
        """Each frame up to the last chosen one or the end; None where it is not chosen or is damaged."""
        chosen = set(targets) if isinstance(targets, list) else targets
        end = targets[-1] if targets else math.inf
        while self._at <= end and self._grab():
            index = self._at - 1
            yield self._retrieve(index) if chosen is None or index in chosen else None

    def _grab(self) -> bool:
        """Go to the next frame, if there is one."""
        if not self._capture.grab():
            return False
        self._seconds = self._time(self._at)
        self._at += 1
        return True

    def _time(self, index: int) -> float:
        seconds = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if math.isfinite(seconds) and seconds >= 0 and (seconds or not index):
            return seconds
        return index / self.fps if self.fps else 0.0

    def _retrieve(self, index: int) -> Frame | None:
        ok, pixels = self._capture.retrieve()
        return Frame(index, self._seconds, np.ascontiguousarray(pixels[..., ::-1])) if ok else None

    def _ending(self, decoded: int, had: int, targets: Sequence[int] | None) -> Ending:
        asked = self.count if targets is None else len(targets)
        reached = self.count if targets is None else targets[-1] + 1
        if decoded >= reached - 1 and had >= asked - 1:
            return Ending("ok", "", max(0, asked - had), decoded, self._seconds)
        cause = "the rest is cut off, damaged, or hidden by an edit of the file"
        reason = f"{decoded} of {self.count} frames can be decoded ({cause}): {had} of {asked} chosen frames were had"
        return Ending("truncated", reason, asked - had, decoded, self._seconds)


def frames_of(announced: int, fps: float, held: int, last: float) -> int:
    """How many frames a whole video has that announces so many at so many a second, and of which `held` are there.

    last: seconds at which the last of them is shown. Where the video is there for its whole announced length, those
    that are there are all: Matroska, FLV and others announce a length and a rate that the frames need not keep to, and
    many encoders announce one frame too many. Where the end is missing, what is announced counts, unless the frames
    that are there come at less than half the announced rate: then it is guessed from theirs.
    """
    if not (announced and held):
        return held or announced
    if not fps:
        return held if held >= announced - 1 else announced
    shown = last + last / (held - 1) if held > 1 and last else held / fps
    length = announced / fps
    if shown >= length - max(SLACK, 1.01 * shown / held):
        return held
    guess = round(length * held / shown)
    return announced if 2 * guess > announced else guess


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


def is_film(path: str) -> bool:
    """Whether a file begins as videos do; False for one that cannot be read."""
    try:
        return os.path.isfile(path) and _is_container(_head(path))
    except OSError:
        return False


def _require_container(path: str, name: str) -> None:
    try:
        if not os.path.isfile(path):
            raise UnreadableError(f"expected a video file at {path}; there is none")
        head = _head(path)
    except OSError as err:
        raise UnreadableError(f"{name} cannot be read: {err.strerror}") from err
    if not head:
        raise UnreadableError(f"{name} is empty")
    if not _is_container(head):
        raise UnsupportedError(f"expected a video, but {name} is none, whatever its name says")


def _head(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(TS_PACKET + 5)


def _is_container(head: bytes) -> bool:
    return any(head[at : at + len(magic)] == magic and (magic != b"G" or _transport(head)) for at, magic in CONTAINERS)


def _transport(head: bytes) -> bool:
    return head[TS_PACKET : TS_PACKET + 1] == b"G"
