"""Robustness: how much of the AUC a perturbation takes, level by level, (26)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from corit.errors import DataError
from corit.metrics.auc import Estimate, auc, check, enough, percentile, resample
from corit.metrics.curve import Ranking
from corit.progress import Progress, no_progress


def relative_variation(original: float, perturbed: float) -> float:
    """(26) (AUC perturbed - AUC original) / AUC original; negative where the perturbation harms.

    Raises DataError when an AUC is outside [0, 1] or the original one is 0.
    """
    if not (0 < original <= 1 and 0 <= perturbed <= 1):
        raise DataError(f"expected AUCs in [0, 1] and an original above 0, got {original} and {perturbed}")
    return (perturbed - original) / original


@dataclass(frozen=True)
class Robustness:
    """One perturbation at one level: the AUC on perturbed pictures and (26), with intervals over the same draws.

    The variation is NaN where the original AUC is 0, of which nothing can be lost.
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
    """The variations of perturbed scores, by (name, level), against the original scores of the same rows (n).

    Each draw of rows, or of groups where they are given, is used for the original and all the perturbed scores, so
    that the interval of a variation is of the pair; draws with an original AUC of 0 have none. There are no intervals
    where `metrics.enough` says so. progress: called after each draw. Raises DataError on bad input: `metrics.check`.
    """
    stack = (original, *perturbed.values())
    for scores in stack:
        check(labels, scores)
    table = _draws(labels, stack, groups, draws, seed, progress)
    whole, some = [auc(labels, s) for s in stack], table[:, 0] > 0
    out = []
    for j, (name, step) in enumerate(perturbed, start=1):
        variations = (table[some, j] - table[some, 0]) / table[some, 0]
        variation = relative_variation(whole[0], whole[j]) if whole[0] else float("nan")
        found = percentile(whole[j], table[:, j], level), percentile(variation, variations if whole[0] else [], level)
        out.append(Robustness(name, step, *found))
    return tuple(out)


def _draws(
    labels: np.ndarray,
    stack: Sequence[np.ndarray],
    groups: np.ndarray | None,
    draws: int,
    seed: int,
    progress: Progress,
) -> np.ndarray:
    """(draws, 1 + P) the AUCs of the original and the perturbed scores in each draw; no draws of too few rows."""
    rankings, table = [Ranking(labels, s) for s in stack], []
    for times in resample(labels, groups, draws, seed) if enough(labels, groups) else ():
        table.append([r.curve(times.astype(float)).auc() for r in rankings])
        progress(len(table), draws)
    return np.array(table).reshape(-1, len(stack))
