"""Read the header of a picture or video without decoding it: size, kind, and the quality of a JPEG."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import PurePath
from typing import BinaryIO

import numpy as np
from PIL import Image

from corit.errors import InputError
from corit.files import open_regular
from corit.images.display import shown_size, turn_of
from corit.images.multi_picture import moving_frames
from corit.images.picture import MEGABYTES
from corit.images.pillow_settings import PILLOW_SETTINGS
from corit.images.tiff import main_picture
from corit.images.tiff_directories import BYTE_ORDERS
from corit.images.video import VideoFile, is_video_file

# Luminance quantisation of the JPEG standard (annex K.1) at quality 50, as its reference library scales it.
LUMA = np.array(
    [16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29]
    + [51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121]
    + [120, 101, 72, 92, 95, 98, 112, 100, 103, 99]
)


@dataclass(frozen=True)
class Header:
    """What a file's header says.

    Attributes:
        width: in pixels, as the picture is shown.
        height: in pixels, as the picture is shown.
        kind: such as "jpeg", "png" or "mp4".
        quality: of a JPEG, 1 to 100; 0 for other kinds.
    """

    width: int
    height: int
    kind: str
    quality: int = 0


def read_header(path: str) -> Header | None:
    """Read the header of a file.

    Args:
        path: of the file.

    Returns:
        The header; the kind of a video is its suffix. None where there is no picture or video.
    """
    return _picture(path) or _video(path)


def _video(path: str) -> Header | None:
    if not is_video_file(path):
        return None
    try:
        width, height = VideoFile(path).size
    except InputError:
        return None
    return Header(width, height, PurePath(path).suffix[1:].lower())


def _picture(path: str) -> Header | None:
    try:
        with PILLOW_SETTINGS, _main(path) as file, Image.open(file) as image:
            tables = getattr(image, "quantization", None)
            quality = jpeg_quality(next(iter(tables.values()))) if tables else 0
            width, height = shown_size(image.width, image.height, 1.0, turn_of(image))
            return Header(width, height, (image.format or "").lower(), quality)
    except Exception:  # what a decoder raises of damaged bytes is its own choice: see corit.images.picture
        return None


@contextmanager
def _main(path: str) -> Generator[BinaryIO]:
    """Open a file; of a TIFF file open the main picture, which need not be its first."""
    with open_regular(path) as file:
        tiff = (
            file.read(4) in BYTE_ORDERS and os.fstat(file.fileno()).st_size <= MEGABYTES * 1e6
        )  # larger files are not scored
        file.seek(0)
        yield BytesIO(main_picture(file.read())[0]) if tiff else file


def frames_in(path: str) -> int:
    """Count the frames of a picture file; 1 for stills and for files that are not pictures."""
    try:
        with PILLOW_SETTINGS, open_regular(path) as file, Image.open(file) as image:
            return moving_frames(image)
    except Exception:  # as above
        return 1


def jpeg_quality(table: list[int]) -> int:
    """Estimate a JPEG's quality from its luminance table.

    Args:
        table: (64) quantisation steps.

    Returns:
        The quality of 1 to 100 at which the reference library's table has the nearest sum. For tables of other
        programs that is the reference quality of about the same coarseness.
    """
    return int(np.argmin(np.abs(_sums() - sum(table)))) + 1


@cache
def _sums() -> np.ndarray:
    """The table's sum at each quality."""
    return np.array([int(_scaled(q).sum()) for q in range(1, 101)])


def _scaled(quality: int) -> np.ndarray:
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.clip((LUMA * scale + 50) // 100, 1, 255)
