"""Score a video: its selected frames in one pass, each face followed, a score for each face and for the whole."""

from __future__ import annotations

import heapq
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from corit.detect.detector import Detector
from corit.detect.familiarity import farther
from corit.detect.following import DEFAULT, Following, FrameFaces, SceneCounter, follow_faces
from corit.detect.report import Evidence
from corit.detect.row import OUTSIDE, Row
from corit.detect.video_score import TRACK, FaceScore, VideoScore
from corit.errors import DataError, InputError
from corit.images.faces import FaceFinder, find_faces
from corit.images.frame_choice import Choice
from corit.images.picture import Picture, join_notes
from corit.images.scenes import colour_histogram, face_histogram
from corit.images.video import Frame, VideoFile
from corit.views.prepare import Preparer, Views

Per = Literal["frame", "track", "video"]


@dataclass(frozen=True)
class Moment:
    """One of the faces with the highest scores of a video.

    Attributes:
        row: of the face in its frame.
        evidence: what a page shows of it.
    """

    row: Row
    evidence: Evidence


@dataclass(frozen=True)
class VideoReport:
    """The rows of a video.

    Attributes:
        row: of the whole video; its score is as `VideoScore` says, and None where no frame has a score.
        tracks: a row for each face that is followed through the video, with the mean of its scores.
        frames: a row for each face of each frame; frames without a score have one row, and so has each part of the
            video that could not be decoded.
        scenes: number of the scene of each of `frames`, counted from 0, one more after each cut.
        count: frames that the video has or, where it is cut off, should have.
        missing: selected frames that could not be decoded.
        moments: faces with high scores in the order of time, if asked for; see `highest_faces`.
    """

    row: Row
    tracks: tuple[Row, ...] = ()
    frames: tuple[Row, ...] = ()
    scenes: tuple[int, ...] = ()
    count: int = 0
    missing: int = 0
    moments: tuple[Moment, ...] = ()

    @property
    def path(self) -> str:
        """The file."""
        return self.row.path

    @property
    def score(self) -> float | None:
        """The probability of fake of the video."""
        return self.row.score

    @property
    def verdict(self) -> str | None:
        """Fake, real or unsure."""
        return self.row.verdict

    @property
    def status(self) -> str:
        """See `Row`."""
        return self.row.status

    @property
    def reason(self) -> str:
        """See `Row`."""
        return self.row.reason

    def rows(self, per: Per = "track") -> Iterator[Row]:
        """The row of the video, then those of its tracks unless `per` is "video", then with "frame" those of frames."""
        yield self.row
        yield from self.tracks if per in ("track", "frame") else ()
        yield from self.frames if per == "frame" else ()


def require_per(per: str) -> None:
    """Raise DataError for a choice of rows that does not exist."""
    if per not in get_args(Per):
        raise DataError(f"expected rows per {', '.join(get_args(Per))}, got {per!r}")


def failed_video(path: str, error: InputError, frames: Sequence[Row] = (), scenes: Sequence[int] = ()) -> VideoReport:
    """The report of a video that cannot be scored."""
    row = Row(path, status=error.status, reason=str(error), part="video", frames=_scored(frames))
    return VideoReport(row, frames=tuple(frames), scenes=tuple(scenes))


def score_video(
    detector: Detector,
    path: str | Path,
    *,
    frames: int | None = 32,
    choice: Choice = "even",
    batch: int = 8,
    moments: int = 0,
    following: Following = DEFAULT,
    video_score: VideoScore = TRACK,
    finder: FaceFinder = find_faces,
) -> VideoReport:
    """Score a video.

    Each frame is held only until its faces are cut out. No score depends on how many faces are encoded together.

    Args:
        detector: the detector.
        path: of the video.
        frames: score at most this many frames, selected by index; None scores all.
        choice: "even" spreads the frames over the video, "first" takes the first ones.
        batch: faces that are encoded together at most.
        moments: give this many of the faces with the highest scores with their evidence; see `highest_faces`.
        following: how faces are followed from frame to frame.
        video_score: how the scores of the faces become the score of the video: VideoScore("track") or
            VideoScore("frames"); a plain text is not accepted.
        finder: finds the faces of a frame.

    Returns:
        The rows; a video that cannot be scored has a status and a reason instead of a score.

    Raises:
        DataError: there is no such choice of frames, or the batch is of less than one face.
    """
    if batch < 1:
        raise DataError(f"expected a batch of at least one face, got {batch}")
    name = os.fspath(path)
    faces: list[_Face] = []
    preparer = replace(detector.preparer(), finder=finder)
    try:
        video = VideoFile(name)
        for prepared in _batches(_prepare(preparer, video.frames(frames, choice), following), batch):
            faces += _score(detector, name, prepared, batch)
    except InputError as err:
        return failed_video(name, err, [f.row for f in faces], [f.scene for f in faces])
    scenes = [f.scene for f in faces]
    rows = with_tracks([f.row for f in faces], scenes, [f.look for f in faces], following)
    report = _add_lost(summary(name, rows, detector.verdict, video_score), scenes, video)
    with suppress(InputError):  # the file is gone since it was scored
        highest = highest_faces(report.frames, moments)
        report = replace(report, moments=tuple(_moments(detector, preparer, name, highest)))
    return report


