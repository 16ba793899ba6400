"""Metrics of evaluation, slowly: pair by pair, threshold by threshold, video by video."""

from __future__ import annotations

import math

import numpy as np


def right_order(fake, real):
    return 1.0 if fake > real else 0.5 if fake == real else 0.0


def delong_variance(labels, first, second, groups):
    """Variance of AUC(first) - AUC(second): placements by counting pairs, sums over clusters (Obuchowski, 1997)."""
    fakes = [i for i in range(len(labels)) if labels[i] == 1]
    reals = [i for i in range(len(labels)) if labels[i] == 0]
    m, n = len(fakes), len(reals)
    pair = lambda i, j: right_order(first[i], first[j]) - right_order(second[i], second[j])
    theta = sum(pair(i, j) for i in fakes for j in reals) / (m * n)
    v10 = {i: sum(pair(i, j) for j in reals) / n for i in fakes}
    v01 = {j: sum(pair(i, j) for i in fakes) / m for j in reals}
    names = sorted(set(groups))
    x = [sum(v10[i] - theta for i in fakes if groups[i] == g) for g in names]
    y = [sum(v01[j] - theta for j in reals if groups[j] == g) for g in names]
    with_fakes = len({groups[i] for i in fakes})
    with_reals = len({groups[j] for j in reals})
    s10 = with_fakes / ((with_fakes - 1) * m) * sum(a * a for a in x)
    s01 = with_reals / ((with_reals - 1) * n) * sum(b * b for b in y)
    s11 = len(names) / (len(names) - 1) * sum(a * b for a, b in zip(x, y, strict=True))
    return s10 / m + s01 / n + 2 * s11 / (m * n)


def two_sided(z):
    return math.erfc(abs(z) / math.sqrt(2))


def tpr_at_fpr(labels, scores, most):
    """The best TPR over all thresholds, of those that call at most a share `most` of the reals fake."""
    best = 0.0
    for t in sorted(set(scores.tolist())):
        reals = [s >= t for s, y in zip(scores, labels, strict=True) if y == 0]
        fakes = [s >= t for s, y in zip(scores, labels, strict=True) if y == 1]
        if sum(reals) <= most * len(reals) + 1e-9:
            best = max(best, sum(fakes) / len(fakes))
    return best


def calibration_error(labels, probabilities, bins):
    error = 0.0
    for b in range(bins):
        low, high = b / bins, (b + 1) / bins
        inside = [i for i, p in enumerate(probabilities) if low <= p < high or (b == bins - 1 and p == 1)]
        if inside:
            share = np.mean([labels[i] for i in inside])
            error += len(inside) / len(labels) * abs(share - np.mean([probabilities[i] for i in inside]))
    return error


def most_right(labels, scores):
    """The highest accuracy over all thresholds, including the one that calls nothing fake."""
    cuts = [*scores.tolist(), max(scores) + 1]
    return max(np.mean([(s >= t) == y for s, y in zip(scores, labels, strict=True)]) for t in cuts)


def video_means(keys, labels, scores):
    """{key: (labels of its frames, mean score)}"""
    found = {}
    for k in keys:
        own = [i for i, other in enumerate(keys) if other == k]
        found[k] = ({int(labels[i]) for i in own}, sum(scores[i] for i in own) / len(own))
    return found
