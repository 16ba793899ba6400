"""Two changes of a course by trying every pair of steps, one least-squares problem each."""

from __future__ import annotations

import numpy as np


def changes(steps, values):
    """The pair (a, b) of steps of the level-rise-line with the least squared error on log values, and that error."""
    y, best = np.log(values), (np.inf, None)
    for i in range(len(steps)):
        for j in range(i + 2, len(steps)):
            rows = []
            for t in steps:
                up = min(max(t - steps[i], 0), steps[j] - steps[i])
                rows.append([1.0, up, max(t - steps[j], 0)])
            x = np.array(rows)
            error = np.sum((y - x @ np.linalg.lstsq(x, y, rcond=None)[0]) ** 2)
            if error < best[0] - 1e-12:
                best = (error, (steps[i], steps[j]))
    return best[1], best[0]


def evidence(steps, values, a, b):
    """BIC of the better of a level and a line, less that of the line broken at a and b; and its residuals' correlation.

    BIC is n log(mean squared error) + parameters log n, n the observations less what their likeness takes from them.
    """
    y, t = np.log(values), np.asarray(steps, dtype=float)
    level = np.full(len(y), sum(y) / len(y))
    line = np.polyval(np.polyfit(t - t[0], y, 1), t - t[0])
    x = np.array([[1.0, min(max(v - a, 0), b - a), max(v - b, 0)] for v in t])
    left = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    error = lambda residual: sum(v * v for v in residual) / len(residual) + 1e-12
    neighbours = sum(p * q for p, q in zip(left[1:], left[:-1], strict=True)) / (len(left) - 1)
    likeness = neighbours / error(left)
    c = min(max(likeness, 0.0), 0.98)
    count = len(y) * (1 - c) / (1 + c)
    bic = lambda residual, parameters: count * np.log(error(residual)) + parameters * np.log(max(count, 1))
    return min(bic(y - level, 1), bic(y - line, 2)) - bic(left, 5), likeness
