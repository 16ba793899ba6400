from __future__ import annotations

import os
import struct
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from corit.errors import DataError, UnreadableError, UnsupportedError
from corit.images import faces
from corit.images.header import read_header
from corit.images.picture import decode, read_picture
from corit.seeding import generator

PIXELS = generator("picture").integers(0, 256, (24, 36, 3), dtype=np.uint8)


def encoded(image, kind, **kw):
    out = BytesIO()
    image.save(out, kind, **kw)
    return out.getvalue()


RGB = Image.fromarray(PIXELS)
EXACT = {
    "png": encoded(RGB, "PNG"),
    "bmp": encoded(RGB, "BMP"),
    "tiff": encoded(RGB, "TIFF"),
    "webp": encoded(RGB, "WEBP", lossless=True),
}


@pytest.mark.parametrize("kind", EXACT)
def test_lossless_kinds_come_back_whatever_the_name_says(kind):
    found = decode(EXACT[kind], "wrong.jpg")
    assert np.array_equal(found.pixels, PIXELS)
    assert len(found.digest) == 64


@pytest.mark.parametrize("kind", ["JPEG", "GIF", "AVIF"])
def test_lossy_kinds_come_back_nearly(kind):
    smooth = Image.fromarray(PIXELS).resize((6, 4)).resize((36, 24), Image.Resampling.BICUBIC)
    found = decode(encoded(smooth, kind), "x")
    assert np.abs(found.pixels.astype(int) - np.asarray(smooth)).mean() < 8


def test_grey_alpha_palette_and_deep_pictures_become_rgb():
    grey = PIXELS[..., 0]
    assert np.array_equal(decode(encoded(Image.fromarray(grey), "PNG")).pixels[..., 1], grey)
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    assert np.array_equal(decode(encoded(deep, "PNG")).pixels[..., 2], grey)
    clear = np.dstack([PIXELS, np.zeros(PIXELS.shape[:2], np.uint8)])
    assert (decode(encoded(Image.fromarray(clear), "PNG")).pixels == 255).all()
    assert decode(encoded(RGB.quantize(), "PNG")).pixels.shape == PIXELS.shape


def test_orientation_is_respected():
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode(encoded(RGB, "PNG", exif=exif)).pixels.shape == (36, 24, 3)


def damaged(kind):
    """Pictures of which Pillow's decoders raise what is neither an OSError nor a ValueError."""
    if kind == "AVIF":  # RuntimeError
        data = encoded(RGB, kind)
        at = data.find(b"mdat") + 4
        return data[:at] + bytes(16) + data[at + 16 :]
    if kind == "DDS":  # NotImplementedError
        data = bytearray(encoded(RGB, kind))
        data[80:88] = b"\4\0\0\0ZZZZ"
        return bytes(data)
    raise AssertionError(kind)


@pytest.mark.parametrize("kind", ["AVIF", "DDS"])
def test_whatever_a_decoder_raises_is_of_its_picture_alone(kind, tmp_path):
    with pytest.raises(UnreadableError, match="x is damaged or cut short"):
        decode(damaged(kind), "x")
    (tmp_path / "x").write_bytes(damaged(kind))
    header = read_header(str(tmp_path / "x"))
    assert header is None or header.kind == kind.lower()


LENGTH_OF_NONE = struct.pack(">HHI4s", 0x103, 4, 1, b"\xff" * 4)  # which Pillow cannot write back
TURNED = struct.pack(">HHI4s", 0x112, 3, 1, b"\0\6\0\0")


@pytest.mark.parametrize(
    ("exif", "turned"),
    [
        (b"MM\0*\0\0\0\x08\0\2" + LENGTH_OF_NONE + TURNED + bytes(4), True),
        (b"MM\0*\0\0\0\x08\0\1" + LENGTH_OF_NONE + bytes(4), False),
        (b"garbage!", False),
        (b"MM\0*\0\0\0\x08\0\1\x01\x12", False),
    ],
)
def test_partly_damaged_exif_data_turn_a_picture_or_are_ignored(exif, turned, tmp_path):
    stored = decode(encoded(RGB, "JPEG")).pixels
    data = encoded(RGB, "JPEG", exif=b"Exif\0\0" + exif)
    assert np.array_equal(decode(data).pixels, np.rot90(stored, -1) if turned else stored)
    (tmp_path / "x.jpg").write_bytes(data)
    header = read_header(str(tmp_path / "x.jpg"))
    assert (header.height, header.width) == decode(data).pixels.shape[:2]


