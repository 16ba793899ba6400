"""Perturbations against the published levels, and what all share: shape, determinism, growth with level."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np
import pytest
from PIL import Image

from corit.data.perturbed import PerturbedSource
from corit.data.sample import Sample
from corit.errors import DataError, UnreadableError, UnsupportedError
from corit.images import perturb as p
from corit.images.picture import Picture
from corit.seeding import generator

SIZES = {"face": (256, 256), "wide": (270, 520), "small": (96, 80), "tiny": (3, 5), "pixel": (1, 1)}


def texture(height, width, key="texture"):
    """Smooth shapes with fine grain and strong colours, away from black and white."""
    rng = generator(key, height, width)
    coarse = rng.integers(40, 216, (max(1, height // 8), max(1, width // 8), 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)).astype(float)
    return np.clip(smooth + rng.normal(size=(height, width, 3)) * 6, 20, 235).astype(np.uint8)


PIXELS = texture(256, 256)


def damage(pixels, name, level):
    return float(np.mean((p.perturb(pixels, name, level).astype(float) - pixels) ** 2))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", p.PERTURBATIONS)
def test_perturbing_keeps_the_size_and_the_original(name, size):
    pixels = texture(*SIZES[size])
    before = pixels.copy()
    for level in p.LEVELS:
        out = p.perturb(pixels, name, level)
        assert (out.shape, out.dtype) == (pixels.shape, np.uint8)
    assert np.array_equal(pixels, before)


@pytest.mark.parametrize("size", ["face", "wide", "small"])
@pytest.mark.parametrize("name", p.PERTURBATIONS)
def test_damage_grows_with_the_level(name, size):
    pixels = texture(*SIZES[size])
    found = [damage(pixels, name, level) for level in p.LEVELS]
    assert found[0] > 0
    assert all(a < b for a, b in pairwise(found)), found


@pytest.mark.parametrize("name", p.PERTURBATIONS)
def test_the_result_depends_on_the_picture_alone(name):
    once, again = p.perturb(PIXELS, name, 3), p.perturb(PIXELS.copy(), name, 3)
    assert np.array_equal(once, again)
    assert not np.array_equal(once, p.perturb(np.roll(PIXELS, 1, axis=0), name, 3))


def test_what_is_random_differs_between_pictures():
    a, b = np.full((256, 256, 3), 60, np.uint8), np.full((256, 256, 3), 61, np.uint8)
    assert not np.array_equal(p.perturb(a, "blocks", 1) == 128, p.perturb(b, "blocks", 1) == 128)
    assert not np.array_equal(p.perturb(a, "noise", 1), p.perturb(b, "noise", 1).astype(int) - 1)


@pytest.mark.parametrize("level", p.LEVELS)
def test_blur_is_a_gaussian_of_the_published_kernel(level):
    """An impulse spreads as far as the kernel and no further; its profile is a Gaussian of sigma k / 6."""
    k = (7, 9, 13, 17, 21)[level - 1]
    point = np.zeros((41, 41, 3), np.uint8)
    point[20] = 255  # a line: its profile is the one-dimensional kernel
    profile = p.perturb(point, "blur", level)[:, 20, 0].astype(float)
    x = np.arange(41) - 20
    expected = np.where(abs(x) <= k // 2, np.exp(-(x**2) / (2 * (k / 6) ** 2)), 0)
    assert np.abs(profile - 255 * expected / expected.sum()).max() <= 1.5


@pytest.mark.parametrize("level", p.LEVELS)
@pytest.mark.parametrize(("size", "unit"), [((256, 300), 1), ((511, 600), 1), ((512, 600), 2)])
def test_blocks_are_as_many_as_published(level, size, unit):
    """Squares overlap, so their number is bounded by the grey area; with few of them it is reached."""
    out = p.perturb(np.zeros((*size, 3), np.uint8), "blocks", level)
    assert set(np.unique(out)) == {0, 128}
    share = (out[..., 0] == 128).sum() / 64
    count = unit * (16, 32, 48, 64, 80)[level - 1]
    assert 0.8 * count <= share <= count


def test_blocks_of_a_level_lie_within_those_of_the_next():
    black = np.zeros((256, 256, 3), np.uint8)
    grey = [p.perturb(black, "blocks", level) == 128 for level in p.LEVELS]
    assert all((a <= b).all() for a, b in pairwise(grey))


def test_small_pictures_lose_the_same_share_to_blocks():
    """The benchmark's rule has no block at all below 256 px: a perturbation that does nothing would look robust."""
    share = lambda side: np.mean(
        [(p.blocks(np.zeros((side, side, 3), np.uint8), 5, generator(i)) > 0).mean() for i in range(40)]
    )
    assert share(128) == pytest.approx(share(256), rel=0.15)


@pytest.mark.parametrize("level", p.LEVELS)
def test_contrast_and_saturation_are_scaled_as_published(level):
    factor = (0.85, 0.725, 0.6, 0.475, 0.35)[level - 1]
    assert np.abs(p.perturb(PIXELS, "contrast", level) - np.floor(PIXELS * factor)).max() <= 1
    out = p.perturb(PIXELS, "saturation", level).astype(float)
    chroma = lambda v: v - (v @ [0.299, 0.587, 0.114])[..., None]
    keep = (0.4, 0.3, 0.2, 0.1, 0.0)[level - 1]
    assert np.abs(chroma(out) - keep * chroma(PIXELS.astype(float))).max() < 1.2


