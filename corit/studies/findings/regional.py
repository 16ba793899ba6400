"""GSNR of regions: single patches, their plain average over the region, and the average over the mask (20), (21).

Each is a feature of D numbers, standardised on the same training rows, on which a linear head stands at w = 0; the
GSNR of its gradient, corrected, is that feature's and no head's. Patches are those that lie in the region in nearly
every picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from corit.heads.rows import TensorRows, fit_standardiser
from corit.model.corit import middle_layer, pool
from corit.recipe import REGIONS
from corit.studies.findings.atlas import plain
from corit.studies.findings.cells import against, gsnr_at_zero
from corit.studies.findings.plan import MAIN, Plan
from corit.studies.findings.stores import BATCH, album, backbone_of, encoder_of
from corit.world.forgeries import KINDS

ALWAYS = 0.9  # the share of pictures in which a patch must lie in the region


def measure(out: Path, plan: Plan, seed: int) -> dict[str, Any]:
    """One unit: an encoder's regional GSNR on training pictures; a cell for each level, region and type."""
    backbone = backbone_of(out, MAIN, seed)
    made, model = album(plan, seed, backbone, ("train",)), encoder_of(backbone, "corit")
    views = [made.load(s) for s in made.samples]
    found = [model(views[i : i + BATCH], keep_patches=True, keep_masks=True) for i in range(0, len(views), BATCH)]
    patches = torch.cat([f.patches for f in found if f.patches is not None])  # (n, 2, N, D)
    masks = torch.cat([f.masks for f in found if f.masks is not None])  # (n, L, K, N)
    regions = torch.from_numpy(np.stack([v.regions for v in views]))
    kinds = np.array([s.manipulation for s in made.samples])
    y = torch.tensor([s.label for s in made.samples])
    people = np.array([s.group for s in made.samples])
    middle, cells = middle_layer(backbone.depth, model.recipe.model), []
    for kind in KINDS:
        rows = torch.from_numpy(np.flatnonzero(against(kinds, kind)))
        for level, layer in enumerate((middle, backbone.depth)):
            for r, region in enumerate(REGIONS):
                named = {"layer": layer, "group": kind, "region": region}
                of = (patches[rows, level], regions[rows, r], masks[rows, layer - 1, r])
                cells.append({**named, **{k: plain(v) for k, v in compare(*of, y[rows], people[rows]).items()}})
    return {"rows": int((kinds == "").sum() * 2), "cells": cells}


def compare(v: Tensor, region: Tensor, mask: Tensor, y: Tensor, people: Sequence[str]) -> dict[str, float]:
    """GSNR from V (n, N, D), a region (n, N), its mask (n, N), labels and identities (n); kept: the mask's share.

    patch: the mean over patches of the region, one by one. pooled: the region's average. masked: the mask's.
    """
    always = torch.nonzero(region.float().mean(0) >= ALWAYS)[:, 0]
    single = [gsnr(v[:, i], y, people) for i in always]
    return {
        "patch": float(np.mean(single)) if single else float("nan"),
        "patches": float(len(always)),
        "pooled": gsnr(pool(v, region[:, None], "average", 1e-6)[:, 0], y, people),
        "masked": gsnr(pool(v, mask[:, None], "average", 1e-6)[:, 0], y, people),
        "kept": float(mask.sum() / region.sum()),
    }


def gsnr(x: Tensor, y: Tensor, people: Sequence[str]) -> float:
    """GSNR at w = 0 of rows (n, D), standardised on themselves, corrected with identities as clusters."""
    return gsnr_at_zero(fit_standardiser(TensorRows(x.float()), "standard")(x.float()), y, people).clustered
