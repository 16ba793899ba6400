"""What pooling, the mask and injection each add: stores of DFDC's pairs compared out of fold, and their GSNR.

The converged head with an intercept is the same on raw and on centred features. The SAM head is the last epoch's best
on the next fold. All rows are of train and validation pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from corit.serialise import finite
from corit.studies.parts.plan import NO_MASK, POOL, PartsPlan
from corit.studies.parts.signal import Signal, signal
from corit.studies.real.bank import Reading, Rows
from corit.studies.real.components import middle_of
from corit.studies.real.intervals import Scored, numbers
from corit.studies.real.layers import depth, row_counts
from corit.studies.real.plan import CORIT, SCALINGS, TOKENS, Scaling
from corit.studies.real.probes import cross_validate, fold_of, sam_scores

UNIFD = "class token"
CONVERGED: Mapping[str, Scaling] = {"converged": "raw", "converged, standardised": "standardised"}
STEPS = {
    "injection": (CORIT.name, POOL.name),
    "mask": (CORIT.name, NO_MASK.name),
    "regions": (POOL.name, TOKENS.name),
    "CoRIT": (CORIT.name, UNIFD),
}
Z = "z"
CHIEF = 3  # of `places`, where the SAM head is trained as well: z and its two levels
SIGNALS = {"class": (0,), "foreground": (1,), "boundary": (2,), "background": (3,), "all tokens": (0, 1, 2, 3)}
GSNR_DIGITS = 6


def readings(rows: Rows, place: str) -> dict[str, Reading]:
    """Return the feature of each store at a layer or, for "z", at both levels; and the plain class token."""
    last = depth(rows)
    levels = (middle_of(last), last) if place == Z else (int(place),)
    stores = (CORIT.name, POOL.name, NO_MASK.name, TOKENS.name)
    every = {s: Reading(s, levels, tuple(range(rows.levels[s].shape[2]))) for s in stores}
    return {**every, UNIFD: Reading(TOKENS.name, levels[-1:], (0,))}


def places(last: int) -> list[str]:
    """List z, the levels that it is made of, and the other layers from 1."""
    levels = [str(middle_of(last)), str(last)]
    return [Z, *levels, *(l for l in map(str, range(1, last + 1)) if l not in levels)]


def measure(rows: Rows, place: str, plan: PartsPlan) -> dict[str, Any]:
    """Compare the stores at one place with the converged head.

    Args:
        rows: train and validation rows with the levels of all stores; see `first_pairs`.
        place: a layer, or z.
        plan: folds and penalties.

    Returns:
        "rows"; "chief", z and its levels; "auc", by head: AUC by store and the differences of `STEPS`, with intervals
        by pair; "gsnr" of a layer, by tokens: clustered by pair, centred, and its differences.
    """
    features = {k: rows.read(r) for k, r in readings(rows, place).items()}
    heads = {h: _converged(rows, features, s, plan) for h, s in CONVERGED.items()}
    auc = {h: _compared(rows, scores, plan) for h, scores in heads.items()}
    gsnr = None if place == Z else _gsnr(rows, int(place))
    return {"rows": row_counts(rows), "chief": places(depth(rows))[:CHIEF], "auc": auc, "gsnr": gsnr}


def sweep(rows: Rows, place: str, plan: PartsPlan) -> dict[str, Any]:
    """Compare the stores at one place with the SAM head; arguments and "auc" as `measure`."""
    features = {k: rows.read(r) for k, r in readings(rows, place).items()}
    heads = {f"SAM, {s}": _sam(rows, features, s, plan) for s in SCALINGS}
    return {"auc": {h: _compared(rows, scores, plan) for h, scores in heads.items()}}


def joined(records: Mapping[str, Mapping[str, Any]], swept: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Join the records of `measure` and `sweep` by place: "rows", and "auc" and "gsnr", layers in order."""
    ordered = sorted(records, key=lambda p: (p == Z, int(p) if p != Z else 0))
    if not ordered:
        return {}
    return {
        **{k: records[ordered[0]][k] for k in ("rows", "chief")},
        "auc": {p: {**records[p]["auc"], **swept.get(p, {"auc": {}})["auc"]} for p in ordered},
        "gsnr": {p: records[p]["gsnr"] for p in ordered if p != Z},
    }


def first_pairs(rows: Rows, count: int) -> Rows:
    """Select the pairs whose two pictures are there, in the order of their rows' names, and at most so many."""
    both = [g for g in np.unique(rows.group) if set(rows.y[rows.group == g].tolist()) == {0, 1}]
    return rows.take(np.isin(rows.group, both[:count]))


def _converged(
    rows: Rows, features: Mapping[str, np.ndarray], scaling: Scaling, plan: PartsPlan
) -> dict[str, np.ndarray]:
    of = (scaling, plan.penalties, plan.folds)
    return {k: cross_validate(x, rows.y, rows.group, *of).scores for k, x in features.items()}


def _sam(rows: Rows, features: Mapping[str, np.ndarray], scaling: Scaling, plan: PartsPlan) -> dict[str, np.ndarray]:
    """Out-of-fold logits (S, n) of the SAM head; the next fold chooses the epoch."""
    fold = fold_of(rows.group, plan.folds)
    scores = {k: np.empty((len(plan.seeds), len(rows))) for k in features}
    for k in np.unique(fold):
        held, valid = fold == k, fold == (k + 1) % plan.folds
        train = ~(held | valid)
        for name, x in features.items():
            parts = ((x[train], rows.y[train]), (x[valid], rows.y[valid]))
            (logits,) = sam_scores(*parts, [x[held]], scaling, plan.real)
            scores[name][:, held] = logits[:, 1]
    return scores


def _compared(rows: Rows, scores: Mapping[str, np.ndarray], plan: PartsPlan) -> dict[str, Any]:
    scored = Scored.of(rows.y, rows.group, scores, plan.draws)
    return {
        "auc": {k: numbers(scored.auc(k)) for k in scores},
        "steps": {name: numbers(scored.difference(*pair)) for name, pair in STEPS.items()},
    }


def _gsnr(rows: Rows, layer: int) -> dict[str, Any]:
    """By token, the GSNR of each store and of injection and mask."""
    record: dict[str, Any] = {}
    for token, tokens in SIGNALS.items():
        of = {s: _signal(rows, Reading(s, (layer,), tokens)) for s in (CORIT.name, POOL.name, NO_MASK.name)}
        steps = {name: of[a].less(of[b]) for name, (a, b) in STEPS.items() if {a, b} <= set(of)}
        record[token] = {k: rounded(v) for k, v in {**of, **steps}.items()}
    return record


def _signal(rows: Rows, reading: Reading) -> Signal:
    return signal(rows.read(reading), rows.y, rows.group)


def rounded(value: Signal) -> list[Any]:
    """Return value, low and high for a record."""
    return [finite(v, GSNR_DIGITS) for v in value.interval]
