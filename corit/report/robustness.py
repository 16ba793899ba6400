"""What `corit robustness` leaves: a table as CSV and JSON, a figure, a page, and a table for the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from matplotlib.figure import Figure
from rich.table import Table

from corit.evaluate.run import Description, RobustnessResult
from corit.files import write_text
from corit.images.perturb import LEVEL_TEXTS, PAPER
from corit.report import page
from corit.report.text import interval_text, signed_percent, table_text
from corit.serialise import csv_text, json_text, number_text

COLUMNS = (
    *("detector", "perturbation", "level", "auc_original", "auc", "auc_low", "auc_high"),
    *("variation", "variation_low", "variation_high", "n", "lost"),
)


def write(folder: Path, found: Sequence[RobustnessResult], about: Description, draws: int = 1000) -> None:
    """Write robustness.csv, .json, .png and .html, each whole or not at all. about, draws: see `evaluate`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "robustness.csv", csv_text([COLUMNS, *map(_line, found)]))
    rows = [asdict(d) for d in found]
    write_text(folder / "robustness.json", json_text({"about": asdict(about), "rows": rows}))
    drawn = figure(found)
    page.save(drawn, folder / "robustness.png", bbox_inches="tight")
    page.write(
        "robustness.html",
        folder / "robustness.html",
        found=found,
        about=about,
        figure=page.figure(drawn),
        kinds={k: LEVEL_TEXTS[k] for k in _kinds(found)},
        levels=_levels(found),
        lines=[(name, kind, _original(found, name, kind), _cells(found, name, kind)) for name, kind in _pairs(found)],
        variation=variation,
        variation_interval=variation_interval,
        interval=interval_text,
        paper=PAPER,
        draws=draws,
    )


def _line(d: RobustnessResult) -> tuple[object, ...]:
    if d.found is None:
        return (d.detector, d.name, d.level, *[""] * 7, d.n, d.lost)
    a, v = d.found.auc, d.found.variation
    numbers = (d.original, a.value, a.low, a.high, v.value, v.low, v.high)
    return (d.detector, d.name, d.level, *(number_text(x) if x is not None else "" for x in numbers), d.n, d.lost)


def _kinds(found: Sequence[RobustnessResult]) -> list[str]:
    return list(dict.fromkeys(d.name for d in found))


def _levels(found: Sequence[RobustnessResult]) -> list[int]:
    return sorted({d.level for d in found})


def _pairs(found: Sequence[RobustnessResult]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((d.detector, d.name) for d in found))


def _cells(found: Sequence[RobustnessResult], detector: str, kind: str) -> list[RobustnessResult | None]:
    """What was measured at each level of all."""
    known = {d.level: d for d in found if (d.detector, d.name) == (detector, kind)}
    return [known.get(k) for k in _levels(found)]


def figure(found: Sequence[RobustnessResult]) -> Figure:
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


def table(found: Sequence[RobustnessResult]) -> str:
    """The AUC on unperturbed pictures, (26) in percent, and the most rows that a level lost, by perturbation."""
    made = Table(box=None, pad_edge=False)
    for name in ("detector", "perturbation", "AUC", *(f"level {k}" for k in _levels(found)), "lost at most"):
        made.add_column(name, overflow="fold")
    for name, kind in _pairs(found):
        cells = _cells(found, name, kind)
        lost = max(c.lost for c in cells if c)
        made.add_row(name, kind, _original(found, name, kind), *map(variation, cells), str(lost))
    return table_text(made)


def _original(found: Sequence[RobustnessResult], detector: str, kind: str) -> str:
    """The AUC on unperturbed pictures: of the first level that has one, since each level may have lost other rows."""
    values = [d.original for d in _cells(found, detector, kind) if d and d.original is not None]
    return f"{values[0]:.3f}" if values else ""


def variation(d: RobustnessResult | None) -> str:
    """(26) in percent, "one class" where what is left has no AUC, "from 0" where there was none to lose."""
    if d is None or d.found is None:
        return "" if d is None else "one class"
    value = d.found.variation.value
    return "from 0" if math.isnan(value) else signed_percent(value)


def variation_interval(d: RobustnessResult) -> str:
    """(26) in percent with its interval, where there is one."""
    v = d.found.variation if d.found else None
    ends = "" if v is None or math.isnan(v.low) else f" [{signed_percent(v.low)}, {signed_percent(v.high)}]"
    return f"{variation(d)}{ends}"
