from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from reference import blend as slow_blend

from corit.errors import DataError, NoFaceError, RecipeError, TooSmallError, UnreadableError
from corit.images.faces import align
from corit.images.picture import Picture
from corit.recipe import BlendRecipe, Recipe, ViewsRecipe
from corit.seeding import generator
from corit.views import foreground
from corit.views.blend import draw_blend, self_blend
from corit.views.foreground import ellipse, face_hull, saliency, token_foreground
from corit.views.prepare import Preparer, Views
from corit.views.regions import boundary_band, patch_regions, random_partition
from corit.world.miniature import Miniature


@pytest.fixture(scope="module")
def picture():
    world = Miniature(splits=["val"])
    return world.load(world.samples[3])


def preparer(**kw):
    return Preparer(ViewsRecipe(**kw.pop("recipe", {})), 64, (8, 8), **kw)


@pytest.mark.parametrize("seed", range(8))
def test_outside_the_mask_the_twin_is_the_picture_to_the_bit(picture, seed):
    crop = preparer().crops(picture)[0]
    twin, m = self_blend(crop.pixels, crop.mask, draw_blend(BlendRecipe(), generator(seed)), BlendRecipe())
    assert m.min() >= 0
    assert m.max() <= 1
    assert np.array_equal(twin[m == 0], crop.pixels[m == 0])
    assert (m == 0).mean() > 0.3
    assert not np.array_equal(twin, crop.pixels)


def test_equal_pictures_have_equal_views_and_other_fakes(picture):
    a, b = (preparer(twins=2)(picture)[0] for _ in range(2))
    assert np.array_equal(a.twins, b.twins)
    assert not np.array_equal(a.twins[0], a.twins[1])
    crop = preparer().crops(picture)[0]
    fake = preparer().forge(crop, 0)
    assert not any(np.array_equal(fake.pixels, t) for t in a.twins)
    assert np.array_equal(preparer().forge(crop, 0).pixels, fake.pixels)


def test_twins_perturb_the_source_alone_and_fakes_either(picture):
    crop, recipe = preparer().crops(picture)[0], BlendRecipe(perturb="either")
    perturbed = set()
    for k in range(8):
        of = draw_blend(recipe, generator("fake", k, crop.pixels))
        expected, m = self_blend(crop.pixels, crop.mask, of, recipe)
        fake = preparer().forge(crop, k)
        assert np.array_equal(fake.pixels, expected)
        outside_is_kept = np.array_equal(fake.pixels[m == 0], crop.pixels[m == 0])
        assert outside_is_kept == (of.perturbed == "source")
        assert np.array_equal(fake.mask, crop.mask)
        perturbed.add(of.perturbed)
    assert perturbed == {"source", "target"}
    assert {draw_blend(BlendRecipe(), generator("twin", k)).perturbed for k in range(20)} == {"source"}


def landmarks(count):
    """68 points that outline a face, and above them a forehead where there are 81."""
    face = np.stack([32 + 14 * np.cos(np.arange(68)), 40 + 12 * np.sin(np.arange(68))], 1)
    forehead = np.stack([np.linspace(22, 42, count - 68), np.full(count - 68, 8.0)], 1)
    return np.concatenate([face, forehead]).astype(np.float32)


def test_the_outline_of_81_points_is_that_of_their_first_68():
    whole, face = landmarks(81), landmarks(68)
    assert np.array_equal(face_hull(whole, 64), face_hull(face, 64))
    assert not face_hull(whole, 64)[:27].any()
    assert face_hull(np.concatenate([face, whole[68:], face[:1]]), 64)[10:27].any()  # any other number counts whole


@pytest.mark.parametrize("count", [68, 81])
def test_the_hull_is_filled_to_its_outermost_points(count):
    points = landmarks(count)[:68].round().astype(int)
    found = face_hull(landmarks(count), 64)
    assert found[points[:, 1], points[:, 0]].all()
    rows, columns = np.nonzero(found)
    assert (columns.min(), columns.max()) == (points[:, 0].min(), points[:, 0].max())
    assert (rows.min(), rows.max()) == (points[:, 1].min(), points[:, 1].max())


def test_a_face_is_aligned_and_then_resized_with_its_points(picture):
    given = Picture(picture.pixels, landmarks=picture.landmarks)
    for side in (48, 200):
        made = Preparer(ViewsRecipe(crop_side=120, crop_scale=1.5), side, (4, 4))
        (crop,) = made.crops(given)
        wide, points, _ = align(picture.pixels, picture.landmarks, 120, 1.5)
        method = cv2.INTER_AREA if side < 60 else cv2.INTER_CUBIC
        assert np.array_equal(crop.pixels, cv2.resize(wide, (side, side), interpolation=method))
        assert crop.landmarks == pytest.approx(points * side / 120, abs=1e-3)
        assert np.array_equal(crop.mask, face_hull(points * side / 120, side))
        low, high = picture.landmarks.min(0), picture.landmarks.max(0)
        assert crop.box == pytest.approx((*low, *high))


