"""Frames as a viewer shows them: square pixels, colour matrices and ranges, wide gamuts and HDR, against slow twins."""

from __future__ import annotations

import struct
from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest
from av.sidedata.sidedata import Type
from images import colours, video_files

from corit.data.sample import Sample
from corit.data.video_frames import VideoFrames
from corit.images import frame_display as module
from corit.images.colour_space import BT709, BT2020, DISPLAY_P3, SRGB
from corit.images.frame_display import DOLBY, colours_of_frame, show
from corit.images.header import Header, read_header
from corit.images.video import VideoFile, read_video

CODES = colours.smooth(24, 40)


def first(path):
    return read_video(path, 1).frames[0]


# Square pixels.
SHAPES = {  # sample aspect ratio -> (width, height) of 64 x 48 stored pixels
    Fraction(4, 3): (85, 48),
    Fraction(8, 9): (57, 48),
    Fraction(2, 1): (128, 48),
    Fraction(1, 1): (64, 48),
    Fraction(200, 201): (64, 48),
    Fraction(30, 1): (64, 48),
}


@pytest.mark.parametrize("codec", [("mpeg4", ".mp4"), ("mpeg4", ".avi")])
@pytest.mark.parametrize("aspect", SHAPES)
def test_pixels_are_square(aspect, codec, tmp_path):
    ramp = np.broadcast_to(np.arange(0, 256, 4, dtype=np.uint8)[None, :, None], (48, 64, 3))
    name, suffix = codec
    path = tmp_path / f"a{suffix}"
    stored = [
        av.VideoFrame.from_ndarray(np.ascontiguousarray(ramp), "rgb24").reformat(format="yuv420p") for _ in range(3)
    ]
    colours.write(path, stored, aspect, name)
    width, height = SHAPES[aspect]
    video, picture = VideoFile(path), first(path)
    assert video.size == read_video(path, 1).size == (width, height) == picture.pixels.shape[1::-1]
    assert read_header(str(path)) == Header(width, height, suffix[1:])
    expected = 4 * ((np.arange(width) + 0.5) * 64 / width - 0.5)
    assert np.abs(picture.pixels[20, 6:-6, 1] - expected[6:-6]).max() <= 5  # of the codec
    assert picture.note == ""


def test_width_is_scaled_before_the_frame_is_turned(tmp_path):
    corner = np.zeros((48, 64, 3), np.uint8)
    corner[:24, :32] = 220
    stored = [av.VideoFrame.from_ndarray(corner, "rgb24").reformat(format="yuv420p") for _ in range(2)]
    path = video_files.turned(colours.write(tmp_path / "a.mp4", stored, Fraction(2, 1), "mpeg4"), tmp_path / "b.mp4")
    pixels = first(path).pixels
    assert pixels.shape == (128, 48, 3)
    assert VideoFile(path).size == (48, 128)
    assert pixels[:60, 26:].mean() > 180
    assert pixels[68:].mean() < 30


# Matrices and ranges.
@pytest.mark.parametrize("matrix", [1, 5, 9])
@pytest.mark.parametrize("full", [False, True])
def test_the_matrix_and_range_that_are_stated_are_used(matrix, full):
    stored, meant = colours.frame(CODES, "yuv444p", matrix, full)
    pixels, note = show(stored)
    assert np.abs(pixels - 255 * meant).max() <= 1
    assert np.abs(pixels - 255 * meant).mean() < 0.3
    assert note == ""


def test_what_is_not_stated_is_read_as_ffmpeg_reads_it():
    stored, meant = colours.frame(CODES, "yuv444p", 5)
    stored.colorspace, stored.color_range = 2, 0
    assert np.abs(show(stored)[0] - 255 * meant).max() <= 1


def test_yuvj_is_of_full_range():
    stored, meant = colours.frame(CODES, "yuvj444p", 5, full=True)
    stored.color_range = 0
    assert np.abs(show(stored)[0] - 255 * meant).max() <= 1


PLAIN = {"primaries": (0, 1, 2, 5, 6, 7), "transfer": (0, 1, 2, 4, 5, 6, 7, 11, 13, 14, 15)}


