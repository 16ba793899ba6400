"""GSNR phases (Fig. 3, 6): (i) pre-optimisation, low and flat; (ii) a sharp rise; (iii) convergence, a slow decay."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from corit.errors import FitError

if TYPE_CHECKING:
    from corit.theory.moments import Estimator
    from corit.theory.watch import Course

TABLE = Path(__file__).with_name("phases.csv")  # of `python -m corit.theory.phase_calibration`
FLOOR = 0.2  # GSNR of n rows counts as 0.2 / n at least [choice]: noise in 50 directions leaves about sqrt(2 / 50) / n
SHORTEST = 8  # observations below which no change is looked for
CHUNK = 2**24


@dataclass(frozen=True)
class Phases:
    """The steps at which the phases of courses change.

    Attributes:
        steps: (T) observed steps.
        start: (...) last observed step of phase (i); infinite where no later phase was found.
        end: (...) last observed step of phase (ii); infinite also where the rise lasts to the end of the course.
        level: (...) GSNR in phase (i).
        rise: (...) factor by which it grows in phase (ii); 1 without a change.
        evidence: (...) how much better three phases describe the course than none; see `find_phases`.
        correlation: (...) that of neighbours in what three phases leave of log GSNR, from 0 to 0.98.
    """

    steps: np.ndarray
    start: np.ndarray
    end: np.ndarray
    level: np.ndarray
    rise: np.ndarray
    evidence: np.ndarray
    correlation: np.ndarray

    @property
    def pre(self) -> np.ndarray:
        """(T, ...): the observed steps of phase (i), for `critical_radius`; all of them where no change was found."""
        return self._column <= self.start

    @property
    def optimisation(self) -> np.ndarray:
        """(T, ...): the observed steps of phase (ii)."""
        return (self._column > self.start) & (self._column <= self.end)

    @property
    def convergence(self) -> np.ndarray:
        """(T, ...): the observed steps of phase (iii)."""
        return self._column > self.end

    @property
    def _column(self) -> np.ndarray:
        return self.steps.reshape(-1, *[1] * self.start.ndim)


def course_phases(course: Course, estimator: Estimator | None = None) -> Phases:
    """Find the phases of a course's GSNR (P, S, R).

    Estimates that take the bias out may be negative, which says "too small for these rows" and has no logarithm: of n
    rows they count as FLOOR / n at least.

    Args:
        course: quantities along training.
        estimator: of GSNR; see `Course.estimate`.

    Raises:
        FitError: for another estimator, and fewer than 8 observations.
    """
    gsnr = course.estimate(estimator)
    if estimator != "plain":
        gsnr = np.maximum(gsnr, FLOOR / course.rows[:, None, None])
    return find_phases(course.steps, gsnr)


def find_phases(
    steps: np.ndarray, gsnr: np.ndarray, *, least_rise: float = 2.0, least_evidence: float | None = None
) -> Phases:
    """Find the two changes of each GSNR course, by least squares on log GSNR.

    The detector is a [choice]. Three phases are a broken line: level until a, a straight rise until b, a straight line
    after b, joined; a < b run over the observed steps (b may be the last: a rise without an end) and the pair with the
    least squared error is kept. Where the line after b rises half as steeply as before or more, (ii) has not ended:
    such a course is fitted again with b the last step. The change is accepted if the rise is by at least `least_rise`
    and if the Bayesian information criterion prefers the line's five parameters to a constant and to a straight line
    by at least `least_evidence`; otherwise it is "never". Courses that are not finite and positive throughout are
    "never" with no evidence (NaN).

    By default the least evidence is that which noise about a level or a straight line exceeds with a rise in at most
    5 % of courses, however its neighbours correlate up to 0.9; see `least_evidence_of`. (The usual mark for strong
    evidence, 6, lets up to 25 % pass.)

    Args:
        steps: (T) observed steps, increasing, at least 8.
        gsnr: (T, ...) courses.
        least_rise: least factor between phase (i) and the end of phase (ii).
        least_evidence: least difference of the criterion; None for the calibrated one.

    Raises:
        FitError: for steps that are not increasing, do not fit the courses, or are fewer than 8.
    """
    steps, gsnr = np.asarray(steps), np.asarray(gsnr, dtype=np.float64)
    if steps.ndim != 1 or gsnr.shape[:1] != steps.shape or (np.diff(steps) <= 0).any():
        raise FitError(f"expected increasing steps (T) and courses (T, ...), got {steps.shape} and {gsnr.shape}")
    if len(steps) < SHORTEST:
        raise FitError(
            f"expected at least {SHORTEST} observations to find phases in, got {len(steps)}; observe more often"
        )
    flat = gsnr.reshape(len(steps), -1)
    usable = (np.isfinite(flat) & (flat > 0)).all(0)
    y = np.log(np.where(usable, flat, 1.0))
    t = (steps - steps[0]) / (steps[-1] - steps[0])
    a, b = _changes(t, y)
    (level, rise, _), left = _broken(t, y, a, b)
    evidence = np.where(usable, _evidence(t, y, left), np.nan)
    correlation = _correlation(left)
    least = least_evidence_of(len(t), correlation) if least_evidence is None else least_evidence
    rising = (rise >= np.log(least_rise)) & (evidence >= least)
    start = np.where(rising, steps[a], np.inf)
    end = np.where(rising & (b < len(steps) - 1), steps[b], np.inf)
    factor = np.where(rising, np.exp(np.where(rising, rise, 0)), 1.0)
    plain = np.where(rising, np.exp(level), np.where(usable, np.exp(y.mean(0)), np.nan))
    return Phases(steps, *(v.reshape(gsnr.shape[1:]) for v in (start, end, plain, factor, evidence, correlation)))


@cache
def _thresholds() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lengths (N), correlations (K) and the least evidence at each (N, K)."""
    with TABLE.open(newline="") as file:
        head, *rows = csv.reader(file)
    table = np.array(rows, dtype=np.float64)
    return table[:, 0], np.array(head[1:], dtype=np.float64), table[:, 1:]


