"""CoRIT against UniFD and its own parts; and what SAM gains, in-domain and on other sets."""

from __future__ import annotations

from typing import Any

import numpy as np

from corit.heads.head import HeadKind
from corit.heads.rows import Scaling
from corit.studies.findings.claims import Claim, Effect, Thresholds
from corit.studies.findings.main_claims import GAIN, HEADS, UP_TO
from corit.studies.findings.measurements import mean
from corit.studies.findings.stored.collapsing import SCALED, setting
from corit.studies.findings.stored.measured import Measured
from corit.studies.findings.stored.plan import CORIT, MODELS, OTHERS, UNIFD, Case
from corit.studies.findings.sweeps import rounded


def matched(data: Measured, split: int, one: Case, other: Case) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of the cells that two cases share, in each of them."""
    a, b = data.places(one, split), data.places(other, split)
    shared = [p for p in a if p in b]
    return np.array([a.index(p) for p in shared], int), np.array([b.index(p) for p in shared], int)


def raised(data: Measured, split: int, one: Case, other: Case, kind: str) -> np.ndarray:
    """Return the mean log10 ratio of two cases' radii over the cells where both have one (S)."""
    a, b = matched(data, split, one, other)
    with np.errstate(divide="ignore", invalid="ignore"):
        return mean(np.log10(data.radii(one, split, kind)[a] / data.radii(other, split, kind)[b]))


def above(data: Measured, split: int, one: Case, other: Case) -> np.ndarray:
    """Return the mean difference of two cases' AUC without SAM over shared cells (S)."""
    a, b = matched(data, split, one, other)
    return mean(data.auc(one, split)[a] - data.auc(other, split)[b])


def corit_raises(data: Measured, scaling: Scaling) -> Claim:
    """Claim: CoRIT has a larger COR than UniFD at the same layer."""
    effects: dict[str, Effect] = {}
    for head, kind in (("linear", "relative"), ("mlp", "cor")):
        one, other = Case(CORIT, head, scaling), Case(UNIFD, head, scaling)  # type: ignore[arg-type]
        if data.has(one):
            effects[f"{HEADS[head]}"] = data.effect(raised, one, other, kind)
    for variant in (v for v in OTHERS if data.has(Case(v, "linear", scaling))):
        one = Case(variant, "linear", scaling)
        for name, other in (("UniFD", Case(UNIFD, "linear", scaling)), ("CoRIT", Case(CORIT, "linear", scaling))):
            effects[f"{variant} over {name}"] = data.effect(raised, one, other, "relative")
            effects[f"AUC, {variant} over {name}"] = data.effect(above, one, other)
    base = Case(CORIT, "linear", scaling), Case(UNIFD, "linear", scaling)
    effects["AUC, CoRIT over UniFD"] = data.effect(above, *base)
    bars = {HEADS[h]: Thresholds() for h in ("linear", "mlp") if HEADS[h] in effects}
    return Claim(
        f"CoRIT raises COR, {SCALED[scaling]}",
        f"On {SCALED[scaling]} features CoRIT has a larger radius of collapse than UniFD at the same layer",
        "mean over (forgery, layer) cells where both have one of log10 (COR of CoRIT / COR of UniFD), same split and "
        "head seed; linear head: relative to each one's floor, perceptron: to chance; above 0 with both heads",
        setting(data, "F_l of CoRIT (4 D numbers) against UniFD's class token (D)"),
        effects,
        bars,
    )


def small_radii(data: Measured, case: Case) -> list[int]:
    """Return the places of the radii above 0 and up to 0.1."""
    return [i for i, r in enumerate(data.plan.rhos_of(case)) if 0 < r <= UP_TO]


def gain(data: Measured, split: int, case: Case, radius: int) -> np.ndarray:
    """Return the mean over cells of AUC at a radius less that without SAM (S)."""
    return mean(data.auc(case, split, radius) - data.auc(case, split))


def mean_gain(data: Measured, split: int, cases: list[Case]) -> np.ndarray:
    """Return the mean gain over some cases and the radii up to 0.1 (S)."""
    return mean(np.stack([gain(data, split, c, r) for c in cases for r in small_radii(data, c)]))


