"""Feature rows as a head reads them: gathered by index, standardised, never copied whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Literal, Protocol, get_args

import numpy as np
import torch
from torch import Tensor

from corit.errors import FitError

Scaling = Literal["raw", "centre", "unit", "standard", "whiten"]
SCALINGS: tuple[Scaling, ...] = get_args(Scaling)
CHUNK = 2**20  # numbers
RANGE = (1e-100, 1e100)  # magnitudes whose squares float64 holds; float32 has none beyond them
RESCALE = "multiply them by a constant that brings them near 1"


def named_scaling(name: str) -> Scaling:
    """Return a scaling by its name, or by "none", the name of "raw" in files of earlier versions.

    Raises:
        FitError: for another name.
    """
    current = "raw" if name == "none" else name
    for scaling in SCALINGS:
        if scaling == current:
            return scaling
    raise FitError(f"expected a scaling among {', '.join(SCALINGS)} (or none, the old name of raw), got {name!r}")


class Rows(Protocol):
    """A table of features (n, D) from which rows are gathered as floating-point tensors."""

    def __len__(self) -> int: ...

    @property
    def width(self) -> int:
        """D, the width of a row."""

    def gather(self, index: np.ndarray) -> Tensor:
        """Gather the rows of `index` (b) as a tensor (b, D) of the working precision."""


@dataclass(frozen=True)
class TensorRows:
    """Rows held in memory: values (n, D)."""

    values: Tensor

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or not self.values.is_floating_point():
            raise FitError(
                f"expected features (n, D) of a floating type, got {tuple(self.values.shape)} {self.values.dtype}"
            )

    def __len__(self) -> int:
        return self.values.shape[0]

    @property
    def width(self) -> int:
        """D, the width of a row."""
        return self.values.shape[1]

    def gather(self, index: np.ndarray) -> Tensor:
        """Gather rows; see `Rows.gather`."""
        rows = self.values.index_select(0, torch.from_numpy(index).to(self.values.device))
        return rows if rows.dtype in (torch.float32, torch.float64) else rows.float()


@dataclass(frozen=True)
class Subset:
    """Some rows of a table, in the order of `index` (n,)."""

    rows: Rows
    index: np.ndarray

    def __len__(self) -> int:
        return len(self.index)

    @property
    def width(self) -> int:
        """D, the width of a row."""
        return self.rows.width

    def gather(self, index: np.ndarray) -> Tensor:
        """Gather rows; see `Rows.gather`."""
        return self.rows.gather(self.index[index])


def chunks(rows: Rows, size: int = 0) -> Iterator[Tensor]:
    """Yield the rows (b, D) in order, `size` at a time; 0 for as many as fit in the processor's cache."""
    size = size or max(16, CHUNK // max(1, rows.width))
    for start in range(0, len(rows), size):
        yield rows.gather(np.arange(start, min(start + size, len(rows))))


@dataclass(frozen=True)
class Standardiser:
    """x -> (x - mean) * scale, or (x - mean) @ matrix when whitening; fitted on training rows only.

    [choice] "standard" and "whiten" divide by sqrt(D) as well, so that features of any width have a mean squared norm
    of about one, as "unit" has by its definition, and radii of different widths compare. "raw" and "centre" leave the
    unit of the features. The tensors are float64 where float32 cannot hold them or
    the rows are float64; rows of float32 are then standardised in float64 and returned as float32.

    Attributes:
        mean: (D).
        scale: (D).
        matrix: (D, E) when whitening, else None.
    """

    mean: Tensor
    scale: Tensor
    matrix: Tensor | None = None

    @property
    def width(self) -> int:
        """The width of a standardised row."""
        return self.mean.shape[0] if self.matrix is None else self.matrix.shape[1]

    def __call__(self, x: Tensor) -> Tensor:
        """Standardise rows (n, D), which keep their floating type."""
        wide = x.to(torch.promote_types(x.dtype, self.mean.dtype))
        centred = wide - self.mean.to(wide)
        return (centred * self.scale.to(wide) if self.matrix is None else centred @ self.matrix.to(wide)).to(x.dtype)


def fit_standardiser(rows: Rows, scaling: Scaling, floor: float = 1e-6) -> Standardiser:
    """Fit a standardiser to the moments of rows, in float64 and in one pass.

    The unit of the features does not matter: rows times 1e20 or 1e-25 become the same standardised rows.

    Args:
        rows: (n, D) training rows.
        scaling: "raw" for the rows as they are; "centre" to subtract their mean; "unit" to also divide by one number,
            the root-mean-square norm of the centred rows; "standard" to divide each column by its standard deviation;
            "whiten" for PCA whitening of all directions above the floor.
        floor: relative to the largest standard deviation; columns below it, such as constant ones, become zero.

    Raises:
        FitError: for a feature that is not finite or beyond `RANGE`, for no rows, and for an unknown scaling.
    """
    scaling = named_scaling(scaling)
    if len(rows) == 0:
        raise FitError("expected at least one training row to standardise, got none")
    if scaling == "raw":
        return Standardiser(torch.zeros(rows.width), torch.ones(rows.width))
    mean, second = _moments(rows, full=scaling == "whiten")
    wide = rows.gather(np.arange(0)).dtype == torch.float64
    if scaling == "centre":
        return _held(wide, mean, torch.ones(rows.width))
    if scaling == "unit":
        norm = second.sum().sqrt().expand(rows.width)
        return _held(wide, mean, torch.where(norm > 0, 1 / norm, 0.0))
    if scaling == "standard":
        std = second.sqrt()
        return _held(wide, mean, torch.where(std > floor * std.max(), 1 / (std * rows.width**0.5), 0.0))
    values, vectors = torch.linalg.eigh(second)
    keep = values > (floor**2) * values.max()
    matrix = vectors[:, keep] / (values[keep].sqrt() * keep.sum() ** 0.5)
    return _held(wide, mean, torch.ones(rows.width), matrix.contiguous())


def _held(wide: bool, *parts: Tensor) -> Standardiser:
    """The standardiser in float64 for rows of float64 and where float32 cannot hold it, else in float32."""
    wide = wide or not all(map(_fits_float32, parts))
    return Standardiser(*(t if wide else t.float() for t in parts))


def _fits_float32(values: Tensor) -> bool:
    """Whether float32 holds the largest of some numbers, and differences of numbers like it, with all its digits."""
    largest, limits = float(values.abs().max()) if values.numel() else 0.0, torch.finfo(torch.float32)
    return largest == 0 or limits.tiny * 2**24 <= largest <= limits.max / 2**8


def _moments(rows: Rows, full: bool) -> tuple[Tensor, Tensor]:
    """Mean (D) and central second moments, (D) or (D, D), in float64; a first chunk's mean guards the cancellation.

    In float32 the squares of rows beyond 1e19 are infinite, and those of rows below 1e-23 are zero.
    """
    shift: Tensor | None = None
    largest = 0.0
    total = torch.zeros(rows.width, dtype=torch.float64)
    square = torch.zeros((rows.width, rows.width) if full else rows.width, dtype=torch.float64)
    for chunk in chunks(rows, 2048 if full else 0):  # a matrix is added for each chunk: few of them then
        x = chunk.cpu().double()
        largest = max(largest, _largest(x))
        shift = x.mean(0).clamp(x.amin(0), x.amax(0)) if shift is None else shift  # exact where a column is constant
        x = x - shift
        total += x.sum(0)
        square += (x.T @ x) if full else (x * x).sum(0)
    assert shift is not None
    if 0 < largest < RANGE[0]:
        raise FitError(f"expected features of at least {RANGE[0]:g}, got no larger than {largest:g}; {RESCALE}")
    mean, square = total / len(rows), square / len(rows)
    central = square - torch.outer(mean, mean) if full else (square - mean * mean).clamp_min(0)
    return shift + mean, central


def _largest(x: Tensor) -> float:
    """The largest magnitude. Raises FitError where it is not finite or beyond `RANGE`."""
    largest = float(x.abs().max())
    if not isfinite(largest):
        raise FitError("expected finite features, got NaN or infinity; extract them again or drop those rows")
    if largest > RANGE[1]:
        raise FitError(f"expected features of at most {RANGE[1]:g}, got {largest:g}; {RESCALE}")
    return largest


@dataclass(frozen=True)
class Standardised:
    """Rows standardised as they are gathered, for tables too large to hold in memory."""

    rows: Rows
    standardiser: Standardiser

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def width(self) -> int:
        """D, the width of a row."""
        return self.standardiser.width

    def gather(self, index: np.ndarray) -> Tensor:
        """Gather rows; see `Rows.gather`."""
        return self.standardiser(self.rows.gather(index))


def standardised(rows: Rows, standardiser: Standardiser, limit: int = 2**29) -> Rows:
    """Standardise rows: held in memory when they take at most `limit` bytes, else computed when they are gathered."""
    none = standardiser(rows.gather(np.arange(0)))
    if len(rows) * standardiser.width * none.element_size() > limit:
        return Standardised(rows, standardiser)
    held = none.new_empty(len(rows), standardiser.width)
    start = 0
    for chunk in chunks(rows):
        held[start : start + len(chunk)] = standardiser(chunk)
        start += len(chunk)
    return TensorRows(held)
