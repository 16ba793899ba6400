from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from reference import corit as slow
from timm.models.vision_transformer import VisionTransformer

from corit.backbones.stepped import Backbone
from corit.errors import RecipeError
from corit.model import corit, unifd
from corit.model.encode import Encoder
from corit.recipe import BackboneRecipe, ModelRecipe, Recipe, ViewsRecipe
from corit.seeding import generator
from corit.views.prepare import Views

DEPTH, SIDE, N = 4, 32, 16


def backbone(registers=0, seed=0):
    torch.manual_seed(seed)
    model = VisionTransformer(
        img_size=SIDE, patch_size=8, embed_dim=24, depth=DEPTH, num_heads=3, num_classes=0, reg_tokens=registers
    )
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.25)
    return Backbone(model, "tiny", mean=(0.5,) * 3, std=(0.5,) * 3)


class OneImage:
    """The backbone on NumPy arrays of one image, for the slow twin."""

    def __init__(self, model):
        self.model = model

    def embed(self, image):
        return self.model.embed(torch.from_numpy(image)[None])[0].numpy()

    def block(self, l, tokens):
        return self.model.block(l, torch.from_numpy(tokens)[None])[0].numpy()

    def norm(self, tokens):
        return self.model.norm(torch.from_numpy(tokens)[None])[0].numpy()


def batch(seed=0, b=3, k=3):
    rng = generator("corit test", seed)
    images = rng.normal(size=(b, 3, SIDE, SIDE))
    twins = images.copy()
    twins[:, :, 8:24, 8:24] += 0.3 * rng.normal(size=(b, 3, 16, 16))
    regions = np.stack([rng.integers(0, k + 1, N) == np.arange(k)[:, None] for _ in range(b)])
    regions[0, 0] = False  # an empty region
    if b > 1:
        twins[1] = images[1]  # g = 0: no anchor anywhere
    return images, twins, regions


SWITCHES = [
    {},
    {"rrm": False},
    {"hri": False},
    {"rsi": False},
    {"rsi": False, "hri": False},
    {"inject": False},
    {"inject": False, "rrm": False},
    {"start": "zeros"},
    {"start": "class", "twin": "zeros"},
    {"pooling": "max"},
    {"pooling": "max", "rrm": False, "hri": False},
    {"middle": 1, "middle_norm": False},
    {"middle": 4},
    {"fusion": "cross-attention"},
    *({"tau": tau, "threshold": kind} for tau, kind in itertools.product([0.0, 0.5, 1.3], ["relative", "absolute"])),
    {"tau": 0.4, "threshold": "cosine"},
]


@pytest.mark.parametrize("registers", [0, 2])
@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_fast_equals_slow(switches, registers, agree):
    model, recipe = backbone(registers).double(), ModelRecipe(**switches)
    images, twins, regions = batch()
    with torch.inference_mode():
        found = corit.forward(
            model,
            torch.from_numpy(images),
            torch.from_numpy(twins),
            torch.from_numpy(regions),
            recipe,
            keep_levels=True,
            keep_masks=True,
            keep_patches=True,
        )
    middle = corit.middle_layer(DEPTH, recipe)
    one = OneImage(model)
    for i in range(len(images)):
        z, masks, levels = slow.forward(one, images[i], twins[i], regions[i], recipe, DEPTH, model.prefix, middle)
        agree(found.z[i], z)
        agree(found.levels[i], levels)
        assert np.array_equal(found.masks[i].numpy(), masks)
    assert found.z.shape[1] == corit.width(recipe, 24, 3)
    assert found.patches.shape == (3, 2, N, 24)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_any_number_of_regions(k, agree):
    model, recipe = backbone().double(), ModelRecipe()
    images, twins, regions = batch(k=k)
    tensors = [torch.from_numpy(a) for a in (images, twins, regions)]
    with torch.inference_mode():
        found = corit.forward(model, *tensors, recipe)
    z, _, _ = slow.forward(OneImage(model), images[2], twins[2], regions[2], recipe, DEPTH, 1, 3)
    agree(found.z[2], z)