def chosen_gain(data: Measured, split: int, case: Case) -> np.ndarray:
    """Return the gain (S) at each head's radius of best validation AUC among 0 and those up to 0.1."""
    among = [0, *small_radii(data, case)]
    valid = np.nan_to_num(data.column(case, split, "valid_auc")[:, :, among], nan=0.0)
    test = np.stack([data.auc(case, split, r) for r in among], -1)
    best = valid.argmax(-1)
    return mean(np.take_along_axis(test, best[..., None], -1)[..., 0] - test[..., 0])


def gains(data: Measured, head: HeadKind, scaling: Scaling) -> Claim:
    """Claim: radii up to 0.1, in raw units, raise the AUC on test rows of the same set."""
    cases = [c for c in (Case(v, head, scaling) for v in MODELS) if data.has(c)]
    radii = small_radii(data, cases[0])
    effects = {"mean": data.effect(mean_gain, cases)}
    effects |= {f"{c.variant}, rho {data.plan.rhos_of(c)[r]:g}": data.effect(gain, c, r) for c in cases for r in radii}
    effects |= {f"{c.variant}, chosen on validation": data.effect(chosen_gain, c) for c in cases}
    return Claim(
        f"gains up to rho 0.1, {HEADS[head]}, {SCALED[scaling]}",
        f"SAM radii up to 0.1 raise the test AUC of a {HEADS[head]} on {SCALED[scaling]} features",
        "test AUC at a radius above 0 and up to 0.1 less that without SAM, mean over those radii, cells and both "
        "models: shown above half a point of AUC, not shown up to 0",
        setting(data, f"UniFD and CoRIT, {HEADS[head]}, {SCALED[scaling]} features"),
        effects,
        {"mean": GAIN},
    )


def across_gain(data: Measured, split: int, case: Case, radius: int) -> np.ndarray:
    """Return the mean gain over cells and the forgeries of other sets that each cell is tested on (S)."""
    gains = []
    for cell in data.cells(case, split):
        for table in cell["across"].values():
            areas = np.nan_to_num(np.array(table, float), nan=0.5)  # (S, R)
            gains.append(areas[:, radius] - areas[:, 0])
    return mean(np.stack(gains)) if gains else np.full(len(data.plan.seeds_of(case)), np.nan)


def mean_across_gain(data: Measured, split: int, cases: list[Case]) -> np.ndarray:
    """Return the mean gain on other sets over some cases and the radii up to 0.1 (S)."""
    return mean(np.stack([across_gain(data, split, c, r) for c in cases for r in small_radii(data, c)]))


def across(data: Measured, scaling: Scaling) -> Claim:
    """Claim: radii up to 0.1, in raw units, raise the AUC on other sets."""
    cases = [Case(v, "linear", scaling) for v in MODELS if data.has(Case(v, "linear", scaling))]
    perceptrons = [Case(v, "mlp", scaling) for v in MODELS if data.has(Case(v, "mlp", scaling))]
    effects = {"linear head": data.effect(mean_across_gain, cases)}
    effects |= {"perceptron": data.effect(mean_across_gain, perceptrons)} if perceptrons else {}
    effects |= {
        f"{c.variant}, rho {r:g}": data.effect(across_gain, c, k)
        for c in cases
        for k, r in enumerate(data.plan.rhos)
        if r
    }
    return Claim(
        f"gains across sets, {SCALED[scaling]}",
        f"SAM radii up to 0.1 raise the AUC on other sets than the one trained on, on {SCALED[scaling]} features",
        "AUC on the forgeries of every other set at a radius above 0 and up to 0.1 less that without SAM, mean over "
        "radii, cells and both models: shown above half a point of AUC, not shown up to 0, both heads",
        setting(data, f"UniFD and CoRIT, {SCALED[scaling]} features"),
        effects,
        {k: GAIN for k in ("linear head", "perceptron") if k in effects},
        {"AUC without SAM": {c.variant: _without(data, c) for c in cases}},
    )


def _without(data: Measured, case: Case) -> dict[str, Any]:
    """AUC without SAM at the last layer by trained and tested forgery."""
    table: dict[str, dict[str, list[float]]] = {}
    for split in data.plan.splits:
        for cell in data.cells(case, split):
            if cell["layer"] == data.plan.layers[-1]:
                for name, areas in cell["across"].items():
                    table.setdefault(cell["group"], {}).setdefault(name, []).append(np.mean([a[0] for a in areas]))
    return {g: {n: rounded(np.mean(v)) for n, v in row.items()} for g, row in table.items()}
