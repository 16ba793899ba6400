"""Stills as a viewer shows them: profiles, chunks and code points of colours, HDR, and what is said of the rest."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from images import colours
from PIL import Image, ImageCms, ImageOps

from corit.images import icc
from corit.images.colour_space import BT709, BT2020, DISPLAY_P3
from corit.images.colour_tags import cicp, of_still
from corit.images.display import ORIENTATIONS, shown, shown_size, square_width, turned
from corit.images.header import read_header
from corit.images.picture import decode
from corit.seeding import generator

NOISE = generator("display").integers(0, 256, (24, 36, 3), dtype=np.uint8)
SMOOTH = (255 * colours.smooth()).round().astype(np.uint8)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def encoded(pixels, kind="PNG", **kw):
    out = BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(out, kind, **kw)
    return out.getvalue()


def levels(found, expected):
    """The largest difference, and the largest one that there would be without conversion."""
    return float(np.abs(found - expected).max())


PROFILES = {"Display P3": 2.2, "Adobe RGB": 2.19921875, "BT.2020": 2.4, "sRGB": 1.8}


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("gamut", PROFILES)
def test_profiles_are_applied(gamut, kind):
    gamma = round(PROFILES[gamut] * 256) / 256  # as the profile can say it
    data = encoded(
        SMOOTH, kind, icc_profile=colours.profile(gamut, gamma), **({"lossless": True} if kind == "WEBP" else {})
    )
    found = decode(data)
    expected = colours.converted(SMOOTH / 255, gamut, lambda c: c**gamma)
    assert levels(found.pixels, expected) < 1.05  # littlecms rounds its tables
    assert np.abs(found.pixels - expected).mean() < 0.3
    assert levels(SMOOTH, expected) > 15
    assert found.note == ""


@pytest.mark.parametrize("kind", ["JPEG", "AVIF"])
def test_profiles_of_lossy_kinds_are_applied(kind):
    plain = decode(encoded(SMOOTH, kind, quality=100, subsampling=0 if kind == "JPEG" else "4:4:4")).pixels
    profile = colours.profile("Display P3", 2.25)
    found = decode(
        encoded(SMOOTH, kind, quality=100, subsampling=0 if kind == "JPEG" else "4:4:4", icc_profile=profile)
    )
    assert levels(found.pixels, colours.converted(plain / 255, "Display P3", lambda c: c**2.25)) < 1.05


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("profile", ["lcms", "curve"])
def test_a_profile_of_srgb_changes_nothing(kind, profile):
    """Bit for bit, also where the profile rounds its numbers otherwise than littlecms does."""
    table = (65535 * colours.srgb_linear(np.linspace(0, 1, 1024))).round().astype(int)
    data = SRGB if profile == "lcms" else colours.profile("sRGB", table)
    assert np.array_equal(decode(encoded(NOISE, kind, icc_profile=data)).pixels, decode(encoded(NOISE, kind)).pixels)
    grey = NOISE[..., 0]
    assert np.array_equal(decode(encoded(grey, kind, icc_profile=data)).pixels, decode(encoded(grey, kind)).pixels)


def test_a_profile_that_is_nearly_srgb_is_applied():
    """By three levels in the middle greys."""
    codes = np.linspace(0, 1, 1024)
    table = (65535 * colours.srgb_linear(codes + 0.012 * np.sin(np.pi * codes))).round().astype(int)
    found = decode(encoded(SMOOTH, icc_profile=colours.profile("sRGB", table))).pixels
    difference = np.abs(found.astype(int) - SMOOTH).max()
    assert 2 <= difference <= 3


def test_each_profile_is_built_once(monkeypatch):
    built = []
    build = ImageCms.buildTransform
    monkeypatch.setattr(ImageCms, "buildTransform", lambda *a, **k: built.append(1) or build(*a, **k))
    icc._transform.cache_clear()
    for _ in range(3):
        decode(encoded(NOISE, icc_profile=colours.profile("Display P3", 2.0)))
    assert len(built) == 1


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_grey_profiles_are_applied(kind):
    grey = np.arange(256, dtype=np.uint8).repeat(64).reshape(128, 128)
    found = decode(encoded(grey, kind, quality=100, icc_profile=colours.profile("", 1.5, space=b"GRAY")))
    plain = decode(encoded(grey, kind, quality=100)).pixels
    assert levels(found.pixels, 255 * colours.srgb_code((plain / 255) ** 1.5)) < 1.05
    assert levels(found.pixels, plain.astype(float)) > 20


def test_a_profile_of_three_colours_serves_a_grey_picture():
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    found = decode(encoded(grey, icc_profile=colours.profile("Display P3", 1.5))).pixels
    assert levels(found, 255 * colours.srgb_code((grey[..., None] / 255) ** 1.5)) < 1.05


def test_print_profiles_are_applied():
    """At the full inks, where the profile's table says the colour; perceptual, with the darkest brought to black."""
    lab = np.array([[100 - 5 * bin(k).count("1") * 5, 4 * (k & 3), -3 * (k >> 2)] for k in range(16)], float)
    lab[15] = 0, 0, 0
    inks = 255 * np.array([[k >> 3 & 1, k >> 2 & 1, k >> 1 & 1, k & 1] for k in range(16)], np.uint8)
    picture = Image.fromarray(inks.reshape(4, 4, 4), "CMYK")
    found = decode(encoded(picture, "TIFF", icc_profile=colours.print_profile(lab))).pixels.reshape(16, 3)
    f = (lab[:, :1] + 16) / 116 + np.stack([lab[:, 1] / 500, 0 * lab[:, 1], -lab[:, 2] / 200], 1)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * colours.D50
    ratio = (colours.BRADFORD @ colours.D50) / (colours.BRADFORD @ colours.xyz(*colours.D65))
    adapted = np.linalg.inv(colours.BRADFORD) @ (ratio[:, None] * colours.BRADFORD)
    srgb = adapted @ colours.to_xyz(colours.GAMUTS["sRGB"])
    expected = 255 * colours.srgb_code(xyz @ np.linalg.inv(srgb).T)
    assert levels(found, expected) < 2
    assert levels(np.asarray(picture.convert("RGB")).reshape(16, 3), expected) > 50


