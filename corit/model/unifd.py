"""UniFD, the class token of the last layer and the paper's controlled baseline, and other features of one layer."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from corit.backbones.stepped import Backbone
from corit.model.corit import Readout

Read = Literal["class", "projected", "pooled", "both"]
# By model.kind.
READS: dict[str, Read] = {"unifd": "class", "unifd-768": "projected", "pooled": "pooled", "both": "both"}


def forward(
    backbone: Backbone,
    images: Tensor,
    *,
    read: Read = "class",
    layer: int = 0,
    keep_levels: bool = False,
    keep_patches: bool = False,
) -> Readout:
    """Compute features of one layer after the final norm.

    Args:
        backbone: the frozen ViT.
        images: (B, 3, S, S), normalised.
        read: "class" for the class token (B, D), "projected" for its projection (B, P) as UniFD was published, "pooled"
            for the mean of the patch tokens (B, D), "both" for the class token and this mean (B, 2D).
        layer: L, the last block that runs; 0 for the backbone's own last block.
        keep_levels: whether to return levels (B, L+1, 1, D): the class token after each block and the final norm.
        keep_patches: whether to return patches (B, 2, N, D): V at L twice, in the layout of CoRIT's.

    Raises:
        BackboneError: when the backbone has no projection.
    """
    tokens = backbone.embed(images)
    levels = [backbone.class_token(tokens)] if keep_levels else []
    for l in range(1, (layer or backbone.depth) + 1):
        tokens = backbone.block(l, tokens)
        if keep_levels:
            levels.append(backbone.class_token(tokens))
    final = backbone.norm(tokens)
    z = backbone.class_token(tokens)[:, 0]
    if read == "projected":
        z = backbone.project(z)
    elif read in ("pooled", "both"):
        mean = final[:, backbone.prefix :].mean(1)
        z = mean if read == "pooled" else torch.cat([z, mean], 1)
    patches = final[:, backbone.prefix :][:, None].expand(-1, 2, -1, -1) if keep_patches else None
    return Readout(z, torch.stack(levels, 1) if keep_levels else None, None, patches)
