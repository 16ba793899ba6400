"""Empirical COR: the radius at which test AUC falls to chance, per seed, censored where the grid does not show it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from corit.errors import FitError

CHANCE, LEARNED = 0.55, 0.6

Censoring = Literal["", ">", "<", "never learned"]


@dataclass(frozen=True)
class Radius:
    """A radius, or what is known of it: "" it is `value`, ">" it is larger, "<" smaller, "never learned" there is none."""

    value: float
    censoring: Censoring = ""

    def __str__(self) -> str:
        if self.censoring == "never learned":
            return self.censoring
        return f"{self.censoring} {self.value:.3g}".strip()

    @property
    def order(self) -> tuple[float, int]:
        """A key to sort by: below, at and above a value; never learned is below everything."""
        if self.censoring == "never learned":
            return (-np.inf, 0)
        return (self.value, {"<": -1, "": 0, ">": 1}[self.censoring])


@dataclass(frozen=True)
class Spread:
    """Median and interval [low, high] over seeds, each a radius that may be censored."""

    median: Radius
    low: Radius
    high: Radius

    def __str__(self) -> str:
        return f"{self.median} [{self.low}, {self.high}]"


@dataclass(frozen=True)
class Collapse:
    """One task's empirical COR: by seed (S) the radius of collapse and the half-way radius, and both over seeds.

    verdict: how many seeds collapsed inside the grid, stayed above it, lay below it, or never learned.
    """

    radius: tuple[Radius, ...]
    halfway: tuple[Radius, ...]
    cor: Spread
    half: Spread
    counts: dict[str, int]


def bracket(rhos: Sequence[float], auc: np.ndarray) -> tuple[float, float] | Radius:
    """The two neighbouring radii between which a seed's AUC (R) falls below 0.55 first, or the censored answer."""
    raise NotImplementedError


Retrain = Callable[[Sequence[tuple[int, float]]], Sequence[float]]


def collapse(rhos: Sequence[float], auc: np.ndarray, retrain: Retrain | None = None, refine: int = 4) -> Collapse:
    """Empirical COR of one task from AUC (S, R); `retrain` gives the AUC of (seed index, rho) heads for bisection."""
    raise FitError("not yet")
