"""Every metric by name, of probabilities against labels: one table for benchmarks and evaluations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from corit.data.protocols import METRICS
from corit.errors import DataError
from corit.evaluate import metrics
from corit.evaluate.metrics import Estimate, check, percentile, resample

# Labels (n), probabilities (n) and the threshold that validation rows gave -> a number.
Measure = Callable[[np.ndarray, np.ndarray, float], float]

MEASURES: dict[str, Measure] = {
    "auc": lambda y, p, t: metrics.auc(y, p),
    "ap": lambda y, p, t: metrics.average_precision(y, p),
    "acc": lambda y, p, t: metrics.accuracy(y, p),
    "acc-val": lambda y, p, t: metrics.accuracy(y, p, t),
    "eer": lambda y, p, t: metrics.equal_error_rate(y, p),
    "eer-interpolated": lambda y, p, t: metrics.equal_error_rate_interpolated(y, p),
    "tpr@1": lambda y, p, t: metrics.tpr_at_fpr(y, p, 0.01),
    "tpr@5": lambda y, p, t: metrics.tpr_at_fpr(y, p, 0.05),
    "ece": lambda y, p, t: metrics.calibration_error(y, p),
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
    whole = _medians(columns, names, np.arange(len(columns.labels)))
    table = np.array([_medians(columns, names, r) for r in resample(columns.labels, columns.groups, draws, seed)])
    return {n: percentile(whole[i], table[:, i], level) for i, n in enumerate(names)}


def _medians(columns: Columns, names: Sequence[str], rows: np.ndarray) -> list[float]:
    y = columns.labels[rows]
    heads = [(s[rows], float(t)) for s, t in zip(columns.scores, columns.thresholds, strict=True)]
    return [float(np.median([MEASURES[n](y, p, t) for p, t in heads])) for n in names]
