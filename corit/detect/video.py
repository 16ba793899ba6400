"""Score a video: its chosen frames in one pass, each face followed, a score for each face and for the whole."""

from __future__ import annotations

import heapq
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

import numpy as np

from corit.detect.detector import Detector, Evidence
from corit.detect.following import DEFAULT, Following, FrameFaces, SceneCounter, follow_faces
from corit.detect.video_score import TRACK, FaceScore, VideoScore
from corit.errors import DataError, InputError
from corit.images.faces import FaceFinder, find_faces
from corit.images.frame_choice import Choice
from corit.images.picture import Picture, join_notes
from corit.images.scenes import colour_histogram, face_histogram
from corit.images.video import Frame, VideoFile
from corit.views.prepare import Box, Preparer, Views


@dataclass(frozen=True)
class FrameRow:
    """One face of one frame, or a frame or part of the video without a score: then track, face and score are None.

    index: of the frame. seconds: its time. face: (x0, y0, x1, y1) in pixels, None where whole frames are scored.
    status: ok, no_face, too_small; unreadable, where the frames from this one on could not be decoded, up to the one
    that is shown at the second `until`, or None. scene: counted from 0, one more after each cut. look: the colours of
    the face, by which another one in its place is told.
    """

    index: int
    seconds: float
    track: int | None
    face: Box | None
    score: float | None
    status: str
    reason: str
    scene: int = 0
    until: float | None = None
    look: np.ndarray | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class TrackRow:
    """One face through the video: its number, seconds of its first and last frame, how many frames, their mean score.

    The verdict is that of the mean under the detector's thresholds, which were set on single frames. reason: what a
    reader must know of it, or nothing.
    """

    track: int
    first: float
    last: float
    frames: int
    score: float
    verdict: str
    reason: str = ""


@dataclass(frozen=True)
class Moment:
    """One of the most suspicious faces of a video, with what a page shows of it."""

    row: FrameRow
    evidence: Evidence


@dataclass(frozen=True)
class VideoReport:
    """What was found in a video.

    status: ok; truncated, where frames could not be decoded and the score is of the others; no_face or too_small, where
    no frame could be scored; unreadable, unsupported. score: see `VideoScore`, None where nothing was scored. count:
    frames that it has or, cut, should have. missing: chosen frames that could not be decoded. moments: high-scored
    faces in the order of time, if asked for: see `spread`.
    """

    path: str
    score: float | None
    verdict: str | None
    status: str
    reason: str
    tracks: tuple[TrackRow, ...] = ()
    frames: tuple[FrameRow, ...] = ()
    count: int = 0
    missing: int = 0
    moments: tuple[Moment, ...] = ()


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
    """Score at most `frames` frames of a video, chosen by index, or all; what cannot be had is a status, not a score.

    Each frame is held only until its faces are cut out; at most `batch` faces are encoded together, and no score
    depends on how many. video_score: how the scores of faces become that of the video.
    moments: so many of the highest-scored faces, see `spread`, are given with the evidence of each patch. Raises
    DataError for a choice that there is not, and for a batch of less than one face.
    """
    if batch < 1:
        raise DataError(f"expected a batch of at least one face, got {batch}")
    name = os.fspath(path)
    rows: list[FrameRow] = []
    preparer = replace(detector.preparer(), finder=finder)
    try:
        video = VideoFile(name)
        for taken in _batches(_looks(preparer, video.frames(frames, choice), following), batch):
            rows += _score(detector, taken, batch)
    except InputError as err:
        return VideoReport(name, None, None, err.status, str(err), frames=tuple(rows))
    report = _ended(name, with_tracks(rows, following), video, detector, video_score)
    with suppress(InputError):  # a file that went away since it was scored
        report = replace(report, moments=tuple(_moments(detector, preparer, name, spread(report.frames, moments))))
    return report


def spread(rows: Sequence[FrameRow], most: int) -> list[FrameRow]:
    """At most so many of the faces with the highest scores: the highest of each track first, then the rest."""
    ranked = sorted((r for r in rows if r.score is not None), key=lambda r: -(r.score or 0.0))
    best: dict[int | None, FrameRow] = {}
    for row in ranked:
        best.setdefault(row.track, row)
    return [*best.values(), *(r for r in ranked if best[r.track] is not r)][:most]


def _moments(detector: Detector, preparer: Preparer, path: str, rows: Sequence[FrameRow]) -> Iterator[Moment]:
    """The evidence of some faces in the order of time. Only now are their tracks known: the video is played again."""
    if not rows:
        return
    video = VideoFile(path)
    for index, group in groupby(sorted(rows, key=lambda r: r.index), key=lambda r: r.index):
        frame = video.frame(index)
        if frame is None:  # the file has changed since
            return
        views = {v.box: v for v in preparer(Picture(frame.pixels))}
        yield from (Moment(r, detector.evidence(views[r.face])) for r in group if r.face in views)