def test_lab_pictures_can_be_shown():
    lab = np.array([[[255, 0, 0], [0, 0, 0], [136, 0, 0]]], np.uint8)
    found = decode(encoded(Image.fromarray(lab, "LAB"), "TIFF")).pixels
    assert levels(found, np.array([[[255] * 3, [0] * 3, [127] * 3]])) <= 1


DAMAGED = {
    "noise": b"no profile at all",
    "cut": colours.profile("Display P3", 2.0)[:200],
    "no curves": colours.profile("Display P3", 2.0).replace(b"rTRC", b"xTRC"),
    "a device's of more colours": colours.profile("Display P3", 2.0, space=b"6CLR"),
}


@pytest.mark.parametrize("how", DAMAGED)
def test_a_damaged_profile_is_ignored_with_a_word(how):
    found = decode(encoded(NOISE, icc_profile=DAMAGED[how]))
    assert np.array_equal(found.pixels, NOISE)
    assert found.note == "its colour profile is damaged and was ignored"


def test_a_profile_of_other_colours_is_ignored_with_a_word():
    found = decode(encoded(NOISE, icc_profile=colours.profile("", 1.5, space=b"GRAY")))
    assert np.array_equal(found.pixels, NOISE)
    assert found.note == "its colour profile is not one for RGB pictures and was ignored"


