from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from theory.heads_at import linear

from corit.errors import FitError
from corit.theory.cor import (
    critical_radius,
    gsnr_at,
    radius_at,
    slope_at,
    small_radius,
    small_radius_error,
    step_radius,
)
from corit.theory.decomposition import decompose

STEPS = np.array([0, 20, 40, 60])
RATIO = np.array([[3.0, 1.0], [2.0, 2.0], [4.0, np.nan], [1.0, 1.0]])


def test_the_bottleneck_is_the_first_step_of_the_least_ratio(agree):
    found = critical_radius(STEPS, RATIO)
    agree(found.radius, [1.0, 1.0])
    assert found.step.tolist() == [60, 0]


@pytest.mark.parametrize("within", [STEPS < 50, np.broadcast_to((STEPS < 50)[:, None], (4, 2))])
def test_within_a_phase_only_its_steps_count(within, agree):
    found = critical_radius(STEPS, RATIO, within)
    agree(found.radius, [2.0, 1.0])
    assert found.step.tolist() == [20, 0]


def test_each_head_may_have_its_own_phase(agree):
    within = np.array([[True, False], [False, True], [True, True], [False, False]])
    found = critical_radius(torch.tensor(STEPS), torch.tensor(RATIO), torch.tensor(within))
    agree(found.radius, [3.0, 2.0])
    assert found.step.tolist() == [0, 20]


def test_no_step_that_counts_gives_no_radius():
    found = critical_radius(STEPS, RATIO, STEPS > 100)
    assert np.isnan(found.radius).all()
    assert found.step.tolist() == [-1, -1]
    diverged = critical_radius(STEPS, np.full(4, np.inf))
    assert np.isnan(diverged.radius)
    assert diverged.step == -1


def test_a_single_head_has_a_single_radius():
    found = critical_radius(STEPS, RATIO[:, 0])
    assert (float(found.radius), int(found.step)) == (1.0, 60)


@pytest.mark.parametrize(
    ("steps", "ratio", "within", "message"),
    [
        (STEPS[:3], RATIO, None, "a ratio for each"),
        (STEPS[:0], RATIO[:0], None, "a ratio for each"),
        (STEPS, RATIO, np.ones(3, bool), "a mask of shape"),
        (STEPS, RATIO, np.ones((4, 1), bool), "a mask of shape"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(steps, ratio, within, message):
    with pytest.raises(FitError, match=message):
        critical_radius(steps, ratio, within)


def test_the_corollary_is_theorem_1_as_a_function_of_the_gsnr(agree):
    found = decompose(linear())
    others = found.geometric * found.misspecification
    agree(radius_at(found.gsnr, others), found.radius)
    agree(step_radius(found.signal.sqrt(), found.largest.value), found.radius)
    agree(gsnr_at(found.radius, others), found.gsnr)


R = st.floats(-12, 6).map(lambda e: 10**e)


@given(r=R, others=st.floats(-3, 3).map(lambda e: 10**e))
def test_the_radius_strictly_increases_with_the_gsnr(r, others):
    assert slope_at(r, others) > 0
    assert radius_at(1.01 * r, others) > radius_at(r, others) or r > 1e4
    h = 1e-4 * r
    difference = (radius_at(r + h, others) - radius_at(r - h, others)) / (2 * h)
    assert slope_at(r, others) == pytest.approx(difference, rel=1e-3) or r > 1e4


@given(r=R, others=st.floats(-3, 3).map(lambda e: 10**e))
def test_the_radius_vanishes_exactly_where_the_gsnr_does(r, others):
    assert radius_at(0.0, others) == 0
    assert gsnr_at(0.0, others) == 0
    assert radius_at(r, others) > 0
    if r < 100:
        assert gsnr_at(radius_at(r, others), others) == pytest.approx(r, rel=1e-8)


def test_the_error_of_the_asymptote_shrinks_as_the_gsnr_does(agree):
    r = np.logspace(2, -14, 60)
    error = small_radius_error(r)
    agree(error, small_radius(r, 3.0) / radius_at(r, 3.0) - 1, rtol=1e-6, atol=1e-15)
    assert (np.diff(error) < 0).all()
    assert (error > 0).all()
    assert (error <= r / 2).all()
    assert error[-1] == pytest.approx(r[-1] / 2, rel=1e-10)


def test_the_asymptote_error_shrinks_as_real_heads_lose_signal():
    """Rows z with labels both 0 and 1 in shares that approach each other: r -> 0 at w = 0."""
    from corit.theory.likelihood import logistic

    x = torch.ones(2000, 1, dtype=torch.float64)
    errors = []
    for more in (400, 100, 20, 4):
        y = (torch.arange(2000) < 1000 + more).double()
        found = decompose(logistic(x, y, torch.zeros(1, dtype=torch.float64)))
        asymptote = small_radius(found.gsnr, found.geometric * found.misspecification)
        errors.append(float(asymptote / found.ratio - 1))
        assert errors[-1] == pytest.approx(float(small_radius_error(found.gsnr)), rel=1e-6)
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-5
