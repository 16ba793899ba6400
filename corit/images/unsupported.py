"""What a file is that cannot be read as a picture, by its first bytes, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Collection

from corit.errors import InputError, UnreadableError, UnsupportedError
from corit.images.tiff import EXPORT, MAGIC, describes_picture
from corit.images.tiff_parts import require_whole_tiff

# Signatures as (offset, bytes, words). Of raw files Pillow would read the thumbnail, and hand PostScript to another
# program; the rest it does not know, or has no decoder for.
CLOSED = (
    (0, b"II*\0\x10\0\0\0CR\x02", "a Canon raw picture (CR2)"),
    (4, b"ftypcrx ", "a Canon raw picture or video (CR3, CRM)"),
    (0, b"II\x1a\0\0\0HEAPCCDR", "a Canon raw picture (CRW)"),
    (0, b"FUJIFILMCCD-RAW", "a Fujifilm raw picture (RAF)"),
    (0, b"IIRO", "an Olympus raw picture (ORF)"),
    (0, b"IIRS", "an Olympus raw picture (ORF)"),
    (0, b"MMOR", "an Olympus raw picture (ORF)"),
    (0, b"IIU\0", "a Panasonic or Leica raw picture (RW2)"),
    (0, b"FOVb", "a Sigma raw picture (X3F)"),
    (0, b"\0MRM", "a Minolta raw picture (MRW)"),
    (0, b"%!PS", "a PostScript document"),
    (0, b"\xc5\xd0\xd3\xc6", "a PostScript document"),
)
PICTURES = (
    (0, b"\xff\x0a", "a JPEG XL picture"),
    (0, b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (0, b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (0, b"II\xbc", "a JPEG XR picture"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"v/1\x01", "an OpenEXR picture"),
    (0, b"#?RADIANCE", "a Radiance HDR picture"),
)
OTHERS = (
    (0, b"%PDF", "a PDF document"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"Rar!", "a RAR archive"),
    (0, b"7z\xbc\xaf", "a 7-Zip archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
)
# Of Pillow's formats those without a decoder of its own.
STUBS = {
    "BUFR": "a BUFR data file",
    "EPS": "a PostScript document",
    "GRIB": "a GRIB data file",
    "HDF5": "an HDF5 data file",
    "MPEG": "an MPEG video",
    "WMF": "a Windows metafile",
}
HEIC = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"))
AVIF = frozenset((b"avif", b"avis"))
SVG = re.compile(rb"(<\?xml.*?)?(<!--.*?-->\s*)*(<!doctype svg.*?>\s*)?<svg[\s>]", re.DOTALL | re.IGNORECASE)
PAGE = re.compile(rb"(<!doctype html|<html)[\s>]", re.IGNORECASE)
TEXT = 4096  # bytes in which a document says what it is


def require_open_kind(data: bytes, name: str) -> None:
    """Raise an error for a file of which not the picture, but a thumbnail or nothing would be read.

    Args:
        data: the file.
        name: what to call it.

    Raises:
        UnsupportedError: it is a raw file of a camera, or a document.
    """
    if kind := _kind(data, CLOSED):
        raise _unsupported(name, kind)


def require_decoder(image_format: str | None, name: str) -> None:
    """Raise an error for one of Pillow's formats that it recognises and cannot decode.

    Args:
        image_format: as Pillow calls it.
        name: what to call the file.

    Raises:
        UnsupportedError: it is such a format.
    """
    if kind := STUBS.get(image_format or ""):
        raise _unsupported(name, kind)


def refusal(data: bytes, name: str, suffixes: Collection[str], heic: bool) -> InputError:
    """The error for a file that no decoder recognises.

    Args:
        data: the file.
        name: what to call it.
        suffixes: those of pictures.
        heic: whether HEIC pictures can be read here.

    Returns:
        UnreadableError where it is or is called a picture of a kind that can be read, else UnsupportedError.
    """
    brand = data[8:12] if data[4:8] == b"ftyp" else b""
    if brand in HEIC and not heic:
        return UnsupportedError(f"{name} is a HEIC picture; to read it: pip install 'corit[heic]'")
    if brand in HEIC | AVIF:
        return UnreadableError(f"{name} is damaged or cut short: its headers cannot be read")
    if kind := _kind(data, PICTURES) or _drawing(data):
        return _unsupported(name, kind)
    if kind := _kind(data, OTHERS) or _page(data) or ("a video" if brand else ""):
        return UnsupportedError(f"expected a picture, but {name} is {kind}")
    if data[:4] in MAGIC and (error := _tiff(data, name)):
        return error
    if name.lower().endswith(tuple(suffixes)):
        return UnreadableError(f"{name} is called a picture, but its bytes are not one")
    return UnsupportedError(f"expected a picture, but {name} is of no kind that can be read")


def _tiff(data: bytes, name: str) -> InputError | None:
    """The error for a TIFF file that Pillow does not know: of another kind, or because it is damaged."""
    try:
        require_whole_tiff(data)
    except ValueError as err:
        return UnreadableError(f"{name} is damaged or cut short: {err}")
    if not describes_picture(data):
        return None
    return UnsupportedError(f"{name} is a TIFF file of a kind that cannot be read; save it with 8 or 16 bits a channel")


def _unsupported(name: str, kind: str) -> UnsupportedError:
    return UnsupportedError(f"{name} is {kind}, which is not supported; {EXPORT}")


def _kind(data: bytes, signatures: tuple[tuple[int, bytes, str], ...]) -> str:
    return next((words for at, magic, words in signatures if data.startswith(magic, at)), "")


def _drawing(data: bytes) -> str:
    return "an SVG drawing" if SVG.match(_text(data)) else ""


def _page(data: bytes) -> str:
    return "a web page" if PAGE.match(_text(data)) else ""


def _text(data: bytes) -> bytes:
    return data[:TEXT].removeprefix(b"\xef\xbb\xbf").lstrip()
