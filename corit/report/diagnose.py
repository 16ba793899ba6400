"""Writes a diagnosis: tables, a page with the paper's figures for the stores, and lines for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from rich.table import Table

from corit.diagnose.diagnosis import Diagnosis, DiagnosisCell
from corit.diagnose.features import layer_name
from corit.diagnose.plan import RECOMMENDED
from corit.diagnose.tables import write_tables
from corit.diagnose.verdict import Ranking, fragility, rankings, verdicts
from corit.heads.head import HeadKind
from corit.report import courses, page, planes, radii
from corit.report.radii import TITLES
from corit.report.text import table_text
from corit.theory.collapse import CHANCE, LEARNED, LOSS
from corit.theory.factors import FACTORS
from corit.theory.landscape import Landscape

BADGES = {  # classes of the base page
    "stable": "real",
    "in the collapse zone": "fake",
    "falls to the nearest mean": "fake",
    "never learned": "unsure",
}


def write(diagnosis: Diagnosis, out: str | Path) -> None:
    """Write cor.csv, trajectories.csv, summary.json and report.html into a folder, each atomically."""
    folder, heads = Path(out), diagnosis.plan.heads
    write_tables(diagnosis, folder)
    page.write(
        "diagnose.html",
        folder / "report.html",
        diagnosis=diagnosis,
        heads={h: diagnosis.plan.describe(h) for h in heads},
        titles=TITLES,
        seeds=", ".join(map(str, diagnosis.plan.seeds)),
        limits={"recommended": RECOMMENDED, "chance": CHANCE, "learned": LEARNED, "loss": LOSS},
        verdicts=[{"v": v, "badge": BADGES[v.word], "numbers": _numbers(v.cell)} for v in verdicts(diagnosis)],
        rankings=[_ranked(r) for r in rankings(diagnosis)],
        layers={s: [layer_name(l) for l in ls] for s, ls in diagnosis.layers.items()},
        layerwise=list(_layerwise(diagnosis)),
        figures=_figures(diagnosis),
        landscapes=[_landscape(*key, plane) for key, plane in diagnosis.landscapes.items()],
        captions={h: caption(diagnosis, (h,)) for h in heads} | {"": caption(diagnosis, heads)},
    )


def caption(diagnosis: Diagnosis, heads: Sequence[HeadKind]) -> str:
    """Name world, backbone, heads and seeds, as the caption of every figure and table."""
    stores = "; ".join(f"{name}: {text}" for name, text in diagnosis.captions.items())
    seeds = ", ".join(map(str, diagnosis.plan.seeds))
    described = "; ".join(map(diagnosis.plan.describe, heads))
    return f"{stores}. Head: {described}. Seeds {seeds}. Units: {'; '.join(diagnosis.unit_lines())}."


def _figures(diagnosis: Diagnosis) -> dict[str, dict[str, str]]:
    """Data URIs of the paper's figures: name -> head ("" for all heads in one) -> figure; those that can be drawn."""
    each: dict[str, dict[str, Figure | None]] = {
        "1b": {h: radii.layerwise(diagnosis, h) for h in diagnosis.plan.heads},
        "2a": {"": radii.against_radius(diagnosis)},
        "2b": {"": radii.gains(diagnosis)},
        "3a": {h: courses.by_group(diagnosis, h) for h in diagnosis.plan.heads},
        "3b": {h: courses.by_layer(diagnosis, h) for h in diagnosis.plan.heads},
        "6": {h: courses.beside(diagnosis, h) for h in diagnosis.plan.heads},
        "7": {},
        "7s": {},
    }
    for head in diagnosis.plan.heads:
        if drawn := planes.of_head(diagnosis, head):
            each["7"][head], each["7s"][head] = planes.contours(drawn), planes.surfaces(drawn)
    return {k: {h: page.figure(f) for h, f in some.items() if f is not None} for k, some in each.items()}


def _numbers(cell: DiagnosisCell) -> dict[str, str]:
    """A cell's medians over seeds, as the page shows them."""
    values = {"bound": cell.bound, "step": cell.step, "end": cell.end, "gsnr": cell.gsnr, "early": cell.early}
    values |= {"early_centred": cell.early_centred}
    values |= {f: cell.factors[:, k] for k, f in enumerate(FACTORS)}
    numbers = {k: _median(v) for k, v in values.items()} | {"best": _best(cell)}
    numbers |= {k: f"{getattr(cell.floors, k):.3g}" if cell.floors else "" for k in ("nearest_mean", "logistic")}
    numbers |= {
        "relative": str(cell.collapse.lost or ""),
        "common": f"{cell.units.raw.common:.2f}",
    }
    return numbers


