"""Means over test sets and differences of two detectors, with bootstrap draws that both share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from corit.bench.benchmark import Predictions
from corit.metrics.bootstrap import Estimate, percentile_interval
from corit.metrics.curve import Ranking
from corit.metrics.measures import METRIC_FUNCTIONS, Draw
from corit.seeding import generator

CONFIDENCE = 0.95
DRAWS_TRIED = 100  # for each draw that is wanted, since some lack a class in a test set
AVERAGED = ("auc", "ap", "acc")  # metrics that the curve alone decides


@dataclass(frozen=True)
class BootstrapMean:
    """A mean over test sets.

    Attributes:
        value: the mean of all rows.
        draws: the mean of each bootstrap draw.
    """

    value: float
    draws: tuple[float, ...]

    @property
    def estimate(self) -> Estimate:
        """The value with its percentile interval."""
        return percentile_interval(self.value, self.draws, CONFIDENCE)

    def minus(self, other: BootstrapMean) -> Estimate:
        """Return the difference from another mean over the same draws, with its interval."""
        pairs = zip(self.draws, other.draws, strict=True)
        return percentile_interval(self.value - other.value, [a - b for a, b in pairs], CONFIDENCE)


def mean_over_test_sets(predictions: Mapping[str, Predictions], metric: str, draws: int) -> BootstrapMean:
    """Return the unweighted mean of a metric over test sets: the median over heads.

    A source that several test sets share (reals beside each forgery) is drawn for all of them together. Test sets of
    the same rows give the same draws, so that detectors can be compared draw by draw. If few draws have both classes in
    every test set, fewer draws are used, or none. So it is with one picture of each class in nineteen test sets.

    Args:
        predictions: the scores, by test set.
        metric: "auc", "ap" or "acc".
        draws: bootstrap draws of sources.
    """
    sets = list(predictions.values())
    units = sorted({u for p in sets for u in p.groups.tolist()})
    place = {u: i for i, u in enumerate(units)}
    members = [np.array([place[u] for u in p.groups.tolist()]) for p in sets]
    heads = [[Ranking(p.labels, s) for s in p.scores] for p in sets]
    rng, values = generator("bootstrap", "mean"), list[float]()
    for _ in range(draws * DRAWS_TRIED):
        if len(values) == draws:
            break
        count = np.bincount(rng.integers(len(units), size=len(units)), minlength=len(units)).astype(float)
        times = [count[m] for m in members]
        if all(0 < t @ p.labels < t.sum() for t, p in zip(times, sets, strict=True)):  # both classes in every test set
            values.append(_median(heads, times, metric))
    return BootstrapMean(_median(heads, [None] * len(heads), metric), tuple(values))


def _median(heads: Sequence[Sequence[Ranking]], times: Sequence[np.ndarray | None], metric: str) -> float:
    """The median over heads of the mean over test sets; times: how often each row of a test set is drawn."""
    table = [[METRIC_FUNCTIONS[metric](Draw(r.curve(t))) for r in of] for of, t in zip(heads, times, strict=True)]
    return float(np.median(np.mean(table, axis=0)))
