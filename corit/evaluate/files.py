"""What files alone give away of their labels: kind, compression, size, and files that are in both classes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from corit.data.missing import examples
from corit.evaluate.metrics import auc
from corit.evaluate.rows import ScoredRow

MUCH = 0.6  # an AUC of a file's kind or size that is worth a warning
FACTS: dict[str, Callable[[ScoredRow], str]] = {
    "kind and compression": lambda r: r.compression,
    "size": lambda r: r.size,
}


@dataclass(frozen=True)
class Files:
    """aucs: of each fact of the files, how well it alone tells these rows' labels, of facts that are known.

    twins: paths of fakes whose bytes are those of a real.
    """

    aucs: dict[str, float]
    twins: tuple[str, ...]

    @property
    def warnings(self) -> list[str]:
        """A sentence for each thing that a detector may read instead of the forgery."""
        said = [
            f"the {fact} of the files alone tells reals from fakes with an AUC of {value:.3f}: a detector may read the "
            "file and not the forgery"
            for fact, value in self.aucs.items()
            if value >= MUCH
        ]
        if self.twins:
            said.append(f"{len(self.twins)} fakes are byte for byte files that are also reals: {examples(self.twins)}")
        return said


def files(rows: Sequence[ScoredRow]) -> Files:
    """What the files of labelled rows give away."""
    known = [r for r in rows if r.kind and r.label in (0, 1)]
    labels = np.array([r.label for r in known])
    found = {}
    if 0 < labels.sum() < len(labels):
        found = {fact: _told(labels, [value(r) for r in known]) for fact, value in FACTS.items()}
    return Files(found, _twins(known))


def _told(labels: np.ndarray, values: Sequence[str]) -> float:
    """The AUC of the share of fakes among the rows of equal value."""
    which = np.unique(np.array(values), return_inverse=True)[1]
    share = np.bincount(which, labels) / np.bincount(which)
    return auc(labels, share[which])


def _twins(rows: Sequence[ScoredRow]) -> tuple[str, ...]:
    """The files of fakes that are also files of reals; only files of equal length are read."""
    lengths: tuple[dict[int, set[str]], dict[int, set[str]]] = ({}, {})
    for label, path in {(r.label, r.path) for r in rows}:
        if os.path.isfile(path):
            lengths[label].setdefault(os.path.getsize(path), set()).add(path)
    twins: list[str] = []
    for size in lengths[0].keys() & lengths[1].keys():
        reals = {_digest(p) for p in lengths[0][size]}
        twins += [p for p in lengths[1][size] if _digest(p) in reals]
    return tuple(sorted(twins))


def _digest(path: str) -> bytes:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
