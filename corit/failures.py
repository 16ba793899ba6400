"""What the machine did and not the input: a full disk, a killed worker, a reader of our output that has gone."""

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

# What the system says when a disk or memory gives out, in words.
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
# What the loader of batches says, in the middle of whatever is going on, when one of its workers has ended.
WORKER = re.compile(r"DataLoader worker \(pid|unable to (write|open|mmap|resize).*(No space|Cannot allocate)", re.S)
GONE = re.compile(r"A process in the process pool was terminated abruptly|Pin memory thread exited unexpectedly")


def words(err: BaseException) -> str:
    """Why the machine, and not the input, ended the work.

    Args:
        err: what ended it; what it was raised from counts too.

    Returns:
        One line that says what to do, or nothing where it was something else.
    """
    return next((said for e in _chain(err) if (said := _said(e))), "")


def _chain(err: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    at: BaseException | None = err
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        yield at
        at = at.__cause__


def _said(err: BaseException) -> str:
    if isinstance(err, MachineError):
        return str(err)
    if isinstance(err, OSError) and err.errno in DISK:
        where = f" ({os.fsdecode(err.filename)})" if isinstance(err.filename, (str, bytes)) else ""
        return f"{DISK[err.errno]}{where}"
    if isinstance(err, BrokenPipeError):  # of a worker: of our own output `reader_gone` tells
        return KILLED
    if isinstance(err, RuntimeError) and (WORKER.search(str(err)) or GONE.search(str(err))):
        return KILLED
    return MEMORY if isinstance(err, MemoryError) or type(err).__name__ == "OutOfMemoryError" else ""


def reader_gone() -> bool:
    """Whether nobody reads standard output, or standard error, any more: a pipe whose other end is closed."""
    return any(_closed(stream) for stream in (sys.stdout, sys.stderr))


def _closed(stream: TextIO | None) -> bool:
    try:
        number = stream.fileno() if stream is not None else -1
    except (OSError, ValueError):
        return False
    if number < 0 or not hasattr(select, "poll"):
        return number >= 0  # where the system cannot tell, it was our output: we write to nothing else that closes
    asked = select.poll()
    asked.register(number, 0)
    return any(state & select.POLLERR for _, state in asked.poll(0))


def write_or_drop() -> None:
    """Write out what is held of standard output and error, or drop it for good where that cannot be.

    Else the interpreter would try once more as it ends, and print that it failed.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            _drop(stream)


def _drop(stream: TextIO) -> None:
    """Send what is still to come on a stream nowhere."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
