"""Empirical COR: the radius at which a head that learned falls to chance, censored where the grid does not show it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import comb, inf, isnan, nan, sqrt
from typing import Literal

import numpy as np

from corit.errors import FitError

CHANCE, LEARNED = 0.55, 0.6  # [choice] AUC below which a head has collapsed, and from which it has learned

Censoring = Literal["", ">", "<", "never learned"]
Place = tuple[int, int]  # task, seed
Retrain = Callable[[Sequence[tuple[Place, float]]], Sequence[float]]


@dataclass(frozen=True)
class Radius:
    """A radius, or what is known of it: censoring "" it is `value`, ">" larger, "<" smaller, "never learned" none."""

    value: float
    censoring: Censoring = ""

    def __str__(self) -> str:
        if self.censoring == "never learned":
            return self.censoring
        return f"{self.censoring} {self.value:.3g}".strip()

    @property
    def order(self) -> tuple[float, int]:
        """A key to sort by: below, at and above a value; never learned comes before everything."""
        if self.censoring == "never learned":
            return (-inf, 0)
        return (self.value, {"<": -1, "": 0, ">": 1}[self.censoring])


NEVER = Radius(nan, "never learned")


@dataclass(frozen=True)
class Spread:
    """Median and interval [low, high] over seeds, each a radius that may be censored; see `spread`."""

    median: Radius
    low: Radius
    high: Radius

    def __str__(self) -> str:
        if self.high.censoring == "never learned":  # which comes before everything: then all three are
            return self.high.censoring
        return f"{self.median} [{self.low}, {self.high}]"


@dataclass(frozen=True)
class Collapse:
    """One task's empirical COR: by seed (S) the radius of collapse and the half-way radius, and both over seeds.

    counts: how many seeds are "collapsed" (inside the grid), "stable" (">"), "below" ("<") and "never learned".
    """

    radius: tuple[Radius, ...]
    halfway: tuple[Radius, ...]
    cor: Spread
    half: Spread
    counts: Mapping[str, int]


def collapse(
    rhos: Sequence[float],
    auc: np.ndarray,
    retrain: Callable[[Sequence[tuple[int, float]]], Sequence[float]] | None = None,
    refine: int = 4,
) -> Collapse:
    """Empirical COR of one task from test AUC (S, R) at radii rhos (R); see `collapses`.

    retrain: the test AUC of heads (seed index, rho), in order. Without it the grid's own radius stands.
    """
    table = np.asarray(auc, dtype=np.float64)[None]
    found = None
    if retrain is not None:
        found = refined(rhos, table, lambda heads: retrain([(seed, rho) for (_, seed), rho in heads]), refine)
    return collapses(rhos, table, found)[0]


def collapses(rhos: Sequence[float], auc: np.ndarray, radius: np.ndarray | None = None) -> tuple[Collapse, ...]:
    """Empirical COR of P tasks from test AUC (P, S, R); radius (P, S): what `refined` found.

    [choice] A seed's COR is where its AUC first falls below 0.55 (or is not a number: it diverged) after it has first
    reached 0.6. Radii before the first that learned say nothing: what has not learned cannot collapse. After the first
    fall nothing counts, whether or not a larger radius learns again. The COR is "never learned" if no radius of the
    grid reaches 0.6, "> largest" if the AUC stays at 0.55 or above from the first that learned on, and "< r" if only
    rho = 0 has learned before it fell at the smallest positive radius r, since log rho has no middle there. Raises
    FitError on radii or AUC that do not fit.
    """
    radii, table = check_radii(rhos, positive=radius is None), _table(rhos, auc)
    found = []
    for p, areas in enumerate(table):
        ends = [bracket(radii, a) for a in areas]
        fine = [nan] * len(ends) if radius is None else radius[p].tolist()
        each = [
            b if isinstance(b, Radius) else Radius(b[1] if isnan(r) else r) for b, r in zip(ends, fine, strict=True)
        ]
        found.append(_task(each, [halfway(radii, a) for a in areas]))
    return tuple(found)


def refined(rhos: Sequence[float], auc: np.ndarray, retrain: Retrain, rounds: int = 4) -> np.ndarray:
    """The smallest radius known to have collapsed (P, S), by bisection in log rho of all tasks and seeds at once.

    Between the last radius that held and the first that did not, heads are retrained at the geometric middle, `rounds`
    times; the COR is then known within a factor (ratio of the two)^(1 / 2^rounds). NaN where the grid has no such
    pair. auc (P, S, R). Raises FitError on radii or AUC that do not fit.
    """
    radii, table = check_radii(rhos, positive=rounds > 0), _table(rhos, auc)
    found = np.full(table.shape[:2], np.nan)
    ends = {(p, s): bracket(radii, table[p, s]) for p, s in np.ndindex(*found.shape)}
    for at, (_, high) in bisect({k: v for k, v in ends.items() if isinstance(v, tuple)}, retrain, rounds).items():
        found[at] = high
    return found


def _table(rhos: Sequence[float], auc: np.ndarray) -> np.ndarray:
    table = np.asarray(auc, dtype=np.float64)
    if table.ndim != 3 or table.shape[-1] != len(rhos):
        raise FitError(f"expected AUC (P, S, {len(rhos)}), one for each radius, got {table.shape}")
    return table


def check_radii(rhos: Sequence[float], positive: bool = True) -> tuple[float, ...]:
    """The radii as a tuple. Raises FitError unless there are some, all finite, not negative, increasing, none twice.

    positive: whether one of them has to be above 0, where a collapse is looked for.
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
    """The neighbouring radii between which a seed's AUC (R) falls below 0.55, or the censored answer.

    See `collapses` for which fall counts.
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
    """Halve brackets in log rho, all at once in each round: the upper end has always collapsed, the lower has not."""
    found = dict(brackets)
    for _ in range(rounds if found else 0):
        asked = [(at, sqrt(low * high)) for at, (low, high) in found.items()]
        for (at, rho), area in zip(asked, retrain(asked), strict=True):
            low, high = found[at]
            found[at] = (rho, high) if area >= CHANCE else (low, rho)
    return found


def halfway(rhos: Sequence[float], auc: np.ndarray) -> Radius:
    """Where a seed's AUC (R) has fallen half of the way from its best to 0.5, interpolated in log rho.

    It belongs to the fall that `collapses` counts: the best radius lies before that fall, and half of the way is lost
    beyond it and at the fall's end at the latest. Censored as `collapses` says.
    """
    fall = _fall(auc)
    if fall is None:
        return NEVER
    best = int(np.nanargmax(auc[:fall]))
    half = (0.5 + auc[best]) / 2
    fallen = np.flatnonzero(~(auc[best:] >= half))
    if not len(fallen):
        return Radius(rhos[-1], ">")
    k = best + int(fallen[0])
    before, after = auc[k - 1], 0.5 if isnan(auc[k]) else auc[k]
    if rhos[k - 1] == 0:
        return Radius(rhos[k], "<")
    share = (before - half) / (before - after)
    return Radius(float(rhos[k - 1] * (rhos[k] / rhos[k - 1]) ** share))


def spread(radii: Sequence[Radius], coverage: float = 0.9) -> Spread:
    """Median of seeds' radii and an interval for it that supposes no distribution, from their order alone.

    [choice] An even number has the lower of its two middle radii as median, so that it is one that was measured. The
    interval is the narrowest pair of order statistics, equally far from the ends, that covers the true median with at
    least `coverage`: with five seeds the smallest and the largest (94 %), with fewer the same with less. Order needs
    no values, so that censored radii take their places; "never learned" comes before all. Raises FitError for none.
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
