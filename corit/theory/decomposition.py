"""Theorem 1, equation (13): SAM's stable radius as geometric x misspecification x statistical factor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from corit.theory.curvature import Extreme, lambda_max
from corit.theory.factors import lemma, theorem_factors
from corit.theory.likelihood import Likelihood
from corit.theory.moments import Moments, moments


@dataclass(frozen=True)
class Decomposition:
    """(13)-(15) of heads (...) on n rows, which are taken as the whole population; each field is measured on its own.

    (13) has no meaning where tr H <= 0: its values are NaN there, as for a head that diverged. For linear and ReLU
    heads this happens only where H = 0. `ratio` needs only lambda_max > 0.

    Attributes:
        hessian: tr H (...).
        misfit: tr R (...), R = -E[(second derivative of p) / p].
        moments: norm(gbar)^2, tr Sigma and n.
        largest: lambda_max(H) with its residual.
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
        """n, the number of rows."""
        return self.moments.count

    @property
    def gsnr(self) -> Tensor:
        """(4), plain (...): the r of (13), that of the population."""
        return self.moments.gsnr

    @property
    def corrected(self) -> Tensor:
        """(4) of the population that the rows were drawn from (...), unbiased in both parts; not the r of (13)."""
        return self.moments.corrected

    @property
    def stable_rank(self) -> Tensor:
        """srank(H) = tr H / lambda_max(H) (...); NaN where H vanishes."""
        return self.hessian / self.largest.value

    @property
    def lemma(self) -> Tensor:
        """(33), 1 - tr R / tr H (...): never negative by Lemma 2; NaN unless tr H > 0."""
        return self._tensor(lemma(self._array(self.hessian), self._array(self.misfit)))

    @property
    def factors(self) -> dict[str, Tensor]:
        """(13)'s three factors by name, each (...); see `theorem_factors`."""
        quantities = (self.hessian, self.misfit, self.largest.value, self.gsnr)
        factors = theorem_factors(*(self._array(q) for q in quantities))
        return {name: self._tensor(values) for name, values in factors.items()}

    @staticmethod
    def _array(values: Tensor) -> np.ndarray:
        array: np.ndarray = values.detach().cpu().numpy()
        return array

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.as_tensor(values).to(self.hessian)

    @property
    def geometric(self) -> Tensor:
        """(13)'s first factor, srank(H) / sqrt(tr H) (...)."""
        return self.factors["geometric"]

    @property
    def misspecification(self) -> Tensor:
        """(13)'s second factor, sqrt(1 - tr R / tr H) (...)."""
        return self.factors["misspecification"]

    @property
    def statistical(self) -> Tensor:
        """(13)'s third factor, sqrt(r / (1 + r)) (...), 1 where tr Sigma is zero."""
        return self.factors["statistical"]

    @property
    def radius(self) -> Tensor:
        """(13): the product of the three factors (...)."""
        return self.geometric * self.misspecification * self.statistical

    @property
    def ratio(self) -> Tensor:
        """(11) at this step, norm(gbar) / lambda_max(H) (...), which equals `radius` by (13)."""
        return self.signal.sqrt() / self.largest.value

    @property
    def imbalance(self) -> Tensor:
        """(14)'s remainder (tr H - tr Sigma - norm(gbar)^2 - tr R) / tr H (...): rounding and nothing else."""
        return (self.hessian - self.noise - self.signal - self.misfit) / self.hessian


def decompose(
    likelihood: Likelihood, *, start: Tensor | None = None, tolerance: float = 1e-6, steps: int = 200
) -> Decomposition:
    """Measure Theorem 1's quantities for every head of a likelihood at once.

    (13) holds whatever the residual of lambda_max, which both its sides share: read `largest.residual` beside it.

    Args:
        likelihood: heads (...) on n rows.
        start: (..., N) vectors from which Lanczos starts, such as `largest.vector` of an earlier step.
        tolerance: relative residual of lambda_max; see `lambda_max`.
        steps: largest number of products.

    Returns:
        The quantities (...), each measured on its own.

    Raises:
        FitError: for fewer than two rows.
        ConvergenceError: when lambda_max does not converge within `steps` products.
    """
    hessian, misfit = likelihood.traces()
    largest = lambda_max(likelihood.operator(), start=start, tolerance=tolerance, steps=steps)
    return Decomposition(hessian, misfit, moments(likelihood), largest)


def balance(likelihood: Likelihood, v: Tensor) -> Tensor:
    """Compute (5)'s remainder along a vector: H v - Sigma v - gbar gbar' v - R v.

    Args:
        likelihood: heads (...) with P parameters; each product is measured on its own.
        v: (..., P), of the shape of the likelihood's point.

    Returns:
        (..., P): rounding and nothing else.
    """
    mean = likelihood.gradient()
    along = mean * (mean * v).sum(-1, keepdim=True)
    covariance = likelihood.second_moment(v) - along
    return likelihood.hessian(v) - covariance - along - likelihood.misfit(v)
