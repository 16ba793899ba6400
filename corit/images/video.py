"""Decode the chosen frames of a video file in one pass, and say so when the file ends before its time."""

from __future__ import annotations

import math
import os
import re
import weakref
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition

from corit.errors import UnreadableError, UnsupportedError
from corit.files import open_regular
from corit.images.display import UPRIGHT, shown_size
from corit.images.frame_choice import Choice, choose
from corit.images.frame_display import show, size_of
from corit.images.frame_times import Timetable, timetable
from corit.images.picture import MEGAPIXELS
from corit.images.transport_stream import remarked
from corit.images.video_container import asf_seconds, breaks_off, container_of, is_video_file

__all__ = ["Ending", "Frame", "Gap", "Video", "frames_of", "is_video_file", "read_video"]

SLACK = 0.1  # seconds by which the announced length may exceed the frames: containers round it, and count sound in
BUFFER = 1 << 16  # bytes that are read at a time
AHEAD = 64  # packets that may come before one whose frame is shown earlier
TOLD = 3  # gaps that a reason names
BROKEN = ", and the file breaks off: how many it had is not known"
# Containers in which more time between two frames is no sign of a loss: they tell it, or have no times of their own.
SPACED = ("mov", "avi", "gif", "mpegvideo")
NAMELESS = ("none", "unknown")
DAMAGED = "damaged, cut short, or of a kind that is not known"


@dataclass(frozen=True)
class Frame:
    """One decoded frame: its index in the video, its time in seconds from the start, pixels (H, W, 3) uint8 sRGB.

    The pixels are those that a viewer shows: see `corit.images.display`. note: as in `Picture`.
    """

    index: int
    seconds: float
    pixels: np.ndarray
    note: str = ""


@dataclass(frozen=True)
class Gap:
    """Frames in a row that could not be decoded: the first one's index and how many, 0 where nobody knows.

    seconds: when the first would be shown. until: when the next one is, None where none follows.
    """

    index: int
    frames: int
    seconds: float
    until: float | None = None


@dataclass(frozen=True)
class Ending:
    """How a pass through a video ended: ok, or truncated with a reason.

    missing: chosen frames that were not had. decoded: frames. gaps: in order, as far as was looked.
    """

    status: str
    reason: str
    missing: int
    decoded: int = 0
    gaps: tuple[Gap, ...] = ()


