"""Rows of pictures and videos as a table for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO

from rich.table import Table

from corit.detect.row import Row
from corit.report.text import escape_controls, table_text


def rows(shown: Sequence[Row]) -> str:
    """Return a table of rows; columns that only videos or packaged detectors fill are left out where there are none."""
    named = any(r.detector for r in shown)
    videos = any(r.part != "picture" for r in shown)
    table = Table(box=None, pad_edge=False)
    of_videos = ("part", "seconds", "track", "frames") if videos else ()
    of_packaged = ("detector",) if named else ()
    for name in ("path", *of_videos, "face", "score", "spread", "verdict", "status", *of_packaged, "reason"):
        table.add_column(name, overflow="fold")
    for r in shown:
        face = "" if r.face is None else " ".join(f"{v:.0f}" for v in r.face)
        score = "" if r.score is None else f"{r.score:.3f}"
        spread = "" if r.spread is None else f"{r.spread:.3f}"
        video = (r.part, _seconds(r), *("" if v is None else str(v) for v in (r.track, r.frames))) if videos else ()
        called = (r.verdict or "", r.status, *((r.detector or "") for _ in of_packaged))
        table.add_row(escape_controls(r.path), *video, face, score, spread, *called, escape_controls(r.reason))
    return table_text(table)


def _seconds(line: Row) -> str:
    times = [f"{t:.2f}" for t in (line.start, line.end) if t is not None]
    return " to ".join(times)


class Screen:
    """Prints rows as a table, a screenful at a time, so that memory stays small."""

    ROWS = 1000

    def __init__(self, stream: IO[str]) -> None:
        self.stream, self.lines = stream, list[Row]()

    def write(self, line: Row) -> None:
        """Keep one row, and print those that are kept when there are many."""
        self.lines.append(line)
        if len(self.lines) >= self.ROWS:
            self.end()

    def end(self) -> None:
        """Print the rows that are left."""
        if self.lines:
            print(rows(self.lines), file=self.stream)
        self.lines = []
