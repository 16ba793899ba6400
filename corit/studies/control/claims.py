"""The rules of the control: what it must show of a common mean, and what must be absent without one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from corit.studies.control.plan import OVERT, SUBJECT, ControlPlan
from corit.studies.findings.claims import Claim, Effect, Thresholds
from corit.theory.collapse import relative
from corit.theory.floors import Floors

LOST, KEPT = 0.03, 0.02  # [choice] AUC: a fall of at least so much is one, a fall of at most so much is none
SLOPE = 0.25  # [choice] how far from -1 the slope of log radius against log ||E x|| may lie
FACTOR = 0.05  # [choice] log10: how far the ratio of GSNR may lie from 1 / (1 - c)


@dataclass(frozen=True)
class Sweeps:
    """The measurements of the control.

    Attributes:
        plan: the plan.
        records: by world seed and the case's name, the cells by manipulation type; see `measures.measure`.
    """

    plan: ControlPlan
    records: Mapping[int, Mapping[str, Mapping[str, Any]]]

    def auc(self, world: int, case: str, kind: str) -> np.ndarray:
        """Return the test AUC (S, R); NaN where a head diverged."""
        return np.array(self.records[world][case][kind]["auc"], float)

    def number(self, world: int, case: str, kind: str, field: str) -> float:
        """Return one number of a cell."""
        return float(self.records[world][case][kind][field])

    def loss(self, world: int, case: str, kind: str) -> np.ndarray:
        """Return what each head seed loses of test AUC between no SAM and the radius `far` (S)."""
        auc = np.nan_to_num(self.auc(world, case, kind), nan=0.5)
        return auc[:, 0] - auc[:, self.plan.rhos.index(self.plan.far)]

    def losses(self, case: str, kinds: Sequence[str] = (SUBJECT,)) -> np.ndarray:
        """Return the mean loss over types, by world and head seed (W, S)."""
        return np.array([np.mean([self.loss(w, case, k) for k in kinds], 0) for w in self.plan.worlds])

    def radii(self, case: str, kind: str = SUBJECT) -> np.ndarray:
        """Return the radius at which half of a head's own fall is over (W, S); NaN where there is none to speak of.

        The fall is from the AUC without SAM to that at the largest radius. A radius relative to the floors does not
        exist where a head starts below their middle, as heads on raw features with a large common mean do.
        """
        return np.array([[_halfway(self.plan.rhos, a) for a in self.auc(w, case, kind)] for w in self.plan.worlds])

    def radii_of(self, world: int, case: str, kind: str) -> list[Mapping[str, Any]]:
        """Return the records of the radii relative to the floors (S) of one world, with their censoring."""
        return list(self.records[world][case][kind]["relative"])

    def column(self, case: str, field: str, kind: str = SUBJECT) -> np.ndarray:
        """Return one number of a cell by world (W)."""
        return np.array([self.number(w, case, kind, field) for w in self.plan.worlds])


def _halfway(rhos: Sequence[float], auc: np.ndarray) -> float:
    """The radius at which half of a fall (R) is over, NaN where it is censored or the fall is below `LOSS`."""
    if np.isnan(auc[[0, -1]]).any():
        return float("nan")
    middle = relative(rhos, auc, Floors(nearest_mean=float(auc[-1]), logistic=float(auc[0])))
    return float("nan") if middle.censoring else middle.value


def claims(data: Sweeps) -> list[Claim]:
    """Return every claim of the control."""
    return [falls(data), needs_mean(data), needs_place(data), inverse_norm(data), depth(data), deflated(data)]


def setting(data: Sweeps, what: str) -> str:
    """Describe world, backbone and seeds in words, then `what` is particular."""
    p = data.plan
    return (
        f"miniature, {p.train}/{p.val}/{p.test} identities x {p.pictures} pictures, worlds "
        f"{', '.join(map(str, p.worlds))}, the packaged encoder in each, {len(p.heads)} head seeds, linear head; {what}"
    )


def falls(data: Sweeps) -> Claim:
    """Claim: with CLIP-like geometry a linear head falls to its floor on raw features, and on raw ones alone."""
    keep = lambda case, kinds=(SUBJECT,): Effect.of(KEPT - data.losses(case, kinds))
    effects = {
        "NT, raw: loss": Effect.of(data.losses("base, raw")),
        "NT, centred: kept": keep("base, centre"),
        "overt, raw: kept": keep("base, raw", OVERT),
        "NT, raw: share of the way to the floor": Effect.of(_shares(data, "base, raw")),
        "NT, standardised: loss": Effect.of(data.losses("base, standard")),
        "NT, perceptron, raw: loss": Effect.of(data.losses("base, perceptron, raw")),
        "NT, perceptron, centred: loss": Effect.of(data.losses("base, perceptron, centre")),
    }
    return Claim(
        "a linear head falls to its floor",
        "On raw features of CLIP-like geometry SAM takes a linear head to the nearest-mean classifier; centred ones "
        "and overt types are spared",
        f"AUC without SAM less AUC at rho {data.plan.far:g}: NT loses more than {LOST} on raw features, at most {KEPT} "
        f"on centred ones, and DF and FS at most {KEPT} on raw ones",
        setting(data, "base geometry, raw units"),
        effects,
        {
            "NT, raw: loss": Thresholds(LOST, KEPT),
            "NT, centred: kept": Thresholds(),
            "overt, raw: kept": Thresholds(),
        },
    )


def _shares(data: Sweeps, case: str) -> np.ndarray:
    """How much of the way from the AUC without SAM to the nearest-mean AUC is gone at the largest radius (W, S)."""
    rows = []
    for w in data.plan.worlds:
        auc, floor = np.nan_to_num(data.auc(w, case, SUBJECT), nan=0.5), data.number(w, case, SUBJECT, "nearest_mean")
        rows.append((auc[:, 0] - auc[:, -1]) / np.maximum(auc[:, 0] - floor, 1e-3))
    return np.array(rows)


def needs_mean(data: Sweeps) -> Claim:
    """Claim: the fall grows with the common mean, and without it there is none."""
    names = {f"c = {c:g}": f"common {c:g}, raw" for c in data.plan.commons}
    effects = {"c = 0: kept": Effect.of(KEPT - data.losses(names["c = 0"]))} if "c = 0" in names else {}
    largest = f"c = {max(data.plan.commons):g}"
    effects["more at the largest c than at c = 0"] = Effect.of(
        data.losses(names[largest]) - data.losses(f"common {min(data.plan.commons):g}, raw") - LOST
    )
    bars = {k: Thresholds() for k in effects}
    effects |= {f"loss at {k}": Effect.of(data.losses(case)) for k, case in names.items()}
    return Claim(
        "the common mean does it",
        "The same features, with the same signal in the same place, do not fall without a common mean",
        f"NT at rho {data.plan.far:g}: with c = 0 the loss is at most {KEPT}, and at the largest c it is larger by "
        f"more than {LOST}",
        setting(data, "base geometry but for c, raw"),
        effects,
        bars,
    )


def needs_place(data: Sweeps) -> Claim:
    """Claim: the fall needs a signal in directions of low variance."""
    names = {f"s = {s:g}": f"low {s:g}, raw" for s in data.plan.lows}
    least, most = f"low {min(data.plan.lows):g}, raw", f"low {max(data.plan.lows):g}, raw"
    flat = f"decay {min(data.plan.decays):g}, raw"
    effects = {
        "more at the largest s than at the least": Effect.of(data.losses(most) - data.losses(least) - KEPT),
        "flat spectrum: kept": Effect.of(KEPT - data.losses(flat)),
    }
    bars = {k: Thresholds() for k in effects}
    effects |= {f"loss at {k}": Effect.of(data.losses(case)) for k, case in names.items()}
    return Claim(
        "the signal's place does it",
        "A signal in directions of high variance survives the common mean, one in directions of low variance does not",
        f"NT at rho {data.plan.far:g}, raw: at the largest s the loss is larger than at the least by more than {KEPT}; "
        f"where all directions vary alike it is at most {KEPT}",
        setting(data, "base geometry but for s, or for the spectrum, raw"),
        effects,
        bars,
        {"nearest-mean AUC": {k: data.column(c, "nearest_mean").mean().round(4) for k, c in names.items()}},
    )


def inverse_norm(data: Sweeps) -> Claim:
    """Claim: the radius at which half of the gap is lost is a constant over ||E x||."""
    commons = ["base, raw", *(f"common {c:g}, raw" for c in data.plan.commons if c >= 0.7)]
    scales = ["base, raw", *(f"spread {v:g}, raw" for v in data.plan.spreads)]
    slopes = {"over c": _slopes(data, commons), "over the unit": _slopes(data, scales)}
    effects = {f"{k}: near -1": Effect.of(SLOPE - np.abs(v + 1)) for k, v in slopes.items()}
    bars = {k: Thresholds() for k in effects}
    follows = ["base, raw", *(c.name for c in data.plan.cases if c.rate != 1)]
    slopes["over the unit, learning rate / unit"] = _slopes(data, follows)
    effects |= {f"{k}: slope": Effect.of(v) for k, v in slopes.items()}
    product = {
        name: _median(data.radii(name) * data.column(name, "mean_norm")[:, None])
        for name in dict.fromkeys(commons + scales + follows)
    }
    return Claim(
        "radius as 1 / norm of E x",
        "The radius at which half of a linear head's fall is over is a constant over ||E x||",
        f"NT, raw: the slope of log radius against log ||E x||, over c from 0.7 with the same centred features, and "
        f"over their unit with the same c, lies within {SLOPE} of -1",
        setting(data, "base geometry but for c or the spread, raw; radius at which half of the fall is over"),
        effects,
        bars,
        {"median of radius x ||E x||": product},
    )


def _slopes(data: Sweeps, cases: Sequence[str]) -> np.ndarray:
    """The slope of log radius against log ||E x|| by world and head seed (W, S); NaN for fewer than three radii."""
    norms = np.log(
        np.stack([np.broadcast_to(data.column(c, "mean_norm")[:, None], data.radii(c).shape) for c in cases])
    )
    radii = np.log(np.stack([data.radii(c) for c in cases]))
    slopes = np.full(radii.shape[1:], np.nan)
    for at in np.ndindex(*slopes.shape):
        x, y = norms[:, at[0], at[1]], radii[:, at[0], at[1]]
        known = ~np.isnan(y)
        if known.sum() >= 3:
            slopes[at] = np.polyfit(x[known], y[known], 1)[0]
    return slopes


def depth(data: Sweeps) -> Claim:
    """Claim: the same information at every depth has another radius where its geometry is that of CLIP's layer."""
    names = {d: f"CLIP layer {d}, raw" for d in data.plan.depths}
    radii = np.stack([data.radii(n) for n in names.values()])
    norms = np.stack([data.column(n, "mean_norm") for n in names.values()])[..., None]
    effects = {
        "spread of the radius": Effect.of(_range(radii) - np.log10(2)),
        "spread of radius x ||E x||": Effect.of(_range(radii * norms)),
        "deepest layer: loss": Effect.of(data.losses(names[max(names)])),
    }
    return Claim(
        "a radius by depth is geometry too",
        "The same features with the geometry of CLIP's layers have radii that differ by depth",
        "NT, raw: log10 (largest / smallest radius over CLIP's layers) is above that of a factor of 2",
        setting(data, "CLIP's c and norm by layer on the same features, raw; radius at which half of the fall is over"),
        effects,
        {"spread of the radius": Thresholds()},
        {
            "median radius": {str(d): _median(data.radii(n)) for d, n in names.items()},
            "||E x||": {str(d): _median(data.column(n, "mean_norm")) for d, n in names.items()},
            "radius x ||E x||": {
                str(d): _median(data.radii(n) * data.column(n, "mean_norm")[:, None]) for d, n in names.items()
            },
        },
    )


