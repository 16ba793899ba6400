"""Does the AUC fall with SAM's radius: to chance, to the nearest-mean classifier, and what makes it fall."""

from __future__ import annotations

from typing import Any

import numpy as np

from corit.heads.head import HeadKind
from corit.heads.rows import Scaling
from corit.studies.findings.claims import Claim, Effect, Thresholds
from corit.studies.findings.main_claims import COLLAPSED, HEADS
from corit.studies.findings.measurements import mean
from corit.studies.findings.stored.measured import Measured, Radii
from corit.studies.findings.stored.plan import CORIT, MODELS, UNIFD, Case
from corit.studies.findings.sweeps import rounded
from corit.theory.collapse import LOSS

FALLS = Thresholds(0.02, 0.0)  # AUC that raw features lose beyond centred ones
AT = 1.0  # the radius, in raw units, at which the losses are compared
RADII: dict[Radii, str] = {"cor": "to chance", "relative": "half-way to the floor"}
SCALED = {"raw": "raw", "centre": "centred", "standard": "standardised"}


def setting(data: Measured, what: str) -> str:
    """Describe data, splits and seeds in words, then `what` is particular."""
    sizes = ", ".join(f"{f.name} {int((f.y == 1).sum())}" for f in data.forgeries)
    p = data.plan
    return (
        f"real pictures (fakes: {sizes}; as many reals or more), {len(p.splits)} of {p.folds} splits by group, "
        f"{len(p.heads)} head seeds, Adam {p.rate:g}, batch {p.batch}, {p.steps} steps; {what}"
    )


def fallen(data: Measured, split: int, case: Case, kind: Radii) -> np.ndarray:
    """Return the share (S) of cells with something to lose whose head fell inside the grid."""
    words = data.censoring(case, split, kind)
    able = (words != "never learned").sum(0)
    fell = ((words == "") | (words == "<")).sum(0)
    return np.where(able > 0, fell / np.maximum(able, 1), np.nan)


def _both_fallen(data: Measured, split: int, cases: list[Case], kind: Radii) -> np.ndarray:
    return mean(np.stack([fallen(data, split, c, kind) for c in cases]))


def collapse(data: Measured, head: HeadKind, scaling: Scaling) -> Claim:
    """Claim: the AUC falls to chance with the radius."""
    cases = [Case(v, head, scaling) for v in MODELS]
    kinds = {k: [c for c in cases if data.has(c)] for k in RADII}
    effects = {f"share that falls {RADII[k]}": data.effect(_both_fallen, some, k) for k, some in kinds.items()}
    at = {c.variant: {g: _medians(data, c, g) for g in (*data.subtle, *data.overt)} for c in kinds["cor"]}
    return Claim(
        f"collapse, {HEADS[head]}, {SCALED[scaling]}",
        f"With a {HEADS[head]} on {SCALED[scaling]} features, a growing SAM radius ends in a collapse to chance",
        "share of the cells (layer x forgery) that learned (AUC of 0.6 at some radius) whose test AUC falls below 0.55 "
        "within the grid, mean of both models: shown above 0.9, not shown up to 0.1. Beside it the share of cells in "
        f"which a logistic regression is {LOSS:g} or more above the nearest-mean classifier, and whose head loses half",
        setting(
            data, f"UniFD and CoRIT, {HEADS[head]}, {SCALED[scaling]} features, radii up to {_largest(data, head):g}"
        ),
        effects,
        {"share that falls to chance": COLLAPSED},
        {"median radii at the last layer": at},
    )


def _largest(data: Measured, head: HeadKind) -> float:
    return data.plan.rhos_of(Case(UNIFD, head, "raw"))[-1]


def _medians(data: Measured, case: Case, group: str) -> dict[str, Any]:
    """Median radius of each kind of a forgery at the last layer, over splits and seeds."""
    medians: dict[str, Any] = {}
    for kind in RADII:
        known = np.concatenate(
            [
                data.radii(case, s, kind)[data.rows(case, s, [group], data.plan.some_layers[-1:])]
                for s in data.plan.splits
            ],
            axis=None,
        )
        known = known[~np.isnan(known)]
        medians[kind] = rounded(np.median(known)) if len(known) else None
    return medians


def lost(data: Measured, split: int, case: Case, radius: float, groups: tuple[str, ...] = ()) -> np.ndarray:
    """Return the AUC without SAM less that at a radius, mean over the cells of some forgeries, or all (S)."""
    at = data.plan.rhos_of(case).index(radius)
    rows = data.rows(case, split, groups or (*data.subtle, *data.overt), data.plan.layers)
    return mean((data.auc(case, split) - data.auc(case, split, at))[rows])


def cause(data: Measured) -> Claim:
    """Claim of this page: the fall is the common mean's."""
    beyond = lambda g, r: data.effect(_beyond, UNIFD, g, r)
    at = AT if AT in data.plan.rhos else data.plan.rhos[-1]
    effects = {f"UniFD, rho {at:g}": beyond((), at)}
    effects |= {f"subtle, rho {at:g}": beyond(data.subtle, at), f"overt, rho {at:g}": beyond(data.overt, at)}
    if data.has(Case(CORIT, "linear", "raw")):
        effects[f"CoRIT, rho {at:g}"] = data.effect(_beyond, CORIT, (), at)
    effects |= {f"lost by raw beyond centred, rho {r:g}": beyond((), r) for r in data.plan.rhos[1:]}
    numbers = {"by forgery and layer": {g: _by_layer(data, g, at) for g in (*data.subtle, *data.overt)}}
    return Claim(
        "the common mean's fall",
        "What a linear head loses under SAM on raw features it does not lose on centred ones",
        f"AUC lost from no SAM to rho {at:g} (raw units, the same in both) on raw features less that on centred ones, "
        "mean over layers and forgeries, UniFD: shown above 0.02, not shown up to 0",
        setting(data, "UniFD, linear head"),
        effects | _losses(data, at),
        {f"UniFD, rho {at:g}": FALLS},
        numbers | {"parts of composites": _slices(data, at)},
    )