@pytest.mark.parametrize("shape", [(64, 100), (100, 64), (65, 300), (40, 41)])
def test_a_scene_is_its_largest_centred_square_or_squashed_whole(shape):
    pixels = generator("scene", *shape).integers(0, 256, (*shape, 3), dtype=np.uint8)
    mask = generator("scene mask", *shape).random(shape) < 0.5
    edge = min(shape)
    y, x = (shape[0] - edge) // 2, (shape[1] - edge) // 2
    method = cv2.INTER_AREA if edge > 64 else cv2.INTER_CUBIC
    for fit, part in (("resize-crop", np.s_[y : y + edge, x : x + edge]), ("squash", np.s_[:, :])):
        made = Preparer(ViewsRecipe(domain="scene", scene_fit=fit), 32, (4, 4), twins=0)
        (crop,) = made.crops(Picture(pixels, mask=mask))
        assert np.array_equal(crop.pixels, cv2.resize(pixels[part], (32, 32), interpolation=method))
        known = np.repeat(mask[part][..., None].astype(np.uint8) * 255, 3, axis=2)
        assert np.array_equal(crop.mask, cv2.resize(known, (32, 32), interpolation=method)[..., 0] > 127)


def slow_regions(mask, edge, grid, majority):
    """A patch goes to the region with most of its pixels, counted one by one; what no patch covers is left out."""
    height, width = mask.shape[0] // grid[0], mask.shape[1] // grid[1]
    out = np.zeros((3, grid[0] * grid[1]), bool)
    for i in range(grid[0]):
        for j in range(grid[1]):
            counts = [0, 0, 0]
            for y in range(i * height, (i + 1) * height):
                for x in range(j * width, (j + 1) * width):
                    counts[1 if edge[y, x] else 0 if mask[y, x] else 2] += 1
            k = counts.index(max(counts))
            out[k, i * grid[1] + j] = counts[k] / (height * width) >= majority
    return out


@pytest.mark.parametrize("majority", [0.34, 0.5, 0.9])
def test_regions_equal_their_slow_twin(majority):
    mask = ellipse(64)
    found = patch_regions(mask, (8, 8), majority=majority)
    assert np.array_equal(found, slow_regions(mask, boundary_band(mask, 0.0625), (8, 8), majority))
    assert found.sum(0).max() <= 1
    some = patch_regions(mask, (8, 8), majority=majority, names=("background", "foreground"))
    assert np.array_equal(some, found[[2, 0]])


@pytest.mark.parametrize("grid", [(4, 8), (8, 4), (5, 7)])
@pytest.mark.parametrize("width", [0.02, 0.0625, 0.3])
def test_regions_of_unequal_grids_equal_their_slow_twin(grid, width):
    y, x = np.mgrid[:64, :64]
    mask = (y - 20) ** 2 / 2 + (x - 40) ** 2 < 220  # off the centre, so that rows and columns cannot be exchanged
    found = patch_regions(mask, grid, width=width)
    assert np.array_equal(found, slow_regions(mask, boundary_band(mask, width), grid, 0.5))


@pytest.mark.parametrize(("width", "radius"), [(0.0625, 2), (0.02, 1), (0.25, 8)])
def test_the_boundary_is_symmetric_about_the_contour(width, radius):
    mask = np.zeros((64, 64), bool)
    mask[:, 32:] = True
    assert np.flatnonzero(boundary_band(mask, width).all(0)).tolist() == list(range(32 - radius, 32 + radius))
    assert np.array_equal(boundary_band(mask, width).any(0), boundary_band(mask, width).all(0))
    assert not boundary_band(np.ones((64, 64), bool), width).any()


def test_an_aligned_crop_with_a_mask_alone_has_that_mask(picture):
    mask = np.kron(generator("blocks").random((8, 8)) < 0.5, np.ones((16, 16))).astype(bool)
    pixels = generator("aligned").integers(0, 256, (128, 128, 3), dtype=np.uint8)
    for side, scale in ((64, 2), (128, 1)):
        (crop,) = Preparer(ViewsRecipe(), side, (8, 8)).crops(Picture(pixels, mask=mask, aligned=True))
        assert crop.mask.dtype == bool
        assert np.array_equal(crop.mask, mask[::scale, ::scale])