def _median(values: np.ndarray) -> str:
    middle = float(np.median(values))
    return "never" if np.isinf(middle) else "" if np.isnan(middle) else f"{middle:.3g}"


def _best(cell: DiagnosisCell) -> str:
    """The best test AUC over radii, median over seeds."""
    return _median(np.where(np.isfinite(cell.auc), cell.auc, -1).max(1))


def _ranked(r: Ranking) -> dict[str, Any]:
    return {
        "store": r.store,
        "head": r.head,
        "by_cor": [(c.group, str(c.collapse.cor.median), str(c.collapse.half.median)) for c in r.by_cor],
        "by_gsnr": [(c.group, _median(c.early)) for c in r.by_gsnr],
        "correlations": {k: "not defined" if np.isnan(v) else f"{v:+.2f}" for k, v in r.correlations.items()},
        "count": r.count,
    }


def _layerwise(diagnosis: Diagnosis) -> Iterator[dict[str, Any]]:
    """Table VII: for each head and group a row for each store, its COR by layer."""
    for head in diagnosis.plan.heads:
        columns = list(dict.fromkeys(l for s in diagnosis.stores for l in diagnosis.layers[s]))
        rows = []
        for group in dict.fromkeys(g for s in diagnosis.stores for g in diagnosis.groups[s]):
            for store in diagnosis.stores:
                cells = {c.layer: c for c in diagnosis.where(store=store, group=group, head=head)}
                if cells:
                    some = [cells[l].collapse if l in cells else None for l in columns]
                    shown = [(str(c.cor), str(c.half)) if c is not None else ("", "") for c in some]
                    rows.append({"group": group, "store": store, "cells": shown})
        yield {"head": head, "columns": [layer_name(l) for l in columns], "rows": rows}


def _landscape(store: str, group: str, head: HeadKind, plane: Landscape) -> dict[str, str]:
    sharp = plane.sharpness
    values = {k: getattr(plane, k) for k in ("centre", "rise", "share", "relative", "largest", "norm")}
    values |= {"step": sharp.step[0], "ascent": sharp.ascent[0]}
    return {"store": store, "group": group, "head": head, **{k: f"{float(v):.3g}" for k, v in values.items()}}


def text(diagnosis: Diagnosis) -> str:
    """Format the verdicts, a line for each group, and the rankings for the terminal."""
    lines, each_verdict = [], verdicts(diagnosis)
    for store in diagnosis.stores:
        for head in diagnosis.plan.heads:
            lines.append(f"{store}, layer {layer_name(diagnosis.headline(store))}, {TITLES[head]}")
            lines += [f"  {v.line}" for v in each_verdict if (v.cell.store, v.cell.head) == (store, head)]
    lines += ["", *(f"units: {line}" for line in diagnosis.unit_lines())]
    return "\n".join([*lines, "", _rankings(rankings(diagnosis)), *(f"left out: {n}" for n in diagnosis.notes)])


def chained(ranked: Sequence[DiagnosisCell]) -> str:
    """Join groups in the order of their radii: "A < B = C" where two have the same COR and half-way radius."""
    text, before = "", None
    for c in ranked:
        place = fragility(c)
        text += ("" if before is None else " = " if place == before else " < ") + c.group
        before = place
    return text


def _rankings(ranked: Sequence[Ranking]) -> str:
    table = Table(box=None, pad_edge=False)
    for name in ("store", "head", "most fragile first, by COR", "lowest first, by early GSNR", "correlation"):
        table.add_column(name)
    for r in ranked:
        by_gsnr = " < ".join(c.group for c in r.by_gsnr)
        both = [f"{k.removesuffix('_gsnr')} {v:+.2f}" for k, v in r.correlations.items() if k.endswith("_gsnr")]
        known = [text for text in both if "nan" not in text]
        table.add_row(r.store, TITLES[r.head], chained(r.by_cor), by_gsnr, ", ".join(known) or "not defined")
    return table_text(table)
