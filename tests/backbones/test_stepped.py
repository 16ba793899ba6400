from __future__ import annotations

import numpy as np
import pytest
import torch
from reference import vit as slow
from safetensors.torch import save_file
from timm.layers import QuickGELU
from timm.models.vision_transformer import VisionTransformer

from corit.backbones.build import wrap
from corit.backbones.device import device_of
from corit.backbones.load import load_backbone, missing_weights
from corit.backbones.names import BACKBONES
from corit.backbones.stepped import check_stepping
from corit.backbones.weights import read_weights
from corit.errors import BackboneError, DeviceError, WeightsError

STAT = (0.5, 0.5, 0.5)


def tiny(kind="clip", seed=0):
    options = {
        "clip": {"pre_norm": True, "act_layer": QuickGELU, "norm_layer": torch.nn.LayerNorm, "num_classes": 12},
        "imagenet": {"num_classes": 0},
        "dinov2": {"init_values": 0.3, "num_classes": 0},
        "registers": {"init_values": 0.3, "num_classes": 0, "reg_tokens": 4, "no_embed_class": True},
    }[kind]
    torch.manual_seed(seed)
    model = VisionTransformer(img_size=32, patch_size=8, embed_dim=24, depth=2, num_heads=3, **options)
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.2)
    return model


def wrapped(kind="clip", **kw):
    return wrap(tiny(kind, **kw), kind, "random:0", STAT, STAT, "test")


def step(backbone, image):
    tokens = backbone.embed(image)
    for l in range(1, backbone.depth + 1):
        tokens = backbone.block(l, tokens)
    return backbone.norm(tokens)


KINDS = ["clip", "imagenet", "dinov2", "registers"]


@pytest.mark.parametrize("kind", KINDS)
def test_stepping_equals_the_familys_own_forward(kind, agree):
    model = tiny(kind)
    backbone = wrap(model, kind, "random:0", STAT, STAT, "")
    check_stepping(backbone)
    image = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    agree(step(backbone.double(), image), model.double().eval().forward_features(image), rtol=1e-9)
    assert backbone.prefix == (5 if kind == "registers" else 1)
    assert backbone.grid == (4, 4)
    assert not any(p.requires_grad for p in backbone.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_a_block_with_region_tokens_equals_its_slow_twin(kind, agree):
    backbone = wrapped(kind).double()
    block = backbone.model.blocks[0]
    x = torch.randn(1, backbone.prefix + 16 + 3, 24, dtype=torch.float64)
    p = {k: v.numpy() for k, v in block.state_dict().items()}
    scale = (p["ls1.gamma"], p["ls2.gamma"]) if "ls1.gamma" in p else None
    activation = slow.quick_gelu if kind == "clip" else slow.gelu
    agree(backbone.block(1, x)[0], slow.block(x[0].numpy(), p, 3, block.norm1.eps, activation, scale), rtol=1e-8)


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_blocks_run_under_autocast_with_extra_tokens(precision):
    backbone = wrapped()
    x = torch.randn(1, 20, 24)
    with torch.autocast("cpu", precision):
        found = backbone.block(1, x)
    assert torch.allclose(found.float(), backbone.block(1, x), atol=0.1, rtol=0.1)


def test_preprocessing_belongs_to_the_backbone(agree):
    backbone = wrap(tiny(), "clip", "random:0", (0.1, 0.2, 0.3), (0.5, 0.6, 0.7), "")
    pixels = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), dtype=np.uint8)
    expected = (pixels[0, 3, 5] / 255 - [0.1, 0.2, 0.3]) / [0.5, 0.6, 0.7]
    agree(backbone.normalise(pixels)[0, :, 3, 5], expected, rtol=1e-5)


