"""Percentile intervals of metrics from bootstrap draws of rows or of whole groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from corit.errors import DataError
from corit.seeding import generator

MetricFunction = Callable[[np.ndarray, np.ndarray], float]  # labels (n), scores (n) -> value


@dataclass(frozen=True)
class Estimate:
    """A value with its bootstrap interval.

    Attributes:
        value: the metric of all rows.
        low: the interval's lower end, NaN where there are too few rows or groups for an interval.
        high: the interval's upper end, NaN likewise.
    """

    value: float
    low: float
    high: float


def check_scores(labels: np.ndarray, scores: np.ndarray) -> None:
    """Check that each label has a finite score and that both classes are present.

    Args:
        labels: (n), 0 for real and 1 for fake.
        scores: (n).

    Raises:
        DataError: when lengths differ, a class is missing, or a score is NaN or infinite.
    """
    if len(labels) != len(scores):
        raise DataError(f"expected a score for each label, got {len(scores)} scores and {len(labels)} labels")
    if set(np.unique(labels).tolist()) != {0, 1}:
        raise DataError(f"expected reals (0) and fakes (1), got labels {np.unique(labels).tolist()}; give both kinds")
    if not np.isfinite(scores).all():
        raise DataError("expected finite scores, got NaN or infinity; leave out the rows that could not be scored")


def bootstrap(
    metric: MetricFunction,
    labels: np.ndarray,
    scores: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """Estimate a metric with its percentile interval.

    Args:
        metric: maps labels (n) and scores (n) to a number, such as `auc`.
        labels: (n), 0 for real and 1 for fake.
        scores: (n), larger for fake.
        groups: (n), the video or source of each row; whole groups are drawn. None: rows are drawn.
        draws: number of bootstrap draws. A draw without one of the classes is repeated.
        level: coverage of the interval.
        seed: seed of the draws.

    Returns:
        The metric of all rows and its interval; no interval where `enough_groups` is False.

    Raises:
        DataError: as `check_scores`, and for less than one draw.
    """
    check_scores(labels, scores)
    if not enough_groups(labels, groups):
        return percentile_interval(metric(labels, scores), [], level)
    rows_of_draws = (np.repeat(np.arange(len(labels)), times) for times in resample(labels, groups, draws, seed))
    values = [metric(labels[rows], scores[rows]) for rows in rows_of_draws]
    return percentile_interval(metric(labels, scores), values, level)


def enough_groups(labels: np.ndarray, groups: np.ndarray | None) -> bool:
    """Tell whether at least two groups hold reals and at least two hold fakes.

    With a single group of a class every draw repeats it, so that it says nothing about the spread.

    Args:
        labels: (n), 0 for real and 1 for fake.
        groups: (n), or None where each row is its own group.
    """
    keys = np.arange(len(labels)) if groups is None else np.asarray(groups)
    return all(len(np.unique(keys[labels == side])) >= 2 for side in (0, 1))


def resample(labels: np.ndarray, groups: np.ndarray | None, draws: int, seed: int) -> Iterator[np.ndarray]:
    """Draw whole groups with replacement, or rows where there are no groups.

    Args:
        labels: (n), 0 for real and 1 for fake.
        groups: (n), or None where each row is its own group.
        draws: number of draws with both classes.
        seed: seed of the draws.

    Yields:
        (n) integers: how often the draw holds each row.

    Raises:
        DataError: for less than one draw.
    """
    if draws < 1:
        raise DataError(f"expected at least one bootstrap draw, got {draws}")
    keys = np.arange(len(labels)) if groups is None else np.unique(groups, return_inverse=True)[1]
    count = int(keys.max()) + 1
    rng, done = generator("bootstrap", seed), 0
    while done < draws:
        times = np.bincount(rng.integers(count, size=count), minlength=count)[keys]
        if 0 < times @ labels < times.sum():
            done += 1
            yield times


def percentile_interval(value: float, values: Sequence[float] | np.ndarray, level: float) -> Estimate:
    """Put the percentile interval of bootstrap values around a value.

    Args:
        value: the metric of all rows.
        values: the metric of each draw.
        level: coverage of the interval.

    Returns:
        The estimate; its ends are NaN for fewer than two values.
    """
    if len(values) < 2:
        return Estimate(value, float("nan"), float("nan"))
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, float(low), float(high))
