"""Decode selected frames of a video file in one pass, and report where frames are missing."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import av
import numpy as np

from corit.errors import UnreadableError
from corit.images.frame_choice import Choice, choose
from corit.images.frame_display import show, size_of
from corit.images.frame_times import FrameTimes
from corit.images.video_container import is_video_file
from corit.images.video_stream import SLACK, VideoStream

__all__ = ["Ending", "Frame", "Gap", "Video", "frames_of", "is_video_file", "read_video"]

REORDERED = 64  # packets that may come before one whose frame is shown earlier
NAMED_GAPS = 3  # gaps that a reason names
BROKEN = ", and the file breaks off: how many it had is not known"


@dataclass(frozen=True)
class Frame:
    """One decoded frame.

    Attributes:
        index: of the frame in the video, from 0.
        seconds: its time from the start.
        pixels: (H, W, 3) uint8 sRGB, as a viewer shows them; see `corit.images.display`.
        note: as in `Picture`.
    """

    index: int
    seconds: float
    pixels: np.ndarray
    note: str = ""


@dataclass(frozen=True)
class Gap:
    """Frames in a row that could not be decoded.

    Attributes:
        index: of the first frame.
        frames: how many, 0 where it is unknown.
        seconds: when the first one would be shown.
        until: when the next decoded frame is shown, None where none follows.
    """

    index: int
    frames: int
    seconds: float
    until: float | None = None


@dataclass(frozen=True)
class Ending:
    """How a pass through a video ended.

    Attributes:
        status: "ok" or "truncated".
        reason: what is missing, "" for nothing.
        missing: selected frames that could not be decoded.
        decoded: frames that were decoded.
        gaps: frames that could not be decoded, in order, as far as the pass went.
    """

    status: str
    reason: str
    missing: int
    decoded: int = 0
    gaps: tuple[Gap, ...] = ()


class VideoFile:
    """A video file opened for one pass.

    Args:
        path: of the file.
        threads: of the decoder.

    Attributes:
        path: of the file.
        name: of the file, without its folder.
        count: frames that the file announces, 0 where it does not say; once frames are decoded, the number of frames
            that they are selected from.
        held: frames up to the last one whose packet is in the file, once they are counted.
        fps: frames per second that the file announces, 0 where it does not say.
        size: (width, height) of the frames in pixels, upright and with square pixels.
        ending: how the pass ended; None before its end.

    Raises:
        UnreadableError: when the file is missing, empty or damaged.
        UnsupportedError: when the file is not a video, whatever its name says.
    """

    def __init__(self, path: str | Path, threads: int = 1) -> None:
        self.path = os.fspath(path)
        self.name = os.path.basename(self.path)
        self.ending: Ending | None = None
        self.held = 0
        self._at = 0  # the index of the next frame
        self._stream = VideoStream(self.path, self.name, threads)
        self.fps, self.count = self._stream.fps, self._stream.announced
        frames = self._stream.frames()
        first = next(frames, None)
        self.size = self._stream.size if first is None else size_of(first, self._stream.aspect)
        self._zero = self._stream.first_time(first)
        self._frames: Iterator[av.VideoFrame] = frames if first is None else chain((first,), frames)
        self._times: FrameTimes | None = None
        self._surveyed = False  # to the end
        self._current: tuple[int, av.VideoFrame] | None = None  # a frame that is decoded but not yet yielded
        self._shown: float = -math.inf  # the time of the last one in the video's own units

    def frames(self, wanted: int | None = None, choice: Choice = "even") -> Iterator[Frame]:
        """Decode selected frames in order; afterwards `ending` tells whether all of them could be decoded.

        "even" selects from the frames that the file has. They are counted without decoding, since many files announce
        another number. A cut file gives the frames of the whole video as far as it goes, a damaged one those around
        the damage.

        Args:
            wanted: frames at most; None for all.
            choice: which frames: "even" or "first"; see `corit.images.frame_choice`.

        Yields:
            The frames.

        Raises:
            UnreadableError: when not one frame can be decoded.
            DataError: when there is no such choice.
        """
        choose(1, wanted, choice)
        targets: Sequence[int] | None = None
        if wanted is None or choice == "even":
            self.survey()
            targets = None if wanted is None else choose(self.count, wanted, choice)
        else:
            targets = range(min(wanted, self.count) if self._survey(wanted + REORDERED) else wanted)
        chosen, decoded, gaps = set(targets) if isinstance(targets, list) else targets, 0, _Gaps(self)
        for index in self._indices(targets[-1] if targets else math.inf):
            selected = chosen is None or index in chosen
            frame = self._retrieve() if selected else None
            if selected and frame is None:
                continue
            gaps.decoded(index)
            if frame is not None:
                decoded += 1
                yield frame
        self._frames = iter(())
        self._stream.close()
        if decoded == 0:
            raise UnreadableError(f"{self.name} has no frame that can be decoded")
        self.ending = self._ending(decoded, gaps, targets)

    def frame(self, index: int) -> Frame | None:
        """Decode the frame of an index; ascending indices cost one pass together.

        Args:
            index: of the frame, not before the last one that was decoded.

        Returns:
            The frame; None where it cannot be decoded.

        Raises:
            ValueError: when the pass is beyond the index already.
        """
        if index < self._at:
            raise ValueError(f"frame {index} lies behind the next one, {self._at}; open the video again")
        self.survey()
        frame = None
        for at in self._indices(index):
            frame = self._retrieve() if at == index else None
        self._at = index + 1
        return frame

    def survey(self) -> int:
        """Read all packets without decoding them; set `count` to the frames of the whole video, and return it."""
        self._survey(math.inf)
        return self.count

    def when(self, index: int) -> float:
        """Return the time in seconds at which the frame of an index is or would be shown."""
        time = self._times.time(index) if self._times is not None else None
        seconds = None if time is None else self._stream.seconds(time)
        if seconds is not None and seconds >= self._zero and (seconds > self._zero or not index):
            return seconds - self._zero
        return index / self.fps if self.fps else 0.0

    def _survey(self, limit: float) -> bool:
        """Read all packets, or at most `limit`; whether these are all."""
        if self._surveyed:
            return True
        stream = VideoStream(self.path, self.name)
        self._times, self._surveyed = stream.frame_times(limit)
        stream.close()
        self.held = self._times.count
        if self._surveyed:
            last = self._times.time(self.held - 1) if self.held else None
            self.count = frames_of(self.count, self.fps, self.held, max(0.0, self._stream.seconds(last) or 0.0))
        return self._surveyed

    def _indices(self, last: float) -> Iterator[int]:
        """Advance frame by frame up to an index, or the end; yield the index of each undamaged frame."""
        assert self._times is not None
        while self._at <= last and (self._current is not None or self._grab()):
            assert self._current is not None
            index, frame = self._current
            if index > last:
                return
            self._at = index + 1
            if not self._stream.damaged(frame):
                yield index
            self._current = None

    def _grab(self) -> bool:
        """Advance to the next frame, if there is one."""
        assert self._times is not None
        for frame in self._frames:
            if self._times.timed and frame.pts is not None:
                if frame.pts < self._shown:
                    continue  # after damage a decoder may give frames that were due earlier
                self._shown = frame.pts
            self._current = max(self._at, self._times.index(frame.pts)), frame
            return True
        return False

    def _retrieve(self) -> Frame | None:
        assert self._current is not None
        index, frame = self._current
        try:
            return Frame(index, self.when(index), *show(frame, self._stream.aspect))
        except (av.FFmpegError, ValueError):  # a format of pixels that cannot be converted
            return None

    def _ending(self, decoded: int, gaps: _Gaps, targets: Sequence[int] | None) -> Ending:
        selected = self.count if targets is None else len(targets)
        reached = self.count if targets is None else targets[-1] + 1
        missing = gaps.up_to(reached)
        whole = reached - sum(g.frames for g in missing)
        cut = reached == self.count and self._stream.breaks_off()
        if not missing and not cut:
            return Ending("ok", "", 0, whole)
        if not missing:
            reason = f"{whole} frames can be decoded, then the file breaks off: how many it had is not known"
            return Ending("truncated", reason, 0, whole, (Gap(reached, 0, self.when(reached)),))
        among = f"{self.count}" if reached == self.count else f"the first {reached}"
        where = _describe(missing) + (BROKEN if cut else "")
        reason = f"{whole} of {among} frames can be decoded ({where}): {decoded} of {selected} selected frames decoded"
        return Ending("truncated", reason, max(0, selected - decoded), whole, missing)


class _Gaps:
    """Collects the gaps between decoded frames, whose indices come in order."""

    def __init__(self, video: VideoFile) -> None:
        self._video, self._next, self._gaps = video, 0, list[Gap]()

    def decoded(self, index: int) -> None:
        """Note the index of one decoded frame."""
        if index > self._next:
            until = self._video.when(index)
            self._gaps.append(Gap(self._next, index - self._next, self._video.when(self._next), until))
        self._next = index + 1

    def up_to(self, end: int) -> tuple[Gap, ...]:
        """Return all gaps before an index."""
        rest = (Gap(self._next, end - self._next, self._video.when(self._next)),) if self._next < end else ()
        return (*self._gaps, *rest)


def _describe(gaps: Sequence[Gap]) -> str:
    """Say which frames are missing where."""
    inside = [g for g in gaps if g.until is not None]
    places = [f"{g.frames} from {g.seconds:.1f} s on" for g in inside[:NAMED_GAPS]]
    if len(inside) > NAMED_GAPS:
        places.append(f"{sum(g.frames for g in inside[NAMED_GAPS:])} in {len(inside) - NAMED_GAPS} more places")
    parts = [f"damaged, missing, or hidden by an edit of the file: {', '.join(places)}"] if places else []
    if len(gaps) > len(inside):
        parts.append("the rest is cut off, damaged, or hidden by an edit of the file")
    return "; ".join(parts)


def frames_of(announced: int, fps: float, held: int, last: float) -> int:
    """Estimate how many frames the whole video has.

    If the file reaches its announced length, the number of frames in it is the answer. Matroska, FLV and others
    announce a length and a rate that the frames need not keep to, and many encoders announce one frame too many. If the
    end is missing, the announced number is the answer. If the frames then come at less than half the announced rate,
    the number is estimated from their rate instead.

    Args:
        announced: frames that the file announces, 0 where it does not say.
        fps: frames per second that the file announces, 0 where it does not say.
        held: frames that the file holds.
        last: seconds at which the last of them is shown.

    Returns:
        The number of frames.
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
    """Selected frames of a video, in memory.

    Attributes:
        path: of the file.
        frames: the frames that could be decoded.
        count: as in `VideoFile`.
        fps: as in `VideoFile`.
        size: as in `VideoFile`.
        status: "ok" or "truncated".
        reason: what is missing, "" for nothing.
    """

    path: str
    frames: tuple[Frame, ...]
    count: int
    fps: float
    size: tuple[int, ...]
    status: str
    reason: str


def read_video(path: str | Path, wanted: int | None = None, choice: Choice = "even") -> Video:
    """Decode selected frames of a video file; see `VideoFile`, which yields them one by one.

    Args:
        path: of the file.
        wanted: frames at most; None for all.
        choice: which frames: "even" or "first".

    Returns:
        The frames, and what is missing.

    Raises:
        UnreadableError: when the file is missing, empty or damaged, or not one frame can be decoded.
        UnsupportedError: when the file is not a video.
        DataError: when there is no such choice.
    """
    video = VideoFile(path)
    frames = tuple(video.frames(wanted, choice))
    assert video.ending is not None
    return Video(video.path, frames, video.count, video.fps, video.size, video.ending.status, video.ending.reason)
