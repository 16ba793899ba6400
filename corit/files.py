"""Files: written whole or not at all, and opened only where they are regular files."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from corit.errors import DataError

NOT_REGULAR = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@contextmanager
def atomic_file(target: Path) -> Generator[Path]:
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


@contextmanager
def replace_folder(target: Path) -> Generator[Path]:
    """A new folder to write into, which takes the target's place when the block ends without an error.

    What stands there is moved aside, and removed only when the new one is in its place; an error leaves it there.
    """
    place = Path(os.path.realpath(target))  # where a link leads, which itself stays
    place.parent.mkdir(parents=True, exist_ok=True)
    above = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}."))
    staged, aside = above / "new", above / "old"
    try:
        staged.mkdir()
        yield staged
        if os.path.lexists(place):
            os.replace(place, aside)
        try:
            os.replace(staged, place)
        except BaseException:
            if os.path.lexists(aside):
                os.replace(aside, place)
            raise
    finally:
        shutil.rmtree(above, ignore_errors=True)


def write_text(target: Path, text: str) -> None:
    """Write a text as UTF-8; names of files in it need not be text, and come out as the bytes that they are."""
    with atomic_file(target) as staged:
        staged.write_text(text, encoding="utf-8", errors="surrogateescape")


def require_regular(path: str | os.PathLike[str]) -> None:
    """Raise an error for a path that is no regular file, so that it is not opened.

    Args:
        path: of a file, or a link to one.

    Raises:
        OSError: as `open` does where there is no file, IsADirectoryError for a folder, and with the code EINVAL for a
            named pipe, a socket or a device; its strerror says which.
    """
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    if not stat.S_ISREG(mode):
        kind = NOT_REGULAR.get(stat.S_IFMT(mode), "something else")
        raise OSError(errno.EINVAL, f"it is {kind}, not a regular file", os.fspath(path))


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a regular file to read its bytes.

    Args:
        path: of a file, or a link to one.

    Returns:
        The open file.

    Raises:
        OSError: as `open` does, and as `require_regular` does before anything is opened.
    """
    require_regular(path)
    return open(path, "rb")
