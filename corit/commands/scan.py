"""Paths -> lines on standard output or in a file, in order, as a stream; and the page that shows them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path, PurePath
from typing import IO, TYPE_CHECKING, Any, get_args

from corit.data.folders import UnlabelledFiles, list_pictures
from corit.data.frames import VIDEO_SUFFIXES
from corit.data.landmarks import Landmarks
from corit.data.passed_over import PassedOver
from corit.data.stamp import CurrentVersion
from corit.detect.detector import Detector, Report
from corit.detect.output import (
    ENCODING,
    Format,
    Line,
    Per,
    Resumed,
    Stream,
    begin,
    picture_lines,
    resume,
    settings_of,
    video_lines,
)
from corit.detect.video import VideoReport, score_video
from corit.detect.video_score import VideoScore, VideoScoreName
from corit.errors import DataError, InputError, examples
from corit.files import require_writable
from corit.images.display import READING
from corit.images.file_kind import is_gif
from corit.images.frame_choice import Choice, choose
from corit.images.header import frames_in
from corit.images.picture import SUFFIXES
from corit.images.video import VideoFile, is_video_file
from corit.journal import lock_file
from corit.progress import progress_bar
from corit.report.lines import Screen

if TYPE_CHECKING:
    from corit.report.detect import Gallery

LISTED = 10_000  # inputs that are looked up before the first is scored, so that the progress bar knows its end
MOMENTS = 6  # faces of each video that a page shows


@dataclass(frozen=True)
class Job:
    """What `corit detect` was asked for: see its help. frames: 0 for all."""

    paths: tuple[str, ...]
    format: Format = "table"
    html: Path | None = None
    out: Path | None = None
    twins: int = 1
    aligned: bool = False
    landmarks: Landmarks | None = None
    batch: int = 8
    workers: int = 0
    frames: int = 32
    choice: Choice = "even"
    per: Per = "track"
    video_score: VideoScoreName = "track"

    def __post_init__(self) -> None:
        absent = [p for p in self.paths if not os.path.lexists(p)]
        if absent:
            raise DataError(f"expected files or folders, but there is no {absent[0]}; check the path")
        if self.out is not None and self.format == "table":
            raise DataError("a file for the rows needs --format jsonl or csv; a table is for reading on the screen")
        if self.twins < 1:
            raise DataError(f"expected at least one twin, got {self.twins}")
        if self.batch < 1 or self.workers < 0:
            raise DataError(f"expected a batch >= 1 and workers >= 0, got {self.batch} and {self.workers}")
        if self.per not in get_args(Per):
            raise DataError(f"expected rows per {', '.join(get_args(Per))}, got {self.per!r}")
        choose(1, self.frames or None, self.choice)
        VideoScore(self.video_score)


def inputs(paths: Iterable[str], *, videos: bool, passed: PassedOver | None = None) -> Iterator[str]:
    """The videos, or the pictures, among files and in folders, folder by folder as they are looked into.

    The suffix says which is which, but for GIF files, which are videos if they move; a file with another suffix, or
    none, is what it begins as, and in a folder it is passed over, and counted in passed, where that is neither.
    """
    passed = PassedOver() if passed is None else passed
    for root in paths:
        for path in list_pictures(root, SUFFIXES | VIDEO_SUFFIXES, accepts=passed.accepts):
            if videos == _plays(path):
                yield path


def _plays(path: str) -> bool:
    suffix = PurePath(path).suffix.lower()
    if suffix == ".gif" or (suffix not in SUFFIXES | VIDEO_SUFFIXES and is_gif(path)):
        return frames_in(path) > 1 and _moves(path)
    return suffix in VIDEO_SUFFIXES or (suffix not in SUFFIXES and is_video_file(path))


def _moves(path: str) -> bool:
    """Whether a GIF file can be played: of one that gives its frames no time the decoder sees the first only."""
    try:
        return VideoFile(path).survey() > 1
    except InputError:
        return False


def run(detector: Detector, job: Job) -> int:
    """Score all pictures, then all videos, print or write their lines, and return how many inputs' lines have a score.

    Nothing is held of what was written but, for an interrupted file that is gone on with, the names of what is done.
    Raises DataError, before any work, where a file cannot be written, or another process writes it.
    """
    for target in (job.out, job.html):
        if target is not None:
            require_writable(target)
    with _alone(job):
        return _run(detector, job)


def _run(detector: Detector, job: Job) -> int:
    before = Resumed()
    if job.out is not None:
        begin(_part(job.out), _settings(job, detector))
        before = resume(_part(job.out), job.format)
        _require_unchanged(before.done, _part(job.out))
    listed, passed = PassedOver(), PassedOver()
    pictures, videos = _todo(job, before, videos=False, passed=listed), _todo(job, before, videos=True)
    head = list(islice(chain(pictures, videos), LISTED + 1))
    if not head and not before.done:
        said = f"; {listed.summary}" if listed.summary else ""
        raise DataError(f"expected pictures or videos in {', '.join(job.paths)}, but found none{said}")
    if head:
        _ = detector.encoder  # so that missing weights end the command before the first line, and are not a line
    gallery, scored = _gallery(job, detector, before), before.scored
    with progress_bar("pictures and videos") as progress, _sink(job) as stream, _noting(job) as (look, note):
        begun = job.out is not None and stream.tell() > 0
        writer = Screen(stream) if job.format == "table" else Stream(stream, job.format, begun)
        total = len(head) if len(head) <= LISTED else None
        progress(0, total)
        for done, report in enumerate(_reports(detector, job, before, passed, look), start=1):
            if gallery is not None:
                gallery.add(report)
            for line in _lines(report, job, detector):
                writer.write(line)
                scored += line.score is not None
            stream.flush()
            note(report.path)
            progress(done, total)
        writer.end()
    if passed.summary:
        from corit.report.text import escape_controls

        print(escape_controls(f"corit: {passed.summary}"), file=sys.stderr)
    if job.out is not None:
        os.replace(_part(job.out), job.out)
        for beside in (settings_of(_part(job.out)), _stamps(_part(job.out))):
            beside.unlink(missing_ok=True)
    if gallery is not None and job.html is not None:
        gallery.write(job.html)
    return scored


def _settings(job: Job, detector: Detector) -> dict[str, Any]:
    """All that lines depend on, but for the inputs: a job with other values may not go on with its file."""
    asked = {k: getattr(job, k) for k in ("format", "twins", "aligned", "frames", "choice", "per", "video_score")}
    known = {"detector": _digest(detector), "landmarks": _landmarks_digest(job.landmarks), "reading": READING}
    outside = {"outside": words} if (words := detector.outside()) else {}
    return {**known, **asked, **outside}


def _digest(detector: Detector) -> str:
    """Of the head, the recipe with its weights, and the calibration."""
    parts = hashlib.sha256(f"{detector.card.recipe.digest} {detector.card.calibration}".encode())
    for name, tensor in sorted(detector.head.state().items()):
        parts.update(name.encode() + tensor.numpy().tobytes())
    return parts.hexdigest()[:16]


def _landmarks_digest(landmarks: Landmarks | None) -> str | None:
    if landmarks is None:
        return None
    parts = hashlib.sha256()
    for name, points in landmarks.points.items():
        parts.update(name.encode(errors="surrogateescape") + points.tobytes())
    for name, words in landmarks.wrong.items():
        parts.update(f"{name} {words}".encode(errors="surrogateescape"))
    return parts.hexdigest()[:16]


def _todo(job: Job, before: Resumed, *, videos: bool, passed: PassedOver | None = None) -> Iterator[str]:
    return (p for p in inputs(job.paths, videos=videos, passed=passed) if p not in before.done)


def _reports(
    detector: Detector, job: Job, before: Resumed, passed: PassedOver, look: Callable[[str], str]
) -> Iterator[Report | VideoReport]:
    """Pictures first, all in one stream of batches, since workers that prepare them are slow to start.

    look: called with each path before it is read, and gives it back.
    """
    known = None if job.landmarks is None else job.landmarks.among(inputs(job.paths, videos=False))
    source = UnlabelledFiles(job.aligned, known)
    samples = map(source.sample, map(look, _todo(job, before, videos=False, passed=passed)))
    shown = job.html is not None
    scanned = detector.scan(source, samples, twins=job.twins, batch=job.batch, workers=job.workers, evidence=shown)
    yield from scanned
    for path in map(look, _todo(job, before, videos=True)):
        yield _video(detector, job, path)


def _video(detector: Detector, job: Job, path: str) -> VideoReport:
    if job.aligned or job.landmarks is not None:
        reason = "expected pictures with --aligned or --landmarks; score videos without, so that faces are looked for"
        return VideoReport(path, None, None, "unsupported", reason)
    moments = MOMENTS if job.html is not None else 0
    return score_video(
        detector,
        path,
        frames=job.frames or None,
        choice=job.choice,
        batch=job.batch,
        moments=moments,
        video_score=VideoScore(job.video_score),
    )


def _lines(report: Report | VideoReport, job: Job, detector: Detector) -> Iterator[Line]:
    if isinstance(report, Report):
        return picture_lines(report)
    return video_lines(report, job.per, detector.verdict)


def _gallery(job: Job, detector: Detector, before: Resumed) -> Gallery | None:
    if job.html is None:
        return None
    from corit.report.detect import Gallery

    described = VideoScore(job.video_score).description
    return Gallery(
        detector.card.calibration, before=len(before.done), warning=detector.outside(), video_score=described
    )


def _part(out: Path) -> Path:
    return out.with_name(out.name + ".part")


def _stamps(part: Path) -> Path:
    """The file beside a .part that holds the stamp of each input that it has lines of."""
    return part.with_name(part.name + ".stamps")


@contextmanager
def _noting(job: Job) -> Iterator[tuple[Callable[[str], str], Callable[[str], object]]]:
    """Two callbacks: for an input before it is read, and for one whose lines are written, whose stamp is remembered."""
    if job.out is None:
        yield (lambda path: path), (lambda path: None)
        return
    stamps: dict[str, str] = {}

    def look(path: str) -> str:
        stamps[path] = CurrentVersion([path]).stamp
        return path

    with _stamps(_part(job.out)).open("a", encoding="utf-8") as file:
        # Each line begins with its end, so that one that was cut short does not swallow the next.
        yield look, lambda path: print("\n" + json.dumps([path, stamps.pop(path, "")]), file=file, flush=True)


def _require_unchanged(done: Set[str], part: Path) -> None:
    """Raise DataError where an input is another file than that of which an interrupted run wrote lines."""
    noted = _stamps(part)
    if not done:
        noted.unlink(missing_ok=True)
        return
    before: dict[str, str] = {}
    for line in noted.read_text(encoding="utf-8").splitlines() if noted.exists() else ():
        with suppress(ValueError):  # a line that a kill cut short
            before.update([json.loads(line)])
    changed = [path for path in before if path in done and CurrentVersion([path]).stamp != before[path]]
    if changed:
        raise DataError(
            f"expected the files that {part} has lines of, but {examples(changed)} changed since; remove {part} to "
            "begin anew"
        )


@contextmanager
def _alone(job: Job) -> Iterator[None]:
    """Hold the file of the rows, if there is one, against other processes."""
    if job.out is None:
        yield
        return
    lock = job.out.with_name(job.out.name + ".part.lock")
    with lock_file(str(lock), str(job.out)):
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


@contextmanager
def _sink(job: Job) -> Iterator[IO[str]]:
    """Standard output, or the .part of the file."""
    if job.out is None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors=ENCODING["errors"])
        yield sys.stdout
        return
    with _part(job.out).open("a", newline="", **ENCODING) as stream:
        yield stream
