"""GSNR of regions: of single patches, of the average over the region, and of the average over the mask (20), (21).

Each is a feature of D numbers, standardised on the same training rows, with a linear head at w = 0. So the corrected
GSNR of its gradient is a property of the feature alone. Patches are those that lie in the region in nearly every
picture.
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
from corit.studies.findings.plan import MAIN, FindingsPlan
from corit.studies.findings.stores import BATCH, backbone_of, encoder_of, prepared_source
from corit.studies.findings.sweeps import rounded
from corit.studies.findings.tasks import gsnr_at_zero, is_real_or
from corit.world.forgeries import KINDS

MIN_SHARE = 0.9  # of pictures in which a patch lies in the region


def measure(out: Path, plan: FindingsPlan, seed: int) -> dict[str, Any]:
    """Measure the regional GSNR of an encoder on training pictures.

    Returns:
        The record, with a cell for each layer (l_m and L), region and manipulation type.
    """
    backbone = backbone_of(out, MAIN, seed)
    source, model = prepared_source(plan, seed, backbone, ("train",)), encoder_of(backbone, "corit")
    views = [source.load(s) for s in source.samples]
    encoded = [model(views[i : i + BATCH], keep_patches=True, keep_masks=True) for i in range(0, len(views), BATCH)]
    patches = torch.cat([f.patches for f in encoded if f.patches is not None])  # (n, 2, N, D)
    masks = torch.cat([f.masks for f in encoded if f.masks is not None])  # (n, L, K, N)
    regions = torch.from_numpy(np.stack([v.regions for v in views]))
    kinds = np.array([s.manipulation for s in source.samples])
    y = torch.tensor([s.label for s in source.samples])
    identities = np.array([s.group for s in source.samples])
    middle, cells = middle_layer(backbone.depth, model.recipe.model), []
    for kind in KINDS:
        rows = torch.from_numpy(np.flatnonzero(is_real_or(kinds, kind)))
        for level, layer in enumerate((middle, backbone.depth)):
            for r, region in enumerate(REGIONS):
                place = {"layer": layer, "group": kind, "region": region}
                of = (patches[rows, level], regions[rows, r], masks[rows, layer - 1, r])
                cells.append(
                    {**place, **{k: rounded(v) for k, v in region_gsnr(*of, y[rows], identities[rows]).items()}}
                )
    return {"rows": int((kinds == "").sum() * 2), "cells": cells}


def region_gsnr(v: Tensor, region: Tensor, mask: Tensor, y: Tensor, identities: Sequence[str]) -> dict[str, float]:
    """Measure the GSNR of one region.

    Args:
        v: patch tokens V (n, N, D).
        region: the region's patches (n, N) bool.
        mask: its refinement mask (n, N) bool.
        y: labels (n).
        identities: identities (n).

    Returns:
        "patch", the mean over single patches of the region; "patches", their number; "pooled", of the region's average;
        "masked", of the mask's average; "kept", the share of the region that the mask keeps.
    """
    common = torch.nonzero(region.float().mean(0) >= MIN_SHARE)[:, 0]
    single = [gsnr(v[:, i], y, identities) for i in common]
    return {
        "patch": float(np.mean(single)) if single else float("nan"),
        "patches": float(len(common)),
        "pooled": gsnr(pool(v, region[:, None], "average", 1e-6)[:, 0], y, identities),
        "masked": gsnr(pool(v, mask[:, None], "average", 1e-6)[:, 0], y, identities),
        "kept": float(mask.sum() / region.sum()),
    }


def gsnr(x: Tensor, y: Tensor, identities: Sequence[str]) -> float:
    """Return the GSNR at w = 0 of rows (n, D) after standardising, corrected with identities as clusters."""
    return gsnr_at_zero(fit_standardiser(TensorRows(x.float()), "standard")(x.float()), y, identities).clustered
