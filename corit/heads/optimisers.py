"""Base optimisers of many heads at once, around which SAM is: the gradients at w + e move w."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from corit.heads.head import HeadRecipe


class Sgd:
    """The step of torch.optim.SGD; the matrix product adds the first layer's gradient dz' x to its momentum.

    Args:
        parts: the parameters of a group of lanes, as `initial_parameters` lays them out; changed in place.
        recipe: learning rate, momentum and weight decay.
    """

    def __init__(self, parts: list[Tensor], recipe: HeadRecipe) -> None:
        self.parts, self.recipe = parts, recipe
        self.moved = [torch.zeros_like(p) for p in parts]

    def __call__(self, dz: Tensor, x: Tensor, dupper: Sequence[Tensor]) -> None:
        """Take a step.

        Args:
            dz: (G, B, R M), derivative of the mini-batch loss by the first layer's outputs at w + e.
            x: (G, B, D), rows of the mini-batch.
            dupper: gradients of the layers above at w + e.
        """
        recipe = self.recipe
        self.moved[0].baddbmm_(dz.mT, x, beta=recipe.momentum)
        for moved, gradient in zip(self.moved[1:], (dz.sum(1), *dupper), strict=True):
            moved.mul_(recipe.momentum).add_(gradient)
        for part, moved in zip(self.parts, self.moved, strict=True):
            if recipe.weight_decay:
                moved.add_(part, alpha=recipe.weight_decay)
            part.sub_(moved, alpha=recipe.learning_rate)


class AdamW:
    """The step of torch.optim.AdamW; arguments as for `Sgd`."""

    def __init__(self, parts: list[Tensor], recipe: HeadRecipe) -> None:
        self.parts = parts
        for part in parts:
            part.grad = torch.empty_like(part)
        self.optimiser = torch.optim.AdamW(parts, recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True)

    def __call__(self, dz: Tensor, x: Tensor, dupper: Sequence[Tensor]) -> None:
        """Take a step; arguments as for `Sgd`."""
        torch.bmm(dz.mT, x, out=self.parts[0].grad)
        for part, gradient in zip(self.parts[1:], (dz.sum(1), *dupper), strict=True):
            part.grad.copy_(gradient)  # type: ignore[union-attr]
        self.optimiser.step()
