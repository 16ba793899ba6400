"""The critical optimisation radius: Lemma 1's step-wise bound (8), COR and its bottleneck step (11)-(12), (43)-(45)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from corit.errors import FitError

Number = TypeVar("Number", float, np.ndarray, Tensor)


def step_radius(gradient_norm: Number, beta: Number) -> Number:
    """(8): norm(grad Loss(w_t)) / beta, below which one step of SAM satisfies (3).

    A theorem with beta uniform over mini-batches and the ball (`smoothness.beta_bound`); with beta = lambda_max(H) of
    the population, as in (11), it can fail (`stability.violations`).
    """
    radius: Number = gradient_norm / beta
    return radius


@dataclass(frozen=True)
class Bound:
    """(11) and (12): radius rho* (...) and the bottleneck step t* (...) that attains it, the first where several do.

    radius is NaN and step -1 where no step counts: an empty phase, or a head whose numbers are not finite throughout.
    """

    radius: np.ndarray
    step: np.ndarray


def critical_radius(
    steps: np.ndarray | Tensor, ratio: np.ndarray | Tensor, within: np.ndarray | Tensor | None = None
) -> Bound:
    """(11), (12): the least ratio norm(grad Loss(w_t)) / lambda_max(H_t) over the observed steps, and where it is.

    steps (T), increasing; ratio (T, ...). within: a mask (T) or (T, ...) of the steps that count, such as phase (i)'s
    [choice]: over a whole course the minimum sits near the stationary point, while the paper places t* in phase (i).
    Steps at which a ratio is not finite (a diverged head, no curvature) do not count. Raises FitError when the shapes
    do not fit.
    """
    at, values = _array(steps), _array(ratio)
    if at.ndim != 1 or not len(at) or values.shape[:1] != at.shape:
        raise FitError(f"expected a ratio for each of the steps, got steps {at.shape} and ratios {values.shape}")
    counted = np.isfinite(values)
    if within is not None:
        mask = _array(within).astype(bool)
        if mask.shape not in (at.shape, values.shape):
            raise FitError(f"expected a mask of shape {at.shape} or {values.shape}, got {mask.shape}")
        counted &= mask.reshape(mask.shape + (1,) * (values.ndim - mask.ndim))
    index = np.where(counted, values, np.inf).argmin(0)
    radius = np.take_along_axis(values, index[None], 0)[0]
    some = counted.any(0)
    return Bound(np.where(some, radius, np.nan), np.where(some, at[index], -1))


def radius_at(r: Number, others: float = 1.0) -> Number:
    """(43): rho* as a function of the GSNR r >= 0 with the other two terms held at their product `others`."""
    radius: Number = others * (r / (1 + r)) ** 0.5
    return radius


def slope_at(r: Number, others: float = 1.0) -> Number:
    """(43): d rho* / d r = others / (2 sqrt(r) (1+r)^1.5), positive for every r > 0: rho* strictly increases."""
    slope: Number = others / (2 * r**0.5 * (1 + r) ** 1.5)
    return slope


def gsnr_at(radius: Number, others: float = 1.0) -> Number:
    """(44), `radius_at` inverted: the GSNR at which rho* is `radius`, for 0 <= radius < others; 0 only at 0."""
    share = (radius / others) ** 2
    return share / (1 - share)


def small_radius(r: Number, others: float = 1.0) -> Number:
    """(45): the asymptote others * sqrt(r), which rho* approaches from below as r -> 0."""
    radius: Number = others * r**0.5
    return radius


def small_radius_error(r: Number) -> Number:
    """(45)'s relative error, asymptote / rho* - 1 = sqrt(1 + r) - 1, at most r / 2; written without cancellation."""
    error: Number = r / ((1 + r) ** 0.5 + 1)
    return error


def _array(values: np.ndarray | Tensor) -> np.ndarray:
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)
