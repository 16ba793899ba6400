"""A CLIP image tower of two blocks: Hugging Face's model with random weights, and timm's of the same shape."""

from __future__ import annotations

import torch
from timm.layers import QuickGELU
from timm.models.vision_transformer import VisionTransformer
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from corit.backbones import build
from corit.backbones.build import wrap

HALF = (0.5, 0.5, 0.5)


def tower(seed=0):
    torch.manual_seed(seed)
    config = CLIPVisionConfig(
        hidden_size=24,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=3,
        image_size=32,
        patch_size=8,
        projection_dim=12,
        hidden_act="quick_gelu",
    )
    model = CLIPVisionModelWithProjection(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model


def tiny():
    return VisionTransformer(
        img_size=32,
        patch_size=8,
        embed_dim=24,
        depth=2,
        num_heads=3,
        pre_norm=True,
        act_layer=QuickGELU,
        norm_layer=torch.nn.LayerNorm,
        num_classes=12,
    )


def state_of(model):
    return {name: value for name, value in model.state_dict().items() if not name.endswith("position_ids")}


def build_with(monkeypatch, place_of):
    """Build "tiny" with the weights that a function makes of those that are asked for."""
    others = build.build_timm

    def build_timm(record, weights):
        return (
            wrap(tiny(), "tiny", place_of(weights), HALF, HALF, "MIT")
            if record.name == "tiny"
            else others(record, weights)
        )

    monkeypatch.setattr(build, "build_timm", build_timm)
