"""One detector's scored rows -> every metric, of all rows and of each source, manipulation, compression and size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal

import numpy as np

from corit.data.protocols import METRICS
from corit.errors import DataError
from corit.evaluate.delong import delong
from corit.evaluate.measures import Columns, estimates
from corit.evaluate.metrics import Estimate
from corit.evaluate.rows import ScoredRow, by_video

By = Literal["all", "source", "manipulation", "compression", "size"]
Level = Literal["picture", "video"]


@dataclass(frozen=True)
class Slice:
    """Some rows and what was measured of them.

    metrics: every metric with its interval, empty unless there are reals and fakes. found, false: the shares of fakes
    and of reals that the detector's threshold calls fake, None where there are none. unscored: rows without a score.
    """

    level: Level
    by: By
    name: str
    reals: int
    fakes: int
    unscored: int
    metrics: Mapping[str, Estimate]
    found: float | None
    false: float | None


@dataclass(frozen=True)
class Evaluation:
    """One detector on labelled rows. threshold: from its validation. unscored: rows without a score, by status."""

    detector: str
    threshold: float
    rows: tuple[ScoredRow, ...] = field(repr=False)
    slices: tuple[Slice, ...]
    unscored: Mapping[str, int]

    @property
    def levels(self) -> tuple[Level, ...]:
        """Pictures, and videos where there are any."""
        return tuple(dict.fromkeys(s.level for s in self.slices))

    def whole(self, level: Level = "picture") -> Slice:
        """All rows."""
        return next(s for s in self.slices if s.level == level and s.by == "all")


@dataclass(frozen=True)
class Comparison:
    """DeLong's test of two detectors on the n rows that both scored, clustered by video or source."""

    level: Level
    first: str
    second: str
    n: int
    auc_first: float
    auc_second: float
    p: float


def evaluate(
    rows: Sequence[ScoredRow], threshold: float, *, detector: str = "", draws: int = 1000, seed: int = 0
) -> Evaluation:
    """Measure scored rows, and the videos that they make up where a video has several.

    threshold: of the score, from validation rows. Intervals draw videos, or else sources. A manipulation's slice sets
    its fakes against all reals. Raises DataError unless there are scored reals and scored fakes.
    """
    unscored = dict(Counter(r.status for r in rows if r.score is None))
    for label, kind in ((0, "real"), (1, "fake")):
        if not any(r.label == label and r.score is not None for r in rows):
            said = ", ".join(f"{n} {status}" for status, n in unscored.items()) or "none was lost"
            raise DataError(f"expected {kind} pictures with a score, got none of {len(rows)} rows ({said})")
    levels: dict[Level, Sequence[ScoredRow]] = {"picture": rows}
    names = Counter(r.video for r in rows if r.video)
    if names and max(names.values()) > 1:
        levels["video"] = by_video(rows)
    found = [
        _measure(level, by, name, some, threshold, draws, seed)
        for level, whole in levels.items()
        for by, name, some in _slices(whole)
    ]
    return Evaluation(detector, threshold, tuple(rows), tuple(found), unscored)


def _slices(rows: Sequence[ScoredRow]) -> Iterator[tuple[By, str, list[ScoredRow]]]:
    """All rows, then every slice of every kind that has more than one."""
    yield "all", "all", list(rows)
    reals = [r for r in rows if r.label == 0]
    kinds = sorted({r.manipulation for r in rows if r.label == 1})
    if len(kinds) > 1:
        yield from (("manipulation", k or "unnamed", _fakes(rows, k) + reals) for k in kinds)
    by: dict[By, list[str]] = {
        "source": [r.dataset for r in rows],
        "compression": [r.compression for r in rows],
        "size": [r.size for r in rows],
    }
    for kind, names in by.items():
        distinct = sorted(set(names))
        if len(distinct) > 1:
            yield from (
                (kind, n or "unnamed", [r for r, m in zip(rows, names, strict=True) if m == n]) for n in distinct
            )


def _fakes(rows: Sequence[ScoredRow], kind: str) -> list[ScoredRow]:
    return [r for r in rows if r.label == 1 and r.manipulation == kind]


def _measure(
    level: Level, by: By, name: str, rows: Sequence[ScoredRow], threshold: float, draws: int, seed: int
) -> Slice:
    ok = [r for r in rows if r.score is not None]
    labels, scores = np.array([r.label for r in ok]), np.array([r.score for r in ok], dtype=np.float64)
    fakes, called = labels == 1, scores >= threshold
    measured: Mapping[str, Estimate] = {}
    if fakes.any() and not fakes.all():
        units = np.array([r.unit for r in ok])
        columns = Columns(labels, scores[None], np.array([threshold]), units)
        measured = estimates(columns, METRICS, draws=draws, seed=seed)
    shares = [float(called[side].mean()) if side.any() else None for side in (fakes, ~fakes)]
    counts = int((~fakes).sum()), int(fakes.sum()), len(rows) - len(ok)
    return Slice(level, by, name, *counts, measured, *shares)


def compare(evaluations: Sequence[Evaluation]) -> tuple[Comparison, ...]:
    """DeLong's test of every two detectors, on pictures and on videos, of the rows that both scored.

    Raises DataError when they have no row in common.
    """
    return tuple(
        _compare(level, a, b) for a, b in combinations(evaluations, 2) for level in a.levels if level in b.levels
    )


def _compare(level: Level, a: Evaluation, b: Evaluation) -> Comparison:
    first, second = (_scores(e, level) for e in (a, b))
    common = [k for k in first if k in second]
    if not common:
        raise DataError(f"expected rows that {a.detector} and {b.detector} both scored, got none")
    columns = [np.array([d[k].score for k in common], dtype=np.float64) for d in (first, second)]
    rows = [first[k] for k in common]
    labels, units = np.array([r.label for r in rows]), np.array([r.unit for r in rows])
    test = delong(labels, columns[0], columns[1], units)
    return Comparison(level, a.detector, b.detector, len(common), test.first, test.second, test.p)


def _scores(evaluation: Evaluation, level: Level) -> dict[str, ScoredRow]:
    rows = evaluation.rows if level == "picture" else by_video(evaluation.rows)
    return {r.id: r for r in rows if r.score is not None}
