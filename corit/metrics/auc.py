"""Metrics of scores against labels, with bootstrap intervals; scikit-learn's values, in the time a bootstrap needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from corit.errors import DataError
from corit.metrics.curve import Ranking
from corit.seeding import generator

Metric = Callable[[np.ndarray, np.ndarray], float]


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve; ties count one half. From ranks: a bootstrap calls it thousands of times."""
    fakes = labels == 1
    n1 = int(fakes.sum())
    n0 = len(labels) - n1
    return float((rankdata(scores)[fakes].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))


def average_precision(labels: np.ndarray, scores: np.ndarray) -> float:
    """AP with the fakes as positives: sum of precision times recall gained, no interpolation."""
    return Ranking(labels, scores).curve().average_precision()


def equal_error_rate(labels: np.ndarray, scores: np.ndarray) -> float:
    """EER at the ROC vertex where the two error rates are nearest, as the field's benchmark reports it: its FPR."""
    return Ranking(labels, scores).curve().equal_error_rate()


def equal_error_rate_interpolated(labels: np.ndarray, scores: np.ndarray) -> float:
    """EER where the ROC curve, joined by straight lines, crosses FPR = 1 - TPR."""
    return Ranking(labels, scores).curve().equal_error_rate_interpolated()


def accuracy(labels: np.ndarray, scores: np.ndarray, threshold: float = 0.5) -> float:
    """Share of rows on the right side of the threshold; a score at the threshold counts as fake."""
    return float(np.mean((scores >= threshold) == labels))


def tpr_at_fpr(labels: np.ndarray, scores: np.ndarray, fpr: float) -> float:
    """Largest share of fakes found by a threshold whose false-positive rate is at most `fpr`."""
    return Ranking(labels, scores).curve().tpr_at_fpr(fpr)


def calibration_error(labels: np.ndarray, probabilities: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error: mean over equal-width bins of |share of fakes - mean probability|, by bin size."""
    which = np.minimum((probabilities * bins).astype(int), bins - 1)
    count = np.bincount(which, minlength=bins)
    gap = np.bincount(which, labels - probabilities, minlength=bins)
    return float(np.abs(gap).sum() / count.sum())


@dataclass(frozen=True)
class Estimate:
    """A value with its bootstrap interval [low, high], both NaN where there is too little for an interval."""

    value: float
    low: float
    high: float


def check(labels: np.ndarray, scores: np.ndarray) -> None:
    """Raise DataError unless there are as many finite scores as labels, and both reals and fakes."""
    if len(labels) != len(scores):
        raise DataError(f"expected a score for each label, got {len(scores)} scores and {len(labels)} labels")
    if set(np.unique(labels).tolist()) != {0, 1}:
        raise DataError(f"expected reals (0) and fakes (1), got labels {np.unique(labels).tolist()}; give both kinds")
    if not np.isfinite(scores).all():
        raise DataError("expected finite scores, got NaN or infinity; leave out the rows that could not be scored")


def bootstrap(
    metric: Metric,
    labels: np.ndarray,
    scores: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """Percentile interval of a metric, resampling groups (videos, sources) if given and rows otherwise.

    A draw that lost one of the classes is drawn again; no interval where `enough` says so. Raises DataError on bad
    input (see `check`).
    """
    check(labels, scores)
    if not enough(labels, groups):
        return percentile(metric(labels, scores), [], level)
    drawn = (np.repeat(np.arange(len(labels)), times) for times in resample(labels, groups, draws, seed))
    values = [metric(labels[rows], scores[rows]) for rows in drawn]
    return percentile(metric(labels, scores), values, level)


def enough(labels: np.ndarray, groups: np.ndarray | None) -> bool:
    """Whether at least two groups (rows without groups) hold reals and two hold fakes: one repeats itself in a draw."""
    keys = np.arange(len(labels)) if groups is None else np.asarray(groups)
    return all(len(np.unique(keys[labels == side])) >= 2 for side in (0, 1))


def resample(labels: np.ndarray, groups: np.ndarray | None, draws: int, seed: int) -> Iterator[np.ndarray]:
    """(n) how often each row is in a bootstrap draw of whole groups, or of rows without groups, with both classes.

    Raises DataError for less than one draw.
    """
    if draws < 1:
        raise DataError(f"expected at least one bootstrap draw, got {draws}")
    keys = np.arange(len(labels)) if groups is None else np.unique(groups, return_inverse=True)[1]
    count = int(keys.max()) + 1
    rng, made = generator("bootstrap", seed), 0
    while made < draws:
        times = np.bincount(rng.integers(count, size=count), minlength=count)[keys]
        if 0 < times @ labels < times.sum():
            made += 1
            yield times


def percentile(value: float, values: Sequence[float] | np.ndarray, level: float) -> Estimate:
    """The percentile interval of bootstrap values around a value; NaN for fewer than two of them."""
    if len(values) < 2:
        return Estimate(value, float("nan"), float("nan"))
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, float(low), float(high))
