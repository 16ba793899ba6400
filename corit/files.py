"""Write files whole or not at all, and open regular files only."""

from __future__ import annotations

import errno
import hashlib
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
def atomic_file(target: Path, *, staged: Path | None = None, durable: bool = False) -> Generator[Path]:
    """Yield a temporary path, which replaces the target when the block ends without an error.

    After an error the temporary file is removed and the target is as it was.

    Args:
        target: the file to write.
        staged: the temporary path, on the same disk as the target; by default the target's name with ".part" appended.
        durable: force the file and its new name to the disk, so that they outlast a power cut.

    Yields:
        The path to write to.
    """
    staged = staged or target.with_name(target.name + ".part")
    try:
        yield staged
        if durable:
            _sync_file(staged)
        os.replace(staged, target)
        if durable:
            _sync_folder(target.parent)
    except BaseException:
        staged.unlink(missing_ok=True)
        raise


def _sync_file(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Force the names in a folder to the disk, where the system can open a folder."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_bytes(target: Path, data: bytes, *, staged: Path | None = None) -> None:
    """Write a file of bytes, whole or not at all; `staged` as in `atomic_file`."""
    with atomic_file(target, staged=staged) as path:
        path.write_bytes(data)


def write_text(target: Path, text: str) -> None:
    """Write a text as UTF-8, whole or not at all.

    File names in the text need not be valid UTF-8: surrogate escapes are written as the bytes that they stand for.
    """
    with atomic_file(target) as path:
        path.write_text(text, encoding="utf-8", errors="surrogateescape")


def require_writable(target: Path) -> None:
    """Create the folder of a file and check that a file can be written there, before hours of work.

    Raises:
        DataError: when the folder cannot be created or written, or when the target is a folder.
    """
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
    """Yield a new folder to write into, which replaces the target when the block ends without an error.

    The old folder is moved aside, and removed only when the new one is in its place. After an error it is still there.

    Args:
        target: the folder to replace, or a link to it; the link itself stays.

    Yields:
        The folder to write into.
    """
    place = Path(os.path.realpath(target))
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


def require_regular(path: str | os.PathLike[str]) -> None:
    """Raise an error unless a path leads to a regular file, so that nothing else is opened.

    Args:
        path: of a file, or a link to one.

    Raises:
        OSError: FileNotFoundError when there is no file, IsADirectoryError for a folder, and an error with the code
            EINVAL for a named pipe, a socket or a device, which its strerror names.
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
        OSError: when the file cannot be opened, or is not a regular file; see `require_regular`.
    """
    require_regular(path)
    return open(path, "rb")


def file_sha256(path: str | os.PathLike[str]) -> str:
    """Compute the SHA-256 of a regular file, in hexadecimal."""
    require_regular(path)
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cache_folder() -> Path:
    """The folder for what is fetched once: CORIT_CACHE, or this system's folder of user caches."""
    from platformdirs import user_cache_path

    return Path(os.environ.get("CORIT_CACHE") or user_cache_path("corit", appauthor=False))
