"""Positions of region tokens in ViTs with rotary positions: a region token is at the mean position of its region.

A rotary position turns pairs of channels by angles that are linear in row and column. timm's table has the sines and
cosines at every patch; the frequencies of its module give the angles at any other position. To put a region token at
the mean position of its patches is a choice; a region without patches is at the centre of the grid.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from corit.errors import BackboneError

TOLERANCE = 1e-4  # of a sine or cosine in float32


def patch_positions(model: nn.Module, grid: tuple[int, int]) -> Tensor:
    """Read the table of a timm model with rotary positions.

    Args:
        model: a timm Eva.
        grid: (h, w) patches, N = h w.

    Returns:
        (N, 2 d): the sines, then the cosines of all patches, for heads of width d.
    """
    rope: Any = model.rope
    fixed = getattr(rope, "feat_shape", None) is not None
    table: Tensor = rope.get_embed() if fixed else rope.get_embed(shape=list(grid))
    return table


def region_positions(model: nn.Module, grid: tuple[int, int], regions: Tensor) -> Tensor:
    """Compute the positions of region tokens, like rows of the patches' table.

    Args:
        model: a timm Eva with rotary positions of one kind for all blocks.
        grid: (h, w) patches, N = h w.
        regions: (B, K, N) bool.

    Returns:
        (B, K, 2 d): the sines, then the cosines at the mean position of each region.

    Raises:
        BackboneError: when the model's table does not follow from its frequencies.
    """
    table = patch_positions(model, grid).double()
    steps = _steps(model.rope, grid).to(table)
    sine, cosine = table[0].chunk(2)
    start = torch.atan2(sine, cosine)
    everywhere = start + _coordinates(grid).to(table) @ steps
    if not torch.allclose(torch.cat([everywhere.sin(), everywhere.cos()], -1), table, rtol=0, atol=TOLERANCE):
        raise BackboneError(
            f"the rotary positions of {type(model.rope).__name__} do not follow from its frequencies, so that a region "
            "token has no position between patches"
        )
    angles = start + _centres(grid, regions.to(table.device)).to(table) @ steps
    return torch.cat([angles.sin(), angles.cos()], -1)


def _coordinates(grid: tuple[int, int]) -> Tensor:
    """Row and column of every patch (N, 2), from 0 on."""
    return torch.cartesian_prod(torch.arange(grid[0]), torch.arange(grid[1]))


def _centres(grid: tuple[int, int], regions: Tensor) -> Tensor:
    """Mean row and column (B, K, 2) of each region; the centre of the grid for a region without patches."""
    member = regions.double()
    size = member.sum(-1, keepdim=True)
    mean = member @ _coordinates(grid).to(member) / size.clamp_min(1)
    centre = member.new_tensor([(grid[0] - 1) / 2, (grid[1] - 1) / 2])
    return torch.where(size > 0, mean, centre)


def _steps(rope: Any, grid: tuple[int, int]) -> Tensor:
    """The angle of every channel from one patch to the next (2, d): down a row, and along it."""
    count = rope.dim // 4
    powers = torch.arange(count, dtype=torch.float64) / count
    if hasattr(rope, "periods"):  # DINOv3: coordinates from -1 to 1
        frequencies = 2 * math.pi / rope.periods.double().cpu()
        down, along = (2 * frequencies / side for side in grid)
    else:
        frequencies = float(rope.temperature) ** -powers
        pretrained = rope.ref_feat_shape or grid  # the grid onto which positions are stretched
        down, along = (frequencies * old / side for old, side in zip(pretrained, grid, strict=True))
    none = torch.zeros_like(down)
    first, second = torch.cat([down, none]), torch.cat([none, along])
    if rope.grid_indexing == "xy":  # the column's channels come first
        first, second = torch.cat([none, down]), torch.cat([along, none])
    layout = (lambda x: torch.cat([x, x])) if rope.rotate_half else (lambda x: x.repeat_interleave(2))
    return torch.stack([layout(first), layout(second)])
