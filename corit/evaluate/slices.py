"""Scored rows of one detector -> every metric, over all rows and by source, manipulation type, compression and size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations
from typing import Literal

import numpy as np

from corit.detect.video_score import TRACK, VideoScore
from corit.errors import DataError, NothingScoredError, examples
from corit.evaluate.rows import ScoredRow, by_video
from corit.metrics.bootstrap import Estimate
from corit.metrics.curve import Ranking
from corit.metrics.delong import DeLong, delong
from corit.metrics.measures import METRICS, HeadScores, estimates
from corit.metrics.threshold import share
from corit.progress import Progress, no_progress

By = Literal["all", "source", "manipulation", "compression", "size"]
Level = Literal["picture", "video"]
MAX_SLICES = 50  # slices of a kind
MEASURED = tuple("acc-own" if m == "acc-val" else m for m in METRICS)  # no row here is a validation row


@dataclass(frozen=True)
class Slice:
    """Some rows, and the metrics over them.

    Attributes:
        level: rows are pictures or videos.
        by: the kind of slice.
        name: of the slice.
        reals: rows with a score.
        fakes: rows with a score.
        unscored: rows without a score.
        units: the number of sources (or videos) of the scored rows; the intervals draw these.
        metrics: every metric with its interval; empty unless there are reals and fakes.
        found: share of the fakes that the threshold calls fake, None without fakes; see `share`.
        false: share of the reals that the threshold calls fake, None without reals.
        tied: reals and fakes have equal scores where the error rates cross.
    """

    level: Level
    by: By
    name: str
    reals: int
    fakes: int
    unscored: int
    units: int
    metrics: Mapping[str, Estimate]
    found: Estimate | None
    false: Estimate | None
    tied: bool = False


@dataclass(frozen=True)
class Evaluation:
    """The metrics of one detector on labelled rows.

    Attributes:
        detector: its name.
        threshold: from its validation.
        rows: the pictures.
        slices: the metrics.
        unscored: rows without a score, by status.
        mixed: why videos are not measured though rows have them, or "".
        many: the number of slices, for each kind that has more than `MAX_SLICES`; no more of it are measured.
        video_score: how the scores of frames became those of videos.
    """

    detector: str
    threshold: float
    rows: tuple[ScoredRow, ...] = field(repr=False)
    slices: tuple[Slice, ...]
    unscored: Mapping[str, int]
    mixed: str = ""
    many: Mapping[By, int] = field(default_factory=dict)
    video_score: VideoScore = TRACK

    @property
    def levels(self) -> tuple[Level, ...]:
        """Pictures, and videos where there are any."""
        return tuple(dict.fromkeys(s.level for s in self.slices))

    def overall(self, level: Level = "picture") -> Slice:
        """The slice of all rows."""
        return next(s for s in self.slices if s.level == level and s.by == "all")

    def scored(self, level: Level = "picture") -> tuple[ScoredRow, ...]:
        """The pictures, or the videos that they make up, with a score."""
        rows = self.rows if level == "picture" else by_video(self.rows, self.video_score)
        return tuple(r for r in rows if r.score is not None)


@dataclass(frozen=True)
class Comparison:
    """DeLong's test of two detectors on the rows that both could score, clustered by source or video.

    Attributes:
        level: rows are pictures or videos.
        first: a detector.
        second: the other.
        n: rows with both scores.
        auc_first: None where these rows are too few.
        auc_second: as above.
        p: two-sided; None where these rows are too few.
        reason: why there is no p.
    """

    level: Level
    first: str
    second: str
    n: int
    auc_first: float | None = None
    auc_second: float | None = None
    p: float | None = None
    reason: str = ""


def evaluate_rows(
    rows: Sequence[ScoredRow],
    threshold: float,
    *,
    detector: str = "",
    draws: int = 1000,
    seed: int = 0,
    video_score: VideoScore = TRACK,
    progress: Progress = no_progress,
) -> Evaluation:
    """Measure scored rows, and the videos that they make up where a video has several rows.

    Intervals draw sources, or else videos. The slice of a manipulation type compares its fakes with the reals of the
    data sets that it occurs in. Videos with real and fake frames are not measured as videos.

    Args:
        rows: the scored rows.
        threshold: of the score, from validation rows.
        detector: its name.
        draws: bootstrap draws behind each interval.
        seed: of the draws.
        video_score: how the scores of the faces become the score of the video: VideoScore("track") or
            VideoScore("frames"); a plain text is not accepted.
        progress: called after each slice.

    Returns:
        The metrics.

    Raises:
        DataError: no reals or no fakes have a score.
        NothingScoredError: no row has a score.
    """
    require_both(rows)
    unscored = dict(Counter(r.status for r in rows if r.score is None))
    levels: dict[Level, Sequence[ScoredRow]] = {"picture": rows}
    names = Counter(r.video for r in rows if r.video)
    mixed = _mixed(rows)
    if names and max(names.values()) > 1 and not mixed:
        levels["video"] = by_video(rows, video_score)
    parts = [(level, *part) for level, whole in levels.items() for part in _slices(whole)]
    measured = []
    for level, by, name, some in parts:
        measured.append(_measure(level, by, name, some, threshold, draws, seed))
        progress(len(measured), len(parts))
    named = {by: len(set(names)) for by, (_, names) in _kinds(rows).items()}
    many = {by: n for by, n in named.items() if n > MAX_SLICES}
    return Evaluation(detector, threshold, tuple(rows), tuple(measured), unscored, mixed, many, video_score)


def _mixed(rows: Sequence[ScoredRow]) -> str:
    """Why the rows' videos have no label, or ""; it is the same for every detector, whatever it could score."""
    labels: dict[str, set[int]] = {}
    for r in rows:
        if r.video and r.label in (0, 1):
            labels.setdefault(r.video, set()).add(r.label)
    both = [v for v, classes in labels.items() if len(classes) > 1]
    if not both:
        return ""
    return (
        f"nothing is measured by video: {len(both)} of {len(labels)} have real and fake frames ({examples(both)}), "
        "and the mean of such frames has no label"
    )