def highest_faces(rows: Sequence[Row], limit: int) -> list[Row]:
    """At most `limit` of the faces with the highest scores: the highest of each track first, then the others."""
    ranked = sorted((r for r in rows if r.score is not None), key=lambda r: -(r.score or 0.0))
    best: dict[int | None, Row] = {}
    for row in ranked:
        best.setdefault(row.track, row)
    return [*best.values(), *(r for r in ranked if best[r.track] is not r)][:limit]


def _index(row: Row) -> int:
    assert row.frame is not None
    return row.frame


def _moments(detector: Detector, preparer: Preparer, path: str, rows: Sequence[Row]) -> Iterator[Moment]:
    """The evidence of some faces in the order of time. Only now are their tracks known: the video is decoded again."""
    if not rows:
        return
    video = VideoFile(path)
    for index, group in groupby(sorted(rows, key=_index), key=_index):
        frame = video.frame(index)
        if frame is None:  # the file has changed since
            return
        views = {v.box: v for v in preparer(Picture(frame.pixels))}
        yield from (Moment(r, detector.evidence(views[r.face])) for r in group if r.face in views)


def _add_lost(report: VideoReport, scenes: Sequence[int], video: VideoFile) -> VideoReport:
    """The report of a decoded video, with the scenes and a row for each part that could not be decoded."""
    assert video.ending is not None
    end = video.ending
    report = replace(report, scenes=tuple(scenes), count=video.count, missing=end.missing)
    if end.status == "ok":
        return report
    lost = (
        (_frame_row(report.path, g.index, g.seconds, end=g.until, status="unreadable", reason=end.reason), None)
        for g in end.gaps
    )
    scene, merged = 0, list[tuple[Row, int]]()
    decoded = zip(report.frames, scenes, strict=True)
    for row, own in heapq.merge(decoded, lost, key=lambda pair: _index(pair[0])):
        scene = scene if own is None else own
        merged.append((row, scene))
    status = end.status if report.score is not None else report.status
    row = replace(report.row, status=status, reason=join_notes(report.reason, end.reason))
    return replace(report, row=row, frames=tuple(r for r, _ in merged), scenes=tuple(n for _, n in merged))


class _Face(NamedTuple):
    """A row of a frame, with its scene and the colours of the face."""

    row: Row
    scene: int
    look: np.ndarray | None = None


@dataclass(frozen=True)
class _PreparedFrame:
    """A frame without its pixels: the views of its faces, or why it has none."""

    index: int
    seconds: float
    scene: int
    views: tuple[Views, ...] = ()
    looks: tuple[np.ndarray | None, ...] = ()
    status: str = "ok"
    reason: str = ""


def _prepare(preparer: Preparer, frames: Iterable[Frame], following: Following) -> Iterator[_PreparedFrame]:
    """Prepare frame by frame, so that no two of them are in memory."""
    scenes = SceneCounter(following)
    for frame in frames:
        place = frame.index, frame.seconds, scenes.next(colour_histogram(frame.pixels))
        try:
            views = preparer(Picture(frame.pixels, note=frame.note))
            looks = tuple(face_histogram(frame.pixels, v.box) if v.box else None for v in views)
            yield _PreparedFrame(*place, views, looks)
        except InputError as err:
            yield _PreparedFrame(*place, status=err.status, reason=str(err))


def _batches(frames: Iterable[_PreparedFrame], batch: int) -> Iterator[list[_PreparedFrame]]:
    """Frames that have a batch of faces together, or more where the last of them has several."""
    group, faces = list[_PreparedFrame](), 0
    for frame in frames:
        group.append(frame)
        faces += len(frame.views)
        if faces >= batch:
            yield group
            group, faces = [], 0
    yield group


def _score(detector: Detector, path: str, frames: Sequence[_PreparedFrame], batch: int) -> Iterator[_Face]:
    """The rows of some frames, their faces encoded a batch at a time."""
    views = [v for one in frames for v in one.views]
    readings = (one for k in range(0, len(views), batch) for one in detector.readings(views[k : k + batch]))
    for one in frames:
        row = partial(_frame_row, path, one.index, one.seconds)
        if not one.views:
            yield _Face(row(status=one.status, reason=one.reason), one.scene)
        for view, colour in zip(one.views, one.looks, strict=True):
            logits, distance, _ = next(readings)
            score = float(detector.card.calibration.score(logits)[0])
            reason = join_notes(detector.outside(distance=distance), view.note)
            verdict, name = detector.verdict(score, distance=distance), detector.name or None
            scored = row(face=view.box, score=score, verdict=verdict, reason=reason, detector=name)
            yield _Face(scored, one.scene, colour)


