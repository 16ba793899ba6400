"""Features by hand: a common mean, a falling spectrum, and four types whose signals lie where a test says."""

from __future__ import annotations

import numpy as np
import torch

WIDTH = 12
KINDS = ("DF", "F2F", "FS", "NT")


def rows(count, seed, signals, mean=3.0, width=WIDTH):
    """Return features (n, D), labels and types: as many reals as fakes of each type, in pairs of one noise."""
    rng = np.random.default_rng(seed)
    scale = np.arange(1, width + 1.0) ** -0.5
    noise = rng.normal(size=(count, width)) * scale
    centre = mean * np.ones(width) / width**0.5
    parts = [noise + centre]
    parts += [noise + centre + 0.2 * rng.normal(size=noise.shape) * scale + signals[k] for k in KINDS]
    kind = np.repeat(["", *KINDS], count)
    return torch.from_numpy(np.concatenate(parts)).float(), (kind != "").astype(np.int64), kind


def signals(size=0.5, width=WIDTH):
    """Return a signal on an axis of its own for each type: NT's on that of least variance."""
    eye = np.eye(width)
    return {k: size * eye[a] for k, a in zip(KINDS, (1, 2, 3, width - 1), strict=True)}


def parts(count=60, width=WIDTH):
    """Return the three splits."""
    return {s: rows(count, i, signals(width=width), width=width) for i, s in enumerate(("train", "val", "test"))}
