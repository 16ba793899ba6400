"""The curve behind every metric: scikit-learn's, with ties and repeated draws; and intervals that cover."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import heads as slow
from reference import ranking
from sklearn.metrics import accuracy_score, average_precision_score, roc_auc_score, roc_curve

from corit.bench.protocols import METRICS
from corit.errors import DataError
from corit.metrics.auc import auc
from corit.metrics.bootstrap import bootstrap
from corit.metrics.curve import (
    BINS,
    Ranking,
    average_precision,
    equal_error_rate,
    equal_error_rate_interpolated,
    expected_calibration_error,
    tpr_at_fpr,
)
from corit.metrics.measures import METRIC_FUNCTIONS, METRIC_TITLES, HeadScores, estimates
from corit.metrics.threshold import accuracy
from corit.seeding import generator

rows = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6), st.integers(0, 3)), min_size=4, max_size=30)


@settings(max_examples=80, deadline=None)
@given(rows, st.sampled_from([0.0, 0.25, 0.5, 0.99, 1.0]))
def test_drawn_rows_count_as_often_as_they_were_drawn(table, threshold):
    y, s, w = (np.array(c) for c in zip(*table, strict=True))
    s = s / 6 * 0.97
    if {*np.repeat(y, w).tolist()} != {0, 1}:
        return
    ys, ss = np.repeat(y, w), np.repeat(s, w)
    curve = Ranking(y, s).curve(w.astype(float))
    assert curve.auc() == pytest.approx(roc_auc_score(ys, ss), abs=1e-12)
    assert curve.auc() == pytest.approx(slow.auc(ys, ss), abs=1e-12)  # pair by pair, a tie one half
    assert curve.average_precision() == pytest.approx(average_precision_score(ys, ss), abs=1e-12)
    assert curve.accuracy(threshold) == pytest.approx(accuracy_score(ys, ss >= threshold), abs=1e-12)
    assert curve.equal_error_rate() == pytest.approx(slow.equal_error_rate(ys, ss), abs=1e-12)
    assert curve.equal_error_rate_interpolated() == pytest.approx(equal_error_rate_interpolated(ys, ss), abs=1e-12)
    for fpr in (0.0, 0.05, 0.3):
        assert curve.tpr_at_fpr(fpr) == pytest.approx(ranking.tpr_at_fpr(ys, ss, fpr), abs=1e-12)
    error = ranking.calibration_error(ys, ss, BINS)
    assert Ranking(y, s).calibration_error(w.astype(float)) == pytest.approx(error, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(rows)
def test_the_curve_is_scikit_learns(table):
    y, s, _ = (np.array(c) for c in zip(*table, strict=True))
    if {*y.tolist()} != {0, 1}:
        return
    fpr, tpr, thresholds = roc_curve(y, s, drop_intermediate=False)
    curve = Ranking(y, s).curve()
    corners, found, _ = roc_curve(y, s)  # what the benchmark reads its EER from
    assert curve.equal_error_rate() == corners[np.nanargmin(np.abs(1 - found - corners))]
    assert np.allclose(curve.fpr, fpr)
    assert np.allclose(curve.tpr, tpr)
    assert np.array_equal(curve.thresholds, thresholds[1:])


def columns(seed, videos=30, frames=6, heads=1):
    """Frames of a video share most of their noise: a video is a sample, its frames are not."""
    rng = generator("columns", seed)
    y = np.repeat(np.arange(2 * videos) % 2, frames)
    group = np.repeat(np.arange(2 * videos), frames)
    scores = [rng.normal(size=2 * videos)[group] + 0.3 * rng.normal(size=len(y)) + y for _ in range(heads)]
    p = 1 / (1 + np.exp(-np.stack(scores)))
    return HeadScores(y, p, np.full(heads, 0.6), group)


def test_every_metric_has_its_name_and_a_title():
    assert tuple(METRIC_FUNCTIONS) == tuple(METRIC_TITLES)
    assert set(METRIC_FUNCTIONS) == {*METRICS, "acc-own"}
    assert len(set(METRIC_TITLES.values())) == len(METRIC_TITLES)
    found = estimates(columns(0), draws=40)
    assert tuple(found) == METRICS
    assert all(e.low <= e.value <= e.high for e in found.values())


TOLD = {"calibrated": (0.0, lambda p: p), "overconfident": (0.125, lambda p: 0.5 + (p - 0.5) / 2)}


@pytest.mark.parametrize("detector", TOLD)
@pytest.mark.parametrize(("rows", "frames"), [(60, 1), (400, 1), (80, 5)])
def test_the_calibration_errors_interval_covers_the_truth(detector, rows, frames):
    """Scores are even, so that the error is the mean of |share - score|; frames of a video have its score and label."""
    truth, share = TOLD[detector]
    hits, values, noises = 0, [], []
    for trial in range(40):
        rng = generator("calibration coverage", detector, rows, frames, trial)
        p = rng.random(rows)
        y, group = (rng.random(rows) < share(p)).astype(int), np.arange(rows)
        y, p, group = (np.repeat(v, frames) for v in (y, p, group))
        e = estimates(HeadScores(y, p[None], np.zeros(1), group), ["ece"], draws=100)["ece"]
        assert e.low <= e.value <= e.high
        hits += e.low <= truth <= e.high
        values, noises = [*values, e.value], [*noises, e.noise]
    assert hits >= 34  # 38 are expected; with few rows a bin, somewhat fewer
    if detector == "calibrated":  # what is said of a calibrated detector is what it shows
        assert np.mean(noises) == pytest.approx(np.mean(values), rel=0.2)


def test_a_large_calibration_error_is_told_from_none():
    rng = generator("miscalibrated")
    p = rng.random(2000)
    y = (rng.random(2000) < 0.5).astype(int)
    e = estimates(HeadScores(y, p[None], np.zeros(1)), ["ece"], draws=100)["ece"]
    assert 0.15 < e.low < 0.25 < e.high < 0.35


def test_a_metric_is_the_functions_of_the_same_name():
    of = columns(1)
    found = estimates(of, tuple(METRIC_FUNCTIONS), draws=5)
    y, p = of.labels, of.scores[0]
    expected = {
        "auc": auc(y, p),
        "ap": average_precision(y, p),
        "acc": accuracy(y, p),
        "acc-val": accuracy(y, p, 0.6),
        "acc-own": accuracy(y, p, 0.6),
        "eer": equal_error_rate(y, p),
        "eer-interpolated": equal_error_rate_interpolated(y, p),
        "tpr@1": tpr_at_fpr(y, p, 0.01),
        "tpr@5": tpr_at_fpr(y, p, 0.05),
        "ece": expected_calibration_error(y, p),
    }
    assert {m: e.value for m, e in found.items()} == pytest.approx(expected, abs=1e-12)


def test_intervals_are_the_plain_bootstraps():
    of = columns(2)
    plain = bootstrap(auc, of.labels, of.scores[0], groups=of.groups, draws=60, seed=3)
    found = estimates(of, ["auc"], draws=60, seed=3)["auc"]
    assert (found.value, found.low, found.high) == pytest.approx((plain.value, plain.low, plain.high), abs=1e-12)


def test_draws_are_not_all_held_at_once():
    y = np.arange(20_000) % 2
    of = HeadScores(y, (y + generator("memory").random(len(y)))[None] / 2, np.array([0.5]))
    tracemalloc.start()
    estimates(of, ["auc", "ece"], draws=100)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 20_000 * 50  # a hundred draws are twice that


def test_several_heads_give_the_median():
    of = columns(3, heads=3)
    each = [roc_auc_score(of.labels, s) for s in of.scores]
    assert estimates(of, ["auc"], draws=10)["auc"].value == pytest.approx(np.median(each), abs=1e-12)


def test_intervals_by_video_cover_the_truth_and_by_frame_do_not():
    truth = roc_auc_score(columns(99, videos=20000, frames=1).labels, columns(99, videos=20000, frames=1).scores[0])
    by_video, by_frame = 0, 0
    for trial in range(40):
        of = columns(trial)
        for groups in (of.groups, None):
            e = estimates(HeadScores(of.labels, of.scores, of.thresholds, groups), ["auc"], draws=150)["auc"]
            hit = e.low <= truth <= e.high
            by_video, by_frame = by_video + (groups is not None) * hit, by_frame + (groups is None) * hit
    assert by_video >= 33  # 38 are expected
    assert by_frame <= 30


def test_bad_columns_are_refused_in_words():
    y = np.array([0, 1])
    with pytest.raises(DataError, match=r"S thresholds, got \(2,\), \(1,\)"):
        HeadScores(y, np.zeros(2), np.zeros(1))
    with pytest.raises(DataError, match="finite scores"):
        HeadScores(y, np.array([[0.0, np.nan]]), np.zeros(1))
    with pytest.raises(DataError, match="no metric f1; there are auc"):
        estimates(HeadScores(y, np.zeros((1, 2)), np.zeros(1)), ["f1"])


def test_of_less_than_two_units_of_a_class_there_is_no_interval():
    """One real and one fake, whatever they are, are the same in every draw that has both."""
    for y, groups in (([0, 1], None), ([0, 0, 1, 1, 1], [0, 0, 1, 2, 3]), ([0, 1, 1, 0], [0, 1, 1, 2])):
        s = np.linspace(0.1, 0.9, len(y))
        units = None if groups is None else np.array(groups)
        found = estimates(HeadScores(np.array(y), s[None], np.array([0.5]), units), draws=5)
        assert all(np.isfinite(e.value) and np.isnan([e.low, e.high]).all() for e in found.values())
        assert np.isnan(bootstrap(auc, np.array(y), s, groups=units, draws=5).low)


def test_an_interval_needs_two_groups_of_each_class_and_not_two_rows():
    y, groups = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 0, 1, 2, 3])
    s = np.linspace(0.1, 0.9, 6)[None]
    alone = estimates(HeadScores(y, s, np.array([0.5]), groups), ["auc"], draws=20)["auc"]
    assert alone.value == 1
    assert np.isnan([alone.low, alone.high]).all()
    assert np.isfinite(estimates(HeadScores(y, s, np.array([0.5])), ["auc"], draws=20)["auc"].low)


def test_a_tie_across_the_crossing_is_seen():
    y = np.array([0, 0, 1, 1])
    assert Ranking(y, np.full(4, 0.5)).curve().tied_at_equal_error()
    assert not Ranking(y, np.array([0.1, 0.2, 0.8, 0.9])).curve().tied_at_equal_error()
    assert Ranking(y, np.array([0.1, 0.2, 0.2, 0.9])).curve().tied_at_equal_error()
    assert not Ranking(y, np.array([0.1, 0.1, 0.2, 0.9])).curve().tied_at_equal_error()  # reals with reals
