"""Groups of fakes, each against the reals, as the tasks of a sweep."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from corit.diagnose.features import PARTS, LayerFeatures
from corit.errors import DataError
from corit.heads.head import HeadRecipe
from corit.heads.rows import Subset
from corit.theory.sweep import Task, task

By = Literal["manipulation", "dataset"]
MEMORY = 2**32  # bytes of standardised rows held for all tasks together


def usable_groups(
    features: LayerFeatures, by: By, only: Sequence[str], batch: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """List the groups that can be diagnosed.

    Args:
        features: labelled rows.
        by: what the fakes are grouped by.
        only: these groups only; empty for all.
        batch: rows of a mini-batch, which a group's training rows must fill.

    Returns:
        The groups, and a reason for each group that is left out.

    Raises:
        DataError: for a group of `only` that is absent or too small, and when no group is left.
    """
    present = sorted(set(_names(features, by)[features.y == 1].tolist()))
    unknown = [g for g in only if g not in present]
    if unknown:
        raise DataError(f"{features.name} has no {by} {', '.join(unknown)}; it has {', '.join(present)}")
    reasons = {g: _shortage(features, by, g, batch) for g in only or present}
    short = {g: reason for g, reason in reasons.items() if reason}
    if short and (only or len(short) == len(reasons)):
        raise DataError(f"{features.name}: {'; '.join(short.values())}")
    return tuple(g for g in reasons if g not in short), tuple(short.values())


def _names(features: LayerFeatures, by: By) -> np.ndarray:
    """The group of each row; fakes without a name are "fake"."""
    names = features.manipulation if by == "manipulation" else features.dataset
    return np.where((names == "") & (features.y == 1), "fake", names)


def group_rows(features: LayerFeatures, by: By, group: str) -> dict[str, np.ndarray]:
    """Select the rows of a group: its fakes and the reals.

    Where fakes are grouped by data set, the reals are those of that set, or all reals where it has none.

    Args:
        features: labelled rows.
        by: what the fakes are grouped by.
        group: the group.

    Returns:
        Split (train, val, test) -> row numbers.
    """
    names = _names(features, by)
    real = features.y == 0
    if by == "dataset" and (real & (names == group)).any():
        real &= names == group
    chosen = real | ((features.y == 1) & (names == group))
    return {part: np.flatnonzero(chosen & (features.split == part)) for part in PARTS}


def _shortage(features: LayerFeatures, by: By, group: str, batch: int) -> str:
    """The reason why a group cannot be diagnosed; empty for none."""
    for part, index in group_rows(features, by, group).items():
        missing = [k for k, label in (("real", 0), ("fake", 1)) if not (features.y[index] == label).any()]
        if missing:
            return f"expected reals and fakes in {group}'s {part} rows, but there is no {' and no '.join(missing)} row"
        if part == "train" and len(index) < batch:
            return f"expected at least one mini-batch of {batch} training rows in {group}, got {len(index)}"
    return ""


def tasks_of(
    features: LayerFeatures, by: By, groups: Sequence[str], layers: Sequence[int], recipe: HeadRecipe
) -> Iterator[Task]:
    """Build a task for each layer and group, standardised by its own training rows, which keep their sources.

    Args:
        features: labelled rows.
        by: what the fakes are grouped by.
        groups: groups of fakes.
        layers: layer numbers.
        recipe: gives the scaling of the features.

    Raises:
        FitError: when the rows cannot be standardised.
    """
    limit = MEMORY // (len(groups) * len(layers))
    for layer in layers:
        for group in groups:
            rows, index = features.layers[layer], group_rows(features, by, group)
            train, val, test = ((Subset(rows, index[p]), features.y[index[p]]) for p in PARTS)
            yield task(layer, group, train, val, test, recipe, limit, _sources(features.group[index["train"]]))


def _sources(names: np.ndarray) -> np.ndarray | None:
    """The source of each training row; None where no two rows share one, and where all share one."""
    count = len(set(names.tolist()))
    return names if 1 < count < len(names) else None
