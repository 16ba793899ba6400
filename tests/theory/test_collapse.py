from __future__ import annotations

import math

import numpy as np
import pytest
from reference import collapse as slow
from reference import floors as slow_floors

from corit.errors import FitError
from corit.seeding import generator
from corit.theory.collapse import NEVER, Radius, collapse, collapses, halfway, refined, relative, spread
from corit.theory.floors import Floors

RHOS = (0.0, 0.01, 0.1, 1.0, 10.0)


def said(radius):
    return radius.censoring or radius.value


CASES = {
    "inside": ([0.9, 0.9, 0.8, 0.52, 0.5], 1.0, "1"),
    "above the grid": ([0.9, 0.9, 0.8, 0.7, 0.6], ">", "> 10"),
    "below the grid": ([0.9, 0.5, 0.5, 0.5, 0.5], "<", "< 0.01"),
    "learned later": ([0.54, 0.54, 0.7, 0.7, 0.5], 10.0, "10"),
    "learned at one radius only": ([0.5, 0.5, 0.7, 0.5, 0.5], 1.0, "1"),
    "learned at zero and once more": ([0.7, 0.5, 0.9, 0.9, 0.5], "<", "< 0.01"),
    "half learned first": ([0.58, 0.54, 0.59, 0.6, 0.54], 10.0, "10"),
    "learned at the largest": ([0.5, 0.5, 0.5, 0.5, 0.7], ">", "> 10"),
    "diverged, then learned": ([math.nan, 0.9, 0.9, math.nan, 0.9], 1.0, "1"),
    "there and back twice": ([0.5, 0.7, 0.54, 0.9, 0.54], 0.1, "0.1"),
    "a limit before it learned": ([0.5, 0.55, 0.6, 0.55, 0.55], ">", "> 10"),
    "never learned": ([0.59, 0.58, 0.5, 0.5, 0.5], "never learned", "never learned"),
    "diverged": ([0.9, 0.9, math.nan, math.nan, math.nan], 0.1, "0.1"),
    "diverged everywhere": ([math.nan] * 5, "never learned", "never learned"),
    "reversed": ([0.9, 0.9, 0.2, 0.9, 0.9], 0.1, "0.1"),
    "at the limits": ([0.6, 0.55, 0.55, 0.5499, 0.5], 1.0, "1"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_course_of_auc_gives_its_radius_or_its_censoring(name):
    area, expected, printed = CASES[name]
    found = collapse(RHOS, np.array([area])).radius[0]
    assert said(found) == expected == slow.empirical(RHOS, area)
    assert str(found) == printed


def test_random_courses_agree_with_the_loops():
    rng = generator("collapse")
    table = np.clip(rng.normal(0.6, 0.12, (600, 1, 5)), 0, 1)
    table[rng.random(table.shape) < 0.1] = math.nan
    kinds = set()
    for area, found in zip(table[:, 0], collapses(RHOS, table), strict=True):
        assert said(found.radius[0]) == slow.empirical(RHOS, area)
        expected = slow.halfway(RHOS, area)
        assert said(found.halfway[0]) == (pytest.approx(expected) if isinstance(expected, float) else expected)
        kinds.add((found.radius[0].censoring, found.halfway[0].censoring))
    assert kinds == {("", ""), ("", "<"), ("<", "<"), (">", ""), (">", "<"), (">", ">"), ("never learned",) * 2}


def test_the_grid_without_zero_has_a_radius_wherever_a_head_learned():
    """What comes before the first radius that learned does not censor the collapse of what it learned."""
    found = collapse((0.05, 0.2, 0.8), np.array([[0.5, 0.7, 0.5], [0.5, 0.5, 0.7], [0.7, 0.5, 0.5]]))
    assert found.radius == (Radius(0.8), Radius(0.8, ">"), Radius(0.2))
    assert found.counts == {"collapsed": 2, "stable": 1, "below": 0, "never learned": 0}


def test_a_head_that_learns_later_is_refined_where_it_falls():
    asked = []

    def retrain(heads):
        asked.extend(rho for _, rho in heads)
        return [0.7 for _ in heads]

    found = collapse((0.0, 0.05, 0.2, 0.8), np.array([[0.54, 0.7, 0.7, 0.5]]), retrain, refine=1)
    assert asked == [pytest.approx(0.4)]
    assert str(found.radius[0]) == "0.8"
    assert found.halfway[0].value == pytest.approx(0.2 * 4**0.5)


def test_the_half_way_radius_is_of_the_fall_that_counts():
    """A larger radius that learns again, and better, has a fall of its own."""
    assert halfway((0.1, 1.0, 10.0, 100.0), np.array([0.7, 0.5, 0.9, 0.5])).value == pytest.approx(10**-0.5)


def test_bisection_retrains_collapsing_seeds_and_finds_thresholds():
    cliffs = {0: 0.3, 1: 0.043, 2: math.inf, 3: 0.0}
    area = np.array([[0.9 if rho < cliffs[s] else 0.5 for rho in RHOS] for s in range(4)])
    asked = []

    def retrain(heads):
        asked.append(list(heads))
        return [0.9 if rho < cliffs[s] else 0.5 for s, rho in heads]

    found = collapse(RHOS, area, retrain, refine=5)
    for s, (held, gone) in {0: (0.1, 1.0), 1: (0.01, 0.1)}.items():
        value = found.radius[s].value
        assert value == pytest.approx(slow.bisect(lambda rho, s=s: 0.9 if rho < cliffs[s] else 0.5, held, gone, 5))
        assert cliffs[s] <= value <= cliffs[s] * 10 ** (1 / 32)
    assert [said(found.radius[s]) for s in (2, 3)] == [">", "never learned"]
    assert len(asked) == 5
    assert {s for heads in asked for s, _ in heads} == {0, 1}
    assert found.counts == {"collapsed": 2, "stable": 1, "below": 0, "never learned": 1}


def test_no_refinement_leaves_the_grids_radius():
    area = np.array([[[0.9, 0.9, 0.5, 0.5, 0.5]]])
    found = refined(RHOS, area, lambda heads: [0.5 for _ in heads], rounds=0)
    assert found.tolist() == [[0.1]]
    assert collapses(RHOS, area, found)[0].radius[0] == Radius(0.1)


def test_a_spread_in_which_nothing_learned_says_so_once():
    assert str(spread([NEVER, NEVER])) == "never learned"
    assert str(spread([NEVER, Radius(1.0, ">")])) == "never learned [never learned, > 1]"


def test_the_half_way_radius_lies_where_the_line_crosses():
    found = halfway((0.1, 1.0, 10.0), np.array([0.9, 0.8, 0.6]))
    assert found.value == pytest.approx(10**0.5)
    assert found.censoring == ""
    assert halfway((0.1, 1.0), np.array([0.9, math.nan])).value == pytest.approx(10 ** (-1 + 0.5))


RELATIVE = {
    "inside": ([0.9, 0.9, 0.8, 0.74, 0.71], (0.7, 0.9), 0.1, "0.1"),
    "above the grid": ([0.9, 0.9, 0.9, 0.85, 0.81], (0.7, 0.9), ">", "> 10"),
    "below the grid": ([0.9, 0.7, 0.7, 0.7, 0.7], (0.7, 0.9), "<", "< 0.01"),
    "nothing to lose": ([0.9] * 5, (0.87, 0.9), "never learned", "never learned"),
    "at the bar": ([0.9] * 5, (0.5, 0.55), ">", "> 10"),
    "the middle is never reached": ([0.79, 0.75, 0.7, 0.7, 0.7], (0.7, 0.9), "never learned", "never learned"),
    "reached later": ([0.79, 0.8, 0.8, 0.8, 0.7], (0.7, 0.9), 1.0, "1"),
    "there and back": ([0.9, 0.8, 0.7, 0.9, 0.7], (0.7, 0.9), 0.01, "0.01"),
    "diverged": ([0.9, 0.9, math.nan, 0.9, 0.9], (0.7, 0.9), 0.01 * 10**0.5, "0.0316"),
    "diverged everywhere": ([math.nan] * 5, (0.7, 0.9), "never learned", "never learned"),
    "better than the logistic regression": ([0.95, 0.95, 0.95, 0.65, 0.65], (0.7, 0.9), 0.1 * 10**0.5, "0.316"),
}


@pytest.mark.parametrize("name", RELATIVE)
def test_a_course_has_its_radius_relative_to_the_floors(name):
    area, (low, high), expected, printed = RELATIVE[name]
    found = relative(RHOS, np.array(area), Floors(low, high))
    slowly = slow_floors.relative(RHOS, area, low, high)
    approximate = lambda v: pytest.approx(v) if isinstance(v, float) else v
    assert said(found) == approximate(expected)
    assert said(found) == approximate(slowly)
    assert printed is None or str(found) == printed


def test_random_courses_relative_to_random_floors_agree_with_the_loops():
    rng = generator("relative")
    kinds = set()
    for _ in range(600):
        area = np.clip(rng.normal(0.75, 0.1, 5), 0, 1)
        area[rng.random(5) < 0.1] = math.nan
        low = rng.uniform(0.5, 0.8)
        high = low + rng.uniform(0, 0.2)
        found, expected = relative(RHOS, area, Floors(low, high)), slow_floors.relative(RHOS, area, low, high)
        assert said(found) == (pytest.approx(expected) if isinstance(expected, float) else expected)
        kinds.add(found.censoring)
    assert kinds == {"", "<", ">", "never learned"}


def test_collapses_hold_the_relative_radii_where_floors_are_given():
    area = np.array([[[0.9, 0.9, 0.8, 0.8, 0.7], [0.9, 0.9, 0.9, 0.9, 0.9]]])
    (without,), (beside,) = collapses(RHOS, area), collapses(RHOS, area, floors=[Floors(0.7, 0.9)])
    assert without.relative is without.lost is None
    assert beside.relative == (Radius(1.0), Radius(10.0, ">"))
    assert str(beside.lost) == "1 [1, > 10]"
    assert (beside.radius, beside.halfway, beside.counts) == (without.radius, without.halfway, without.counts)


ORDERED = [NEVER, Radius(0.01, "<"), Radius(0.02), Radius(0.3), Radius(5.0, ">")]


def test_median_and_interval_take_censored_seeds_in_their_order():
    shuffled = [ORDERED[k] for k in (3, 0, 4, 2, 1)]
    found = spread(shuffled)
    assert (found.median, found.low, found.high) == (ORDERED[2], NEVER, ORDERED[4])
    assert str(found) == "0.02 [never learned, > 5]"
    assert str(spread([Radius(20.0, ">")] * 4 + [Radius(3.0)])) == "> 20 [3, > 20]"
    assert str(spread([Radius(1.0), Radius(2.0)])) == "1 [1, 2]"


@pytest.mark.parametrize(("seeds", "low", "high"), [(5, 0, 4), (8, 1, 6), (10, 1, 8), (15, 3, 11)])
def test_the_interval_is_the_narrowest_at_90_percent_coverage(seeds, low, high):
    found = spread([Radius(float(k)) for k in range(seeds)])
    assert (found.low.value, found.high.value) == (low, high)
    rng = generator("coverage", seeds)
    drawn = np.sort(rng.normal(size=(4000, seeds)), axis=1)
    covered = ((drawn[:, low] <= 0) & (drawn[:, high] >= 0)).mean()
    narrower = ((drawn[:, low + 1] <= 0) & (drawn[:, high - 1] >= 0)).mean()
    assert covered > 0.89
    assert narrower < 0.9


BAD = {
    "none": (lambda: collapse([], np.zeros((1, 0))), "got none"),
    "negative": (lambda: collapse([-0.1, 0.1], np.zeros((1, 2))), "finite radii rho >= 0"),
    "infinite": (lambda: collapse([0.1, math.inf], np.zeros((1, 2))), "finite radii"),
    "unsorted": (lambda: collapse([0.1, 0.01], np.zeros((1, 2))), "increasing radii"),
    "twice": (lambda: collapse([0.1, 0.1], np.zeros((1, 2))), "none of them twice"),
    "zero": (lambda: collapse([0.0], np.zeros((1, 1))), "a radius above 0"),
    "shape": (lambda: collapse([0.1, 0.2], np.zeros((1, 3))), "one for each radius"),
    "seeds": (lambda: spread([]), "at least one seed"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_in_words(name):
    act, words = BAD[name]
    with pytest.raises(FitError, match=words):
        act()