@pytest.mark.parametrize("primaries", PLAIN["primaries"])
@pytest.mark.parametrize("transfer", PLAIN["transfer"])
@pytest.mark.parametrize("pixels", ["yuv420p", "yuv444p"])
def test_sdr_frames_come_as_they_are_stored(primaries, transfer, pixels):
    """What FFmpeg gives, bit for bit: the scores of ordinary videos are those that they were."""
    stored = colours.frame(CODES, "yuv444p", 1)[0].reformat(format=pixels)
    stored.color_primaries, stored.color_trc = primaries, transfer
    found, note = show(stored)
    assert np.array_equal(found, stored.to_ndarray(format="rgb24"))
    assert note == ""


def test_the_values_that_ffmpeg_gives_are_kept():
    """Recorded of FFmpeg 5.1.9 for Y'CbCr (100, 90, 200) by matrix and range; its filters scale and zscale agree."""
    recorded = {
        (1, 1): (227, 68, 18),
        (1, 2): (213, 73, 29),
        (5, 1): (213, 54, 21),
        (5, 2): (201, 62, 33),
        (9, 1): (219, 58, 16),
        (9, 2): (206, 65, 29),
    }
    for (matrix, coded_range), rgb in recorded.items():
        stored = av.VideoFrame(16, 16, "yuv444p")
        for plane, value in zip(stored.planes, (100, 90, 200), strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        stored.colorspace, stored.color_range = matrix, coded_range
        assert tuple(show(stored)[0][8, 8].tolist()) == rgb


# Wide gamuts and HDR.
@pytest.mark.parametrize("pixels", ["yuv444p", "yuv444p10le"])
def test_wide_gamuts_become_srgb(pixels):
    stored, meant = colours.frame(CODES, pixels, 9)
    stored.color_primaries, stored.color_trc = 9, 14
    found, note = show(stored)
    expected = colours.converted(meant, "BT.2020", colours.srgb_linear)
    assert np.abs(found - expected).max() < (1 if pixels != "yuv444p" else 15)  # of 8 bits, dark colours are coarse
    assert np.abs(found - expected).mean() < (0.35 if pixels != "yuv444p" else 1)
    assert np.abs(255 * meant - expected).max() > 20
    stored.color_primaries = 12
    assert np.abs(show(stored)[0] - colours.converted(meant, "Display P3", colours.srgb_linear)).mean() < 1
    assert note == ""


CURVES = {16: colours.pq_nits, 18: colours.hlg_nits}


@pytest.mark.parametrize("pixels", ["yuv444p10le", "yuv444p12le"])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("transfer", CURVES)
def test_hdr_is_tone_mapped_to_a_level(transfer, full, pixels):
    stored, meant = colours.frame(CODES, pixels, 9, full)
    stored.color_primaries, stored.color_trc = 9, transfer
    found, note = show(stored)
    assert np.abs(found - colours.tone_mapped(CURVES[transfer](meant))).max() <= 1
    assert note == ""


def test_hdr_coded_as_rgb_has_its_full_range():
    values = (CODES * 1023).round().astype(np.uint16)
    stored = av.VideoFrame.from_ndarray(values, "gbrp10le")
    stored.colorspace, stored.color_range, stored.color_primaries, stored.color_trc = 0, 2, 9, 16
    assert np.abs(show(stored)[0] - colours.tone_mapped(colours.pq_nits(values / 1023))).max() <= 1


@pytest.mark.parametrize("transfer", CURVES)
def test_hdr_files_are_tone_mapped(transfer, tmp_path):
    stored, meant = colours.frame(CODES, "yuv444p10le", 9)
    stored.color_primaries, stored.color_trc = 9, transfer
    path = colours.write(tmp_path / "a.mkv", [stored] * 2)
    found = first(path)
    assert np.abs(found.pixels - colours.tone_mapped(CURVES[transfer](meant))).max() <= 1
    assert np.abs(found.pixels - 255 * meant).mean() > 10
    assert found.note == ""


def test_hdr_without_primaries_has_those_of_bt2020():
    stored, _ = colours.frame(CODES)
    stored.color_primaries, stored.color_trc = 2, 16
    assert colours_of_frame(stored).space.primaries == BT2020
    stored.color_primaries = 12
    assert colours_of_frame(stored).space.primaries == DISPLAY_P3
    stored.color_primaries = 1
    assert colours_of_frame(stored).space.primaries == BT709


def told(**sides):
    data = {getattr(Type, k): v for k, v in sides.items()}
    return SimpleNamespace(side_data=data, color_primaries=9, color_trc=16)


def display(nits, known=1):
    return bytes(64) + struct.pack("=iiiiii", 1, 10000, round(nits * 10000), 10000, 1, known)


PEAKS = {
    "nothing": ({}, 1000.0),
    "brightest light": ({"CONTENT_LIGHT_LEVEL": struct.pack("=II", 600, 200)}, 600.0),
    "before the display": (
        {"CONTENT_LIGHT_LEVEL": struct.pack("=II", 600, 0), "MASTERING_DISPLAY_METADATA": display(4000)},
        600.0,
    ),
    "display": ({"CONTENT_LIGHT_LEVEL": struct.pack("=II", 0, 0), "MASTERING_DISPLAY_METADATA": display(4000)}, 4000.0),
    "display without light": ({"MASTERING_DISPLAY_METADATA": display(4000, known=0)}, 1000.0),
    "beyond PQ": ({"CONTENT_LIGHT_LEVEL": struct.pack("=II", 60000, 0)}, 1000.0),
}


@pytest.mark.parametrize("name", PEAKS)
def test_how_bright_a_picture_is_comes_from_its_metadata(name):
    sides, peak = PEAKS[name]
    assert colours_of_frame(told(**sides)).space.peak == peak


HDR10 = "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:hdr10=1:log-level=none"
MASTERED = ":master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(40000000,50)"


@pytest.mark.parametrize(("more", "peak"), [("", 1000.0), (MASTERED, 4000.0), (f"{MASTERED}:max-cll=600,300", 600.0)])
def test_metadata_of_real_streams_is_understood(more, peak):
    if "libx265" not in av.codecs_available:
        pytest.skip("no encoder of such streams")
    writer, reader = av.CodecContext.create("libx265", "w"), av.CodecContext.create("hevc", "r")
    writer.width, writer.height, writer.pix_fmt = 64, 64, "yuv420p10le"
    writer.time_base, writer.framerate = Fraction(1, 10), Fraction(10)
    writer.options = {"x265-params": HDR10 + more}
    picture = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 90, np.uint8), "rgb24").reformat(format="yuv420p10le")
    picture.pts = 0
    packets = [*writer.encode(picture), *writer.encode(None)]
    frames = [f for p in packets for f in reader.decode(p)] + reader.decode(None)
    light = colours_of_frame(frames[0]).space
    assert (light.transfer, light.primaries, light.peak) == ("pq", BT2020, peak)


