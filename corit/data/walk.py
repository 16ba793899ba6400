"""Folders on disk, each looked into once, by one set of rules.

Every listing of folders in this package goes through this module, so that all agree:

- Hidden names are no data: those that begin with a dot, and `__MACOSX`, which a Macintosh's archiver leaves.
- A folder that cannot be opened is an error that names it, unless the caller reports it in its own way.
- Links to folders never lead in circles; see `Links`.
- A link that leads nowhere is no folder. It is listed among the files, so that whoever reads it reports it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Literal

from corit.errors import DataError

# Which links to folders a walk follows. "once": a folder is visited once, whatever links lead to it, and a link to what
# lies below the root, or around it, is not followed: for pictures, of which a second listing adds nothing. "named":
# every link but those that lead back to a folder on the way: for videos, which a list may name by either name.
Links = Literal["once", "named", "never"]
ANY_DEPTH = 1_000


@dataclass(frozen=True)
class Folder:
    """What lies in one folder, in the order of names.

    Attributes:
        path: the folder, below the root as the root was written.
        inside: its path below the root with / between folders; empty for the root.
        folders: the folders in it, also behind links.
        files: everything else, links that lead nowhere included.
        hidden: hidden folders and files.
    """

    path: str
    inside: str
    folders: tuple[os.DirEntry[str], ...] = ()
    files: tuple[os.DirEntry[str], ...] = ()
    hidden: tuple[os.DirEntry[str], ...] = ()


def is_hidden(name: str) -> bool:
    """Return whether a file or folder is no data: its name begins with a dot, or an archiver left it."""
    return name.startswith(".") or name == "__MACOSX"


def leads_nowhere(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a link whose target does not exist."""
    return entry.is_symlink() and not os.path.exists(entry.path)


def linked_folders(folder: Folder) -> tuple[str, ...]:
    """Return the paths of the links to folders in a folder: what a walk that follows no links leaves out."""
    return tuple(e.path for e in folder.folders if e.is_symlink())


def list_names(folder: str | os.PathLike[str]) -> list[str]:
    """Return the names of what lies in a folder, without hidden ones, in order; none where there is no folder.

    Raises:
        DataError: the folder cannot be opened.
    """
    return [e.name for e in list_entries(folder)]


def list_entries(folder: str | os.PathLike[str]) -> list[os.DirEntry[str]]:
    """Return what lies in a folder, without hidden names, in order; nothing where there is no folder.

    Raises:
        DataError: the folder cannot be opened.
    """
    if not os.path.isdir(folder):
        return []
    try:
        return [e for e in _scan(os.fspath(folder)) if not is_hidden(e.name)]
    except OSError as err:
        raise closed_folder(os.fspath(folder), err) from err


def existing_names(folder: str | os.PathLike[str]) -> frozenset[str]:
    """Return the names in a folder that exist, hidden ones included: what a list of files is compared with.

    Links that lead nowhere do not exist, and nothing exists in a folder that cannot be opened.
    """
    try:
        with os.scandir(folder) as entries:
            return frozenset(e.name for e in entries if not leads_nowhere(e))
    except OSError:
        return frozenset()


def closed_folder(path: str, error: OSError) -> DataError:
    """Return the error of a folder that cannot be opened."""
    return DataError(f"expected to open {path}, but {error.strerror}; change its rights or leave it out")


def _refuse(path: str, error: OSError) -> None:
    raise closed_folder(path, error) from error


def walk(
    root: str | os.PathLike[str],
    *,
    links: Links = "once",
    depth: int = ANY_DEPTH,
    enters: Callable[[Folder, os.DirEntry[str]], bool] = lambda folder, entry: True,
    on_closed: Callable[[str, OSError], None] = _refuse,
) -> Iterator[Folder]:
    """Yield a folder and the folders below it, each before those in it, in the order of names.

    Args:
        root: the first folder.
        links: which links to folders to follow.
        depth: how many folders deep to go below the root.
        enters: whether to go from a folder into one in it; nothing hidden is entered.
        on_closed: called with a folder that cannot be opened, and the error; the walk goes on.

    Raises:
        DataError: a folder cannot be opened, unless `on_closed` is given.
    """
    follow = _Follow(links, os.path.realpath(root))
    stack = [_Visit(os.fspath(root), "", follow.root, (follow.root,))]
    while stack:
        visit = stack.pop()
        try:
            folder = _look(visit)
        except OSError as err:
            on_closed(visit.path, err)
            continue
        yield folder
        inner = folder.folders if visit.depth < depth else ()
        visits = [v for e in inner if enters(folder, e) and (v := follow.visit(visit, e)) is not None]
        stack += reversed(visits)


def _look(visit: _Visit) -> Folder:
    entries = _scan(visit.path)
    shown = [(e, _is_folder(e)) for e in entries if not is_hidden(e.name)]
    folders, files = (tuple(e for e, is_folder in shown if is_folder == kind) for kind in (True, False))
    return Folder(visit.path, visit.inside, folders, files, tuple(e for e in entries if is_hidden(e.name)))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself, or through a folder that cannot be opened
        return False


def _scan(folder: str) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda e: e.name)


@dataclass(frozen=True)
class _Visit:
    """A folder to look into. real: where it really lies. way: where the root and the links on the way really lead."""

    path: str
    inside: str
    real: str
    way: tuple[str, ...]
    depth: int = 0


@dataclass(frozen=True)
class _Follow:
    """Which folders a walk goes into, from the top down."""

    links: Links
    root: str
    visited: set[str] = field(default_factory=set)

    def visit(self, above: _Visit, entry: os.DirEntry[str]) -> _Visit | None:
        """The visit of a folder in another one, or None where it is not entered."""
        link = entry.is_symlink()
        real = os.path.realpath(entry.path) if link else os.path.join(above.real, entry.name)
        if self._enters(above, link, real):
            self.visited.add(real)
            inside = f"{above.inside}/{entry.name}" if above.inside else entry.name
            return _Visit(entry.path, inside, real, (*above.way, real) if link else above.way, above.depth + 1)
        return None

    def _enters(self, above: _Visit, link: bool, real: str) -> bool:
        if self.links == "once":
            return real not in self.visited and not (link and (_within(real, self.root) or _within(self.root, real)))
        return not link or (self.links == "named" and not any(_within(p, real) for p in (*above.way, above.real)))


def _within(path: str, folder: str) -> bool:
    return PurePath(path).is_relative_to(folder)
