"""What the refinement mask (20) keeps, by layer, for every threshold on the same course of tokens.

Without another threshold's injection a course of tokens differs a little; `corit.studies.parts.pictures` checks how
much.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from corit.model.corit import proxy, refinement_mask
from corit.studies.parts.plan import THRESHOLDS


def shares(course: Sequence[tuple[Tensor, Tensor]], regions: Tensor) -> dict[str, Tensor]:
    """Count the share of each region that each threshold keeps.

    Args:
        course: V and V~ (B, N, D) after each block.
        regions: (B, K, N) bool.

    Returns:
        By threshold, (B, K, L); NaN where a region is empty.
    """
    gs = [proxy(v, twin) for v, twin in course]
    return {
        name: torch.stack([share(refinement_mask(g, regions, tau, threshold), regions) for g in gs], -1)
        for name, (threshold, tau) in THRESHOLDS.items()
    }


def share(mask: Tensor, regions: Tensor) -> Tensor:
    """Return the share (B, K) of each region (B, K, N) that a mask keeps; NaN where the region is empty."""
    return mask.sum(-1) / regions.sum(-1)


def silent(course: Sequence[tuple[Tensor, Tensor]], regions: Tensor) -> Tensor:
    """Return the share (B, K, L) of each region's patches whose proxy is zero."""
    zero = [(proxy(v, twin) == 0).all(-1)[:, None] & regions for v, twin in course]
    return torch.stack([share(z, regions) for z in zero], -1)
