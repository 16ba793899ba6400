"""What is no picture that can be read is named by its first bytes, with what to do about it."""

from __future__ import annotations

import sys

import pytest
from images import video_files

from corit.errors import UnreadableError, UnsupportedError
from corit.images.picture import decode
from corit.images.video import VideoFile, is_video_file

EXPORT = "which is not supported; export it as JPEG, PNG or TIFF"
REST = bytes(64)
CR3 = (24).to_bytes(4) + b"ftypcrx \0\0\0\1crx isom" + (16).to_bytes(4) + b"moov" + bytes(8)
UNSUPPORTED = {
    "a.cr2": (b"II*\0\x10\0\0\0CR\2\0" + REST, "a Canon raw picture (CR2)"),
    "a.cr3": (CR3 + REST, "a Canon raw picture or video (CR3, CRM)"),
    "a.crw": (b"II\x1a\0\0\0HEAPCCDR" + REST, "a Canon raw picture (CRW)"),
    "a.raf": (b"FUJIFILMCCD-RAW 0201" + REST, "a Fujifilm raw picture (RAF)"),
    "a.orf": (b"IIRO\x08\0\0\0" + REST, "an Olympus raw picture (ORF)"),
    "b.orf": (b"IIRS\x08\0\0\0" + REST, "an Olympus raw picture (ORF)"),
    "c.orf": (b"MMOR\0\0\0\x08" + REST, "an Olympus raw picture (ORF)"),
    "a.rw2": (b"IIU\0\x18\0\0\0" + REST, "a Panasonic or Leica raw picture (RW2)"),
    "a.x3f": (b"FOVb\0\0\3\0" + REST, "a Sigma raw picture (X3F)"),
    "a.mrw": (b"\0MRM\0\0\0\0" + REST, "a Minolta raw picture (MRW)"),
    "a.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "a PostScript document"),
    "b.eps": (b"\xc5\xd0\xd3\xc6" + REST, "a PostScript document"),
    "a.jxl": (b"\xff\x0a" + REST, "a JPEG XL picture"),
    "b.jxl": (b"\0\0\0\x0cJXL \r\n\x87\n" + REST, "a JPEG XL picture"),
    "a.jp2": (b"\0\0\0\x0cjP  \r\n\x87\n" + REST, "a JPEG 2000 picture"),
    "a.jxr": (b"II\xbc\1" + REST, "a JPEG XR picture"),
    "a.psd": (b"8BPS\0\7" + REST, "a Photoshop document"),
    "a.exr": (b"v/1\1\2\0\0\0" + REST, "an OpenEXR picture"),
    "a.hdr": (b"#?RADIANCE\n" + REST, "a Radiance HDR picture"),
    "a.svg": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG drawing"),
    "b.svg": (b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- drawn -->\n<!DOCTYPE svg>\n<svg width="9"/>', "an SVG drawing"),
    "a.mpg": (b"\0\0\1\xb3\x01\x00\x10\x13" + REST, "an MPEG video"),
    "a.grib": (b"GRIB\0\0\0\1" + REST, "a GRIB data file"),
}
OTHERS = {
    "a.jpg": (b"<!DOCTYPE html><html>", "a web page"),
    "a.zip": (b"PK\x03\x04" + REST, "a ZIP archive"),
    "a.rar": (b"Rar!\x1a\7\0" + REST, "a RAR archive"),
    "a.7z": (b"7z\xbc\xaf\x27\x1c" + REST, "a 7-Zip archive"),
    "a.gz": (b"\x1f\x8b\x08" + REST, "a gzip archive"),
    "a.webm": (b"\x1aE\xdf\xa3" + REST, "a Matroska or WebM video"),
    "a.avi": (b"RIFF\x40\0\0\0AVI LIST" + REST, "an AVI video"),
    "a.wmv": (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + REST, "a Windows Media video"),
    "a.flv": (b"FLV\x01\x05" + REST, "a Flash video"),
    "a.ogv": (b"OggS\0\2" + REST, "an Ogg video"),
    "a.mp4": (b"\0\0\0\x18ftypisom" + REST, "a video"),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_other_picture_kinds_are_refused_with_advice(name):
    data, kind = UNSUPPORTED[name]
    with pytest.raises(UnsupportedError) as caught:
        decode(data, name)
    assert str(caught.value) == f"{name} is {kind}, {EXPORT}"


@pytest.mark.parametrize("name", OTHERS)
def test_files_that_are_no_pictures_are_refused_by_kind(name):
    data, kind = OTHERS[name]
    with pytest.raises(UnsupportedError) as caught:
        decode(data, name)
    assert str(caught.value) == f"expected a picture, but {name} is {kind}"


def test_a_text_that_tells_of_svg_is_no_drawing():
    with pytest.raises(UnreadableError, match="bytes are not one"):
        decode(b"<?xml version='1.0'?><feed>&lt;svg&gt;</feed>", "a.png")


@pytest.mark.parametrize("brand", [b"heic", b"hevx", b"mif1"])
def test_heic_without_headers_is_damaged_where_heic_is_supported(brand, monkeypatch):
    data = b"\0\0\0\x18ftyp" + brand + bytes(40)
    pytest.importorskip("pillow_heif")
    with pytest.raises(UnreadableError, match="a.heic is damaged or cut short"):
        decode(data, "a.heic")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.setattr("PIL.Image.ID", ["PNG"])  # as if it had never been imported
    with pytest.raises(UnsupportedError, match=r"pip install 'corit\[heic\]'"):
        decode(data, "a.heic")


def test_avif_whose_headers_are_lost_is_damaged():
    with pytest.raises(UnreadableError, match="a.avif is damaged or cut short"):
        decode(b"\0\0\0\x18ftypavif" + bytes(40), "a.avif")


def test_a_raw_file_in_the_container_of_videos_is_none(tmp_path):
    raw = tmp_path / "a.cr3"
    raw.write_bytes(video_files.encode(tmp_path / "a.mp4", "mpeg4").read_bytes().replace(b"ftypisom", b"ftypcrx "))
    assert is_video_file(str(tmp_path / "a.mp4"))
    assert not is_video_file(str(raw))
    with pytest.raises(UnsupportedError, match="a.cr3 is none of these"):
        VideoFile(raw)
