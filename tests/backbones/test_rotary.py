from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from reference import rotary as slow
from timm.layers import LayerNorm
from timm.models.eva import Eva
from timm.models.vision_transformer import VisionTransformer

from corit.backbones.build import wrap
from corit.backbones.load import load_backbone
from corit.backbones.stepped import check_stepping
from corit.errors import BackboneError
from corit.model import corit, unifd
from corit.recipe import ModelRecipe

HALF = (0.5, 0.5, 0.5)
GRID = (8, 8)
SHARED = {"img_size": 64, "patch_size": 8, "embed_dim": 32, "depth": 2, "num_heads": 2, "num_classes": 0}
DINOV3 = {
    "dynamic_img_size": True,
    "qkv_bias": False,
    "init_values": 0.3,
    "rope_type": "dinov3",
    "rope_temperature": 100,
    "rope_rotate_half": True,
    "use_abs_pos_emb": False,
    "num_reg_tokens": 2,
    "use_fc_norm": False,
}
PERCEPTION = {
    "attn_type": "rope",
    "use_pre_transformer_norm": True,
    "ref_feat_shape": (10, 10),
    "rope_grid_offset": 1.0,
    "rope_grid_indexing": "xy",
    "global_pool": "map",
    "attn_pool_num_heads": 2,
}
ROTARY = {"dinov3": DINOV3, "perception": PERCEPTION}
ANGLES = {"dinov3": slow.dinov3_angles, "perception": slow.perception_angles}


def rotary(kind):
    torch.manual_seed(0)
    norm = partial(LayerNorm, eps=1e-5)
    model = Eva(**SHARED, use_rot_pos_emb=True, norm_layer=norm, **ROTARY[kind])
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return wrap(model, kind, "random:0", HALF, HALF, "").double()


def siglip():
    torch.manual_seed(0)
    model = VisionTransformer(**SHARED, class_token=False, global_pool="map")
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return wrap(model, "siglip", "random:0", HALF, HALF, "").double()


def images(seed=0):
    return torch.randn(2, 3, 64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def regions():
    """Two of three regions differ between the pictures; the last one is empty."""
    member = torch.zeros(2, 3, 64, dtype=torch.bool)
    member[0, 0, [0, 1, 8, 17]] = member[1, 0, 60:64] = True
    member[0, 1, 40:] = member[1, 1, ::7] = True
    return member


@pytest.mark.parametrize("kind", ROTARY)
def test_stepping_a_rotary_vit_equals_timm(kind):
    backbone = rotary(kind)
    check_stepping(backbone, 1e-9)
    assert backbone.rotary
    assert backbone.prefix == (3 if kind == "dinov3" else 1)


@pytest.mark.parametrize("kind", ROTARY)
def test_region_tokens_are_at_the_mean_position_of_their_region(kind, agree):
    backbone, member = rotary(kind), regions()
    tokens = torch.randn(2, backbone.prefix + 64 + 3, 32, dtype=torch.float64)
    stepped = backbone.block(2, tokens, backbone.positions(member))
    parameters = {k: v.numpy() for k, v in backbone.model.blocks[1].state_dict().items()}
    for picture in range(2):
        places = [None] * backbone.prefix + [divmod(i, 8) for i in range(64)]
        for patches in member[picture]:
            at = [divmod(i, 8) for i in np.flatnonzero(patches.numpy())] or [(3.5, 3.5)]
            places.append((sum(r for r, _ in at) / len(at), sum(c for _, c in at) / len(at)))
        angles = [place and ANGLES[kind](*place, GRID, 8) for place in places]
        expected = slow.block(tokens[picture].numpy(), parameters, 2, angles, halves=kind == "dinov3")
        agree(stepped[picture], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ROTARY)
def test_a_region_of_one_patch_is_where_the_patch_is(kind, agree):
    backbone = rotary(kind)
    one = torch.eye(64, dtype=torch.bool)[None]
    table = backbone.positions(one)[0, 0]
    agree(table[64:], table[:64], rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", ROTARY)
def test_region_tokens_without_positions_are_refused(kind):
    backbone = rotary(kind)
    with pytest.raises(BackboneError, match="pass `positions` of the region tokens"):
        backbone.block(1, torch.zeros(1, backbone.prefix + 64 + 3, 32, dtype=torch.float64))


@pytest.mark.parametrize("make", [partial(rotary, "dinov3"), partial(rotary, "perception"), siglip])
def test_the_whole_model_runs_and_depends_on_the_regions(make):
    backbone, member = make(), regions()
    first = corit.forward(backbone, images(), images(1), member, ModelRecipe(), keep_levels=True)
    assert first.z.shape == (2, 2 * 4 * 32)
    assert first.levels.shape == (2, 3, 4, 32)
    assert torch.isfinite(first.z).all()
    moved = corit.forward(backbone, images(), images(1), member.flip(-1), ModelRecipe())
    assert not torch.allclose(first.z, moved.z)


def test_positions_that_do_not_follow_from_frequencies_are_refused():
    backbone = rotary("dinov3")
    backbone.model.rope.periods.mul_(1.5)
    backbone.model.rope.normalize_coords = "max"
    backbone.positions(regions())  # on a square grid, which is the same
    backbone.model.rope.get_embed = lambda shape=None: torch.rand(64, 32, dtype=torch.float64)
    with pytest.raises(BackboneError, match="do not follow from its frequencies"):
        backbone.positions(regions())


def test_the_pooled_token_stands_for_a_missing_class_token(agree):
    backbone = siglip()
    check_stepping(backbone, 1e-9)
    assert backbone.prefix == 0
    model, x = backbone.model, images()
    expected = model.pool(model.forward_features(x))
    agree(unifd.forward(backbone, x).z, expected, rtol=1e-9)
    recipe = ModelRecipe(rrm=False)
    readout = corit.forward(backbone, x, None, regions(), recipe, keep_levels=True)
    tokens = torch.cat([backbone.embed(x), torch.zeros(2, 3, 32, dtype=torch.float64)], 1)
    agree(readout.levels[:, 0, 0], model.attn_pool(model.norm(tokens[:, :64])), rtol=1e-9)


def test_absolute_positions_give_region_tokens_none():
    assert load_backbone("miniature").positions(regions()) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "vit_base_patch16_dinov3@224",
        "vit_pe_core_base_patch16_224",
        "vit_base_patch16_siglip_224",
        "vit_base_patch16_siglip_224.v2_webli",
    ],
)
def test_full_size_backbones_of_2026_are_stepped(name):
    backbone = load_backbone(f"timm:{name}", "random:0")
    assert (backbone.side, backbone.grid) == (224, (14, 14))
    member = torch.zeros(1, 2, 196, dtype=torch.bool)
    member[0, 0, 30:60] = True
    image = torch.randn(1, 3, 224, 224)
    with torch.inference_mode():
        z = corit.forward(backbone, image, -image, member, ModelRecipe()).z
    assert z.shape == (1, 2 * 3 * 768)
    assert torch.isfinite(z).all()
