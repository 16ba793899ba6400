"""What changes with depth, for subtle and overt forgeries; and whether the radius of collapse follows the GSNR."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from corit.heads.head import HeadKind
from corit.studies.findings.claims import Claim, Thresholds
from corit.studies.findings.main_claims import CORRELATED, HEADS
from corit.studies.findings.measurements import mean
from corit.studies.findings.rank_correlation import partial_spearman, spearman
from corit.studies.findings.stored.collapsing import setting
from corit.studies.findings.stored.measured import Measured
from corit.studies.findings.stored.plan import CORIT, UNIFD, Case
from corit.studies.findings.sweeps import rounded

RAW = Case(UNIFD, "linear", "raw")
Quantity = Callable[[Measured, int], np.ndarray]

# By name: the quantity (C, S) of UniFD's linear heads on raw features, how much may be lost and still be kept, words.
QUANTITIES: dict[str, tuple[Quantity, float, str]] = {
    "AUC": (lambda d, s: d.auc(RAW, s), 0.02, "test AUC without SAM"),
    "AUC from the middle": (lambda d, s: d.auc(RAW, s), 0.02, "test AUC without SAM"),
    "COR": (lambda d, s: np.log10(d.radii(RAW, s, "relative")), 0.05, "log10 of the COR relative to the floor"),
    "COR in norms": (
        lambda d, s: np.log10(d.radii(RAW, s, "relative") * d.column(RAW, s, "mean_norm")[:, None]),
        0.05,
        "log10 of the COR relative to the floor, times ||E x||",
    ),
    "GSNR": (lambda d, s: d.gsnr(RAW, s)[:, None], 0.05, "log10 of the GSNR at w = 0, clustered"),
    "centred GSNR": (
        lambda d, s: d.gsnr(RAW, s, "gsnr_centred")[:, None],
        0.05,
        "log10 of the GSNR at w = 0 of centred features, clustered",
    ),
}


def thirds(data: Measured, name: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the first (or middle) and the last third of the layers."""
    layers = data.plan.layers
    third = max(1, len(layers) // 3)
    first = layers[(len(layers) - third + 1) // 2 :][:third] if name.endswith("from the middle") else layers[:third]
    return first, layers[-third:]


def change(data: Measured, split: int, name: str, groups: tuple[str, ...]) -> np.ndarray:
    """Return a quantity's mean over forgeries in the last third of the layers less that in the first or middle (S)."""
    values = QUANTITIES[name][0](data, split)
    first, last = (mean(values[data.rows(RAW, split, groups, layers)]) for layers in thirds(data, name))
    return last - first


def bifurcation(data: Measured, name: str) -> Claim:
    """Claim: a quantity falls with depth for subtle forgeries and not for overt ones."""
    _, keep, words = QUANTITIES[name]
    first, last = thirds(data, name)
    ends = f"layers {', '.join(map(str, last))} against {', '.join(map(str, first))}"
    return Claim(
        f"bifurcation, {name}",
        f"With depth, {name} falls for the subtle forgeries and not for the overt ones",
        f"{words}, {ends}: the subtle forgeries' loss is above 0 and the overt ones' change above -{keep}; cells "
        "without a gap to the floor have no COR",
        setting(data, "UniFD, linear head, raw features; subtle: " + ", ".join(data.subtle)),
        {
            "subtle forgeries' loss": data.effect(change, name, data.subtle, sign=-1),
            "overt forgeries' change": data.effect(change, name, data.overt),
        },
        {"subtle forgeries' loss": Thresholds(), "overt forgeries' change": Thresholds(-keep, -keep)},
        {
            "by layer": {g: _by_layer(data, name, g) for g in (*data.subtle, *data.overt)},
            "layers": list(data.plan.layers),
        },
    )


def _by_layer(data: Measured, name: str, group: str) -> list[Any]:
    """The mean over splits and seeds, a number for each layer."""
    rows = []
    for layer in data.plan.layers:
        values = [QUANTITIES[name][0](data, s)[data.rows(RAW, s, [group], [layer])].ravel() for s in data.plan.splits]
        rows.append(mean(np.concatenate(values)))
    return rounded(np.array(rows))


def correlation(data: Measured, split: int, case: Case, kind: str, field: str = "gsnr", given: str = "") -> np.ndarray:
    """Return the rank correlation (S) over cells of a radius with the GSNR, or the partial one.

    Args:
        data: the measurements.
        split: of the rows.
        case: whose cells.
        kind: "cor" or "relative".
        field: of the GSNR.
        given: "auc", or a field of the cells, whose rank is held; empty for none.
    """
    cor, gsnr = data.radii(case, split, kind), data.gsnr(case, split, field)
    if not given:
        return np.array([spearman(c, gsnr) for c in cor.T])
    held = data.auc(case, split) if given == "auc" else np.tile(data.column(case, split, given)[:, None], cor.shape[1])
    return np.array([partial_spearman(c, gsnr, h) for c, h in zip(cor.T, held.T, strict=True)])


def cor_with_gsnr(data: Measured, head: HeadKind) -> Claim:
    """Claim: COR rises with GSNR, over cells of forgery and layer."""
    kind = "relative" if head == "linear" else "cor"
    case = Case(UNIFD, head, "raw")
    of = lambda c, field="gsnr", given="": data.effect(correlation, c, kind, field, given)
    effects = {
        "UniFD": of(case),
        "AUC held": of(case, given="auc"),
        "c held": of(case, given="common"),
        "centred GSNR": of(case, "gsnr_centred"),
        "centred GSNR, AUC held": of(case, "gsnr_centred", "auc"),
        "plain GSNR": of(case, "gsnr_plain"),
        "CoRIT": of(Case(CORIT, head, "raw")) if data.has(Case(CORIT, head, "raw")) else of(case),
        "centred features": of(Case(UNIFD, head, "centre")),
        "||E x|| in GSNR's place": data.effect(_with_norm, case, kind),
    }
    return Claim(
        f"COR rises with GSNR, {HEADS[head]}",
        "The radius of collapse of a forgery at a layer rises with its gradient signal-to-noise ratio there",
        "rank correlation over (forgery, layer) cells of the COR "
        + ("relative to the floor" if head == "linear" else "to chance")
        + " with the GSNR of the features at w = 0, clustered by group: shown above 0.3 in every split and the "
        "interval, not shown up to 0. At w = 0 the GSNR is the signal-to-noise ratio of the nearest-mean classifier, "
        "the limit of large radii: what is left with AUC and c held is the claim's own",
        setting(data, f"UniFD, {HEADS[head]}, raw features"),
        effects,
        {"UniFD": CORRELATED},
    )


def _with_norm(data: Measured, split: int, case: Case, kind: str) -> np.ndarray:
    norm = data.column(case, split, "mean_norm")
    return np.array([spearman(c, norm) for c in data.radii(case, split, kind).T])
