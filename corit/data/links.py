"""Links between folders: followed where they lead to something new, so that no walk goes in circles."""

from __future__ import annotations

import os
from pathlib import PurePath


class Links:
    """Which folders a walk below a root goes into, from the top down: each once, whatever links lead to it."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._root = PurePath(os.path.realpath(root))
        reached = os.path.dirname(os.path.join(root, "_"))  # without a separator at its end, as parents are
        self._real = {reached: str(self._root)}  # folder as it was reached -> where it really lies
        self._seen = {str(self._root)}

    def enter(self, folder: str) -> bool:
        """Whether to go into a folder: not again, and not by a link to what lies below the root or around it."""
        parent, name = os.path.split(folder)
        link = os.path.islink(folder)
        real = os.path.realpath(folder) if link else os.path.join(self._real[parent], name)
        known = link and (PurePath(real).is_relative_to(self._root) or self._root.is_relative_to(real))
        if known or real in self._seen:
            return False
        self._seen.add(real)
        self._real[folder] = real
        return True