def _range(radii: np.ndarray) -> np.ndarray:
    """log10 of the largest over the smallest radius of the first axis (W, S); NaN for fewer than two."""
    known = (~np.isnan(radii)).sum(0) >= 2
    high = np.where(np.isnan(radii), -np.inf, radii).max(0)
    low = np.where(np.isnan(radii), np.inf, radii).min(0)
    return np.log10(np.where(known, high, np.nan) / np.where(known, low, np.nan))


def deflated(data: Sweeps) -> Claim:
    """Claim: a common mean lowers the GSNR at w = 0 by the factor 1 - c."""
    cases = {f"c = {c:g}": f"common {c:g}, raw" for c in data.plan.commons}
    off = {}
    for name, case in {"base": "base, raw", **cases}.items():
        logs = [_log_ratio(data, w, case) for w in data.plan.worlds]
        off[name] = Effect.of(FACTOR - np.abs(logs))
    return Claim(
        "raw GSNR is deflated by 1 - c",
        "The GSNR of features at w = 0 is 1 - c of that with the common mean removed: it says nothing of the signal",
        "log10 (GSNR centred / GSNR raw) lies within 0.05 of log10 (1 / (1 - c)), NT, all values of c",
        setting(data, "base geometry but for c, clustered estimator"),
        off,
        {k: Thresholds() for k in off},
        {"GSNR": {n: data.column(c, "gsnr").round(6).tolist() for n, c in {"base": "base, raw", **cases}.items()}},
    )


def _log_ratio(data: Sweeps, world: int, case: str) -> float:
    raw, common = (data.number(world, case, SUBJECT, f) for f in ("gsnr", "common"))
    centred = data.number(world, "base, centre", SUBJECT, "gsnr")
    return float(np.log10(centred / raw) + np.log10(1 - common)) if min(raw, centred) > 0 else float("nan")


def _median(values: np.ndarray) -> float | None:
    known = values[~np.isnan(values)]
    return round(float(np.median(known)), 4) if len(known) else None
