"""Sharpness-aware minimisation as one function, equations (1) and (2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

# Keeps the division defined where a gradient vanishes; the ascent is then zero, as it should be.
TINY = 1e-12


def ascent(gradients: Sequence[Tensor], rho: float) -> list[Tensor]:
    """Compute (2): e = rho g / norm(g), with one global norm over all the parameter tensors."""
    norm = torch.sqrt(sum((g * g).sum() for g in gradients))  # type: ignore[arg-type]
    return [g * (rho / (norm + TINY)) for g in gradients]


def sam_gradient(
    gradient: Callable[[Sequence[Tensor]], Sequence[Tensor]], parameters: Sequence[Tensor], rho: float
) -> Sequence[Tensor]:
    """Compute (1), (2): the gradient at w + e, which a base optimiser then applies at w.

    Args:
        gradient: maps parameters to the mini-batch gradient.
        parameters: w; they are not changed.
        rho: SAM's radius; 0 for the gradient at w itself.
    """
    here = gradient(parameters)
    if rho == 0:
        return here
    return gradient([w + e for w, e in zip(parameters, ascent(here, rho), strict=True)])


def sam_residual(dz: Tensor, gram: Tensor, rho: Tensor, top: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Compute (2) for a first layer z = W x + b in closed form.

    The first layer's gradient is dz' [x, 1], so the ascent changes z on its own batch by scale * (K + 1) dz with K the
    Gram matrix of the batch: no second product with the features is needed.

    Args:
        dz: (G, B, R, M) derivative of the mean loss by z.
        gram: (G, B, B) x x' + 1; the 1 is the bias.
        rho: (R) or (G, R) radii.
        top: (G, R) squared gradient norm of the layers above, if any.

    Returns:
        The change of z (G, B, R, M), and the scale rho / norm(g) (G, 1, R, 1) of each head.
    """
    lanes, batch, radii, width = dz.shape
    moved = torch.bmm(gram, dz.reshape(lanes, batch, radii * width)).view_as(dz)
    squared = (dz * moved).sum(dim=(1, 3))
    if top is not None:
        squared = squared + top
    # Rounding may leave a vanishing squared norm slightly negative.
    scale = (rho / (squared.clamp_min(0).sqrt() + TINY))[:, None, :, None]
    return moved * scale, scale
