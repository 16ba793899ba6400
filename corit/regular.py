"""Open only what is a file: a named pipe, a socket or a device may hold a program for ever, or never end."""

from __future__ import annotations

import errno
import os
import stat
from typing import BinaryIO

OTHERS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


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
        kind = OTHERS.get(stat.S_IFMT(mode), "something else")
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
