"""Damage and missing ends of every kind of picture, as far as the kind can tell."""

from __future__ import annotations

import os
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageFile

from corit.errors import UnreadableError
from corit.images.picture import decode
from corit.images.tiff_check import _require_deflated
from corit.seeding import generator

PIXELS = np.clip(
    np.add.outer(np.arange(60), np.arange(80))[..., None] + generator("damage").normal(60, 15, (60, 80, 3)), 0, 255
).astype(np.uint8)
RGB = Image.fromarray(PIXELS)


def encoded(kind, image=RGB, **options):
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def heic():
    register = pytest.importorskip("pillow_heif").register_heif_opener
    register()
    return encoded("HEIF")


MADE = {
    "PNG": lambda: encoded("PNG"),
    "PNG that moves": lambda: encoded("PNG", save_all=True, append_images=[RGB.rotate(9)]),
    "GIF": lambda: encoded("GIF"),
    "GIF that moves": lambda: encoded("GIF", save_all=True, append_images=[RGB.rotate(9)]),
    "BMP": lambda: encoded("BMP"),
    "WebP": lambda: encoded("WEBP"),
    "WebP, lossless": lambda: encoded("WEBP", lossless=True),
    "WebP that moves": lambda: encoded("WEBP", save_all=True, append_images=[RGB.rotate(9)]),
    "AVIF": lambda: encoded("AVIF"),
    "HEIC": heic,
    "JPEG": lambda: encoded("JPEG"),
    "TIFF": lambda: encoded("TIFF"),
    "TIFF, LZW": lambda: encoded("TIFF", compression="tiff_lzw"),
    "TIFF, Deflate": lambda: encoded("TIFF", compression="tiff_adobe_deflate"),
    "TIFF, JPEG": lambda: encoded("TIFF", compression="jpeg"),
    "TIFF, PackBits": lambda: encoded("TIFF", compression="packbits"),
    "TIFF, pages": lambda: (
        encoded("TIFF", save_all=True, append_images=[RGB.rotate(9)], compression="tiff_lzw").rstrip(b"\0") + b"\0"
    ),  # without what fills it up; the last bytes are the tag of 8, 8 and 8 bits
    "BigTIFF": lambda: encoded("TIFF", big_tiff=True),
}


