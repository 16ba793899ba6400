"""Part (a), UniFD by layer: class token, mean of patches and both, on each set and on all sets of faces together.

All numbers are out of fold, over train and validation rows: the layer is chosen by them, and no test row is read.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from corit.studies.real.bank import Reading, Rows
from corit.studies.real.intervals import DIGITS
from corit.studies.real.plan import TOKENS, RealPlan, Scaling
from corit.studies.real.probes import cross_validate

READS: dict[str, tuple[int, ...]] = {"class": (0,), "mean": (1,), "both": (0, 1)}
CONVERGED: tuple[Scaling, ...] = ("raw", "standardised")


def unifd(layer: int, read: str) -> Reading:
    """Return the feature of a layer of the plain ViT."""
    return Reading(TOKENS.name, (layer,), READS[read])


def depth(rows: Rows, store: str = TOKENS.name) -> int:
    """Return L, the layers of the backbone."""
    return rows.levels[store].shape[1] - 1


def measure(rows: Rows, plan: RealPlan) -> dict[str, Any]:
    """Measure every layer, read and scaling on train and validation rows.

    Returns:
        By scaling and read, the out-of-fold AUC of each layer from 1; and the best layer and read.
    """
    dev = rows.part("train", "val")
    curves = {s: {r: _curve(dev, r, s, plan) for r in READS} for s in CONVERGED}
    chosen = curves[CONVERGED[-1]]
    read, layer = max(((r, l) for r in READS for l in range(depth(rows))), key=lambda k: chosen[k[0]][k[1]])
    return {"rows": row_counts(dev), "auc": curves, "best": {"read": read, "layer": layer + 1}}


def _curve(dev: Rows, read: str, scaling: Scaling, plan: RealPlan) -> list[float]:
    return [round(out_of_fold(dev, unifd(l, read), plan, scaling), DIGITS) for l in range(1, depth(dev) + 1)]


def out_of_fold(dev: Rows, reading: Reading, plan: RealPlan, scaling: Scaling = "standardised") -> float:
    """Return the out-of-fold AUC of a feature."""
    return cross_validate(dev.read(reading), dev.y, dev.group, scaling, plan.penalties, plan.folds).auc


def row_counts(rows: Rows) -> dict[str, int]:
    """Count reals, fakes and groups."""
    return {"real": int((rows.y == 0).sum()), "fake": int((rows.y == 1).sum()), "groups": len(np.unique(rows.group))}