class VideoFile:
    """A video file opened for one pass.

    count: the frames that the file announces, 0 for none said; once frames are taken, the number they were chosen
    among. held: those up to the last whose packet is there, once they are counted. fps: announced frames a second, 0
    where unknown. size: (width, height) of the frames, which come upright and with square pixels. Raises
    UnreadableError for a file that is absent, empty or damaged, UnsupportedError for one that is no video, whatever its
    name says.
    """

    def __init__(self, path: str | Path, threads: int = 1) -> None:
        self.path = os.fspath(path)
        self.name = os.path.basename(self.path)
        self.ending: Ending | None = None
        self.held = 0
        self._at = 0  # the index of the next frame
        self._reel = _Reel(self.path, self.name, threads)
        self.fps, self.count = self._reel.fps, self._reel.announced
        frames = self._reel.frames()
        first = next(frames, None)
        self.size = self._reel.size if first is None else size_of(first, self._reel.aspect)
        self._zero = self._reel.zero(first)
        self._frames: Iterator[av.VideoFrame] = frames if first is None else chain((first,), frames)
        self._table: Timetable | None = None
        self._surveyed = False  # to the end
        self._current: tuple[int, av.VideoFrame] | None = None  # a frame that is decoded but not yet taken
        self._shown: float = -math.inf  # the time of the last one in the video's own units

    def frames(self, wanted: int | None = None, choice: Choice = "even") -> Iterator[Frame]:
        """Decode the chosen frames in order; afterwards `ending` says whether all of them could be had.

        "even" chooses among the frames that the file has, which are counted without decoding them, since many files
        announce another number; a cut file gives the frames of the whole one as far as it goes, a damaged one those
        around the damage. Raises UnreadableError when not one frame can be decoded, DataError for a choice that there
        is not.
        """
        choose(1, wanted, choice)
        targets: Sequence[int] | None = None
        if wanted is None or choice == "even":
            self.survey()
            targets = None if wanted is None else choose(self.count, wanted, choice)
        else:
            targets = range(min(wanted, self.count) if self._survey(wanted + AHEAD) else wanted)
        chosen, had, gaps = set(targets) if isinstance(targets, list) else targets, 0, _Gaps(self)
        for index in self._indices(targets[-1] if targets else math.inf):
            wished = chosen is None or index in chosen
            frame = self._retrieve() if wished else None
            if wished and frame is None:
                continue
            gaps.decoded(index)
            if frame is not None:
                had += 1
                yield frame
        self._frames = iter(())
        self._reel.close()
        if had == 0:
            raise UnreadableError(f"{self.name} has no frame that can be decoded")
        self.ending = self._ending(had, gaps, targets)

    def frame(self, index: int) -> Frame | None:
        """The frame of an index, from the last one that was had onward; None where it cannot be decoded.

        What lies between is decoded in passing, so that frames asked for in ascending order cost one pass together.
        Raises ValueError for an index that lies behind.
        """
        if index < self._at:
            raise ValueError(f"frame {index} lies behind the next one, {self._at}; open the video again")
        self.survey()
        found = None
        for at in self._indices(index):
            found = self._retrieve() if at == index else None
        self._at = index + 1
        return found

    def survey(self) -> int:
        """Read all packets without decoding them: how many frames the whole video has, now `count`."""
        self._survey(math.inf)
        return self.count

    def when(self, index: int) -> float:
        """The time in seconds at which the frame of an index is shown, or would be."""
        time = self._table.time(index) if self._table is not None else None
        seconds = None if time is None else self._reel.seconds(time)
        if seconds is not None and seconds >= self._zero and (seconds > self._zero or not index):
            return seconds - self._zero
        return index / self.fps if self.fps else 0.0

    def _survey(self, most: float) -> bool:
        """Read all packets, or no more than so many; whether these are all."""
        if self._surveyed:
            return True
        reel = _Reel(self.path, self.name)
        self._table, self._surveyed = reel.timetable(most)
        reel.close()
        self.held = self._table.count
        if self._surveyed:
            last = self._table.time(self.held - 1) if self.held else None
            self.count = frames_of(self.count, self.fps, self.held, max(0.0, self._reel.seconds(last) or 0.0))
        return self._surveyed

    def _indices(self, last: float) -> Iterator[int]:
        """Go on frame by frame up to the one of an index, or the end: the index of each that is whole."""
        assert self._table is not None
        while self._at <= last and (self._current is not None or self._grab()):
            assert self._current is not None
            index, frame = self._current
            if index > last:
                return
            self._at = index + 1
            if not self._reel.damaged(frame):
                yield index
            self._current = None

    def _grab(self) -> bool:
        """Go to the next frame, if there is one."""
        assert self._table is not None
        for frame in self._frames:
            if self._table.timed and frame.pts is not None:
                if frame.pts < self._shown:
                    continue  # after damage a decoder may give a frame whose turn has passed
                self._shown = frame.pts
            self._current = max(self._at, self._table.index(frame.pts)), frame
            return True
        return False

    def _retrieve(self) -> Frame | None:
        assert self._current is not None
        index, frame = self._current
        try:
            return Frame(index, self.when(index), *show(frame, self._reel.aspect))
        except (av.FFmpegError, ValueError):  # a format of pixels that cannot be converted
            return None

    def _ending(self, had: int, gaps: _Gaps, targets: Sequence[int] | None) -> Ending:
        asked = self.count if targets is None else len(targets)
        reached = self.count if targets is None else targets[-1] + 1
        found = gaps.up_to(reached)
        decoded = reached - sum(g.frames for g in found)
        cut = reached == self.count and self._reel.breaks_off()
        if not found and not cut:
            return Ending("ok", "", 0, decoded)
        if not found:
            reason = f"{decoded} frames can be decoded, then the file breaks off: how many it had is not known"
            return Ending("truncated", reason, 0, decoded, (Gap(reached, 0, self.when(reached)),))
        among = f"{self.count}" if reached == self.count else f"the first {reached}"
        where = _told(found) + (BROKEN if cut else "")
        reason = f"{decoded} of {among} frames can be decoded ({where}): {had} of {asked} chosen frames were had"
        return Ending("truncated", reason, max(0, asked - had), decoded, found)


class _Gaps:
    """Takes the indices of the frames that were decoded, in order, and says where some are left out."""

    def __init__(self, video: VideoFile) -> None:
        self._video, self._next, self._found = video, 0, list[Gap]()

    def decoded(self, index: int) -> None:
        """Take the index of one frame."""
        if index > self._next:
            until = self._video.when(index)
            self._found.append(Gap(self._next, index - self._next, self._video.when(self._next), until))
        self._next = index + 1

    def up_to(self, end: int) -> tuple[Gap, ...]:
        """All gaps up to the frame before an index."""
        rest = (Gap(self._next, end - self._next, self._video.when(self._next)),) if self._next < end else ()
        return (*self._found, *rest)


