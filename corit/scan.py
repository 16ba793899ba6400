"""Paths -> rows on standard output or in a file, in order, as a stream; and the page that shows them."""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Literal

from corit.data.folders import Unlabelled, list_pictures
from corit.data.landmarks import Landmarks
from corit.detect import Detector, Report, Row
from corit.errors import DataError
from corit.features.extract import Progress, progress_bar

FIELDS = ("path", "face", "score", "spread", "verdict", "status", "reason")
Format = Literal["table", "jsonl", "csv"]


@dataclass(frozen=True)
class Job:
    """What `corit detect` was asked for: see its help."""

    paths: tuple[str, ...]
    format: Format = "table"
    html: Path | None = None
    out: Path | None = None
    twins: int = 1
    aligned: bool = False
    landmarks: Landmarks | None = None
    batch: int = 8
    workers: int = 0

    def __post_init__(self) -> None:
        absent = [p for p in self.paths if not os.path.lexists(p)]
        if absent:
            raise DataError(f"expected files or folders, but there is no {absent[0]}; check the path")
        if self.out is not None and self.format == "table":
            raise DataError("a file for the rows needs --format jsonl or csv; a table is for reading on the screen")
        if self.twins < 1:
            raise DataError(f"expected at least one twin, got {self.twins}")


def run(detector: Detector, job: Job) -> int:
    """Score everything, print or write the rows, and return how many rows have a score."""
    finished = _finished(job)
    paths = [p for root in job.paths for p in list_pictures(root) if p not in finished]
    if not paths and not finished:
        raise DataError(f"expected pictures in {', '.join(job.paths)}, but found none")
    _missing_weights_now(detector, paths)
    page = _Page(job)
    with progress_bar("pictures") as progress, _sink(job) as stream:
        writer = _writer(job, stream, bool(finished))
        scored = sum(finished.values())
        for report in _counted(_reports(detector, job, paths), len(paths), progress):
            page.add(report)
            for row in report.rows:
                writer.write(row)
                scored += row.status == "ok"
            stream.flush()
        writer.end()
    if job.out is not None:
        os.replace(_part(job.out), job.out)
    page.write()
    return scored


def _missing_weights_now(detector: Detector, paths: list[str]) -> None:
    """Load the backbone before the first row is written, so that missing weights end the command and not a row."""
    if paths:
        _ = detector.encoder


def _reports(detector: Detector, job: Job, paths: Iterable[str]) -> Iterator[Report]:
    source = Unlabelled(job.aligned, job.landmarks)
    samples = map(source.sample, paths)
    return detector.scan(
        source, samples, twins=job.twins, batch=job.batch, workers=job.workers, evidence=job.html is not None
    )


def _counted(reports: Iterator[Report], total: int, progress: Progress) -> Iterator[Report]:
    progress(0, total)
    for done, report in enumerate(reports, start=1):
        yield report
        progress(done, total)


def _part(out: Path) -> Path:
    return out.with_name(out.name + ".part")


def _finished(job: Job) -> dict[str, int]:
    """Path -> rows with a score, of the pictures that an interrupted run left in the file's .part.

    The last picture is measured again, since it may have had more faces than rows were written.
    """
    if job.out is None or not _part(job.out).exists():
        return {}
    part = _part(job.out)
    rows = list(_read(part, job.format))
    if rows:
        rows = list(itertools.takewhile(lambda r: r[0] != rows[-1][0], rows))
    found: dict[str, int] = {}
    for path, status, _ in rows:
        found[path] = found.get(path, 0) + (status == "ok")
    head = "" if job.format == "jsonl" else _csv_line(FIELDS)
    staged = part.with_suffix(".mended")
    staged.write_text(head + "".join(text for *_, text in rows))
    os.replace(staged, part)
    return found


def _read(part: Path, format: Format) -> Iterator[tuple[str, str, str]]:
    """(path, status, text) of the whole rows of a .part file; a last line that was cut short is left out."""
    text = part.read_text()
    lines = text[: text.rfind("\n") + 1].splitlines(keepends=True)
    if format == "jsonl":
        for line in lines:
            row = json.loads(line)
            yield row["path"], row["status"], line
        return
    for values in itertools.islice(csv.reader(lines), 1, None):
        row = dict(zip(FIELDS, values, strict=True))
        yield row["path"], row["status"], _csv_line(values)


class _sink:
    """Standard output, or the .part of the file, as a context."""

    def __init__(self, job: Job) -> None:
        self.job, self.stream = job, sys.stdout

    def __enter__(self) -> IO[str]:
        if self.job.out is not None:
            self.job.out.parent.mkdir(parents=True, exist_ok=True)
            self.stream = _part(self.job.out).open("a")  # type: ignore[assignment]
        return self.stream

    def __exit__(self, *_: object) -> None:
        if self.job.out is not None:
            self.stream.close()


class _Lines:
    """Writes a JSON object or a CSV line for each row, at once."""

    def __init__(self, stream: IO[str], format: Format, begun: bool) -> None:
        self.stream, self.format = stream, format
        if format == "csv" and not begun:
            stream.write(_csv_line(FIELDS))

    def write(self, row: Row) -> None:
        plain = asdict(row)
        if self.format == "jsonl":
            self.stream.write(json.dumps(plain) + "\n")
        else:
            plain["face"] = "" if row.face is None else " ".join(f"{v:.0f}" for v in row.face)
            self.stream.write(_csv_line(["" if plain[f] is None else plain[f] for f in FIELDS]))

    def end(self) -> None:
        """Nothing is left to write."""


class _Table:
    """Keeps the rows and prints them as one table at the end."""

    def __init__(self, stream: IO[str]) -> None:
        self.stream, self.rows = stream, list[Row]()

    def write(self, row: Row) -> None:
        self.rows.append(row)

    def end(self) -> None:
        from corit.report.text import rows

        print(rows(self.rows), file=self.stream)


def _writer(job: Job, stream: IO[str], begun: bool) -> _Lines | _Table:
    return _Table(stream) if job.format == "table" else _Lines(stream, job.format, begun)


def _csv_line(values: Iterable[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue()


class _Page:
    """Collects the reports for the HTML page, if one was asked for."""

    def __init__(self, job: Job) -> None:
        self.job, self.reports = job, list[Report]()

    def add(self, report: Report) -> None:
        if self.job.html is not None:
            self.reports.append(report)

    def write(self) -> None:
        if self.job.html is not None:
            from corit.report.detect import write_page

            write_page(self.reports, self.job.html)