def views_of(**changes):
    given = {
        "image": np.zeros((8, 8, 3), np.uint8),
        "twins": np.zeros((1, 8, 8, 3), np.uint8),
        "regions": np.zeros((3, 4), bool),
        "mask": np.zeros((8, 8), bool),
    }
    return Views(**{**given, **changes})


@pytest.mark.parametrize(
    ("name", "shape", "dtype"),
    [
        ("image", (8, 9, 3), np.uint8),
        ("image", (8, 8, 3), np.float32),
        ("twins", (1, 7, 8, 3), np.uint8),
        ("twins", (1, 9, 8, 3), np.uint8),
        ("twins", (1, 8, 8, 3), np.int16),
        ("regions", (3,), bool),
        ("regions", (3, 4), np.uint8),
        ("mask", (7, 8), bool),
        ("mask", (9, 8), bool),
        ("mask", (8, 8), np.uint8),
    ],
)
def test_views_of_another_shape_or_type_are_refused(name, shape, dtype):
    assert views_of().image.shape == (8, 8, 3)
    with pytest.raises(ValueError, match=f"{name} must be"):
        views_of(**{name: np.zeros(shape, dtype)})


def test_random_regions_are_a_seeded_partition(picture):
    member = random_partition(64, 3, generator(0))
    assert member.sum(0).tolist() == [1] * 64
    assert sorted(member.sum(1)) == [21, 21, 22]
    views = preparer(recipe={"random_regions": 4})(picture)[0]
    assert np.array_equal(views.regions, preparer(recipe={"random_regions": 4})(picture)[0].regions)
    assert views.regions.shape == (4, 64)


def test_foregrounds_are_where_the_thing_is():
    pixels = np.full((96, 96, 3), 40, np.uint8)
    pixels[30:70, 25:65] = (200, 90, 30)
    truth = np.zeros((96, 96), bool)
    truth[30:70, 25:65] = True
    found = saliency(pixels)
    assert (found & truth).sum() / (found | truth).sum() > 0.8
    tokens = lambda image: image.reshape(12, 8, 12, 8, 3).mean((1, 3))
    by_tokens = token_foreground(pixels, tokens)
    assert (by_tokens & truth).sum() / (by_tokens | truth).sum() > 0.6
    flat = np.full((96, 96, 3), 9, np.uint8)
    assert np.array_equal(saliency(flat), ellipse(96))


