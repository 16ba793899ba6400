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
