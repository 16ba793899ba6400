"""Robustness: how much of the AUC a perturbation takes, level by level, (26)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from corit.errors import DataError
from corit.evaluate.metrics import Estimate, auc, check, percentile, resample


def relative_variation(original: float, perturbed: float) -> float:
    """(26) (AUC perturbed - AUC original) / AUC original; negative where the perturbation harms.

    Raises DataError when an AUC is outside [0, 1] or the original one is 0.
    """
    if not (0 < original <= 1 and 0 <= perturbed <= 1):
        raise DataError(f"expected AUCs in [0, 1] and an original above 0, got {original} and {perturbed}")
    return (perturbed - original) / original


@dataclass(frozen=True)
class Robustness:
    """One perturbation at one level: the AUC on perturbed pictures and (26), with intervals over the same draws."""

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
) -> tuple[Robustness, ...]:
    """The variations of perturbed scores, by (name, level), against the original scores of the same rows (n).

    Each draw of rows, or of groups where they are given, is used for the original and all the perturbed scores, so
    that the interval of a variation is of the pair. Raises DataError on bad input (see `metrics.check`).
    """
    for scores in (original, *perturbed.values()):
        check(labels, scores)
    stack = np.stack([original, *perturbed.values()])
    table = np.array([[auc(labels[r], s[r]) for s in stack] for r in resample(labels, groups, draws, seed)])
    whole = [auc(labels, s) for s in stack]
    out = []
    for j, (name, step) in enumerate(perturbed, start=1):
        variations = (table[:, j] - table[:, 0]) / table[:, 0]
        variation = relative_variation(whole[0], whole[j])
        found = percentile(whole[j], table[:, j], level), percentile(variation, variations, level)
        out.append(Robustness(name, step, *found))
    return tuple(out)
