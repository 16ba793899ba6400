"""What files alone reveal about their labels: kind, compression, size, and files that are in both classes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from corit.errors import examples
from corit.evaluate.rows import ScoredRow
from corit.seeding import generator

TELLING_AUC = 0.6  # an AUC of a file's kind or size that is worth a warning, where it is more than chance
SHUFFLES = 200  # of the labels, in which it is seen what chance alone gives
FACTS: dict[str, Callable[[ScoredRow], str]] = {
    "kind and compression": lambda r: r.compression,
    "size": lambda r: r.size,
}


@dataclass(frozen=True)
class FileClues:
    """What the files of labelled rows reveal about the labels.

    Attributes:
        aucs: for each known fact of the files, the AUC with which it alone tells the label.
        telling: the facts that tell the labels clearly better than chance, with an AUC of at least `TELLING_AUC`.
        twins: paths of fakes whose bytes equal those of a real.
    """

    aucs: dict[str, float]
    telling: tuple[str, ...]
    twins: tuple[str, ...]

    @property
    def warnings(self) -> list[str]:
        """A sentence for each clue that a detector may use instead of the forgery."""
        said = [
            f"the {fact} of the files alone tells reals from fakes with an AUC of {self.aucs[fact]:.3f}: a detector "
            "may read the file and not the forgery"
            for fact in self.telling
        ]
        if self.twins:
            said.append(f"{len(self.twins)} fakes are byte for byte files that are also reals: {examples(self.twins)}")
        return said


def file_clues(rows: Sequence[ScoredRow]) -> FileClues:
    """Measure what the files of labelled rows reveal about the labels."""
    known = [r for r in rows if r.kind and r.label in (0, 1)]
    labels = np.array([r.label for r in known])
    values, aucs = {}, {}
    if 0 < labels.sum() < len(labels):
        values = {fact: np.unique([of(r) for r in known], return_inverse=True)[1] for fact, of in FACTS.items()}
        aucs = {fact: _told(labels, which) for fact, which in values.items()}
    high = [fact for fact, value in aucs.items() if value >= TELLING_AUC]
    sides = np.unique([f"{r.label} {r.unit}" for r in known], return_inverse=True)[1]
    telling = tuple(fact for fact in high if aucs[fact] > _by_chance(labels, values[fact], sides))
    return FileClues(aucs, telling, _twins(known))


def _told(labels: np.ndarray, which: np.ndarray) -> float:
    """The AUC of the share of fakes among the rows of equal value, from how often each value (n) occurs."""
    fakes, every = np.bincount(which, labels), np.bincount(which)
    rank = np.unique(fakes / every, return_inverse=True)[1]  # values of one share tie
    fakes, every = np.bincount(rank, fakes), np.bincount(rank, every)
    reals = every - fakes
    below = np.cumsum(reals) - reals / 2
    return float(fakes @ below / (fakes.sum() * reals.sum()))


def _by_chance(labels: np.ndarray, which: np.ndarray, sides: np.ndarray) -> float:
    """The 95 % quantile of `_told` where labels are shuffled.

    The reals of a source are of one kind for one reason, and so are its fakes: `sides` (n) keep one label each.
    """
    of = np.zeros(sides.max() + 1, labels.dtype)
    of[sides] = labels
    rng = generator("files alone")
    return float(np.quantile([_told(rng.permutation(of)[sides], which) for _ in range(SHUFFLES)], 0.95))


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
