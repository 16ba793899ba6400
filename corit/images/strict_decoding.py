"""Decode whole pictures only: damage that Pillow ignores is an error here.

What a file reveals of its own damage depends on its kind. PNG has checksums of everything. JPEG's decoder notices
most damage (see `corit.images.jpeg`), and so does a strict decoder of HEIC; TIFF has checksums where it is compressed
by Deflate. The coded data of WebP, AVIF and GIF have no checksums, and nearly every code is allowed, so that a changed
byte may pass for another picture, as in files without compression. A file that is cut short is noticed in all kinds.
"""

from __future__ import annotations

import os
import re
import tempfile
import threading
import zlib
from collections.abc import Callable
from contextlib import ExitStack
from io import BytesIO

import numpy as np
from PIL import Image

from corit.images.jpeg import decode_jpeg
from corit.images.tiff_check import require_whole_tiff
from corit.images.video_container import breaks_box

CHANNELS = {"L": 1, "RGB": 3, "CMYK": 4}
STORED = {"CMYK": "CMYK;I"}  # JPEG files hold CMYK inverted, as Adobe's programs write it
DISPLAY_INFO = frozenset(("exif", "xmp", "icc_profile"))  # what may turn a picture or change its colours
STDERR = 2
_stderr = threading.Lock()
# Lines of libtiff, which start with a function's name or Pillow's name of the file; those of decoders mean damage.
LIBTIFF = re.compile(r"(\w*(Decode|Fax3|Fax4|LZW|LZMA|ZIP|ZSTD|PackBits|JPEG|TIFF)\w*|tempfile\.tif): ")
DECODER = re.compile(r"(\w*Decode\w*|Fax[34]\w*): ")


def load_whole(image: Image.Image, data: bytes) -> Image.Image:
    """Decode a picture that Pillow has opened, if all of it is there.

    Args:
        image: opened and not yet loaded.
        data: the bytes of its file.

    Returns:
        The picture in its own mode, with Pillow's `info` and `format`.

    Raises:
        Exception: of any type, with the decoder's message, when the file is damaged or cut short.
    """
    kind = image.format or ""
    if kind in CHECKS:
        CHECKS[kind](data)
    if kind in ("JPEG", "MPO"):
        return _jpeg(image, data)
    if kind == "TIFF":
        _load_tiff(image)
        return image
    return _load(image)


def is_plain_jpeg(image: Image.Image) -> bool:
    """Whether an opened picture is an RGB JPEG without anything that turns it or changes its colours."""
    return image.format in ("JPEG", "MPO") and image.mode == "RGB" and not DISPLAY_INFO & image.info.keys()


def load_plain_jpeg(image: Image.Image, data: bytes) -> np.ndarray:
    """Decode a plain JPEG (see `is_plain_jpeg`); this is faster than `load_whole`.

    Args:
        image: opened and not yet loaded.
        data: the bytes of its file.

    Returns:
        Pixels (H, W, 3) uint8 RGB.

    Raises:
        Exception: of any type, with the decoder's message, when the file is damaged or cut short.
    """
    pixels = _strict_pixels(image, data)
    return np.array(_load(image)) if pixels is None else pixels


def _jpeg(image: Image.Image, data: bytes) -> Image.Image:
    """The strict decoder's pixels, or Pillow's where the strict decoder does not know the sampling of colours."""
    pixels = _strict_pixels(image, data)
    if pixels is None:
        return _load(image)
    raw = STORED.get(image.mode, image.mode)
    decoded = Image.frombuffer(image.mode, image.size, pixels, "raw", raw, 0, 1)
    decoded.info, decoded.format = image.info, image.format
    return decoded


def _strict_pixels(image: Image.Image, data: bytes) -> np.ndarray | None:
    pixels = decode_jpeg(data, CHANNELS[image.mode])
    if pixels is not None and pixels.shape[1::-1] != image.size:
        raise ValueError(f"its headers contradict each other: {image.size} and {pixels.shape[1::-1]} pixels")
    return pixels


