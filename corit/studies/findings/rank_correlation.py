"""Rank correlations: with ties, partial, and compared with permutations."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from corit.seeding import generator

MIN_ENTRIES = 4  # for a correlation


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Return Spearman's rank correlation over the entries (n) that are not NaN in both.

    Ties take average ranks, infinities are largest. NaN for fewer than MIN_ENTRIES entries or a constant side.
    """
    known = ~(np.isnan(a) | np.isnan(b))
    if known.sum() < MIN_ENTRIES:
        return float("nan")
    return _pearson(rankdata(a[known]), rankdata(b[known]))


def partial_spearman(a: np.ndarray, b: np.ndarray, held: np.ndarray) -> float:
    """Return the partial rank correlation of a and b, given `held`; NaN as `spearman`."""
    known = ~(np.isnan(a) | np.isnan(b) | np.isnan(held))
    if known.sum() < MIN_ENTRIES:
        return float("nan")
    x, y, z = (rankdata(v[known]) for v in (a, b, held))
    ab, ah, bh = _pearson(x, y), _pearson(x, z), _pearson(y, z)
    rest = (1 - ah**2) * (1 - bh**2)
    return (ab - ah * bh) / rest**0.5 if rest > 1e-12 else float("nan")


def permutation_share(a: np.ndarray, b: np.ndarray, draws: int = 2000) -> float:
    """Return the share of permutations of b that correlate with a as strongly or more, (1 + k) / (1 + draws)."""
    known = ~(np.isnan(a) | np.isnan(b))
    x, y, rng = rankdata(a[known]), rankdata(b[known]), generator("permutation", int(known.sum()))
    observed = abs(_pearson(x, y))
    as_large = sum(abs(_pearson(x, rng.permutation(y))) >= observed - 1e-12 for _ in range(draws))
    return (1 + as_large) / (1 + draws)


def _pearson(x: np.ndarray, y: np.ndarray) -> float:
    x, y = x - x.mean(), y - y.mean()
    size = (x @ x) * (y @ y)
    return float((x @ y) / size**0.5) if size > 0 else float("nan")