@pytest.mark.filterwarnings("error")
def test_a_decoder_writes_nothing_of_what_it_can_do_without():
    cut = encoded(RGB, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12")
    assert decode(cut).pixels.shape == PIXELS.shape


BAD = {
    "empty": (b"", "x.jpg", UnreadableError, "is empty"),
    "cut": (encoded(RGB, "JPEG")[:400], "x.jpg", UnreadableError, "cut short"),
    "text": (b"hello", "x.jpg", UnreadableError, "bytes are not one"),
    "pdf": (b"%PDF-1.7", "x.jpg", UnsupportedError, "a PDF document"),
    "video": (b"\0\0\0\x18ftypisom" + b"\0" * 20, "x.mp4", UnsupportedError, "a video"),
    "other": (b"hello", "x.doc", UnsupportedError, "no kind"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_picture_is_refused_in_words(name):
    data, label, kind, words = BAD[name]
    with pytest.raises(kind, match=words):
        decode(data, label)


def test_files_that_cannot_be_read_are_refused_in_words(tmp_path, monkeypatch):
    def closed(path):
        raise PermissionError(13, "Permission denied")

    with pytest.raises(UnreadableError, match="No such file"):
        read_picture(tmp_path / "absent.png")
    with pytest.raises(UnreadableError, match="not a regular file"):
        read_picture(tmp_path)
    monkeypatch.setattr(os, "scandir", closed)  # of the mode of a folder nothing is kept from those who run as root
    with pytest.raises(UnreadableError, match="Permission denied"):
        read_picture(tmp_path)
    with pytest.raises(UnreadableError, match="would unpack"):
        decode(EXACT["png"], "bomb.png", megapixels=0.0001)


def test_the_template_is_the_benchmarks():
    expected = [(96.870, 120.433), (158.825, 120.090), (128.044, 155.669), (102.592, 191.939), (153.899, 191.656)]
    assert np.allclose(faces.template(), expected, atol=1e-3)


def test_alignment_is_the_least_squares_similarity(agree):
    from skimage.transform import SimilarityTransform

    rng = generator("align")
    source, target = rng.normal(size=(5, 2)) * 40, rng.normal(size=(5, 2)) * 40
    found = faces.similarity(source, target)
    agree(found, SimilarityTransform.from_estimate(source, target).params[:2], rtol=1e-6, atol=1e-6)


def test_the_five_points_of_81_landmarks_are_those_of_68():
    points = np.stack([np.arange(81.0), -np.arange(81.0)], 1)
    assert faces.five_points(points)[:, 0].tolist() == [37, 44, 30, 49, 55]
    assert np.array_equal(faces.five_points(points), faces.five_points(points[:68]))
    assert np.array_equal(faces.five_points(points[:5]), points[:5])
    mesh = np.arange(478.0)[:, None].repeat(2, 1)
    assert (
        faces.five_points(mesh)[:, 0].tolist() == faces.five_points(mesh[:468])[:, 0].tolist() == [160, 387, 1, 40, 321]
    )


def test_a_real_face_is_found_once_and_brought_into_pose():
    data = pytest.importorskip("skimage.data")
    pixels = data.astronaut()
    found = faces.find_faces(pixels)
    assert len(found) == 1
    crop, points, _ = faces.align(pixels, found[0].landmarks)
    assert crop.shape == (256, 256, 3)
    assert np.abs(faces.five_points(points) - faces.template()).max() < 16
    assert faces.find_faces(data.coffee()) == ()


def test_duplicates_and_odd_landmark_sets():
    big = faces.Face((0, 0, 100, 100), np.zeros((68, 2)), 1.0)
    inner = faces.Face((20, 20, 60, 60), np.zeros((68, 2)), 1.0)
    apart = faces.Face((200, 0, 240, 40), np.zeros((68, 2)), 1.0)
    assert faces.without_duplicates([big, apart, inner]) == (big, apart)
    with pytest.raises(DataError, match="got 7"):
        faces.five_points(np.zeros((7, 2)))
    with pytest.raises(DataError, match=r"face_landmarker\.task"):
        faces.mediapipe_finder(faces.Path("absent.task"))