def test_without_regions_and_with_one_level_corit_is_unifd():
    model = backbone()
    images, _, regions = (torch.from_numpy(a) for a in batch())
    plain = unifd.forward(model, images.float())
    for none in (ModelRecipe(rsi=False, hri=False), ModelRecipe(hri=False, rrm=False)):
        empty = regions if not none.rsi else regions[:, :0]
        assert torch.equal(corit.forward(model, images.float(), None, empty, none).z, plain.z)


def test_unifd_is_the_class_token_of_every_level(agree):
    model = backbone()
    images = torch.from_numpy(batch()[0]).float()
    found = unifd.forward(model, images, keep_levels=True, keep_patches=True)
    whole = model.model.forward_features(images)
    agree(found.z, whole[:, 0], rtol=1e-5, atol=1e-6)
    agree(found.levels[:, -1, 0], found.z)
    agree(found.patches[:, 0], whole[:, 1:], rtol=1e-5, atol=1e-6)
    assert found.levels.shape == (3, DEPTH + 1, 1, 24)


@pytest.mark.parametrize("registers", [0, 2])
def test_the_pooled_feature_is_the_mean_of_the_patches_alone(registers, agree):
    model = backbone(registers)
    images = torch.from_numpy(batch()[0]).float()
    whole = model.model.forward_features(images)
    assert whole.shape[1] == 1 + registers + N
    agree(unifd.forward(model, images, read="pooled").z, whole[:, -N:].mean(1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("layer", range(1, DEPTH + 1))
@pytest.mark.parametrize("kind", ["unifd", "pooled", "both"])
def test_a_feature_of_a_layer_is_that_of_a_backbone_that_ends_there(kind, layer, agree):
    model = backbone(registers=2)
    images = torch.from_numpy(batch()[0]).float()
    tokens = model.embed(images)
    for l in range(1, layer + 1):
        tokens = model.block(l, tokens)
    final = model.norm(tokens)
    parts = {"unifd": [final[:, 0]], "pooled": [final[:, -N:].mean(1)], "both": [final[:, 0], final[:, -N:].mean(1)]}
    agree(unifd.forward(model, images, read=unifd.READS[kind], layer=layer).z, torch.cat(parts[kind], 1))


@pytest.mark.parametrize("layer", range(1, DEPTH + 1))
def test_corit_up_to_a_layer_reads_the_levels_of_the_whole(layer, agree):
    model = backbone()
    images, twins, regions = (torch.from_numpy(a) for a in batch())
    x, y = images.float(), twins.float()
    levels = corit.forward(model, x, y, regions, ModelRecipe(), keep_levels=True).levels
    one = corit.forward(model, x, y, regions, ModelRecipe(layer=layer, hri=False), keep_levels=True)
    two = corit.forward(model, x, y, regions, ModelRecipe(layer=layer, middle=1), keep_patches=True)
    agree(one.z, levels[:, layer].flatten(1))
    agree(one.levels, levels[:, : layer + 1])
    agree(two.z, torch.cat([levels[:, 1].flatten(1), levels[:, layer].flatten(1)], 1))
    assert two.patches.shape[1] == 2


def test_the_last_layer_lies_in_the_backbone_and_behind_the_middle():
    assert [corit.middle_layer(12, ModelRecipe(layer=l)) for l in (0, 8, 12)] == [9, 6, 9]
    with pytest.raises(RecipeError, match=r"model.layer: expected a block from 1 to 12, got 13"):
        corit.last_layer(12, ModelRecipe(layer=13))
    with pytest.raises(RecipeError, match=r"model.middle: expected a block from 1 to 8, got 9"):
        corit.middle_layer(12, ModelRecipe(layer=8, middle=9))


def test_identical_twins_empty_every_mask_and_silence_all_regions():
    model = backbone()
    images, _, regions = (torch.from_numpy(a) for a in batch(b=1))
    x = images.float()
    found = corit.forward(model, x, x, regions, ModelRecipe(inject=False), keep_masks=True, keep_levels=True)
    assert not found.masks.any()
    silent = model.norm(torch.zeros(24))
    assert torch.allclose(found.levels[0, 1:, 1:], silent.expand(DEPTH, 3, 24))


def test_a_higher_tau_keeps_fewer_patches():
    model = backbone()
    images, twins, regions = (torch.from_numpy(a) for a in batch(b=1))
    kept = []
    for tau in (0.0, 0.5, 1.0, 2.0):
        recipe = ModelRecipe(tau=tau, inject=False)
        kept.append(
            int(corit.forward(model, images.float(), twins.float(), regions, recipe, keep_masks=True).masks.sum())
        )
    assert kept == sorted(kept, reverse=True)
    assert kept[0] > kept[-1]


def views(b=5, seed=0, twins=1):
    rng = generator("views", seed)
    out = []
    for _ in range(b):
        image = rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        twin = np.repeat(image[None], twins, 0)
        twin[:, 8:20, 8:20] //= 2
        regions = np.zeros((3, N), bool)
        regions[rng.integers(0, 3, N), np.arange(N)] = True
        out.append(Views(image, twin, regions, np.ones((SIDE, SIDE), bool)))
    return out


def recipe(**changes):
    return Recipe(backbone=BackboneRecipe(name="tiny")).replace(**changes)


def test_a_score_does_not_depend_on_its_batch(agree):
    encoder, pictures = Encoder(backbone(), recipe()), views()
    whole = encoder(pictures, keep_levels=True)
    for i, v in enumerate(pictures):
        alone = encoder([v], keep_levels=True)
        agree(alone.z[0], whole.z[i], rtol=1e-5, atol=1e-5)
        agree(alone.levels[0], whole.levels[i], rtol=1e-5, atol=1e-5)
    backwards = encoder(pictures[::-1])
    agree(backwards.z.flip(0), whole.z, rtol=1e-5, atol=1e-5)
    assert whole.z.shape[1] == encoder.width
    assert whole.levels.shape[1:] == encoder.level_shape


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_stays_near_float32(precision):
    pictures = views()
    full = Encoder(backbone(), recipe(**{"model.rrm": False}))(pictures).z
    half = Encoder(backbone(), recipe(**{"model.rrm": False, "backbone.precision": precision}))(pictures).z
    assert torch.nn.functional.cosine_similarity(full, half.float()).min() > 0.99
    refined = Encoder(backbone(), recipe(**{"backbone.precision": precision}))(pictures, keep_masks=True)
    assert torch.isfinite(refined.z.float()).all()
    assert refined.masks.dtype == torch.bool


class CountingBackbone(torch.nn.Module):
    """Counts the pictures that are embedded."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.seen = inner, 0

    def __getattr__(self, name):
        return super().__getattr__(name) if name in ("inner",) else getattr(self.inner, name)

    def embed(self, images):
        self.seen += len(images)
        return self.inner.embed(images)


@pytest.mark.parametrize(
    ("changes", "per_picture"),
    [
        ({}, 2),
        ({"model.rrm": False}, 1),
        ({"model.rsi": False}, 1),
        ({"model.kind": "unifd"}, 1),
    ],
)
def test_the_twin_is_computed_only_where_it_matters(changes, per_picture):
    counted = CountingBackbone(backbone())
    encoder = Encoder(counted, recipe(**changes))
    assert encoder.needs_twin == (per_picture == 2)
    encoder(views(3, twins=per_picture - 1))
    assert counted.seen == 3 * per_picture


KINDS = ["corit", "unifd", "unifd-768", "pooled", "both"]


def projecting(registers=0):
    """The tiny backbone with a projection to five numbers."""
    inner = backbone(registers).model
    torch.manual_seed(1)
    return Backbone(inner, "tiny", mean=(0.5,) * 3, std=(0.5,) * 3, projection=torch.nn.Linear(24, 5, bias=False))


@pytest.mark.parametrize("kind", KINDS)
def test_features_of_float32_are_those_without_any_autocast(kind):
    """To a few units of float32, which is what another order of sums makes: half precision would be far off."""
    model, pictures = projecting(), views()
    encoder = Encoder(model, recipe(**{"model.kind": kind}))
    found = encoder(pictures)
    images, twins = (
        model.normalise(np.stack(a)) for a in ([v.image for v in pictures], [v.twins[0] for v in pictures])
    )
    with torch.inference_mode():
        if kind == "corit":
            regions = torch.from_numpy(np.stack([v.regions for v in pictures]))
            plain = corit.forward(model, images, twins, regions, ModelRecipe()).z
        else:
            final = model.model.forward_features(images)
            first, mean = final[:, 0], final[:, 1:].mean(1)
            both = torch.cat([first, mean], 1)
            plain = {"unifd": first, "unifd-768": model.projection(first), "pooled": mean, "both": both}[kind]
    assert found.z.dtype == torch.float32
    assert torch.allclose(found.z, plain, rtol=1e-4, atol=1e-5)
    assert found.z.shape[1] == encoder.width == {"corit": 2 * 4 * 24, "unifd-768": 5, "both": 48}.get(kind, 24)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rsi", [True, False])
def test_the_kept_levels_have_the_stated_shape(kind, rsi):
    encoder = Encoder(projecting(), recipe(**{"model.kind": kind, "model.rsi": rsi}))
    found = encoder(views(2), keep_levels=True)
    assert found.levels.shape[1:] == encoder.level_shape
    assert encoder.level_shape == (DEPTH + 1, 4 if kind == "corit" and rsi else 1, 24)


def test_patch_tokens_of_a_picture_are_the_final_ones_on_the_grid(agree):
    model, picture = backbone(registers=2), views(1)[0].image
    found = Encoder(model, recipe()).tokens(picture)
    whole = model.model.forward_features(model.normalise(picture[None]))[0, 3:]
    assert found.shape == (4, 4, 24)
    agree(found.reshape(N, 24), whole, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rrm", [True, False])
def test_the_preparer_draws_twins_only_where_they_count(rrm):
    finder = lambda pixels: ()
    encoder = Encoder(backbone(), recipe(**{"model.rrm": rrm, "model.regions": ["boundary"]}))
    found = encoder.preparer(3, max_faces=2, finder=finder)
    assert (found.side, found.grid, found.twins, found.max_faces) == (SIDE, (4, 4), 3 if rrm else 0, 2)
    assert found.recipe == encoder.recipe.views
    assert found.regions == ("boundary",)
    assert found.finder is finder
    assert found.tokens is None
    assert not encoder.in_process


def test_a_foreground_by_tokens_is_found_by_the_backbone_itself():
    encoder = Encoder(backbone(), recipe(**{"views.domain": "scene", "views.foreground": "tokens"}))
    picture = views(1)[0].image
    assert encoder.in_process
    assert np.array_equal(encoder.preparer().tokens(picture), encoder.tokens(picture))
    assert not Encoder(backbone(), recipe(**{"views.domain": "face", "views.foreground": "tokens"})).in_process


def test_bad_combinations_are_refused_in_words():
    with pytest.raises(RecipeError, match="prepare with twins"):
        Encoder(backbone(), recipe())(views(twins=0))
    images, _, regions = (torch.from_numpy(a) for a in batch())
    with pytest.raises(RecipeError, match="none was given"):
        corit.forward(backbone(), images.float(), None, regions, ModelRecipe())
    with pytest.raises(RecipeError, match="a block from 1 to 4, got 9"):
        Encoder(backbone(), recipe(**{"model.middle": 9}))
    with pytest.raises(RecipeError, match="the backbone is tiny"):
        Encoder(backbone(), Recipe())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [1e-3, 1.0, 1e4])
def test_a_discrepancy_within_rounding_of_its_patch_is_none(dtype, size):
    """(18): a product's rounding, here up to 64 of its steps, makes no anchor; what is larger stays as it is."""
    step = torch.finfo(dtype).eps * size
    v = torch.zeros(1, 4, 3, dtype=dtype)
    v[..., 0] = size
    g = torch.zeros_like(v)
    g[0, :, 1] = torch.tensor([0, 32, 63, 65], dtype=dtype) * step
    found = corit.proxy(v, v + g)
    assert (found[0, :3] == 0).all()
    assert torch.equal(found[0, 3], g[0, 3])
    assert found.dtype == dtype


def test_the_discrepancy_of_half_precision_is_taken_in_float32():
    v = torch.tensor([[[256.0, 1.0]]], dtype=torch.bfloat16)
    found = corit.proxy(v, v + torch.tensor([2.0, 0.0], dtype=torch.bfloat16))
    assert found.dtype == torch.float32
    assert found.tolist() == [[[2.0, 0.0]]]


@pytest.mark.parametrize(("threshold", "tau"), [("relative", 1.0), ("absolute", 1.0), ("cosine", 1.0)])
def test_a_patch_at_the_threshold_is_not_in_the_mask(threshold, tau):
    """(20) has s_i > tau: patches that all agree with their anchor lie at it, and one that is beyond it does not."""
    g = torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])
    regions = torch.ones(1, 1, 2, dtype=torch.bool)
    assert not corit.refinement_mask(g, regions, tau, threshold).any()
    assert corit.refinement_mask(g, regions, 0.999, threshold).all()


