"""Decode pictures from files and bytes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Picture:
    """One decoded picture.

    `pixels` is (H, W, 3) uint8 RGB, upright. `landmarks` is (P, 2) float32 x, y in pixels of this picture, or None.
    `mask` is (H, W) bool, a foreground that somebody already knows, or None. `aligned` says that the picture already is
    a face crop in the template's pose, so that no face is looked for.
    """

    pixels: np.ndarray
    landmarks: np.ndarray | None = None
    mask: np.ndarray | None = None
    aligned: bool = False

    def __post_init__(self) -> None:
        if self.pixels.dtype != np.uint8 or self.pixels.ndim != 3 or self.pixels.shape[2] != 3:
            raise ValueError(f"pixels must be (H, W, 3) uint8, got {self.pixels.shape} {self.pixels.dtype}")
        if self.landmarks is not None and (self.landmarks.ndim != 2 or self.landmarks.shape[1] != 2):
            raise ValueError(f"landmarks must be (P, 2), got {self.landmarks.shape}")
        if self.mask is not None and self.mask.shape != self.pixels.shape[:2]:
            raise ValueError(f"mask must be {self.pixels.shape[:2]}, got {self.mask.shape}")
