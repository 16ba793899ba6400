"""Writes a diagnosis as cor.csv, trajectories.csv and summary.json, each atomically."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from corit.diagnose.control import Control
from corit.diagnose.diagnosis import Diagnosis, DiagnosisCell
from corit.diagnose.features import layer_name
from corit.diagnose.verdict import Verdict, rankings, verdicts
from corit.files import write_text
from corit.serialise import csv_text, finite, json_text
from corit.theory.collapse import Radius, Spread
from corit.theory.factors import FACTORS
from corit.theory.geometry import Units
from corit.theory.landscape import Landscape

WATCHED = (
    *("loss", "gradient", "gsnr", "corrected", "trace_h", "trace_r", "lambda_max", "residual", "ratio"),
    *("clustered", "centred", "centred_clustered"),
)


def write_tables(diagnosis: Diagnosis, out: str | Path) -> None:
    """Write cor.csv (`cor_rows`), trajectories.csv (`trajectory_rows`) and summary.json (`summary`) into a folder."""
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "cor.csv", _csv(cor_rows(diagnosis)))
    write_text(folder / "trajectories.csv", _csv(trajectory_rows(diagnosis)))
    write_text(folder / "summary.json", json_text(summary(diagnosis)))


def cor_rows(diagnosis: Diagnosis) -> Iterator[dict[str, Any]]:
    """Build the rows of cor.csv, one for each store, layer, group, head and seed.

    Columns: auc_rho_*: test AUC, empty where the head diverged. cor: empirical COR, empty where it is censored, and
    cor_censored then says how. halfway: a radius or its censoring. bound, bottleneck_step: (11) and (12) within phase
    (i); gsnr: (4) at that step. bound_whole: (11) over the whole course. gsnr_early: see `DiagnosisCell.early`.
    gsnr_estimate: (4) at the bottleneck step by the cell's estimator; gsnr_centred, gsnr_early_centred: of the rows
    less their common mean. mean_norm to raw_factor_high: see `Units`. cor_raw: cor times raw_factor, the COR on raw
    features, exact where raw_factor_low and raw_factor_high are the same. cor_relative: cor times scaled_rms_norm.
    nearest_mean, logistic: AUC of the floors; relative: the radius at which half of their difference is lost, or its
    censoring.

    Yields:
        Column -> value.
    """
    for c in diagnosis.cells:
        for s, seed in enumerate(diagnosis.plan.seeds):
            cor = c.collapse.radius[s]
            yield {
                "store": c.store,
                "layer": c.at,
                "group": c.group,
                "head": c.head,
                "seed": seed,
                **{f"auc_rho_{r:g}": _number(c.auc[s, k]) for k, r in enumerate(diagnosis.plan.rhos)},
                "cor": "" if cor.censoring else _number(cor.value),
                "cor_censored": str(cor) if cor.censoring else "",
                "halfway": _radius(c.collapse.halfway[s]),
                "bound": _number(c.bound[s]),
                "bound_whole": _number(c.whole[s]),
                "bottleneck_step": int(c.step[s]),
                "gsnr": _number(c.gsnr[s]),
                "gsnr_early": _number(c.early[s]),
                "scaling": diagnosis.plan.scaling,
                "gsnr_estimate": _number(c.estimate[s]),
                "gsnr_centred": _number(c.centred[s]),
                "gsnr_early_centred": _number(c.early_centred[s]),
                **_units(c.units),
                "cor_raw": "" if cor.censoring else _number(cor.value * c.units.factor.middle),
                "cor_relative": "" if cor.censoring else _number(c.units.scaled.relative(cor.value)),
                **_floors(c),
                "relative": None if c.collapse.relative is None else _radius(c.collapse.relative[s]),
            }


def trajectory_rows(diagnosis: Diagnosis) -> Iterator[dict[str, Any]]:
    """Build the rows of trajectories.csv: one for each cell, seed and observed step at the plan's reference radius.

    Yields:
        Column -> value.
    """
    for c in diagnosis.cells:
        for s, seed in enumerate(diagnosis.plan.seeds):
            for t, step in enumerate(c.course.steps.tolist()):
                cell = {"store": c.store, "layer": c.at, "group": c.group, "head": c.head, "seed": seed}
                quantities = {k: _number(getattr(c.course, k)[t, 0, s, 0]) for k in WATCHED}
                yield {**cell, "rho": diagnosis.plan.reference, "step": step, **quantities}


def summary(diagnosis: Diagnosis) -> dict[str, Any]:
    """Gather what summary.json holds: the plan, a record of each cell, verdicts, rankings and landscapes."""
    plan = diagnosis.plan
    return {
        "stores": dict(diagnosis.captions),
        "layers": {s: [layer_name(l) for l in ls] for s, ls in diagnosis.layers.items()},
        "groups": {s: list(g) for s, g in diagnosis.groups.items()},
        "by": plan.by,
        "heads": {h: plan.describe(h) for h in plan.heads},
        "rhos": list(plan.rhos),
        "seeds": list(plan.seeds),
        "scaling": plan.scaling,
        "watched": {"rho": plan.reference, "every": plan.interval, "rows": plan.rows},
        "notes": list(diagnosis.notes),
        "cells": [_record(c) for c in diagnosis.cells],
        "verdicts": [_verdict(v) for v in verdicts(diagnosis)],
        "rankings": [
            {
                "store": r.store,
                "head": r.head,
                "by_cor": [c.group for c in r.by_cor],
                "by_gsnr": [c.group for c in r.by_gsnr],
                "rank_correlation": {**{k: _number(v) for k, v in r.correlations.items()}, "n": r.count},
            }
            for r in rankings(diagnosis)
        ],
        "landscapes": [
            {
                **{"store": s, "group": g, "head": h, "rho": diagnosis.shown, "seed": plan.seeds[0], **_figures(l)},
                "units": _units(diagnosis.headlines(store=s, group=g, head=h)[0].units),
            }
            for (s, g, h), l in diagnosis.landscapes.items()
        ],
        "seconds": round(diagnosis.seconds, 1),
    }


def _record(c: DiagnosisCell) -> dict[str, Any]:
    median = lambda values: _number(float(np.median(values)))
    return {
        "store": c.store,
        "layer": c.at,
        "group": c.group,
        "head": c.head,
        "cor": _spread(c.collapse.cor),
        "halfway": _spread(c.collapse.half),
        "counts": dict(c.collapse.counts),
        "best_auc": _number(float(np.median(np.nanmax(c.auc, 1)))) if np.isfinite(c.auc).any(1).all() else None,
        "bound": median(c.bound),
        "bound_whole": median(c.whole),
        "bottleneck_step": median(c.step),
        "phase_i_ends": median(c.end),
        "gsnr": median(c.gsnr),
        "gsnr_corrected": median(c.corrected),
        "gsnr_early": median(c.early),
        "gsnr_estimator": c.estimator or ("clustered" if c.course.clusters.any() else "corrected"),
        "gsnr_clusters": int(c.course.clusters[0]),
        "gsnr_estimate": median(c.estimate),
        "gsnr_centred": median(c.centred),
        "gsnr_early_centred": median(c.early_centred),
        **{f: median(c.factors[:, k]) for k, f in enumerate(FACTORS)},
        "units": _units(c.units),
        **_floors(c),
        "relative": _spread(c.collapse.lost),
        "centred": _control(c.control),
    }


def _floors(c: DiagnosisCell) -> dict[str, Any]:
    """AUC of the floors, None where they were not measured."""
    return {k: _number(getattr(c.floors, k)) if c.floors else None for k in ("nearest_mean", "logistic")}


def _control(control: Control | None) -> dict[str, Any] | None:
    """What heads on centred features did, None where there are none."""
    if control is None:
        return None
    auc = [float(np.median(a[np.isfinite(a)])) if np.isfinite(a).any() else float("nan") for a in control.auc.T]
    c = control.collapse
    return {"auc": _number(auc), "cor": _spread(c.cor), "halfway": _spread(c.half), "relative": _spread(c.lost)}


def _spread(spread: Spread | None) -> list[str] | None:
    return None if spread is None else [str(r) for r in (spread.median, spread.low, spread.high)]


def _units(units: Units) -> dict[str, float | None]:
    return {k: _number(v) for k, v in units.record().items()}


def _verdict(v: Verdict) -> dict[str, Any]:
    c = v.cell
    record: dict[str, Any] = {
        "store": c.store,
        "layer": c.at,
        "group": c.group,
        "head": c.head,
        "verdict": v.word,
        "line": v.line,
    }
    record["cause"] = None if v.cause is None else asdict(v.cause)
    if v.blame is None:
        return {**record, "blame": None}
    logs = {k: _number(x) for k, x in v.blame.logs.items()}
    return {**record, "blame": {"factor": v.blame.factor, "against": v.blame.against, "log_difference": logs}}


def _figures(l: Landscape) -> dict[str, Any]:
    sharp = {k: _number(float(getattr(l.sharpness, k)[0])) for k in ("linear", "step", "ascent")}
    plain = {k: _number(float(getattr(l, k))) for k in ("centre", "curvature", "relative", "rise", "share", "largest")}
    return {**plain, "norm": _number(float(l.norm)), "sharpness": {"rho": l.sharpness.rhos[0], **sharp}}


def _radius(radius: Radius) -> str | float | None:
    return str(radius) if radius.censoring else _number(radius.value)


_number = partial(finite, digits=6)


def _csv(rows: Iterator[dict[str, Any]]) -> str:
    first = next(rows)
    return csv_text(chain([first], (r.values() for r in chain([first], rows))), line_end="\r\n")
