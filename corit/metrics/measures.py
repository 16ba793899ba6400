"""The table of metrics by name, and their estimates over several heads, for benchmarks and evaluations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from scipy.stats import norm

from corit.errors import DataError
from corit.metrics.bootstrap import Estimate, check_scores, enough_groups, percentile_interval, resample
from corit.metrics.curve import Curve, Ranking

Metric = Literal["auc", "ap", "acc", "acc-val", "eer", "eer-interpolated", "tpr@1", "tpr@5", "ece"]
METRICS: tuple[str, ...] = get_args(Metric)


@dataclass(frozen=True)
class Draw:
    """A bootstrap draw of one head's rows, from which metrics are read.

    Attributes:
        curve: the ROC curve of the draw.
        calibration_error: the ECE of the draw.
        threshold: the head's own threshold, from validation rows.
    """

    curve: Curve
    calibration_error: float = 0.0
    threshold: float = 0.5


METRIC_FUNCTIONS: dict[str, Callable[[Draw], float]] = {
    "auc": lambda d: d.curve.auc(),
    "ap": lambda d: d.curve.average_precision(),
    "acc": lambda d: d.curve.accuracy(0.5),
    "acc-val": lambda d: d.curve.accuracy(d.threshold),
    "acc-own": lambda d: d.curve.accuracy(d.threshold),
    "eer": lambda d: d.curve.equal_error_rate(),
    "eer-interpolated": lambda d: d.curve.equal_error_rate_interpolated(),
    "tpr@1": lambda d: d.curve.tpr_at_fpr(0.01),
    "tpr@5": lambda d: d.curve.tpr_at_fpr(0.05),
    "ece": lambda d: d.calibration_error,
}
METRIC_TITLES: dict[str, str] = {
    "auc": "AUC",
    "ap": "average precision",
    "acc": "accuracy at 0.5",
    "acc-val": "accuracy at the validation threshold",  # the most accurate one there, in benchmarks
    "acc-own": "accuracy at the detector's own threshold",  # which it was saved with, in evaluations
    "eer": "EER, nearest point",
    "eer-interpolated": "EER, interpolated",
    "tpr@1": "TPR at 1 % FPR",
    "tpr@5": "TPR at 5 % FPR",
    "ece": "expected calibration error",
}


@dataclass(frozen=True)
class BiasedEstimate(Estimate):
    """An estimate that sampling noise raises.

    Attributes:
        noise: the largest such rise, about the value that a perfectly calibrated detector would show.
    """

    noise: float


@dataclass(frozen=True)
class HeadScores:
    """Probabilities of S heads on the same n rows.

    Attributes:
        labels: (n), 0 for real and 1 for fake.
        scores: (S, n) probabilities of fake.
        thresholds: (S), each head's threshold from validation rows.
        groups: (n), the video or source of each row, or None where rows are independent.

    Raises:
        DataError: when shapes do not fit, or as `check_scores`.
    """

    labels: np.ndarray
    scores: np.ndarray
    thresholds: np.ndarray
    groups: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.scores.ndim != 2 or len(self.scores) != len(self.thresholds):
            raise DataError(
                f"expected scores (S, n) and S thresholds, got {self.scores.shape}, {self.thresholds.shape}"
            )
        for row in self.scores:
            check_scores(self.labels, row)


def estimates(
    columns: HeadScores, names: Sequence[str] = METRICS, *, draws: int = 1000, level: float = 0.95, seed: int = 0
) -> dict[str, Estimate]:
    """Estimate each metric's median over the heads.

    The same bootstrap draws of whole groups serve every metric.

    Args:
        columns: the heads' probabilities.
        names: metrics, keys of `METRIC_FUNCTIONS`.
        draws: number of bootstrap draws.
        level: coverage of the intervals.
        seed: seed of the draws.

    Returns:
        Metric -> median and its percentile interval; for the calibration error see `calibration_estimate`. There are no
        intervals where `enough_groups` is False.

    Raises:
        DataError: for an unknown metric and for less than one draw.
    """
    unknown = [n for n in names if n not in METRIC_FUNCTIONS]
    if unknown:
        raise DataError(f"no metric {', '.join(unknown)}; there are {', '.join(METRIC_FUNCTIONS)}")
    heads = [(Ranking(columns.labels, s), float(t)) for s, t in zip(columns.scores, columns.thresholds, strict=True)]
    values = _medians(heads, names, None)
    rows, gaps = [], []
    enough = enough_groups(columns.labels, columns.groups)
    for times in resample(columns.labels, columns.groups, draws, seed) if enough else ():
        # One draw at a time: a thousand draws of a million rows take 8 GB.
        rows.append(_medians(heads, names, times.astype(float)))
        if "ece" in names:
            gaps.append([r.calibration_gaps(times.astype(float)) for r, _ in heads])
    table = np.array(rows).reshape(-1, len(names))
    by_name = {m: percentile_interval(values[i], table[:, i], level) for i, m in enumerate(names)}
    if "ece" in names:
        by_name["ece"] = calibration_estimate(by_name["ece"].value, np.array(gaps), level)
    return by_name


def calibration_estimate(value: float, gaps: np.ndarray, level: float = 0.95) -> Estimate:
    """Put an interval around an expected calibration error.

    A mean of magnitudes is too high, and that of a bootstrap draw is too high once more. A bin whose gap has the
    standard deviation s is too high by at most s sqrt(2 / pi) on average, the mean magnitude of a normal number: by
    that much where the true gap is 0, by next to nothing where it is large. The lower end therefore is lower by the sum
    of these, `noise`, so that the interval covers both cases; in the second it is too cautious. [choice]

    Args:
        value: the ECE of all rows.
        gaps: (draws, S, bins) signed gaps of each draw; see `Ranking.calibration_gaps`.
        level: coverage of the interval.
    """
    if len(gaps) < 2:
        return percentile_interval(value, [], level)
    noise = float(np.median(gaps.std(axis=0, ddof=1).sum(axis=1)) * np.sqrt(2 / np.pi))
    spread = float(norm.ppf((1 + level) / 2) * np.median(np.abs(gaps).sum(axis=2), axis=1).std(ddof=1))
    return BiasedEstimate(value, max(0.0, value - noise - spread), min(1.0, value + spread), noise)


def _medians(heads: Sequence[tuple[Ranking, float]], names: Sequence[str], times: np.ndarray | None) -> list[float]:
    with_error = "ece" in names
    per_head = [Draw(r.curve(times), r.calibration_error(times) if with_error else 0.0, t) for r, t in heads]
    return [float(np.median([METRIC_FUNCTIONS[n](d) for d in per_head])) for n in names]
