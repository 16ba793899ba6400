"""A threshold for a false-positive rate keeps its promise on drawn reals, and says what it cannot promise."""

from __future__ import annotations

import numpy as np
import pytest

from corit.errors import DataError
from corit.metrics.threshold import fpr_threshold, share, sources_needed


@pytest.mark.parametrize(("n", "fpr"), [(19, 0.05), (60, 0.05), (199, 0.01), (10, 0.25)])
def test_the_expected_rate_on_new_reals_is_what_draws_show(n, fpr):
    rng = np.random.default_rng(n)
    true = np.empty(4000)
    for i in range(len(true)):
        limit = fpr_threshold(rng.uniform(size=n), fpr)
        true[i] = 1 - limit.threshold  # uniform scores: the share of new reals above it
    assert limit.fpr.value <= fpr
    assert true.mean() == pytest.approx(limit.fpr.value, abs=4 * true.std() / len(true) ** 0.5)
    assert np.quantile(true, [0.025, 0.975]) == pytest.approx([limit.fpr.low, limit.fpr.high], rel=0.15, abs=2e-3)
    assert ((true >= limit.fpr.low) & (true <= limit.fpr.high)).mean() == pytest.approx(0.95, abs=0.015)


def test_no_lower_threshold_has_that_expected_rate():
    scores = np.arange(100) / 100
    limit = fpr_threshold(scores, 0.05)
    called = int((scores >= limit.threshold).sum())
    assert (called, limit.fpr.value) == (4, 5 / 101)
    assert (called + 2) / 101 > 0.05


def test_pictures_of_one_source_count_as_one():
    scores = np.repeat(np.arange(40) / 40, 8)
    units = np.repeat(np.arange(40), 8)
    alike, single = fpr_threshold(scores, 0.05, units), fpr_threshold(scores[::8], 0.05)
    assert alike.fpr == single.fpr
    assert (scores >= alike.threshold).mean() <= 0.05
    assert alike.fpr.high > fpr_threshold(scores, 0.05).fpr.high


def test_too_few_reals_are_refused_with_the_rate_that_they_can_give():
    assert [sources_needed(f) for f in (0.5, 0.05, 0.01)] == [1, 19, 99]
    with pytest.raises(
        DataError, match=r"at least 19 sources .* of 0.05, got 18; give more, or a rate of at least 0.05"
    ):
        fpr_threshold(np.zeros(18), 0.05)
    with pytest.raises(DataError, match="got 2; give more"):
        fpr_threshold(np.zeros(40), 0.05, np.repeat([0, 1], 20))
    assert fpr_threshold(np.zeros(19), 0.05).threshold > 0


@pytest.mark.parametrize("fpr", [0.0, 1.0, -0.1])
def test_a_rate_outside_of_0_to_1_is_refused(fpr):
    with pytest.raises(DataError, match="between 0 and 1"):
        fpr_threshold(np.zeros(50), fpr)


def test_scores_that_are_not_finite_are_refused():
    with pytest.raises(DataError, match="finite"):
        fpr_threshold(np.full(50, np.nan), 0.05)


def test_a_share_of_no_rows_is_none():
    assert share(np.zeros(0, bool), np.zeros(0)) is None
