"""The video stream of a file: its packets, its decoded frames, and what the file announces of them."""

from __future__ import annotations

import math
import re
import weakref
from array import array
from collections.abc import Iterator
from itertools import chain
from typing import Any, BinaryIO

import av
from av.container import InputContainer
from av.stream import Disposition

from corit.errors import UnreadableError, UnsupportedError
from corit.files import open_regular
from corit.images.display import UPRIGHT, shown_size
from corit.images.frame_times import FrameTimes, frame_times
from corit.images.picture import MEGAPIXELS
from corit.images.transport_stream import correct_damage_marks
from corit.images.video_container import asf_seconds, breaks_off, container_of

SLACK = 0.1  # seconds by which the announced length may exceed the frames: containers round it, and count sound in
BUFFER = 1 << 16  # bytes that are read at a time
# Metadata need not be UTF-8. PyAV 18 refuses them unless told otherwise; PyAV 19 escapes them and takes no such option.
METADATA: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
# Containers where a longer interval between frames proves no loss: they state intervals, or have no times of their own.
IRREGULAR = ("mov", "avi", "gif", "mpegvideo")
NAMELESS = ("none", "unknown")
DAMAGED = "damaged, cut short, or of a kind that is not known"


class VideoStream:
    """The video stream of a file, opened to be read once.

    Attributes:
        fps: frames per second that the file announces; 0 where it does not say.
        announced: frames that the file announces; 0 where it does not say.
        aspect: width of a stored pixel over its height.
        size: (width, height) of the frames with square pixels, before they are turned upright.

    Raises:
        UnreadableError: when the file is missing, empty or damaged, or its frames are too large.
        UnsupportedError: when the file is not a video, or its codec has no decoder.
    """

    def __init__(self, path: str, name: str, threads: int = 1) -> None:
        self._path, kind = path, container_of(path, name)
        self._file = _open(path, name)
        weakref.finalize(self, self._file.close)  # for videos that are not read to the end
        try:
            # A Python file, since the decoder takes "concat:" and its like at the beginning of a name for a protocol,
            # and has no names that are not text.
            self._container = av.open(
                self._file,
                "r",
                kind,
                container_options={"protocol_whitelist": "none"},  # open nothing that the video names
                **METADATA,
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
        """The length in seconds that the file announces."""
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
        """Whether the file breaks off; its bytes are read only where no index states the number of frames."""
        return not self._indexed and breaks_off(self._path)

    def close(self) -> None:
        """Close the file."""
        self._container.close()
        self._file.close()

    def seconds(self, pts: float | None) -> float | None:
        """Convert a time of a frame or packet to seconds from the stream's start."""
        return None if pts is None else pts * self._tick - self._start

    def first_time(self, first: av.VideoFrame | None) -> float:
        """Return the seconds of the first frame; containers without times of their own include the decoder's delay."""
        seconds = None if first is None else self.seconds(first.pts)
        return seconds if seconds is not None and 0 < seconds < SLACK else 0.0

    def packets(self) -> Iterator[av.Packet]:
        """Yield the stream's packets, mostly one per frame, as far as the file can be read."""
        packets = (p for p in self._container.demux(self._stream) if p.size)
        try:
            lossy = self._container.format.name == "mpegts"
            yield from correct_damage_marks(packets) if lossy else packets
        except (av.FFmpegError, OSError):
            return

    def frame_times(self, limit: float) -> tuple[FrameTimes, bool]:
        """Work out when frames are shown from at most `limit` packets; also return whether these are all packets."""
        codec, kind = self._stream.codec_context, self._container.format.name
        times, untimed, complete = array("q"), 0, True
        last, back, rising, damaged = -math.inf, False, True, False
        for packet in (p for p in self.packets() if _shows(p, codec.name)):
            if len(times) + untimed >= limit:
                complete = False
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
        lossy = not kind.startswith(IRREGULAR)
        return frame_times(times, untimed, ordered=ordered, lossy=lossy, damaged=damaged), complete

    def damaged(self, frame: av.VideoFrame) -> bool:
        """Whether the decoder made up a part of a frame, as far as the container or the decoder tells."""
        if frame.pts not in self._damaged:
            return bool(frame.is_corrupt)
        self._damaged.remove(frame.pts)  # joined files may show another frame at this time
        return True

    def frames(self) -> Iterator[av.VideoFrame]:
        """Yield every frame that can be decoded."""
        shown: int | None = None  # when the frame is shown whose second field has no time of its own
        for packet in chain(self.packets(), (None,)):  # None at the end: frames that the decoder holds back
            if packet is not None and packet.pts is not None:
                shown = packet.pts
            if packet is not None and packet.is_corrupt and shown is not None:
                self._damaged.add(shown)
            try:
                yield from self._stream.codec_context.decode(packet)
            except av.FFmpegError:
                continue


def _open(path: str, name: str) -> BinaryIO:
    try:
        return open_regular(path)
    except OSError as err:
        raise UnreadableError(f"{name} cannot be read: {err.strerror}") from err


def _clock(text: str) -> float:
    """Seconds of a time as 00:01:02.5; 0 for other texts."""
    match = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d*)?)", text.strip())
    return sum(float(n) * s for n, s in zip(match.groups(), (3600, 60, 1), strict=True)) if match else 0.0


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
    """The name of a stream's codec that has no decoder; only the container's description contains it."""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    try:
        described: str = container.dumps_format()  # type: ignore[attr-defined]
    finally:
        av.logging.set_level(level)
    match = re.search(rf"Stream #0:{index}\b.*?Video: (?:none \((\S+)|(\w+))", described)
    return next(filter(None, match.groups()), "unknown") if match else "unknown"
