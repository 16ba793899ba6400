"""A file of JSON lines that remembers, video by video, what was done, so that work can stop and go on."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from corit.errors import DataError
from corit.files import write_text

FORMAT = 1
SECONDS = 1.0  # after which what was written is forced to the disk
LOCK = ".lock"


@contextmanager
def alone(folder: str) -> Iterator[None]:
    """Hold a folder, which is made if it is not there, against other processes; the system lets go when this one dies.

    Raises DataError when another process holds it, or it cannot be written.
    """
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as err:
        raise DataError(f"expected to write to {folder}, but {err.strerror or err}; choose another folder") from err
    with held(os.path.join(folder, LOCK), folder):
        yield


@contextmanager
def held(path: str, what: str) -> Iterator[None]:
    """Hold a file that stands for something else against other processes. Raises DataError as `alone` does."""
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout as err:
        raise DataError(f"another process is writing to {what}; wait for it, or choose another") from err
    except OSError as err:
        raise DataError(f"expected to write to {what}, but {err.strerror or err}; choose another") from err
    try:
        yield
    finally:
        lock.release()


class Journal:
    """One line of settings and one for each step; the last line of a name is what holds.

    Raises DataError when the file was made with other settings or is not a journal, or cannot be written. A line that
    a kill cut short, or that has no name, is dropped. `close` when all is written.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self.path = path
        self.entries: dict[str, dict[str, Any]] = {}
        self._forced = time.monotonic()
        header = {"format": FORMAT, **settings}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
            kept = self._read(lines, header)
            write_text(path, "".join(f"{line}\n" for line in [json.dumps(header), *kept]))
        except OSError as err:
            raise DataError(f"expected to write {path}, but {err.strerror or err}; choose another folder") from err
        except UnicodeDecodeError as err:
            raise DataError(f"{path} is there, but it is not of this program; choose another folder") from err

    def _read(self, lines: list[str], header: dict[str, Any]) -> list[str]:
        found = _parse(lines[0]) if lines else header
        if found is None or "format" not in found:
            raise DataError(f"{self.path} is there, but it is not of this program; choose another folder")
        if found != header:
            other = sorted(k for k in {*found, *header} if found.get(k) != header.get(k))
            said = ", ".join(f"{k} {found.get(k)!r} instead of {header.get(k)!r}" for k in other)
            raise DataError(f"{self.path} was begun with {said}; use the same settings or choose another folder")
        kept = [line for line in lines[1:] if "name" in (_parse(line) or {})]
        for entry in map(json.loads, kept):
            self.entries[entry["name"]] = entry
        return kept

    def write(self, name: str, **values: Any) -> None:
        """Append what holds of a name from now on: a kill does not lose it, a power cut only within a second."""
        entry = {"name": name, **values}
        line = json.dumps(entry).encode() + b"\n"
        with open(self.path, "ab", buffering=0) as file:
            before = file.tell()
            try:
                if file.write(line) < len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                file.truncate(before)  # half a line would swallow the one that is written next
                raise
        self.entries[name] = entry
        if time.monotonic() - self._forced >= SECONDS:
            self.close()

    def close(self) -> None:
        """Force what was written to the disk; more may be written afterwards."""
        with open(self.path, "a", encoding="utf-8") as file:
            os.fsync(file.fileno())
        self._forced = time.monotonic()


def _parse(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
