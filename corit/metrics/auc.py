"""The area under the ROC curve from ranks."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Compute the area under the ROC curve; a tie counts one half.

    It uses ranks, so that a bootstrap can call it thousands of times.

    Args:
        labels: NumPy array (n), 0 for real and 1 for fake.
        scores: NumPy array (n), larger for fake.

    Returns:
        The AUC in [0, 1]; NaN where a score is NaN or a class is missing.
    """
    fakes = labels == 1
    n1 = int(fakes.sum())
    n0 = len(labels) - n1
    return float((rankdata(scores)[fakes].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))
