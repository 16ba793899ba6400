"""(17), (18) in the miniature: the gradient proxy against the gradient; see `corit.theory.proxy`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from corit.backbones.stepped import Backbone
from corit.heads.fit import Fit, fit
from corit.heads.problem import standardised_problem
from corit.model.corit import middle_layer
from corit.studies.findings.hyperparameters import recipe_of
from corit.studies.findings.plan import MAIN, FindingsPlan
from corit.studies.findings.stores import backbone_of, encoder_of, open_store, prepared_source
from corit.studies.findings.sweeps import rounded
from corit.studies.findings.tasks import SPLITS, reals_and_fakes
from corit.theory.proxy import Agreement, MaskedForward, compare
from corit.views.prepare import Views

BATCH = 40


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
