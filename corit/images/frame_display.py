"""Show a decoded video frame as a player shows it."""

from __future__ import annotations

import struct
from dataclasses import replace

import av
import numpy as np
from av.sidedata.sidedata import Type

from corit.images.colour_space import SRGB
from corit.images.colour_tags import StatedColours, cicp
from corit.images.display import UPRIGHT, Turn, full_scale_code, shown, shown_size

# Dolby Vision's profile 5 has colours of its own, and no base that other players could show.
DOLBY = "Dolby Vision of profile 5, whose colours only its own players know: they were taken for others"


def show(frame: av.VideoFrame, aspect: float = 1.0) -> tuple[np.ndarray, str]:
    """Convert a frame to the pixels that a viewer shows; see `corit.images.display`.

    The colour matrix (BT.601, 709, 2020) and the range are those that the stream states. Without a statement they are
    BT.601's matrix and the limited range, as in ffmpeg.

    Args:
        frame: as the decoder gives it.
        aspect: width of a stored pixel over its height.

    Returns:
        Pixels (H, W, 3) uint8 sRGB, and a note on how they are shown, "" for nothing.

    Raises:
        av.FFmpegError: when the pixels cannot be converted.
        ValueError: when the pixels cannot be converted.
    """
    stated = colours_of_frame(frame)
    deep = stated.space != SRGB and frame.format.components[0].bits > 8
    space = replace(stated.space, full=full_scale_code(frame)) if deep else stated.space
    pixels = frame.to_ndarray(format="rgb48le" if deep else "rgb24")
    return shown(pixels, space, aspect, turn_of(frame)), stated.note


def size_of(frame: av.VideoFrame, aspect: float = 1.0) -> tuple[int, int]:
    """Return the (width, height) in pixels of what `show` returns."""
    return shown_size(frame.width, frame.height, aspect, turn_of(frame))


def turn_of(frame: av.VideoFrame) -> Turn:
    """Read from the display matrix how a frame becomes upright."""
    matrix = frame.side_data.get(Type.DISPLAYMATRIX)  # type: ignore[call-overload]
    if matrix is None:
        return UPRIGHT
    a, b, _, c, d, *_ = np.frombuffer(matrix, np.int32).astype(np.int64)
    swapped = abs(b) + abs(c) > abs(a) + abs(d)
    return (True, bool(c < 0), bool(b < 0)) if swapped else (False, bool(a < 0), bool(d < 0))


def colours_of_frame(frame: av.VideoFrame) -> StatedColours:
    """Read the colours that a frame's code points and metadata state."""
    dolby = frame.side_data.get(Type.DOVI_METADATA)  # type: ignore[call-overload]
    if dolby is not None and _profile_5(bytes(dolby)):
        return StatedColours(note=DOLBY)
    if frame.color_primaries <= 8 and frame.color_trc <= 7:
        return StatedColours()  # SDR of nearly all videos
    return cicp(frame.color_primaries, frame.color_trc, _peak(frame))


def _profile_5(metadata: bytes) -> bool:
    """Whether the header of FFmpeg's AVDOVIMetadata is that of profile 5, whose `vdr_rpu_profile` alone is 0."""
    (start,) = struct.unpack_from("=Q", metadata)
    return metadata[start + 4 : start + 5] == b"\0"


def _peak(frame: av.VideoFrame) -> float:
    """Nits of the brightest light in the video, else of its mastering display; 0 where the file does not say."""
    light = frame.side_data.get(Type.CONTENT_LIGHT_LEVEL)  # type: ignore[call-overload]
    if light is not None and (brightest := struct.unpack_from("=I", bytes(light))[0]):
        return float(brightest)
    display = frame.side_data.get(Type.MASTERING_DISPLAY_METADATA)  # type: ignore[call-overload]
    if display is None:
        return 0.0
    over, under, _, stated = struct.unpack_from("=iiii", bytes(display), 72)  # behind primaries, white and black
    return over / under if stated and under else 0.0