def _ended(
    name: str, rows: Sequence[FrameRow], video: VideoFile, detector: Detector, video_score: VideoScore
) -> VideoReport:
    """The report of a decoded video, with what could not be decoded."""
    assert video.ending is not None
    end = video.ending
    report = _said(summary(name, rows, detector.verdict, video_score), detector.outside())
    report = replace(report, count=video.count, missing=end.missing)
    if end.status == "ok":
        return report
    lost = (FrameRow(g.index, g.seconds, None, None, None, "unreadable", end.reason, until=g.until) for g in end.gaps)
    scene, frames = 0, list[FrameRow]()
    for row in heapq.merge(report.frames, lost, key=lambda r: r.index):
        scene = row.scene if row.status != "unreadable" else scene
        frames.append(replace(row, scene=scene))
    status = end.status if report.score is not None else report.status
    reason = join_notes(report.reason, end.reason)
    return replace(report, status=status, reason=reason, frames=tuple(frames))


def _said(report: VideoReport, words: str) -> VideoReport:
    """A report that says something with each of its scores."""
    if report.score is None:
        return report
    tracks = tuple(replace(t, reason=join_notes(words, t.reason)) for t in report.tracks)
    own = report.reason.removeprefix(words).removeprefix("; ")  # which a frame's may begin with
    return replace(report, reason=join_notes(words, own), tracks=tracks)


@dataclass(frozen=True)
class _Look:
    """A frame without its pixels: the row of each face but for its score, and the views of those that have some."""

    row: FrameRow
    views: tuple[Views, ...]
    looks: tuple[np.ndarray | None, ...] = ()


def _looks(preparer: Preparer, frames: Iterable[Frame], following: Following) -> Iterator[_Look]:
    """Prepare frame by frame, so that no two of them are in memory."""
    scenes = SceneCounter(following)
    for frame in frames:
        scene = scenes.next(colour_histogram(frame.pixels))
        row = FrameRow(frame.index, frame.seconds, None, None, None, "ok", "", scene)
        try:
            views = preparer(Picture(frame.pixels, note=frame.note))
            yield _Look(row, views, tuple(face_histogram(frame.pixels, v.box) if v.box else None for v in views))
        except InputError as err:
            yield _Look(replace(row, status=err.status, reason=str(err)), ())


def _batches(looks: Iterable[_Look], batch: int) -> Iterator[list[_Look]]:
    """Frames that have a batch of faces together, or more where the last of them has several."""
    taken, faces = list[_Look](), 0
    for one in looks:
        taken.append(one)
        faces += len(one.views)
        if faces >= batch:
            yield taken
            taken, faces = [], 0
    yield taken


def _score(detector: Detector, looks: Sequence[_Look], batch: int) -> Iterator[FrameRow]:
    """The rows of some frames, their faces encoded a batch at a time."""
    views = [v for one in looks for v in one.views]
    logits = (found for k in range(0, len(views), batch) for found in detector.logits(views[k : k + batch]))
    for one in looks:
        if not one.views:
            yield one.row
        for view, seen in zip(one.views, one.looks, strict=True):
            score = float(detector.card.calibration.score(next(logits))[0])
            reason = join_notes(one.row.reason, detector.outside(), view.note)
            yield replace(one.row, face=view.box, score=score, look=seen, reason=reason)


def with_tracks(rows: Sequence[FrameRow], following: Following = DEFAULT) -> tuple[FrameRow, ...]:
    """The rows of a video with the tracks of their faces, followed inside each scene; whole frames are one track."""
    groups = [list(group) for _, group in groupby(rows, key=lambda r: r.index)]
    scored = [[r for r in group if r.score is not None] for group in groups]
    frames = [
        FrameFaces(group[0].scene, tuple(r.face for r in faces), tuple(r.look for r in faces))
        for group, faces in zip(groups, scored, strict=True)
    ]
    numbers = (iter(tracks) for tracks in follow_faces(frames, following))
    return tuple(
        row if row.score is None else replace(row, track=next(tracks))
        for group, tracks in zip(groups, numbers, strict=True)
        for row in group
    )


def summary(
    path: str, rows: Sequence[FrameRow], verdict: Callable[[float], str], video_score: VideoScore = TRACK
) -> VideoReport:
    """The report of a video's followed rows: the mean score of each face, and the score of the video."""
    by_track: dict[int, list[FrameRow]] = defaultdict(list)
    for row in rows:
        if row.track is not None:
            by_track[row.track].append(row)
    tracks = tuple(_track(number, by_track[number], verdict) for number in sorted(by_track))
    if not tracks:
        first = rows[0] if rows else None
        reason = f"none of {len(rows)} frames could be scored; the first: {first.reason}" if first else "no frame"
        return VideoReport(path, None, None, first.status if first else "unreadable", reason, frames=tuple(rows))
    faces = [FaceScore(r.index, r.track, r.score) for r in rows if r.track is not None and r.score is not None]
    score = video_score(faces)
    note = next((r.reason for r in rows if r.score is not None and r.reason), "")
    return VideoReport(path, score, verdict(score), "ok", note, tracks, tuple(rows))


def _track(number: int, rows: Sequence[FrameRow], verdict: Callable[[float], str]) -> TrackRow:
    score = float(np.mean([r.score for r in rows]))
    seconds = [r.seconds for r in rows]
    return TrackRow(number, min(seconds), max(seconds), len(rows), score, verdict(score))
