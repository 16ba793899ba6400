"""Every metric by name, of probabilities against labels: one table for benchmarks and evaluations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from scipy.stats import norm

from corit.errors import DataError
from corit.metrics.auc import Estimate, check, enough, percentile, resample
from corit.metrics.curve import Curve, Ranking

Metric = Literal["auc", "ap", "acc", "acc-val", "eer", "eer-interpolated", "tpr@1", "tpr@5", "ece"]
METRICS: tuple[str, ...] = get_args(Metric)


@dataclass(frozen=True)
class Drawn:
    """What a metric is read from: the curve of some draw of a head's rows, its calibration error, its threshold."""

    curve: Curve
    calibration_error: float
    threshold: float


MEASURES: dict[str, Callable[[Drawn], float]] = {
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
TITLES: dict[str, str] = {
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
class Raised(Estimate):
    """An estimate that noise raises by up to `noise`, which is about what a faultless detector would show."""

    noise: float


@dataclass(frozen=True)
class Columns:
    """Probabilities of one or several heads on the same rows, and each head's validation threshold.

    labels (n), scores (S, n), thresholds (S), groups (n) of what is not independent, or None.
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
            check(self.labels, row)


def estimates(
    columns: Columns, names: Sequence[str] = METRICS, *, draws: int = 1000, level: float = 0.95, seed: int = 0
) -> dict[str, Estimate]:
    """Each metric's median over the heads, with the percentile interval of that median over draws of whole groups.

    The same draws serve every metric; for the calibration error's interval see `calibration`. Where fewer than two
    groups hold reals, or fakes, there is no interval. Raises DataError on bad input (see `metrics.check`), for an
    unknown metric and for less than one draw.
    """
    unknown = [n for n in names if n not in MEASURES]
    if unknown:
        raise DataError(f"no metric {', '.join(unknown)}; there are {', '.join(MEASURES)}")
    heads = [(Ranking(columns.labels, s), float(t)) for s, t in zip(columns.scores, columns.thresholds, strict=True)]
    whole = _medians(heads, names, None)
    rows, gaps = [], []
    drawn = resample(columns.labels, columns.groups, draws, seed) if enough(columns.labels, columns.groups) else ()
    for times in drawn:  # one at a time: a thousand draws of a million rows are 8 GB
        rows.append(_medians(heads, names, times.astype(float)))
        if "ece" in names:
            gaps.append([r.calibration_gaps(times.astype(float)) for r, _ in heads])
    table = np.array(rows).reshape(-1, len(names))
    found = {m: percentile(whole[i], table[:, i], level) for i, m in enumerate(names)}
    return {**found, "ece": calibration(found["ece"].value, np.array(gaps), level)} if "ece" in names else found


def calibration(value: float, gaps: np.ndarray, level: float = 0.95) -> Estimate:
    """The interval of an expected calibration error, from the signed gaps of its bins in each draw (draws, S, bins).

    A mean of sizes is too high, and a bootstrap's again. A bin whose gap has the standard deviation s is too high by
    at most s sqrt(2 / pi) on average, the size of a normal number: as much where the true gap is 0, next to nothing
    where it is large. The lower end therefore is lower by all of that, `noise`, and covers both cases; where one is
    certain to be the other, it is too cautious. [choice]
    """
    if len(gaps) < 2:
        return percentile(value, [], level)
    noise = float(np.median(gaps.std(axis=0, ddof=1).sum(axis=1)) * np.sqrt(2 / np.pi))
    spread = float(norm.ppf((1 + level) / 2) * np.median(np.abs(gaps).sum(axis=2), axis=1).std(ddof=1))
    return Raised(value, max(0.0, value - noise - spread), min(1.0, value + spread), noise)


def _medians(heads: Sequence[tuple[Ranking, float]], names: Sequence[str], times: np.ndarray | None) -> list[float]:
    error = "ece" in names
    drawn = [Drawn(r.curve(times), r.calibration_error(times) if error else 0.0, t) for r, t in heads]
    return [float(np.median([MEASURES[n](d) for d in drawn])) for n in names]
