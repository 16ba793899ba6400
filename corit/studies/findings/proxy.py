"""(17), (18): is V~ - V an estimate of the gradient of the head's score with respect to the patch tokens?

The true gradient is had by differentiation through the remaining blocks, region tokens and integration included, with
the masks held as they are. It is compared with the proxy of the same picture, of another picture, and with a random
direction.
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
from corit.heads.fit import Fit, fit, problem
from corit.model.corit import Lockstep, integrate, middle_layer, proxy
from corit.recipe import ModelRecipe
from corit.seeding import torch_generator
from corit.studies.findings.atlas import plain
from corit.studies.findings.cells import SPLITS, against_reals
from corit.studies.findings.knobs import recipe_of
from corit.studies.findings.plan import MAIN, Plan
from corit.studies.findings.stores import album, backbone_of, encoder_of, open_store
from corit.views.prepare import Views

BATCH = 40


@dataclass(frozen=True)
class Frozen:
    """CoRIT's pass with masks (B, L, K, N) and regions (B, K, N) given, so that it is a smooth function of V."""

    backbone: Backbone
    recipe: ModelRecipe
    regions: Tensor
    masks: Tensor

    def __call__(self, images: Tensor, layer: int, patches: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """z (B, Dz) and V (B, N, D) after a block; `patches` take that V's place."""
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
    """Of each picture (B): cosines of the true gradient with the proxy, with another picture's, with a random vector.

    inside: the mean cosine over foreground patches, token by token. rise: f with V~ in V's place less f, and promised:
    <gradient, V~ - V>, its first-order estimate.
    """

    own: Tensor
    other: Tensor
    random: Tensor
    inside: Tensor
    rise: Tensor
    promised: Tensor


def agreement(
    run: Frozen, images: Tensor, twins: Tensor, layer: int, score: Callable[[Tensor], Tensor], seed: int = 0
) -> Agreement:
    """Compare proxy and gradient of a score z (B, Dz) -> (B) after a block, for images and twins (B, 3, S, S)."""
    with torch.no_grad():
        v, twin = run(images, layer)[1], run(twins, layer)[1]
        g = proxy(v, twin)
        f, moved = score(run(images, layer)[0]), score(run(images, layer, v + g)[0])
    leaf = v.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(score(run(images, layer, leaf)[0]).sum(), leaf)
    drawn = torch.randn(g.shape, generator=torch_generator("random direction", seed, layer)).to(g)
    foreground = run.regions[:, 0].to(g)
    token = torch.nn.functional.cosine_similarity(g, gradient, dim=-1)
    return Agreement(
        _cosine(g, gradient),
        _cosine(g.roll(1, 0), gradient),
        _cosine(drawn, gradient),
        (token * foreground).sum(1) / foreground.sum(1).clamp_min(1),
        moved - f,
        (g * gradient).flatten(1).sum(1),
    )


def _cosine(a: Tensor, b: Tensor) -> Tensor:
    return torch.nn.functional.cosine_similarity(a.flatten(1), b.flatten(1), dim=-1)


def measure(out: Path, plan: Plan, frozen: dict[str, Any], seed: int) -> dict[str, Any]:
    """One unit: an encoder's agreement on test pictures, by layer (three before l_m), by head seed (S), linear head."""
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
                agreement(
                    Frozen(backbone, model.recipe.model, regions[i : i + BATCH], masks[i : i + BATCH]),
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
    """Means over pictures, and the correlation of promised and actual rise of the score."""
    joined = {k: torch.cat([getattr(p, k) for p in parts]).double().numpy() for k in Agreement.__annotations__}
    found = {k: joined[k].mean() for k in ("own", "other", "random", "inside")}
    found["size"] = np.abs(joined["own"]).mean()
    found["random_size"] = np.abs(joined["random"]).mean()
    found["first_order"] = np.corrcoef(joined["promised"], joined["rise"])[0, 1]
    return {k: plain(v) for k, v in found.items()}


def _pictures(plan: Plan, seed: int, backbone: Backbone) -> list[Views]:
    """Test pictures, evenly spaced over reals and all types."""
    made = album(plan, seed, backbone, ("test",))
    step = max(1, len(made.samples) // plan.pictures_read)
    return [made.load(s) for s in made.samples[::step][: plan.pictures_read]]


def _masks(model: Any, views: Sequence[Views]) -> Tensor:
    found = model(views, keep_masks=True).masks
    return found.clone()  # an inference tensor could not take part in differentiation


def _heads(out: Path, plan: Plan, frozen: dict[str, Any], seed: int) -> Fit:
    """Linear heads on z, trained on all types with the watched radius."""
    store, recipe = open_store(out, MAIN, seed, "corit"), recipe_of(frozen, "linear", "standard")
    parts = {s: store.features(split=s) for s in SPLITS[:2]}
    rows = {s: against_reals((p.z.to_tensor(), p.y, p.column("manipulation")), "") for s, p in parts.items()}
    return fit([problem(*rows["train"], *rows["val"], recipe)], recipe, rhos=[plan.watched], seeds=plan.heads)
