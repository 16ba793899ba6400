"""Every metric by name, of probabilities against labels: one table for benchmarks and evaluations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from corit.data.protocols import METRICS
from corit.errors import DataError
from corit.evaluate.curve import Curve, Ranking
from corit.evaluate.metrics import Estimate, check, percentile, resample


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
    "acc-val": "accuracy at the validation threshold",
    "eer": "EER, nearest point",
    "eer-interpolated": "EER, interpolated",
    "tpr@1": "TPR at 1 % FPR",
    "tpr@5": "TPR at 5 % FPR",
    "ece": "expected calibration error",
}


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

    The same draws serve every metric. Raises DataError on bad input (see `metrics.check`) and for an unknown metric.
    """
    unknown = [n for n in names if n not in MEASURES]
    if unknown:
        raise DataError(f"no metric {', '.join(unknown)}; there are {', '.join(MEASURES)}")
    heads = [(Ranking(columns.labels, s), float(t)) for s, t in zip(columns.scores, columns.thresholds, strict=True)]
    whole = _medians(heads, names, None)
    rows, n = resample(columns.labels, columns.groups, draws, seed), len(columns.labels)
    table = np.array([_medians(heads, names, np.bincount(r, minlength=n).astype(float)) for r in rows])
    return {m: percentile(whole[i], table[:, i], level) for i, m in enumerate(names)}


def _medians(heads: Sequence[tuple[Ranking, float]], names: Sequence[str], times: np.ndarray | None) -> list[float]:
    error = "ece" in names
    drawn = [Drawn(r.curve(times), r.calibration_error(times) if error else 0.0, t) for r, t in heads]
    return [float(np.median([MEASURES[n](d) for d in drawn])) for n in names]
