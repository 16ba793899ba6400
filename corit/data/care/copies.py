"""Copy a data set's lists of splits and labels, so that what was made of it is read as it was."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath

from corit.data.walk import linked_folders, walk
from corit.files import write_bytes

LISTS = frozenset((".json", ".txt", ".csv"))
DEPTH = 3  # folders below the root


def copy_lists(root: str, out: str, stage: str, on_skipped: Callable[[str], None] = lambda reason: None) -> None:
    """Copy the lists below `root` to the same places below `out`, each whole or not at all; existing files are kept.

    Args:
        root: the data set's folder.
        out: where to copy to.
        stage: a folder on the same disk as `out`.
        on_skipped: called with each list that cannot be read, and each folder that is not looked into, and why.

    Raises:
        OSError: `out` cannot be written.
    """
    for source, name in _lists(root, out, on_skipped):
        target = os.path.join(out, name)
        if os.path.lexists(target):
            continue
        try:
            held = Path(source).read_bytes()
        except OSError as err:
            on_skipped(f"{source}: {err.strerror}")
            continue
        os.makedirs(os.path.dirname(target), exist_ok=True)
        write_bytes(Path(target), held, staged=Path(stage, "list"))


def _lists(root: str, out: str, on_skipped: Callable[[str], None]) -> Iterator[tuple[str, str]]:
    """Each list's path and its path below the root, but none of those that lie in `out` itself."""
    target = os.path.realpath(out)
    walked = walk(
        root,
        links="never",
        depth=DEPTH,
        enters=lambda folder, entry: os.path.realpath(entry.path) != target,
        on_closed=lambda path, err: on_skipped(f"{path}: {err.strerror}"),
    )
    for folder in walked:
        for link in linked_folders(folder):
            on_skipped(f"{link}: a link to a folder, which is not followed")
        for entry in folder.files:
            if PurePath(entry.name).suffix.lower() in LISTS and entry.is_file():
                yield entry.path, os.path.join(folder.inside, entry.name)
