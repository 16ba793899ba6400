"""Rank correlations with ties, with another quantity held, and by permutation."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from corit.seeding import generator

FEWEST = 4  # cells, below which no correlation is computed


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Rank correlation over the entries (n) that are known in both; ties have average ranks, infinities are largest.

    NaN for fewer than FEWEST entries or where one side does not vary.
    """
    known = ~(np.isnan(a) | np.isnan(b))
    if known.sum() < FEWEST:
        return float("nan")
    return _pearson(rankdata(a[known]), rankdata(b[known]))


def partial(a: np.ndarray, b: np.ndarray, held: np.ndarray) -> float:
    """Rank correlation of a and b with the ranks of `held` taken out of both linearly; NaN as `spearman`."""
    known = ~(np.isnan(a) | np.isnan(b) | np.isnan(held))
    if known.sum() < FEWEST:
        return float("nan")
    x, y, z = (rankdata(v[known]) for v in (a, b, held))
    ab, ah, bh = _pearson(x, y), _pearson(x, z), _pearson(y, z)
    rest = (1 - ah**2) * (1 - bh**2)
    return (ab - ah * bh) / rest**0.5 if rest > 1e-12 else float("nan")


def permuted(a: np.ndarray, b: np.ndarray, draws: int = 2000) -> float:
    """The share of permutations of b that correlate with a as strongly or more, (1 + k) / (1 + draws)."""
    known = ~(np.isnan(a) | np.isnan(b))
    x, y, rng = rankdata(a[known]), rankdata(b[known]), generator("permutation", int(known.sum()))
    seen = abs(_pearson(x, y))
    as_large = sum(abs(_pearson(x, rng.permutation(y))) >= seen - 1e-12 for _ in range(draws))
    return (1 + as_large) / (1 + draws)


def _pearson(x: np.ndarray, y: np.ndarray) -> float:
    x, y = x - x.mean(), y - y.mean()
    size = (x @ x) * (y @ y)
    return float((x @ y) / size**0.5) if size > 0 else float("nan")
