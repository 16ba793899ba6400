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
MOST = 50  # slices of a kind


@dataclass(frozen=True)
class Slice:
    """Some rows and what was measured of them.

    metrics: every metric with its interval, empty unless there are reals and fakes. found, false: the shares of fakes
    and of reals that the detector's threshold calls fake, None where there are none. unscored: rows without a score.
    units: of how many videos, or else sources, the scored rows are, which is what the intervals draw.
    """

    level: Level
    by: By
    name: str
    reals: int
    fakes: int
    unscored: int
    units: int
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

    def scored(self, level: Level = "picture") -> tuple[ScoredRow, ...]:
        """The pictures, or the videos that they make up, that have a score."""
        rows = self.rows if level == "picture" else by_video(self.rows)
        return tuple(r for r in rows if r.score is not None)


@dataclass(frozen=True)
class Comparison:
    """DeLong's test of two detectors on the n rows that both scored, clustered by video or source.

    The AUCs and p are None where these rows are too few for it, and reason says why.
    """

    level: Level
    first: str
    second: str
    n: int
    auc_first: float | None = None
    auc_second: float | None = None
    p: float | None = None
    reason: str = ""


def evaluate(
    rows: Sequence[ScoredRow], threshold: float, *, detector: str = "", draws: int = 1000, seed: int = 0
) -> Evaluation:
    """Measure scored rows, and the videos that they make up where a video has several.

    threshold: of the score, from validation rows. Intervals draw videos, or else sources. A manipulation's slice sets
    its fakes against all reals. Raises DataError unless there are scored reals and scored fakes.
    """
    require_both(rows)
    unscored = dict(Counter(r.status for r in rows if r.score is None))
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


def require_both(rows: Sequence[ScoredRow]) -> None:
    """Raise DataError unless there are reals with a score and fakes with a score."""
    lost = Counter(r.status for r in rows if r.score is None)
    for label, kind in ((0, "real"), (1, "fake")):
        if not any(r.label == label and r.score is not None for r in rows):
            said = ", ".join(f"{n} {status}" for status, n in lost.items()) or "none was lost"
            reason = next((f"; for instance: {r.reason}" for r in rows if r.label == label and r.reason), "")
            raise DataError(f"expected {kind} pictures with a score, got none of {len(rows)} rows ({said}{reason})")


def _slices(rows: Sequence[ScoredRow]) -> Iterator[tuple[By, str, list[ScoredRow]]]:
    """All rows, then the slices of every kind that has more than one, the largest `MOST` of each."""
    yield "all", "all", list(rows)
    reals = [r for r in rows if r.label == 0]
    fakes = [r for r in rows if r.label == 1]
    for name, some in _parts(fakes, [r.manipulation for r in fakes]):
        yield "manipulation", name, some + reals
    yield from (("source", name, some) for name, some in _parts(rows, [r.dataset for r in rows]))
    opened = [r for r in rows if r.kind or r.score is not None]  # of a file that is damaged or absent nothing is known
    yield from (("compression", name, some) for name, some in _parts(opened, [r.compression for r in opened]))
    yield from (("size", name, some) for name, some in _parts(opened, [r.size for r in opened]))


def _parts(rows: Sequence[ScoredRow], names: Sequence[str]) -> list[tuple[str, list[ScoredRow]]]:
    """The rows of each name, by name; none where there is one name only."""
    found: dict[str, list[ScoredRow]] = {}
    for r, name in zip(rows, names, strict=True):
        found.setdefault(name or "unnamed", []).append(r)
    largest = sorted(found, key=lambda n: -len(found[n]))[:MOST]
    return [(n, found[n]) for n in sorted(largest)] if len(found) > 1 else []


def _measure(
    level: Level, by: By, name: str, rows: Sequence[ScoredRow], threshold: float, draws: int, seed: int
) -> Slice:
    ok = [r for r in rows if r.score is not None]
    labels, scores = np.array([r.label for r in ok]), np.array([r.score for r in ok], dtype=np.float64)
    fakes, called = labels == 1, scores >= threshold
    measured: Mapping[str, Estimate] = {}
    units = np.array([r.unit for r in ok])
    if fakes.any() and not fakes.all():
        columns = Columns(labels, scores[None], np.array([threshold]), units)
        measured = estimates(columns, METRICS, draws=draws, seed=seed)
    shares = [float(called[side].mean()) if side.any() else None for side in (fakes, ~fakes)]
    counts = int((~fakes).sum()), int(fakes.sum()), len(rows) - len(ok)
    return Slice(level, by, name, *counts, len(set(units.tolist())), measured, *shares)


def compare(evaluations: Sequence[Evaluation]) -> tuple[Comparison, ...]:
    """DeLong's test of every two detectors, on pictures and on videos, of the rows that both scored."""
    return tuple(
        _compare(level, a, b) for a, b in combinations(evaluations, 2) for level in a.levels if level in b.levels
    )


def _compare(level: Level, a: Evaluation, b: Evaluation) -> Comparison:
    first, second = ({r.id: r for r in e.scored(level)} for e in (a, b))
    common = [k for k in first if k in second]
    columns = [np.array([d[k].score for k in common], dtype=np.float64) for d in (first, second)]
    rows = [first[k] for k in common]
    labels, units = np.array([r.label for r in rows]), np.array([r.unit for r in rows])
    try:
        test = delong(labels, columns[0], columns[1], units)
    except DataError as err:
        return Comparison(level, a.detector, b.detector, len(common), reason=str(err))
    return Comparison(level, a.detector, b.detector, len(common), test.first, test.second, test.p)