def openai_layout(state):
    """A CLIP checkpoint as OpenAI names it, with a text tower, from timm's names."""
    swaps = (
        ("patch_embed.proj", "conv1"),
        ("norm_pre", "ln_pre"),
        ("blocks.", "transformer.resblocks."),
        (".norm1", ".ln_1"),
        (".norm2", ".ln_2"),
        ("attn.qkv.", "attn.in_proj_"),
        ("attn.proj", "attn.out_proj"),
        ("mlp.fc1", "mlp.c_fc"),
        ("mlp.fc2", "mlp.c_proj"),
    )
    out = {"positional_embedding": torch.zeros(3, 3), "logit_scale": torch.zeros(())}
    for k, v in state.items():
        if k == "head.bias":
            continue
        for ours, theirs in swaps:
            k = k.replace(ours, theirs)
        k = "ln_post" + k[4:] if k.startswith("norm.") else k
        special = {
            "cls_token": ("class_embedding", v.reshape(-1)),
            "head.weight": ("proj", (v.mT if v.ndim == 2 else v).contiguous()),
            "pos_embed": ("positional_embedding", v.reshape(-1, v.shape[-1])),
        }
        k, v = special.get(k, (k, v))
        out[f"visual.{k}"] = v.contiguous()
    return out


def hf_model(hidden=24, layers=2, heads=3, side=32, patch=8, projection=12, seed=1):
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    config = CLIPVisionConfig(
        hidden_size=hidden,
        intermediate_size=4 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        image_size=side,
        patch_size=patch,
        projection_dim=projection,
        hidden_act="quick_gelu",
    )
    torch.manual_seed(seed)
    return CLIPVisionModelWithProjection(config).eval()


LAYOUTS = {
    "timm": lambda s: s,
    "openai": openai_layout,
    "openai bare": lambda s: {k.removeprefix("visual."): v for k, v in openai_layout(s).items() if "visual." in k},
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_local_files_of_every_layout_load(layout, suffix, tmp_path, agree):
    source = tiny(seed=3)
    with torch.no_grad():
        source.head.bias.zero_()
    path = tmp_path / f"weights{suffix}"
    state = {k: v.clone() for k, v in LAYOUTS[layout](source.state_dict()).items()}
    save_file(state, path) if suffix == ".safetensors" else torch.save({"state_dict": state}, path)
    backbone = wrap(tiny(seed=4), "clip", str(path), STAT, STAT, "")
    image = torch.randn(1, 3, 32, 32)
    agree(step(backbone, image), source.eval().forward_features(image).detach(), rtol=1e-5, atol=1e-6)
    token = torch.randn(2, 24)
    agree(backbone.project(token), source.head(token).detach(), rtol=1e-5, atol=1e-6)
    assert backbone.digest == wrap(source, "other", "random:0", STAT, STAT, "").digest
    assert backbone.digest != wrapped(seed=4).digest


def compare_with_transformers(theirs, ours, side, rtol, dtype):
    theirs, ours = theirs.to(dtype), ours.to(dtype)
    image = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0)).to(dtype)
    with torch.inference_mode():
        expected = theirs(image)
        tokens = step(ours, image)
        pooled = ours.project(tokens[:, 0])
    error = float((pooled - expected.image_embeds).norm() / expected.image_embeds.norm())
    assert error < rtol
    last = expected.last_hidden_state
    # transformers norms the class token only, for its pooled output
    assert float((ours.norm(last) - tokens).norm() / tokens.norm()) < rtol


@pytest.mark.parametrize("prefix", ["", "clip."])
def test_hugging_faces_clip_equals_ours(tmp_path, prefix):
    theirs = hf_model()
    state = {prefix + k if k.startswith("vision") else k: v.contiguous() for k, v in theirs.state_dict().items()}
    save_file(state | {"text_model.final_layer_norm.weight": torch.zeros(3)}, tmp_path / "model.safetensors")
    ours = wrap(tiny(), "clip", str(tmp_path / "model.safetensors"), STAT, STAT, "")
    compare_with_transformers(theirs, ours, 32, 1e-4, torch.float32)
    compare_with_transformers(theirs, ours, 32, 1e-9, torch.float64)


