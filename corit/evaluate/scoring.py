"""A detector over a labelled source: a row for each picture, kept as it is made, so that work can stop and go on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

from corit.data.frames import is_video
from corit.data.sample import Sample, Source
from corit.data.stamp import CurrentVersion, Version, current_version
from corit.detect.detector import Report
from corit.detect.following import follow_reports
from corit.detect.video_score import FaceScore
from corit.errors import DataError, examples
from corit.evaluate.detectors import ScoringDetector
from corit.evaluate.rows import ScoredRow
from corit.images.display import READING
from corit.images.header import read_header
from corit.journal import Journal
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
    """Score the source's labelled pictures that the journal lacks; all rows, in the source's order.

    data, note: what the pictures are and what was done to them, which the journal remembers with the detector. A file
    that was changed since, or whose landmarks were, is scored again. A video is scored as a whole, since its faces are
    followed from frame to frame: where the journal lacks a frame, all are scored again. Rows that could not be scored,
    or have no label, carry a status and a reason. Raises DataError when the journal is of another detector, data or
    note, or when an id comes twice.
    """
    samples = _unique(source.samples)
    settings = {"detector": detector.identity, "data": data, "note": note, "scores": FORMAT, "reading": READING}
    with Journal(Path(journal), settings) as kept:
        before = {s.id: current_version(s) for s in samples}
        missing = _in_whole_videos([s for s in samples if not _holds(kept, s, before[s.id])], samples)
        if missing:
            detector.ready()  # missing weights end the command before it begins, and do not become a row
        done = len(samples) - len(missing)
        for sample, values in _scored(detector, source, missing, batch, workers):
            kept.write(sample.id, **asdict(before[sample.id].version()), **values)
            done += 1
            if progress is not None:
                progress(done, len(samples))
    return tuple(_row(s, kept.entries[s.id]) for s in samples)


def _in_whole_videos(missing: Sequence[Sample], samples: Sequence[Sample]) -> list[Sample]:
    """The missing rows, and all rows of the videos that lack one; the frames of a video stand together, in order."""
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
    """Whether a kept score is of the picture that is there now; of one that was only touched the new stamp is kept."""
    entry = kept.entries.get(sample.id)
    if entry is None or (entry["status"] == UNLABELLED) != (sample.label is None):
        return False
    if sample.video and entry["score"] is not None and "tracks" not in entry:
        return False  # of an earlier version, which did not follow faces
    if not now.same(Version(entry.get("stamp", ""), entry.get("content", ""))):
        return False
    if entry["stamp"] != now.stamp:
        kept.write(**{**entry, "stamp": now.stamp})
    return True


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
    """A picture's score is its most suspicious face's; without any it has the status of its first."""
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
