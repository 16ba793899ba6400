"""The control of a head that falls on raw features: the same head on the same features without their mean."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from corit.heads.head import HeadKind, HeadRecipe
from corit.progress import OpenBar, no_bar
from corit.theory.collapse import Collapse, Spread
from corit.theory.sweep import Sweep, Task, sweep, task

COMMON = 0.5  # [choice] share of the common mean from which on it can be the cause: more than all the rest


@dataclass(frozen=True)
class Control:
    """Heads on centred features, at the radii and seeds of the cell that they are the control of.

    Attributes:
        auc: (S, R) on test rows, NaN where a head diverged.
        collapse: the empirical COR, unrefined, with the radii relative to the floors.
    """

    auc: np.ndarray
    collapse: Collapse


def fall(head: HeadKind, collapse: Collapse) -> Spread:
    """Return the radius at which a head falls.

    A linear head falls to the nearest-mean classifier: half of its floors' difference. A perceptron falls to chance:
    the half-way radius.
    """
    return collapse.lost if head == "linear" and collapse.lost is not None else collapse.half


def falls(head: HeadKind, collapse: Collapse) -> bool:
    """Tell whether most seeds learn and then fall within the radii."""
    return fall(head, collapse).median.censoring in ("", "<")


def controls(grid: Sweep, folder: str | Path, name: str, bars: OpenBar = no_bar) -> dict[int, Control]:
    """Train the control of each task of a sweep on raw features that falls, where the common mean can be the cause.

    Args:
        grid: a sweep on raw features; of other scalings, which centre, none has a control.
        folder: of the finished parts.
        name: of the store, for the progress bar.
        bars: opens progress bars.

    Returns:
        Index of the task -> its control.
    """
    if grid.recipe.scaling != "raw":
        return {}
    chosen = [
        p
        for p, c in enumerate(grid.relative)
        if falls(grid.recipe.kind, c) and grid.tasks[p].units.raw.common >= COMMON
    ]
    if not chosen:
        return {}
    recipe = replace(grid.recipe, scaling="centre")
    centred = [_centred(grid.tasks[p], recipe) for p in chosen]
    with bars(f"{recipe.kind} heads on centred {name}") as progress:
        result = sweep(
            centred, recipe, grid.rhos, grid.seeds, steps=grid.steps, refine=0, folder=folder, progress=progress
        )
    return {p: Control(result.auc[k], result.relative[k]) for k, p in enumerate(chosen)}


def _centred(t: Task, recipe: HeadRecipe) -> Task:
    p = t.problem
    return task(t.layer, t.group, (p.train, p.labels), (p.valid, p.valid_labels), (t.test, t.test_labels), recipe)
