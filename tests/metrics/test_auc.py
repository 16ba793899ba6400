from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import heads as slow
from sklearn.metrics import roc_auc_score

from corit.errors import DataError
from corit.heads import select
from corit.metrics.auc import auc
from corit.metrics.bootstrap import bootstrap, resample
from corit.metrics.curve import (
    average_precision,
    equal_error_rate,
    equal_error_rate_interpolated,
    expected_calibration_error,
    tpr_at_fpr,
)
from corit.metrics.measures import HeadScores, estimates
from corit.metrics.robustness import robustness
from corit.metrics.threshold import accuracy
from corit.seeding import generator

scored = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6)), min_size=4, max_size=40).filter(
    lambda rows: len({y for y, _ in rows}) == 2
)


def arrays(rows):
    labels, scores = zip(*rows, strict=True)
    return np.array(labels), np.array(scores) / 6


@settings(max_examples=60, deadline=None)
@given(scored)
def test_metrics_with_ties_equal_their_slow_twins(rows):
    y, s = arrays(rows)
    assert auc(y, s) == pytest.approx(slow.auc(y, s), abs=1e-12)
    assert auc(y, s) == pytest.approx(roc_auc_score(y, s), abs=1e-12)
    assert average_precision(y, s) == pytest.approx(slow.average_precision(y, s), abs=1e-12)
    assert equal_error_rate(y, s) == pytest.approx(slow.equal_error_rate(y, s), abs=1e-12)
    batched = select.auc(torch.from_numpy(np.stack([s, -s])), torch.from_numpy(y))
    assert batched.tolist() == pytest.approx([slow.auc(y, s), 1 - slow.auc(y, s)], abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(scored)
def test_the_interpolated_eer_lies_on_the_diagonal_of_the_roc(rows):
    y, s = arrays(rows)
    e = equal_error_rate_interpolated(y, s)
    points = slow.roc(y, s)
    tpr = np.interp(e, [p[0] for p in points], [p[1] for p in points])
    below = [p[1] for p in points if p[0] == e]
    # On a vertical piece of the curve any TPR between its ends is on the curve.
    assert min([tpr, *below]) - 1e-9 <= 1 - e <= max([tpr, *below]) + 1e-9
    assert 0 <= e <= 1


def test_known_values():
    y, s = np.array([0, 0, 1, 1]), np.array([0.1, 0.6, 0.4, 0.9])
    assert auc(y, s) == 0.75
    assert accuracy(y, s) == 0.5
    assert tpr_at_fpr(y, s, 0.0) == 0.5
    assert tpr_at_fpr(y, s, 0.5) == 1.0
    assert equal_error_rate_interpolated(y, s) == 0.5
    assert expected_calibration_error(y, np.array([0.0, 0.0, 1.0, 1.0])) == 0.0
    assert expected_calibration_error(y, np.array([1.0, 1.0, 0.0, 0.0])) == 1.0
    assert expected_calibration_error(y, np.full(4, 0.5)) == 0.0


def test_a_constant_head_has_auc_half_and_a_diverged_one_nan():
    y = torch.tensor([0, 1, 1, 0, 1])
    assert select.auc(torch.full((5,), 3.0), y) == 0.5
    assert torch.isnan(select.auc(torch.tensor([0.0, torch.nan, 1, 2, 3]), y))


def test_log_loss_equals_minus_log_likelihood():
    y, t = torch.tensor([0, 1, 1]), torch.tensor([0.3, -1.0, 2.0])
    p = torch.sigmoid(t)
    expected = -torch.log(torch.where(y.bool(), p, 1 - p)).mean()
    assert select.log_loss(t, y).item() == pytest.approx(expected.item(), rel=1e-6)


def test_bootstrap_covers_the_truth_as_often_as_it_says():
    """Two unit normals a unit apart: AUC = Phi(1 / sqrt 2) = 0.7602."""
    hits = 0
    for trial in range(60):
        rng = generator("coverage", trial)
        y = np.repeat([0, 1], 40)
        s = rng.normal(size=80) + y
        e = bootstrap(auc, y, s, draws=200, seed=trial)
        hits += e.low <= 0.7602 <= e.high
    assert 51 <= hits <= 60  # 95 % of 60 is 57, of which 51 is three and a half standard errors below


def test_bootstrap_by_group_is_wider_when_groups_repeat_their_rows():
    rng = generator("groups")
    y, s = np.repeat([0, 1], 15), rng.normal(size=30) + np.repeat([0, 1], 15)
    many = [np.tile(a, 6) for a in (y, s, np.arange(30))]
    rows = bootstrap(auc, many[0], many[1], draws=300)
    by_group = bootstrap(auc, many[0], many[1], groups=many[2], draws=300)
    assert rows.value == by_group.value
    assert by_group.high - by_group.low > 1.5 * (rows.high - rows.low)
    assert bootstrap(auc, y, s, seed=4) == bootstrap(auc, y, s, seed=4)


@pytest.mark.parametrize("grouped", [False, True])
def test_draws_of_a_seed_are_those_of_whole_groups_drawn_one_by_one(grouped):
    rng = generator("draws", grouped)
    y = rng.integers(0, 2, 40)
    groups = rng.integers(0, 12, 40) if grouped else np.arange(40)
    members = [np.flatnonzero(groups == g) for g in np.unique(groups)]
    drawing, expected = generator("bootstrap", 7), []
    while len(expected) < 30:
        rows = np.concatenate([members[i] for i in drawing.integers(len(members), size=len(members))])
        if set(y[rows].tolist()) == {0, 1}:
            expected.append(np.bincount(rows, minlength=40).tolist())
    found = [t.tolist() for t in resample(y, groups if grouped else None, 30, 7)]
    assert found == expected


def test_default_intervals_are_1000_draws_of_seed_0_at_95_percent():
    rng = generator("plain intervals")
    y, s = np.repeat([0, 1], 15), rng.normal(size=30) + np.repeat([0, 1], 15)
    told = bootstrap(auc, y, s, draws=1000, level=0.95, seed=0)
    assert bootstrap(auc, y, s) == told
    values = [auc(y[k], s[k]) for k in (np.repeat(np.arange(30), t) for t in resample(y, None, 1000, 0))]
    assert (told.low, told.high) == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])), abs=1e-12)
    of = HeadScores(y, (s[None] - s.min()) / np.ptp(s), np.zeros(1))
    found, columns = estimates(of, ["auc"])["auc"], estimates(of, ["auc"], draws=1000, level=0.95, seed=0)["auc"]
    assert (found.low, found.high) == (columns.low, columns.high) == pytest.approx((told.low, told.high), abs=1e-12)
    (change,) = robustness(y, s, {("blur", 1): s})
    assert (change.auc.low, change.auc.high) == pytest.approx((told.low, told.high), abs=1e-12)


BAD = {
    "one class": (np.zeros(4, int), np.zeros(4), "reals .0. and fakes .1."),
    "lengths": (np.array([0, 1]), np.zeros(3), "3 scores and 2 labels"),
    "nan": (np.array([0, 1]), np.array([0.0, np.nan]), "finite scores"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_in_words(name):
    y, s, words = BAD[name]
    with pytest.raises(DataError, match=words):
        bootstrap(auc, y, s)
