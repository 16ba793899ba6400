"""The parameters with which the training of heads starts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from corit.heads.head import HeadRecipe
from corit.seeding import torch_generator


def initial_parameters(
    seeds: Sequence[int], radii: int, width: int, recipe: HeadRecipe, dtype: torch.dtype
) -> list[Tensor]:
    """Draw the first parameters of heads, uniform in +-1/sqrt(fan-in) as torch's Linear; biases are zero.

    Each seed is drawn once: its radii and problems start from the same point.

    Args:
        seeds: (G) seed of each lane.
        radii: R, heads of a lane.
        width: D, of a standardised row.
        recipe: kind and hidden units M of the heads.
        dtype: of the parameters.

    Returns:
        [weight (G, R M, D), bias (G, R M)] and, for a perceptron, [top (G, R, M), top_bias (G, R)].
    """
    drawn = {s: _draw(s, width, recipe, dtype) for s in set(seeds)}
    units = recipe.units
    weight = torch.stack([drawn[s][0].repeat(radii, 1) for s in seeds])
    bias = torch.stack([drawn[s][1].repeat(radii) for s in seeds])
    if recipe.kind == "linear":
        return [weight, bias]
    top = torch.stack([drawn[s][2].expand(radii, units) for s in seeds]).clone()
    return [weight, bias, top, torch.zeros(len(seeds), radii, dtype=dtype)]


def _draw(seed: int, width: int, recipe: HeadRecipe, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    rng, m = torch_generator("head", seed), recipe.units

    def uniform(shape: tuple[int, ...], fan: int) -> Tensor:
        drawn = torch.rand(shape, generator=rng, dtype=torch.float64)
        scaled: Tensor = (drawn * 2 - 1) / fan**0.5
        return scaled.to(dtype)

    return uniform((m, width), width), torch.zeros(m, dtype=dtype), uniform((m,), m)