def _told(gaps: Sequence[Gap]) -> str:
    """What is missing where, in words."""
    inside = [g for g in gaps if g.until is not None]
    said = [f"{g.frames} from {g.seconds:.1f} s on" for g in inside[:TOLD]]
    if len(inside) > TOLD:
        said.append(f"{sum(g.frames for g in inside[TOLD:])} in {len(inside) - TOLD} more places")
    parts = [f"damaged, missing, or hidden by an edit of the file: {', '.join(said)}"] if said else []
    if len(gaps) > len(inside):
        parts.append("the rest is cut off, damaged, or hidden by an edit of the file")
    return "; ".join(parts)


class _Reel:
    """The video's stream of a file that is opened to be read once.

    fps and announced: as the file says, 0 for nothing said. aspect: width of a stored pixel over its height. size: of
    the frames with square pixels, before they are turned.
    """

    def __init__(self, path: str, name: str, threads: int = 1) -> None:
        self._path, kind = path, container_of(path, name)
        self._file = _opened(path, name)
        weakref.finalize(self, self._file.close)  # of a video that is not played to its end
        try:
            # A Python file, since the decoder takes "concat:" and its like at the beginning of a name for a protocol,
            # and has no names that are not text.
            self._container = av.open(
                self._file,
                "r",
                kind,
                container_options={"protocol_whitelist": "none"},  # nothing that a video might name
                metadata_errors="replace",
                buffer_size=BUFFER,
            )
            self._stream = _video_stream(self._container, name)
        except (av.FFmpegError, OSError) as err:
            raise UnreadableError(f"{name} is called a video, but it is {DAMAGED}") from err
        codec = self._stream.codec_context
        codec.thread_count = threads
        codec.options = {"max_pixels": str(int(MEGAPIXELS * 1e6))}
        self.aspect = float(self._stream.sample_aspect_ratio or 1)
        self.size = shown_size(codec.width, codec.height, self.aspect, UPRIGHT)
        if math.prod(self.size) > MEGAPIXELS * 1e6:
            raise UnreadableError(
                f"{name} has frames of {self.size[0]} x {self.size[1]} pixels, more than {MEGAPIXELS:g} million; "
                "shrink it first"
            )
        self.fps = float(self._stream.guessed_rate or 0)
        self._tick = float(self._stream.time_base or 0)
        self._start = (self._stream.start_time or 0) * self._tick
        self._indexed = self._stream.frames > 0
        self._damaged: set[int | None] = set()  # the times of packets that the container knows to be damaged
        self.announced = self._stream.frames or math.floor(self._length() * self.fps + 0.5)

    def _length(self) -> float:
        """Seconds that the video lasts as its file announces it."""
        if self._stream.duration is not None:
            return self._stream.duration * self._tick
        if self._container.format.name == "asf":
            return asf_seconds(self._path)
        length = (self._container.duration or 0) / av.time_base
        if not self._container.format.name.startswith("matroska"):
            return length
        own = _clock(self._stream.metadata.get("DURATION", ""))  # the file's is that of its sound where this is longer
        return (min(own, length) if own and length else own or length) - self._start  # both are of the end

    def breaks_off(self) -> bool:
        """Whether more followed than is there: asked of the bytes where no index says how many frames there are."""
        return not self._indexed and breaks_off(self._path)

    def close(self) -> None:
        """Let the file go."""
        self._container.close()
        self._file.close()

    def seconds(self, pts: float | None) -> float | None:
        """The time of a frame or packet behind the stream's start."""
        return None if pts is None else pts * self._tick - self._start

    def zero(self, first: av.VideoFrame | None) -> float:
        """When the first frame is shown: containers without times of their own count the decoder's delay in."""
        seconds = None if first is None else self.seconds(first.pts)
        return seconds if seconds is not None and 0 < seconds < SLACK else 0.0

    def packets(self) -> Iterator[av.Packet]:
        """The stream's packets, mostly one a frame, as far as the file can be read."""
        packets = (p for p in self._container.demux(self._stream) if p.size)
        try:
            lossy = self._container.format.name == "mpegts"
            yield from remarked(packets) if lossy else packets
        except (av.FFmpegError, OSError):
            return

    def timetable(self, most: float) -> tuple[Timetable, bool]:
        """When the frames are shown, by all packets or no more than so many; and whether these are all."""
        codec, kind = self._stream.codec_context, self._container.format.name
        times, untimed, whole = array("q"), 0, True
        last, back, rising, damaged = -math.inf, False, True, False
        for packet in (p for p in self.packets() if _shows(p, codec.name)):
            if len(times) + untimed >= most:
                whole = False
                break
            damaged = damaged or packet.is_corrupt
            if packet.dts is not None:
                back, last = back or packet.dts < last, packet.dts
            if packet.pts is None:
                untimed += 1
            else:
                rising = rising and (not times or packet.pts > times[-1])
                times.append(packet.pts)
        # The clock of files that were put together goes back; and AVI has no times but those of decoding, which are not
        # those of the frames where some are shown out of order.
        ordered = back or (kind == "avi" and rising and codec.has_b_frames)
        lossy = not kind.startswith(SPACED)
        return timetable(times, untimed, ordered=ordered, lossy=lossy, damaged=damaged), whole

    def damaged(self, frame: av.VideoFrame) -> bool:
        """Whether a part of a frame is made up, as far as the container or the decoder says so."""
        if frame.pts not in self._damaged:
            return bool(frame.is_corrupt)
        self._damaged.remove(frame.pts)  # joined files may show another frame at this time
        return True

    def frames(self) -> Iterator[av.VideoFrame]:
        """Every frame that can be decoded."""
        shown: int | None = None  # when the frame is shown whose second field has no time of its own
        for packet in chain(self.packets(), (None,)):  # at the end what the decoder holds back
            if packet is not None and packet.pts is not None:
                shown = packet.pts
            if packet is not None and packet.is_corrupt and shown is not None:
                self._damaged.add(shown)
            try:
                yield from self._stream.codec_context.decode(packet)
            except av.FFmpegError:
                continue


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
    """The chosen frames of a video in memory. status: ok or truncated; count, fps and size as in `VideoFile`."""

    path: str
    frames: tuple[Frame, ...]
    count: int
    fps: float
    size: tuple[int, ...]
    status: str
    reason: str


