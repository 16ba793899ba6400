"""Score a labelled source into a journal, row by row, so that the run can stop and resume."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

from corit.data.frames import is_video
from corit.data.sample import Sample, Source
from corit.data.stamp import CurrentVersion, current_version, entry_is_current
from corit.detect.detector import Report
from corit.detect.following import follow_reports
from corit.detect.video_score import FaceScore
from corit.errors import DataError, examples
from corit.evaluate.detectors import ScoringDetector
from corit.evaluate.rows import ScoredRow
from corit.images.display import READING
from corit.images.header import read_header
from corit.journal import Journal, lock_file
from corit.progress import Progress, no_progress

UNLABELLED = "unlabelled"
FORMAT = 1  # of scores: to be raised when the same pixels and detector give another one


def score_source(
    detector: ScoringDetector,
    source: Source,
    journal: str | Path,
    *,
    batch: int = 8,
    workers: int = 0,
    data: str = "",
    note: str = "",
    progress: Progress = no_progress,
) -> tuple[ScoredRow, ...]:
    """Score the labelled pictures of a source that a journal lacks.

    A file that changed since, or whose landmarks changed, is scored again. A video is scored as a whole, since its
    faces are followed from frame to frame: where the journal lacks a frame, all frames are scored again.

    Args:
        detector: the detector.
        source: of the pictures.
        journal: file that keeps the scores.
        batch: pictures or faces in one forward pass.
        workers: processes that decode and prepare pictures.
        data: what the pictures are; the journal remembers it with the detector.
        note: what was done to the pictures; the journal remembers it as well.
        progress: called after each row.

    Returns:
        All rows, in the order of the source. One that has no label or could not be scored has a status and a reason.

    Raises:
        DataError: the journal is of another detector, other data or another note, another process writes to it, or an
            id occurs twice.
    """
    samples = _unique(source.samples)
    settings = {"detector": detector.identity, "data": data, "note": note, "scores": FORMAT, "reading": READING}
    with lock_file(f"{journal}.lock", str(journal), temporary=True), Journal(Path(journal), settings) as kept:
        before = {s.id: current_version(s) for s in samples}
        missing = _in_whole_videos([s for s in samples if not _holds(kept, s, before[s.id])], samples)
        if missing:
            detector.ready()  # missing weights end the command before it begins, and do not become a row
        done = len(samples) - len(missing)
        for sample, values in _scored(detector, source, missing, batch, workers):
            kept.write(sample.id, **asdict(before[sample.id].version()), **values)
            done += 1
            progress(done, len(samples))
    return tuple(_row(s, kept.entries[s.id]) for s in samples)


def _in_whole_videos(missing: Sequence[Sample], samples: Sequence[Sample]) -> list[Sample]:
    """The missing rows, and all rows of videos that lack one; the frames of a video stand together, in order."""
    lost = {s.id for s in missing}
    videos = {s.video for s in missing if s.video}
    rows = [s for s in samples if s.id in lost or s.video in videos]
    place: dict[str, int] = {}
    for i, s in enumerate(rows):
        place.setdefault(_unit(s), i)
    return sorted(rows, key=lambda s: (place[_unit(s)], s.frame if s.video else 0))


def _unit(sample: Sample) -> str:
    """What is scored as a whole: a video, or a picture of none."""
    return f"video {sample.video}" if sample.video else f"picture {sample.id}"


def _holds(kept: Journal, sample: Sample, now: CurrentVersion) -> bool:
    """Whether a kept score is of the picture that is there now."""
    entry = kept.entries.get(sample.id)
    if entry is None or (entry["status"] == UNLABELLED) != (sample.label is None):
        return False
    if sample.video and entry["score"] is not None and "tracks" not in entry:
        return False  # of an earlier version, which did not follow faces
    return entry_is_current(kept, sample.id, now)


def _unique(samples: Sequence[Sample]) -> Sequence[Sample]:
    seen: set[str] = set()
    twice = [s.id for s in samples if s.id in seen or seen.add(s.id)]  # type: ignore[func-returns-value]
    if twice:
        raise DataError(f"expected ids that are unique within the data, got {examples(twice)} twice; rename them")
    return samples


def _scored(
    detector: ScoringDetector, source: Source, samples: Sequence[Sample], batch: int, workers: int
) -> Iterator[tuple[Sample, dict[str, Any]]]:
    for s in samples:
        if s.label is None:
            yield s, {"status": UNLABELLED, "reason": "the row has no label", "score": None}
    labelled = [s for s in samples if s.label is not None]
    reports = detector.scan(source, labelled, batch=batch, workers=workers)
    path, header = "", None
    for _, group in groupby(zip(labelled, reports, strict=True), key=lambda pair: _unit(pair[0])):
        rows = list(group)
        first = rows[0][0]
        faces = follow_reports([r for _, r in rows], on_disk=not first.video or not is_video(first.path))
        for (s, report), followed in zip(rows, faces, strict=True):
            if s.path != path:  # the frames of a video share theirs
                path, header = s.path, read_header(s.path)
            yield s, {**_outcome(report, followed), **(asdict(header) if header else {})}


def _outcome(report: Report, followed: Sequence[FaceScore]) -> dict[str, Any]:
    """The score of a picture is that of its highest face; without one it has the status of its first face."""
    if report.score is None:
        return {"status": report.rows[0].status, "reason": report.rows[0].reason, "score": None}
    faces = [r for r in report.rows if r.score is not None]
    highest = max(faces, key=lambda r: r.score or 0.0)
    tracks = [[face.track, face.score] for face in followed]
    return {"status": "ok", "reason": highest.reason, "score": highest.score, "faces": len(faces), "tracks": tracks}


def _row(s: Sample, entry: dict[str, Any]) -> ScoredRow:
    values = {k: v for k, v in entry.items() if k not in ("name", "stamp", "content")}
    values["tracks"] = tuple((track, score) for track, score in values.get("tracks", ()))
    label = -1 if s.label is None else s.label
    return ScoredRow(s.id, s.path, label, s.split, s.manipulation, s.dataset, s.group, s.video, s.frame, **values)
