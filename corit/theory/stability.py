"""The stability condition (3) itself, by mini-batches; how often it fails below (8)'s radius, and how tight (8) is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from corit.errors import FitError
from corit.theory.cor import step_radius
from corit.theory.curvature import lambda_max
from corit.theory.likelihood import Likelihood
from corit.theory.moments import LIMIT, balanced_batches, in_parts

FRACTIONS = (0.25, 0.5, 0.75, 0.99)


@dataclass(frozen=True)
class Stability:
    """(3) for heads (...) at K radii: means over m mini-batches of B rows, with the gradient of all rows.

    Attributes:
        rhos: (K) or (..., K) radii.
        inner: (..., K) E_B<grad Loss_B(w + e_B), grad Loss(w)>, exact for these mini-batches.
        error: (..., K) its standard error where balanced mini-batches stand for all that could be drawn: that of the
            change by e_B, since without it their mean is norm(grad Loss)^2 exactly.
        opposed: (..., K) share of mini-batches whose inner product is not positive.
        own: (..., K) least over mini-batches of <grad Loss_B(w + e_B), grad Loss_B(w)> / norm(grad Loss_B(w))^2, which
            convexity keeps at 1 or more.
        size: B.
        count: m.
    """

    rhos: Tensor
    inner: Tensor
    error: Tensor
    opposed: Tensor
    own: Tensor
    size: int
    count: int

    @property
    def holds(self) -> Tensor:
        """Whether (3) holds (..., K)."""
        return self.inner > 0


def stability(likelihood: Likelihood, batches: Tensor, rhos: Tensor, limit: int = LIMIT) -> Stability:
    """Measure (3) over mini-batches, with e_B = rho g_B / norm(g_B) as in (2).

    Args:
        likelihood: heads (...) on n rows.
        batches: (m, B) row indices; the mean gradient of balanced ones is the full one (`balanced_batches`).
        rhos: (K) radii, or (..., K) for each head its own.
        limit: numbers to hold in memory at a time.

    Raises:
        FitError: for negative radii or batches of another shape.
    """
    if bool((rhos < 0).any()):
        raise FitError(f"expected radii rho >= 0, got {rhos[rhos < 0].tolist()[:5]}")
    full = likelihood.gradient()
    terms, changes, own = [], [], []
    for here in in_parts(likelihood, batches, limit, rhos.shape[-1]):
        g = here.gradient()
        norm = g.norm(dim=-1, keepdim=True)
        unit = torch.where(norm > 0, g / norm, 0.0)
        products = here.along(unit, rhos, torch.stack([full.expand_as(g), unit], -2))  # (c, ..., K, 2)
        terms.append(products[..., 0])
        changes.append(products[..., 0] - (g * full).sum(-1)[..., None])
        own.append(torch.where(norm > 0, products[..., 1] / norm, math.inf))  # no gradient, no opposition
    each = torch.cat(terms)  # (m, ..., K)
    error = torch.cat(changes).std(0, unbiased=len(each) > 1) / len(each) ** 0.5
    opposed = (each <= 0).to(each).mean(0)
    return Stability(rhos, each.mean(0), error, opposed, torch.cat(own).amin(0), batches.shape[1], len(each))


@dataclass(frozen=True)
class Violations:
    """(3) below (8)'s radius with beta = lambda_max(H) of the population, for heads (...).

    Attributes:
        sizes: rows of mini-batches.
        fractions: of (8)'s radius.
        radius: (...) norm(grad Loss) / lambda_max(H).
        relative: (sizes, ..., fractions) (3)'s left-hand side at fraction * radius, over norm(grad Loss)^2.
        error: (sizes, ..., fractions) its standard error, likewise.
    """

    sizes: tuple[int, ...]
    fractions: tuple[float, ...]
    radius: Tensor
    relative: Tensor
    error: Tensor

    @property
    def failed(self) -> Tensor:
        """Where (3) fails (sizes, ..., fractions)."""
        return self.relative <= 0

    @property
    def share(self) -> Tensor:
        """The share of heads for which (3) fails, of those whose numbers are finite (sizes, fractions)."""
        shape = (len(self.sizes), -1, len(self.fractions))
        counted = torch.isfinite(self.relative).reshape(shape).sum(1)
        return self.failed.reshape(shape).sum(1) / counted


def violations(
    likelihood: Likelihood,
    sizes: Sequence[int],
    rng: torch.Generator,
    *,
    fractions: Sequence[float] = FRACTIONS,
    epochs: int = 20,
    tolerance: float = 1e-4,
) -> Violations:
    """Measure how often (8) is wrong when beta is lambda_max(H) of all rows, by batch size.

    Args:
        likelihood: heads (...) on n rows.
        sizes: rows of the mini-batches, which are balanced.
        rng: generator of the mini-batches.
        fractions: of (8)'s radius, at which (3) is measured.
        epochs: how often each row occurs at least, at each size.
        tolerance: relative residual of lambda_max.

    Raises:
        FitError: for a size larger than the set.
    """
    squared = likelihood.squared_gradient()
    radius = step_radius(squared.sqrt(), lambda_max(likelihood.operator(), tolerance=tolerance).value)
    rhos = radius[..., None] * torch.tensor(fractions, dtype=torch.float64).to(radius)
    relative, error = [], []
    for size in sizes:
        measured = stability(likelihood, balanced_batches(likelihood.count, size, epochs, rng), rhos)
        relative.append(measured.inner / squared[..., None])
        error.append(measured.error / squared[..., None])
    return Violations(tuple(sizes), tuple(fractions), radius, torch.stack(relative), torch.stack(error))


@dataclass(frozen=True)
class Tightness:
    """How far beyond a bound (3) holds.

    Attributes:
        bound: (...) on the radius.
        reached: (...) largest radius up to which (3) was found to hold. It is censored, not invented: infinite where
            (3) holds at every radius tried, up to `highest` times the bound; 0 where it fails already at `lowest` times
            the bound; NaN where the bound is not finite.
        lowest: least factor tried.
        highest: largest factor tried.
    """

    bound: Tensor
    reached: Tensor
    lowest: float
    highest: float

    @property
    def factor(self) -> Tensor:
        """reached / bound (...): 1 where (8) is tight, below 1 where it is wrong."""
        return self.reached / self.bound


def tightness(
    likelihood: Likelihood,
    batches: Tensor,
    bound: Tensor,
    *,
    lowest: float = 0.1,
    highest: float = 1e3,
    grid: int = 41,
    refine: int = 12,
) -> Tightness:
    """Find the first radius at which (3) fails, in units of a bound such as (8)'s.

    A geometric grid is searched, then refined by bisection in log rho; a failure between two grid points that both hold
    is missed. Beyond the first failure (3) may hold again: a large radius saturates the logits.

    Args:
        likelihood: heads (...) on n rows.
        batches: (m, B) row indices.
        bound: (...) on the radius.
        lowest: least factor of the grid.
        highest: largest factor of the grid.
        grid: number of factors.
        refine: rounds of bisection.
    """
    factors = torch.logspace(math.log10(lowest), math.log10(highest), grid, dtype=torch.float64).to(bound)
    failed = ~stability(likelihood, batches, bound[..., None] * factors).holds
    some, first = failed.any(-1), failed.to(torch.int8).argmax(-1)
    low, high = factors[(first - 1).clamp_min(0)], factors[first]
    for _ in range(refine if bool((some & (first > 0)).any()) else 0):
        middle = (low * high).sqrt()
        holds = stability(likelihood, batches, (bound * middle)[..., None]).holds[..., 0]
        low, high = torch.where(holds, middle, low), torch.where(holds, high, middle)
    reached = torch.where(some, torch.where(first > 0, low * bound, 0.0), math.inf)
    reached = torch.where(torch.isfinite(bound), reached, math.nan)
    return Tightness(bound, reached, lowest, highest)
