"""The Hessian's spectrum as the theory needs it: lambda_max with its residual, the trace, the stable rank."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from corit.errors import ConvergenceError
from corit.seeding import torch_generator
from corit.theory.likelihood import Operator


@dataclass(frozen=True)
class Extreme:
    """The eigenvalue of largest magnitude (...) of each matrix, its unit vector (..., N), and how far it is from exact.

    value: its magnitude, what (7) calls lambda_max; signed: the eigenvalue itself. residual: norm(A v - signed v) /
    value (...): some eigenvalue lies within residual * value of it. steps: products that were made.
    """

    value: Tensor
    signed: Tensor
    vector: Tensor
    residual: Tensor
    steps: int


def lambda_max(
    operator: Operator, *, start: Tensor | None = None, tolerance: float = 1e-6, steps: int = 200, check: bool = True
) -> Extreme:
    """The eigenvalue of largest magnitude of many symmetric matrices at once, by Lanczos with full orthogonalisation.

    (7) approximates beta by it. start (..., N): vectors to begin with, such as those of a moment ago; random ones,
    always the same, otherwise. It stops when every residual is below the tolerance. Raises ConvergenceError when
    `steps` products do not get there, unless `check` is False; the residual then tells.
    """
    shape = operator.shape
    first = _start(operator) if start is None else start.to(operator.like)
    krylov = _Krylov(operator, first.reshape(-1, shape[-1]))
    found = None
    limit = min(steps, shape[-1])
    for k in range(1, limit + 1):
        krylov.extend()
        if k == limit or krylov.exhausted or (k >= 2 and (k <= 6 or k % 4 == 0)):
            found = krylov.extreme()
            if found.residual.numel() == 0 or float(found.residual.max()) <= tolerance or krylov.exhausted:
                break
    assert found is not None
    worst = float(found.residual.max()) if found.residual.numel() else 0.0
    if check and worst > max(tolerance, _floor(found.value.dtype)):
        raise ConvergenceError(
            f"lambda_max: expected a residual below {tolerance:g} within {steps} products, got {worst:.2g}; "
            "allow more steps or a larger tolerance"
        )
    return found


def stable_rank(trace: Tensor, largest: Tensor) -> Tensor:
    """srank(H) = tr H / lambda_max(H)."""
    return trace / largest


def _start(operator: Operator) -> Tensor:
    rng = torch_generator("lanczos", operator.shape[-1])
    drawn = torch.randn(operator.shape[-1], generator=rng, dtype=torch.float64)
    return drawn.to(operator.like).expand(operator.shape)


def _floor(dtype: torch.dtype) -> float:
    """The residual below which rounding reigns."""
    return 50 * torch.finfo(dtype).eps


class _Krylov:
    """Orthonormal bases of the Krylov spaces of S matrices, grown a vector at a time, and A's products with them."""

    def __init__(self, operator: Operator, first: Tensor) -> None:
        self.operator = operator
        self.next = first / first.norm(dim=-1, keepdim=True)
        self.basis: list[Tensor] = []
        self.images: list[Tensor] = []
        self.exhausted = False

    def extend(self) -> None:
        """One product, and the next direction: what of it is orthogonal to the basis."""
        v = self.next
        image = self.operator.apply(v.reshape(self.operator.shape)).reshape(v.shape)
        self.basis.append(v)
        self.images.append(image)
        rest = image
        basis = torch.stack(self.basis, 1)  # (S, k, N)
        for _ in range(2):  # twice is enough: what rounding leaves the first time is removed the second
            rest = rest - torch.bmm(torch.bmm(basis, rest[..., None]).mT, basis)[:, 0]
        norm = rest.norm(dim=-1, keepdim=True)
        scale = torch.stack([i.norm(dim=-1) for i in self.images]).amax(0)[:, None]
        gone = norm <= _floor(v.dtype) * scale
        self.exhausted = bool(gone.all())
        self.next = torch.where(gone, torch.zeros_like(rest), rest / norm.clamp_min(torch.finfo(v.dtype).tiny))

    def extreme(self) -> Extreme:
        """The Ritz pair of largest magnitude, with the true residual, from the products that were made."""
        basis, images = torch.stack(self.basis, 1), torch.stack(self.images, 1)  # (S, k, N)
        small = torch.bmm(basis, images.mT).double()
        values, vectors = torch.linalg.eigh((small + small.mT) / 2)
        best = values.abs().argmax(-1, keepdim=True)
        signed = values.gather(-1, best)[:, 0].to(basis)
        weights = vectors.gather(-1, best[:, None].expand(-1, vectors.shape[1], 1)).to(basis)  # (S, k, 1)
        vector, image = (weights.mT @ basis)[:, 0], (weights.mT @ images)[:, 0]
        gap = (image - signed[:, None] * vector).norm(dim=-1)
        residual = torch.where(gap > 0, gap / signed.abs(), torch.zeros_like(gap))  # a matrix of zeros has none
        heads = self.operator.shape[:-1]
        return Extreme(
            signed.abs().reshape(heads),
            signed.reshape(heads),
            vector.reshape(self.operator.shape),
            residual.reshape(heads),
            len(self.basis),
        )