def least_evidence_of(count: int, correlation: np.ndarray) -> np.ndarray:
    """Look up the least evidence that keeps false positives at 5 %, by length and autocorrelation of a course.

    Between the table's entries it is linear in the correlation and in the logarithm of the length; beyond its ends it
    is that of the nearest entry.

    Args:
        count: observations of the course.
        correlation: (C) that of neighbours in what the broken line leaves.

    Returns:
        (C).
    """
    lengths, correlations, values = _thresholds()
    row = [np.interp(np.log(count), np.log(lengths), column) for column in values.T]
    least: np.ndarray = np.interp(correlation, correlations, row)
    return least


def delay(phases: Phases, reference: Phases) -> np.ndarray:
    """Compute how many steps later phase (ii) begins than in a reference.

    Args:
        phases: of courses (...).
        reference: of courses that broadcast to these.

    Returns:
        (...) steps; infinite where only the reference has a phase (ii), minus infinity where only `phases` has one, and
        NaN where neither has.
    """
    with np.errstate(invalid="ignore"):
        difference: np.ndarray = phases.start - reference.start
    return difference


def _changes(t: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The indices a and b of the best broken line of each course y (T, C)."""
    last = len(t) - 1
    pairs = np.array([(a, b) for a, b in combinations(range(len(t)), 2) if b - a >= 2])
    a, b = pairs[_best(t, y, pairs)].T
    (_, rise, after), _ = _broken(t, y, a, b)
    on = (b < last) & (after >= rise / (t[b] - t[a]) / 2)
    if on.any():
        to_the_end = pairs[pairs[:, 1] == last]
        a[on], b[on] = to_the_end[_best(t, y[:, on], to_the_end)].T
    return a, b


def _basis(t: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(K, T, 3): the level, the rise from 0 at a to 1 at b, and the slope after b."""
    ta, tb = t[a][:, None], t[b][:, None]
    rise = np.clip((t - ta) / (tb - ta), 0, 1)
    return np.stack([np.ones_like(rise), rise, np.clip(t - tb, 0, None)], -1)


def _best(t: np.ndarray, y: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """The index of the pair with the least squared error for each course y (T, C)."""
    best, where = np.full(y.shape[1], -np.inf), np.zeros(y.shape[1], dtype=np.int64)
    centred = y - y.mean(0)
    for start in range(0, len(pairs), size := max(1, CHUNK // max(1, 3 * y.shape[1] + 3 * len(t)))):
        some = pairs[start : start + size]
        q, _ = np.linalg.qr(_basis(t, *some.T)[:, :, [0, 1]])
        explained = np.square(np.einsum("ktj,tc->kjc", q, centred, optimize=True)).sum(1)
        explained += _last(t, some, q, centred)
        winner = explained.argmax(0)
        value = np.take_along_axis(explained, winner[None], 0)[0]
        better = value > best
        best[better], where[better] = value[better], start + winner[better]
    return where


def _last(t: np.ndarray, pairs: np.ndarray, q: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What the third direction adds, made orthogonal by hand: it vanishes where b is the last step."""
    third = _basis(t, *pairs.T)[:, :, 2]
    third = third - np.einsum("ktj,kj->kt", q, np.einsum("ktj,kt->kj", q, third))
    norm = np.linalg.norm(third, axis=1, keepdims=True)
    unit = np.divide(third, norm, out=np.zeros_like(third), where=norm > 1e-9)
    explained: np.ndarray = np.square(unit @ y)
    return explained


def _broken(t: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Level, rise and slope after b (3, C) of the least-squares broken lines of courses y (T, C), and what is left."""
    basis = _basis(t, a, b)
    weights = (np.linalg.pinv(basis, rcond=1e-9) @ y.T[:, :, None])[:, :, 0]
    return weights.T, y - np.einsum("ctj,cj->tc", basis, weights)


def _evidence(t: np.ndarray, y: np.ndarray, left: np.ndarray) -> np.ndarray:
    """BIC of the better of a constant and a straight line, less BIC of the broken line, which leaves `left` (T, C).

    Neighbouring observations of one head resemble each other: T counts as T (1 - c) / (1 + c), c the correlation of
    neighbours in `left`, so that a wandering course does not pass for three phases.
    """
    line = np.stack([np.ones_like(t), t], 1)
    straight = y - line @ np.linalg.lstsq(line, y, rcond=None)[0]
    c = _correlation(left)
    count = len(t) * (1 - c) / (1 + c)
    evidence: np.ndarray = np.minimum(_bic(y - y.mean(0), count, 1), _bic(straight, count, 2)) - _bic(left, count, 5)
    return evidence


def _correlation(left: np.ndarray) -> np.ndarray:
    """The correlation (C) of neighbours in `left` (T, C), from 0 to 0.98."""
    correlation: np.ndarray = np.clip((left[1:] * left[:-1]).mean(0) / _mean_square(left), 0, 0.98)
    return correlation


def _mean_square(error: np.ndarray) -> np.ndarray:
    """(C); a course is never known better than rounding, and the floor keeps the logarithm finite."""
    mean: np.ndarray = np.square(error).mean(0) + 1e-12
    return mean


def _bic(error: np.ndarray, count: np.ndarray, parameters: int) -> np.ndarray:
    """The Bayesian information criterion (C) of errors (T, C) that count as `count` (C) observations."""
    criterion: np.ndarray = count * np.log(_mean_square(error)) + parameters * np.log(np.maximum(count, 1))
    return criterion
