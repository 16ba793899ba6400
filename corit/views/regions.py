"""Pixel mask -> patch sets: foreground, its boundary, and background; or random sets for the ablation."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from corit.errors import RecipeError
from corit.recipe import REGIONS, RegionName


def band(mask: np.ndarray, width: float) -> np.ndarray:
    """The boundary of a mask (S, S) bool: pixels within width * S / 2 of its contour, on both sides."""
    radius = max(1, round(width * mask.shape[0] / 2))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    flat = mask.astype(np.uint8)
    # The picture's edge is no contour: what lies beyond it continues what is inside.
    grown = cv2.dilate(flat, kernel, borderType=cv2.BORDER_REPLICATE)
    shrunk = cv2.erode(flat, kernel, borderType=cv2.BORDER_REPLICATE)
    return (grown > 0) & (shrunk == 0)


def patch_regions(
    mask: np.ndarray,
    grid: tuple[int, int],
    *,
    width: float = 0.0625,
    majority: float = 0.5,
    names: Sequence[RegionName] = REGIONS,
) -> np.ndarray:
    """Patch sets (K, N) bool, in the order of `names`, of a foreground mask (S, S) bool.

    R_k holds the patches whose area lies mostly in region k: the region with the largest share has the patch, and
    where that share is below `majority` [choice] the patch belongs to none.
    """
    unknown = [n for n in names if n not in REGIONS]
    if unknown:
        raise RecipeError(f"no such region: {', '.join(unknown)}; there are {', '.join(REGIONS)}")
    edge = band(mask, width)
    shares = np.stack([_shares(area, grid) for area in (mask & ~edge, edge, ~mask & ~edge)])
    member = (shares.argmax(0) == np.arange(3)[:, None]) & (shares >= majority)
    return member[[REGIONS.index(n) for n in names]]


def _shares(area: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """The share of each patch (N) that an area (S, S) covers."""
    h, w = area.shape[0] // grid[0], area.shape[1] // grid[1]
    return area[: h * grid[0], : w * grid[1]].reshape(grid[0], h, grid[1], w).mean((1, 3)).reshape(-1)


def random_partition(patches: int, k: int, rng: np.random.Generator) -> np.ndarray:
    """The ablation's random regions (K, N): every patch in exactly one of K sets of nearly equal size."""
    member = np.zeros((k, patches), bool)
    member[np.arange(patches) % k, rng.permutation(patches)] = True
    return member