def _load(image: Image.Image) -> Image.Image:
    image.load()
    return image


def _require_png(data: bytes) -> None:
    at, view = 8, memoryview(data)
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4])
        kind = data[at + 4 : at + 8]
        if end > len(data):
            break
        if zlib.crc32(view[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end]):
            raise ValueError(f"the checksum of its chunk {kind.decode('latin-1')} is wrong")
        if kind == b"IEND":
            return
        at = end
    raise ValueError("it has no end")


def _require_gif(data: bytes) -> None:
    """Raise ValueError unless the file's end follows the blocks of all frames."""
    at = 13 + _colour_table(data[10])
    try:
        while data[at] != 0x3B:
            if data[at]:  # zeros between blocks mean nothing
                at += (
                    2 if data[at] == 0x21 else 11 + _colour_table(data[at + 9])
                )  # an extension, or a frame and its code size
                while data[at]:
                    at += 1 + data[at]
            at += 1
    except IndexError as err:
        raise ValueError("it has no end") from err


def _colour_table(flags: int) -> int:
    """The number of bytes of a colour table."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _require_riff(data: bytes) -> None:
    if 8 + int.from_bytes(data[4:8], "little") > len(data):
        raise ValueError("it is shorter than its header says")


def _require_boxes(data: bytes) -> None:
    if breaks_box(BytesIO(data), len(data)):
        raise ValueError("its last part reaches beyond the end of the file")


def _require_heif(data: bytes) -> None:
    """Raise ValueError for HEVC data that FFmpeg finds invalid, since libde265 makes up what it cannot decode."""
    _require_boxes(data)
    import av

    try:
        container = av.open(BytesIO(data), "r", "mov", container_options={"protocol_whitelist": "none"})
    except (av.FFmpegError, OSError):
        return  # a kind that FFmpeg does not know is no damage
    with container:
        streams = [s for s in container.streams.video if s.codec_context and s.codec_context.name == "hevc"]
        for stream in streams:
            stream.codec_context.options = {"err_detect": "explode"}
            stream.codec_context.thread_count = 1
        try:
            for packet in container.demux(streams) if streams else ():
                packet.decode()
        except av.InvalidDataError as err:
            raise ValueError("its HEVC data are invalid") from err
        except av.FFmpegError:
            return


CHECKS: dict[str, Callable[[bytes], None]] = {
    "PNG": _require_png,
    "GIF": _require_gif,
    "WEBP": _require_riff,
    "TIFF": require_whole_tiff,
    "AVIF": _require_boxes,
    "HEIF": _require_heif,
}


def _load_tiff(image: Image.Image) -> None:
    """Load a picture whose decoder writes errors to standard error, of which Pillow reports only some.

    Lines that other threads write meanwhile are passed on.
    """
    failed, lines = _load_with_errors(image)
    errors = [line for line in lines if DECODER.match(line)]
    others = "".join(f"{line}\n" for line in lines if not LIBTIFF.match(line))
    if others:
        os.write(STDERR, others.encode(errors="surrogateescape"))
    if failed is not None or errors:
        message = next((line for line in reversed(lines) if LIBTIFF.match(line)), str(failed))
        raise ValueError(message) from failed


def _load_with_errors(image: Image.Image) -> tuple[OSError | None, list[str]]:
    """Load a picture: the error that ended it, if any, and the lines written to standard error meanwhile."""
    failed = None
    with _stderr, ExitStack() as after:  # all under the lock: a copy taken before it may be another thread's file
        try:
            shown = os.dup(STDERR)
        except OSError:  # it is closed
            image.load()
            return None, []
        after.callback(os.close, shown)
        held = after.enter_context(tempfile.TemporaryFile())
        os.dup2(held.fileno(), STDERR)
        try:
            image.load()
        except OSError as err:
            failed = err
        finally:
            os.dup2(shown, STDERR)
        held.seek(0)
        return failed, held.read().decode(errors="surrogateescape").splitlines()
