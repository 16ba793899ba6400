"""What `corit robustness` leaves: a table as CSV and JSON, a figure, a page, and a table for the terminal."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from corit.assess import Damage
from corit.images.perturb import PAPER
from corit.report import page
from corit.report.evaluate import csv_text, keep

COLUMNS = (
    *("detector", "perturbation", "level", "auc_original", "auc", "auc_low", "auc_high"),
    *("variation", "variation_low", "variation_high", "n", "lost"),
)


def write(folder: Path, found: Sequence[Damage], about: Mapping[str, Mapping[str, str]]) -> None:
    """Write robustness.csv, .json and .png and report.html, each whole or not at all. about: see `evaluate.write`."""
    folder.mkdir(parents=True, exist_ok=True)
    keep(folder / "robustness.csv", csv_text(COLUMNS, map(_line, found)))
    known = {k: dict(v) for k, v in about.items()}
    rows = [asdict(d) for d in found]
    keep(folder / "robustness.json", json.dumps({"about": known, "rows": rows}, indent=2) + "\n")
    drawn = figure(found)
    staged = folder / "robustness.png.part"
    drawn.savefig(staged, format="png", dpi=110, bbox_inches="tight")
    staged.replace(folder / "robustness.png")
    shown = page.figure(drawn)
    page.write("robustness.html", folder / "report.html", found=found, about=about, figure=shown, paper=PAPER)


def _line(d: Damage) -> tuple[object, ...]:
    a, v = d.found.auc, d.found.variation
    numbers = (d.original, a.value, a.low, a.high, v.value, v.low, v.high)
    return (d.detector, d.found.name, d.found.level, *(f"{x:.6f}" for x in numbers), d.n, d.lost)


def figure(found: Sequence[Damage]) -> Figure:
    """A panel for each perturbation: (26) against the level, a line with its intervals for each detector."""
    kinds = list(dict.fromkeys(d.found.name for d in found))
    across = min(len(kinds), 5)
    down = -(-len(kinds) // across)
    made = Figure(figsize=(2.5 * across + 0.8, 2.4 * down + 0.6))
    axes = made.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    for axis, kind in zip(axes.flat, kinds, strict=False):
        for i, name in enumerate(dict.fromkeys(d.detector for d in found)):
            rows = [d for d in found if (d.detector, d.found.name) == (name, kind)]
            x, y = [d.found.level + 0.08 * i for d in rows], [100 * d.found.variation.value for d in rows]
            low = [100 * (d.found.variation.value - d.found.variation.low) for d in rows]
            high = [100 * (d.found.variation.high - d.found.variation.value) for d in rows]
            axis.errorbar(x, y, [[max(0.0, v) for v in side] for side in (low, high)], label=name, capsize=2)
        axis.axhline(0, color="#b9c2cd", linewidth=0.8)
        axis.set(title=kind, xticks=sorted({d.found.level for d in found}))
    for axis in axes.flat[len(kinds) :]:
        axis.set_visible(False)
    made.supxlabel("level", fontsize=10)
    made.supylabel("relative variation of the AUC, %", fontsize=10)
    axes.flat[0].legend(fontsize=8)
    made.tight_layout()
    return made


def table(found: Sequence[Damage]) -> str:
    """The AUC on unperturbed pictures, then (26) in percent, a row for each detector and perturbation."""
    levels = sorted({d.found.level for d in found})
    made = Table(box=None, pad_edge=False)
    for name in ("detector", "perturbation", "AUC", *(f"level {k}" for k in levels), "lost"):
        made.add_column(name)
    for name, kind in dict.fromkeys((d.detector, d.found.name) for d in found):
        rows = [d for d in found if (d.detector, d.found.name) == (name, kind)]
        cells = {d.found.level: f"{100 * d.found.variation.value:+.1f} %" for d in rows}
        lost = str(max(d.lost for d in rows))
        made.add_row(name, kind, f"{rows[0].original:.3f}", *(cells[k] for k in levels), lost)
    held = io.StringIO()
    Console(file=held, width=160).print(made)
    return "\n".join(line.rstrip() for line in held.getvalue().splitlines())
