"""Local smoothness beta, equations (6) and (7), and how far the curvature drifts over the ball, (38)-(40)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from corit.errors import FitError
from corit.theory.curvature import lambda_max
from corit.theory.likelihood import Likelihood, Logistic, Operator
from corit.theory.moments import LIMIT, in_parts


@dataclass(frozen=True)
class Smoothness:
    """Local smoothness beta over mini-batches and a ball.

    Attributes:
        value: beta (...).
        batch: (...) index of the mini-batch that attains it.
        kind: "bound" where none of the mini-batches has a larger spectral norm anywhere in the ball, so that (8) is a
            theorem with it; "sample" for the largest of the points tried, which the supremum may exceed.
    """

    value: Tensor
    batch: Tensor
    kind: Literal["bound", "sample"]


@dataclass(frozen=True)
class Drift:
    """(38)-(40) on the sphere of radius rho around w, relative to lambda_max(H(w)): the largest of the points tried.

    Attributes:
        value: (...) |lambda_max(H(w + e)) - lambda_max(H(w))|.
        norm: (...) spectral norm of H(w + e) - H(w).
        rho: radius of the sphere.
    """

    value: Tensor
    norm: Tensor
    rho: float


def beta_bound(
    likelihood: Logistic, batches: Tensor, rho: float = math.inf, *, tolerance: float = 1e-6, limit: int = LIMIT
) -> Smoothness:
    """Bound (6), (7) of linear heads from above: lambda_max of E_B[max over the ball of p(1-p) zz'].

    lambda_max's residual is added on top. For all mini-batches that could be drawn, max norm(z)^2 / 4 is a bound.

    Args:
        likelihood: linear heads (...).
        batches: (m, B) row indices.
        rho: radius of the ball; for an infinite one p(1-p) <= 1/4, which holds for every head.
        tolerance: relative residual of lambda_max.
        limit: numbers to hold in memory at a time.

    Raises:
        FitError: for a negative radius.
    """
    _ball(rho)

    def norms(here: Logistic) -> Tensor:
        largest = lambda_max(here.operator(here.ceiling(rho)), tolerance=tolerance)
        return largest.value * (1 + largest.residual)

    return _over_batches(likelihood, batches, norms, "bound", limit)


def beta_sample(
    likelihood: Likelihood,
    batches: Tensor,
    rho: float,
    draws: int,
    rng: torch.Generator,
    *,
    tolerance: float = 1e-4,
    limit: int = LIMIT,
) -> Smoothness:
    """Bound (6), (7) of any head from below: the largest spectral norm of a mini-batch's Hessian at points of the ball.

    The points are w, SAM's own w + rho g_B / norm(g_B), and random ones of uniform direction and radius [choice], the
    same for all heads.

    Args:
        likelihood: heads (...).
        batches: (m, B) row indices.
        rho: radius of the ball.
        draws: number of random points.
        rng: generator of the points.
        tolerance: relative residual of lambda_max.
        limit: numbers to hold in memory at a time.

    Raises:
        FitError: for a radius that is negative or infinite.
    """
    _ball(rho, finite=True)
    directions = _directions(likelihood, draws, rng)
    lengths = rho * torch.rand(draws, generator=rng, dtype=torch.float64).to(likelihood.point)

    def norms(here: Likelihood) -> Tensor:
        points = [here.point, here.point + rho * _unit(here.gradient())]
        points += [here.point + length * e for length, e in zip(lengths, directions, strict=True)]
        return torch.stack([lambda_max(here.at(w).operator(), tolerance=tolerance).value for w in points]).amax(0)

    return _over_batches(likelihood, batches, norms, "sample", limit)


def drift(likelihood: Likelihood, rho: float, draws: int, rng: torch.Generator, *, tolerance: float = 1e-4) -> Drift:
    """Measure (38)-(40): how much the curvature of all rows changes at distance rho from w.

    Args:
        likelihood: heads (...).
        rho: the distance.
        draws: number of random directions, beside that of the gradient.
        rng: generator of the directions.
        tolerance: relative residual of lambda_max.

    Raises:
        FitError: for a radius that is negative or infinite.
    """
    _ball(rho, finite=True)
    here = lambda_max(likelihood.operator(), tolerance=tolerance).value
    values, norms = torch.zeros_like(here), torch.zeros_like(here)
    for e in (_unit(likelihood.gradient()), *_directions(likelihood, draws, rng)):
        there = likelihood.at(likelihood.point + rho * e)
        change = (lambda_max(there.operator(), tolerance=tolerance).value - here).abs()
        norm = lambda_max(_difference(there, likelihood), tolerance=tolerance).value
        values, norms = torch.maximum(values, change), torch.maximum(norms, norm)
    return Drift(values / here, norms / here, rho)


def _difference(there: Likelihood, here: Likelihood) -> Operator:
    """H(there) - H(here)."""
    return Operator(lambda v: there.hessian(v) - here.hessian(v), tuple(here.point.shape), here.point)


def _over_batches(
    likelihood: Likelihood,
    batches: Tensor,
    norms: Callable[..., Tensor],
    kind: Literal["bound", "sample"],
    limit: int,
) -> Smoothness:
    each = torch.cat([norms(here) for here in in_parts(likelihood, batches, limit)])
    value, batch = each.max(0)
    return Smoothness(value, batch, kind)


def _unit(g: Tensor) -> Tensor:
    norm = g.norm(dim=-1, keepdim=True)
    return torch.where(norm > 0, g / norm, 0.0)


def _directions(likelihood: Likelihood, draws: int, rng: torch.Generator) -> Tensor:
    """(draws, P) of unit length."""
    size = likelihood.point.shape[-1]
    return _unit(torch.randn(draws, size, generator=rng, dtype=torch.float64)).to(likelihood.point)


def _ball(rho: float, finite: bool = False) -> None:
    if not rho >= 0 or (finite and math.isinf(rho)):
        raise FitError(f"expected a radius rho >= 0{' that is finite' if finite else ''}, got {rho}")
