from __future__ import annotations

import numpy as np
import pytest
from reference import phases as slow

from corit.errors import FitError
from corit.seeding import generator
from corit.theory import phase_calibration
from corit.theory.cor import critical_radius
from corit.theory.phase_calibration import false_positives, power
from corit.theory.phases import FLOOR, course_phases, delay, find_phases, least_evidence_of
from corit.theory.watch import QUANTITIES, Course

STEPS = np.arange(0, 2000, 40)


def course(a=400, b=800, rise=3.0, decay=1.0, noise=0.0, number=1, steps=STEPS):
    """Level until a, up to b, a straight decay; noise on log GSNR."""
    y = -8 + rise * np.clip((steps - a) / (b - a), 0, 1) - decay * np.clip(steps - b, 0, None) / 2000
    drawn = generator("course", a, b, number).normal(size=(len(steps), number))
    return np.exp(y[:, None] + noise * drawn)


@pytest.mark.parametrize(("a", "b"), [(400, 800), (0, 400), (1000, 1080), (120, 1800)])
def test_known_changes_are_found_exactly_without_noise(a, b):
    found = find_phases(STEPS, course(a, b))
    assert (found.start[0], found.end[0]) == (a, b)
    assert found.rise[0] == pytest.approx(np.exp(3))
    assert found.level[0] == pytest.approx(np.exp(-8))


@pytest.mark.parametrize(("noise", "within"), [(0.1, 40), (0.5, 160)])
def test_known_changes_are_found_closely_with_noise(noise, within):
    found = find_phases(STEPS, course(noise=noise, number=300))
    assert np.isfinite(found.start).mean() > 0.95
    assert np.quantile(np.abs(found.start - 400), 0.9) <= within
    assert np.quantile(np.abs(found.end - 800), 0.9) <= within


def test_the_pair_is_the_least_squares_pair_of_all():
    steps = np.array([0, 10, 20, 40, 60, 80, 120, 160, 200, 240, 250, 300])
    y = course(40, 160, noise=0.2, number=6, steps=steps)
    found = find_phases(steps, y, least_rise=1e-9, least_evidence=-np.inf)
    for k in range(6):
        (a, b), _ = slow.changes(steps, y[:, k])
        assert found.start[k] == a
        assert found.end[k] == (b if b < 300 else np.inf)


@pytest.mark.parametrize("kind", ["flat", "falling", "rising a little", "rising throughout"])
def test_courses_without_a_change_say_never(kind):
    t = STEPS[:, None] / 2000
    shape = {"flat": 0 * t, "falling": -3 * t, "rising a little": 0.3 * (t > 0.4), "rising throughout": 3 * t}[kind]
    found = find_phases(STEPS, np.exp(-8 + shape + 0.2 * generator("flat").normal(size=(len(STEPS), 400))))
    assert np.isinf(found.start).mean() > 0.97
    never = np.isinf(found.start)
    assert (found.rise[never] == 1).all()
    assert np.isinf(found.end[never]).all()
    assert found.pre[:, never].all()


@pytest.mark.parametrize("count", [12, 25, 40])
def test_noise_passes_for_three_phases_in_at_most_5_percent(count):
    """Other draws than the calibration's, about a level and a rising line, correlated from 0 to 0.9."""
    shares = false_positives(count, 400)
    assert shares.max() <= 0.05 + 3.5 * (0.05 * 0.95 / 400) ** 0.5
    assert false_positives(count, 400, least_evidence=6.0).max() > 0.1  # the mark that was used before


@pytest.mark.slow
@pytest.mark.parametrize("count", [20, 40, 60])
def test_the_worst_noise_passes_in_5_percent(count):
    """Beside the draws of the check, those of the calibration leave the binomial noise of 6,000 courses."""
    limits = 3.5 * (0.05 * 0.95 * (1 / 4000 + 1 / 6000)) ** 0.5
    assert max(false_positives(count, 4000)) == pytest.approx(0.05, abs=limits)


def test_the_stored_table_is_what_its_command_makes(monkeypatch):
    """At a smaller size, the thresholds are the stored ones within what 400 courses of a kind leave open."""
    monkeypatch.setattr(phase_calibration, "LENGTHS", (10, 20))
    made = np.array([row.split(",") for row in phase_calibration.calibrate(400).split()[1:]], dtype=float)
    stored = [least_evidence_of(count, np.array(phase_calibration.KNOTS)) for count in (10, 20)]
    assert np.abs(made[:, 1:] - stored).max() < 6
    assert np.abs(made[:, 1:] - stored).mean() < 1.5


def test_the_least_evidence_is_interpolated_and_held_at_the_ends():
    at = np.array([0.15, 0.225, 0.98])
    exact, beyond, between = (least_evidence_of(n, at) for n in (20, 1000, 25))
    assert exact[1] == pytest.approx((exact[0] + least_evidence_of(20, np.array([0.3]))[0]) / 2)
    assert exact[2] == least_evidence_of(20, np.array([0.9]))[0]
    assert beyond.tolist() == least_evidence_of(90, at).tolist()
    weight = np.log(25 / 20) / np.log(30 / 20)
    assert between == pytest.approx((1 - weight) * exact + weight * least_evidence_of(30, at))


