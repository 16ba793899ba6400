"""Theorem 1's three factors, equation (13), from the quantities that they are made of."""

from __future__ import annotations

import numpy as np

FACTORS = ("geometric", "misspecification", "statistical")


def lemma(trace_h: np.ndarray, trace_r: np.ndarray) -> np.ndarray:
    """Compute (33)'s 1 - tr R / tr H (...): never negative by Lemma 2; NaN unless tr H > 0, of which it speaks."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(trace_h > 0, 1 - trace_r / trace_h, np.nan)


def theorem_factors(
    trace_h: np.ndarray, trace_r: np.ndarray, largest: np.ndarray, gsnr: np.ndarray
) -> dict[str, np.ndarray]:
    """Compute (13)'s factors of heads (...), whose product is rho* = norm(E g) / lambda_max(H).

    geometric: srank(H) / sqrt(tr H) = sqrt(tr H) / lambda_max(H). misspecification: sqrt(1 - tr R / tr H), which loses
    digits where the rows are fitted almost perfectly: about 1e-16 / (1 - tr R / tr H) in float64. statistical:
    sqrt(r / (1 + r)).

    Args:
        trace_h: tr H (...).
        trace_r: tr R (...).
        largest: lambda_max(H) (...).
        gsnr: r (...), (4) of the population; infinite where all gradients agree.

    Returns:
        Factor -> values (...); NaN where tr H <= 0 and for a head that diverged.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        geometric = np.sqrt(trace_h) / largest
        misspecification = np.sqrt(np.clip(lemma(trace_h, trace_r), 0, None))
        statistical = np.sqrt(np.where(np.isposinf(gsnr), 1.0, gsnr / (1 + gsnr)))
    return dict(zip(FACTORS, (geometric, misspecification, statistical), strict=True))
