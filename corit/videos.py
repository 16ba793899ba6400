"""Score a video: its chosen frames in one pass, each face followed, a score for each face and for the whole."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from corit.detect import Detector
from corit.errors import InputError
from corit.images.choice import Choice
from corit.images.faces import FaceFinder, find_faces
from corit.images.media import Picture
from corit.images.tracks import follow
from corit.images.video import Film, Frame
from corit.views.prepare import Box, Preparer, Views


@dataclass(frozen=True)
class FrameRow:
    """One face of one frame, or a frame that could not be scored: then track, face and score are None.

    index: of the frame. seconds: its time. face: (x0, y0, x1, y1) in pixels, None where whole frames are scored.
    status: ok, no_face or too_small.
    """

    index: int
    seconds: float
    track: int | None
    face: Box | None
    score: float | None
    status: str
    reason: str


@dataclass(frozen=True)
class TrackRow:
    """One face through the video: its number, seconds of its first and last frame, how many frames, their mean score.

    The verdict is that of the mean under the detector's thresholds, which were set on single frames.
    """

    track: int
    first: float
    last: float
    frames: int
    score: float
    verdict: str


@dataclass(frozen=True)
class VideoReport:
    """What was found in a video.

    status: ok; truncated, where the file ends early and the score is of the frames before; no_face or too_small, where
    no frame could be scored; unreadable, unsupported. score: the highest mean of the faces that are seen long enough,
    None where nothing was scored. count: announced frames. fps: frames a second. missing: chosen frames that could not
    be decoded.
    """

    path: str
    score: float | None
    verdict: str | None
    status: str
    reason: str
    tracks: tuple[TrackRow, ...] = ()
    frames: tuple[FrameRow, ...] = ()
    count: int = 0
    fps: float = 0.0
    missing: int = 0


@dataclass(frozen=True)
class Following:
    """How faces are followed, and which of them decide about the video.

    overlap and gap: see `follow`. share: of the scored frames, in which a face must be seen to count, so that a poster
    in the background does not decide; the face that is seen longest always counts.
    """

    overlap: float = 0.1
    gap: int = 2
    share: float = 0.1


DEFAULT = Following()


def score_video(
    detector: Detector,
    path: str | Path,
    *,
    frames: int | None = 32,
    choice: Choice = "even",
    batch: int = 8,
    following: Following = DEFAULT,
    finder: FaceFinder = find_faces,
) -> VideoReport:
    """Score at most `frames` frames of a video, chosen by index; whatever cannot be had is a status, not a score.

    Frames are held only until their faces are cut out, `batch` at a time; no score depends on the batch. Raises
    DataError for a choice that there is not.
    """
    name = os.fspath(path)
    preparer = replace(detector.preparer(), finder=finder)
    rows: list[FrameRow] = []
    try:
        film = Film(name)
        stream = film.frames(frames, choice)
        while taken := list(islice(stream, batch)):
            rows += _score(detector, preparer, taken)
    except InputError as err:
        return VideoReport(name, None, None, err.status, str(err), frames=tuple(rows))
    assert film.ending is not None
    end = film.ending
    followed = with_tracks(rows, following)
    report = summary(name, followed, detector.card.calibration.verdict, following)
    if report.score is not None:
        report = replace(report, status=end.status, reason=end.reason)
    return replace(report, count=film.count, fps=film.fps, missing=end.missing)


def _score(detector: Detector, preparer: Preparer, frames: Sequence[Frame]) -> Iterator[FrameRow]:
    """The rows of some frames, their faces encoded together."""
    prepared = [_prepare(preparer, f) for f in frames]
    logits = iter(detector.logits([v for found in prepared if not isinstance(found, InputError) for v in found]))
    for frame, found in zip(frames, prepared, strict=True):
        if isinstance(found, InputError):
            yield FrameRow(frame.index, frame.seconds, None, None, None, found.status, str(found))
            continue
        for view in found:
            score = float(detector.card.calibration.score(next(logits))[0])
            yield FrameRow(frame.index, frame.seconds, None, view.box, score, "ok", "")


def _prepare(preparer: Preparer, frame: Frame) -> tuple[Views, ...] | InputError:
    try:
        return preparer(Picture(frame.pixels))
    except InputError as err:
        return err


def with_tracks(rows: Sequence[FrameRow], following: Following = DEFAULT) -> tuple[FrameRow, ...]:
    """The rows of a video with the tracks of their faces; whole frames are one track."""
    indices = sorted({r.index for r in rows})
    scored: dict[int, list[int]] = {i: [] for i in indices}
    for place, row in enumerate(rows):
        if row.score is not None:
            scored[row.index].append(place)
    whole = all(rows[p].face is None for places in scored.values() for p in places)
    boxes = [np.array([(0, 0, 1, 1) if whole else rows[p].face for p in scored[i]]).reshape(-1, 4) for i in indices]
    gap = len(indices) if whole else following.gap
    out = list(rows)
    for i, ids in zip(indices, follow(boxes, overlap=following.overlap, gap=gap), strict=True):
        for place, track in zip(scored[i], ids, strict=True):
            out[place] = replace(rows[place], track=track)
    return tuple(out)


def summary(
    path: str, rows: Sequence[FrameRow], verdict: Callable[[float], str], following: Following = DEFAULT
) -> VideoReport:
    """The report of a video's followed rows: mean scores of its faces, and the highest of those that count."""
    by_track: dict[int, list[FrameRow]] = defaultdict(list)
    for row in rows:
        if row.track is not None:
            by_track[row.track].append(row)
    tracks = tuple(_track(number, by_track[number], verdict) for number in sorted(by_track))
    if not tracks:
        first = rows[0] if rows else None
        status, reason = (first.status, first.reason) if first else ("unreadable", "no frame was given")
        return VideoReport(path, None, None, status, reason, frames=tuple(rows))
    seen = len({r.index for r in rows if r.track is not None})
    least = min(following.share * seen, max(t.frames for t in tracks))
    score = max(t.score for t in tracks if t.frames >= least)
    return VideoReport(path, score, verdict(score), "ok", "", tracks, tuple(rows))


def _track(number: int, rows: Sequence[FrameRow], verdict: Callable[[float], str]) -> TrackRow:
    score = float(np.mean([r.score for r in rows]))
    seconds = [r.seconds for r in rows]
    return TrackRow(number, min(seconds), max(seconds), len(rows), score, verdict(score))
