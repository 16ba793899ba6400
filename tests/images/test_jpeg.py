"""JPEG: the strict decoder's pixels are Pillow's, damage is an error in its words, and what is harmless is none."""

from __future__ import annotations

import base64
import re
from io import BytesIO

import numpy as np
import pytest
import simplejpeg
from PIL import Image

from corit.errors import UnreadableError
from corit.images.jpeg import decode_jpeg
from corit.images.picture import decode
from corit.seeding import generator

WIDTH, HEIGHT = 83, 61  # no whole number of blocks
NOISE = generator("jpeg").normal(0, 20, (HEIGHT, WIDTH, 3))
SLOPES = np.add.outer(np.arange(HEIGHT), np.arange(WIDTH))[..., None] + np.array([0, 60, 100])
RGB = Image.fromarray(np.clip(SLOPES + NOISE, 0, 255).astype(np.uint8))
EOI = b"\xff\xd9"


def encoded(image=RGB, kind="JPEG", **options):
    out = BytesIO()
    image.save(out, kind, **{"quality": 90, **options})
    return out.getvalue()


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def segment(code, body):
    return bytes([255, code]) + (len(body) + 2).to_bytes(2) + body


def scans(data):
    """Where each scan starts, and the end marker."""
    return [m.start() for m in re.finditer(rb"\xff[\xda\xd9]", data)]


WHOLE = encoded()
END = WHOLE.rindex(EOI)
PROGRESSIVE = encoded(progressive=True)
RESTARTS = encoded(restart_marker_rows=1)
MARKS = [m.start() for m in re.finditer(rb"\xff[\xd0-\xd7]", RESTARTS)]
CMYK = np.concatenate([np.asarray(RGB), np.asarray(RGB)[..., :1] // 4], 2)
# Made by libjpeg-turbo's cjpeg, which writes what Pillow cannot: arithmetic coding, and colours sampled 3x1.
ARITHMETIC = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19iZ2hnPk1x"
    "eXBkeFxlZ2P/yQALCAAQABABAREA/8wABgAQEAX/2gAIAQEAAD8A/wBoq3RnX5RxIT96a8VqEXz/2Q=="
)
SAMPLED_3X1 = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABsSFBcUERsXFhceHBsgKEIrKCUlKFE6PTBCYFVlZF9VXVtqeJmBanGQc1tdhbWGkJ6jq62rZ4C8"
    "ybqmx5moq6T/2wBDARweHigjKE4rK06kbl1upKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKT/wAAR"
    "CAAIABgDATEAAhEBAxEB/8QAFgAAAwAAAAAAAAAAAAAAAAAAAwQF/8QAHBAAAQQDAQAAAAAAAAAAAAAABAACAzEBFDJx/8QAFQEBAQAAAAAA"
    "AAAAAAAAAAAAAAL/xAAbEQACAQUAAAAAAAAAAAAAAAAAAQIDBBIjUf/aAAwDAQACEQMRAD8ARGipVhoqRipdcdz8dcs9S5etrpFOOU0j/9k="
)

LEGAL = {
    "4:4:4": encoded(subsampling=0),
    "4:2:2": encoded(subsampling=1),
    "4:2:0": encoded(subsampling=2),
    "4:1:1": simplejpeg.encode_jpeg(np.array(RGB), colorsubsampling="411"),
    "4:4:0": simplejpeg.encode_jpeg(np.array(RGB), colorsubsampling="440"),
    "coarse": encoded(quality=3),
    "fine": encoded(quality=100),
    "optimised": encoded(optimize=True),
    "progressive": PROGRESSIVE,
    "restart markers": RESTARTS,
    "RGB": encoded(keep_rgb=True),
    "grey": encoded(RGB.convert("L")),
    "grey progressive": encoded(RGB.convert("L"), progressive=True),
    "CMYK": encoded(RGB.convert("CMYK")),
    "YCCK": simplejpeg.encode_jpeg(np.ascontiguousarray(CMYK), colorspace="CMYK", colorsubsampling="420"),
    "arithmetic": ARITHMETIC,
    "3x1": SAMPLED_3X1,
    "one pixel": encoded(RGB.crop((0, 0, 1, 1))),
    "narrow": encoded(RGB.crop((0, 0, 3, 61)), subsampling=2),
    "several pictures": encoded(kind="MPO", save_all=True, append_images=[RGB.rotate(180)]),
    "turned": encoded(exif=turned()),
    "profile and comment": encoded(icc_profile=b"not one" * 20000, comment=b"a comment"),
    "thumbnail": WHOLE[:2] + segment(0xE7, encoded(RGB.resize((16, 12)))) + WHOLE[2:],
}


def pillows(data):
    """What Pillow alone makes of a file."""
    image = Image.open(BytesIO(data))
    image.load()
    image = image.transpose(Image.Transpose.ROTATE_270) if image.getexif().get(0x0112) == 6 else image
    return np.array(image.convert("RGB"))


@pytest.mark.parametrize("kind", LEGAL)
def test_pixels_of_legal_files_are_pillows_to_the_last_bit(kind):
    assert np.array_equal(decode(LEGAL[kind]).pixels, pillows(LEGAL[kind]))


def test_the_strict_decoder_gives_what_is_stored():
    assert np.array_equal(decode_jpeg(WHOLE, 3), pillows(WHOLE))
    assert np.array_equal(decode_jpeg(LEGAL["grey"], 1)[..., 0], pillows(LEGAL["grey"])[..., 0])
    stored = np.asarray(Image.open(BytesIO(LEGAL["CMYK"])))
    assert np.array_equal(decode_jpeg(LEGAL["CMYK"], 4), 255 - stored)
    assert decode_jpeg(SAMPLED_3X1, 3) is None


