"""Rows as JSON lines or CSV, written as they come, and the file of rows that an interrupted run resumes."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Iterator, Mapping, Set
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Protocol

from corit.data.stamp import CurrentVersion
from corit.detect.row import FIELDS, Row
from corit.errors import DataError, examples
from corit.journal import Journal, lock_file
from corit.serialise import csv_text

Format = Literal["table", "jsonl", "csv"]
ENCODING: dict[str, Any] = {"encoding": "utf-8", "errors": "surrogateescape"}  # file names need not be text


class RowWriter:
    """Writes each row at once, as a JSON object or as a line of CSV."""

    def __init__(self, stream: IO[str], format: Format, *, header: bool = True) -> None:
        """Begin to write.

        Args:
            stream: to write to.
            format: "jsonl" or "csv".
            header: write the header of a CSV file.
        """
        self.stream, self.format = stream, format
        if format == "csv" and header:
            stream.write(csv_text([FIELDS]))

    def write(self, row: Row) -> None:
        """Write one row."""
        plain = asdict(row)
        if self.format == "jsonl":
            self.stream.write(json.dumps(plain) + "\n")
            return
        plain["face"] = None if row.face is None else " ".join(f"{v:.0f}" for v in row.face)
        self.stream.write(csv_text([[plain[f] for f in FIELDS]]))

    def end(self) -> None:
        """Do nothing: each row is written at once."""


class Output(Protocol):
    """Where rows go: `StandardOutput`, or `ResumableRows`. It is a context manager.

    Attributes:
        stream: to write to, while the context is open.
        done: files whose rows an earlier run wrote.
        scored: how many of these rows have a score.
        begun: whether rows, or the header of a CSV file, are there already.
    """

    stream: IO[str]
    done: Set[str]
    scored: int
    begun: bool

    def __enter__(self) -> Output: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def before(self, path: str) -> None:
        """Note a file before it is read."""

    def after(self, path: str) -> None:
        """Note that all rows of a file are written."""

    def complete(self) -> None:
        """Note that the rows of all files are written."""


class StandardOutput:
    """Standard output; see `Output`."""

    def __init__(self) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors=ENCODING["errors"])
        self.stream: IO[str] = sys.stdout
        self.done: Set[str] = frozenset()
        self.scored, self.begun = 0, False

    def __enter__(self) -> StandardOutput:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def before(self, path: str) -> None:
        """Note nothing."""

    def after(self, path: str) -> None:
        """Flush the rows of a file."""
        self.stream.flush()

    def complete(self) -> None:
        """Note nothing."""


class ResumableRows:
    """A file of rows that an interrupted run resumes; see `Output`.

    The rows are written to OUT.part, which becomes OUT when they are complete. OUT.part.journal holds the settings that
    the rows depend on, and the version of each file that has rows. A lock keeps other processes away.
    """

    def __init__(self, out: Path, format: Format, settings: Mapping[str, Any]) -> None:
        """Name the file; nothing is read or written before the context is entered.

        Args:
            out: the file.
            format: "jsonl" or "csv".
            settings: whatever the rows depend on beside the files; see `corit.journal.require_same_settings`.
        """
        self.out, self.format, self.settings = out, format, settings
        self.part = out.with_name(out.name + ".part")
        self.done: Set[str] = frozenset()
        self.scored, self.begun = 0, False
        self._stamps: dict[str, str] = {}
        self._exit = ExitStack()

    def __enter__(self) -> ResumableRows:
        """Truncate the file to the last complete input, so that the run can resume.

        Raises:
            DataError: another process writes the file, it was begun with other settings or in another format, or an
                input has changed since.
        """
        with ExitStack() as stack:
            stack.enter_context(lock_file(f"{self.part}.lock", str(self.out), temporary=True))
            self._drop_older()
            path = self.part.with_name(self.part.name + ".journal")
            advice = "use the same settings, or remove it to begin anew"
            self._journal = Journal(path, self.settings, output=self.part, advice=advice, keep=False)
            resumed = resume(self.part, self.format)
            self.done, self.scored = resumed.done, resumed.scored
            self._require_unchanged()
            stack.callback(self._remove_if_empty)
            self.stream: IO[str] = stack.enter_context(self.part.open("a", newline="", **ENCODING))
            self.begun = self.stream.tell() > 0
            self._exit = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.close()

    def before(self, path: str) -> None:
        """Note the version of a file before it is read."""
        self._stamps[path] = CurrentVersion([path]).stamp

    def after(self, path: str) -> None:
        """Flush the rows of a file, and remember its version with them."""
        self.stream.flush()
        self._journal.write(path, stamp=self._stamps.pop(path, ""))

    def complete(self) -> None:
        """Give the file its name, and remove the journal."""
        self.stream.close()
        os.replace(self.part, self.out)
        self._journal.path.unlink()

    def _drop_older(self) -> None:
        """Remove what an earlier version of corit kept beside the rows. Raises DataError where it kept rows too."""
        older = [self.part.with_name(self.part.name + end) for end in (".json", ".stamps")]
        if older[0].exists() and self.part.exists() and self.part.stat().st_size:
            raise DataError(f"{self.part} was begun by an earlier version of corit; remove it to begin anew")
        for path in older:
            path.unlink(missing_ok=True)

    def _remove_if_empty(self) -> None:
        if self.part.exists() and not self.part.stat().st_size:
            self.part.unlink()
            self._journal.path.unlink(missing_ok=True)

    def _require_unchanged(self) -> None:
        """Raise DataError where an input is another file than the one that has rows."""
        stamps = {path: entry.get("stamp") for path, entry in self._journal.entries.items() if path in self.done}
        changed = [path for path, stamp in stamps.items() if CurrentVersion([path]).stamp != stamp]
        self._journal.entries.clear()
        if changed:
            raise DataError(
                f"expected the files that {self.part} has rows of, but {examples(changed)} changed since; remove "
                f"{self.part} to begin anew"
            )


@dataclass(frozen=True)
class Resumed:
    """What an interrupted run left.

    Attributes:
        done: the files whose rows are complete.
        scored: how many of these rows have a score.
    """

    done: frozenset[str] = frozenset()
    scored: int = 0


def resume(part: Path, format: Format) -> Resumed:
    """Truncate a file of rows to the last complete input, so that the run can resume.

    The last input is scored again, since it may have more rows than were written.

    Args:
        part: the file; it need not exist.
        format: "jsonl" or "csv".

    Returns:
        The inputs whose rows are complete.

    Raises:
        DataError: the file is of another format or has other columns.
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
