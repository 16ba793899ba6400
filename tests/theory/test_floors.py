"""The floors of a linear head: exact against slow twins, the same wherever the features' origin lies."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from reference import floors as slow

from corit.errors import FitError
from corit.heads.rows import TensorRows
from corit.seeding import generator
from corit.theory.floors import PENALTIES, WEAK, Floors, floors

MEAN = 5.0


def rows(x):
    return TensorRows(torch.from_numpy(x))


def parts(width=6, counts=(60, 40, 80), strength=0.4, seed="floors"):
    """Rows about a common mean; the signal lies in two directions of unequal variance. (x, y) of train, valid, test."""
    rng, made = generator(seed, width), []
    for n in counts:
        y = np.arange(n) % 2
        x = rng.normal(size=(n, width))
        x[:, 0] *= 4
        x[:, :2] += strength * (2 * y - 1)[:, None]
        x[:, 0] += 4 * x[:, 1]  # so that the best direction is not the difference of the means
        made.append((x + MEAN, y))
    return made


def measured(train, valid, test):
    return floors(rows(train[0]), train[1], rows(test[0]), test[1], valid and (rows(valid[0]), valid[1]))


@pytest.mark.parametrize("width", [6, 90])
def test_both_aucs_equal_their_slow_twins(width):
    train, _, test = parts(width)
    result = measured(train, None, test)
    assert result.penalty == WEAK
    assert result.nearest_mean == pytest.approx(slow.nearest_mean(*train, *test), abs=1e-9)
    assert result.logistic == pytest.approx(slow.logistic(*train, *test, WEAK), abs=1e-9)
    assert result.gap == result.logistic - result.nearest_mean


@pytest.mark.parametrize("width", [6, 90])
def test_the_penalty_is_that_of_the_least_validation_loss(width):
    train, valid, test = parts(width)
    losses = []
    for penalty in PENALTIES:
        w = slow.fitted(*train, penalty)
        losses.append(np.logaddexp(0, (1 - 2 * valid[1]) * (valid[0] @ w[:-1] + w[-1])).mean())
    expected = PENALTIES[int(np.argmin(losses))]
    result = measured(train, valid, test)
    assert result.penalty == expected
    assert expected not in (PENALTIES[0], PENALTIES[-1])
    assert result.logistic == pytest.approx(slow.logistic(*train, *test, expected), abs=1e-9)


@pytest.mark.parametrize(("scale", "shift"), [(1.0, -MEAN), (1e-6, 30.0), (1e6, 0.0)])
def test_unit_and_origin_of_the_features_do_not_matter(scale, shift):
    made = parts()
    moved = [((x + shift) * scale, y) for x, y in made]
    assert measured(*moved) == measured(*made)


def test_standardised_rows_have_another_nearest_mean_and_the_geometry_is_the_rows_own():
    train, valid, test = parts()
    std = train[0].std(0)
    scaled = measured(*((x / std, y) for x, y in (train, valid, test)))
    assert abs(scaled.nearest_mean - measured(train, valid, test).nearest_mean) > 0.02


def test_the_test_rows_choose_nothing():
    train, valid, test = parts()
    flipped = measured(train, valid, (test[0], 1 - test[1]))
    plain = measured(train, valid, test)
    assert flipped.penalty == plain.penalty
    assert flipped.logistic == pytest.approx(1 - plain.logistic)
    assert flipped.nearest_mean == pytest.approx(1 - plain.nearest_mean)


def test_more_columns_than_rows_are_fitted_where_a_plane_separates_them():
    train, valid, test = parts(width=90, counts=(30, 30, 60))
    result = measured(train, valid, test)
    assert 0.5 < result.logistic <= 1
    assert result.penalty in PENALTIES


def test_the_strongest_penalty_is_near_the_nearest_mean():
    """Where nothing is to be learned beyond the means, the two ends of the path are alike."""
    rng = generator("isotropic")
    made = []
    for n in (2000, 1000, 4000):
        y = np.arange(n) % 2
        made.append((rng.normal(size=(n, 8)) + 0.3 * (2 * y - 1)[:, None], y))
    assert abs(measured(*made).gap) < 0.01


def test_a_signal_in_a_direction_of_low_variance_is_what_a_head_has_to_lose():
    rng, made = generator("subtle"), []
    for n in (2000, 1000, 2000):
        y = np.arange(n) % 2
        x = rng.normal(size=(n, 8))
        x[:, 1:] *= 20
        x[:, 0] += 0.7 * (2 * y - 1)
        made.append((x, y))
    result = measured(*made)
    assert result.logistic > 0.8
    assert result.nearest_mean < 0.65


def test_rows_that_are_all_the_same_have_nothing_to_tell():
    x, y = np.ones((6, 3)), np.arange(6) % 2
    assert floors(rows(x), y, rows(x), y) == Floors(0.5, 0.5)


BAD = {
    "labels": (lambda x, y: (x, y[:-1], x, y), "training rows of width 2 with a label each, got 4 rows"),
    "width": (lambda x, y: (x, y, x[:, :1], y), "test rows of width 2 with a label each, got 4 rows of width 1"),
    "classes": (lambda x, y: (x, y * 0, x, y), "reals .0. and fakes .1. among the training rows"),
    "finite": (lambda x, y: (x, y, x * np.nan, y), "finite test features"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_in_words(name):
    change, words = BAD[name]
    x, y, test, truth = change(np.arange(8.0).reshape(4, 2), np.arange(4) % 2)
    with pytest.raises(FitError, match=words):
        floors(rows(x), y, rows(test), truth)


def test_bad_validation_rows_are_named():
    x, y = rows(np.arange(8.0).reshape(4, 2)), np.arange(4) % 2
    with pytest.raises(FitError, match="validation rows"):
        floors(x, y, x, y, (x, y[:-1]))
