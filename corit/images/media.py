"""Decode pictures from files and bytes: what is inside decides, not what the name says."""

from __future__ import annotations

import hashlib
import os
import stat
import warnings
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from corit.errors import InputError, TooSmallError, UnreadableError, UnsupportedError
from corit.images.display import eight_bits, still
from corit.images.pages import note_of
from corit.images.tiff import describes_picture, main_picture

SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp", ".avif", ".heic", ".heif")
)
MEGAPIXELS = 200.0
MEGABYTES = 500.0
# Signatures of files that people hand in and that are not pictures, so that the message can say what came.
FOREIGN = {b"%PDF": "a PDF document", b"PK\x03\x04": "a ZIP archive", b"\x1aE\xdf\xa3": "a Matroska or WebM video"}


@dataclass(frozen=True)
class Picture:
    """One decoded picture.

    `pixels` is (H, W, 3) uint8 sRGB as a viewer shows it: see `corit.images.display`. `landmarks` is (P, 2) float32
    x, y in pixels of this picture, or None. `mask` is (H, W) bool, a foreground that somebody already knows, or None.
    `aligned` says that the picture already is a face crop in the template's pose, so that no face is looked for.
    `digest` is the SHA-256 of the file, if any. `note` says in words what a reader of the result must know of how the
    picture was read; empty for nothing.
    """

    pixels: np.ndarray
    landmarks: np.ndarray | None = None
    mask: np.ndarray | None = None
    aligned: bool = False
    digest: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if self.pixels.dtype != np.uint8 or self.pixels.ndim != 3 or self.pixels.shape[2] != 3:
            raise ValueError(f"pixels must be (H, W, 3) uint8, got {self.pixels.shape} {self.pixels.dtype}")
        if self.landmarks is not None and (self.landmarks.ndim != 2 or self.landmarks.shape[1] != 2):
            raise ValueError(f"landmarks must be (P, 2), got {self.landmarks.shape}")
        if self.mask is not None and self.mask.shape != self.pixels.shape[:2]:
            raise ValueError(f"mask must be {self.pixels.shape[:2]}, got {self.mask.shape}")


def read_picture(path: Path | str, *, megapixels: float = MEGAPIXELS) -> Picture:
    """Decode a picture file. Raises InputError's kinds: see `decode`."""
    path = Path(path)
    try:
        mode = os.stat(path)
        if stat.S_ISDIR(mode.st_mode):
            os.scandir(path).close()  # a folder that is listed as an input is mostly one that cannot be opened
        if not stat.S_ISREG(mode.st_mode):
            raise UnreadableError(f"expected a picture file, but {path.name} is not a regular file")
        if mode.st_size > MEGABYTES * 1e6:
            raise UnreadableError(f"expected at most {MEGABYTES:g} MB, but {path.name} has {mode.st_size / 1e6:.0f} MB")
        data = path.read_bytes()
    except OSError as err:
        raise UnreadableError(f"{path.name} cannot be read: {err.strerror}") from err
    return decode(data, path.name, megapixels=megapixels)


def decode(data: bytes, name: str = "", *, megapixels: float = MEGAPIXELS) -> Picture:
    """Decode JPEG, PNG, WebP, GIF, TIFF, BMP, AVIF, and HEIC where pillow-heif is installed.

    The picture comes as a viewer shows it, see `corit.images.display`: of several, the first that is of full
    resolution, or the primary one; the note says what is left out. Raises UnreadableError for damaged, cut or oversized
    files, UnsupportedError for other kinds and for raw files of cameras, TooSmallError for an empty picture.
    """
    if not data:
        raise UnreadableError(f"{name or 'the file'} is empty")
    _heif(data)
    try:
        main, left_out = main_picture(data, name)
        image, more = _loaded(main, name, megapixels)
        if min(image.size) < 1:
            raise TooSmallError("the picture has no pixels")
        pixels, how = still(image, data)
    except InputError:
        raise
    except UnidentifiedImageError as err:
        raise _unidentified(data, name) from err
    # Nearly always OSError, ValueError, SyntaxError or DecompressionBombError, but decoders raise what they like of
    # damaged bytes: RuntimeError (AVIF), struct.error (EXIF), NotImplementedError (DDS), KeyError and more. One picture
    # of a folder must not end the others, and nothing is put in its place.
    except Exception as err:
        raise UnreadableError(f"{name} is damaged or cut short: {err}") from err
    note = "; ".join(filter(None, (left_out, more, how)))
    return Picture(pixels, digest=hashlib.sha256(data).hexdigest(), note=note)


def _loaded(data: bytes, name: str, megapixels: float) -> tuple[Image.Image, str]:
    """The first frame of a picture, upright, and what is to be said of how it was taken."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of sizes, which are checked here, and of damage, of which the status tells
        image: Image.Image = Image.open(BytesIO(data))
        if image.width * image.height > megapixels * 1e6:
            raise UnreadableError(
                f"{name} would unpack to {image.width} x {image.height} pixels, more than {megapixels:g} million; "
                "shrink it first"
            )
        note = note_of(image)
        image.load()
        image, shades = eight_bits(image)
        return ImageOps.exif_transpose(image), "; ".join(filter(None, (note, shades)))


def _unidentified(data: bytes, name: str) -> UnreadableError | UnsupportedError:
    kind = next((words for magic, words in FOREIGN.items() if data.startswith(magic)), None)
    brand = data[4:12]
    if brand.startswith(b"ftyp"):
        if brand[4:] in (b"heic", b"heix", b"mif1", b"msf1", b"hevc"):
            return UnsupportedError(f"{name} is a HEIC picture; to read it: pip install 'corit[heic]'")
        kind = "a video"
    if kind:
        return UnsupportedError(f"expected a picture, but {name} is {kind}")
    if describes_picture(data):
        return UnsupportedError(
            f"{name} is a TIFF file of a kind that cannot be read; save it with 8 or 16 bits a channel"
        )
    if name.lower().endswith(tuple(SUFFIXES)):
        return UnreadableError(f"{name} is called a picture, but its bytes are not one")
    return UnsupportedError(f"expected a picture, but {name} is of no kind that can be read")


def _heif(data: bytes) -> None:
    """Let Pillow read HEIC, if the file looks like one and the library is installed."""
    if data[4:8] != b"ftyp":
        return
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return
    register_heif_opener()
