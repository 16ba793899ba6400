"""What `corit diagnose` leaves: tables, a page with the paper's figures for the stores, and lines for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from rich.table import Table

from corit.diagnose.diagnosis import Cell, Diagnosis
from corit.diagnose.files import write_tables
from corit.diagnose.measured import layer_name
from corit.diagnose.plan import RECOMMENDED, Kind
from corit.diagnose.verdict import Ranking, fragility, rankings, verdicts
from corit.report import courses, page, planes, radii
from corit.report.radii import TITLES
from corit.report.text import printed
from corit.theory.collapse import CHANCE, LEARNED
from corit.theory.factors import FACTORS
from corit.theory.landscape import Landscape

BADGES = {"stable": "real", "in the collapse zone": "fake", "never learned": "unsure"}  # classes of the base page


def write(found: Diagnosis, out: str | Path) -> None:
    """Write cor.csv, trajectories.csv, summary.json and report.html into a folder, each whole or not at all."""
    folder = Path(out)
    write_tables(found, folder)
    page.write(
        "diagnose.html",
        folder / "report.html",
        found=found,
        heads={h: found.plan.describe(h) for h in found.plan.heads},
        titles=TITLES,
        seeds=", ".join(map(str, found.plan.seeds)),
        limits={"recommended": RECOMMENDED, "chance": CHANCE, "learned": LEARNED},
        verdicts=[{"v": v, "badge": BADGES[v.word], "numbers": _numbers(v.cell)} for v in verdicts(found)],
        rankings=[_ranked(r) for r in rankings(found)],
        layers={s: [layer_name(l) for l in ls] for s, ls in found.layers.items()},
        layerwise=list(_layerwise(found)),
        figures=_figures(found),
        landscapes=[_landscape(*key, plane) for key, plane in found.landscapes.items()],
        said={h: caption(found, (h,)) for h in found.plan.heads} | {"": caption(found, found.plan.heads)},
    )


def caption(found: Diagnosis, heads: Sequence[Kind]) -> str:
    """World, backbone, head and seeds, said under every figure and table."""
    stores = "; ".join(f"{name}: {text}" for name, text in found.captions.items())
    return (
        f"{stores}. Head: {'; '.join(map(found.plan.describe, heads))}. Seeds {', '.join(map(str, found.plan.seeds))}."
    )


def _figures(found: Diagnosis) -> dict[str, dict[str, str]]:
    """Data URIs of the paper's figures: name -> head ("" for all heads in one) -> figure; those that can be drawn."""
    each: dict[str, dict[str, Figure | None]] = {
        "1b": {h: radii.layerwise(found, h) for h in found.plan.heads},
        "2a": {"": radii.against_radius(found)},
        "2b": {"": radii.gains(found)},
        "3a": {h: courses.by_group(found, h) for h in found.plan.heads},
        "3b": {h: courses.by_layer(found, h) for h in found.plan.heads},
        "6": {h: courses.beside(found, h) for h in found.plan.heads},
        "7": {},
        "7s": {},
    }
    for head in found.plan.heads:
        if drawn := planes.of_head(found, head):
            each["7"][head], each["7s"][head] = planes.contours(drawn), planes.surfaces(drawn)
    return {k: {h: page.figure(f) for h, f in some.items() if f is not None} for k, some in each.items()}


def _numbers(cell: Cell) -> dict[str, str]:
    """A cell's medians over seeds, as the page shows them."""
    values = {"bound": cell.bound, "step": cell.step, "end": cell.end, "gsnr": cell.gsnr, "early": cell.early}
    values |= {f: cell.factors[:, k] for k, f in enumerate(FACTORS)}
    return {k: _median(v) for k, v in values.items()} | {"best": _best(cell)}


def _median(values: np.ndarray) -> str:
    middle = float(np.median(values))
    return "never" if np.isinf(middle) else "" if np.isnan(middle) else f"{middle:.3g}"


def _best(cell: Cell) -> str:
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


def _layerwise(found: Diagnosis) -> Iterator[dict[str, Any]]:
    """Table VII: for each head and group a row for each store, its COR by layer."""
    for head in found.plan.heads:
        columns = list(dict.fromkeys(l for s in found.stores for l in found.layers[s]))
        rows = []
        for group in dict.fromkeys(g for s in found.stores for g in found.groups[s]):
            for store in found.stores:
                cells = {c.layer: c for c in found.where(store=store, group=group, head=head)}
                if cells:
                    some = [cells[l].collapse if l in cells else None for l in columns]
                    shown = [(str(c.cor), str(c.half)) if c is not None else ("", "") for c in some]
                    rows.append({"group": group, "store": store, "cells": shown})
        yield {"head": head, "columns": [layer_name(l) for l in columns], "rows": rows}


def _landscape(store: str, group: str, head: Kind, plane: Landscape) -> dict[str, str]:
    sharp = plane.sharpness
    values = {k: getattr(plane, k) for k in ("centre", "rise", "share", "relative", "largest", "norm")}
    values |= {"step": sharp.step[0], "ascent": sharp.ascent[0]}
    return {"store": store, "group": group, "head": head, **{k: f"{float(v):.3g}" for k, v in values.items()}}


def text(found: Diagnosis) -> str:
    """The verdicts, a line for each group, and the rankings, for the terminal."""
    lines, said = [], verdicts(found)
    for store in found.stores:
        for head in found.plan.heads:
            lines.append(f"{store}, layer {layer_name(found.headline(store))}, {TITLES[head]}")
            lines += [f"  {v.line}" for v in said if (v.cell.store, v.cell.head) == (store, head)]
    return "\n".join([*lines, "", _rankings(rankings(found)), *(f"left out: {n}" for n in found.notes)])


def chained(ranked: Sequence[Cell]) -> str:
    """Groups in the order of their radii, "A < B = C" where two have the same COR and half-way radius."""
    text, before = "", None
    for c in ranked:
        place = fragility(c)
        text += ("" if before is None else " = " if place == before else " < ") + c.group
        before = place
    return text


def _rankings(found: Sequence[Ranking]) -> str:
    made = Table(box=None, pad_edge=False)
    for name in ("store", "head", "most fragile first, by COR", "lowest first, by early GSNR", "correlation"):
        made.add_column(name)
    for r in found:
        by_gsnr = " < ".join(c.group for c in r.by_gsnr)
        both = [f"{k.removesuffix('_gsnr')} {v:+.2f}" for k, v in r.correlations.items() if k.endswith("_gsnr")]
        known = [text for text in both if "nan" not in text]
        made.add_row(r.store, TITLES[r.head], chained(r.by_cor), by_gsnr, ", ".join(known) or "not defined")
    return printed(made)
