"""Rank correlations against scipy and against regressions on ranks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from corit.studies.findings.rank_correlation import partial_spearman, permutation_share, spearman

RNG = np.random.default_rng(3)
A, B, C = RNG.integers(0, 6, size=(3, 30)).astype(float)


def test_spearman_equals_scipys_with_ties_and_without_nan(agree):
    agree(spearman(A, B), stats.spearmanr(A, B).statistic)
    holes = A.copy()
    holes[[3, 7]] = np.nan
    keep = ~np.isnan(holes)
    agree(spearman(holes, B), stats.spearmanr(A[keep], B[keep]).statistic)


def test_partial_correlation_equals_regression_on_ranks(agree):
    a, b, c = (stats.rankdata(v) for v in (A, B, C))
    left = [v - np.polyval(np.polyfit(c, v, 1), c) for v in (a, b)]
    agree(partial_spearman(A, B, C), np.corrcoef(*left)[0, 1], rtol=1e-8)


def test_partial_correlation_removes_the_held_quantity():
    x = np.arange(40.0)
    noise = RNG.normal(size=(2, 40))
    assert spearman(x + noise[0], x + noise[1]) > 0.9
    assert abs(partial_spearman(x + noise[0], x + noise[1], x)) < 0.5


@pytest.mark.parametrize("pair", [(A[:3], B[:3]), (np.ones(9), np.arange(9.0))])
def test_too_few_or_constant_entries_have_no_correlation(pair):
    assert np.isnan(spearman(*pair))
    assert np.isnan(partial_spearman(*pair, pair[0]))


def test_permutations_distinguish_order_from_none():
    x = np.arange(12.0)
    assert permutation_share(x, x, 300) == 1 / 301
    assert permutation_share(x, np.abs(x - 5.5), 300) > 0.5
