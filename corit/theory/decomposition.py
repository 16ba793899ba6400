"""Theorem 1: the radius at which SAM stays stable as geometric x misspecification x statistical term, equation (13)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from corit.theory.curvature import Extreme, lambda_max, stable_rank
from corit.theory.likelihood import Likelihood
from corit.theory.moments import Moments, moments


@dataclass(frozen=True)
class Decomposition:
    """(13)-(15) of heads (...) on n rows taken as the whole population; every field is measured on its own.

    hessian, misfit: tr H and tr R (...), R = -E[(second derivative of p)/p]. moments: norm(gbar)^2, tr Sigma and n.
    largest: lambda_max of H with its residual. Where tr H <= 0, which no linear or ReLU head can have but by
    vanishing, (13) has no meaning and is NaN, as for a diverged head; `ratio` needs lambda_max > 0 only.
    """

    hessian: Tensor
    misfit: Tensor
    moments: Moments
    largest: Extreme

    @property
    def signal(self) -> Tensor:
        """norm(gbar)^2 (...)."""
        return self.moments.signal

    @property
    def noise(self) -> Tensor:
        """tr Sigma (...)."""
        return self.moments.noise

    @property
    def count(self) -> int:
        """n."""
        return self.moments.count

    @property
    def gsnr(self) -> Tensor:
        """(4), plain: the r of (13), which is that of the population (...)."""
        return self.moments.gsnr

    @property
    def corrected(self) -> Tensor:
        """(4) of the population that the rows were drawn from, unbiased in both parts (...); not the r of (13)."""
        return self.moments.corrected

    @property
    def stable_rank(self) -> Tensor:
        """srank(H) = tr H / lambda_max (...)."""
        return stable_rank(self.hessian, self.largest.value)

    @property
    def geometric(self) -> Tensor:
        """(13)'s first factor, srank(H) / sqrt(tr H) (...)."""
        return self.stable_rank / self.hessian.sqrt()

    @property
    def lemma(self) -> Tensor:
        """(33), 1 - tr R / tr H (...): never negative by Lemma 2, which like (13) speaks of tr H > 0; else NaN."""
        return torch.where(self.hessian > 0, 1 - self.misfit / self.hessian, torch.nan)

    @property
    def misspecification(self) -> Tensor:
        """(13)'s second factor, sqrt(1 - tr R / tr H) (...).

        It loses digits where the rows are fitted almost perfectly: about 1e-16 / (1 - tr R / tr H) in float64.
        """
        return self.lemma.sqrt()

    @property
    def statistical(self) -> Tensor:
        """(13)'s third factor, sqrt(r / (1 + r)) (...), finite where tr Sigma is zero."""
        return (self.signal / (self.signal + self.noise)).sqrt()

    @property
    def radius(self) -> Tensor:
        """(13): the product of the three factors (...)."""
        return self.geometric * self.misspecification * self.statistical

    @property
    def ratio(self) -> Tensor:
        """(11) at this step: norm(gbar) / lambda_max (...), which (13) says equals `radius`."""
        return self.signal.sqrt() / self.largest.value

    @property
    def imbalance(self) -> Tensor:
        """What (14) leaves over, (tr H - tr Sigma - norm(gbar)^2 - tr R) / tr H (...): rounding, and nothing else."""
        return (self.hessian - self.noise - self.signal - self.misfit) / self.hessian


def decompose(
    likelihood: Likelihood, *, start: Tensor | None = None, tolerance: float = 1e-6, steps: int = 200
) -> Decomposition:
    """Theorem 1 for every head of a likelihood at once.

    start, tolerance, steps: see `lambda_max`; a decomposition's `largest.vector` starts that of a moment later.
    (13) holds whatever lambda_max's residual, which is common to both its sides: read `largest.residual` beside it.
    Raises FitError for fewer than two rows, ConvergenceError when lambda_max is not found within `steps` products.
    """
    hessian, misfit = likelihood.traces()
    largest = lambda_max(likelihood.operator(), start=start, tolerance=tolerance, steps=steps)
    return Decomposition(hessian, misfit, moments(likelihood), largest)


def balance(likelihood: Likelihood, v: Tensor) -> Tensor:
    """What (5) leaves over along v: H v - Sigma v - gbar gbar' v - R v (..., P), each product measured on its own.

    v (..., P) of the shape of the likelihood's point.
    """
    mean = likelihood.gradient()
    along = mean * (mean * v).sum(-1, keepdim=True)
    covariance = likelihood.second_moment(v) - along
    return likelihood.hessian(v) - covariance - along - likelihood.misfit(v)
