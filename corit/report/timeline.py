"""The scores of a video over time, as coordinates of a drawing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from corit.detect.row import Row
from corit.detect.video import VideoReport
from corit.metrics.calibration import Calibration
from corit.report.page import COLOURS

WIDTH, HEIGHT, LEFT, TOP = 900, 150, 34, 8  # of the plotting area, and the margins before it, in pixels
POINTS = 600  # of a track; a longer one has the highest score of each of so many stretches
TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600)  # seconds


def timeline(report: VideoReport, calibration: Calibration) -> dict[str, Any]:
    """Return where each track's scores, the thresholds, the cuts and the parts without scores are drawn."""
    last = max((_start(r) for r in report.frames), default=0.0)
    lost = [r for r in report.frames if r.status == "unreadable"]
    cut = any(r.end is None for r in lost)
    length = max(last, _announced(report) if cut else 0.0) or 1.0  # what was looked at, and what is missing of it

    def across(seconds: float) -> float:
        return round(LEFT + WIDTH * seconds / length, 1)

    fields = ((across(_start(r)), across(length if r.end is None else r.end)) for r in lost)
    return {
        "tracks": [_curve(number, rows, across) for number, rows in sorted(_by_track(report.frames).items())],
        "fake": _down(min(calibration.fake, 1.0)),
        "real": _down(min(calibration.real, 1.0)),
        "cuts": sorted({across(s) for s in _cuts(report)}),
        "blank": sorted({across(_start(r)) for r in report.frames if r.score is None and r.status != "unreadable"}),
        "lost": [(x, round(end - x, 1)) for x, end in fields if end > x],
        "ticks": [(across(s), _clock(s)) for s in _ticks(length)],
    }


def _announced(report: VideoReport) -> float:
    """Seconds that the whole video would last, by the pace of its frames."""
    last = report.frames[-1] if report.frames else None
    return _start(last) * report.count / last.frame if last is not None and last.frame else 0.0


def _by_track(rows: Sequence[Row]) -> dict[int, list[Row]]:
    tracks: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        if row.track is not None:
            tracks[row.track].append(row)
    return tracks


def _curve(number: int, rows: Sequence[Row], across: Any) -> dict[str, Any]:
    stretches = np.array_split(np.arange(len(rows)), min(POINTS, len(rows)))
    highest = [max((rows[i] for i in part), key=lambda r: r.score or 0.0) for part in stretches]
    points = [(across(_start(r)), _down(r.score or 0.0)) for r in highest]
    red, green, blue = COLOURS[number % len(COLOURS)]
    return {"number": number, "points": points, "colour": f"rgb({red},{green},{blue})"}


def _down(score: float) -> float:
    return round(TOP + HEIGHT * (1 - score), 1)


def _cuts(report: VideoReport) -> Iterator[float]:
    """The middle between the last frame of each scene and the first of the next."""
    for (a, before), (b, after) in pairwise(zip(report.frames, report.scenes, strict=True)):
        if before != after:
            yield (_start(a) + _start(b)) / 2


def _start(row: Row) -> float:
    return row.start or 0.0


def _ticks(length: float) -> list[float]:
    step = next((t for t in TICKS if length / t <= 10), TICKS[-1] * max(1, round(length / TICKS[-1] / 10)))
    return [float(s) for s in np.arange(0, length + 1e-6, step)]


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
