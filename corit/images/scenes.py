"""Compare frames by their colours: where a scene of a video ends, and which faces may be one."""

from __future__ import annotations

import cv2
import numpy as np

LEVELS = 8  # of red, of green and of blue
SIDE = 32  # pixels: frames are shrunk to it, so that noise is averaged out


def colour_histogram(pixels: np.ndarray) -> np.ndarray:
    """Count coarse colours in a frame.

    Args:
        pixels: (H, W, 3) uint8.

    Returns:
        The share (512,) of each colour.
    """
    small = cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    counted = cv2.calcHist([small], [0, 1, 2], None, [LEVELS] * 3, [0, 256] * 3)
    return np.asarray(counted, dtype=np.float64).ravel() / SIDE**2


def histogram_overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Sum the colours that two histograms have in common: histogram intersection (Swain & Ballard 1991).

    Args:
        a: of `colour_histogram`.
        b: of `colour_histogram`.

    Returns:
        1 for the same colours, 0 for no common colour.
    """
    return float(np.minimum(a, b).sum())


def face_histogram(pixels: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    """Count coarse colours inside a box of a frame, compactly enough to keep for every face.

    Args:
        pixels: (H, W, 3) uint8.
        box: (x0, y0, x1, y1) in pixels.

    Returns:
        Counts (512,) uint16; (0,) for a box outside the frame.
    """
    height, width = pixels.shape[:2]
    x0, x1 = (int(np.clip(x, 0, width)) for x in box[::2])
    y0, y1 = (int(np.clip(y, 0, height)) for y in box[1::2])
    if x1 <= x0 or y1 <= y0:
        return np.zeros(0, np.uint16)
    return np.round(SIDE**2 * colour_histogram(pixels[y0:y1, x0:x1])).astype(np.uint16)