@pytest.mark.parametrize("kind", MADE)
def test_a_file_cut_short_is_unreadable_wherever_it_is_cut(kind):
    data = MADE[kind]()
    assert decode(data).pixels.shape == PIXELS.shape
    for size in (len(data) - 1, len(data) - 9, int(0.9 * len(data)), len(data) // 2, len(data) // 3):
        with pytest.raises(UnreadableError):
            decode(data[:size], f"{size}.{kind[:4]}")


@pytest.mark.parametrize("kind", MADE)
def test_bytes_behind_the_end_are_no_damage(kind):
    data = MADE[kind]()
    assert np.array_equal(decode(data + bytes(64)).pixels, decode(data).pixels)


def changed(data, at):
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


def png(*chunks):
    parts = (len(b).to_bytes(4) + k + b + zlib.crc32(k + b).to_bytes(4) for k, b in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_every_chunk_of_a_png_has_its_checksum():
    header = (b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0))
    packed = zlib.compress(bytes(8 * 25))
    middle = len(packed) // 2
    parts = [(b"IDAT", packed[:middle]), (b"IDAT", packed[middle:])]
    whole = png(header, *parts, (b"eXIf", b"MM\0*\0\0\0\x08\0\0\0\0\0\0"), (b"IEND", b""))
    assert not decode(whole).pixels.any()
    with pytest.raises(UnreadableError, match="cut short: the checksum of its chunk eXIf is wrong"):
        decode(changed(whole, whole.index(b"eXIf") + 9), "x.png")
    with pytest.raises(UnreadableError, match="checksum of its chunk IDAT"):
        decode(changed(whole, whole.index(b"IDAT") + 6))
    with pytest.raises(UnreadableError):
        decode(png(header, parts[0], (b"IEND", b"")))
    with pytest.raises(UnreadableError, match="it has no end"):
        decode(png(header, *parts))


def part(data, tag=273, count=279):
    """Where the first strip of a TIFF file starts, and how long it is."""
    with Image.open(BytesIO(data)) as image:
        return image.tag_v2[tag][0], image.tag_v2[count][0]


@pytest.mark.parametrize("at", np.linspace(0.05, 0.99, 12))
def test_a_changed_byte_in_a_deflated_tiff_is_noticed(at):
    data = MADE["TIFF, Deflate"]()
    start, size = part(data)
    with pytest.raises(UnreadableError):
        decode(changed(data, start + int(at * size)))


def test_a_deflated_part_needs_its_end():
    data = MADE["TIFF, Deflate"]()
    entry = struct.pack("<HHII", 279, 4, 1, part(data)[1])
    assert entry in data
    with pytest.raises(UnreadableError, match="a part of it ends before its data do"):
        decode(data.replace(entry, struct.pack("<HHII", 279, 4, 1, part(data)[1] - 2)))


def test_jpeg_in_tiff_is_decoded_as_strictly_as_elsewhere():
    data = encoded("TIFF", compression="jpeg", quality=95)
    start, size = part(data)
    middle = start + size // 2
    with pytest.raises(UnreadableError, match="Corrupt JPEG data"):
        decode(data[:middle] + b"\xff\xd9" + data[middle + 2 :])
    with pytest.raises(UnreadableError, match="Corrupt JPEG data"):
        decode(data[:middle] + bytes(size // 4) + data[middle + size // 4 :])


def test_a_missing_strip_or_page_is_reported():
    data = encoded("TIFF")
    with pytest.raises(UnreadableError, match="page 1 reaches beyond the end of the file"):
        decode(data[: part(data)[0]] + data[-40:])
    pages = MADE["TIFF, pages"]()
    with Image.open(BytesIO(pages)) as image:
        image.seek(1)
        second, size = image.tag_v2[273][-1], image.tag_v2[279][-1]
    with pytest.raises(UnreadableError, match="page 2 reaches beyond the end of the file|page beyond the end"):
        decode(pages[: second + size - 1])


def test_errors_of_the_tiff_decoder_become_the_reason(capfd):
    data = MADE["TIFF, LZW"]()
    start, size = part(data)
    with pytest.raises(UnreadableError, match=r"x.tif is damaged or cut short: .*LZW|not yet in table"):
        decode(data[: start + 40] + bytes(size - 40) + data[start + size :], "x.tif")
    assert np.array_equal(decode(data).pixels, PIXELS)
    assert capfd.readouterr() == ("", "")


def test_what_others_write_while_a_tiff_is_read_is_passed_on(capfd, monkeypatch):
    load = ImageFile.ImageFile.load

    def loud(self):
        os.write(2, b"from elsewhere\n")
        return load(self)

    monkeypatch.setattr("PIL.TiffImagePlugin.TiffImageFile.load", loud)
    decode(encoded("TIFF"))
    assert capfd.readouterr().err.startswith("from elsewhere\n")


def test_heic_data_that_its_decoder_makes_up_are_noticed():
    heic()
    data = encoded("HEIF", RGB.resize((400, 300), Image.Resampling.NEAREST), quality=90)
    assert decode(data).pixels.shape == (300, 400, 3)
    at = data.index(b"mdat") + 4
    for k in (0.2, 0.4, 0.6):
        middle = at + int(k * (len(data) - at))
        with pytest.raises(UnreadableError, match="its HEVC data are invalid"):
            decode(data[:middle] + bytes(len(data) - middle))


def test_an_empty_last_box_that_is_cut_loses_nothing():
    data = heic()
    free = (100).to_bytes(4) + b"free" + bytes(20)
    assert np.array_equal(decode(data + free).pixels, decode(data).pixels)
    with pytest.raises(UnreadableError, match="beyond the end of the file"):
        decode(data + (100).to_bytes(4) + b"mdat" + bytes(20))


def test_a_caller_that_allows_truncated_files_changes_nothing(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    data = encoded("BMP")
    with pytest.raises(UnreadableError):
        decode(data[: len(data) // 2])
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


def test_standard_error_is_its_own_after_threads_have_read_tiff_files():
    data, before = encoded("TIFF", compression="tiff_lzw"), os.fstat(2).st_ino
    with ThreadPoolExecutor(4) as pool:
        pictures = list(pool.map(lambda _: decode(data).pixels.tobytes(), range(40)))
    assert len(set(pictures)) == 1
    assert os.fstat(2).st_ino == before


def test_what_a_fax_decoder_reports_is_damage(capfd):
    held = BytesIO()
    grain = np.random.default_rng(0).random((200, 300)) > 0.9
    Image.fromarray(grain).save(held, "TIFF", compression="group4")
    whole = held.getvalue()
    assert decode(whole, "x.tif").pixels.shape == (200, 300, 3)
    with Image.open(BytesIO(whole)) as image:
        start, size = image.tag_v2[273][0], image.tag_v2[279][0]
    hurt = bytearray(whole)
    hurt[start + size // 2 : start + size] = b"\x55" * (size - size // 2)
    with pytest.raises(UnreadableError, match=r"x.tif is damaged or cut short: Fax\w+"):
        decode(bytes(hurt), "x.tif")
    assert capfd.readouterr().err == ""


def test_a_decompression_bomb_is_refused_before_unpacking():
    with pytest.raises(ValueError, match="unpacks to more than its picture holds"):
        _require_deflated(zlib.compress(bytes(10**8)), 10**6)
    _require_deflated(zlib.compress(bytes(10**6)), 10**6)


def test_a_gif_without_an_end_is_damaged():
    held = BytesIO()
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(held, "GIF")
    whole = held.getvalue()
    assert decode(whole[:-1] + b"\0" + whole[-1:]).pixels.shape == (9, 9, 3)
    with pytest.raises(UnreadableError, match="cut short: it has no end"):
        decode(whole[:-1], "x.gif")


def test_half_of_a_tiff_file_is_damaged_whatever_it_is_called():
    data = encoded("TIFF", compression="tiff_lzw")
    for name in ("x.tif", "scan0001"):
        with pytest.raises(UnreadableError, match=f"{name} is damaged or cut short: it has a page beyond the end"):
            decode(data[: len(data) // 2], name)