def flipped(data, count, key):
    """Bytes of the scan changed to others."""
    made, rng = bytearray(data), generator("flips", key)
    for at in rng.choice(np.arange(scans(data)[0] + 14, len(data) - 2), count, replace=False):
        made[at] ^= int(rng.integers(1, 255))
    return bytes(made)


MIDDLE = (scans(WHOLE)[0] + END) // 2
DAMAGED = {
    "lost middle": (WHOLE[:MIDDLE] + WHOLE[MIDDLE + 900 :], "premature end of data segment"),
    "zeros to the end": (WHOLE[:MIDDLE] + bytes(END - MIDDLE) + EOI, "Corrupt JPEG data: "),
    "grey to the end": (WHOLE[:MIDDLE] + b"\x80" * (END - MIDDLE) + EOI, "Corrupt JPEG data: "),
    "early end": (WHOLE[:MIDDLE] + EOI, "premature end of data segment"),
    "early end in the middle": (WHOLE[:MIDDLE] + EOI + WHOLE[MIDDLE + 2 :], "premature end of data segment"),
    "no end": (WHOLE[:END], "Premature end of JPEG file"),
    "half an end": (WHOLE[: END + 1], "Premature end of JPEG file"),
    "cut": (WHOLE[:MIDDLE], "Premature end of JPEG file"),
    "lost restart": (RESTARTS[: MARKS[1]] + RESTARTS[MARKS[2] :], "found marker 0xd2 instead of RST1"),
    "wrong restart": (RESTARTS[: MARKS[1] + 1] + b"\xd6" + RESTARTS[MARKS[1] + 2 :], "0xd6 instead of RST1"),
    "left over": (WHOLE[:END] + b"\x55" * 40 + EOI, "extraneous bytes before marker 0xd9"),
    "lost segment": (WHOLE[:20] + b"abc" + WHOLE[20:], "3 extraneous bytes before marker 0xdb"),
    "unknown colours": (WHOLE[:2] + segment(0xEE, b"Adobe\0\x64\0\0\0\0\5") + WHOLE[20:], "color transform code 5"),
    "arithmetic": (ARITHMETIC[:-12] + bytes(10) + EOI, "Corrupt JPEG data: "),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_damage_is_an_error_in_the_decoders_words(kind):
    data, words = DAMAGED[kind]
    with pytest.raises(UnreadableError, match=f"^x.jpg is damaged or cut short: .*{words}"):
        decode(data, "x.jpg")


def test_most_flipped_bytes_are_noticed():
    found = [sum(_refused(flipped(WHOLE, n, k)) for k in range(20)) for n in (1, 5, 20)]
    assert found[0] >= 4
    assert found[1] >= 17
    assert found[2] == 20


def _refused(data):
    try:
        decode(data)
    except UnreadableError:
        return True
    return False


@pytest.mark.parametrize("scan", range(1, 10))
def test_progressive_files_need_all_their_scans(scan):
    starts = scans(PROGRESSIVE)
    assert len(starts) == 11
    tables = PROGRESSIVE[: starts[scan]].rfind(b"\xff\xc4")  # of the scan that is left out, behind the one before
    end = tables if tables > starts[scan - 1] else starts[scan]
    with pytest.raises(UnreadableError, match=r"scans of [123] of 3 colour components are missing"):
        decode(PROGRESSIVE[:end] + EOI)
    following = starts[scan + 1]
    between = PROGRESSIVE[:following].rfind(b"\xff\xc4")
    following = between if between > starts[scan] else following
    with pytest.raises(UnreadableError, match=r"Inconsistent progression|components are missing"):
        decode(PROGRESSIVE[:end] + PROGRESSIVE[following:])


HARMLESS = {
    "zeros behind": WHOLE + bytes(500),
    "bytes behind": WHOLE + bytes(range(256)),
    "another picture behind": WHOLE + PROGRESSIVE,
    "zeros before the end": WHOLE[:END] + bytes(40) + EOI,
    "fill bytes before the end": WHOLE[:END] + b"\xff" * 40 + EOI,
    "later revision": WHOLE.replace(b"JFIF\0\1", b"JFIF\0\2", 1),
    "phones' scan header": WHOLE[: scans(WHOLE)[0] + 11] + bytes(3) + WHOLE[scans(WHOLE)[0] + 14 :],
    "half a profile": WHOLE[:2] + segment(0xE2, b"ICC_PROFILE\0\1\2abc") + WHOLE[2:],
    "profile twice": WHOLE[:2] + 2 * segment(0xE2, b"ICC_PROFILE\0\1\1abc") + WHOLE[2:],
}
HARMLESS["three at once"] = (
    (HARMLESS["phones' scan header"][:-2] + bytes(40) + EOI)
    .replace(b"JFIF\0\1", b"JFIF\0\2", 1)
    .replace(b"\xff\xdb", segment(0xE2, b"ICC_PROFILE\0\1\2abc") + b"\xff\xdb", 1)
)


@pytest.mark.parametrize("kind", HARMLESS)
def test_what_leaves_the_pixels_as_they_are_is_no_damage(kind):
    assert np.array_equal(decode(HARMLESS[kind]).pixels, pillows(WHOLE))


def test_a_harmless_warning_hides_no_damage():
    early = HARMLESS["three at once"][: MIDDLE + 40] + EOI
    with pytest.raises(UnreadableError, match="premature end of data segment"):
        decode(early)


def test_zeros_over_the_last_blocks_are_no_padding():
    lost = int(0.2 * (END - scans(WHOLE)[0]))
    with pytest.raises(UnreadableError):
        decode(WHOLE[: END - lost] + bytes(lost) + EOI)


def test_what_a_file_says_of_its_picture_stays_with_it():
    assert decode(LEGAL["turned"]).pixels.shape == (WIDTH, HEIGHT, 3)
