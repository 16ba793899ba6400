"""DeLong's test: do two detectors' AUCs on the same samples differ by more than chance?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, rankdata

from corit.errors import DataError
from corit.metrics.bootstrap import check_scores


@dataclass(frozen=True)
class DeLong:
    """DeLong's test of two AUCs.

    Attributes:
        first: AUC of the first detector.
        second: AUC of the second detector.
        error: standard error of their difference.
        statistic: z = (first - second) / error.
        p: two-sided p-value; None where the AUCs differ and nothing varies, since such rows are too few to tell.
    """

    first: float
    second: float
    error: float
    statistic: float
    p: float | None


def delong(labels: np.ndarray, first: np.ndarray, second: np.ndarray, groups: np.ndarray | None = None) -> DeLong:
    """Test whether the AUCs of two detectors on the same rows differ.

    DeLong et al., Biometrics 1988, in the midrank form of Sun and Xu, 2014. With groups, whose frames are not
    independent samples, it is Obuchowski's extension to clusters, Biometrics 1997.

    Args:
        labels: (n), 0 for real and 1 for fake.
        first: (n) scores of the first detector.
        second: (n) scores of the second detector.
        groups: (n), the video or source of each row; None where rows are independent.

    Returns:
        Both AUCs and the test. Where the difference has no variance, p is 1 if the AUCs are equal and None if not.

    Raises:
        DataError: as `check_scores`, for another number of groups, and when a class has fewer than two samples or
            groups.
    """
    labels, first, second = np.asarray(labels), np.asarray(first, np.float64), np.asarray(second, np.float64)
    check_scores(labels, first)
    check_scores(labels, second)
    keys = np.arange(len(labels)) if groups is None else np.unique(groups, return_inverse=True)[1]
    if len(keys) != len(labels):
        raise DataError(f"expected a group for each label, got {len(keys)} groups and {len(labels)} labels")
    a, b = _placements(labels, first), _placements(labels, second)
    one, two = float(a[labels == 1].mean()), float(b[labels == 1].mean())
    error = math.sqrt(_variance(labels, a - b, one - two, keys))
    if error < 1e-12:
        same = abs(one - two) < 1e-12
        return DeLong(one, two, 0.0, 0.0 if same else math.copysign(math.inf, one - two), 1.0 if same else None)
    z = (one - two) / error
    return DeLong(one, two, error, z, float(2 * norm.sf(abs(z))))


def _placements(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(n) for each sample the share of the other class that it is ranked correctly against; a tie counts one half."""
    fakes = labels == 1
    n1, n0 = int(fakes.sum()), int((~fakes).sum())
    whole = rankdata(scores)
    out = np.empty(len(scores))
    out[fakes] = (whole[fakes] - rankdata(scores[fakes])) / n0
    out[~fakes] = 1 - (whole[~fakes] - rankdata(scores[~fakes])) / n1
    return out


def _variance(labels: np.ndarray, placements: np.ndarray, mean: float, keys: np.ndarray) -> float:
    """Obuchowski's variance of the mean of the placements; with every sample its own group it is DeLong's."""
    total = int(keys.max()) + 1
    deviations, counts, clusters = [], [], []
    for side in (1, 0):
        own = labels == side
        deviations.append(np.bincount(keys[own], placements[own] - mean, minlength=total))
        counts.append(int(own.sum()))
        clusters.append(len(np.unique(keys[own])))
    if min(clusters) < 2:
        raise DataError(f"expected at least two groups with fakes and two with reals, got {clusters[0]}, {clusters[1]}")
    own_terms = sum(c / (c - 1) * float(d @ d) / n**2 for c, d, n in zip(clusters, deviations, counts, strict=True))
    shared = 2 * total / (total - 1) * float(deviations[0] @ deviations[1]) / (counts[0] * counts[1])
    return max(0.0, own_terms + shared)