@pytest.mark.parametrize("threshold", ["relative", "absolute", "cosine"])
def test_a_patch_without_a_discrepancy_is_in_no_mask_at_tau_zero(threshold):
    g = torch.tensor([[[1.0, 0.0], [0.0, 0.0], [2.0, 1.0]]])
    found = corit.refinement_mask(g, torch.ones(1, 1, 3, dtype=torch.bool), 0.0, threshold)
    assert found.tolist() == [[[True, False, True]]]


@pytest.mark.parametrize(("depth", "middle"), [(4, 3), (5, 4), (7, 5), (10, 8), (12, 9), (24, 18), (32, 24)])
def test_the_middle_layer_is_the_nearest_to_three_quarters(depth, middle):
    assert corit.middle_layer(depth, ModelRecipe()) == middle
    assert corit.middle_layer(depth, ModelRecipe(middle=2)) == 2


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_masks_are_decided_in_float32_whatever_the_precision(precision, monkeypatch):
    """Each anchor and mask is, to the bit, that of the same discrepancies outside autocast."""
    decide, seen = corit.refinement_mask, []

    def watched(g, regions, tau, threshold):
        seen.append((g, corit.anchor(g, regions), decide(g, regions, tau, threshold)))
        return seen[-1][-1]

    monkeypatch.setattr(corit, "refinement_mask", watched)
    pictures = views(16)
    found = Encoder(backbone(), recipe(**{"backbone.precision": precision}))(pictures, keep_masks=True)
    regions = torch.from_numpy(np.stack([v.regions for v in pictures]))
    assert len(seen) == DEPTH
    for l, (g, anchor, mask) in enumerate(seen):
        assert g.dtype == torch.float32
        assert torch.equal(anchor, corit.anchor(g, regions))
        assert torch.equal(mask, decide(g, regions, ModelRecipe().tau, ModelRecipe().threshold))
        assert torch.equal(mask, found.masks[:, l])


@pytest.mark.parametrize("views_recipe", [ViewsRecipe(), ViewsRecipe(random_regions=5)])
def test_width_follows_the_regions(views_recipe):
    encoder = Encoder(backbone(), Recipe(BackboneRecipe(name="tiny"), views_recipe))
    k = views_recipe.random_regions or 3
    assert encoder.width == 2 * (1 + k) * 24
