"""Relative AUC variation (RAV) under perturbations, equation (26)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from corit.errors import DataError
from corit.metrics.auc import auc
from corit.metrics.bootstrap import Estimate, check_scores, enough_groups, percentile_interval, resample
from corit.metrics.curve import Ranking
from corit.progress import Progress, no_progress


def relative_variation(original: float, perturbed: float) -> float:
    """Compute (26): (AUC perturbed - AUC original) / AUC original; negative where the perturbation harms.

    Raises:
        DataError: when an AUC is outside [0, 1] or the original AUC is 0.
    """
    if not (0 < original <= 1 and 0 <= perturbed <= 1):
        raise DataError(f"expected AUCs in [0, 1] and an original above 0, got {original} and {perturbed}")
    return (perturbed - original) / original


@dataclass(frozen=True)
class Robustness:
    """One perturbation at one level, with intervals over the same draws.

    Attributes:
        name: the perturbation.
        level: its strength, 1 to 5.
        auc: the AUC on perturbed pictures.
        variation: (26), NaN where the original AUC is 0.
    """

    name: str
    level: int
    auc: Estimate
    variation: Estimate


def robustness(
    labels: np.ndarray,
    original: np.ndarray,
    perturbed: Mapping[tuple[str, int], np.ndarray],
    *,
    groups: np.ndarray | None = None,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    progress: Progress = no_progress,
) -> tuple[Robustness, ...]:
    """Measure each perturbation's AUC and its relative variation (26).

    Each bootstrap draw serves the original and all the perturbed scores, so that the interval of a variation is that
    of the pair. A draw with an original AUC of 0 gives no variation.

    Args:
        labels: (n), 0 for real and 1 for fake.
        original: (n) scores of the unchanged pictures.
        perturbed: (name, level) -> (n) scores of the same rows.
        groups: (n), the video or source of each row; whole groups are drawn. None: rows are drawn.
        draws: number of bootstrap draws.
        level: coverage of the intervals.
        seed: seed of the draws.
        progress: called as progress(done, total) after each draw.

    Returns:
        One record for each perturbation and level; no intervals where `enough_groups` is False.

    Raises:
        DataError: as `check_scores`.
    """
    stack = (original, *perturbed.values())
    for scores in stack:
        check_scores(labels, scores)
    table = _draws(labels, stack, groups, draws, seed, progress)
    aucs, usable = [auc(labels, s) for s in stack], table[:, 0] > 0
    out = []
    for j, (name, step) in enumerate(perturbed, start=1):
        variations = (table[usable, j] - table[usable, 0]) / table[usable, 0]
        variation = relative_variation(aucs[0], aucs[j]) if aucs[0] else float("nan")
        changed = percentile_interval(aucs[j], table[:, j], level)
        relative = percentile_interval(variation, variations if aucs[0] else [], level)
        out.append(Robustness(name, step, changed, relative))
    return tuple(out)


def _draws(
    labels: np.ndarray,
    stack: Sequence[np.ndarray],
    groups: np.ndarray | None,
    draws: int,
    seed: int,
    progress: Progress,
) -> np.ndarray:
    """(draws, 1 + P) the AUCs of the original and the perturbed scores in each draw; no draws of too few groups."""
    rankings, table = [Ranking(labels, s) for s in stack], []
    for times in resample(labels, groups, draws, seed) if enough_groups(labels, groups) else ():
        table.append([r.curve(times.astype(float)).auc() for r in rankings])
        progress(len(table), draws)
    return np.array(table).reshape(-1, len(stack))