def test_a_vision_model_without_projection_loads_but_cannot_project(tmp_path):
    theirs = {k: v.contiguous() for k, v in hf_model().state_dict().items() if not k.startswith("visual_projection")}
    save_file(theirs, tmp_path / "m.safetensors")
    ours = wrap(tiny(), "clip", str(tmp_path / "m.safetensors"), STAT, STAT, "")
    with pytest.raises(BackboneError, match="no projection"):
        ours.project(torch.zeros(1, 24))


def refuse(name, act, kind, words):
    return pytest.param(act, kind, words, id=name)


def damaged(tmp):
    (tmp / "x.safetensors").write_bytes(b"nonsense")
    return read_weights(tmp / "x.safetensors")


def pickled(tmp):
    import pickle

    (tmp / "x.pt").write_bytes(pickle.dumps({"a": print}))
    return read_weights(tmp / "x.pt")


def not_tensors(tmp):
    torch.save({"a": 1}, tmp / "x.pt")
    return read_weights(tmp / "x.pt")


def other_model(tmp):
    save_file(dict(tiny("imagenet").state_dict()), tmp / "x.safetensors")
    return wrap(tiny("clip"), "clip", str(tmp / "x.safetensors"), STAT, STAT, "")


def other_patches(tmp):
    state = {k: v.clone() for k, v in openai_layout(tiny().state_dict()).items()}
    state["visual.conv1.weight"] = torch.zeros(24, 3, 16, 16)
    save_file(state, tmp / "x.safetensors")
    return wrap(tiny("clip"), "clip", str(tmp / "x.safetensors"), STAT, STAT, "")


@pytest.mark.parametrize(
    ("act", "kind", "words"),
    [
        refuse("absent", lambda t: read_weights(t / "no.safetensors"), WeightsError, "there is none"),
        refuse("damaged", damaged, WeightsError, "not a whole safetensors"),
        refuse("pickle", pickled, WeightsError, "does not load as plain tensors"),
        refuse("objects", not_tensors, WeightsError, "table of tensors"),
        refuse("other model", other_model, WeightsError, "missing: norm_pre"),
        refuse("other patches", other_patches, WeightsError, r"patches of the shape \(24, 3, 16, 16\) instead of"),
        refuse("seed", lambda t: load_backbone("clip-vit-b16", "random:x"), WeightsError, "random:SEED"),
        refuse(
            "side in words",
            lambda t: load_backbone("timm:vit_tiny_patch16_224@x", "random:0"),
            BackboneError,
            "NAME@SIDE",
        ),
        refuse("side of zero", lambda t: load_backbone("timm:vit_tiny_patch16_224@0"), BackboneError, "@SIDE"),
        refuse(
            "part of a patch",
            lambda t: load_backbone("timm:vit_tiny_patch16_224@100", "random:0"),
            BackboneError,
            "patches of 16 px, which do not fill a side of 100 px",
        ),
        refuse("unknown", lambda t: load_backbone("resnet"), BackboneError, "no backbone 'resnet'"),
        refuse("timm unknown by auto", lambda t: load_backbone("timm:nothing"), BackboneError, "knows no model"),
        refuse("timm unknown", lambda t: load_backbone("timm:nothing", "random:0"), BackboneError, "knows no model"),
        refuse(
            "norm after pooling",
            lambda t: load_backbone("timm:eva02_tiny_patch14_224", "random:0"),
            BackboneError,
            "no final norm",
        ),
        refuse(
            "mixed rotary",
            lambda t: load_backbone("timm:vit_small_patch16_rope_mixed_224", "random:0"),
            BackboneError,
            "RotaryEmbeddingMixed, for which no rule",
        ),
        refuse(
            "no class token",
            lambda t: load_backbone("timm:vit_base_patch16_siglip_gap_224", "random:0"),
            BackboneError,
            "no class token nor one pooled",
        ),
        refuse(
            "windows",
            lambda t: load_backbone("timm:swin_tiny_patch4_window7_224", "random:0"),
            BackboneError,
            "timm VisionTransformer, got Swin",
        ),
        refuse(
            "pooled",
            lambda t: wrap(
                VisionTransformer(img_size=32, patch_size=8, embed_dim=24, depth=1, num_heads=3, global_pool="avg"),
                "x",
                "random:0",
                STAT,
                STAT,
                "",
            ),
            BackboneError,
            "no final norm",
        ),
        refuse("hub miniature", lambda t: load_backbone("miniature", "hub"), WeightsError, "not on the hub"),
        refuse(
            "packaged clip", lambda t: load_backbone("clip-vit-l14", "packaged"), WeightsError, "only the miniature"
        ),
        refuse("side", lambda t: wrapped().embed(torch.zeros(1, 3, 16, 16)), BackboneError, "3, 32, 32"),
    ],
)
def test_what_cannot_be_is_refused_in_words(act, kind, words, tmp_path):
    with pytest.raises(kind, match=words):
        act(tmp_path)


