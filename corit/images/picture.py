"""Decode pictures from files and bytes: what is inside decides, not what the name says."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, UnidentifiedImageError

from corit.errors import InputError, TooSmallError, UnreadableError
from corit.images.display import eight_bits, still, turn_of, upright
from corit.images.multi_picture import note_of
from corit.images.pillow_settings import PILLOW_SETTINGS
from corit.images.signatures import BRAND
from corit.images.strict_decoding import is_plain_jpeg, load_plain_jpeg, load_whole
from corit.images.tiff import main_picture
from corit.images.unsupported import require_decoder, require_not_raw, unsupported_error

if TYPE_CHECKING:
    from corit.images.faces import Face

SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp", ".avif", ".heic", ".heif")
)
DRAWN = "drawn faces of the miniature world"  # a domain, of pictures and of what a detector was trained on
MEGAPIXELS = 200.0
MEGABYTES = 500.0


@dataclass(frozen=True)
class Picture:
    """One decoded picture.

    Attributes:
        pixels: (H, W, 3) uint8 sRGB, as a viewer shows them; see `corit.images.display`.
        landmarks: (P, 2) float32, x and y in pixels of this picture, or None.
        mask: (H, W) bool, a known foreground, or None.
        aligned: whether the picture is a face crop in the template's pose already; then no face is looked for.
        digest: SHA-256 of the file, "" without a file.
        note: what a reader of the result must know of how the picture was read, "" for nothing.
        domain: what kind of picture it is where its source knows, such as `DRAWN`; "" for pictures from files.
        faces: the faces that were found, so that none are looked for again; None where nobody looked.
    """

    pixels: np.ndarray
    landmarks: np.ndarray | None = None
    mask: np.ndarray | None = None
    aligned: bool = False
    digest: str = ""
    note: str = ""
    domain: str = ""
    faces: tuple[Face, ...] | None = None

    def __post_init__(self) -> None:
        if self.pixels.dtype != np.uint8 or self.pixels.ndim != 3 or self.pixels.shape[2] != 3:
            raise ValueError(f"pixels must be (H, W, 3) uint8, got {self.pixels.shape} {self.pixels.dtype}")
        if self.landmarks is not None and (self.landmarks.ndim != 2 or self.landmarks.shape[1] != 2):
            raise ValueError(f"landmarks must be (P, 2), got {self.landmarks.shape}")
        if self.mask is not None and self.mask.shape != self.pixels.shape[:2]:
            raise ValueError(f"mask must be {self.pixels.shape[:2]}, got {self.mask.shape}")


def join_notes(*notes: str) -> str:
    """Join notes, without empty ones; see `Picture.note`."""
    return "; ".join(filter(None, notes))


def read_picture(path: Path | str, *, megapixels: float = MEGAPIXELS) -> Picture:
    """Decode a picture file.

    Args:
        path: of the file.
        megapixels: the most that the picture may unpack to, in million pixels.

    Returns:
        The picture as a viewer shows it; see `decode`.

    Raises:
        UnreadableError: when the file is missing, not a regular file, too large, damaged or cut short.
        UnsupportedError: when the file is of another kind.
        TooSmallError: when the picture has no pixels.
    """
    path = Path(path)
    try:
        mode = os.stat(path)
        if stat.S_ISDIR(mode.st_mode):
            os.scandir(path).close()  # a folder as an input is mostly one that cannot be opened
        if not stat.S_ISREG(mode.st_mode):  # reading a named pipe may never end
            raise UnreadableError(f"expected a picture file, but {path.name} is not a regular file")
        if mode.st_size > MEGABYTES * 1e6:
            raise UnreadableError(f"expected at most {MEGABYTES:g} MB, but {path.name} has {mode.st_size / 1e6:.0f} MB")
        data = path.read_bytes()
    except OSError as err:
        raise UnreadableError(f"{path.name} cannot be read: {err.strerror}") from err
    return decode(data, path.name, megapixels=megapixels)


def decode(data: bytes, name: str = "", *, megapixels: float = MEGAPIXELS) -> Picture:
    """Decode JPEG, PNG, WebP, GIF, TIFF, BMP, AVIF, and HEIC where pillow-heif is installed.

    The picture comes as a viewer shows it; see `corit.images.display`. Of several pictures in a file it is the primary
    one, or the first of full resolution; the note says what is left out.

    Args:
        data: the bytes of the file.
        name: the file's name, for messages.
        megapixels: the most that the picture may unpack to, in million pixels.

    Returns:
        The picture.

    Raises:
        UnreadableError: when the file is empty, damaged, cut short or too large.
        UnsupportedError: when the file is of another kind, or a camera's raw file.
        TooSmallError: when the picture has no pixels.
    """
    if not data:
        raise UnreadableError(f"{name or 'the file'} is empty")
    require_not_raw(data, name)
    heic = _heif(data)
    try:
        main, left_out = main_picture(data, name)
        loaded, more = _loaded(main, name, megapixels)
        pixels, how = (loaded, "") if isinstance(loaded, np.ndarray) else still(loaded, data)
    except InputError:
        raise
    except UnidentifiedImageError as err:
        raise unsupported_error(data, name, SUFFIXES, heic) from err
    # Nearly always OSError, ValueError, SyntaxError or DecompressionBombError, but decoders raise what they like of
    # damaged bytes: RuntimeError (AVIF), struct.error (EXIF), NotImplementedError (DDS), KeyError and more. One picture
    # of a folder must not end the others, and nothing is put in its place.
    except Exception as err:
        raise UnreadableError(f"{name} is damaged or cut short: {err}") from err
    note = join_notes(left_out, more, how)
    return Picture(pixels, digest=hashlib.sha256(data).hexdigest(), note=note)


def _loaded(data: bytes, name: str, megapixels: float) -> tuple[Image.Image | np.ndarray, str]:
    """The first frame of a picture, upright, or its final pixels; and the note on it."""
    with PILLOW_SETTINGS:
        image: Image.Image = Image.open(BytesIO(data))
        require_decoder(image.format, name)
        if image.width * image.height > megapixels * 1e6:
            raise UnreadableError(
                f"{name} would unpack to {image.width} x {image.height} pixels, more than {megapixels:g} million; "
                "shrink it first"
            )
        if min(image.size) < 1:
            raise TooSmallError("the picture has no pixels")
        note, turn = note_of(image), turn_of(image)
        if is_plain_jpeg(image):
            return load_plain_jpeg(image, data), note
        image, shades = eight_bits(load_whole(image, data))
        return upright(image, turn), join_notes(note, shades)


def _heif(data: bytes) -> bool:
    """Register the HEIC decoder if the file looks like HEIC; whether the file does and the library is installed."""
    if data[4:8] != BRAND:
        return False
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener()
    return True