@pytest.mark.parametrize("level", p.LEVELS[:4])  # at level 5 the clipping eats the tails
def test_noise_has_the_published_variance(level):
    """Of Y and of Cr on a grey picture, where nothing is clipped: sqrt(v) of 255, stretched from studio range."""
    sigma = 255 * (0.001, 0.002, 0.005, 0.01)[level - 1] ** 0.5
    flat = np.full((256, 256, 3), 128, np.uint8)
    out = p.perturb(flat, "noise", level).astype(float) + 0.5  # fractions were cut off
    y = out @ [0.299, 0.587, 0.114]
    assert y.std() == pytest.approx(sigma * 255 / 219, rel=0.03)
    assert y.mean() == pytest.approx(128, abs=0.7)
    assert (out[..., 0] - y).std() == pytest.approx(1.403 * sigma * 255 / 224, rel=0.03)


@pytest.mark.parametrize("level", p.LEVELS)
def test_pixelation_keeps_only_the_published_resolution(level):
    """A checkerboard of single pixels turns flat where the factor is even; a slow ramp survives."""
    factor = level + 1
    ramp = np.repeat(np.linspace(0, 255, 240).astype(np.uint8)[None, :, None], 240, axis=0).repeat(3, axis=2)
    assert np.abs(p.perturb(ramp, "pixelation", level).astype(int) - ramp).max() <= factor + 1
    board = (np.indices((240, 240)).sum(0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, axis=2)
    if factor % 2 == 0:
        assert np.abs(p.perturb(board, "pixelation", level).astype(int) - 127).max() <= 1


def test_encoders_get_the_levels_that_the_table_says():
    from io import BytesIO

    for level, quality in zip(p.LEVELS, (90, 70, 50, 30, 10), strict=True):
        data = BytesIO()
        Image.fromarray(PIXELS).save(data, "JPEG", quality=quality)
        assert np.array_equal(p.perturb(PIXELS, "jpeg", level), np.asarray(Image.open(data)))
    assert set(p.PAPER) <= set(p.PERTURBATIONS)


@pytest.mark.parametrize(("name", "level"), [("blur", 0), ("blur", 6), ("blur", 2.5), ("fog", 1)])
def test_unknown_names_and_levels_are_refused(name, level):
    words = "there are blur" if name == "fog" else "level of 1 to 5"
    with pytest.raises(DataError, match=words):
        p.perturb(PIXELS, name, level)
    with pytest.raises(DataError, match=words):
        PerturbedSource(Pair(), name, level)


@dataclass(frozen=True)
class Pair:
    """A source of one good and one unreadable picture."""

    samples = (Sample("good", "good.png", 0), Sample("bad", "bad.png", 1))

    def load(self, sample):
        if sample.id == "bad":
            raise UnreadableError("bad.png is damaged")
        return Picture(PIXELS, np.ones((5, 2), np.float32), np.eye(256, dtype=bool), aligned=True, digest="a" * 64)


def test_a_perturbed_source_keeps_rows_landmarks_mask_and_errors():
    source = PerturbedSource(Pair(), "jpeg", 4)
    assert source.samples == tuple(replace(s, extra="jpeg 4") for s in Pair.samples)
    plain, shown = Pair().load(source.samples[0]), source.load(source.samples[0])
    assert np.array_equal(shown.pixels, p.perturb(PIXELS, "jpeg", 4))
    assert np.array_equal(shown.landmarks, plain.landmarks)
    assert np.array_equal(shown.mask, plain.mask)
    assert shown.aligned
    assert shown.digest == ""  # no file holds these pixels
    with pytest.raises(UnreadableError, match="damaged"):
        source.load(source.samples[1])


def test_saturation_cuts_fractions_off_and_leaves_grey_pictures_alone():
    """As the public code does, by way of OpenCV's Y, Cr and Cb of floats."""
    for level, share in enumerate(p.SATURATION, start=1):
        ycc = cv2.cvtColor(PIXELS.astype(np.float32), cv2.COLOR_RGB2YCrCb)
        ycc[..., 1:] = 0.5 + (ycc[..., 1:] - 0.5) * share
        exact = cv2.cvtColor(ycc, cv2.COLOR_YCrCb2RGB)
        found = p.perturb(PIXELS, "saturation", level)
        assert np.mean(found == np.clip(exact + 1e-3, 0, 255).astype(np.uint8)) > 0.99
        grey = np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(16, 16, 3)
        assert np.array_equal(p.perturb(grey, "saturation", level), grey)


@pytest.mark.parametrize(("name", "side"), [("webp", 16400), ("jpeg", 65600), ("screenshot", 80000)])
def test_a_picture_that_a_format_cannot_hold_is_lost_with_a_reason(name, side):
    with pytest.raises(UnsupportedError, match="px cannot be saved as"):
        p.perturb(np.zeros((2, side, 3), np.uint8), name, 1)
