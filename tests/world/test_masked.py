"""Masked patches: which ones, where they lie in the picture, and what reaches the class token."""

from __future__ import annotations

import numpy as np
import torch

from corit.seeding import generator
from corit.world import encoder
from corit.world.masked import MASKED, MaskedPatchModel, draw_masks, patches

N = (encoder.SIDE // encoder.PATCH) ** 2


def test_masks_are_equal_in_number_and_half_are_silent():
    masked, silent = draw_masks(6, generator("t"))
    assert masked.sum(1).tolist() == [round(MASKED * N)] * 6
    assert not torch.equal(masked[0], masked[1])
    assert silent.tolist() == [False, True] * 3


def test_patches_are_the_pictures_squares_row_by_row():
    image = torch.arange(3 * encoder.SIDE**2, dtype=torch.float32).view(1, 3, encoder.SIDE, encoder.SIDE)
    p = encoder.PATCH
    second_row_third = image[0, :, p : 2 * p, 2 * p : 3 * p]
    found = patches(image)[0, encoder.SIDE // p + 2]
    assert torch.equal(found, second_row_third.reshape(-1))


def test_masked_pixels_are_not_seen_and_only_they_are_judged():
    painter, rng = MaskedPatchModel().eval(), generator("p")
    masked, silent = draw_masks(2, rng)
    x = torch.from_numpy(rng.normal(size=(2, 3, encoder.SIDE, encoder.SIDE)).astype(np.float32))
    loss = painter(x, masked, silent)
    # Of a zero decoder the error is the mean magnitude of the masked pixels.
    with torch.no_grad():
        for p in painter.paint.parameters():
            p.zero_()
    target = patches(x).abs().mean(-1)
    assert torch.allclose(painter(x, masked, silent), target[masked].mean(), rtol=1e-5)
    assert not torch.equal(loss, target[masked].mean())


def test_a_silent_picture_is_filled_by_the_class_token_alone():
    painter = MaskedPatchModel()
    masked, _ = draw_masks(2, generator("s"))
    x = torch.randn(2, 3, encoder.SIDE, encoder.SIDE, generator=torch.Generator().manual_seed(0))
    for quiet in (True, False):
        painter.zero_grad()
        painter(x, masked, torch.tensor([quiet, quiet])).backward()
        assert bool((painter.own.weight.grad != 0).any()) is not quiet
        assert (painter.whole.weight.grad != 0).any()