def read_video(path: str | Path, wanted: int | None = None, choice: Choice = "even") -> Video:
    """Decode at most `wanted` frames of a video file, or all; see `VideoFile`, which gives them one by one."""
    video = VideoFile(path)
    frames = tuple(video.frames(wanted, choice))
    assert video.ending is not None
    return Video(video.path, frames, video.count, video.fps, video.size, video.ending.status, video.ending.reason)


def _opened(path: str, name: str) -> BinaryIO:
    try:
        return open_regular(path)
    except OSError as err:
        raise UnreadableError(f"{name} cannot be read: {err.strerror}") from err


def _clock(text: str) -> float:
    """Seconds of a time as 00:01:02.5; 0 for other texts."""
    found = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d*)?)", text.strip())
    return sum(float(n) * s for n, s in zip(found.groups(), (3600, 60, 1), strict=True)) if found else 0.0


def _shows(packet: av.Packet, codec: str) -> bool:
    """Whether a packet has a frame that is shown: VP8 has others, on which those are built, and says so in a bit."""
    return codec != "vp8" or bool(memoryview(packet)[0] & 0x10)


def _video_stream(container: InputContainer, name: str) -> av.VideoStream:
    """The stream of moving pictures.

    Raises UnsupportedError where there is none, or none that can be decoded, UnreadableError where there is nothing.
    """
    if not any(s.type in ("audio", "video") for s in container.streams):
        raise UnreadableError(f"{name} is called a video, but it is {DAMAGED}")
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        raise UnsupportedError(f"expected a video, but {name} holds no moving pictures")
    best = container.streams.best("video")
    stream = best if best in streams else streams[0]
    if stream.codec_context is None:
        codec = _codec(container, stream.index)
        if codec in NAMELESS:  # the part of the file that tells is gone
            raise UnreadableError(f"{name} is called a video, but it is {DAMAGED}")
        raise UnsupportedError(f"{name} is of the codec {codec}, which cannot be decoded here")
    return stream


def _codec(container: InputContainer, index: int) -> str:
    """The name of a stream's codec that has no decoder, which is told in the container's description alone."""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    try:
        described: str = container.dumps_format()  # type: ignore[attr-defined]
    finally:
        av.logging.set_level(level)
    found = re.search(rf"Stream #0:{index}\b.*?Video: (?:none \((\S+)|(\w+))", described)
    return next(filter(None, found.groups()), "unknown") if found else "unknown"