def _frame_row(path: str, index: int, seconds: float, end: float | None = None, **values: Any) -> Row:
    end = None if end is None else round(end, 3)
    return Row(path, part="frame", frame=index, start=round(seconds, 3), end=end, **values)


def with_tracks(
    rows: Sequence[Row],
    scenes: Sequence[int] = (),
    looks: Sequence[np.ndarray | None] = (),
    following: Following = DEFAULT,
) -> tuple[Row, ...]:
    """Number the faces of a video, followed inside each scene; whole frames are one track.

    Args:
        rows: of frames, in the order of time.
        scenes: number of the scene of each row; by default all are of one.
        looks: colours of each row's face; see `corit.images.scenes.face_histogram`.
        following: how faces are followed.

    Returns:
        The rows; those with a score have a track.
    """
    faces = map(_Face, rows, scenes or (0,) * len(rows), looks or (None,) * len(rows))
    groups = [list(group) for _, group in groupby(faces, key=lambda f: _index(f.row))]
    scored = [[f for f in group if f.row.score is not None] for group in groups]
    frames = [
        FrameFaces(group[0].scene, tuple(f.row.face for f in some), tuple(f.look for f in some))
        for group, some in zip(groups, scored, strict=True)
    ]
    numbers = (iter(tracks) for tracks in follow_faces(frames, following))
    return tuple(
        f.row if f.row.score is None else replace(f.row, track=next(tracks))
        for group, tracks in zip(groups, numbers, strict=True)
        for f in group
    )


def summary(
    path: str, rows: Sequence[Row], verdict: Callable[[float], str], video_score: VideoScore = TRACK
) -> VideoReport:
    """Summarise a video: the mean score of each face, and the score of the video.

    A track is unsure where most of its rows are outside what the detector was trained on. A video is, where most of its
    faces are, or the track that gives it its score.

    Args:
        path: of the video.
        rows: of its frames, with tracks.
        verdict: what the detector calls a score.
        video_score: how the scores of the faces become the score of the video: VideoScore("track") or
            VideoScore("frames"); a plain text is not accepted.

    Returns:
        The report of these rows alone, without scenes and numbers of frames.
    """
    by_track: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        if row.track is not None:
            by_track[row.track].append(row)
    tracks = tuple(_track_row(path, number, by_track[number], verdict) for number in sorted(by_track))
    if not tracks:
        first = rows[0] if rows else None
        reason = f"none of {len(rows)} frames could be scored; the first: {first.reason}" if first else "no frame"
        status = first.status if first else "unreadable"
        return VideoReport(Row(path, status=status, reason=reason, part="video", frames=0), frames=tuple(rows))
    score = video_score(
        [FaceScore(_index(r), t, r.score) for t, own in by_track.items() for r in own if r.score is not None]
    )
    scored = [r for r in rows if r.score is not None]
    words = _mostly_outside(scored) or next((t.reason for t in tracks if t.score == score), "")
    reason = join_notes(words, next(filter(None, (_parts(r.reason)[1] for r in scored)), ""))
    called = "unsure" if words else verdict(score)
    row = Row(path, score=score, verdict=called, reason=reason, part="video", frames=_scored(rows))
    return VideoReport(replace(row, detector=tracks[0].detector), tracks, tuple(rows))


def _mostly_outside(rows: Sequence[Row]) -> str:
    """How the reason of scored rows begins where most of them are outside the training; else nothing."""
    words = [_parts(r.reason)[0] for r in rows if r.outside]
    if 2 * len(words) <= len(rows):
        return ""
    several = f"{OUTSIDE}: in {len(words)} of {len(rows)} rows the {farther()}"
    return words[0] if len(set(words)) == 1 else several


def _parts(reason: str) -> tuple[str, str]:
    """What a reason says of being outside the training, and the rest of it."""
    if not reason.startswith(OUTSIDE):
        return "", reason
    words, _, rest = reason.partition("; ")
    return words, rest


def _scored(rows: Iterable[Row]) -> int:
    """The number of frames with a score."""
    return len({r.frame for r in rows if r.score is not None})


def _track_row(path: str, number: int, rows: Sequence[Row], verdict: Callable[[float], str]) -> Row:
    score = float(np.mean([r.score for r in rows]))
    seconds = [r.start for r in rows if r.start is not None]
    words, start, end = _mostly_outside(rows), min(seconds), max(seconds)
    called = "unsure" if words else verdict(score)
    row = Row(path, score=score, verdict=called, part="track", start=start, end=end, track=number, frames=len(rows))
    return replace(row, reason=words, detector=rows[0].detector)
