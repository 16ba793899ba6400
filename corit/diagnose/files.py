"""A diagnosis as files: cor.csv, trajectories.csv and summary.json, each whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from corit.diagnose.diagnosis import Cell, Diagnosis
from corit.diagnose.measured import layer_name
from corit.diagnose.verdict import Verdict, rankings, verdicts
from corit.files import write_text
from corit.serialise import csv_text, finite, json_text
from corit.theory.collapse import Radius
from corit.theory.factors import FACTORS
from corit.theory.landscape import Landscape

WATCHED = ("loss", "gradient", "gsnr", "corrected", "trace_h", "trace_r", "lambda_max", "residual", "ratio")


def write_tables(found: Diagnosis, out: str | Path) -> None:
    """Write the files into a folder; `table` and `trajectories` say what their rows are."""
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "cor.csv", _csv(table(found)))
    write_text(folder / "trajectories.csv", _csv(trajectories(found)))
    write_text(folder / "summary.json", json_text(summary(found)))


def table(found: Diagnosis) -> Iterator[dict[str, Any]]:
    """One row for each store, layer, group, head and seed.

    auc_rho_*: test AUC, empty where the head diverged. cor: empirical COR, empty where it is censored, and cor_censored
    says how. halfway: a radius or its censoring. bound, bottleneck_step, gsnr: (11), (12) within phase (i), and (4)
    there; bound_whole: (11) over the whole course; gsnr_early: see `Cell.early`.
    """
    for c in found.cells:
        for s, seed in enumerate(found.plan.seeds):
            cor = c.collapse.radius[s]
            yield {
                "store": c.store,
                "layer": c.at,
                "group": c.group,
                "head": c.head,
                "seed": seed,
                **{f"auc_rho_{r:g}": _number(c.auc[s, k]) for k, r in enumerate(found.plan.rhos)},
                "cor": "" if cor.censoring else _number(cor.value),
                "cor_censored": str(cor) if cor.censoring else "",
                "halfway": _radius(c.collapse.halfway[s]),
                "bound": _number(c.bound[s]),
                "bound_whole": _number(c.whole[s]),
                "bottleneck_step": int(c.step[s]),
                "gsnr": _number(c.gsnr[s]),
                "gsnr_early": _number(c.early[s]),
                "scaling": found.plan.scaling,
            }


def trajectories(found: Diagnosis) -> Iterator[dict[str, Any]]:
    """One row for each cell, seed and watched step, along training at the plan's reference radius."""
    for c in found.cells:
        for s, seed in enumerate(found.plan.seeds):
            for t, step in enumerate(c.course.steps.tolist()):
                named = {"store": c.store, "layer": c.at, "group": c.group, "head": c.head, "seed": seed}
                seen = {k: _number(getattr(c.course, k)[t, 0, s, 0]) for k in WATCHED}
                yield {**named, "rho": found.plan.reference, "step": step, **seen}


def summary(found: Diagnosis) -> dict[str, Any]:
    """What `summary.json` holds: how it was made, a record of every cell, verdicts, rankings and landscapes."""
    plan = found.plan
    return {
        "stores": dict(found.captions),
        "layers": {s: [layer_name(l) for l in ls] for s, ls in found.layers.items()},
        "groups": {s: list(g) for s, g in found.groups.items()},
        "by": plan.by,
        "heads": {h: plan.describe(h) for h in plan.heads},
        "rhos": list(plan.rhos),
        "seeds": list(plan.seeds),
        "scaling": plan.scaling,
        "watched": {"rho": plan.reference, "every": plan.interval, "rows": plan.rows},
        "notes": list(found.notes),
        "cells": [_record(c) for c in found.cells],
        "verdicts": [_verdict(v) for v in verdicts(found)],
        "rankings": [
            {
                "store": r.store,
                "head": r.head,
                "by_cor": [c.group for c in r.by_cor],
                "by_gsnr": [c.group for c in r.by_gsnr],
                "rank_correlation": {**{k: _number(v) for k, v in r.correlations.items()}, "n": r.count},
            }
            for r in rankings(found)
        ],
        "landscapes": [
            {"store": s, "group": g, "head": h, "rho": found.shown, "seed": plan.seeds[0], **_figures(l)}
            for (s, g, h), l in found.landscapes.items()
        ],
        "seconds": round(found.seconds, 1),
    }


def _record(c: Cell) -> dict[str, Any]:
    median = lambda values: _number(float(np.median(values)))
    return {
        "store": c.store,
        "layer": c.at,
        "group": c.group,
        "head": c.head,
        "cor": [str(r) for r in (c.collapse.cor.median, c.collapse.cor.low, c.collapse.cor.high)],
        "halfway": [str(r) for r in (c.collapse.half.median, c.collapse.half.low, c.collapse.half.high)],
        "counts": dict(c.collapse.counts),
        "best_auc": _number(float(np.median(np.nanmax(c.auc, 1)))) if np.isfinite(c.auc).any(1).all() else None,
        "bound": median(c.bound),
        "bound_whole": median(c.whole),
        "bottleneck_step": median(c.step),
        "phase_i_ends": median(c.end),
        "gsnr": median(c.gsnr),
        "gsnr_corrected": median(c.corrected),
        "gsnr_early": median(c.early),
        **{f: median(c.factors[:, k]) for k, f in enumerate(FACTORS)},
    }


def _verdict(v: Verdict) -> dict[str, Any]:
    c = v.cell
    said = {"store": c.store, "layer": c.at, "group": c.group, "head": c.head, "verdict": v.word, "line": v.line}
    if v.blame is None:
        return {**said, "blame": None}
    logs = {k: _number(x) for k, x in v.blame.logs.items()}
    return {**said, "blame": {"factor": v.blame.factor, "against": v.blame.against, "log_difference": logs}}


def _figures(l: Landscape) -> dict[str, Any]:
    sharp = {k: _number(float(getattr(l.sharpness, k)[0])) for k in ("linear", "step", "ascent")}
    plain = {k: _number(float(getattr(l, k))) for k in ("centre", "curvature", "relative", "rise", "share", "largest")}
    return {**plain, "norm": _number(float(l.norm)), "sharpness": {"rho": l.sharpness.rhos[0], **sharp}}


def _radius(found: Radius) -> str | float | None:
    return str(found) if found.censoring else _number(found.value)


_number = partial(finite, digits=6)


def _csv(rows: Iterator[dict[str, Any]]) -> str:
    first = next(rows)
    return csv_text(chain([first], (r.values() for r in chain([first], rows))), line_end="\r\n")
