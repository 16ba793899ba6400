"""Copy a data set's lists of splits and labels, so that what was made of it is read as it was."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath

from corit.files import write_bytes

LISTS = frozenset((".json", ".txt", ".csv"))
DEPTH = 3  # folders below the root


def copy_lists(root: str, out: str, stage: str, on_skipped: Callable[[str], None] = lambda said: None) -> None:
    """Copy the lists below `root` to the same places below `out`, each whole or not at all; what is there is kept.

    stage: a folder on the same disk as `out`. on_skipped: told of each list that cannot be read. Raises OSError where
    `out` cannot be written.
    """
    for source, name in _lists(root, out):
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


def _lists(root: str, out: str) -> Iterator[tuple[str, str]]:
    """Each list's path and its name below the root, none of those that lie in `out` itself."""
    made = os.path.realpath(out)
    for folder, inner, names in os.walk(root):
        rel = os.path.relpath(folder, root)
        deep = rel.count(os.sep) + (rel != os.curdir) >= DEPTH
        inner[:] = [] if deep else [n for n in inner if n[0] != "." and os.path.realpath(f"{folder}/{n}") != made]
        for name in names:
            path = os.path.join(folder, name)
            if PurePath(name).suffix.lower() in LISTS and os.path.isfile(path):
                yield path, os.path.normpath(os.path.join(rel, name))