def test_the_fallback_is_a_disc_of_two_thirds_of_the_side():
    for side in (60, 96):
        y, x = np.mgrid[:side, :side] - side // 2
        found, disc = ellipse(side), x**2 + y**2 <= (side // 3) ** 2
        assert found.mean() == pytest.approx(np.pi / 9, rel=0.06)
        assert (found ^ disc).mean() < 0.02


@pytest.mark.parametrize("side", [32, 64])
def test_saliency_is_distance_from_the_borders_colours(side):
    """The Mahalanobis distance of each pixel in Lab, one by one, slightly blurred; the border is a sixteenth wide."""
    rng = generator("contrast", side)
    pixels = np.clip(rng.normal((120, 90, 60), (20, 4, 8), (side, side, 3)), 0, 255).astype(np.uint8)
    pixels[side // 3 : side // 2, side // 3 : side // 2] = (40, 160, 200)
    lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB).astype(float)
    edge = side // 16
    strips = (lab[:edge], lab[side - edge :], lab[:, :edge], lab[:, side - edge :])  # corners count twice
    border = [colour for strip in strips for row in strip for colour in row]
    spread = np.cov(np.array(border).T) + np.eye(3)
    away = lab - np.mean(border, axis=0)
    distance = np.array([[np.sqrt(d @ np.linalg.solve(spread, d)) for d in row] for row in away])
    taps = round(8 * side / 40 + 1) | 1
    assert foreground._contrast(pixels) == pytest.approx(slow_blend.gaussian(distance, taps, side / 40), rel=1e-5)


def test_the_centre_counts_most_and_all_sides_alike():
    found = foreground._centrality(9)
    assert found[4, 4] == 1
    assert np.array_equal(found, found.T)
    assert np.array_equal(found, found[::-1])
    assert found[0, 4] == pytest.approx(np.exp(-1 / 0.7))
    assert found[2, 6] == pytest.approx(np.exp(-0.5 / 0.7))


@pytest.mark.parametrize(("share", "kept"), [(0.02, False), (0.0625, True), (0.8, True), (0.9, False)])
def test_a_foreground_too_small_or_too_large_is_replaced(share, kept):
    side = round(64 * share**0.5)
    mask = np.zeros((64, 64), bool)
    mask[:side, :side] = True
    found = foreground._checked(mask, 128)
    expected = np.repeat(np.repeat(mask, 2, 0), 2, 1) if kept else ellipse(128)
    assert np.array_equal(found, expected)


def test_of_several_pieces_the_largest_is_kept_without_its_holes():
    mask = np.zeros((40, 40), bool)
    mask[2:12, 2:12] = True
    mask[15:35, 10:30] = True
    mask[20:25, 15:20] = False
    found = foreground._largest(mask)
    assert np.argwhere(found).min(0).tolist() == [15, 10]
    assert np.argwhere(found).max(0).tolist() == [34, 29]
    assert found.sum() == 400
    assert not foreground._largest(np.zeros((8, 8), bool)).any()


@pytest.mark.parametrize("sign", [1, -1])
def test_the_border_is_background_whatever_the_components_sign(sign):
    values = np.zeros((12, 12, 3))
    values[4:8, 3:9, 0] = 5.0 * sign
    values += 0.01 * generator("tokens").normal(size=values.shape)
    found = token_foreground(np.zeros((96, 96, 3), np.uint8), lambda pixels: values)
    truth = np.kron(values[..., 0] * sign > 2, np.ones((8, 8))).astype(bool)
    assert (found & truth).sum() / (found | truth).sum() > 0.85
    assert not found[:16].any()
    assert not found[:, -8:].any()


@pytest.mark.parametrize("fit", ["resize-crop", "squash", "crop"])
def test_scenes_of_any_size_are_prepared(fit):
    pixels = generator(1).integers(0, 256, (50, 120, 3), dtype=np.uint8)
    known = np.zeros((50, 120), bool)
    known[10:40, 45:75] = True
    views = preparer(recipe={"domain": "scene", "scene_fit": fit})(Picture(pixels, mask=known))
    assert len(views) == 1
    assert 0.01 < views[0].mask.mean() < 0.6


def test_several_faces_give_several_views():
    from corit.images.faces import Face

    points = Miniature(splits=["val"]).load(Miniature(splits=["val"]).samples[0]).landmarks
    faces = tuple(Face((x, 0.0, x + 60.0, 60.0), points + [x, 0], 1.0) for x in (0, 70))
    wide = generator(2).integers(0, 256, (64, 140, 3), dtype=np.uint8)
    found = preparer(finder=lambda p: faces)(Picture(wide))
    assert [v.box for v in found] == [f.box for f in faces]
    assert len(preparer(finder=lambda p: faces, max_faces=1)(Picture(wide))) == 1
    small = (Face((0.0, 0.0, 9.0, 9.0), points, 1.0),)
    with pytest.raises(TooSmallError, match="9 px wide"):
        preparer(finder=lambda p: small)(Picture(wide))


def test_what_cannot_be_prepared_is_refused_in_words(picture):
    with pytest.raises(NoFaceError, match="domain scene"):
        preparer(finder=lambda p: ())(Picture(np.zeros((64, 64, 3), np.uint8)))
    with pytest.raises(TooSmallError, match="9 x 8 pixels"):
        preparer()(Picture(np.zeros((8, 9, 3), np.uint8)))
    with pytest.raises(UnreadableError, match="60 points of a face in 64 x 64 pixels at an aligned crop, got 5"):
        preparer()(Picture(picture.pixels, picture.landmarks[:5], aligned=True))
    with pytest.raises(UnreadableError, match="at a picture with landmarks, got 68 in no order of a face"):
        preparer()(Picture(picture.pixels, picture.landmarks[:, ::-1]))
    with pytest.raises(DataError, match="outline a face, got 5"):
        face_hull(np.zeros((5, 2)), 64)
    with pytest.raises(DataError, match="was given none"):
        preparer(recipe={"domain": "scene", "foreground": "tokens"})(Picture(picture.pixels))
    with pytest.raises(RecipeError, match="no such region: nose"):
        patch_regions(picture.mask, (8, 8), names=("nose",))


def test_the_preparer_follows_the_whole_recipe():
    found = Preparer.of(Recipe().replace(**{"model.regions": ["boundary"]}), side=64, grid=(8, 8))
    assert found.regions == ("boundary",)


@pytest.mark.parametrize(
    ("height", "width"), [*((20 + 3 * i, 50 - i) for i in range(14)), (31, 35), (35, 33), (47, 32)]
)
def test_the_centre_crop_is_torchvisions(height, width):
    from torchvision.transforms.functional import center_crop

    pixels = generator("crop", height, width).integers(0, 256, (height, width, 3)).astype(np.uint8)
    recipe = ViewsRecipe(domain="scene", scene_fit="crop", min_side=8)
    (crop,) = Preparer(recipe, 32, (4, 4), twins=0).crops(Picture(pixels))
    theirs = center_crop(torch.from_numpy(pixels).permute(2, 0, 1), [32, 32]).permute(1, 2, 0).numpy()
    assert np.array_equal(crop.pixels, theirs)