def test_a_jpegs_profile_that_lacks_a_part_is_ignored_with_a_word():
    data = encoded(NOISE, "JPEG", icc_profile=colours.profile("Display P3", 2.0))
    data = data.replace(b"ICC_PROFILE\0\1\1", b"ICC_PROFILE\0\1\2")
    assert decode(data).note == "its colour profile is damaged and was ignored"


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB"])
def test_transparency_is_laid_on_white_in_srgb(mode):
    profile = colours.profile("", 1.5, space=b"GRAY") if mode == "LA" else colours.profile("Display P3", 1.5)
    base = Image.new("RGB", (2, 1), (200, 200, 200))
    alpha = Image.fromarray(np.array([[255, 51]], np.uint8))
    if mode in ("RGBA", "LA"):
        image = base.convert(mode[:-1])
        image.putalpha(alpha)
        kw = {}
    else:
        image = base if mode == "RGB" else Image.new("P", (2, 1))
        if mode == "P":
            image.putpalette([200] * 3 + [9] * 3)
        image.putpixel((1, 0), (9, 9, 9) if mode == "RGB" else 1)
        kw = {"transparency": (9, 9, 9) if mode == "RGB" else 1}
    found = decode(encoded(image, icc_profile=profile, **kw)).pixels[0]
    front = 255 * float(colours.srgb_code(np.array((200 / 255) ** 1.5)))
    share = 0.2 if mode in ("RGBA", "LA") else 0.0
    assert levels(found, np.array([[front] * 3, [share * front + (1 - share) * 255] * 3])) < 1.6


def test_a_deep_grey_picture_has_its_profile_applied():
    deep = np.arange(256, dtype=np.uint16).reshape(16, 16) * 257
    found = decode(encoded(deep, icc_profile=colours.profile("", 1.5, space=b"GRAY"))).pixels
    assert levels(found, 255 * colours.srgb_code((deep[..., None] / 65535) ** 1.5)) < 1.05


# PNG's own chunks.
LINEAR = (b"gAMA", (100000).to_bytes(4))
USUAL = (b"gAMA", (45455).to_bytes(4))
P3 = (b"cHRM", colours.chromaticities("Display P3"))
STANDARD = (b"cHRM", colours.chromaticities("sRGB"))


def test_gamma_and_chromaticities_of_png_are_heeded():
    linear = decode(colours.with_chunks(encoded(SMOOTH), LINEAR)).pixels
    assert levels(linear, 255 * colours.srgb_code(SMOOTH / 255)) < 0.6
    wide = decode(colours.with_chunks(encoded(SMOOTH), P3, USUAL)).pixels
    assert levels(wide, colours.converted(SMOOTH / 255, "Display P3", colours.srgb_linear)) < 0.6
    both = decode(colours.with_chunks(encoded(SMOOTH), P3, LINEAR)).pixels
    assert levels(both, colours.converted(SMOOTH / 255, "Display P3", lambda c: c)) < 0.6


NOTHING_NEW = {
    "gamma of sRGB": [USUAL],
    "gamma and chromaticities of sRGB": [USUAL, STANDARD],
    "sRGB goes before them": [(b"sRGB", b"\0"), LINEAR, P3],
    "no gamma": [(b"gAMA", bytes(4))],
    "primaries on one line": [(b"cHRM", np.array([3127, 3290, 1, 1, 2, 2, 3, 3], ">u4").tobytes())],
    "no light in a primary": [(b"cHRM", np.array([3127, 3290, 6400, 0, 3000, 6000, 1500, 600], ">u4").tobytes())],
    "code points of sRGB": [(b"cICP", bytes([1, 13, 0, 1])), LINEAR],
    "code points of BT.709": [(b"cICP", bytes([1, 1, 0, 1]))],
    "code points not stated": [(b"cICP", bytes([2, 2, 0, 1]))],
}


@pytest.mark.parametrize("name", NOTHING_NEW)
def test_chunks_that_say_srgb_or_nonsense_change_nothing(name):
    found = decode(colours.with_chunks(encoded(NOISE), *NOTHING_NEW[name]))
    assert np.array_equal(found.pixels, NOISE)
    assert found.note == ""


def test_code_points_go_before_a_profile():
    data = colours.with_chunks(
        encoded(SMOOTH, icc_profile=colours.profile("Adobe RGB", 1.5)), (b"cICP", bytes([12, 13, 0, 1]))
    )
    assert levels(decode(data).pixels, colours.converted(SMOOTH / 255, "Display P3", colours.srgb_linear)) < 0.6


def deep_png(codes, *chunks, kind=".png"):
    import cv2

    values = (codes * 65535).round().astype(np.uint16)
    return values, colours.with_chunks(cv2.imencode(kind, values[..., ::-1])[1].tobytes(), *chunks)