def require_both(rows: Sequence[ScoredRow]) -> None:
    """Raise DataError unless reals and fakes have scores, NothingScoredError when no row has one."""
    lost = Counter(r.status for r in rows if r.score is None)
    error = DataError if any(r.score is not None for r in rows) else NothingScoredError
    for label, kind in ((0, "real"), (1, "fake")):
        if not any(r.label == label and r.score is not None for r in rows):
            counts = ", ".join(f"{n} {status}" for status, n in lost.items()) or "none was lost"
            reason = next((f"; for instance: {r.reason}" for r in rows if r.label == label and r.reason), "")
            raise error(f"expected {kind} pictures with a score, got none of {len(rows)} rows ({counts}{reason})")


def _slices(rows: Sequence[ScoredRow]) -> Iterator[tuple[By, str, list[ScoredRow]]]:
    """All rows, then the slices of every kind that has more than one, the largest `MAX_SLICES` of each."""
    yield "all", "all", list(rows)
    reals = [r for r in rows if r.label == 0]
    for by, (named, names) in _kinds(rows).items():
        for name, some in _parts(named, names):
            beside = {r.dataset for r in some}
            against = ([r for r in reals if r.dataset in beside] or reals) if by == "manipulation" else []
            yield by, name, some + against


def _kinds(rows: Sequence[ScoredRow]) -> dict[By, tuple[Sequence[ScoredRow], list[str]]]:
    """For each kind of slice its rows, and the name of each row's slice."""
    opened = [r for r in rows if r.kind or r.score is not None]  # of a file that is damaged or absent nothing is known
    known = {r.manipulation for r in opened}
    fakes = [r for r in rows if r.label == 1 and r.manipulation in known]
    return {
        "manipulation": (fakes, [r.manipulation for r in fakes]),
        "source": (rows, [r.dataset for r in rows]),
        "compression": (opened, [r.compression for r in opened]),
        "size": (opened, [r.size for r in opened]),
    }


def _parts(rows: Sequence[ScoredRow], names: Sequence[str]) -> list[tuple[str, list[ScoredRow]]]:
    """The rows of each name, by name; none where there is one name only."""
    parts: dict[str, list[ScoredRow]] = {}
    for r, name in zip(rows, names, strict=True):
        parts.setdefault(name or "unnamed", []).append(r)
    largest = sorted(parts, key=lambda n: -len(parts[n]))[:MAX_SLICES]
    return [(n, parts[n]) for n in sorted(largest)] if len(parts) > 1 else []


def _measure(
    level: Level, by: By, name: str, rows: Sequence[ScoredRow], threshold: float, draws: int, seed: int
) -> Slice:
    ok = [r for r in rows if r.score is not None]
    labels, scores = np.array([r.label for r in ok]), np.array([r.score for r in ok], dtype=np.float64)
    fakes, called = labels == 1, scores >= threshold
    measured: Mapping[str, Estimate] = {}
    units, tied = np.array([r.unit for r in ok]), False
    if fakes.any() and not fakes.all():
        columns = HeadScores(labels, scores[None], np.array([threshold]), units)
        measured = estimates(columns, MEASURED, draws=draws, seed=seed)
        tied = Ranking(labels, scores).curve().tied_at_equal_error()
    hits, false_alarms = (share(called[side], units[side]) for side in (fakes, ~fakes))
    counts = int((~fakes).sum()), int(fakes.sum()), len(rows) - len(ok)
    return Slice(level, by, name, *counts, len(set(units.tolist())), measured, hits, false_alarms, tied)


def compare(evaluations: Sequence[Evaluation]) -> tuple[Comparison, ...]:
    """DeLong's test of every two detectors, over pictures and over videos, on the rows that both could score."""
    return tuple(
        _compare(level, a, b) for a, b in combinations(evaluations, 2) for level in a.levels if level in b.levels
    )


def _compare(level: Level, a: Evaluation, b: Evaluation) -> Comparison:
    first, second = ({r.id: r for r in e.scored(level)} for e in (a, b))
    common = [k for k in first if k in second]
    columns = [np.array([d[k].score for k in common], dtype=np.float64) for d in (first, second)]
    rows = [first[k] for k in common]
    labels, units = np.array([r.label for r in rows]), np.array([r.unit for r in rows])
    test = partial(delong, labels, columns[0], columns[1], units)
    return comparison(level, a.detector, b.detector, len(common), test)


def comparison(level: Level, first: str, second: str, n: int, test: Callable[[], DeLong]) -> Comparison:
    """DeLong's test of two detectors on n rows, or why there is none."""
    try:
        result = test()
    except DataError as err:
        return Comparison(level, first, second, n, reason=str(err))
    why = "no variance: too few rows to tell" if result.p is None else ""
    return Comparison(level, first, second, n, result.first, result.second, result.p, why)
