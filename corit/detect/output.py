"""Scored pictures and videos as lines of one shape, written as they come, and a file of them taken up again."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO, Any, Literal

from corit.detect.detector import Report
from corit.detect.video import TrackRow, VideoReport
from corit.errors import DataError
from corit.files import write_text
from corit.serialise import csv_text

Format = Literal["table", "jsonl", "csv"]
Per = Literal["frame", "track", "video"]
ENCODING: dict[str, Any] = {"encoding": "utf-8", "errors": "surrogateescape"}  # file names need not be text


@dataclass(frozen=True)
class Line:
    """One result. part: what it is of: picture (or a face in one), video, track or frame.

    score in [0, 1], spread and verdict: None unless something was scored. face: (x0, y0, x1, y1) in pixels. frame: its
    index. start and end: seconds of a track's first and last frame; a frame has a start alone, those that could not be
    decoded an end where others follow. track: its number.
    frames: with a score, of a track or video.
    """

    path: str
    face: tuple[float, float, float, float] | None
    score: float | None
    spread: float | None
    verdict: str | None
    status: str
    reason: str
    part: Literal["picture", "video", "track", "frame"] = "picture"
    frame: int | None = None
    start: float | None = None
    end: float | None = None
    track: int | None = None
    frames: int | None = None


FIELDS = tuple(f.name for f in fields(Line))


def picture_lines(report: Report) -> Iterator[Line]:
    """A line for each face of a picture, or for the picture."""
    for r in report.rows:
        yield Line(r.path, r.face, r.score, r.spread, r.verdict, r.status, r.reason)


def video_lines(report: VideoReport, per: Per, verdict: Callable[[float], str]) -> Iterator[Line]:
    """A line for the video, then one for each track unless asked `per` video, then one for each face of each frame."""
    scored = len({r.index for r in report.frames if r.score is not None})
    yield Line(
        report.path, None, report.score, None, report.verdict, report.status, report.reason, "video", frames=scored
    )
    if per in ("track", "frame"):
        yield from (_track(report.path, t) for t in report.tracks)
    for r in report.frames if per == "frame" else ():
        called = None if r.score is None else verdict(r.score)
        start, end = round(r.seconds, 3), None if r.until is None else round(r.until, 3)
        yield Line(
            report.path, r.face, r.score, None, called, r.status, r.reason, "frame", r.index, start, end, r.track
        )


def _track(path: str, t: TrackRow) -> Line:
    start, end = round(t.first, 3), round(t.last, 3)
    return Line(path, None, t.score, None, t.verdict, "ok", t.reason, "track", None, start, end, t.track, t.frames)


class Stream:
    """Writes a JSON object or a CSV row for each line, at once. begun: the CSV header is there already."""

    def __init__(self, stream: IO[str], format: Format, begun: bool) -> None:
        self.stream, self.format = stream, format
        if format == "csv" and not begun:
            stream.write(csv_text([FIELDS]))

    def write(self, line: Line) -> None:
        """Write one line."""
        plain = asdict(line)
        if self.format == "jsonl":
            self.stream.write(json.dumps(plain) + "\n")
            return
        plain["face"] = None if line.face is None else " ".join(f"{v:.0f}" for v in line.face)
        self.stream.write(csv_text([[plain[f] for f in FIELDS]]))

    def end(self) -> None:
        """Nothing is left to write."""


@dataclass(frozen=True)
class Resumed:
    """What an interrupted run left: the paths that are done, how many of their lines have a score."""

    done: frozenset[str] = frozenset()
    scored: int = 0


def resume(part: Path, format: Format) -> Resumed:
    """Cut a file back to whole inputs, so that it can be gone on with, and say which they are.

    The last input is measured again, since it may have had more lines than were written. Raises DataError for a file
    of another format or other columns.
    """
    if not part.exists():
        return Resumed()
    done: set[str] = set()
    last, scored, of_last, start, at = None, 0, 0, 0, 0
    for path, has_score, end in _read(part, format):
        if path != last:
            done |= {last} if last is not None else set()
            last, scored, of_last, start = path, scored + of_last, 0, at
        of_last, at = of_last + has_score, end
        if path is None:  # the header
            last, start = None, end
    os.truncate(part, start)
    return Resumed(frozenset(done), scored)


def settings_of(part: Path) -> Path:
    """The file beside a .part that holds what its lines are made with."""
    return part.with_name(part.name + ".json")


def begin(part: Path, settings: Mapping[str, Any]) -> None:
    """Write beside a file what its lines are made with, once it is clear that those it has were made with the same.

    Raises DataError, which says what differs, for a file that was begun otherwise.
    """
    beside = settings_of(part)
    if part.exists() and part.stat().st_size and beside.exists():
        found = _settings(beside)
        other = sorted(k for k in {*found, *settings} if found.get(k) != settings.get(k))
        if other:
            said = ", ".join(f"{k} {found.get(k)!r} instead of {settings.get(k)!r}" for k in other)
            raise DataError(f"{part} was begun with {said}; use the same, or remove it to begin anew")
    part.parent.mkdir(parents=True, exist_ok=True)
    write_text(beside, json.dumps(settings) + "\n")


def _settings(beside: Path) -> dict[str, Any]:
    try:
        found = json.loads(beside.read_text(encoding="utf-8"))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise DataError(f"{beside} is damaged; remove it and the file beside it to begin anew")
    return found


def _read(part: Path, format: Format) -> Iterator[tuple[str | None, bool, int]]:
    """(path, whether it has a score, where it ends in bytes) of each whole line; the path of a CSV's header is None."""
    with part.open("rb") as file:
        whole = _Counted(file)
        try:
            if format == "jsonl":
                for text in whole:
                    row = json.loads(text)
                    yield row["path"], row["score"] is not None, whole.end
                return
            for values in csv.reader(whole):
                if tuple(values) == FIELDS:
                    yield None, False, whole.end
                    continue
                if whole.over:  # a reader that asks for another line has had only a part of this one
                    return
                row = dict(zip(FIELDS, values, strict=True))
                yield row["path"], row["score"] != "", whole.end
        except (ValueError, KeyError, TypeError, csv.Error) as err:
            raise DataError(
                f"expected lines of {', '.join(FIELDS)} as {format} in {part}, but it holds others; remove it"
            ) from err


class _Counted:
    """The lines of a file as text, without a last one that was cut short; end: bytes read; over: no more are there."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.end, self.over = file, 0, False

    def __iter__(self) -> Iterator[str]:
        for line in self.file:
            if line.endswith(b"\n"):
                self.end += len(line)
                yield line.decode(**ENCODING)
        self.over = True
