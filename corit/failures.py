"""Failures of the machine, not of the input: a full disk, a killed worker, a closed standard output."""

from __future__ import annotations

import errno
import os
import re
import select
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import TextIO

from corit.errors import MachineError

# System errors of a disk or of memory, and what to do.
DISK = {
    errno.ENOSPC: "no space is left on the disk; make room",
    errno.EDQUOT: "the disk quota is used up; make room",
    errno.EFBIG: "a file would grow beyond the size that this system allows; see `ulimit -f`",
    errno.EIO: "the disk cannot be read or written; check it",
    errno.EROFS: "the disk can only be read; choose another folder",
    errno.EMFILE: "too many files are open; use fewer workers, or see `ulimit -n`",
    errno.ENFILE: "too many files are open on this machine; close other programs",
    errno.ENOMEM: "no memory is left; use fewer workers or a smaller batch",
}
MEMORY = "no memory is left; use fewer workers or a smaller batch"
KILLED = (
    "a worker process was killed, or there was no memory left for it; what was done until then is kept: run again with "
    "fewer workers, or with none to see at which file it happens"
)
# Messages of torch's DataLoader and of process pools whose worker ended; they may come in the middle of other work.
LOADER_WORKER = re.compile(
    r"DataLoader worker \(pid|unable to (write|open|mmap|resize).*(No space|Cannot allocate)", re.S
)
POOL_WORKER = re.compile(r"A process in the process pool was terminated abruptly|Pin memory thread exited unexpectedly")


def machine_failure(err: BaseException) -> str:
    """Say what failed on the machine, if it was the machine that ended the work.

    Args:
        err: the error that ended the work; its causes count too.

    Returns:
        One line with what to do, or "" for every other error.
    """
    return next((text for e in _causes(err) if (text := _machine_failure(e))), "")


def _causes(err: BaseException) -> Iterator[BaseException]:
    """An error and the errors that it was raised from."""
    visited: set[int] = set()
    cause: BaseException | None = err
    while cause is not None and id(cause) not in visited:
        visited.add(id(cause))
        yield cause
        cause = cause.__cause__


def _machine_failure(err: BaseException) -> str:
    if isinstance(err, MachineError):
        return str(err)
    if isinstance(err, OSError) and err.errno in DISK:
        where = f" ({os.fsdecode(err.filename)})" if isinstance(err.filename, (str, bytes)) else ""
        return f"{DISK[err.errno]}{where}"
    if isinstance(err, BrokenPipeError):  # of a worker; for our own output see `output_closed`
        return KILLED
    if isinstance(err, RuntimeError) and (LOADER_WORKER.search(str(err)) or POOL_WORKER.search(str(err))):
        return KILLED
    return MEMORY if isinstance(err, MemoryError) or type(err).__name__ == "OutOfMemoryError" else ""


def output_closed() -> bool:
    """Whether standard output or standard error is a pipe whose other end is closed."""
    return any(_closed(stream) for stream in (sys.stdout, sys.stderr))


def _closed(stream: TextIO | None) -> bool:
    try:
        number = stream.fileno() if stream is not None else -1
    except (OSError, ValueError):
        return False
    if number < 0 or not hasattr(select, "poll"):
        return number >= 0  # without `poll`: nothing else that this program writes to can close
    poll = select.poll()
    poll.register(number, 0)
    return any(state & select.POLLERR for _, state in poll.poll(0))


def flush_or_discard_output() -> None:
    """Flush standard output and standard error; discard what cannot be written.

    Otherwise the interpreter tries again when it ends, and prints that it failed.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            _discard(stream)


def _discard(stream: TextIO) -> None:
    """Redirect a stream to the null device."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
