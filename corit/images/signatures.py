"""First bytes of files: the one table that says what a file is, whatever its name says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

Kind = Literal["picture", "video", "raw", "unsupported", "other"]

PNG = b"\x89PNG\r\n\x1a\n"
BRAND = b"ftyp"  # at 4: an MP4-like container, whose brand follows


class Signature(NamedTuple):
    """The kind of file that certain first bytes mean.

    Attributes:
        kind: "picture" and "video" can be read; "raw" are files of which Pillow would read a thumbnail, or which it
            would hand to another program; "unsupported" are pictures without a decoder; "other" are documents and
            archives.
        magic: the bytes.
        offset: where they stand.
        description: what the file is, for messages; "" for files that need no message.
        container: the video decoder's name of the container; "" for files that are no videos.
    """

    kind: Kind
    magic: bytes
    offset: int = 0
    description: str = ""
    container: str = ""


# A file is what the first row that fits says. Files with other first bytes do not reach the video decoder, and it may
# not take them for another container: it would follow playlists, which name other files and hosts, take a picture for a
# video of one frame, and look for videos in the middle of damaged files.
SIGNATURES = (
    Signature("raw", b"II*\0\x10\0\0\0CR\x02", 0, "a Canon raw picture (CR2)"),
    Signature("raw", b"ftypcrx ", 4, "a Canon raw picture or video (CR3, CRM)"),
    Signature("raw", b"II\x1a\0\0\0HEAPCCDR", 0, "a Canon raw picture (CRW)"),
    Signature("raw", b"FUJIFILMCCD-RAW", 0, "a Fujifilm raw picture (RAF)"),
    Signature("raw", b"IIRO", 0, "an Olympus raw picture (ORF)"),
    Signature("raw", b"IIRS", 0, "an Olympus raw picture (ORF)"),
    Signature("raw", b"MMOR", 0, "an Olympus raw picture (ORF)"),
    Signature("raw", b"IIU\0", 0, "a Panasonic or Leica raw picture (RW2)"),
    Signature("raw", b"FOVb", 0, "a Sigma raw picture (X3F)"),
    Signature("raw", b"\0MRM", 0, "a Minolta raw picture (MRW)"),
    Signature("raw", b"%!PS", 0, "a PostScript document"),
    Signature("raw", b"\xc5\xd0\xd3\xc6", 0, "a PostScript document"),
    Signature("picture", b"\xff\xd8\xff"),  # JPEG
    Signature("picture", PNG),
    Signature("picture", b"GIF87a"),
    Signature("picture", b"GIF89a"),
    Signature("picture", b"WEBP", 8),
    Signature("picture", b"II*\0"),  # TIFF, little-endian; many cameras' raw files start so too
    Signature("picture", b"MM\0*"),  # TIFF, big-endian
    Signature("picture", b"ftypavif", 4),
    Signature("picture", b"ftypavis", 4, container="mov"),  # AVIF that moves
    Signature("picture", b"ftypheic", 4),
    Signature("picture", b"ftypheix", 4),
    Signature("picture", b"ftypmif1", 4),
    *(Signature("video", box, 4, container="mov") for box in (BRAND, b"moov", b"mdat", b"free", b"skip", b"wide")),
    Signature("video", b"pnot", 4, container="mov"),
    Signature("video", b"AVI ", 8, "an AVI video", "avi"),
    Signature("video", b"\x1aE\xdf\xa3", 0, "a Matroska or WebM video", "matroska"),
    Signature("video", b"\x00\x00\x01\xba", container="mpeg"),  # program stream
    Signature("video", b"\x00\x00\x01\xb3", container="mpegvideo"),
    Signature("video", b"\x30\x26\xb2\x75", 0, "a Windows Media video", "asf"),  # WMV
    Signature("video", b"FLV", 0, "a Flash video", "flv"),
    Signature("video", b"OggS", 0, "an Ogg video", "ogg"),
    Signature("video", b"GIF8", container="gif"),  # also a picture, as above
    Signature("unsupported", b"\xff\x0a", 0, "a JPEG XL picture"),
    Signature("unsupported", b"\0\0\0\x0cJXL ", 0, "a JPEG XL picture"),
    Signature("unsupported", b"\0\0\0\x0cjP  ", 0, "a JPEG 2000 picture"),
    Signature("unsupported", b"\xff\x4f\xff\x51", 0, "a JPEG 2000 picture"),
    Signature("unsupported", b"II\xbc", 0, "a JPEG XR picture"),
    Signature("unsupported", b"8BPS", 0, "a Photoshop document"),
    Signature("unsupported", b"v/1\x01", 0, "an OpenEXR picture"),
    Signature("unsupported", b"#?RADIANCE", 0, "a Radiance HDR picture"),
    Signature("other", b"%PDF", 0, "a PDF document"),
    Signature("other", b"PK\x03\x04", 0, "a ZIP archive"),
    Signature("other", b"Rar!", 0, "a RAR archive"),
    Signature("other", b"7z\xbc\xaf", 0, "a 7-Zip archive"),
    Signature("other", b"\x1f\x8b", 0, "a gzip archive"),
)
# What decides on the video decoder: containers, and the pictures and raw files that share the container of MP4.
CONTAINERS = tuple(s for s in SIGNATURES if s.container or s.magic.startswith(BRAND))
HEIC_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"))
AVIF_BRANDS = frozenset((b"avif", b"avis"))


def starts_as_picture(head: bytes) -> bool:
    """Whether a file's first 32 bytes or more are those of a picture that can be read; for BMP see `file_kind`."""
    return _first(head, (s for s in SIGNATURES if s.kind == "picture")) is not None


def description_of(head: bytes, kind: Kind) -> str:
    """Say what a file of some kind is, by its first 32 bytes or more; "" where no row of the kind describes it."""
    signature = _first(head, (s for s in SIGNATURES if s.kind == kind and s.description))
    return signature.description if signature else ""


def container_of_head(head: bytes) -> str:
    """Name the video decoder's container for a file's first bytes; "" for files that are no videos."""
    signature = _first(head, CONTAINERS)
    return signature.container if signature else ""


def _first(head: bytes, signatures: Iterable[Signature]) -> Signature | None:
    return next((s for s in signatures if head.startswith(s.magic, s.offset)), None)


def brand_of(head: bytes) -> bytes:
    """Read the brand of an MP4-like container, such as b"heic"; empty for other files."""
    return head[8:12] if head[4:8] == BRAND else b""
