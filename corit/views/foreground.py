"""Foreground masks without any training: the face, or the main object of a photograph."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from corit.errors import DataError
from corit.images.face_shape import OUTLINE

# A picture (S, S, 3) uint8 -> its patch tokens (h, w, D), from the detector's own backbone.
Tokens = Callable[[np.ndarray], np.ndarray]
SHARE = (0.05, 0.85)  # the smallest and largest share of the picture that a foreground may have


def face_hull(landmarks: np.ndarray, side: int) -> np.ndarray:
    """Return the filled convex hull of a face's landmarks in a crop, (side, side) bool.

    Args:
        landmarks: (P, 2) in pixels of the crop; of 81 points the first 68 count.
        side: of the crop in pixels.

    Raises:
        DataError: too few points to outline a face.
    """
    if len(landmarks) < OUTLINE:
        raise DataError(f"expected 68, 81 or 468 landmarks to outline a face, got {len(landmarks)}")
    points = landmarks[:68] if len(landmarks) == 81 else landmarks
    mask = np.zeros((side, side), np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.round(points).astype(np.int32)), 1)
    return mask.astype(bool)


def ellipse(side: int) -> np.ndarray:
    """Return a centred disc of two thirds of the side, (side, side) bool: the foreground where none is found."""
    mask = np.zeros((side, side), np.uint8)
    axes = (side // 3, side // 3)
    cv2.ellipse(mask, (side // 2, side // 2), axes, 0, 0, 360, 1, -1)
    return mask.astype(bool)


def saliency(pixels: np.ndarray, working: int = 128) -> np.ndarray:
    """Find the salient object of a picture by colour contrast and GrabCut.

    The border counts as background. Pixels far from its colours (Mahalanobis distance, in Lab) and near the centre seed
    the foreground, and GrabCut, a classical method that needs no model, moves the cut to the edges.

    Args:
        pixels: (S, S, 3) uint8.
        working: the side in pixels at which the cut is made.

    Returns:
        The foreground (S, S) bool; `ellipse` where the cut is degenerate.
    """
    side = pixels.shape[0]
    small = cv2.resize(pixels, (working, working), interpolation=cv2.INTER_AREA)
    unlikely = _contrast(small) * _centrality(working)
    if np.ptp(small) == 0:  # one colour: nothing to cut out, and GrabCut would find no samples
        return ellipse(side)
    labels = np.where(unlikely > np.quantile(unlikely, 0.7), cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[:3], labels[-3:], labels[:, :3], labels[:, -3:] = (cv2.GC_BGD,) * 4
    cv2.setRNGSeed(0)  # GrabCut's clusters start from OpenCV's global generator
    state = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(np.ascontiguousarray(small[..., ::-1]), labels, None, *state, 3, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
    mask = _largest(np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)))
    return _checked(mask, side)


def token_foreground(pixels: np.ndarray, tokens: Tokens) -> np.ndarray:
    """Find the foreground by the first principal component of the backbone's patch tokens.

    Its sign makes the border background.

    Args:
        pixels: (S, S, 3) uint8.
        tokens: gives the patch tokens (h, w, D) of a picture.

    Returns:
        The foreground (S, S) bool; `ellipse` where the result is degenerate.
    """
    values = tokens(pixels)
    h, w, width = values.shape
    flat = values.reshape(-1, width).astype(np.float64)
    centred = flat - flat.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    score = (centred @ axes[0]).reshape(h, w)
    border = np.concatenate([score[0], score[-1], score[:, 0], score[:, -1]])
    score *= -1 if border.mean() > score.mean() else 1
    smooth = cv2.resize(score.astype(np.float32), (8 * w, 8 * h), interpolation=cv2.INTER_CUBIC)
    levels = cv2.normalize(smooth, np.empty_like(smooth), 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    _, mask = cv2.threshold(levels, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return _checked(_largest(mask.astype(bool)), pixels.shape[0])


def _contrast(pixels: np.ndarray) -> np.ndarray:
    lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB).astype(np.float64)
    edge = max(2, lab.shape[0] // 16)
    border = np.concatenate([a.reshape(-1, 3) for a in (lab[:edge], lab[-edge:], lab[:, :edge], lab[:, -edge:])])
    inverse = np.linalg.inv(np.cov(border.T) + np.eye(3))
    away = lab - border.mean(0)
    return cv2.GaussianBlur(np.sqrt(np.einsum("hwi,ij,hwj->hw", away, inverse, away)), (0, 0), lab.shape[0] / 40)


def _centrality(side: int) -> np.ndarray:
    axis = np.linspace(-1, 1, side)
    return np.exp(-(axis[:, None] ** 2 + axis[None] ** 2) / 0.7)


def _largest(mask: np.ndarray) -> np.ndarray:
    """The largest connected piece, with its holes filled."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count < 2:
        return mask
    piece = (labels == 1 + stats[1:, cv2.CC_STAT_AREA].argmax()).astype(np.uint8)
    outlines, _ = cv2.findContours(piece, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(piece, outlines, -1, 1, -1)
    return piece.astype(bool)


def _checked(mask: np.ndarray, side: int) -> np.ndarray:
    if not SHARE[0] <= mask.mean() <= SHARE[1]:
        return ellipse(side)
    return cv2.resize(mask.astype(np.uint8), (side, side), interpolation=cv2.INTER_NEAREST).astype(bool)
