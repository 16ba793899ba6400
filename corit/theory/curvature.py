"""The Hessian's spectrum as the theory needs it: lambda_max with its residual, the trace, the stable rank."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from corit.errors import ConvergenceError, FitError
from corit.seeding import torch_generator
from corit.theory.likelihood import Operator

# A start is mixed with this much of a random vector: an eigenvector of another eigenvalue would never leave itself.
MIXED = 0.3


@dataclass(frozen=True)
class Extreme:
    """The eigenvalue of largest magnitude of each matrix; all NaN for a matrix that is not finite, as after divergence.

    Attributes:
        value: (...) its magnitude, which (7) calls lambda_max.
        signed: (...) the eigenvalue itself.
        vector: (..., N) its unit vector; arbitrary for a matrix of zeros.
        residual: (...) norm(A v - signed v) / value: some eigenvalue lies within residual * value of it.
        steps: number of products.
    """

    value: Tensor
    signed: Tensor
    vector: Tensor
    residual: Tensor
    steps: int


def lambda_max(
    operator: Operator, *, start: Tensor | None = None, tolerance: float = 1e-6, steps: int = 200, check: bool = True
) -> Extreme:
    """Find the eigenvalue of largest magnitude of many symmetric matrices at once, by fully orthogonalised Lanczos.

    (7) approximates beta by it.

    Args:
        operator: the matrices (..., N, N).
        start: (..., N) vectors from which to start, such as those of an earlier step; None for random ones, always the
            same. A start saves products. If another eigenvalue has become the largest since the start vector was
            computed, Lanczos may stop too early at a tolerance above 1e-4. From time to time, run without a start.
        tolerance: relative residual at which to stop; raised to what the type's rounding allows.
        steps: largest number of products.
        check: whether to raise where `steps` products do not reach the tolerance; if not, read the residual.

    Raises:
        FitError: for less than one product.
        ConvergenceError: when the tolerance is not reached and `check` holds.
    """
    if steps < 1:
        raise FitError(f"lambda_max: expected at least one product, got steps = {steps}")
    tolerance = max(tolerance, _floor(operator))
    krylov = _Krylov(operator, _first(operator, start))
    limit = min(steps, operator.shape[-1])
    for k in range(1, limit + 1):
        krylov.extend()
        if k == limit or krylov.exhausted or k in (4, 5, 6) or k % 4 == 0:
            weights, estimate = krylov.ritz()
            if krylov.exhausted or _worst(estimate) <= tolerance:
                break
    largest = krylov.extreme(weights)
    worst = _worst(largest.residual)
    if check and worst > tolerance:
        raise ConvergenceError(
            f"lambda_max: expected a residual below {tolerance:.2g} within {steps} products, got {worst:.2g}; "
            "allow more steps or a larger tolerance"
        )
    return largest


def _first(operator: Operator, start: Tensor | None) -> Tensor:
    """Unit vectors (S, N) to begin with."""
    size = operator.shape[-1]
    rng = torch_generator("lanczos", size)
    drawn = torch.randn(size, generator=rng, dtype=torch.float64).to(operator.like)
    first = (drawn / drawn.norm()).expand(math.prod(operator.shape[:-1]), size)
    if start is not None:
        rows = start.to(operator.like).reshape(first.shape).nan_to_num(0, 0, 0)
        length = rows.norm(dim=-1, keepdim=True)
        first = torch.where(length > 0, rows / length, 0.0) + MIXED * first
    unit: Tensor = first / first.norm(dim=-1, keepdim=True)
    return unit


def _floor(operator: Operator) -> float:
    """The relative residual below which rounding reigns."""
    root: float = operator.shape[-1] ** 0.5
    return 20 * root * torch.finfo(operator.like.dtype).eps


def _worst(residual: Tensor) -> float:
    """The largest residual of the matrices that are finite."""
    return float(residual.nan_to_num(0).max()) if residual.numel() else 0.0


class _Krylov:
    """Orthonormal bases (S, k, N) of the Krylov spaces of S matrices, grown a vector at a time.

    diagonal, beside: the tridiagonal matrices that the S matrices are in those bases.
    """

    def __init__(self, operator: Operator, first: Tensor) -> None:
        self.operator = operator
        self.space = first.new_empty(len(first), 8, first.shape[-1])  # room to grow; the basis is its beginning
        self.next = first
        self.diagonal: list[Tensor] = []
        self.beside: list[Tensor] = []
        self.scale = first.new_zeros(len(first))
        self.exhausted = False

    @property
    def basis(self) -> Tensor:
        return self.space[:, : len(self.diagonal)]

    def product(self, v: Tensor) -> Tensor:
        return self.operator.apply(v.reshape(self.operator.shape)).reshape(v.shape)

    def extend(self) -> None:
        """One product, and the next direction: what of it is orthogonal to the basis."""
        k, v = len(self.diagonal), self.next
        if k == self.space.shape[1]:
            self.space = torch.cat([self.space, torch.empty_like(self.space)], 1)
        self.space[:, k] = v
        rest = self.product(v)
        self.diagonal.append((v * rest).sum(-1))
        for _ in range(2):  # twice is enough: what rounding leaves the first time is removed the second
            rest = rest - torch.bmm(torch.bmm(self.basis, rest[..., None]).mT, self.basis)[:, 0]
        norm = rest.norm(dim=-1)
        self.scale = torch.maximum(self.scale, torch.maximum(norm, self.diagonal[-1].abs()))
        going = norm > _floor(self.operator) * self.scale  # False where the space is invariant, or not finite
        self.exhausted = not bool(going.any())
        self.beside.append(torch.where(going, norm, 0.0))
        self.next = torch.where(going[:, None], rest / norm[:, None], 0.0)

    def ritz(self) -> tuple[Tensor, Tensor]:
        """The Ritz vectors of largest magnitude in the basis (S, k), and the residuals that they must have (S)."""
        inner = torch.stack(self.beside[:-1], -1) if len(self.beside) > 1 else self.scale.new_empty(len(self.scale), 0)
        small = torch.diag_embed(torch.stack(self.diagonal, -1)) + torch.diag_embed(inner, 1)
        small = (small + torch.diag_embed(inner, -1)).double()
        finite = torch.isfinite(small).flatten(1).all(-1)
        values, vectors = torch.linalg.eigh(torch.where(finite[:, None, None], small, 0.0))
        best = values.abs().argmax(-1)
        weights = vectors[torch.arange(len(best), device=best.device), :, best]
        gap = self.beside[-1] * weights[:, -1].abs()
        largest = values.abs().amax(-1)
        return weights.to(self.scale), torch.where(gap > 0, gap / largest, 0.0)

    def extreme(self, weights: Tensor) -> Extreme:
        """The Ritz pairs (S, k), with their true residuals, which cost one more product."""
        vector = torch.bmm(weights[:, None], self.basis)[:, 0]
        vector = vector / vector.norm(dim=-1, keepdim=True)
        image = self.product(vector)
        signed = (vector * image).sum(-1)
        gap = (image - signed[:, None] * vector).norm(dim=-1)
        residual = torch.where(gap == 0, gap, gap / signed.abs())  # a matrix of zeros has none
        heads = self.operator.shape[:-1]
        return Extreme(
            signed.abs().reshape(heads),
            signed.reshape(heads),
            vector.reshape(self.operator.shape),
            residual.reshape(heads),
            len(self.diagonal) + 1,
        )
