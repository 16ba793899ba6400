"""Files that appear whole or not at all: written beside their place, then moved there."""

from __future__ import annotations

import errno
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from corit.errors import DataError


@contextmanager
def whole(target: Path) -> Generator[Path]:
    """The path to write to, which takes the target's place when the block ends without an error."""
    staged = target.with_name(target.name + ".part")
    try:
        yield staged
        os.replace(staged, target)
    except BaseException:
        staged.unlink(missing_ok=True)
        raise


def require_writable(target: Path) -> None:
    """Before hours of work: make the folder of a file and write beside it. Raises DataError where that cannot be."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        probe = target.with_name(f".{target.name}.{os.getpid()}")
        probe.touch()
        probe.unlink()
    except OSError as err:
        raise DataError(f"expected to write {target}, but {err.strerror or err}; mend that or choose another") from err


def write_whole(target: Path, text: str) -> None:
    """Write a text as UTF-8; names of files in it need not be text, and come out as the bytes that they are."""
    with whole(target) as staged:
        staged.write_text(text, encoding="utf-8", errors="surrogateescape")
