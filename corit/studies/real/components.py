"""Part (b), CoRIT taken apart without another forward pass: levels, tokens and fusions that its stores hold.

As in `layers`, all numbers are out of fold over train and validation rows.
"""

from __future__ import annotations

from typing import Any

from corit.serialise import finite
from corit.studies.real.bank import Reading, Rows
from corit.studies.real.intervals import DIGITS
from corit.studies.real.layers import CONVERGED, depth, out_of_fold, row_counts
from corit.studies.real.plan import CORIT, TOKENS, RealPlan

TOKEN_NAMES = ("C", "F", "Bd", "Bg")  # the places in F_l: class token, foreground, boundary, background


def middle_of(last: int) -> int:
    """Return l_m, 0.75 L."""
    return round(0.75 * last)


def corit(last: int, middle: int = 0, tokens: tuple[int, ...] = (0, 1, 2, 3), *, attends: bool = False) -> Reading:
    """Return CoRIT's feature z, or another choice of level, tokens or fusion."""
    return Reading(CORIT.name, (middle or middle_of(last), last), tokens, attends)


def readings(last: int) -> dict[str, dict[str, Reading]]:
    """List the features of each table by its rows."""
    middle = middle_of(last)
    tokens: dict[str, tuple[int, ...]] = {n: (i,) for i, n in enumerate(TOKEN_NAMES)}
    tokens |= {"regions": (1, 2, 3), "C+F": (0, 1), "C+regions": (0, 1, 2, 3)}
    return {
        "components": {
            "UniFD: C_L": Reading(TOKENS.name, (last,), (0,)),
            "HRI alone: C_lm and C_L": Reading(TOKENS.name, (middle, last), (0,)),
            "RSI and RRM: F_L": Reading(CORIT.name, (last,), (0, 1, 2, 3)),
            "CoRIT: RSI, RRM and HRI": corit(last),
            "its class tokens alone": corit(last, tokens=(0,)),
        },
        "tokens": {n: corit(last, tokens=t) for n, t in tokens.items()},
        "middle": {str(l): corit(last, l) for l in range(1, last)},
        "level": {str(l): Reading(CORIT.name, (l,), (0, 1, 2, 3)) for l in range(1, last + 1)},
        "fusion": {"concat": corit(last), "cross-attention": corit(last, attends=True)},
    }


def measure(rows: Rows, plan: RealPlan) -> dict[str, Any]:
    """Measure every feature in both scalings on train and validation rows.

    Returns:
        By table, row and scaling, the out-of-fold AUC; and the best single level of CoRIT.
    """
    dev, tables = rows.part("train", "val"), readings(depth(rows))
    record: dict[str, Any] = {"rows": row_counts(dev), "auc": {}}
    for table, features in tables.items():
        record["auc"][table] = {
            name: {s: finite(out_of_fold(dev, reading, plan, s), DIGITS) for s in CONVERGED}
            for name, reading in features.items()
        }
    levels = record["auc"]["level"]
    record["best"] = {"level": int(max(levels, key=lambda l: levels[l][CONVERGED[-1]]))}
    return record