@pytest.mark.parametrize(("transfer", "nits"), [(16, colours.pq_nits), (18, colours.hlg_nits)])
def test_hdr_png_is_tone_mapped_with_all_its_bits(transfer, nits):
    values, data = deep_png(colours.smooth(24, 40), (b"cICP", bytes([9, transfer, 0, 1])))
    assert levels(decode(data).pixels, colours.tone_mapped(nits(values / 65535))) < 1


@pytest.mark.parametrize(
    "chunk",
    [(b"cLLI", (4_000_0000).to_bytes(4) + bytes(4)), (b"mDCV", bytes(16) + (4_000_0000).to_bytes(4) + bytes(4))],
)
def test_hdr_png_says_how_bright_it_is(chunk):
    values, data = deep_png(colours.smooth(24, 40), (b"cICP", bytes([9, 16, 0, 1])), chunk)
    expected = colours.tone_mapped(colours.pq_nits(values / 65535), 4000.0)
    assert levels(decode(data).pixels, expected) < 1
    assert levels(colours.tone_mapped(colours.pq_nits(values / 65535)), expected) > 5


def test_hdr_png_is_upright_and_on_white():
    _, data = deep_png(colours.smooth(24, 40), (b"cICP", bytes([9, 18, 0, 1])))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned_data = colours.with_chunks(data, (b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")))
    assert np.array_equal(decode(turned_data).pixels, np.rot90(decode(data).pixels, -1))
    clear = np.dstack([(255 * colours.smooth(24, 40)).round().astype(np.uint8), np.full((24, 40), 51, np.uint8)])
    opaque = decode(colours.with_chunks(encoded(clear[..., :3]), (b"cICP", bytes([9, 18, 0, 1])))).pixels
    found = decode(colours.with_chunks(encoded(clear), (b"cICP", bytes([9, 18, 0, 1])))).pixels
    assert levels(found, 0.2 * opaque + 0.8 * 255) <= 1


def with_colour_box(avif, primaries, transfer):
    at = avif.index(b"colrnclx") + 8
    return avif[:at] + primaries.to_bytes(2) + transfer.to_bytes(2) + avif[at + 4 :]


def test_avif_has_the_gamut_of_its_colour_box():
    data = encoded(SMOOTH, "AVIF", quality=100, subsampling="4:4:4")
    plain = decode(data).pixels
    found = decode(with_colour_box(data, 12, 13)).pixels
    assert levels(found, colours.converted(plain / 255, "Display P3", colours.srgb_linear)) < 0.6
    assert np.array_equal(decode(with_colour_box(data, 2, 2)).pixels, plain)


def box(kind, *parts):
    data = b"".join(parts)
    return (8 + len(data)).to_bytes(4) + kind + data


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize(("primary", "expected"), [(1, BT2020), (2, DISPLAY_P3), (3, BT709)])
def test_colour_boxes_are_those_of_the_primary_picture(primary, expected, wide):
    """Others belong to gain maps and alpha planes; wide: with the larger fields that the boxes may have."""
    boxes = [box(b"colr", b"nclx", bytes([0, code, 0, 13, 0, 0, 128])) for code in (9, 12)]
    size, version = (4, 1) if wide else (2, 0)
    index = (lambda k: (0x8000 | k).to_bytes(2)) if wide else (lambda k: (0x80 | k).to_bytes(1))
    listed = b"".join(item.to_bytes(size) + b"\1" + index(item) for item in (1, 2)) + (3).to_bytes(size) + b"\0"
    head = bytes([version, 0, 0, int(wide)])
    ipma = box(b"ipma", head, (3).to_bytes(4), listed)
    pitm = box(b"pitm", head, primary.to_bytes(size))
    meta = box(b"meta", bytes(4), pitm, box(b"iprp", box(b"ipco", *boxes), ipma))
    stated = of_still(box(b"ftyp", b"avif", bytes(4)) + meta, {})
    assert (stated.space.primaries if stated else BT709) == expected


def test_hdr_avif_is_tone_mapped():
    data = encoded(SMOOTH, "AVIF", quality=100, subsampling="4:4:4")
    plain = decode(data).pixels
    found = decode(with_colour_box(data, 9, 18)).pixels.astype(float)
    assert np.abs(found - colours.tone_mapped(colours.hlg_nits(plain / 255))).mean() < 1
    assert np.abs(found - plain).mean() > 10


@pytest.mark.parametrize(("transfer", "nits"), [(16, colours.pq_nits), (18, colours.hlg_nits)])
def test_hdr_heic_is_tone_mapped_with_all_its_bits(transfer, nits):
    pillow_heif = pytest.importorskip("pillow_heif")
    deep = (colours.smooth(64, 64) * 1023).round().astype(np.uint16)
    out = BytesIO()
    pillow_heif.from_bytes(mode="RGB;16", size=(64, 64), data=(deep << 6).tobytes()).save(
        out, quality=-1, chroma=444, color_primaries=9, transfer_characteristics=transfer, matrix_coefficients=0
    )
    found = decode(out.getvalue()).pixels
    assert np.abs(found - colours.tone_mapped(nits(deep / 1023))).mean() < 1


def test_colours_that_no_screen_shows_get_a_note():
    assert "not for screens" in cicp(10, 17).note
    assert "not for screens" in cicp(1, 9).note
    data = colours.with_chunks(encoded(NOISE), (b"cICP", bytes([10, 17, 0, 1])))
    found = decode(data)
    assert np.array_equal(found.pixels, NOISE)
    kind = "primaries 10, transfer 17 of H.273"
    assert found.note == f"its colours are of a kind that is not for screens ({kind}), and were taken for sRGB"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(Image.open(BytesIO(encoded(NOISE, exif=exif)))))
    assert np.array_equal(decode(encoded(NOISE, exif=exif)).pixels, expected)
    assert np.array_equal(turned(NOISE, ORIENTATIONS.get(orientation, (False, False, False))), expected)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_the_header_has_the_size_that_is_shown(kind, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "a").write_bytes(encoded(NOISE, kind, exif=exif))
    header = read_header(str(tmp_path / "a"))
    assert (header.width, header.height) == (24, 36) == decode((tmp_path / "a").read_bytes()).pixels.shape[1::-1]


def test_pixels_become_square():
    assert [square_width(720, a) for a in (1.0, 0.995, 1.0099, 64 / 45, 8 / 9)] == [720, 720, 720, 1024, 640]
    assert [square_width(720, a) for a in (0.0, 9.0, 0.1)] == [720] * 3  # nobody means that
    assert [square_width(720, a) for a in (8.0, 0.125)] == [5760, 90]
    assert shown_size(720, 576, 64 / 45, (True, False, False)) == (576, 1024)
    ramp = np.arange(0, 240, 4, dtype=np.uint8)
    found = shown(np.broadcast_to(ramp[None, :, None], (8, 60, 3)), aspect=4 / 3)
    assert found.shape == (8, 80, 3)
    expected = 4 * ((np.arange(80) + 0.5) * 0.75 - 0.5)
    assert np.abs(found[4, 3:-3, 0] - expected[3:-3]).max() <= 1


MODES = {
    "JPEG": ("RGB", "L", "CMYK"),
    "PNG": ("RGB", "RGBA", "L", "LA", "P", "1"),
    "WEBP": ("RGB", "RGBA", "L"),
    "BMP": ("RGB", "L", "P", "1"),
    "TIFF": ("RGB", "RGBA", "L", "LA", "P", "1", "CMYK"),
    "AVIF": ("RGB", "RGBA"),
    "GIF": ("RGB", "RGBA", "L", "P"),
}


@pytest.mark.parametrize(("kind", "mode"), [(k, m) for k, modes in MODES.items() for m in modes])
def test_pictures_that_state_nothing_come_as_they_are_stored(kind, mode):
    """What Pillow gives, bit for bit: the scores of ordinary pictures are those that they were."""
    data = encoded(Image.fromarray(NOISE).convert(mode), kind)
    with Image.open(BytesIO(data)) as opened:
        if opened.mode in ("RGBA", "LA") or "transparency" in opened.info:
            front = opened.convert("RGBA")
            opened = Image.alpha_composite(Image.new("RGBA", front.size, "white"), front)
        expected = np.asarray(opened.convert("RGB"))
    found = decode(data)
    assert np.array_equal(found.pixels, expected)
    assert found.note == ""