def test_a_hub_that_cannot_be_reached_says_what_to_download(monkeypatch):
    import timm

    def unreachable(*a, **k):
        raise OSError("no route")

    monkeypatch.setattr(timm, "create_model", unreachable)
    with pytest.raises(WeightsError, match=r"timm/vit_large_patch14_clip_224.openai.*--weights"):
        load_backbone("clip-vit-l14", "hub")


def test_a_model_that_does_more_than_its_blocks_is_refused():
    backbone = wrapped()
    backbone.model.blocks.register_forward_hook(lambda m, i, o: o.flip(-1))
    with pytest.raises(BackboneError, match="differs from timm's forward pass"):
        check_stepping(backbone)


def test_random_weights_follow_the_seed_and_spare_the_global_rng():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    a, b, c = (load_backbone("miniature", w) for w in ("random:1", "random:1", "random:2"))
    assert torch.equal(torch.rand(3), expected)
    assert a.digest == b.digest != c.digest


def test_a_timm_name_sets_the_side_of_the_input():
    backbone = load_backbone("timm:vit_tiny_patch16_224@96", "random:0")
    assert (backbone.name, backbone.side, backbone.grid) == ("timm:vit_tiny_patch16_224@96", 96, (6, 6))
    assert load_backbone("timm:vit_tiny_patch16_224", "random:0").side == 224


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in BACKBONES if n != "miniature"])
def test_full_size_stepping_equals_timm(name):
    backbone = load_backbone(name, "random:0")
    check_stepping(backbone, 1e-4)
    check_stepping(backbone.double(), 1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("clip-vit-b16", {"hidden": 768, "layers": 12, "heads": 12, "patch": 16, "projection": 512}),
        ("clip-vit-l14", {"hidden": 1024, "layers": 24, "heads": 16, "patch": 14, "projection": 768}),
    ],
)
def test_full_size_clip_equals_transformers(name, size, tmp_path):
    theirs = hf_model(side=224, **size)
    path = tmp_path / "model.safetensors"
    save_file({k: v.contiguous() for k, v in theirs.state_dict().items()}, path)
    ours = load_backbone(name, str(path))
    path.unlink()
    compare_with_transformers(theirs, ours, 224, 1e-4, torch.float32)
    compare_with_transformers(theirs, ours, 224, 1e-9, torch.float64)


def test_a_device_that_is_not_here_is_refused_in_words():
    assert device_of("cpu") == torch.device("cpu")
    for name in ("nowhere", "meta", "cuda:99"):
        with pytest.raises(DeviceError, match=f"device '{name}' is not available .*; use cpu"):
            device_of(name)


def test_names_and_seeds_are_looked_at_before_anything_is_promised():
    assert missing_weights("miniature") == missing_weights("clip-vit-l14", "random:3") == ""
    with pytest.raises(BackboneError, match="no backbone 'nope'"):
        missing_weights("nope", "random:0")
    with pytest.raises(WeightsError, match="with an integer, got 'random:x'"):
        missing_weights("clip-vit-l14", "random:x")
