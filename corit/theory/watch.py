"""Trajectories of the theory's quantities while heads are trained: an observer for `corit.heads.fit.fit`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from corit.heads.fit import Observation, Problem
from corit.heads.head import HeadRecipe


@dataclass(frozen=True)
class Course:
    """What was seen at steps (T,), just before each was taken; every quantity (T, P, S, R) float64, NaN if diverged.

    rows: the training rows that were looked at, of each problem; all of them unless a subsample was asked for. gsnr:
    (4) of those rows as a population; corrected: of the population they were drawn from. gradient: norm(E g).
    lambda_max: the Hessian's largest eigenvalue in magnitude, with its relative residual.
    """

    steps: np.ndarray
    loss: np.ndarray
    gradient: np.ndarray
    gsnr: np.ndarray
    corrected: np.ndarray
    trace_h: np.ndarray
    trace_r: np.ndarray
    lambda_max: np.ndarray
    residual: np.ndarray
    rows: int

    @property
    def ratio(self) -> np.ndarray:
        """(8)'s right-hand side norm(E g) / lambda_max(H) (T, P, S, R): the bound on the radius at each step."""
        return self.gradient / self.lambda_max


class Watch:
    """An observer that measures all heads of the lanes at once; give it to `fit` or let `sweep` make it."""

    def __init__(
        self,
        problems: Sequence[Problem],
        recipe: HeadRecipe,
        seeds: int,
        radii: int,
        *,
        rows: int | None = None,
        tolerance: float = 1e-2,
        seed: int = 0,
    ) -> None:
        raise NotImplementedError

    def __call__(self, seen: Observation) -> None:
        raise NotImplementedError

    def course(self) -> Course:
        """All that was seen so far."""
        raise NotImplementedError


def every(interval: int) -> Callable[[int], bool]:
    """Steps 0, interval, 2 interval, ...: for `fit`'s observe_at."""
    return lambda step: step % interval == 0
