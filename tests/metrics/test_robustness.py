"""Relative AUC variation (26) by hand, by simulation, and against the unpaired interval."""

from __future__ import annotations

import numpy as np
import pytest

from corit.errors import DataError
from corit.metrics.auc import auc
from corit.metrics.bootstrap import bootstrap, resample
from corit.metrics.robustness import relative_variation, robustness
from corit.seeding import generator


@pytest.mark.parametrize(("original", "perturbed", "expected"), [(0.9, 0.45, -0.5), (0.8, 0.8, 0.0), (0.5, 0.6, 0.2)])
def test_the_equation(original, perturbed, expected):
    assert relative_variation(original, perturbed) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("original", "perturbed"), [(0.0, 0.5), (1.2, 0.5), (0.5, -0.1), (float("nan"), 0.5)])
def test_what_is_no_auc_is_refused(original, perturbed):
    with pytest.raises(DataError, match="expected AUCs"):
        relative_variation(original, perturbed)


def scores():
    rng = generator("robustness")
    y = np.tile([0, 1], 100)
    original = rng.normal(size=200) + 1.5 * y
    return y, original, original + rng.normal(size=200) * 0.5, rng.normal(size=200), rng


def test_levels_of_a_perturbation():
    y, original, mild, lost, _ = scores()
    same, weak, strong = robustness(
        y, original, {("blur", 1): original, ("blur", 2): mild, ("blur", 5): lost}, draws=200
    )
    assert [(r.name, r.level) for r in (same, weak, strong)] == [("blur", 1), ("blur", 2), ("blur", 5)]
    assert (same.variation.value, same.variation.low, same.variation.high) == (0, 0, 0)  # the same draws for both
    assert same.auc.value == auc(y, original)
    assert strong.variation.high < weak.variation.value < 0
    assert strong.variation.value == pytest.approx((auc(y, lost) - auc(y, original)) / auc(y, original))
    assert weak.auc.low < weak.auc.value < weak.auc.high
    paired = weak.variation.high - weak.variation.low
    assert paired < bootstrap(auc, y, mild, draws=200).high - bootstrap(auc, y, mild, draws=200).low


def test_frames_of_a_video_stay_together_in_the_draws():
    y, original, mild, _, _ = scores()
    many = [np.repeat(v, 6) for v in (y, original, mild, np.arange(200))]
    alone = robustness(many[0], many[1], {("blur", 1): many[2]}, draws=200)[0].variation
    together = robustness(many[0], many[1], {("blur", 1): many[2]}, groups=many[3], draws=200)[0].variation
    assert alone.value == together.value
    assert together.high - together.low > 1.7 * (alone.high - alone.low)


@pytest.mark.parametrize("seed", [0, 3])
def test_the_intervals_are_those_of_the_asked_draws_one_by_one(seed):
    """Draws of groups, by their seed; each serves the original and every level."""
    y, original, mild, lost, _ = scores()
    groups = np.arange(200) // 4
    found = robustness(y, original, {("a", 1): mild, ("b", 2): lost}, groups=groups, draws=40, level=0.8, seed=seed)
    rows = [np.repeat(np.arange(200), times) for times in resample(y, groups, 40, seed)]
    for r, changed in zip(found, (mild, lost), strict=True):
        areas = [auc(y[k], changed[k]) for k in rows]
        shares = [(auc(y[k], changed[k]) - auc(y[k], original[k])) / auc(y[k], original[k]) for k in rows]
        assert (r.auc.low, r.auc.high) == pytest.approx(tuple(np.quantile(areas, [0.1, 0.9])), abs=1e-12)
        assert (r.variation.low, r.variation.high) == pytest.approx(tuple(np.quantile(shares, [0.1, 0.9])), abs=1e-12)


def test_progress_is_told_after_each_draw():
    y, original, mild, _, _ = scores()
    told = []
    robustness(y, original, {("blur", 1): mild}, draws=4, progress=lambda *counts: told.append(counts))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_one_group_of_reals_is_too_little_for_an_interval():
    y, original, mild, _, _ = scores()
    (found,) = robustness(y, original, {("blur", 1): mild}, groups=np.where(y == 0, 0, np.arange(200)), draws=10)
    assert np.isnan([found.auc.low, found.auc.high, found.variation.low, found.variation.high]).all()
    assert 0 < found.auc.value < 1


def test_of_an_original_auc_of_nothing_nothing_can_be_lost():
    y, backwards = np.array([0, 0, 1, 1]), np.array([0.8, 0.9, 0.1, 0.2])
    (found,) = robustness(y, backwards, {("blur", 1): -backwards}, draws=20)
    assert found.auc.value == 1
    assert np.isnan([found.variation.value, found.variation.low, found.variation.high]).all()
    nearly = np.array([0.15, 0.9, 0.1, 0.2])  # many draws are without the real that lies below a fake
    (found,) = robustness(y, nearly, {("blur", 1): nearly}, draws=50)
    assert (found.variation.value, found.variation.low, found.variation.high) == (0, 0, 0)


def test_of_too_few_rows_there_is_no_interval():
    (found,) = robustness(np.array([0, 1]), np.array([0.1, 0.9]), {("blur", 1): np.array([0.9, 0.1])}, draws=5)
    assert (found.auc.value, found.variation.value) == (0, -1)
    assert np.isnan([found.auc.low, found.variation.high]).all()


def test_scores_of_other_rows_are_refused():
    with pytest.raises(DataError, match="3 scores and 2 labels"):
        robustness(np.array([0, 1]), np.zeros(2), {("blur", 1): np.zeros(3)})
