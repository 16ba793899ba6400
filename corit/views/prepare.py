"""One picture -> Views; the one preparation that extraction and detection share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Views:
    """What the model sees of one picture or one face of it.

    `image` (S, S, 3) uint8, the prepared crop at the backbone's side. `twins` (W, S, S, 3) uint8, W >= 0 self-blended
    draws. `regions` (K, N) bool, the patches of each region. `mask` (S, S) bool, the foreground in pixels.
    `box` (x0, y0, x1, y1) of the crop's face in the original picture, or None for a whole picture.
    """

    image: np.ndarray
    twins: np.ndarray
    regions: np.ndarray
    mask: np.ndarray
    box: tuple[float, float, float, float] | None = None

    def __post_init__(self) -> None:
        side = self.image.shape[0]
        if self.image.shape != (side, side, 3) or self.image.dtype != np.uint8:
            raise ValueError(f"image must be (S, S, 3) uint8, got {self.image.shape} {self.image.dtype}")
        if self.twins.shape[1:] != self.image.shape or self.twins.dtype != np.uint8:
            raise ValueError(f"twins must be (W, {side}, {side}, 3) uint8, got {self.twins.shape} {self.twins.dtype}")
        if self.regions.ndim != 2 or self.regions.dtype != bool:
            raise ValueError(f"regions must be (K, N) bool, got {self.regions.shape} {self.regions.dtype}")
        if self.mask.shape != (side, side) or self.mask.dtype != bool:
            raise ValueError(f"mask must be ({side}, {side}) bool, got {self.mask.shape} {self.mask.dtype}")
