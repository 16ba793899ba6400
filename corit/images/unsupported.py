"""Errors for files that cannot be read as pictures: what each one is by its first bytes, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Collection

from corit.errors import InputError, UnreadableError, UnsupportedError
from corit.images.signatures import AVIF_BRANDS, HEIC_BRANDS, brand_of, description_of
from corit.images.tiff import EXPORT, describes_picture
from corit.images.tiff_check import require_whole_tiff
from corit.images.tiff_directories import BYTE_ORDERS

# Pillow's formats without a decoder of its own.
NO_DECODER = {
    "BUFR": "a BUFR data file",
    "EPS": "a PostScript document",
    "GRIB": "a GRIB data file",
    "HDF5": "an HDF5 data file",
    "MPEG": "an MPEG video",
    "WMF": "a Windows metafile",
}
SVG = re.compile(rb"(<\?xml.*?)?(<!--.*?-->\s*)*(<!doctype svg.*?>\s*)?<svg[\s>]", re.DOTALL | re.IGNORECASE)
PAGE = re.compile(rb"(<!doctype html|<html)[\s>]", re.IGNORECASE)
TEXT = 4096  # bytes that are searched for the first tag of a document


def require_not_raw(data: bytes, name: str) -> None:
    """Refuse raw files and PostScript: of raw files Pillow would read the thumbnail instead of the picture.

    Args:
        data: the bytes of the file.
        name: the file's name, for the message.

    Raises:
        UnsupportedError: when the file is a camera's raw file or a PostScript document.
    """
    if kind := description_of(data, "raw"):
        raise _unsupported(name, kind)


def require_decoder(image_format: str | None, name: str) -> None:
    """Refuse a format that Pillow recognises and cannot decode.

    Args:
        image_format: Pillow's name of the format.
        name: the file's name, for the message.

    Raises:
        UnsupportedError: when Pillow has no decoder of its own for the format.
    """
    if kind := NO_DECODER.get(image_format or ""):
        raise _unsupported(name, kind)


def unsupported_error(data: bytes, name: str, suffixes: Collection[str], heic: bool) -> InputError:
    """Make the error for a file that no decoder recognises.

    Args:
        data: the bytes of the file.
        name: the file's name, for the message.
        suffixes: suffixes of picture files.
        heic: whether HEIC pictures can be read here.

    Returns:
        UnreadableError for a damaged picture, and for a file with a picture's suffix and other bytes; UnsupportedError
        for every other file.
    """
    brand = brand_of(data)
    if brand in HEIC_BRANDS and not heic:
        return UnsupportedError(f"{name} is a HEIC picture; to read it: pip install 'corit[heic]'")
    if brand in HEIC_BRANDS | AVIF_BRANDS:
        return UnreadableError(f"{name} is damaged or cut short: its headers cannot be read")
    if kind := description_of(data, "unsupported") or _drawing(data):
        return _unsupported(name, kind)
    other = description_of(data, "other") or description_of(data, "video")
    if kind := other or _page(data) or ("a video" if brand else ""):
        return UnsupportedError(f"expected a picture, but {name} is {kind}")
    if data[:4] in BYTE_ORDERS and (error := _tiff(data, name)):
        return error
    if name.lower().endswith(tuple(suffixes)):
        return UnreadableError(f"{name} is called a picture, but its bytes are not one")
    return UnsupportedError(f"expected a picture, but {name} is of no kind that can be read")


def _tiff(data: bytes, name: str) -> InputError | None:
    """The error for a TIFF file that Pillow does not recognise: damaged, or with pixels of another kind."""
    try:
        require_whole_tiff(data)
    except ValueError as err:
        return UnreadableError(f"{name} is damaged or cut short: {err}")
    if not describes_picture(data):
        return None
    return UnsupportedError(f"{name} is a TIFF file of a kind that cannot be read; save it with 8 or 16 bits a channel")


def _unsupported(name: str, kind: str) -> UnsupportedError:
    return UnsupportedError(f"{name} is {kind}, which is not supported; {EXPORT}")


def _drawing(data: bytes) -> str:
    return "an SVG drawing" if SVG.match(_text(data)) else ""


def _page(data: bytes) -> str:
    return "a web page" if PAGE.match(_text(data)) else ""


def _text(data: bytes) -> bytes:
    return data[:TEXT].removeprefix(b"\xef\xbb\xbf").lstrip()
