"""Means over test sets and differences of two detectors, with bootstrap draws that both share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from corit.bench.benchmark import Scored
from corit.metrics.bootstrap import Estimate, percentile_interval
from corit.metrics.curve import Ranking
from corit.metrics.measures import METRIC_FUNCTIONS, Draw
from corit.seeding import generator

LEVEL, PATIENCE = 0.95, 100
METRICS = ("auc", "ap", "acc")  # those that the curve alone decides


@dataclass(frozen=True)
class Draws:
    """A number: of all rows, and of each bootstrap draw."""

    value: float
    draws: tuple[float, ...]

    @property
    def estimate(self) -> Estimate:
        """The value with its percentile interval."""
        return percentile_interval(self.value, self.draws, LEVEL)

    def less(self, other: Draws) -> Estimate:
        """This number less another of the same draws, with the interval of the difference."""
        pairs = zip(self.draws, other.draws, strict=True)
        return percentile_interval(self.value - other.value, [a - b for a, b in pairs], LEVEL)


def mean(scored: Mapping[str, Scored], metric: str, draws: int) -> Draws:
    """The unweighted mean of a metric over test sets: the median over heads, of all rows and of draws of sources.

    A source that several test sets share (reals beside each forgery) is drawn for all of them together. Test sets of
    the same rows give the same draws, so that detectors can be compared draw by draw. Where a draw hardly ever leaves
    both classes in every test set, as with one picture of each in nineteen of them, there are fewer draws, or none.
    """
    units = sorted({u for s in scored.values() for u in s.groups.tolist()})
    place = {u: i for i, u in enumerate(units)}
    members = [np.array([place[u] for u in s.groups.tolist()]) for s in scored.values()]
    labels = [s.labels for s in scored.values()]
    heads = [[Ranking(s.labels, p) for p in s.scores] for s in scored.values()]
    rng, values = generator("bootstrap", "mean"), list[float]()
    for _ in range(draws * PATIENCE):
        if len(values) == draws:
            break
        count = np.bincount(rng.integers(len(units), size=len(units)), minlength=len(units)).astype(float)
        times = [count[m] for m in members]
        if all(0 < t @ y < t.sum() for t, y in zip(times, labels, strict=True)):  # both classes in every test set
            values.append(_median(heads, times, metric))
    return Draws(_median(heads, [None] * len(heads), metric), tuple(values))


def _median(heads: Sequence[Sequence[Ranking]], times: Sequence[np.ndarray | None], metric: str) -> float:
    """The median over heads of the mean over test sets."""
    table = [[METRIC_FUNCTIONS[metric](Draw(r.curve(t))) for r in of] for of, t in zip(heads, times, strict=True)]
    return float(np.median(np.mean(table, axis=0)))
