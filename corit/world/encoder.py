"""The miniature world's tiny ViT: 64 px, patches of 8, linear patch embedding, with packaged weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as as_bytes
from torch import Tensor, nn

from corit.errors import WeightsError
from corit.files import write_bytes

SIDE, PATCH, WIDTH, DEPTH, HEADS = 64, 8, 96, 8, 3
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
LICENCE = "Apache-2.0"


def build(seed: int = 0) -> nn.Module:
    """Build a timm VisionTransformer with a class token, pre-norm blocks and no head, initialised from a seed."""
    from timm.models.vision_transformer import VisionTransformer

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return VisionTransformer(
            img_size=SIDE, patch_size=PATCH, embed_dim=WIDTH, depth=DEPTH, num_heads=HEADS, num_classes=0
        )


def weights_path() -> Path:
    """Return the path of the packaged weights."""
    return Path(__file__).parent / "weights" / "miniature.safetensors"


def save(state: dict[str, Tensor], path: Path, card: dict[str, Any]) -> None:
    """Write weights in half precision with a card of how they were trained, whole or not at all.

    Args:
        state: the encoder's state.
        path: the file to write, in safetensors.
        card: values that JSON can hold.
    """
    half = {k: v.detach().cpu().to(torch.float16).contiguous() for k, v in state.items()}
    write_bytes(path, as_bytes(half, metadata={"card": json.dumps(card)}))


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read weights as float32, and their card. Raises WeightsError for an absent or damaged file."""
    try:
        with safe_open(path, framework="pt") as file:
            state = {k: file.get_tensor(k).float() for k in file.keys()}  # noqa: SIM118
            return state, json.loads((file.metadata() or {}).get("card", "{}"))
    except (OSError, SafetensorError) as err:
        raise WeightsError(f"expected the miniature's weights at {path}: {err}. Train them: corit pretrain") from err
