"""Patch regions of a foreground mask: foreground, boundary and background; or random ones for the ablation."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from corit.errors import RecipeError
from corit.recipe import REGIONS, RegionName


def boundary_band(mask: np.ndarray, width: float) -> np.ndarray:
    """Return the boundary of a mask (S, S) bool: pixels within width * S / 2 of its contour, on both sides."""
    radius = max(1, round(width * mask.shape[0] / 2))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    flat = mask.astype(np.uint8)
    # The picture's edge is no contour: the mask continues beyond it.
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
    """Return the patch regions R_k of a foreground mask.

    R_k holds the patches whose area lies mostly in region k. The region with the largest share of a patch gets it;
    where this share is below `majority` [choice], no region does.

    Args:
        mask: the foreground (S, S) bool.
        grid: patches in a column and in a row.
        width: of the boundary, as a share of the side.
        majority: the smallest share of a patch.
        names: the regions, in the order of the result.

    Returns:
        Members (K, N) bool.

    Raises:
        RecipeError: an unknown region.
    """
    unknown = [n for n in names if n not in REGIONS]
    if unknown:
        raise RecipeError(f"no such region: {', '.join(unknown)}; there are {', '.join(REGIONS)}")
    edge = boundary_band(mask, width)
    shares = np.stack([_shares(area, grid) for area in (mask & ~edge, edge, ~mask & ~edge)])
    member = (shares.argmax(0) == np.arange(3)[:, None]) & (shares >= majority)
    return member[[REGIONS.index(n) for n in names]]


def _shares(area: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """The share of each patch (N) that an area (S, S) covers."""
    h, w = area.shape[0] // grid[0], area.shape[1] // grid[1]
    return area[: h * grid[0], : w * grid[1]].reshape(grid[0], h, grid[1], w).mean((1, 3)).reshape(-1)


def random_partition(patches: int, k: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the ablation's random regions (K, N) bool: every patch is in exactly one of K sets of nearly equal size."""
    member = np.zeros((k, patches), bool)
    member[np.arange(patches) % k, rng.permutation(patches)] = True
    return member
