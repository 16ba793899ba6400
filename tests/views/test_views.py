from __future__ import annotations

import numpy as np
import pytest
import torch

from corit.errors import DataError, NoFaceError, RecipeError, TooSmallError, UnreadableError
from corit.images.media import Picture
from corit.recipe import BlendRecipe, Recipe, ViewsRecipe
from corit.seeding import generator
from corit.views.blend import draw, self_blend
from corit.views.foreground import ellipse, face_hull, saliency, token_foreground
from corit.views.prepare import Preparer
from corit.views.regions import band, patch_regions, random_partition
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
    twin, m = self_blend(crop.pixels, crop.mask, draw(BlendRecipe(), generator(seed)), BlendRecipe())
    assert m.min() >= 0
    assert m.max() <= 1
    assert np.array_equal(twin[m == 0], crop.pixels[m == 0])
    assert (m == 0).mean() > 0.3
    assert not np.array_equal(twin, crop.pixels)


def test_the_same_picture_gives_the_same_views_and_a_fake_is_drawn_apart(picture):
    a, b = (preparer(twins=2)(picture)[0] for _ in range(2))
    assert np.array_equal(a.twins, b.twins)
    assert not np.array_equal(a.twins[0], a.twins[1])
    crop = preparer().crops(picture)[0]
    fake = preparer().forge(crop, 0)
    assert not any(np.array_equal(fake.pixels, t) for t in a.twins)
    assert np.array_equal(preparer().forge(crop, 0).pixels, fake.pixels)


def slow_regions(mask, edge, grid, majority):
    side = mask.shape[0] // grid
    out = np.zeros((3, grid * grid), bool)
    for i in range(grid):
        for j in range(grid):
            counts = [0, 0, 0]
            for y in range(i * side, (i + 1) * side):
                for x in range(j * side, (j + 1) * side):
                    counts[1 if edge[y, x] else 0 if mask[y, x] else 2] += 1
            k = counts.index(max(counts))
            out[k, i * grid + j] = counts[k] / side**2 >= majority
    return out


@pytest.mark.parametrize("majority", [0.34, 0.5, 0.9])
def test_regions_equal_their_slow_twin(majority):
    mask = ellipse(64)
    found = patch_regions(mask, (8, 8), majority=majority)
    assert np.array_equal(found, slow_regions(mask, band(mask, 0.0625), 8, majority))
    assert found.sum(0).max() <= 1
    some = patch_regions(mask, (8, 8), majority=majority, names=("background", "foreground"))
    assert np.array_equal(some, found[[2, 0]])


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
