"""Pretraining without semantics, after SimMIM: a decoder fills in masked patches with the help of the class token.

[choice] SimMIM has no class token. Here a small decoder predicts each masked patch from its own token, the class token
and its position. In half of the pictures it does not see the patch's own token, so that what describes the picture as a
whole must pass through the class token.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from corit.world import encoder

MASKED = 0.6  # SimMIM's share
GRID = encoder.SIDE // encoder.PATCH


class MaskedPatchModel(nn.Module):
    """The encoder with a token for masked patches and a decoder of one hidden layer."""

    def __init__(self) -> None:
        super().__init__()
        width = encoder.WIDTH
        self.encoder = encoder.build()
        self.blank = nn.Parameter(torch.zeros(width))
        self.place = nn.Parameter(torch.randn(GRID * GRID, 2 * width) * 0.02)
        self.own, self.whole = nn.Linear(width, 2 * width), nn.Linear(width, 2 * width)
        self.paint = nn.Linear(2 * width, 3 * encoder.PATCH**2)

    def forward(self, images: Tensor, masked: Tensor, silent: Tensor) -> Tensor:
        """Return the mean absolute error () over masked patches.

        Args:
            images: (B, 3, S, S), normalised.
            masked: (B, N) bool, the patches to fill in.
            silent: (B) bool, the pictures whose patch tokens the decoder does not see.
        """
        vit = self.encoder
        tokens = vit.patch_embed(images)  # type: ignore[operator]
        tokens = torch.where(masked[..., None], self.blank.to(tokens.dtype), tokens)
        tokens = vit.norm(vit.blocks(vit.norm_pre(vit._pos_embed(tokens))))  # type: ignore[operator]
        own = self.own(tokens[:, 1:]) * ~silent[:, None, None]
        painted = self.paint(nn.functional.gelu(own + self.whole(tokens[:, :1]) + self.place)).float()
        return ((painted - patches(images)).abs().mean(-1) * masked).sum() / masked.sum()

    def mean_colour_error(self, images: Tensor, masked: Tensor) -> float:
        """Return the error of filling each masked patch with the pictures' mean colour: what knowing nothing gives."""
        target = patches(images)
        guess = images.mean((0, 2, 3))[None, None, :, None].expand(*target.shape[:2], 3, encoder.PATCH**2).flatten(2)
        return float(((guess - target).abs().mean(-1) * masked).sum() / masked.sum())


def patches(images: Tensor) -> Tensor:
    """Cut pictures (B, 3, S, S) into patches (B, N, 3 P P), row by row."""
    return nn.functional.unfold(images, encoder.PATCH, stride=encoder.PATCH).mT


def draw_masks(count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Draw which patches are masked, (B, N) bool, equally many in each picture, and silent pictures, (B) bool."""
    n = GRID * GRID
    order = rng.permuted(np.tile(np.arange(n), (count, 1)), axis=1)
    return torch.from_numpy(order < round(MASKED * n)), torch.from_numpy(np.arange(count) % 2 == 1)