def test_dolby_vision_profile_5_gets_a_note():
    header = struct.pack("=Q", 24) + bytes(16) + b"\2\0\x12\0"
    assert colours_of_frame(told(DOVI_METADATA=header + b"\0" + bytes(9))).note == DOLBY
    assert colours_of_frame(told(DOVI_METADATA=header + b"\1" + bytes(9))).note == ""


def test_transfers_that_no_screen_shows_get_a_note(tmp_path):
    stored, _ = colours.frame(CODES, "yuv444p", 1)
    stored.color_primaries, stored.color_trc = 10, 17
    assert colours_of_frame(stored).space == SRGB
    path = colours.write(tmp_path / "a.mkv", [stored] * 2)
    assert "primaries 10, transfer 17 of H.273" in first(path).note
    source = SimpleNamespace(samples=(Sample("a", str(path), 0, frame=-1),), load=None)
    rows = VideoFrames(source, frames=1)
    assert "not for screens" in rows.load(rows.samples[0]).note


def test_the_code_of_a_full_signal_is_the_one_that_the_scaler_makes():
    """Should FFmpeg scale instead of shifting one day, this is where it shows."""
    white = np.ones((16, 16, 3))
    for pixels, full in (("yuv444p10le", False), ("yuv444p10le", True), ("yuv444p12le", True)):
        stored, _ = colours.frame(white * (0.9 if not full else 1), pixels, 9, full)
        expected = module.full_scale_code(stored) * (0.9 if not full else 1)
        assert np.abs(stored.to_ndarray(format="rgb48le") - expected).max() < 80
