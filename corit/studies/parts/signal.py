"""Clustered GSNR of features at w = 0, with jackknife intervals over clusters.

The value is that of `corit.theory.moments.clustered_gsnr`. There the mean gradient and its spread are quadratic in the
clusters' sums of gradients, so that their Gram matrix gives the value without each cluster in turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NORMAL = 1.959964  # half the width of a 95 % interval, in standard errors


@dataclass(frozen=True)
class Signal:
    """A GSNR, and the values without each cluster.

    Attributes:
        value: of all rows.
        without: (C) without each cluster.
    """

    value: float
    without: np.ndarray

    def less(self, other: Signal) -> Signal:
        """Return the difference of two values on the same clusters."""
        return Signal(self.value - other.value, self.without - other.without)

    @classmethod
    def mean(cls, signals: Sequence[Signal]) -> Signal:
        """Return the mean of values on the same clusters; NaN for none."""
        if not signals:
            return cls(float("nan"), np.full(2, np.nan))
        return cls(float(np.mean([s.value for s in signals])), np.mean([s.without for s in signals], 0))

    @property
    def interval(self) -> tuple[float, float, float]:
        """Value, low and high of the jackknife's 95 % interval."""
        count = len(self.without)
        error = float(np.sqrt((count - 1) / count * ((self.without - self.without.mean()) ** 2).sum()))
        return self.value, self.value - NORMAL * error, self.value + NORMAL * error


def signal(x: np.ndarray, y: np.ndarray, clusters: np.ndarray) -> Signal:
    """Measure the GSNR of a linear head at w = 0 on centred rows.

    Args:
        x: rows (n, D) in raw units; their mean is removed.
        y: labels (n).
        clusters: (n) the pair or picture of each row.

    Returns:
        The GSNR. The mean of the rows stays that of all of them.
    """
    centred = x.astype(np.float64) - x.mean(0, dtype=np.float64)
    gradients = (0.5 - y)[:, None] * np.c_[centred, np.ones(len(y))]  # the last number is the bias's
    names, at = np.unique(clusters, return_inverse=True)
    sums = np.zeros((len(names), gradients.shape[1]))
    np.add.at(sums, at, gradients)
    squares = np.bincount(at, (gradients**2).sum(1))
    counts = np.bincount(at).astype(float)
    kept = np.vstack([np.ones(len(names)), 1 - np.eye(len(names))])  # all clusters, then all but one
    values = _values(sums @ sums.T, squares, counts, kept)
    return Signal(float(values[0]), values[1:])


def _values(gram: np.ndarray, squares: np.ndarray, counts: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """The GSNR for each choice of clusters (m, C) of zeros and ones."""
    n, clusters = kept @ counts, kept.sum(1)
    mean = np.einsum("mc,cd,md->m", kept, gram, kept) / n**2  # norm(E g)^2
    noise = (kept @ squares / n - mean) * n / (n - 1)
    own, cross = kept @ np.diag(gram), np.einsum("mc,cd,md->m", kept * counts, gram, kept) / n
    spread = own - 2 * cross + kept @ counts**2 * mean
    return (mean - spread * clusters / (clusters - 1) / n**2) / noise
