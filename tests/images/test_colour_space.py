"""Tone curve, transfer functions and gamuts against slow twins and numbers that the standards print."""

from __future__ import annotations

import numpy as np
import pytest
from images import colours

from corit.images import colour_space
from corit.images.colour_space import BT709, BT2020, DCI_P3, DISPLAY_P3, SRGB, ColourSpace, to_srgb


def test_pq_has_the_standards_values():
    # BT.2408: 203 nits are 58 % of PQ, 1000 nits 75 %; and 10,000 are all of it.
    assert colour_space.pq_signal(np.array([0.0, 203.0, 1000.0, 10000.0])) == pytest.approx(
        [0, 0.5807, 0.7518, 1], abs=1e-4
    )
    codes = np.linspace(0, 1, 101)
    assert colour_space.pq_nits(codes) == pytest.approx(colours.pq_nits(codes), rel=1e-9)
    assert colour_space.pq_signal(colour_space.pq_nits(codes)) == pytest.approx(codes, abs=1e-6)


def test_hlg_has_the_standards_values():
    # BT.2408: 75 % of HLG are 203 nits of a display's 1000; BT.2100: half of the signal is a twelfth of the scene.
    assert colour_space.hlg_scene(np.array([0.0, 0.5, 1.0])) == pytest.approx([0, 1 / 12, 1], abs=1e-6)
    assert 1000 * colour_space.hlg_scene(np.array(0.75)) ** 1.2 == pytest.approx(203, abs=0.5)


@pytest.mark.parametrize("peak", [400.0, 1000.0, 4000.0])
def test_the_tone_curve_is_bt2390s(peak):
    nits = np.array([0.0, 0.01, 1, 50, 90, 120, 203, 350, 400, 700, 1000, 4000, 9000])
    found = colour_space.eetf(nits, peak)
    assert found == pytest.approx(colours.eetf(nits, peak), rel=1e-7, abs=1e-12)
    assert found.max() == pytest.approx(203)
    assert (np.diff(found) >= -1e-9).all()
    assert found[1:3] == pytest.approx(nits[1:3])  # below the knee nothing changes


def test_a_picture_that_is_no_brighter_than_white_is_not_mapped():
    assert colour_space.eetf(np.array([10.0, 150.0, 300.0]), 150.0) == pytest.approx([10, 150, 203])


@pytest.mark.parametrize(("gamut", "name"), [(DISPLAY_P3, "Display P3"), (BT2020, "BT.2020"), (BT709, "sRGB")])
def test_gamuts_go_by_xyz(gamut, name):
    expected = np.linalg.inv(colours.to_xyz(colours.GAMUTS["sRGB"])) @ colours.to_xyz(colours.GAMUTS[name])
    assert colour_space.to_bt709(gamut) == pytest.approx(expected, abs=1e-12)


def test_the_matrix_from_bt2020_is_the_one_of_bt2087():
    assert colour_space.to_bt709(BT2020) == pytest.approx(colours.SRGB_FROM_BT2020, abs=1e-4)


def test_white_stays_white_in_gamuts_of_another_white():
    assert colour_space.to_bt709(DCI_P3).sum(1) == pytest.approx([1, 1, 1], abs=1e-12)


def test_srgb_comes_back_as_it_is():
    pixels = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    assert to_srgb(pixels, SRGB) is pixels
    assert np.array_equal(to_srgb(pixels.astype(np.uint16) * 257, SRGB), pixels)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_wide_gamuts_are_within_a_level(kind):
    top = np.iinfo(kind).max
    codes = (colours.smooth() * top).round().astype(kind)
    found = to_srgb(codes, ColourSpace(DISPLAY_P3))
    expected = colours.converted(codes / top, "Display P3", colours.srgb_linear)
    assert np.abs(found - expected).max() < 0.6
    assert np.abs(expected - 255 * codes / top).max() > 15


@pytest.mark.parametrize(("transfer", "nits"), [("pq", colours.pq_nits), ("hlg", colours.hlg_nits)])
def test_hdr_is_within_a_level(transfer, nits):
    codes = (colours.smooth(24, 40) * 65535).round().astype(np.uint16)
    found = to_srgb(codes, ColourSpace(BT2020, transfer))
    assert np.abs(found - colours.tone_mapped(nits(codes / 65535))).max() < 1


def test_a_picture_that_is_brighter_than_it_says_keeps_its_hue():
    codes = np.array([[[60000, 48000, 30000]]], np.uint16)
    found = to_srgb(codes, ColourSpace(BT2020, "pq", peak=400.0))
    nits = colours.pq_nits(codes / 65535)
    expected = 255 * colours.srgb_code(nits / nits.max() @ colours.SRGB_FROM_BT2020.T)
    assert np.abs(found - expected).max() < 1


def test_bands_leave_no_seam(monkeypatch):
    codes = (colours.smooth() * 65535).round().astype(np.uint16)
    whole = to_srgb(codes, ColourSpace(BT2020, "hlg"))
    monkeypatch.setattr(colour_space, "BAND", 64 * 5)
    assert np.array_equal(to_srgb(codes, ColourSpace(BT2020, "hlg")), whole)


def test_powers_and_codes_below_full():
    codes = np.array([[[255, 128, 51]]], np.uint8)
    assert to_srgb(codes, ColourSpace(transfer="gamma", gamma=1.0)).tolist() == [[[255, 188, 124]]]
    half = np.array([[[65280, 32640, 0]]], np.uint16)
    assert (
        to_srgb(half, ColourSpace(DISPLAY_P3, full=65280)).tolist()
        == to_srgb(np.array([[[65535, 32768, 0]]], np.uint16), ColourSpace(DISPLAY_P3)).tolist()
    )


def test_linear_light_is_what_ffmpeg_makes_of_pq():
    """Recorded of its zscale filter (5.1.9): BT.2020 PQ of full range to linear BT.709, 1 being 203 nits."""
    codes = np.array([[20000, 30000, 40000], [45000, 38000, 30000], [35000, 35000, 35000], [10000, 5000, 20000]])
    recorded = [
        [-0.182658, 0.317267, 1.452655],
        [3.885182, 0.784548, 0.181879],
        [0.636831, 0.636831, 0.636831],
        [0.004295, -0.000177, 0.058882],
    ]
    found = colour_space.pq_nits(codes / 65535) / colour_space.WHITE @ colour_space.to_bt709(BT2020).T
    assert found == pytest.approx(np.array(recorded), rel=2e-4, abs=2e-6)
