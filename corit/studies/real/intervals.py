"""AUC of many heads on the same rows, and their differences, from the same bootstrap draws of whole groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from corit.metrics.bootstrap import Estimate, enough_groups, percentile_interval, resample
from corit.metrics.curve import Ranking
from corit.metrics.delong import delong
from corit.serialise import finite

LEVEL = 0.95
DIGITS = 4


@dataclass(frozen=True)
class Scored:
    """Scores of several models on the same rows, with the AUC of each in the same draws.

    A model's AUC is the mean over the seeds of its heads.

    Attributes:
        y: labels (n).
        group: (n), which the draws keep together.
        scores: by model, logits (S, n).
        values: by model, the AUC of all rows.
        drawn: by model, the AUC of each draw; empty where there are too few groups for an interval.
    """

    y: np.ndarray
    group: np.ndarray
    scores: Mapping[str, np.ndarray] = field(repr=False)
    values: Mapping[str, float]
    drawn: Mapping[str, np.ndarray] = field(repr=False)

    @classmethod
    def of(cls, y: np.ndarray, group: np.ndarray, scores: Mapping[str, np.ndarray], draws: int) -> Scored:
        """Measure every model; `scores` holds logits (n) or (S, n)."""
        table = {k: np.atleast_2d(v) for k, v in scores.items()}
        ranked = {k: [Ranking(y, s) for s in v] for k, v in table.items()}
        drawn: dict[str, list[float]] = {k: [] for k in table}
        for times in resample(y, group, draws, 0) if enough_groups(y, group) else ():
            weights = times.astype(float)
            for k, heads in ranked.items():
                drawn[k].append(_mean_auc(heads, weights))
        values = {k: _mean_auc(heads, None) for k, heads in ranked.items()}
        return cls(y, group, table, values, {k: np.array(v) for k, v in drawn.items()})

    def auc(self, model: str) -> Estimate:
        """Return a model's AUC with its interval."""
        return percentile_interval(self.values[model], self.drawn[model], LEVEL)

    def difference(self, first: str, second: str) -> Estimate:
        """Return the AUC of one model less that of another, with the interval of this difference."""
        value = self.values[first] - self.values[second]
        return percentile_interval(value, self.drawn[first] - self.drawn[second], LEVEL)

    def p(self, first: str, second: str) -> float | None:
        """Return DeLong's two-sided p-value with groups, of the mean logits over seeds; None where it cannot tell."""
        if not enough_groups(self.y, self.group):
            return None
        one, two = (self.scores[m].mean(0) for m in (first, second))
        return delong(self.y, one, two, self.group).p


def _mean_auc(heads: Sequence[Ranking], times: np.ndarray | None) -> float:
    return float(np.mean([r.curve(times).auc() for r in heads]))


def numbers(estimate: Estimate) -> list[Any]:
    """Return value, low and high for a record."""
    return [finite(v, DIGITS) for v in (estimate.value, estimate.low, estimate.high)]
