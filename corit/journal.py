"""Work that can stop and resume: locks, settings that must stay the same, and a journal of what is done."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from filelock import FileLock, Timeout

from corit.errors import CoritError, DataError
from corit.files import write_text

FORMAT = 1
SYNC_SECONDS = 1.0  # after which written lines are forced to the disk
LOCK = ".lock"
ADVICE = "use the same settings or choose another folder"


def require_same_settings(
    path: str | os.PathLike[str],
    begun: Mapping[str, Any],
    asked: Mapping[str, Any],
    *,
    advice: str = ADVICE,
    error: type[CoritError] = DataError,
) -> None:
    """Refuse to resume work with other settings than it was begun with.

    Everything that resumes work calls this function: it stores a dictionary of whatever its results depend on, which
    JSON can hold, and passes what is stored and what the present run asks for.

    Args:
        path: file or folder that holds the earlier results; the message names it.
        begun: settings of the earlier run.
        asked: settings of this run; a setting that only one of both has counts as None in the other.
        advice: what the user can do, the end of the message.
        error: class of the error.

    Raises:
        CoritError: of the class `error`, when a setting differs; the message names each with both values.
    """
    differing = sorted(k for k in {*begun, *asked} if begun.get(k) != asked.get(k))
    if differing:
        changes = ", ".join(f"{k} {begun.get(k)!r} instead of {asked.get(k)!r}" for k in differing)
        raise error(f"{os.fspath(path)} was begun with {changes}; {advice}")


@contextmanager
def lock_folder(folder: str | os.PathLike[str], error: type[CoritError] = DataError) -> Generator[None]:
    """Hold a folder against other processes, and make it if it does not exist.

    Args:
        folder: the folder; its lock is a file in it, and the system frees it when the process dies.
        error: class of the error.

    Raises:
        CoritError: of the class `error`, when another process holds the folder or it cannot be written.
    """
    place = os.fspath(folder)
    try:
        os.makedirs(place, exist_ok=True)
    except OSError as err:
        raise error(f"expected to write to {place}, but {err.strerror or err}; choose another folder") from err
    with lock_file(os.path.join(place, LOCK), place, error):
        yield


@contextmanager
def lock_file(
    path: str, holds: str, error: type[CoritError] = DataError, *, temporary: bool = False
) -> Generator[None]:
    """Hold a lock file against other processes.

    Args:
        path: the lock file; its folder is made if it does not exist.
        holds: what the lock stands for; the message names it.
        error: class of the error.
        temporary: remove the lock file afterwards.

    Raises:
        CoritError: of the class `error`, when another process holds the lock or the file cannot be written.
    """
    lock = FileLock(path, thread_local=False)
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as err:
        raise error(f"another process is writing to {holds}; wait for it, or choose another") from err
    except OSError as err:
        raise error(f"expected to write to {holds}, but {err.strerror or err}; choose another") from err
    try:
        yield
    finally:
        if temporary:
            Path(path).unlink(missing_ok=True)
        lock.release()


class Journal:
    """A file of JSON lines that remembers, name by name, what is done: one line of settings, then one for each step.

    The last line of a name holds. A line that a kill cut short, or that has no name, is dropped. Several inputs may be
    in work at once. Use it as a context manager, or call `close` when everything is written.

    Attributes:
        path: the file.
        subject: what the journal keeps a record of; messages name it.
        entries: the last line of each name.
    """

    def __init__(
        self,
        path: Path,
        settings: Mapping[str, Any],
        *,
        output: Path | None = None,
        advice: str = ADVICE,
        keep: bool = True,
    ) -> None:
        """Open a journal, or begin one.

        Args:
            path: of the file; its folder is made if it does not exist.
            settings: whatever the results depend on; see `require_same_settings`.
            output: the file whose progress the journal records; without content there, the journal begins anew.
            advice: the end of messages about other settings.
            keep: hold entries that are written from now on in memory too.

        Raises:
            DataError: the file was begun with other settings, is not a journal, or cannot be written.
        """
        self.path, self.subject, self.keep = path, output or path, keep
        self.entries: dict[str, dict[str, Any]] = {}
        self._advice, self._synced = advice, time.monotonic()
        header = {"format": FORMAT, **settings}
        anew = output is not None and not (output.exists() and output.stat().st_size)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lines = path.read_text(encoding="utf-8").splitlines() if path.exists() and not anew else []
            kept = self._read(lines, header)
            write_text(path, "".join(f"{line}\n" for line in [json.dumps(header), *kept]))
        except OSError as err:
            raise DataError(f"expected to write {path}, but {err.strerror or err}; choose another folder") from err
        except UnicodeDecodeError as err:
            raise self._foreign() from err

    def _read(self, lines: list[str], header: dict[str, Any]) -> list[str]:
        begun = _parse(lines[0]) if lines else header
        if begun is None or "format" not in begun:
            raise self._foreign()
        require_same_settings(self.subject, begun, header, advice=self._advice)
        kept = [line for line in lines[1:] if "name" in (_parse(line) or {})]
        for entry in map(json.loads, kept):
            self.entries[entry["name"]] = entry
        return kept

    def _foreign(self) -> DataError:
        advice = "choose another folder" if self._advice == ADVICE else f"remove it and {self.subject} to begin anew"
        return DataError(f"{self.path} is there, but it is not of this program or is damaged; {advice}")

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
        if self.keep:
            self.entries[name] = entry
        if time.monotonic() - self._synced >= SYNC_SECONDS:
            self.close()

    def close(self) -> None:
        """Force what was written to the disk; more may be written afterwards."""
        with open(self.path, "a", encoding="utf-8") as file:
            os.fsync(file.fileno())
        self._synced = time.monotonic()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _parse(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
