"""Which picture of a file is scored, what is said of the others, and greys of more than 8 bits."""

from __future__ import annotations

import struct
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from corit.errors import UnreadableError, UnsupportedError
from corit.images.header import Header, read_header
from corit.images.picture import decode
from corit.seeding import generator

PIXELS = generator("tiff").integers(0, 256, (24, 36), dtype=np.uint8)
PIXELS[0, :2] = 0, 255
SMALL = PIXELS[::4, ::4]
SUBFILE, OLD_SUBFILE, PHOTOMETRIC, CHILDREN, DNG = 254, 255, 262, 330, 50706


def one(values, order="<", big=False, **tags):
    """A directory's entries (tag, type, count, values) and the strip of its pixels (H, W) or (H, W, 3)."""
    height, width = values.shape[:2]
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    bits, planes = values.dtype.itemsize * 8, values.shape[2] if values.ndim == 3 else 1
    entries = {256: (4, width), 257: (4, height), 258: (3, bits) if planes == 1 else (3, (bits,) * planes)}
    entries |= {259: (3, 1), PHOTOMETRIC: (3, 1 if planes == 1 else 2), 277: (3, planes), 278: (4, height)}
    entries |= {279: (4, values.nbytes), 339: (3, kind)}
    entries |= {int(k[1:]): v for k, v in tags.items()}
    return entries, values.astype(values.dtype.newbyteorder(order)).tobytes()


def tiff(*pages, order="<", big=False):
    """The bytes of a TIFF file of pages (`one`), each optionally followed by a list of its children."""
    word, head = ("Q", 16) if big else ("I", 8)
    out = bytearray(
        struct.pack(order + "2sHHHQ", b"II" if order == "<" else b"MM", 43, 8, 0, 0)
        if big
        else struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, 0)
    )
    link = head - struct.calcsize(word)
    for page in pages:
        (entries, strip), children = page if isinstance(page[1], list) else (page, [])
        entries = dict(entries)
        if children:
            entries[CHILDREN] = (4, tuple(_put(out, *child, order, big)[0] for child in children))
        at, after = _put(out, entries, strip, order, big)
        struct.pack_into(order + word, out, link, at)
        link = after
    return bytes(out)


def _put(out, entries, strip, order, big):
    word, count = ("Q", "Q") if big else ("I", "H")
    strip_at = len(out)
    out += strip + bytes(-len(strip) % 8)
    entries = sorted({**entries, 273: (4, strip_at)}.items())
    packed = []
    for tag, (kind, values) in entries:
        values = values if isinstance(values, (tuple, bytes)) else (values,)
        data = (
            values
            if isinstance(values, bytes)
            else struct.pack(f"{order}{len(values)}{ {3: 'H', 4: 'I', 9: 'i', 11: 'f'}[kind] }", *values)
        )
        if len(data) > struct.calcsize(word):
            at = len(out)
            out += data + bytes(-len(data) % 8)
            data = struct.pack(order + word, at)
        packed.append(
            struct.pack(order + "HH" + word, tag, kind, len(values)) + data.ljust(struct.calcsize(word), b"\0")
        )
    at = len(out)
    out += struct.pack(order + count, len(packed)) + b"".join(packed) + bytes(struct.calcsize(word))
    return at, len(out) - struct.calcsize(word)


def grey(found):
    assert np.array_equal(found.pixels[..., 0], found.pixels[..., 1])
    assert np.array_equal(found.pixels[..., 0], found.pixels[..., 2])
    return found.pixels[..., 0]


FIRST_IS_SMALL = {
    "a page": lambda **kw: tiff(one(SMALL, t254=(4, 1), **kw), one(PIXELS, **kw), **kw),
    "a page, said in the old way": lambda **kw: tiff(
        one(SMALL, t255=(3, 2), **kw), one(PIXELS, t255=(3, 1), **kw), **kw
    ),
    "a mask": lambda **kw: tiff(one(SMALL, t254=(4, 4), **kw), one(PIXELS, **kw), **kw),
    "a child": lambda **kw: tiff((one(SMALL, t254=(4, 1), **kw), [one(PIXELS, **kw)]), **kw),
    "the second child": lambda **kw: tiff(
        (one(SMALL, t254=(4, 1), **kw), [one(SMALL, t254=(4, 1), **kw), one(PIXELS, **kw)]), **kw
    ),
    "nothing else": lambda **kw: tiff(one(PIXELS, t254=(4, 1), **kw), **kw),
    "smaller copies behind": lambda **kw: tiff(one(PIXELS, **kw), one(SMALL, t254=(4, 1), **kw), **kw),
    "smaller copies within": lambda **kw: tiff((one(PIXELS, **kw), [one(SMALL, t254=(4, 1), **kw)]), **kw),
}


