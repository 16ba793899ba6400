"""Self-blending and alignment equal their slow twins, and keep what they promise for any draw."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import align as slow_align
from reference import blend as slow

from corit.images.faces import align, similarity, template
from corit.recipe import BlendRecipe
from corit.seeding import generator
from corit.views.blend import appearance, draw_blend, elastic, geometry, self_blend, soften
from corit.views.regions import boundary_band, patch_regions

RECIPE = BlendRecipe()


def crop(seed, side=24):
    rng = generator("blend", seed)
    low = rng.integers(0, 256, (6, 6, 3)).astype(np.uint8)
    return cv2.resize(low, (side, side), interpolation=cv2.INTER_CUBIC)


def disc(side, radius=0.3, at=(0.5, 0.5)):
    y, x = np.mgrid[:side, :side] / side
    return (y - at[0]) ** 2 + (x - at[1]) ** 2 < radius**2


def drawn(seed, **fixed):
    return replace(draw_blend(RECIPE, generator("draw", seed)), **fixed)


@pytest.mark.parametrize("seed", range(6))
def test_colour_and_sharpening_equal_the_slow_twin(seed):
    of = drawn(seed, resolution="sharpen", rgb_shift=(12.0, -7.5, 3.25))
    fast, twin = appearance(crop(seed), of).astype(int), slow.appearance(crop(seed), of).astype(int)
    assert np.abs(fast - twin).max() <= 1  # float32 against float64, at the edge of rounding
    assert (fast != twin).mean() < 0.01


@pytest.mark.parametrize("side", [24, 25, 27])
@pytest.mark.parametrize("resolution", ["down2", "down4"])
def test_lost_resolution_equals_the_slow_twin(resolution, side):
    of = drawn(side, resolution=resolution)
    fast, twin = appearance(crop(1, side), of).astype(int), slow.appearance(crop(1, side), of).astype(int)
    assert np.abs(fast - twin).max() <= 1
    assert np.abs(twin - crop(1, side)).max() > 20


def test_draws_fill_the_ranges_of_their_recipe():
    made = [draw_blend(BlendRecipe(perturb="either"), generator("ranges", k)) for k in range(1500)]
    column = lambda name: np.array([getattr(d, name) for d in made], dtype=float)
    ends = {
        "hsv_shift": (-0.3, 0.3),
        "brightness": (-0.1, 0.1),
        "contrast": (-0.1, 0.1),
        "sharpen_alpha": (0.2, 0.5),
        "sharpen_lightness": (0.5, 1.0),
        "scale": (0.95, 1 / 0.95),
        "mask_side": (192, 256),
        "second_sigma": (5, 45),
    }
    for name, (low, high) in ends.items():
        values, slack = column(name), 0.01 * (high - low)
        assert low <= values.min() <= low + slack, name
        assert high - slack <= values.max() <= high, name
        assert abs(values.mean() - (low + high) / 2) < 0.05 * (high - low), name
    for name in ("first_blur", "second_blur"):
        assert set(column(name)) == set(range(5, 26, 2)), name
    assert (column("mask_side").min(0).tolist(), column("mask_side").max(0).tolist()) == ([192, 192], [256, 256])
    assert column("translate").max(0) == pytest.approx([0.03, 0.015], rel=0.02)
    assert column("translate").min(0) == pytest.approx([-0.03, -0.015], rel=0.02)
    shifted = column("rgb_shift")
    assert np.abs(shifted).max() == pytest.approx(20, rel=0.02)
    assert (shifted != 0).any(1).mean() == pytest.approx(0.3, abs=0.05)
    share = lambda name, value: np.mean([getattr(d, name) == value for d in made])
    shares = {"down2": 0.25, "down4": 0.25, "sharpen": 0.5}
    assert {k: share("resolution", k) for k in shares} == pytest.approx(shares, abs=0.05)
    assert {k: share("perturbed", k) for k in ("source", "target")} == pytest.approx(
        {"source": 0.5, "target": 0.5}, abs=0.05
    )
    ratios = {0.25: 1 / 6, 0.5: 1 / 6, 0.75: 1 / 6, 1.0: 0.5}
    assert {k: share("ratio", k) for k in ratios} == pytest.approx(ratios, abs=0.05)


@pytest.mark.parametrize("seed", range(3))
def test_picture_and_mask_shift_alike_with_mirrored_edges(seed):
    of = replace(drawn(seed), translate=(0.1 * (seed - 1), 0.07), scale=1 / 0.8 if seed else 0.8)
    pixels = crop(seed, 32)
    fast, _ = geometry(pixels, np.zeros((32, 32), np.float32), of)
    assert np.abs(fast - slow.moved_pixels(pixels, of)).max() < 8  # OpenCV's warp counts in 1/32 of a pixel


@pytest.mark.parametrize("seed", range(4))
def test_the_shift_of_a_mask_equals_the_slow_twin(seed):
    of, mask = drawn(seed), disc(40).astype(np.float32)
    _, fast = geometry(np.zeros((40, 40, 3), np.uint8), mask, of)
    assert np.abs(fast - slow.moved_mask(mask, of)).max() < 0.04  # OpenCV's warp counts in 1/32 of a pixel


@pytest.mark.parametrize("seed", range(3))
def test_the_blend_mask_equals_the_slow_twin(seed):
    of = drawn(seed, mask_side=(256, 256), first_blur=9 + 2 * seed, second_blur=11, ratio=0.75)
    mask = disc(256).astype(np.float32)
    assert soften(mask, of) == pytest.approx(slow.soften(mask, of), abs=2e-4)


@pytest.mark.parametrize("side", [64, 128])
@pytest.mark.parametrize(("size", "blurs"), [((256, 200), (13, 25)), ((192, 248), (25, 9)), ((224, 224), (21, 15))])
def test_the_blend_mask_of_a_small_crop_is_that_of_256_px_scaled(side, size, blurs):
    of = drawn(1, mask_side=size, first_blur=blurs[0], second_blur=blurs[1], second_sigma=20, ratio=0.5)
    mask = disc(side, 0.35, (0.45, 0.55)).astype(np.float32)
    apart = np.abs(soften(mask, of) - slow.soften(mask, of))
    assert apart.max() < 0.1  # a pixel at the edge of what stayed full may fall to either side
    assert (apart > 2e-3).mean() < 0.01


def test_a_mask_of_nothing_blends_nothing():
    assert soften(np.zeros((64, 64), np.float32), drawn(0)).max() == 0


@pytest.mark.parametrize(("side", "seed"), [(32, 0), (64, 1), (64, 2), (96, 3)])
def test_the_elastic_mask_equals_the_slow_twin_at_every_side(side, seed):
    of, mask = drawn(seed), disc(side).astype(np.float32)
    fast = elastic(mask, of, RECIPE)
    assert np.abs(fast - slow.elastic(mask, of, RECIPE.elastic_alpha, RECIPE.elastic_sigma)).max() < 0.08
    assert (np.abs(fast - mask) > 0.2).any()  # the displacement is more than the tolerance


@pytest.mark.parametrize("seed", range(4))
def test_the_blend_is_the_formula(seed):
    of, pixels, mask = drawn(seed, resolution="sharpen"), crop(seed, 40), disc(40)
    fast, m = self_blend(pixels, mask, of, RECIPE)
    source, area = geometry(appearance(pixels, of), mask.astype(np.float32), of)
    assert np.array_equal(m, soften(elastic(area, of, RECIPE), of))
    assert np.abs(fast.astype(int) - slow.blend(m.astype(float), source, pixels).astype(int)).max() <= 1


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.1, 0.45), st.floats(0.3, 0.7), st.sampled_from([32, 64, 224]))
def test_any_draw_changes_nothing_outside_its_mask(seed, radius, at, side):
    pixels = crop(seed, side)
    twin, m = self_blend(pixels, disc(side, radius, (at, 0.5)), drawn(seed), RECIPE)
    assert m.min() >= 0
    assert m.max() <= 1
    assert np.array_equal(twin[m == 0], pixels[m == 0])
    again, _ = self_blend(pixels, disc(side, radius, (at, 0.5)), drawn(seed), RECIPE)
    assert np.array_equal(twin, again)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.05, 0.6), st.floats(0, 1), st.floats(0, 1), st.sampled_from([(8, 8), (14, 14), (16, 16)]))
def test_regions_share_no_patch_and_the_band_is_at_the_contour(radius, y, x, grid):
    mask = disc(112, radius, (y, x))
    regions = patch_regions(mask, grid)
    assert regions.sum(0).max() <= 1
    assert regions.any(0).mean() > 0.5
    if mask.any() and not mask.all():
        edge = boundary_band(mask, 0.0625)
        assert (edge & mask).any()
        assert (edge & ~mask).any()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(-180, 180), st.floats(0.2, 5), st.floats(0, 3))
def test_alignment_is_the_least_squares_similarity(seed, angle, scale, noise):
    rng, target = generator("align", seed), template(256, 1.3)
    assert target == pytest.approx(np.array(slow_align.template(256, 1.3)), abs=1e-2)
    turn = cv2.getRotationMatrix2D((100, 80), angle, scale)
    source = target @ turn[:, :2].T + turn[:, 2] + rng.normal(0, noise, (5, 2))
    assert similarity(source, target) == pytest.approx(slow_align.similarity(source, target), abs=1e-7)


def test_five_points_on_the_template_leave_the_crop_as_it_is():
    pixels = crop(0, 256)
    found, moved, matrix = align(pixels, template(256, 1.3).astype(np.float32))
    assert np.array_equal(found, pixels)
    assert moved == pytest.approx(template(256, 1.3), abs=1e-3)
    assert matrix == pytest.approx(np.eye(2, 3), abs=1e-4)
