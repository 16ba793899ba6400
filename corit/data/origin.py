"""Where a data set comes from, how its folder looks, and the error that says so when it is missing."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from corit.errors import DataError, examples

ARCHIVE = re.compile(r"\.(zip|7z|tar|t?gz|rar|z?\d\d+)$", re.IGNORECASE)  # also the parts of a large one: .z01, .001


@dataclass(frozen=True)
class Origin:
    """Where a data set comes from.

    Attributes:
        title: the data set's name in its publication.
        layout: the files and folders below its root once every archive is extracted.
        where: who gives it, as an address; empty for data of one's own.
    """

    title: str
    layout: str
    where: str = ""

    def missing(self, root: str | os.PathLike[str], problem: str, expected: Sequence[str] = ()) -> DataError:
        """Return the error of a data set that is absent or incomplete.

        Args:
            root: the data set's folder.
            problem: what was expected and what is there.
            expected: the paths that were looked for, relative to the root.

        Returns:
            An error whose text adds what the folder holds, archives that nobody extracted, the layout and the address.
        """
        parts = [f"{self.title} in {os.fspath(root)}: {problem}."]
        if expected:
            parts.append(f"Looked for: {examples(expected)}.")
        parts.append(_inventory(root))
        parts.append(f"Expected layout: {self.layout}. Where to get it: {self.where}.")
        return DataError(" ".join(p for p in parts if p))


def _inventory(root: str | os.PathLike[str]) -> str:
    """What a folder holds, hidden files included, in a sentence that names packed archives apart."""
    try:
        names = sorted(os.listdir(root))
    except OSError as err:
        return f"The folder itself cannot be opened: {err.strerror}."
    packed = [n for n in names if ARCHIVE.search(n)]
    held = f"The folder holds: {examples(names)}." if names else "The folder is empty."
    return f"{held} Not extracted: {examples(packed)}; extract them." if packed else held