@pytest.mark.parametrize(("order", "big"), [("<", False), (">", False), ("<", True)])  # the fourth Pillow cannot read
@pytest.mark.parametrize("how", FIRST_IS_SMALL)
def test_the_picture_is_the_first_of_full_resolution(how, big, order, tmp_path):
    data = FIRST_IS_SMALL[how](big=big, order=order)
    found = decode(data)
    assert np.array_equal(grey(found), PIXELS)
    assert found.note == ""
    (tmp_path / "a.tif").write_bytes(data)
    assert read_header(str(tmp_path / "a.tif")) == Header(36, 24, "tiff")


def test_a_note_counts_the_other_pages():
    three = tiff(one(PIXELS), one(SMALL), one(SMALL))
    assert np.array_equal(grey(decode(three)), PIXELS)
    assert decode(three).note == "page 1 of 3: the other pages are not scored"
    mixed = tiff(one(SMALL, t254=(4, 1)), one(PIXELS, t254=(4, 2)), one(SMALL, t254=(4, 3)), one(SMALL, t254=(4, 2)))
    assert np.array_equal(grey(decode(mixed)), PIXELS)
    assert decode(mixed).note == "page 1 of 2: the other pages are not scored"


def test_pages_that_lead_in_a_circle_end():
    data = bytearray(tiff(one(PIXELS), one(SMALL)))
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    (second,) = struct.unpack_from("<I", data, first + 2 + 12 * count)
    (count,) = struct.unpack_from("<H", data, second)
    struct.pack_into("<I", data, second + 2 + 12 * count, first)
    assert decode(bytes(data)).note == "page 1 of 2: the other pages are not scored"


SENSOR = one(PIXELS.astype(np.uint16), t262=(3, 32803))
RAW = {
    "DNG": (tiff((one(np.dstack([SMALL] * 3), t254=(4, 1), t50706=(1, b"\1\4\0\0")), [SENSOR])), r"camera \(DNG\)"),
    "DNG without a thumbnail": (tiff(one(PIXELS, t50706=(1, b"\1\4\0\0"))), r"camera \(DNG\)"),
    "a sensor's child, as NEF and ARW": (
        tiff((one(np.dstack([SMALL] * 3), t254=(4, 1)), [SENSOR])),
        "raw picture of a camera,",
    ),
    "a sensor's page, as PEF": (tiff(SENSOR), "raw picture of a camera,"),
    "linear": (tiff(one(np.dstack([PIXELS] * 3), t262=(3, 34892))), "raw picture of a camera,"),
    "CR2": (b"II*\0\x10\0\0\0CR\2\0" + bytes(99), r"raw picture \(CR2\)"),
    "ORF": (b"IIRO\x08\0\0\0" + bytes(99), r"raw picture \(ORF\)"),
    "RW2": (b"IIU\0\x18\0\0\0" + bytes(99), r"raw picture \(RW2\)"),
}


@pytest.mark.parametrize("name", ["x.tif", "x.dng"])
@pytest.mark.parametrize("kind", RAW)
def test_raw_files_are_not_scored_by_their_thumbnail(kind, name):
    data, words = RAW[kind]
    with pytest.raises(UnsupportedError, match=f"{name} is an? .*raw picture") as caught:
        decode(data, name)
    assert caught.match(words)
    assert caught.match("not supported; export it as JPEG, PNG or TIFF$")


RANGES = {
    # kind: (values as they are stored, what is said)
    "uint16": (PIXELS.astype(np.uint16) * 257, ""),
    "int16 of 8 bits": (PIXELS.astype(np.int16), "0 (black) to 255 (white), the usual"),
    "int32 of 8 bits": (PIXELS.astype(np.int32), "0 (black) to 255 (white), the usual"),
    "int32 of 16 bits": (PIXELS.astype(np.int32) * 257, "0 (black) to 65535 (white), the usual"),
    "int32 of all": ((PIXELS / 255 * (2**31 - 1)).astype(np.int32), "0 (black) to 2147483647 (white), the usual"),
    "uint32 of 8 bits": (PIXELS.astype(np.uint32), "0 (black) to 255 (white), the usual"),
    "uint32 of all": (PIXELS.astype(np.uint32) * 16843009, "0 (black) to 4294967295 (white), the usual"),
    "below zero": (PIXELS.astype(np.int32) - 100, "-100 (black) to 155 (white), the least and greatest"),
    "in the dark of a range": (PIXELS.astype(np.int32) * 40, "0 (black) to 10200 (white), the least and greatest"),
    "float of 0 to 1": ((PIXELS / 255).astype(np.float32), ""),
    "float of 0 to 255": (PIXELS.astype(np.float32), "0 (black) to 255 (white), the usual"),
    "float of 0 to 65535": (PIXELS.astype(np.float32) * 257, "0 (black) to 65535 (white), the usual"),
    "float around zero": ((PIXELS / 255 * 3 - 1).astype(np.float32), "-1 (black) to 2 (white), the least and greatest"),
    "float a little above 1": ((PIXELS / 255 * 1.02).astype(np.float32), "0 (black) to 1.02 (white), the least"),
}


