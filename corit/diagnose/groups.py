"""Groups of fakes, each against the reals, as the tasks of a sweep."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from corit.diagnose.measured import PARTS, Measured
from corit.errors import DataError
from corit.heads.head import HeadRecipe
from corit.heads.rows import Subset
from corit.theory.sweep import Task, task

By = Literal["manipulation", "dataset"]
MEMORY = 2**32  # bytes of standardised rows held for all tasks together


def groups_of(found: Measured, by: By, asked: Sequence[str], batch: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The groups that can be diagnosed, and a reason for each that cannot.

    asked: these only; empty for all. Raises DataError for a group asked for that is not there or too small, and when
    nothing is left.
    """
    there = sorted(set(_names(found, by)[found.y == 1].tolist()))
    unknown = [g for g in asked if g not in there]
    if unknown:
        raise DataError(f"{found.name} has no {by} {', '.join(unknown)}; it has {', '.join(there)}")
    reasons = {g: _lack(found, by, g, batch) for g in asked or there}
    short = {g: why for g, why in reasons.items() if why}
    if short and (asked or len(short) == len(reasons)):
        raise DataError(f"{found.name}: {'; '.join(short.values())}")
    return tuple(g for g in reasons if g not in short), tuple(short.values())


def _names(found: Measured, by: By) -> np.ndarray:
    """The group of each row; fakes without a name are "fake"."""
    names = found.manipulation if by == "manipulation" else found.dataset
    return np.where((names == "") & (found.y == 1), "fake", names)


def rows_of(found: Measured, by: By, group: str) -> dict[str, np.ndarray]:
    """Row numbers by split: the group's fakes and the reals, by data set the reals of that set where it has any."""
    names = _names(found, by)
    real = found.y == 0
    if by == "dataset" and (real & (names == group)).any():
        real &= names == group
    chosen = real | ((found.y == 1) & (names == group))
    return {part: np.flatnonzero(chosen & (found.split == part)) for part in PARTS}


def _lack(found: Measured, by: By, group: str, batch: int) -> str:
    """Why a group cannot be diagnosed, or nothing."""
    for part, index in rows_of(found, by, group).items():
        missing = [k for k, label in (("real", 0), ("fake", 1)) if not (found.y[index] == label).any()]
        if missing:
            return f"expected reals and fakes in {group}'s {part} rows, but there is no {' and no '.join(missing)} row"
        if part == "train" and len(index) < batch:
            return f"expected at least one mini-batch of {batch} training rows in {group}, got {len(index)}"
    return ""


def tasks_of(
    found: Measured, by: By, groups: Sequence[str], layers: Sequence[int], recipe: HeadRecipe
) -> Iterator[Task]:
    """A task for each layer and group, standardised by its own training rows. Raises FitError."""
    limit = MEMORY // (len(groups) * len(layers))
    for layer in layers:
        for group in groups:
            rows, index = found.layers[layer], rows_of(found, by, group)
            train, val, test = ((Subset(rows, index[p]), found.y[index[p]]) for p in PARTS)
            yield task(layer, group, train, val, test, recipe, limit)