def test_true_transitions_are_found_in_little_noise_and_most_in_more():
    assert power(40, 0.0, 0.2, 200) == 1
    assert power(40, 0.8, 0.2, 200) > 0.9
    assert power(40, 0.0, 0.5, 200) > 0.8


def test_estimates_that_may_be_negative_count_as_a_floor():
    """A course of GSNR that is negative in phase (i), of 100 rows, has the phases of one that is 0.002 there."""
    values = course(400, 800)[:, 0]
    values = values / values.max() * 0.5
    low = np.where(STEPS <= 400, -0.01, values)
    quantities = dict.fromkeys(QUANTITIES, low[:, None, None, None])
    whole = Course(STEPS, **quantities, rows=np.array([100]), clusters=np.array([50]))
    expected = find_phases(STEPS, np.maximum(low, FLOOR / 100)[:, None])
    found = course_phases(whole)
    assert np.isfinite(found.start).all()
    assert found.start.shape == (1, 1, 1)
    assert found.start[0, 0, 0] == expected.start[0]
    assert found.level[0, 0, 0] == pytest.approx(FLOOR / 100, rel=0.05)
    assert np.isnan(course_phases(whole, "plain").evidence).all()


def with_residual(kind, steps, number=4):
    """Courses whose neighbouring residuals alternate, are independent, wander, or hardly differ."""
    rng = generator("residual", kind)
    if kind == "smooth":
        return np.exp(np.sin(steps[:, None] / steps[-1] * np.pi * (3 + np.arange(number))) - 8)
    noise, sway = rng.normal(size=(len(steps), number)), {"alternating": -0.9, "independent": 0.0, "wandering": 0.8}
    for k in range(1, len(steps)):
        noise[k] += sway[kind] * noise[k - 1]
    return np.exp(0.3 * noise - 8 + 0.4 * (steps[:, None] > steps[-1] / 2))


@pytest.mark.parametrize("kind", ["alternating", "independent", "wandering", "smooth"])
def test_the_evidence_is_the_difference_of_the_information_criteria(kind):
    """Alternating residuals make no more observations than there are, smooth ones at least one in a hundred."""
    steps = np.arange(150)
    gsnr = with_residual(kind, steps)
    found = find_phases(steps, gsnr, least_rise=1e-9, least_evidence=-np.inf)
    correlations = []
    for k in range(gsnr.shape[1]):
        a, b = found.start[k], min(found.end[k], steps[-1])
        evidence, correlation = slow.evidence(steps, gsnr[:, k], a, b)
        assert found.evidence[k] == pytest.approx(evidence, rel=1e-6)
        correlations.append(correlation)
    if kind == "alternating":
        assert min(correlations) < -0.5
    if kind == "smooth":
        assert max(correlations) > 0.98


def test_the_evidence_does_not_hang_on_the_unit_of_the_course():
    gsnr = course(noise=0.3, number=5)
    assert find_phases(STEPS, gsnr * 1e6).evidence == pytest.approx(find_phases(STEPS, gsnr).evidence, rel=1e-9)


def test_a_rise_to_the_end_has_a_start_and_no_end():
    found = find_phases(STEPS, course(1000, 3000, noise=0.02))
    assert found.start[0] == pytest.approx(1000, abs=80)
    assert np.isinf(found.end[0])
    assert not found.convergence.any()


def test_the_three_masks_part_the_steps_and_serve_the_bound():
    gsnr = np.concatenate([course(), course(rise=0.0, noise=0.1)], axis=1)
    found = find_phases(STEPS, gsnr)
    assert (found.pre.astype(int) + found.optimisation + found.convergence == 1).all()
    assert STEPS[found.pre[:, 0]].max() == 400
    assert STEPS[found.optimisation[:, 0]].tolist() == list(range(440, 801, 40))
    ratio = np.stack([np.linspace(2, 1, len(STEPS))] * 2, 1)
    bound = critical_radius(STEPS, ratio, found.pre)
    assert bound.step.tolist() == [400, STEPS[-1]]


def test_courses_of_any_shape_keep_it_and_bad_ones_are_never():
    gsnr = np.broadcast_to(course()[:, :, None], (len(STEPS), 2, 3)).copy()
    gsnr[5, 0, 0], gsnr[7, 1, 2], gsnr[0, 1, 1] = np.nan, 0, np.inf
    found = find_phases(STEPS, gsnr)
    assert found.start.shape == (2, 3)
    assert np.isfinite(found.start).tolist() == [[False, True, True], [True, False, False]]
    assert np.isnan(found.evidence).tolist() == [[True, False, False], [False, True, True]]


def test_the_delay_is_counted_in_steps_and_knows_never():
    early, late = find_phases(STEPS, course(200, 600)), find_phases(STEPS, course(600, 900))
    never = find_phases(STEPS, course(rise=0.0))
    assert delay(late, early).tolist() == [400]
    assert delay(never, early).tolist() == [np.inf]
    assert delay(early, never).tolist() == [-np.inf]
    assert np.isnan(delay(never, never)).all()


BAD = {
    "few": (lambda: find_phases(STEPS[:5], course()[:5]), "at least 8 observations"),
    "order": (lambda: find_phases(STEPS[::-1], course()), "increasing steps"),
    "shape": (lambda: find_phases(STEPS[:-1], course()), "courses .T, ...."),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_in_words(name):
    act, words = BAD[name]
    with pytest.raises(FitError, match=words):
        act()
