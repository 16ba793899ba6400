"""Where one scene of a video ends and the next begins: the colours of whole frames."""

from __future__ import annotations

import cv2
import numpy as np

LEVELS = 8  # of each of red, green and blue
SIDE = 32


def colours(pixels: np.ndarray) -> np.ndarray:
    """The shares (512,) of coarse colours in a frame (H, W, 3) uint8, shrunk first so that noise is averaged out."""
    small = cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    counted = cv2.calcHist([small], [0, 1, 2], None, [LEVELS] * 3, [0, 256] * 3)
    return np.asarray(counted, dtype=np.float64).ravel() / SIDE**2


def alike(a: np.ndarray, b: np.ndarray) -> float:
    """The share of colours that two frames have in common, 1 for the same and 0 for none (Swain & Ballard 1991)."""
    return float(np.minimum(a, b).sum())


def look(pixels: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    """How often each of the colours (512,) is inside a box of a frame, small enough to keep for every face; or (0,)."""
    height, width = pixels.shape[:2]
    x0, x1 = (int(np.clip(x, 0, width)) for x in box[::2])
    y0, y1 = (int(np.clip(y, 0, height)) for y in box[1::2])
    if x1 <= x0 or y1 <= y0:
        return np.zeros(0, np.uint16)
    return np.round(SIDE**2 * colours(pixels[y0:y1, x0:x1])).astype(np.uint16)
