"""Heads x radii x seeds x layers x forgeries in batches of matrix products: AUC, collapse and courses of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from corit.heads.fit import Problem
from corit.heads.head import Head, HeadRecipe
from corit.heads.rows import Rows
from corit.theory.collapse import Collapse
from corit.theory.watch import Course

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Task:
    """One feature set to train on: a layer, a group (a manipulation, a data set) and its rows.

    problem: standardised training and validation rows. test: rows standardised by the same standardiser, with labels
    (n) in {0, 1}; they are measured, and nothing is chosen by them.
    """

    layer: int
    group: str
    problem: Problem
    test: Rows
    test_labels: np.ndarray


def task(
    layer: int,
    group: str,
    train: tuple[Rows, np.ndarray],
    valid: tuple[Rows, np.ndarray],
    test: tuple[Rows, np.ndarray],
    recipe: HeadRecipe,
    limit: int = 2**29,
) -> Task:
    """A task from raw rows with labels: the recipe's standardiser is fitted on the training rows. Raises FitError."""
    raise NotImplementedError


@dataclass(frozen=True)
class Watching:
    """What to watch in a sweep: every `every` steps, on `rows` seeded training rows of each problem (None: all)."""

    every: int = 20
    rows: int | None = None
    tolerance: float = 1e-2


@dataclass(frozen=True)
class Heads:
    """The kept heads of one task: weight (S, R, M, D), bias (S, R, M), and a perceptron's top (S, R, M), top_bias (S, R)."""

    weight: Tensor
    bias: Tensor
    top: Tensor | None
    top_bias: Tensor | None


@dataclass(frozen=True)
class Sweep:
    """What a sweep over P tasks, S seeds and R radii found.

    auc, valid_auc (P, S, R): on test and validation rows, NaN where a head diverged. collapse: each task's empirical
    COR (P). course: what was watched, or None; courses' problems are in the order of the tasks.
    """

    tasks: tuple[Task, ...]
    recipe: HeadRecipe
    rhos: tuple[float, ...]
    seeds: tuple[int, ...]
    steps: int
    auc: np.ndarray
    valid_auc: np.ndarray
    collapse: tuple[Collapse, ...]
    course: Course | None
    heads: tuple[Heads, ...]

    def head(self, task: int, seed: int, radius: int) -> Head:
        """One head by its indices, with its standardiser."""
        raise NotImplementedError


def sweep(
    tasks: Sequence[Task],
    recipe: HeadRecipe,
    rhos: Sequence[float],
    seeds: Sequence[int],
    *,
    steps: int | None = None,
    watch: Watching | None = None,
    refine: int = 4,
    folder: str | Path | None = None,
    progress: Progress | None = None,
    device: str = "cpu",
) -> Sweep:
    """Train and measure a head for every task, seed and radius; refine the collapse by `refine` bisections in log rho.

    steps defaults to the recipe's epochs. Tasks may differ in width. With a folder, finished parts are kept in it and
    an interrupted sweep goes on where it was. Raises FitError before any work when the input cannot be swept.
    """
    raise NotImplementedError