def _losses(data: Measured, at: float) -> dict[str, Effect]:
    """What UniFD's heads lose by head and scaling: linear ones at a radius, perceptrons at their largest."""
    effects = {}
    for head, radius in (("linear", at), ("mlp", data.plan.perceptron_rhos[-1])):
        for scaling, words in SCALED.items():
            case = Case(UNIFD, head, scaling)  # type: ignore[arg-type]
            if data.has(case):
                effects[f"{HEADS[head]}, lost at rho {radius:g}, {words}"] = data.effect(lost, case, radius)
    return effects


def _slices(data: Measured, at: float) -> dict[str, Any]:
    """By difficulty or part of composites: AUC without SAM and at a radius, raw and centred, mean over all."""
    table: dict[str, Any] = {}
    for scaling in ("raw", "centre"):
        case = Case(UNIFD, "linear", scaling)  # type: ignore[arg-type]
        index = data.plan.rhos_of(case).index(at)
        seen: dict[str, list[np.ndarray]] = {}
        for split in data.plan.splits:
            for cell in data.cells(case, split):
                for name, areas in cell.get("slices", {}).items():
                    seen.setdefault(name, []).append(np.array(areas, float).mean(0))
        for name, areas in seen.items():
            middle = np.mean(areas, 0)
            table.setdefault(name, {})[SCALED[scaling]] = rounded(middle[[0, index]])
    return table


def _beyond(data: Measured, split: int, variant: str, groups: tuple[str, ...], radius: float) -> np.ndarray:
    scalings: tuple[Scaling, ...] = ("raw", "centre")
    raw, centred = (lost(data, split, Case(variant, "linear", s), radius, groups) for s in scalings)
    return raw - centred


def _by_layer(data: Measured, group: str, radius: float) -> dict[str, Any]:
    case = Case(UNIFD, "linear", "raw")
    at = data.plan.rhos_of(case).index(radius)
    table = {}
    for layer in data.plan.layers:
        falls = [
            (data.auc(case, s) - data.auc(case, s, at))[data.rows(case, s, [group], [layer])] for s in data.plan.splits
        ]
        table[str(layer)] = rounded(np.mean(falls))
    return table


def floors_beside(data: Measured) -> Claim:
    """Claim of this page: at large radii the head is the nearest-mean classifier."""
    case = Case(UNIFD, "linear", "raw")
    floor = {
        g: {
            name: rounded(
                np.mean([data.column(case, s, name)[_last(data, case, s, g)].mean() for s in data.plan.splits])
            )
            for name in ("nearest_mean", "logistic", "mean_norm", "rms_norm", "common")
        }
        for g in (*data.subtle, *data.overt)
    }
    return Claim(
        "the floor",
        "At the largest radius a linear head on raw features has the AUC of the nearest-mean classifier",
        f"less the distance of the two AUCs at rho {data.plan.rhos[-1]:g}, mean over layers and forgeries, UniFD: "
        "shown above -0.03, not shown below -0.08",
        setting(data, "UniFD, linear head, raw features"),
        {
            "distance at the largest radius": data.effect(_distance, len(data.plan.rhos) - 1),
            "distance without SAM": data.effect(_distance, 0),
        },
        {"distance at the largest radius": Thresholds(-0.03, -0.08)},
        {"last layer": floor},
    )


def _distance(data: Measured, split: int, radius: int) -> np.ndarray:
    """Less the distance of AUC and nearest-mean AUC, mean over UniFD's cells (S)."""
    case = Case(UNIFD, "linear", "raw")
    return -mean(np.abs(data.auc(case, split, radius) - data.column(case, split, "nearest_mean")[:, None]))


def _last(data: Measured, case: Case, split: int, group: str) -> np.ndarray:
    return data.rows(case, split, [group], data.plan.layers[-1:])


def curves(data: Measured) -> dict[str, Any]:
    """Return what the figure shows: by forgery and layer, test AUC against rho by head and scaling, and the floors."""
    table: dict[str, Any] = {}
    for layer in data.plan.some_layers:
        for group in (*data.subtle, *data.overt):
            table.setdefault(str(layer), {})[group] = _curve(data, group, layer)
    return {"rhos": list(data.plan.rhos), "perceptron_rhos": list(data.plan.perceptron_rhos), "auc": table}


def _curve(data: Measured, group: str, layer: int) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    for head in HEADS:
        for scaling in ("raw", "centre", "standard"):
            case = Case(UNIFD, head, scaling)  # type: ignore[arg-type]
            if data.has(case):
                tables = [
                    np.nan_to_num(data.column(case, s, "auc")[data.rows(case, s, [group], [layer])], nan=0.5)
                    for s in data.plan.splits
                ]
                entry[f"{head} {scaling}"] = rounded(np.concatenate(tables).mean((0, 1)))
    case = Case(UNIFD, "linear", "raw")
    for floor in ("nearest_mean", "logistic"):
        values = [data.column(case, s, floor)[data.rows(case, s, [group], [layer])] for s in data.plan.splits]
        entry[floor] = rounded(np.mean(values))
    return entry
