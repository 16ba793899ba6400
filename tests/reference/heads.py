"""SAM training and ranking metrics, slowly, in NumPy float64: one head, one sample, one pair at a time."""

from __future__ import annotations

import numpy as np


def sigmoid(t):
    return 1 / (1 + np.exp(-t))


def linear_gradient(w, b, x, y):
    """Gradient of the mean negative log-likelihood, summed sample by sample."""
    gw, gb = np.zeros_like(w), 0.0
    for xi, yi in zip(x, y, strict=True):
        residual = sigmoid(w @ xi + b) - yi
        gw += residual * xi / len(x)
        gb += residual / len(x)
    return gw, gb


def mlp_gradient(params, x, y, relu=True):
    w, b, v, c = params
    gw, gb, gv, gc = np.zeros_like(w), np.zeros_like(b), np.zeros_like(v), 0.0
    for xi, yi in zip(x, y, strict=True):
        z = w @ xi + b
        h = np.maximum(z, 0) if relu else z
        r = (sigmoid(v @ h + c) - yi) / len(x)
        slope = (z > 0).astype(float) if relu else np.ones_like(z)
        gw += np.outer(r * v * slope, xi)
        gb += r * v * slope
        gv += r * h
        gc += r
    return [gw, gb, gv, gc]


def sam(gradient, params, rho):
    """(1),(2): the gradient at w + rho g / |g| with one norm over all the parameters."""
    g = gradient(params)
    if rho == 0:
        return g
    norm = np.sqrt(sum(np.sum(np.asarray(t) ** 2) for t in g))
    return gradient([p + rho * t / norm for p, t in zip(params, g, strict=True)])


def train(params, gradient_on, batches, rho, learning_rate, momentum):
    """SGD with momentum on SAM's gradient; `gradient_on(batch)` gives the gradient function of a mini-batch."""
    velocity = [np.zeros_like(p) for p in params]
    for batch in batches:
        g = sam(gradient_on(batch), params, rho)
        velocity = [momentum * m + t for m, t in zip(velocity, g, strict=True)]
        params = [p - learning_rate * m for p, m in zip(params, velocity, strict=True)]
    return params


def auc(labels, scores):
    """Share of (fake, real) pairs in the right order, ties one half."""
    wins = total = 0.0
    for sf in scores[labels == 1]:
        for sr in scores[labels == 0]:
            wins += 1.0 if sf > sr else 0.5 if sf == sr else 0.0
            total += 1
    return wins / total


def average_precision(labels, scores):
    """Thresholds from high to low: precision times the recall gained."""
    fakes, ap, before = int(labels.sum()), 0.0, 0.0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        chosen = scores >= threshold
        recall = labels[chosen].sum() / fakes
        ap += (recall - before) * labels[chosen].mean()
        before = recall
    return ap


def roc(labels, scores):
    """(FPR, TPR) at every threshold, from nothing called fake to everything."""
    points = [(0.0, 0.0)]
    for threshold in sorted(set(scores.tolist()), reverse=True):
        chosen = scores >= threshold
        points.append((chosen[labels == 0].mean(), chosen[labels == 1].mean()))
    return points


def equal_error_rate(labels, scores):
    """FPR of the first corner of the ROC curve where |FNR - FPR| is least."""
    start, *points = roc(labels, scores)
    reals, fakes = (labels == 0).sum(), (labels == 1).sum()
    counts = [(round(x * reals), round(y * fakes)) for x, y in points]
    straight = lambda i: all(counts[i + 1][k] - counts[i][k] == counts[i][k] - counts[i - 1][k] for k in (0, 1))
    corners = [p for i, p in enumerate(points) if i in (0, len(points) - 1) or not straight(i)]
    return min([start, *corners], key=lambda p: abs((1 - p[1]) - p[0]))[0]
