"""Paths -> rows on standard output or in a file, in order, as a stream; and the page that shows them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corit.commands.messages import say
from corit.data.landmarks import Landmarks
from corit.detect.by_domain import FaceOrScene
from corit.detect.detector import Detector
from corit.detect.files import DetectOptions, FileScan, require_paths, rows_of
from corit.detect.output import Format, Output, ResumableRows, RowWriter, StandardOutput
from corit.detect.row import FIELDS
from corit.errors import DataError
from corit.files import require_writable
from corit.images.display import READING
from corit.progress import progress_bar
from corit.report.lines import Screen

if TYPE_CHECKING:
    from corit.detect.row import Row
    from corit.metrics.calibration import Calibration
    from corit.report.detect import Gallery

LISTED = 10_000  # inputs that are listed before the first is scored, so that the progress bar knows its end


@dataclass(frozen=True, kw_only=True)
class ScanOptions(DetectOptions):
    """What `corit detect` scores, how, and where the rows go.

    Attributes:
        paths: files and folders.
        format: of the rows.
        html: page to write.
        out: file of the rows; None prints them.
    """

    paths: tuple[str, ...]
    format: Format = "table"
    html: Path | None = None
    out: Path | None = None

    def __post_init__(self) -> None:
        require_paths(self.paths)
        if self.out is not None and self.format == "table":
            raise DataError("a file for the rows needs --format jsonl or csv; a table is for reading on the screen")
        super().__post_init__()


def run(detector: Detector | FaceOrScene, options: ScanOptions) -> int:
    """Score all pictures, then all videos, and print or write their rows.

    Of what is written nothing is held, but for an interrupted file the names of what is done.

    Args:
        detector: the detector.
        options: what is scored, and where the rows go.

    Returns:
        The number of rows with a score, those of an interrupted run included.

    Raises:
        DataError: before any work, when there is nothing to score, or a file cannot be written or resumed.
    """
    for target in (options.out, options.html):
        if target is not None:
            require_writable(target)
    with _output(detector, options) as output:
        evidence = options.html is not None
        scan = FileScan(detector, options.paths, options, done=output.done, evidence=evidence)
        files = len(scan.first(LISTED + 1))
        total = files if files <= LISTED else None
        gallery = _gallery(detector, options, output)
        with progress_bar("pictures and videos") as progress:
            written, unsure = _write(scan, options, output, gallery, lambda done: progress(done, total))
        scored = output.scored + written
        if scan.passed_over.summary:
            from corit.report.text import escape_controls

            say(escape_controls(scan.passed_over.summary))
        for words in unsure:
            say(words)
        output.complete()
    if gallery is not None and options.html is not None:
        gallery.write(options.html)
    return scored


def _output(detector: Detector | FaceOrScene, options: ScanOptions) -> Output:
    if options.out is None:
        return StandardOutput()
    return ResumableRows(options.out, options.format, _settings(detector, options))


def _settings(detector: Detector | FaceOrScene, options: ScanOptions) -> dict[str, Any]:
    """All that rows depend on, but for the inputs."""
    names = ("format", "twins", "aligned", "frames", "choice", "per", "stable")
    settings = {name: getattr(options, name) for name in names}
    landmarks = None if options.landmarks is None else _landmarks_digest(options.landmarks)
    outside = {"outside": words} if (words := detector.outside()) else {}
    return {
        **settings,
        **outside,
        "detector": detector.identity,
        "landmarks": landmarks,
        "reading": READING,
        "row_fields": len(FIELDS),  # rows of an earlier version have fewer
        "video_score": options.video_score.name,
    }


def _landmarks_digest(landmarks: Landmarks) -> str:
    digest = hashlib.sha256()
    for name, points in landmarks.points.items():
        digest.update(name.encode(errors="surrogateescape") + points.tobytes())
    for name, words in landmarks.wrong.items():
        digest.update(f"{name} {words}".encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]


def _write(
    scan: FileScan, options: ScanOptions, output: Output, gallery: Gallery | None, progress: Callable[[int], None]
) -> tuple[int, list[str]]:
    """Write the rows of all files; the number of rows with a score, and why some are unsure without a reason."""
    scored = 0
    between: dict[str, Calibration] = {}
    calibrations = scan.detector.calibrations
    if options.format == "table":
        writer: Screen | RowWriter = Screen(output.stream)
    else:
        writer = RowWriter(output.stream, options.format, header=not output.begun)
    progress(0)
    for done, report in enumerate(scan.reports(output.before), start=1):
        if gallery is not None:
            gallery.add(report)
        for row in rows_of(report, options.per):
            writer.write(row)
            scored += row.score is not None
            calibration = calibrations.get(row.detector or "")
            if calibration is not None and _between(row, calibration):
                between[row.detector or ""] = calibration
        output.after(report.path)
        progress(done)
    writer.end()
    return scored, [_thresholds(name, c) for name, c in between.items()]


def _between(row: Row, calibration: Calibration) -> bool:
    """Whether a verdict is unsure for the score alone; other causes are in `reason`."""
    return row.verdict == "unsure" and row.score is not None and calibration.verdict(row.score) == "unsure"


def _thresholds(name: str, calibration: Calibration) -> str:
    whose = f"{name} says" if name else "the detector says"
    return f"{whose} real below {calibration.real:.3f} and fake from {calibration.fake:.3f}; between it is unsure"


def _gallery(detector: Detector | FaceOrScene, options: ScanOptions, output: Output) -> Gallery | None:
    if options.html is None:
        return None
    from corit.report.detect import Gallery

    return Gallery(
        detector.calibrations,
        before=len(output.done),
        warning=detector.outside(),
        video_score=options.video_score.description,
    )
