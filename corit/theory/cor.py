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
    """Compute (8): the radius norm(grad Loss(w_t)) / beta, below which one step of SAM satisfies (3).

    It is a theorem with beta uniform over mini-batches and the ball (`smoothness.beta_bound`); with beta =
    lambda_max(H) of the population, as in (11), it can fail (`stability.violations`).

    Args:
        gradient_norm: norm(grad Loss(w_t)) (...).
        beta: local smoothness (...).
    """
    radius: Number = gradient_norm / beta
    return radius


@dataclass(frozen=True)
class Bound:
    """COR (11) and its bottleneck step (12).

    Attributes:
        radius: rho* (...); NaN where no step counts: an empty phase, or a head without any finite number.
        step: t* (...) that attains rho*, the first where several do; -1 where no step counts.
    """

    radius: np.ndarray
    step: np.ndarray


def critical_radius(
    steps: np.ndarray | Tensor, ratio: np.ndarray | Tensor, within: np.ndarray | Tensor | None = None
) -> Bound:
    """Compute COR (11) and its bottleneck step (12): the least ratio norm(grad Loss(w_t)) / lambda_max(H_t).

    Over a whole course the minimum sits near the stationary point, while the paper places t* in phase (i); restrict the
    steps by `within` [choice]. A step at which a ratio is not finite (a diverged head, no curvature) does not count.

    Args:
        steps: (T) observed steps, increasing.
        ratio: (T, ...), such as `Course.ratio`.
        within: mask (T) or (T, ...) of the steps that count, such as `Phases.pre`; None for all.

    Returns:
        rho* (...) and t* (...).

    Raises:
        FitError: when the shapes do not fit.
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
    """Compute (43): rho* at the GSNR r >= 0, with the other two factors held at their product `others`."""
    radius: Number = others * (r / (1 + r)) ** 0.5
    return radius


def slope_at(r: Number, others: float = 1.0) -> Number:
    """Compute (43)'s d rho* / d r = others / (2 sqrt(r) (1+r)^1.5), positive for r > 0: rho* strictly increases."""
    slope: Number = others / (2 * r**0.5 * (1 + r) ** 1.5)
    return slope


def gsnr_at(radius: Number, others: float = 1.0) -> Number:
    """Compute (44), the inverse of `radius_at`: the GSNR for rho* = radius, 0 <= radius < others; 0 only at 0."""
    share = (radius / others) ** 2
    return share / (1 - share)


def small_radius(r: Number, others: float = 1.0) -> Number:
    """Compute (45): the asymptote others * sqrt(r), which rho* approaches from below as r -> 0."""
    radius: Number = others * r**0.5
    return radius


def small_radius_error(r: Number) -> Number:
    """Compute (45)'s relative error, asymptote / rho* - 1 = sqrt(1 + r) - 1, at most r / 2, without cancellation."""
    error: Number = r / ((1 + r) ** 0.5 + 1)
    return error


def _array(values: np.ndarray | Tensor) -> np.ndarray:
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)
