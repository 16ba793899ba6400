"""The loss plane slowly, in NumPy float64: one place, one row and one sample at a time, derivatives by differences."""

from __future__ import annotations

import numpy as np


def loss(row_logit, x, y):
    """Mean negative log-likelihood; row_logit maps a sample to its logit."""
    total = 0.0
    for xi, yi in zip(x, y, strict=True):
        t = row_logit(xi)
        total += np.logaddexp(0.0, -t if yi == 1 else t)
    return total / len(x)


def linear(point):
    """Logit of a linear head [w, b]."""
    return lambda xi: point[:-1] @ xi + point[-1]


def perceptron(point, width, units, relu=True):
    """Logit of a head [W (M, D), b (M), v (M), c]."""
    w = point[: units * width].reshape(units, width)
    b, v, c = point[units * width :][:units], point[units * width :][units : 2 * units], point[-1]

    def logit(xi):
        z = w @ xi + b
        return v @ (np.maximum(z, 0) if relu else z) + c

    return logit


def rows(kind, width, units):
    """The indices of each output row's parameters, its bias last."""
    if kind == "linear":
        return [list(range(width + 1))]
    first = [[*range(m * width, (m + 1) * width), units * width + m] for m in range(units)]
    return [*first, list(range(units * width + units, units * width + 2 * units + 1))]


def plane(logit_of, point, u, v, axis, x, y):
    """L(w + a u + b v) for every a and b."""
    return np.array([[loss(logit_of(point + a * u + b * v), x, y) for b in axis] for a in axis])


def hessian(logit_of, point, x, y, step=1e-4):
    """The dense Hessian by central differences of the loss."""
    size, f = len(point), lambda p: loss(logit_of(p), x, y)
    out, unit = np.zeros((size, size)), np.eye(size) * step
    for i in range(size):
        for j in range(size):
            pairs = ((1, 1), (1, -1), (-1, 1), (-1, -1))
            out[i, j] = sum(a * b * f(point + a * unit[i] + b * unit[j]) for a, b in pairs) / (4 * step**2)
    return out


def largest_in_plane(h, u, v):
    """The largest e'He / e'e over directions of the plane, by trying very many."""
    return max((e @ h @ e) / (e @ e) for t in np.linspace(0, np.pi, 20001) for e in [np.cos(t) * u + np.sin(t) * v])


def highest_on_sphere(logit_of, point, x, y, rho, tries, rng):
    """The highest rise over random e of norm rho."""
    here = loss(logit_of(point), x, y)
    best = -np.inf
    for _ in range(tries):
        e = rng.normal(size=len(point))
        best = max(best, loss(logit_of(point + rho * e / np.linalg.norm(e)), x, y) - here)
    return best
