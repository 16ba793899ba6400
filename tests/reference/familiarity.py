"""The distance from training features by dense matrices: all of the covariance, its inverse, every pair of rows."""

from __future__ import annotations

import numpy as np


def standard(train, rows):
    """Rows standardised by the training rows, with a mean squared norm of 1 on them."""
    spread = train.std(axis=0)
    return (rows - train.mean(axis=0)) / (spread * np.sqrt(train.shape[1]))


def shrinkage(x):
    """Ledoit and Wolf (2004), entry by entry of the covariance."""
    n, d = x.shape
    s = sum(np.outer(row, row) for row in x) / n
    target = np.trace(s) / d * np.eye(d)
    noise = sum(np.sum((np.outer(row, row) - s) ** 2) for row in x) / n**2
    return min(noise / np.sum((s - target) ** 2), 1.0)


def mahalanobis(train, rows, directions):
    """sqrt(x' C^-1 x / d): C has the leading directions of the covariance, the mean variance in the others, shrunk."""
    x, y = standard(train, train), standard(train, rows)
    n, d = x.shape
    values, vectors = np.linalg.eigh(x.T @ x / n)
    kept, first = np.full(d, values[:-directions].mean()), vectors[:, -directions:]
    kept[-directions:] = values[-directions:]
    share = shrinkage(x)
    c = vectors @ np.diag((1 - share) * kept + share * values.mean()) @ vectors.T
    return np.array([np.sqrt(row @ np.linalg.inv(c) @ row / d) for row in y]), first


def neighbours(train, rows, directions, number=5):
    """The fifth smallest distance, where what lies outside the directions counts as orthogonal."""
    x, y = standard(train, train), standard(train, rows)
    _, vectors = np.linalg.eigh(x.T @ x)
    first = vectors[:, -directions:]
    along, left = (lambda a: a @ first @ first.T), (lambda a: np.sum((a - a @ first @ first.T) ** 2))
    out = []
    for row in y:
        squares = [np.sum((along(row) - along(other)) ** 2) + left(row) + left(other) for other in x]
        out.append(np.sqrt(sorted(squares)[number - 1]))
    return np.array(out)
