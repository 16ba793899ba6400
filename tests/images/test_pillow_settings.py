"""Pillow by our rules: nothing on standard error, our limit of size alone, and all as it was before afterwards."""

from __future__ import annotations

import logging
import struct
import warnings
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageFile

from corit.errors import UnreadableError, UnsupportedError
from corit.images.header import Header, frames_in, read_header
from corit.images.picture import decode
from corit.images.pillow_settings import PILLOW_SETTINGS

PIXELS = np.arange(40 * 50 * 3, dtype=np.uint32).reshape(40, 50, 3).astype(np.uint8)


def encoded(kind, **options):
    out = BytesIO()
    Image.fromarray(PIXELS).save(out, kind, **options)
    return out.getvalue()


def settings():
    return (
        Image.MAX_IMAGE_PIXELS,
        ImageFile.LOAD_TRUNCATED_IMAGES,
        list(warnings.filters),
        logging.getLogger("PIL").handlers[:],
    )


def test_settings_hold_until_the_last_thread_leaves(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1234)
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    before = settings()
    PILLOW_SETTINGS.__enter__()
    PILLOW_SETTINGS.__enter__()
    inside = settings()
    PILLOW_SETTINGS.__exit__()
    assert settings() == inside
    assert inside[:2] == (None, False)
    assert inside[2][0][0] == "ignore"
    assert isinstance(inside[3][-1], logging.NullHandler)
    PILLOW_SETTINGS.__exit__()
    assert settings() == before


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"])
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("most", [10, 1500])  # Pillow raises an error above twice its limit, and warns below that
def test_pillows_limit_of_size_is_none_of_ours(kind, most, monkeypatch, tmp_path):
    data = encoded(kind)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", most)
    assert decode(data).pixels.shape == (40, 50, 3)
    (tmp_path / "a").write_bytes(data)
    header = read_header(str(tmp_path / "a"))
    assert header is not None
    assert (header.width, header.height, header.kind) == (50, 40, kind.lower())
    with pytest.raises(UnreadableError, match="x would unpack to 50 x 40 pixels, more than 0.0019 million"):
        decode(data, "x", megapixels=0.0019)
    assert decode(data, megapixels=0.002).pixels.shape == (40, 50, 3)
    assert most == Image.MAX_IMAGE_PIXELS


def test_frames_are_counted_above_pillows_limit(monkeypatch, tmp_path):
    moving = [Image.fromarray(np.roll(PIXELS, k, 0)) for k in range(3)]
    moving[0].save(tmp_path / "a.gif", save_all=True, append_images=moving[1:])
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert frames_in(str(tmp_path / "a.gif")) == 3


@pytest.mark.filterwarnings("error")
def test_headers_are_read_without_a_word(tmp_path, capfd):
    cut = encoded("JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12")
    (tmp_path / "a.jpg").write_bytes(cut)
    assert read_header(str(tmp_path / "a.jpg")) == Header(50, 40, "jpeg", 75)
    assert frames_in(str(tmp_path / "a.jpg")) == 1
    entries = [(256, 4, 1, 9), (257, 4, 1, 9), (258, 3, 1, 8), (262, 3, 1, 1), (273, 4, 1, 8), (277, 3, 1, 999)]
    many = b"II*\0\x08\0\0\0" + struct.pack("<H", 6) + b"".join(struct.pack("<HHII", *e) for e in entries) + bytes(4)
    (tmp_path / "b.tif").write_bytes(many)
    assert read_header(str(tmp_path / "b.tif")) is None
    with pytest.raises(UnsupportedError, match="TIFF file of a kind that cannot be read"):
        decode(many, "b.tif")
    assert capfd.readouterr() == ("", "")
