from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corit.errors import DataError, FitError
from corit.metrics.calibration import Calibration, calibrate
from corit.metrics.curve import expected_calibration_error
from corit.seeding import generator


def rows(n=400, gap=2.0, seed=0):
    rng = generator("calibration", seed)
    y = np.arange(n) % 2
    return rng.normal(size=n) * 3 + gap * y, y


@pytest.mark.parametrize("fpr", [0.01, 0.05, 0.2])
@pytest.mark.parametrize("gap", [0.0, 2.0, 50.0])
def test_thresholds_keep_their_word_on_validation(fpr, gap):
    t, y = rows(gap=gap)
    c = calibrate(t, y, fpr)
    s = c.score(t)
    assert np.mean(s[y == 0] >= c.fake) <= fpr
    assert np.mean(s[y == 1] < c.real) <= fpr
    assert c.real <= c.fake
    if c.slope > 0 and c.real < c.fake:  # the next lower threshold would break the promise
        assert np.mean(s[y == 0] >= np.max(s[(y == 0) & (s < c.fake)])) > fpr
    assert (c.reals, c.fakes) == (200, 200)


@pytest.mark.parametrize("fpr", [0.01, 0.04, 0.05, 0.1, 0.2, 0.333])
@pytest.mark.parametrize(("reals", "fakes"), [(20, 20), (30, 10), (10, 30), (7, 13)])
def test_the_thresholds_are_the_tightest_that_keep_their_word(reals, fakes, fpr):
    """As many reals as are allowed are called fake, and as many fakes real: with one more the promise is broken."""
    y = np.repeat([0, 1], [reals, fakes])
    t = np.concatenate([np.linspace(-3, 1, reals), np.linspace(-1.01, 3, fakes)])
    c = calibrate(t, y, fpr)
    s = c.score(t)
    allowed = lambda n: max(k for k in range(n + 1) if k / n <= fpr)
    assert (s[y == 0] >= c.fake).sum() == allowed(reals)
    passed = np.sort(s[y == 1])[allowed(fakes)]
    assert c.real == min(passed, c.fake)
    if passed <= c.fake:
        assert (s[y == 1] < c.real).sum() == allowed(fakes)


def test_scores_are_calibrated_probabilities():
    t, y = rows(n=20000)
    fresh, labels = rows(n=20000, seed=1)
    assert expected_calibration_error(labels, calibrate(t, y).score(fresh)) < 0.02


def test_perfect_separation_gives_finite_and_unsaturated_scores():
    t, y = np.array([-1.0, -2, 3, 4]), np.array([0, 0, 1, 1])
    s = calibrate(t, y).score(t)
    assert np.all((s > 0.01) & (s < 0.99))
    assert s[1] < s[0] < s[2] < s[3]


def test_a_head_that_ranks_the_wrong_way_is_not_turned_round():
    t, y = rows()
    assert calibrate(-t, y).slope == 0


UNINFORMED = {
    "the wrong way": lambda t, y: t - 4.0 * y,
    "the wrong way, far from zero": lambda t, y: 1e6 + t - 4.0 * y,
    "one logit": lambda t, y: np.full(len(y), 1000.0),
}


@pytest.mark.parametrize("name", UNINFORMED)
@pytest.mark.parametrize(("fakes", "reals"), [(10, 20), (30, 10), (1, 99)])
def test_a_head_that_knows_nothing_scores_the_share_of_fakes(name, fakes, reals):
    y = np.array([1] * fakes + [0] * reals)
    t = UNINFORMED[name](generator("prior", fakes).normal(size=fakes + reals), y)
    c = calibrate(t, y)
    share = fakes / (fakes + reals)
    assert c.slope == 0
    assert c.score(np.array([-1e9, 0.0, 1e9])) == pytest.approx([share] * 3, abs=1e-12)
    assert c.verdict(float(c.score(np.zeros(1))[0])) == "unsure"


@pytest.mark.parametrize("scale", [1e25, 2.0**-80], ids=["huge", "tiny"])
@pytest.mark.parametrize("offset", [0.0, 1e6], ids=["around zero", "far from zero"])
def test_the_scores_do_not_depend_on_unit_and_origin_of_the_logits(scale, offset):
    t, y = rows(n=60)
    t = t.astype(np.float32).astype(np.float64)
    moved = ((t + offset) * scale).astype(np.float32 if offset == 0 else np.float64)
    expected, found = calibrate(t, y), calibrate(moved, y)
    assert found.score(moved) == pytest.approx(expected.score(t), abs=1e-6)
    assert (found.fake, found.real) == pytest.approx((expected.fake, expected.real), abs=1e-6)


def test_the_fit_is_the_maximum_of_the_smoothed_likelihood():
    t, y = rows(n=60)
    c = calibrate(t, y)
    target = np.where(y == 1, 31 / 32, 1 / 32)
    gap = c.score(t) - target
    assert gap.sum() == pytest.approx(0, abs=1e-4)
    assert (gap * t).sum() == pytest.approx(0, abs=1e-4)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=20))
def test_scores_are_monotone_and_in_range(logits):
    c = Calibration(0.7, -0.2, 0.8, 0.3, 0.05, 10, 10)
    s = c.score(np.sort(logits))
    assert np.all((s >= 0) & (s <= 1))
    assert np.all(np.diff(s) >= 0)
    assert [c.verdict(v) for v in (0.1, 0.3, 0.79, 0.8)] == ["real", "unsure", "unsure", "fake"]


def test_bad_input_is_refused_in_words():
    t, y = rows(n=10)
    with pytest.raises(DataError, match="reals .0. and fakes .1."):
        calibrate(t, np.ones(10, int))
    with pytest.raises(FitError, match="between 0 and 1"):
        calibrate(t, y, fpr=1.5)
    with pytest.raises(FitError, match="real <= fake"):
        Calibration(1, 0, fake=0.2, real=0.4, fpr=0.1, reals=1, fakes=1)
