"""Empirical COR: the radius at which a head that learned falls to chance, censored where the grid does not show it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import comb, inf, isnan, nan, sqrt
from typing import Literal

import numpy as np

from corit.errors import FitError
from corit.theory.floors import Floors

CHANCE, LEARNED = 0.55, 0.6  # [choice] AUC below which a head has collapsed, and from which it has learned
LOSS = 0.05  # [choice] logistic minus nearest-mean AUC below which half of it cannot be told from nothing

Censoring = Literal["", ">", "<", "never learned"]
Place = tuple[int, int]  # task, seed
Retrain = Callable[[Sequence[tuple[Place, float]]], Sequence[float]]


@dataclass(frozen=True)
class Radius:
    """A radius that may be censored.

    Attributes:
        value: the radius, or the bound that is known of it; NaN for "never learned".
        censoring: "" for exactly `value`, ">" for larger, "<" for smaller, "never learned" for none.
    """

    value: float
    censoring: Censoring = ""

    def __str__(self) -> str:
        if self.censoring == "never learned":
            return self.censoring
        return f"{self.censoring} {self.value:.3g}".strip()

    @property
    def order(self) -> tuple[float, int]:
        """The key to sort by: below, at and above a value; "never learned" comes first."""
        if self.censoring == "never learned":
            return (-inf, 0)
        return (self.value, {"<": -1, "": 0, ">": 1}[self.censoring])


NEVER = Radius(nan, "never learned")


@dataclass(frozen=True)
class Spread:
    """Median and interval over seeds, each a radius that may be censored; see `spread`.

    Attributes:
        median: the lower median.
        low: lower end of the interval.
        high: upper end of the interval.
    """

    median: Radius
    low: Radius
    high: Radius

    def __str__(self) -> str:
        if self.high.censoring == "never learned":  # it sorts first, so that all three have it
            return self.high.censoring
        return f"{self.median} [{self.low}, {self.high}]"


@dataclass(frozen=True)
class Collapse:
    """One task's empirical COR.

    Attributes:
        radius: (S) radius of collapse of each seed.
        halfway: (S) half-way radius of each seed.
        cor: radius of collapse over seeds.
        half: half-way radius over seeds.
        counts: how many seeds are "collapsed" (inside the grid), "stable" (">"), "below" ("<") and "never learned".
        relative: (S) radius of each seed relative to the floors, see `relative`; None without floors.
        lost: the same over seeds.
    """

    radius: tuple[Radius, ...]
    halfway: tuple[Radius, ...]
    cor: Spread
    half: Spread
    counts: Mapping[str, int]
    relative: tuple[Radius, ...] | None = None
    lost: Spread | None = None


def collapse(
    rhos: Sequence[float],
    auc: np.ndarray,
    retrain: Callable[[Sequence[tuple[int, float]]], Sequence[float]] | None = None,
    refine: int = 4,
) -> Collapse:
    """Measure the empirical COR of one task; see `collapses`.

    Args:
        rhos: (R) radii, increasing.
        auc: (S, R) test AUC.
        retrain: maps heads (seed index, rho) to their test AUC, in order; None to keep the grid's own radii.
        refine: rounds of bisection.
    """
    table = np.asarray(auc, dtype=np.float64)[None]
    radius = None
    if retrain is not None:
        radius = refined(rhos, table, lambda heads: retrain([(seed, rho) for (_, seed), rho in heads]), refine)
    return collapses(rhos, table, radius)[0]


def collapses(
    rhos: Sequence[float],
    auc: np.ndarray,
    radius: np.ndarray | None = None,
    floors: Sequence[Floors] | None = None,
) -> tuple[Collapse, ...]:
    """Measure the empirical COR of P tasks.

    [choice] A seed's COR is where its AUC first falls below 0.55 (or is not a number: it diverged) after it has first
    reached 0.6. Radii before the first that learned say nothing: what has not learned cannot collapse. After the first
    fall nothing counts, whether or not a larger radius learns again. Three cases have no number:

    - "never learned": no radius of the grid reaches 0.6.
    - "> r", with r the largest radius of the grid: from the first radius that learned on, the AUC stays at 0.55 or
      above. The COR is larger than r.
    - "< r", with r the smallest positive radius: rho = 0 alone has learned, and the AUC falls at r. The COR is below r,
      but bisection in log rho cannot start from 0.

    Args:
        rhos: (R) radii, increasing.
        auc: (P, S, R) test AUC, NaN where a head diverged.
        radius: (P, S) refined radii of collapse, as `refined` returns them; None to keep the grid's own.
        floors: (P) for the radii relative to the floors, see `relative`; None to leave them out.

    Returns:
        (P) the collapse of each task.

    Raises:
        FitError: for radii or AUC that do not fit.
    """
    radii, table = check_radii(rhos, positive=radius is None), _table(rhos, auc)
    tasks = []
    for p, areas in enumerate(table):
        ends = [bracket(radii, a) for a in areas]
        fine = [nan] * len(ends) if radius is None else radius[p].tolist()
        each = [
            b if isinstance(b, Radius) else Radius(b[1] if isnan(r) else r) for b, r in zip(ends, fine, strict=True)
        ]
        tasks.append(_task(each, [halfway(radii, a) for a in areas]))
    if floors is None:
        return tuple(tasks)
    return tuple(against_floors(radii, a, c, f) for a, c, f in zip(table, tasks, floors, strict=True))


def against_floors(rhos: Sequence[float], auc: np.ndarray, collapse: Collapse, floors: Floors) -> Collapse:
    """Add the radii relative to the floors to a task's collapse; see `relative`.

    Args:
        rhos: (R) radii, increasing.
        auc: (S, R) test AUC.
        collapse: of these heads.
        floors: of the same rows.
    """
    each = tuple(relative(rhos, a, floors) for a in auc)
    return replace(collapse, relative=each, lost=spread(each))


def refined(rhos: Sequence[float], auc: np.ndarray, retrain: Retrain, rounds: int = 4) -> np.ndarray:
    """Refine radii of collapse by bisection in log rho, for all tasks and seeds at once.

    Between the last radius that held and the first that did not, heads are retrained at the geometric middle, `rounds`
    times; the COR is then known within a factor (ratio of the two)^(1 / 2^rounds).

    Args:
        rhos: (R) radii, increasing.
        auc: (P, S, R) test AUC.
        retrain: maps heads ((task, seed), rho) to their test AUC, in order.
        rounds: of bisection.

    Returns:
        (P, S) the smallest radius that is known to have collapsed; NaN where the grid has no such pair.

    Raises:
        FitError: for radii or AUC that do not fit.
    """
    radii, table = check_radii(rhos, positive=rounds > 0), _table(rhos, auc)
    radius = np.full(table.shape[:2], np.nan)
    ends = {(p, s): bracket(radii, table[p, s]) for p, s in np.ndindex(*radius.shape)}
    for at, (_, high) in bisect({k: v for k, v in ends.items() if isinstance(v, tuple)}, retrain, rounds).items():
        radius[at] = high
    return radius


def _table(rhos: Sequence[float], auc: np.ndarray) -> np.ndarray:
    table = np.asarray(auc, dtype=np.float64)
    if table.ndim != 3 or table.shape[-1] != len(rhos):
        raise FitError(f"expected AUC (P, S, {len(rhos)}), one for each radius, got {table.shape}")
    return table


def check_radii(rhos: Sequence[float], positive: bool = True) -> tuple[float, ...]:
    """Check radii and return them as a tuple.

    Args:
        rhos: finite, not negative, increasing, none twice.
        positive: whether one of them must be above 0, as a search for a collapse needs.

    Raises:
        FitError: for none, or others.
    """
    radii = tuple(float(r) for r in rhos)
    if not radii:
        raise FitError("expected a list of radii rho, got none; give at least one, such as 0.05")
    if not all(np.isfinite(radii)) or min(radii) < 0:
        raise FitError(f"expected finite radii rho >= 0, got {list(radii)}; remove what is negative or not finite")
    if list(radii) != sorted(set(radii)):
        raise FitError(f"expected increasing radii, none of them twice, got {list(radii)}; sort them")
    if positive and radii[-1] == 0:
        raise FitError("expected a radius above 0 to look for a collapse at, got only 0; add some, such as 0.05")
    return radii


def bracket(rhos: Sequence[float], auc: np.ndarray) -> tuple[float, float] | Radius:
    """Find the neighbouring radii between which a seed's AUC falls below 0.55; `collapses` says which fall counts.

    Args:
        rhos: (R) radii, increasing.
        auc: (R) test AUC of one seed.

    Returns:
        The two radii, or the censored radius where there is no such pair.
    """
    fall = _fall(auc)
    if fall is None:
        return NEVER
    if fall == len(auc):
        return Radius(rhos[-1], ">")
    return (rhos[fall - 1], rhos[fall]) if rhos[fall - 1] else Radius(rhos[fall], "<")


def _fall(auc: np.ndarray) -> int | None:
    """The first index below 0.55 after the first that learned, R if there is none, or None if nothing learned."""
    learned = auc >= LEARNED
    if not learned.any():
        return None
    gone = ~(auc >= CHANCE)  # NaN counts: a head that diverged has collapsed
    gone[: int(learned.argmax())] = False
    return int(gone.argmax()) if gone.any() else len(auc)


def bisect(
    brackets: Mapping[Place, tuple[float, float]], retrain: Retrain, rounds: int
) -> dict[Place, tuple[float, float]]:
    """Halve brackets in log rho, all at once in each round.

    Args:
        brackets: (task, seed) -> two radii, of which the upper one has collapsed and the lower one has not.
        retrain: maps heads ((task, seed), rho) to their test AUC, in order.
        rounds: of bisection.

    Returns:
        (task, seed) -> narrower brackets of the same kind.
    """
    narrowed = dict(brackets)
    for _ in range(rounds if narrowed else 0):
        middles = [(at, sqrt(low * high)) for at, (low, high) in narrowed.items()]
        for (at, rho), area in zip(middles, retrain(middles), strict=True):
            low, high = narrowed[at]
            narrowed[at] = (rho, high) if area >= CHANCE else (low, rho)
    return narrowed


def halfway(rhos: Sequence[float], auc: np.ndarray) -> Radius:
    """Find the radius where a seed's AUC is half-way between its best and 0.5, interpolated in log rho.

    It belongs to the fall that `collapses` counts: the best radius lies before that fall, and the half-way radius
    beyond the best, at the end of the fall at the latest. It is censored as in `collapses`.

    Args:
        rhos: (R) radii, increasing.
        auc: (R) test AUC of one seed.

    Returns:
        The radius, which may be censored.
    """
    fall = _fall(auc)
    if fall is None:
        return NEVER
    best = int(np.nanargmax(auc[:fall]))
    half = (0.5 + auc[best]) / 2
    fallen = np.flatnonzero(~(auc[best:] >= half))
    if not len(fallen):
        return Radius(rhos[-1], ">")
    return _crossing(rhos, auc, best + int(fallen[0]), half, 0.5)


def relative(rhos: Sequence[float], auc: np.ndarray, floors: Floors) -> Radius:
    """Find the radius where a seed has lost half of what a linear head has to lose, interpolated in log rho.

    A linear head falls to the nearest-mean classifier and not to chance: where that one has an AUC of 0.7, 0.55 is
    never reached. So this radius is where the AUC first falls below the middle of the nearest-mean and the logistic
    AUC, after it has first reached it. A head that diverged has fallen to the nearest mean [choice]. It is censored as
    in `collapses`: "never learned" where no radius reaches the middle, or where the logistic AUC is less than `LOSS`
    above the nearest-mean one, so that there is nothing to lose.

    Args:
        rhos: (R) radii, increasing.
        auc: (R) test AUC of one seed.
        floors: of the same training and test rows.

    Returns:
        The radius, which may be censored.
    """
    middle = (floors.logistic + floors.nearest_mean) / 2
    reached = auc >= middle
    if floors.gap < LOSS or not reached.any():
        return NEVER
    fallen = np.flatnonzero(~reached & (np.arange(len(auc)) > reached.argmax()))
    if not len(fallen):
        return Radius(rhos[-1], ">")
    return _crossing(rhos, auc, int(fallen[0]), middle, floors.nearest_mean)


def _crossing(rhos: Sequence[float], auc: np.ndarray, k: int, level: float, diverged: float) -> Radius:
    """Where the AUC crosses a level between the radii k - 1 and k, at a straight line in log rho."""
    if rhos[k - 1] == 0:
        return Radius(rhos[k], "<")
    before, after = auc[k - 1], diverged if isnan(auc[k]) else auc[k]
    return Radius(float(rhos[k - 1] * (rhos[k] / rhos[k - 1]) ** ((before - level) / (before - after))))


def spread(radii: Sequence[Radius], coverage: float = 0.9) -> Spread:
    """Summarise seeds' radii by their median and an interval that assumes no distribution, from their order alone.

    [choice] An even number has the lower of its two middle radii as median, so that it is one that was measured. The
    interval is the narrowest pair of order statistics, equally far from the ends, that covers the true median with at
    least `coverage`. With five seeds it is the smallest and the largest (94 %). With fewer seeds it is also the
    smallest and the largest, with a lower coverage. The order needs no values, so that censored radii take their
    places; "never learned" comes first.

    Args:
        radii: (S) of the seeds.
        coverage: of the interval.

    Returns:
        The median and the interval.

    Raises:
        FitError: for no radii.
    """
    ordered = sorted(radii, key=lambda r: r.order)
    n = len(ordered)
    if n == 0:
        raise FitError("expected radii of at least one seed, got none")
    missed = np.cumsum([comb(n, k) for k in range(n)]) / 2**n  # P(at most k of n lie below the median)
    cut = max([k + 1 for k in range((n - 1) // 2) if 1 - 2 * missed[k + 1] >= coverage], default=0)
    return Spread(ordered[(n - 1) // 2], ordered[cut], ordered[n - 1 - cut])


def _task(radius: Sequence[Radius], half: Sequence[Radius]) -> Collapse:
    names = {"": "collapsed", ">": "stable", "<": "below", "never learned": "never learned"}
    counts = Counter(names[r.censoring] for r in radius)
    return Collapse(tuple(radius), tuple(half), spread(radius), spread(half), {n: counts[n] for n in names.values()})