@pytest.mark.parametrize("kind", RANGES)
def test_greys_of_more_bits_are_neither_black_nor_white(kind):
    values, words = RANGES[kind]
    found = decode(tiff(one(values)))
    assert np.array_equal(grey(found), PIXELS)
    assert (words in found.note) if words else found.note == ""


def test_a_dark_picture_of_the_usual_range_stays_dark():
    dark = decode(tiff(one(PIXELS.astype(np.int32) // 3)))
    assert np.array_equal(grey(dark), PIXELS // 3)
    faint = decode(tiff(one((PIXELS / 255 * 0.3).astype(np.float32))))
    assert np.abs(grey(faint) - PIXELS * 0.3).max() <= 0.51


def test_a_range_that_the_file_declares_is_taken():
    values = PIXELS.astype(np.int32) * 4 + 7
    found = decode(tiff(one(values, t340=(9, 7), t341=(9, 1027))))
    assert np.array_equal(grey(found), PIXELS)
    assert found.note == "grey values from 7 (black) to 1027 (white), as the file declares"


def test_what_is_no_number_is_black_and_what_is_endless_is_white():
    values = (PIXELS / 255).astype(np.float32)
    values[1, :3] = np.nan, np.inf, -np.inf
    found = grey(decode(tiff(one(values))))
    assert found[1, :3].tolist() == [0, 255, 0]
    assert np.array_equal(np.delete(found, 1, 0), np.delete(PIXELS, 1, 0))


def test_one_grey_alone_is_a_picture_too():
    assert (grey(decode(tiff(one(np.full((24, 36), 9, np.int32))))) == 0).all()


@pytest.mark.parametrize("values", [PIXELS, PIXELS.astype(np.uint16) * 257, (PIXELS / 255).astype(np.float32)])
def test_white_may_be_zero(values):
    assert np.array_equal(grey(decode(tiff(one(values, t262=(3, 0))))), 255 - PIXELS)


def test_twelve_bits_are_a_range_of_their_own():
    values = np.arange(0, 4096, 64, dtype=np.uint16).reshape(8, 8)
    packed = np.stack(
        [values[:, ::2] >> 4, (values[:, ::2] & 15) << 4 | values[:, 1::2] >> 8, values[:, 1::2] & 255], -1
    )
    entries, strip = one(packed.astype(np.uint8).reshape(8, 12), t258=(3, 12), t256=(4, 8))
    assert np.abs(grey(decode(tiff((entries, strip)))) - values / 4095 * 255).max() <= 0.51


@pytest.mark.parametrize("kind", [np.float64, np.uint64])
def test_unreadable_grey_values_get_a_note(kind):
    with pytest.raises(UnsupportedError, match="x.tif is a TIFF file of a kind that cannot be read"):
        decode(tiff(one(PIXELS.astype(kind))), "x.tif")
    with pytest.raises(UnreadableError, match="bytes are not one"):
        decode(b"II*\0" + bytes(40), "x.tif")


# Other kinds with several pictures.
def saved(images, kind, **kw):
    out = BytesIO()
    images[0].save(out, kind, save_all=True, append_images=images[1:], **kw)
    return out.getvalue()


IMAGES = [Image.fromarray(np.dstack([np.roll(PIXELS, k, 0)] * 3)) for k in range(3)]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
def test_pictures_that_move_say_so_wherever_they_are_read(kind):
    assert decode(saved(IMAGES, kind)).note == "animated: only the first of 3 frames was looked at"
    assert decode(saved(IMAGES[:1], kind)).note == ""


KINDS = {0x020002: "picture 1 of 2: the other pictures are not scored", 0x010002: "", 0: ""}


@pytest.mark.parametrize("kind", KINDS)
def test_a_note_counts_independent_pictures_not_gain_maps(kind):
    data = saved(IMAGES[:2], "MPO")
    with Image.open(BytesIO(data)) as image:
        assert image.n_frames == 2
    second = data.index(b"MPF\0") + 4 + 50 + 16  # of the entries that tell what each picture is
    data = data[:second] + kind.to_bytes(4, "little") + data[second + 4 :]
    found = decode(data)
    assert found.note == KINDS[kind]
    assert found.pixels.shape == (24, 36, 3)


def test_heic_gives_its_primary_picture_and_says_the_others():
    pillow_heif = pytest.importorskip("pillow_heif")
    file = pillow_heif.HeifFile()
    for shade in (40, 200):
        file.add_from_pillow(Image.new("RGB", (64, 64), (shade,) * 3))
    out = BytesIO()
    file.save(out, primary_index=1, quality=90)
    found = decode(out.getvalue())
    assert abs(float(found.pixels.mean()) - 200) < 2
    assert found.note == "picture 2 of 2: the other pictures are not scored"
