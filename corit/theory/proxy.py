"""(17), (18): is V~ - V an estimate of the gradient of the head's score with respect to the patch tokens?

Backpropagation through the remaining blocks, region tokens and integration gives the true gradient, with fixed masks.
It is compared with the proxy of the same picture, with that of another picture, and with a random direction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from corit.backbones.stepped import Backbone
from corit.model.corit import Lockstep, integrate, middle_layer, proxy
from corit.recipe import ModelRecipe
from corit.seeding import torch_generator

Score = Callable[[Tensor], Tensor]  # z (B, Dz) -> (B)


@dataclass(frozen=True)
class MaskedForward:
    """CoRIT's forward pass with fixed masks, so that it is a smooth function of V.

    Attributes:
        backbone: the frozen backbone.
        recipe: the model's recipe.
        regions: (B, K, N) bool.
        masks: refinement masks (B, L, K, N).
    """

    backbone: Backbone
    recipe: ModelRecipe
    regions: Tensor
    masks: Tensor

    def __call__(self, images: Tensor, layer: int, patches: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return z (B, Dz), and V (B, N, D) after block `layer`; `patches` replace V there."""
        z, patch_tokens = self._pass(images, {} if patches is None else {layer: lambda v: patches})
        return z, patch_tokens[layer - 1]

    def gradients(self, images: Tensor, scores: Sequence[Score]) -> list[list[Tensor]]:
        """Return the gradients of scores by V after every block, from one pass forward and one back for each score.

        Args:
            images: (B, 3, S, S).
            scores: H functions of z.

        Returns:
            By score and block, (B, N, D).
        """
        shape = (len(images), self.backbone.patches, self.backbone.width)
        shifts = [images.new_zeros(shape).requires_grad_(True) for _ in range(self.backbone.depth)]
        z, _ = self._pass(images, {l: partial(torch.add, s) for l, s in enumerate(shifts, 1)})
        totals = [score(z).sum() for score in scores]
        return [list(torch.autograd.grad(t, shifts, retain_graph=t is not totals[-1])) for t in totals]

    def _pass(self, images: Tensor, changes: dict[int, Callable[[Tensor], Tensor]]) -> tuple[Tensor, list[Tensor]]:
        """z, and V after every block, with V changed at some of them."""
        lockstep = Lockstep(self.backbone, images, None, self.regions, replace(self.recipe, rrm=False))
        depth, middle = self.backbone.depth, middle_layer(self.backbone.depth, self.recipe)
        levels: dict[int, Tensor] = {}
        patch_tokens: list[Tensor] = []
        for l in range(1, depth + 1):
            lockstep.advance(l, mask=self.masks[:, l - 1], change=changes.get(l))
            patch_tokens.append(lockstep.patches())
            if l in (middle, depth):
                levels[l] = lockstep.level()
        return integrate(levels[middle], levels[depth], self.recipe.hri), patch_tokens


@dataclass(frozen=True)
class Agreement:
    """Agreement of the gradient proxy with the true gradient, for each picture (B).

    Attributes:
        own: cosine with the proxy of the picture.
        other: cosine with the proxy of another picture.
        random: cosine with a random vector.
        inside: mean cosine over foreground patches, token by token.
        rise: score with V~ in place of V, minus the score.
        promised: <gradient, V~ - V>, the first-order estimate of `rise`.
    """

    own: Tensor
    other: Tensor
    random: Tensor
    inside: Tensor
    rise: Tensor
    promised: Tensor

    @classmethod
    def of(
        cls, g: Tensor, other: Tensor, direction: Tensor, gradient: Tensor, foreground: Tensor, rise: Tensor
    ) -> Agreement:
        """Compare proxies with gradients.

        Args:
            g: (B, N, D) proxy of each picture.
            other: (B, N, D) proxy of another picture in its place.
            direction: (B, N, D) random.
            gradient: (B, N, D) of the score by V.
            foreground: (B, N) bool.
            rise: (B) see the class.
        """
        token = torch.nn.functional.cosine_similarity(g, gradient, dim=-1)
        inside = (token * foreground).sum(1) / foreground.sum(1).clamp_min(1)
        promised = (g * gradient).flatten(1).sum(1)
        return cls(cosine(g, gradient), cosine(other, gradient), cosine(direction, gradient), inside, rise, promised)


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """Return the cosine (B) of tensors (B, ...) over all their numbers."""
    return torch.nn.functional.cosine_similarity(a.flatten(1), b.flatten(1), dim=-1)


def compare(run: MaskedForward, images: Tensor, twins: Tensor, layer: int, score: Score, seed: int = 0) -> Agreement:
    """Compare the gradient proxy with the gradient of a score; the next picture of the batch is the other one.

    Args:
        run: the forward pass.
        images: (B, 3, S, S).
        twins: self-blended twins (B, 3, S, S).
        layer: the block after which both are taken.
        score: z (B, Dz) -> (B).
        seed: of the random direction.
    """
    with torch.no_grad():
        v, twin = run(images, layer)[1], run(twins, layer)[1]
        g = proxy(v, twin)
        before, after = score(run(images, layer)[0]), score(run(images, layer, v + g)[0])
    leaf = v.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(score(run(images, layer, leaf)[0]).sum(), leaf)
    direction = random_direction(g, seed, layer)
    return Agreement.of(g, g.roll(1, 0), direction, gradient, run.regions[:, 0], after - before)


def random_direction(g: Tensor, seed: int, layer: int) -> Tensor:
    """Draw a tensor of the shape of a proxy."""
    return torch.randn(g.shape, generator=torch_generator("random direction", seed, layer)).to(g)
