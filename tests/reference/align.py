"""Five-point alignment by a linear least-squares solve: u = a x - b y + c, v = b x + a y + d."""

from __future__ import annotations

import numpy as np

# ArcFace's 112-px template: left eye, right eye, nose tip, left and right mouth corner.
ARCFACE = [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]


def template(side, scale):
    """The five points in a crop: scaled to the side, then pulled towards the centre."""
    return [tuple((v * side / 112 - side / 2) / scale + side / 2 for v in p) for p in ARCFACE]


def similarity(source, target):
    """The (2, 3) matrix without reflection that brings source nearest to target."""
    rows, right = [], []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows += [[x, -y, 1, 0], [y, x, 0, 1]]
        right += [u, v]
    a, b, c, d = np.linalg.lstsq(np.array(rows, float), np.array(right, float), rcond=None)[0]
    return np.array([[a, -b, c], [b, a, d]])
