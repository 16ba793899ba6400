"""A decoded frame of a video as a viewer shows it."""

from __future__ import annotations

import struct
from dataclasses import replace

import av
import numpy as np
from av.sidedata.sidedata import Type

from corit.images.colour_space import SRGB
from corit.images.colour_tags import Stated, cicp
from corit.images.display import UPRIGHT, Turn, full_code, shown, shown_size

# Dolby Vision's profile 5 has colours of its own, and no base that other players could show.
DOLBY = "Dolby Vision of profile 5, whose colours only its own players know: they were taken for others"


def show(frame: av.VideoFrame, aspect: float = 1.0) -> tuple[np.ndarray, str]:
    """The pixels of a frame as a viewer shows it: see `corit.images.display`.

    The matrix of its colours (BT.601, 709, 2020) and their range are those that the stream states; a matrix that is not
    stated is taken for BT.601's and a range for the limited one, as ffmpeg takes them.

    Args:
        frame: as it is decoded.
        aspect: width of a stored pixel over its height.

    Returns:
        (H, W, 3) uint8 sRGB, and what is to be said of it, or nothing.

    Raises:
        av.FFmpegError, ValueError: for pixels that cannot be converted.
    """
    stated = stated_of(frame)
    deep = stated.light != SRGB and frame.format.components[0].bits > 8
    light = replace(stated.light, full=full_code(frame)) if deep else stated.light
    pixels = frame.to_ndarray(format="rgb48le" if deep else "rgb24")
    return shown(pixels, light, aspect, turn_of(frame)), stated.note


def size_of(frame: av.VideoFrame, aspect: float = 1.0) -> tuple[int, int]:
    """The (width, height) of what `show` returns."""
    return shown_size(frame.width, frame.height, aspect, turn_of(frame))


def turn_of(frame: av.VideoFrame) -> Turn:
    """How a frame becomes upright, by its display matrix."""
    matrix = frame.side_data.get(Type.DISPLAYMATRIX)  # type: ignore[call-overload]
    if matrix is None:
        return UPRIGHT
    a, b, _, c, d, *_ = np.frombuffer(matrix, np.int32).astype(np.int64)
    swapped = abs(b) + abs(c) > abs(a) + abs(d)
    return (True, bool(c < 0), bool(b < 0)) if swapped else (False, bool(a < 0), bool(d < 0))


def stated_of(frame: av.VideoFrame) -> Stated:
    """The light that a frame's code points and metadata state."""
    dolby = frame.side_data.get(Type.DOVI_METADATA)  # type: ignore[call-overload]
    if dolby is not None and _profile_5(bytes(dolby)):
        return Stated(note=DOLBY)
    if frame.color_primaries <= 8 and frame.color_trc <= 7:
        return Stated()  # SDR of nearly all videos
    return cicp(frame.color_primaries, frame.color_trc, _peak(frame))


def _profile_5(metadata: bytes) -> bool:
    """Whether the header of FFmpeg's AVDOVIMetadata is that of profile 5, whose `vdr_rpu_profile` alone is 0."""
    (start,) = struct.unpack_from("=Q", metadata)
    return metadata[start + 4 : start + 5] == b"\0"


def _peak(frame: av.VideoFrame) -> float:
    """Nits of the brightest light in the video, else of the display that it was made on; 0 where nobody says."""
    light = frame.side_data.get(Type.CONTENT_LIGHT_LEVEL)  # type: ignore[call-overload]
    if light is not None and (brightest := struct.unpack_from("=I", bytes(light))[0]):
        return float(brightest)
    display = frame.side_data.get(Type.MASTERING_DISPLAY_METADATA)  # type: ignore[call-overload]
    if display is None:
        return 0.0
    over, under, _, known = struct.unpack_from("=iiii", bytes(display), 72)  # behind primaries, white and black
    return over / under if known and under else 0.0
