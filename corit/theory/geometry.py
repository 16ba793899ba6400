"""The geometry of features, norm and share of the common mean, and what a radius on scaled features is on raw ones.

A head reads x' = (x - m) A. A step e' in its weights, of a norm rho, moves the logit of a row as the step e = A e' does
on the raw features x. Thus one and the same radius is small on features of a norm of 1 and large on those of a norm of
25, and radii compare only with the scaling and the norm beside them. The bias's part of a step has no unit of features.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, nan

import torch
from torch import Tensor

from corit.errors import FitError
from corit.heads.rows import Rows, Standardiser, chunks


@dataclass(frozen=True)
class Geometry:
    """Size and common mean of features.

    Attributes:
        mean_norm: ||E x||, the norm of the mean of all rows.
        rms_norm: sqrt(E ||x||^2), the root-mean-square norm.
        common: c = ||E x||^2 / E ||x||^2, the share of the mean squared norm that all rows have in common; 0 where all
            rows are zero. Of n rows it exceeds the share in the population by about (1 - c) / n.
        width: D.
        count: n, the rows.
    """

    mean_norm: float
    rms_norm: float
    common: float
    width: int
    count: int

    def __str__(self) -> str:
        return (
            f"||E x|| {self.mean_norm:.3g}, root-mean-square norm {self.rms_norm:.3g}, common share {self.common:.2f}"
        )

    def relative(self, rho: float) -> float:
        """Return a radius in units of the features' norm: rho times their root-mean-square norm.

        A step of a norm rho in the weights moves the logit of a row of that norm by at most so much. Features times a
        constant, with the radius divided by it, have the same number.
        """
        return rho * self.rms_norm


def geometry(rows: Rows, standardiser: Standardiser | None = None) -> Geometry:
    """Measure the geometry of features in float64, in one pass over their chunks.

    Args:
        rows: (n, D').
        standardiser: what scaled the rows, to measure the raw features before it; None for the rows as they are. The
            directions that it drops, which hardly vary, count with their mean.

    Raises:
        FitError: for no rows, and for features that are not finite.
    """
    width = rows.width if standardiser is None else standardiser.mean.shape[0]
    return _geometry(*_before(*_moments(rows), standardiser), width, len(rows))


def _moments(rows: Rows) -> tuple[Tensor, Tensor]:
    """Mean (D) and mean squares (D), in float64."""
    if len(rows) == 0:
        raise FitError("expected rows to measure their geometry, got none; give at least one")
    total, square = torch.zeros(rows.width, dtype=torch.float64), torch.zeros(rows.width, dtype=torch.float64)
    for chunk in chunks(rows):
        x = chunk.detach().cpu().double()
        total += x.sum(0)
        square += (x * x).sum(0)
    return total / len(rows), square / len(rows)


def _geometry(mean: Tensor, squared: float, width: int, count: int) -> Geometry:
    norm = float(mean.norm())
    if not (isfinite(squared) and isfinite(norm)):
        raise FitError("expected finite features, got NaN or infinity; extract them again or drop those rows")
    return Geometry(norm, squared**0.5, norm**2 / squared if squared > 0 else 0.0, width, count)


def _before(mean: Tensor, square: Tensor, standardiser: Standardiser | None) -> tuple[Tensor, float]:
    """Mean (D) and mean squared norm before a standardiser, of the mean (E) and mean squares (E) behind it."""
    if standardiser is None:
        return mean, float(square.sum())
    centre, factors = standardiser.mean.cpu().double(), _factors(standardiser)
    back = torch.where(factors > 0, 1 / factors, 0.0)
    moved = mean * back
    if standardiser.matrix is not None:
        moved = standardiser.matrix.cpu().double() @ (moved * back)
    squared = centre.square().sum() + 2 * centre @ moved + (square * back.square()).sum()
    return centre + moved, float(squared)


@dataclass(frozen=True)
class RawFactor:
    """What a radius on scaled features is multiplied by to be one on the raw features.

    A step of a norm rho on scaled features is one of a norm between `low` * rho and `high` * rho on the raw ones, by
    its direction. Both ends are reached.

    Attributes:
        low: the smallest factor of a direction that the scaling keeps.
        middle: the geometric mean of the directions' factors: the raw steps end on an ellipsoid, and a ball of the
            radius `middle` * rho has its volume.
        high: the largest factor.
    """

    low: float
    middle: float
    high: float

    @property
    def single(self) -> bool:
        """Whether the scaling is one number, so that radii compare exactly."""
        return self.low == self.high


def raw_factor(standardiser: Standardiser) -> RawFactor:
    """Return the factor from a radius on scaled features to one on raw features; NaN where no direction is kept.

    It is 1 for "raw" and "centre" and 1 / N for "unit", where N is the number that it divides by. "standard" and
    "whiten" have a factor for each direction, and their range and geometric mean are all that can be said.
    """
    factors = _factors(standardiser)
    kept = factors[factors > 0]
    if not len(kept):
        return RawFactor(nan, nan, nan)
    low, high = float(kept.min()), float(kept.max())
    return RawFactor(low, low if low == high else float(kept.log().mean().exp()), high)


def raw_radius(rho: float, standardiser: Standardiser) -> float:
    """Return the radius on raw features that a radius on scaled features is; NaN where the scaling is not one number.

    `raw_factor` says between which radii it lies then.
    """
    factor = raw_factor(standardiser)
    return rho * factor.middle if factor.single else nan


@dataclass(frozen=True)
class Units:
    """All that a radius on scaled features needs beside it to be compared with one on other features.

    Attributes:
        raw: the geometry of the raw features.
        scaled: that of the features as the head reads them.
        factor: from a radius on these to one on the raw features.
    """

    raw: Geometry
    scaled: Geometry
    factor: RawFactor

    def record(self) -> dict[str, float]:
        """Return the numbers by name, those of the raw features without a prefix."""
        return {
            "mean_norm": self.raw.mean_norm,
            "rms_norm": self.raw.rms_norm,
            "common": self.raw.common,
            "scaled_rms_norm": self.scaled.rms_norm,
            "raw_factor_low": self.factor.low,
            "raw_factor": self.factor.middle,
            "raw_factor_high": self.factor.high,
        }

    def __str__(self) -> str:
        if self.factor.low == self.factor.high == 1:
            return f"{self.raw}; radii are in the units of the raw features"
        factor = f"{self.factor.middle:.3g} times as large on raw features"
        if self.factor.single:
            return f"{self.raw}; a radius is {factor}"
        by_direction = f"{self.factor.low:.3g} to {self.factor.high:.3g} by direction, by volume"
        return f"{self.raw}; a radius is {by_direction} {factor}"


def units(rows: Rows, standardiser: Standardiser) -> Units:
    """Measure the units of radii on scaled rows, in one pass.

    Args:
        rows: (n, D) rows that the standardiser scaled.
        standardiser: what scaled them.

    Raises:
        FitError: for no rows, and for features that are not finite.
    """
    mean, square = _moments(rows)
    raw = _geometry(*_before(mean, square, standardiser), standardiser.mean.shape[0], len(rows))
    scaled = _geometry(mean, float(square.sum()), rows.width, len(rows))
    return Units(raw, scaled, raw_factor(standardiser))


def _factors(standardiser: Standardiser) -> Tensor:
    """The length (E) on raw features of a unit step along each axis of the scaled ones; whitening's are orthogonal."""
    if standardiser.matrix is None:
        return standardiser.scale.cpu().double()
    return standardiser.matrix.cpu().double().square().sum(0).sqrt()
