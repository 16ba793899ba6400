"""What `corit robustness` leaves: a table as CSV and JSON, a figure, a page, and a table for the terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from matplotlib.figure import Figure
from rich.table import Table

from corit.assess import Damage
from corit.images.perturb import LEVEL_TEXTS, PAPER
from corit.report import page
from corit.report.text import csv_text, printed
from corit.whole import write_whole

COLUMNS = (
    *("detector", "perturbation", "level", "auc_original", "auc", "auc_low", "auc_high"),
    *("variation", "variation_low", "variation_high", "n", "lost"),
)


def write(folder: Path, found: Sequence[Damage], about: Mapping[str, Mapping[str, str]], draws: int = 1000) -> None:
    """Write robustness.csv, .json and .png and report.html, each whole or not at all. about, draws: see `evaluate`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "robustness.csv", csv_text([COLUMNS, *map(_line, found)]))
    known = {k: dict(v) for k, v in about.items()}
    rows = [asdict(d) for d in found]
    write_whole(folder / "robustness.json", json.dumps({"about": known, "rows": rows}, indent=2) + "\n")
    drawn = figure(found)
    page.save(drawn, folder / "robustness.png", bbox_inches="tight")
    page.write(
        "robustness.html",
        folder / "report.html",
        found=found,
        about=about,
        figure=page.figure(drawn),
        kinds={k: LEVEL_TEXTS[k] for k in _kinds(found)},
        levels=_levels(found),
        lines=[(name, kind, _cells(found, name, kind)) for name, kind in _pairs(found)],
        paper=PAPER,
        draws=draws,
    )


def _line(d: Damage) -> tuple[object, ...]:
    if d.found is None:
        return (d.detector, d.name, d.level, *[""] * 7, d.n, d.lost)
    a, v = d.found.auc, d.found.variation
    numbers = (d.original, a.value, a.low, a.high, v.value, v.low, v.high)
    return (d.detector, d.name, d.level, *(f"{x:.6f}" for x in numbers), d.n, d.lost)


def _kinds(found: Sequence[Damage]) -> list[str]:
    return list(dict.fromkeys(d.name for d in found))


def _levels(found: Sequence[Damage]) -> list[int]:
    return sorted({d.level for d in found})


def _pairs(found: Sequence[Damage]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((d.detector, d.name) for d in found))


def _cells(found: Sequence[Damage], detector: str, kind: str) -> list[Damage | None]:
    """What was measured at each level of all."""
    known = {d.level: d for d in found if (d.detector, d.name) == (detector, kind)}
    return [known.get(k) for k in _levels(found)]


def figure(found: Sequence[Damage]) -> Figure:
    """A panel for each perturbation: (26) against the level, a line with its intervals for each detector."""
    kinds = _kinds(found)
    across = min(len(kinds), 5)
    down = -(-len(kinds) // across)
    made = Figure(figsize=(2.5 * across + 0.8, 2.4 * down + 0.6))
    axes = made.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    for axis, kind in zip(axes.flat, kinds, strict=False):
        for i, name in enumerate(dict.fromkeys(d.detector for d in found)):
            rows = [(d.level, d.found.variation) for d in _cells(found, name, kind) if d and d.found]
            x, y = [k + 0.08 * i for k, _ in rows], [100 * v.value for _, v in rows]
            low, high = [100 * (v.value - v.low) for _, v in rows], [100 * (v.high - v.value) for _, v in rows]
            axis.errorbar(
                x, y, [[max(0.0, v) for v in side] for side in (low, high)], marker=".", label=name, capsize=2
            )
        axis.axhline(0, color="#b9c2cd", linewidth=0.8)
        axis.set(title=kind, xticks=_levels(found))
    for axis in axes.flat[len(kinds) :]:
        axis.set_visible(False)
    made.supxlabel("level", fontsize=10)
    made.supylabel("relative variation of the AUC, %", fontsize=10)
    axes.flat[0].legend(fontsize=8)
    made.tight_layout()
    return made


def table(found: Sequence[Damage]) -> str:
    """The AUC on unperturbed pictures, then (26) in percent, a row for each detector and perturbation."""
    made = Table(box=None, pad_edge=False)
    for name in ("detector", "perturbation", "AUC", *(f"level {k}" for k in _levels(found)), "lost"):
        made.add_column(name)
    for name, kind in _pairs(found):
        cells = [c for c in _cells(found, name, kind) if c]
        original = next((f"{c.original:.3f}" for c in cells if c.original is not None), "")
        shown = [variation(c) for c in _cells(found, name, kind)]
        made.add_row(name, kind, original, *shown, str(max(c.lost for c in cells)))
    return printed(made)


def variation(d: Damage | None) -> str:
    """(26) in percent, or "one class" where what is left has no AUC."""
    if d is None:
        return ""
    return f"{100 * d.found.variation.value:+.1f} %" if d.found else "one class"
