"""(17), (18): is V~ - V an estimate of the gradient of the head's score with respect to the patch tokens?

Backpropagation through the remaining blocks, region tokens and integration gives the true gradient, with fixed masks.
It is compared with the proxy of the same picture, with that of another picture, and with a random direction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from corit.backbones.stepped import Backbone
from corit.heads.fit import Fit, fit
from corit.heads.problem import standardised_problem
from corit.model.corit import Lockstep, integrate, middle_layer, proxy
from corit.recipe import ModelRecipe
from corit.seeding import torch_generator
from corit.studies.findings.hyperparameters import recipe_of
from corit.studies.findings.plan import MAIN, FindingsPlan
from corit.studies.findings.stores import backbone_of, encoder_of, open_store, prepared_source
from corit.studies.findings.sweeps import rounded
from corit.studies.findings.tasks import SPLITS, reals_and_fakes
from corit.views.prepare import Views

BATCH = 40


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
        lockstep = Lockstep(self.backbone, images, None, self.regions, replace(self.recipe, rrm=False))
        depth, middle = self.backbone.depth, middle_layer(self.backbone.depth, self.recipe)
        levels: dict[int, Tensor] = {}
        v = lockstep.patches()
        for l in range(1, depth + 1):
            lockstep.advance(l, mask=self.masks[:, l - 1], patches=patches if l == layer else None)
            if l == layer:
                v = lockstep.patches()
            if l in (middle, depth):
                levels[l] = lockstep.level()
        return integrate(levels[middle], levels[depth], self.recipe.hri), v


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


def compare(
    run: MaskedForward, images: Tensor, twins: Tensor, layer: int, score: Callable[[Tensor], Tensor], seed: int = 0
) -> Agreement:
    """Compare the gradient proxy with the gradient of a score.

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
    direction = torch.randn(g.shape, generator=torch_generator("random direction", seed, layer)).to(g)
    foreground = run.regions[:, 0].to(g)
    token = torch.nn.functional.cosine_similarity(g, gradient, dim=-1)
    return Agreement(
        _cosine(g, gradient),
        _cosine(g.roll(1, 0), gradient),
        _cosine(direction, gradient),
        (token * foreground).sum(1) / foreground.sum(1).clamp_min(1),
        after - before,
        (g * gradient).flatten(1).sum(1),
    )


def _cosine(a: Tensor, b: Tensor) -> Tensor:
    return torch.nn.functional.cosine_similarity(a.flatten(1), b.flatten(1), dim=-1)


def measure(out: Path, plan: FindingsPlan, frozen: dict[str, Any], seed: int) -> dict[str, Any]:
    """Measure the agreement of one encoder on test pictures.

    Returns:
        The record, with a cell for each second layer up to l_m; lists are by head seed (S) of linear heads.
    """
    backbone = backbone_of(out, MAIN, seed)
    views = _pictures(plan, seed, backbone)
    heads = _heads(out, plan, frozen, seed)
    model, cells = encoder_of(backbone, "corit"), []
    images, twins = (backbone.normalise(np.stack(x)) for x in zip(*((v.image, v.twins[0]) for v in views), strict=True))
    masks = torch.cat([_masks(model, views[i : i + BATCH]) for i in range(0, len(views), BATCH)])
    regions = torch.from_numpy(np.stack([v.regions for v in views]))
    middle = middle_layer(backbone.depth, model.recipe.model)
    for layer in range(2, middle + 1, 2):
        rows = []
        for s in range(len(plan.heads)):
            parts = [
                compare(
                    MaskedForward(backbone, model.recipe.model, regions[i : i + BATCH], masks[i : i + BATCH]),
                    images[i : i + BATCH],
                    twins[i : i + BATCH],
                    layer,
                    heads.head(0, s).logits,
                )
                for i in range(0, len(views), BATCH)
            ]
            rows.append(summary(parts))
        cells.append({"layer": layer, **{k: [r[k] for r in rows] for k in rows[0]}})
    return {"pictures": len(views), "width": backbone.width * regions.shape[-1], "cells": cells}


def summary(parts: Sequence[Agreement]) -> dict[str, float]:
    """Return means over pictures, and the correlation of the promised with the actual rise of the score."""
    joined = {k: torch.cat([getattr(p, k) for p in parts]).double().numpy() for k in Agreement.__annotations__}
    means = {k: joined[k].mean() for k in ("own", "other", "random", "inside")}
    means["size"] = np.abs(joined["own"]).mean()
    means["random_size"] = np.abs(joined["random"]).mean()
    means["first_order"] = np.corrcoef(joined["promised"], joined["rise"])[0, 1]
    return {k: rounded(v) for k, v in means.items()}


def _pictures(plan: FindingsPlan, seed: int, backbone: Backbone) -> list[Views]:
    """Test pictures, evenly spaced over reals and all types."""
    source = prepared_source(plan, seed, backbone, ("test",))
    step = max(1, len(source.samples) // plan.pictures_read)
    return [source.load(s) for s in source.samples[::step][: plan.pictures_read]]


def _masks(model: Any, views: Sequence[Views]) -> Tensor:
    masks = model(views, keep_masks=True).masks
    return masks.clone()  # an inference tensor could not take part in differentiation


def _heads(out: Path, plan: FindingsPlan, frozen: dict[str, Any], seed: int) -> Fit:
    """Linear heads on z, trained on all types at the plan's radius."""
    store, recipe = open_store(out, MAIN, seed, "corit"), recipe_of(frozen, "linear", "standard")
    parts = {s: store.features(split=s) for s in SPLITS[:2]}
    rows = {s: reals_and_fakes((p.z.to_tensor(), p.y, p.column("manipulation")), "") for s, p in parts.items()}
    return fit(
        [standardised_problem(*rows["train"], *rows["val"], recipe)], recipe, rhos=[plan.watched], seeds=plan.heads
    )
