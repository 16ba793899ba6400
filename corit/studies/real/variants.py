"""Part (b), the ablations that need forward passes of their own: components, regions and pooling, tau.

They are measured on some pairs of train and validation, out of fold; the difference to CoRIT's defaults is paired.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from corit.studies.real.bank import Reading, Rows
from corit.studies.real.components import middle_of
from corit.studies.real.intervals import Scored, numbers
from corit.studies.real.layers import CONVERGED, depth, row_counts
from corit.studies.real.plan import CORIT, TOKENS, RealPlan
from corit.studies.real.probes import cross_validate


def feature(rows: Rows, store: str) -> Reading:
    """Return z of a variant: both levels with all its tokens; of the plain ViT, UniFD."""
    last = depth(rows, store)
    if store == TOKENS.name:
        return Reading(store, (last,), (0,))
    return Reading(store, (middle_of(last), last), tuple(range(rows.levels[store].shape[2])))


def measure(rows: Rows, plan: RealPlan) -> dict[str, Any]:
    """Measure every variant of an ablation in both scalings.

    Args:
        rows: train and validation rows of the pairs, with the levels of each variant, of CoRIT and of the plain ViT.
        plan: of the study.

    Returns:
        By variant and scaling: the out-of-fold AUC, and its difference to CoRIT's defaults; and the best variant.
    """
    record: dict[str, Any] = {"rows": row_counts(rows), "auc": {}}
    for scaling in CONVERGED:
        scores: dict[str, np.ndarray] = {}
        for store in rows.levels:
            x = rows.read(feature(rows, store))
            scores[store] = cross_validate(x, rows.y, rows.group, scaling, plan.penalties, plan.folds).scores
        scored = Scored.of(rows.y, rows.group, scores, plan.draws)
        for store in rows.levels:
            record["auc"].setdefault(store, {})[scaling] = {
                "auc": numbers(scored.auc(store)),
                "difference": numbers(scored.difference(store, CORIT.name)),
            }
    best = max(record["auc"], key=lambda v: record["auc"][v][CONVERGED[-1]]["auc"][0])
    return {**record, "best": best}
