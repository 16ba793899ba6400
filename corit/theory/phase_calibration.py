"""Calibrates the detector of phases: `python -m corit.theory.phase_calibration` remakes phases.csv in a few minutes.

Courses without phases are noise about a level, or about a line that rises by RISE of the noise's standard deviations;
neighbours correlate by each of CORRELATIONS (autoregressive noise of order 1), which the detector does not know. Their
evidence for three phases with a rise is simulated. Within each class of the correlation that the detector sees, the
least evidence is the 95 % quantile over all courses, then moved by one number, for each length, so that the kind of
noise that passes most often passes in 5 % of courses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from corit.files import write_text
from corit.seeding import generator
from corit.serialise import csv_text
from corit.theory.phases import TABLE, find_phases

RATE = 0.05
LENGTHS = (8, 10, 14, 20, 30, 40, 60, 90)
CORRELATIONS = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9)
RISE = 6.0
KNOTS = (0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9)  # of the correlation that the detector sees
COURSES = 6000


def noise(count: int, correlation: float, courses: int, *key: object) -> np.ndarray:
    """Draw autoregressive noise (count, courses) of variance 1, at rest from the first observation on."""
    drawn = generator("phase noise", count, f"{correlation:g}", *map(str, key)).normal(size=(count, courses))
    for k in range(1, count):
        drawn[k] = correlation * drawn[k - 1] + (1 - correlation**2) ** 0.5 * drawn[k]
    return drawn


def null_courses(count: int, courses: int, *key: object) -> Iterator[np.ndarray]:
    """Yield log GSNR (count, courses) of each kind of course without phases."""
    line = np.linspace(0, RISE, count)[:, None]
    for correlation in CORRELATIONS:
        for trend in (0 * line, line):
            yield noise(count, correlation, courses, *key) + trend


def evidence_of(courses: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Measure the evidence for three phases with a rise, minus infinity without, and what the detector sees, (K, C)."""
    evidence, seen = [], []
    for y in courses:
        phases = find_phases(np.arange(len(y)), np.exp(y), least_rise=1.0, least_evidence=-np.inf)
        evidence.append(np.where(np.isfinite(phases.start), phases.evidence, -np.inf))
        seen.append(phases.correlation)
    return np.stack(evidence), np.stack(seen)


def thresholds(evidence: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Compute the least evidence at each of KNOTS from simulated courses (K, C)."""
    width = KNOTS[1] - KNOTS[0]
    base = np.array([_quantile(evidence[np.abs(seen - k) <= width / 2]) for k in KNOTS])
    base = np.interp(KNOTS, np.array(KNOTS)[np.isfinite(base)], base[np.isfinite(base)])
    margin = evidence - np.interp(seen, KNOTS, base)
    moved: np.ndarray = base + max(float(np.quantile(m, 1 - RATE, method="higher")) for m in margin)
    return moved


def _quantile(values: np.ndarray) -> float:
    return float(np.quantile(values, 1 - RATE, method="higher")) if len(values) >= 200 else float("nan")


def calibrate(courses: int = COURSES) -> str:
    """Return the table as CSV: a row for each length, a column for each of KNOTS."""
    rows = [["observations", *KNOTS]]
    for count in LENGTHS:
        values = thresholds(*evidence_of(list(null_courses(count, courses, "calibration"))))
        rows.append([count, *values.round(2)])
    return csv_text(rows)


def false_positives(count: int, courses: int, least_evidence: float | None = None) -> np.ndarray:
    """Measure the share of courses without phases in which the detector finds them, for each kind (K)."""
    passed = []
    for y in null_courses(count, courses, "check"):
        phases = find_phases(np.arange(count), np.exp(y), least_evidence=least_evidence)
        passed.append(np.isfinite(phases.start).mean())
    return np.array(passed)


def power(count: int, correlation: float, size: float, courses: int, least_evidence: float | None = None) -> float:
    """Measure the share of true transitions that are found: GSNR grows twentyfold between 1/5 and 2/5 of the course.

    Args:
        count: observations.
        correlation: of neighbours in the noise.
        size: standard deviation of the noise on log GSNR.
        courses: how many are drawn.
        least_evidence: of `find_phases`; None for the calibrated one.
    """
    t = np.linspace(0, 1, count)[:, None]
    line = np.log(20) * np.clip((t - 0.2) / 0.2, 0, 1) - 0.5 * np.clip(t - 0.4, 0, None)
    y = line + size * noise(count, correlation, courses, "power")
    return float(np.isfinite(find_phases(np.arange(count), np.exp(y), least_evidence=least_evidence).start).mean())


if __name__ == "__main__":
    write_text(TABLE, calibrate())
