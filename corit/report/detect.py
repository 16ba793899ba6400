"""The page of `corit detect --html`: pictures with regions, evidence and verdict; videos with a timeline."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from corit.detect.report import Evidence, Report
from corit.detect.row import Row
from corit.detect.video import VideoReport
from corit.detect.video_score import TRACK
from corit.metrics.calibration import Calibration
from corit.report import page
from corit.report.timeline import timeline

SCORED, UNSCORED = 200, 100  # inputs that a page shows


@dataclass(frozen=True)
class _ShownVideo:
    """What a page keeps of a video, without its frames."""

    report: VideoReport  # without its frames
    timeline: dict[str, Any]
    faceless: int


class Gallery:
    """Takes the reports of any number of files and keeps what the page shows.

    The page shows the files with the highest scores, and the first ones without a score, in the order in which they
    came.
    """

    def __init__(
        self,
        calibrations: Mapping[str, Calibration],
        *,
        scored: int = SCORED,
        unscored: int = UNSCORED,
        before: int = 0,
        warning: str = "",
        video_score: str = TRACK.description,
    ) -> None:
        """Begin a page.

        Args:
            calibrations: of each detector, by its name; "" for one without a name.
            scored: show at most this many files with a score.
            unscored: show at most this many files without a score.
            before: files that an earlier run scored; they are not shown.
            warning: what the page says about all files, or nothing.
            video_score: what the score of a video is, in words.
        """
        self.calibrations, self.before, self.warning, self.video_score = calibrations, before, warning, video_score
        self.most = {True: scored, False: unscored}
        self.kept: dict[bool, list[tuple[float, int, Report | _ShownVideo]]] = {True: [], False: []}
        self.came = {True: 0, False: 0}
        self.verdicts: Counter[str] = Counter()

    def add(self, report: Report | VideoReport) -> None:
        """Take the report of one file, made with evidence."""
        has_score = report.score is not None
        self.verdicts.update(_verdicts(report))
        order = self.came[True] + self.came[False]
        self.came[has_score] += 1
        rank = (report.score or 0.0, -order)
        kept = self.kept[has_score]
        if len(kept) == self.most[has_score] and (not kept or rank < kept[0][:2]):
            return
        held = report if isinstance(report, Report) else self._video(report)
        (heapq.heappush if len(kept) < self.most[has_score] else heapq.heappushpop)(kept, (*rank, held))

    def _video(self, report: VideoReport) -> _ShownVideo:
        faceless = len({r.frame for r in report.frames if r.status in ("no_face", "too_small")})
        drawn = timeline(report, self._calibration(report.row))
        return _ShownVideo(replace(report, frames=(), scenes=()), drawn, faceless)

    def _calibration(self, row: Row) -> Calibration:
        """That of the detector which scored a row, or of any for a row without a score."""
        return self.calibrations.get(row.detector or "") or next(iter(self.calibrations.values()))

    def write(self, target: Path) -> None:
        """Write the page, completely or not at all."""
        kept = sorted(itertools.chain(*self.kept.values()), key=lambda k: -k[1])
        cards = list(_cards([k[2] for k in kept]))
        shown = {s: len(self.kept[s]) for s in (True, False)}
        page.write(
            "detect.html",
            target,
            cards=cards,
            verdicts=self.verdicts,
            came=self.came,
            shown=shown,
            before=self.before,
            warning=self.warning,
            video_score=self.video_score,
            calibrations=self.calibrations,
        )


def _verdicts(report: Report | VideoReport) -> Iterator[str]:
    """One for each face of a picture, one for a video."""
    rows: tuple[Any, ...] = report.rows if isinstance(report, Report) else (report,)
    yield from (r.verdict for r in rows if r.verdict is not None)


def _cards(reports: list[Report | _ShownVideo]) -> Iterator[dict[str, Any]]:
    """One scale of evidence for the whole page, so that pictures can be compared."""
    heats = [np.abs(e.heat).max() for r in reports for e in _evidence(r)]
    top = float(np.median(heats)) * 1.5 if heats else 1.0
    for report in reports:
        if isinstance(report, _ShownVideo):
            yield _video_card(report, top)
            continue
        shown = iter(report.evidence)
        for row in report.rows:
            yield _card(row, next(shown, None) if row.status == "ok" else None, top)


def _evidence(report: Report | _ShownVideo) -> tuple[Evidence, ...]:
    return report.evidence if isinstance(report, Report) else tuple(m.evidence for m in report.report.moments)


def _card(row: Row, evidence: Evidence | None, top: float) -> dict[str, Any]:
    pictures = _pictures(evidence, top, 200) if evidence is not None else []
    return {"row": row, "name": Path(row.path).name, "pictures": pictures}


def _video_card(video: _ShownVideo, top: float) -> dict[str, Any]:
    report = video.report
    moments = [{"row": m.row, "pictures": _pictures(m.evidence, top, 170)} for m in _in_time(video)]
    return {"video": report, "name": Path(report.path).name, "timeline": video.timeline, "faceless": video.faceless} | {
        "moments": moments
    }


def _in_time(video: _ShownVideo) -> list[Any]:
    def key(row: Row) -> tuple[float, int]:
        return row.start or 0.0, row.track or 0

    return sorted(video.report.moments, key=lambda m: key(m.row))


def _pictures(evidence: Evidence, top: float, side: int) -> list[str]:
    """The crop, its patch regions and its heat map."""
    grid: tuple[int, int] = evidence.heat.shape  # type: ignore[assignment]
    crop = evidence.image
    views = (crop, page.tinted(crop, evidence.regions, grid), page.heated(crop, evidence.heat, top))
    return [page.picture(v, side) for v in views]
