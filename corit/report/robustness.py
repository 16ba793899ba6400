"""Files of `corit robustness`: a table as CSV and JSON, a figure, a page, and a table for the terminal."""

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


def write(folder: Path, results: Sequence[RobustnessResult], about: Description, draws: int = 1000) -> None:
    """Write robustness.csv, .json, .png and .html, each completely or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "robustness.csv", csv_text([COLUMNS, *map(_line, results)]))
    rows = [asdict(d) for d in results]
    write_text(folder / "robustness.json", json_text({"about": asdict(about), "rows": rows}))
    drawn = figure(results)
    page.save(drawn, folder / "robustness.png", bbox_inches="tight")
    page.write(
        "robustness.html",
        folder / "robustness.html",
        found=results,
        about=about,
        figure=page.figure(drawn),
        kinds={k: LEVEL_TEXTS[k] for k in _kinds(results)},
        levels=_levels(results),
        lines=[
            (name, kind, _original(results, name, kind), _cells(results, name, kind)) for name, kind in _pairs(results)
        ],
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


def _kinds(results: Sequence[RobustnessResult]) -> list[str]:
    return list(dict.fromkeys(d.name for d in results))


def _levels(results: Sequence[RobustnessResult]) -> list[int]:
    return sorted({d.level for d in results})


def _pairs(results: Sequence[RobustnessResult]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((d.detector, d.name) for d in results))


def _cells(results: Sequence[RobustnessResult], detector: str, kind: str) -> list[RobustnessResult | None]:
    """The result at each level of all."""
    known = {d.level: d for d in results if (d.detector, d.name) == (detector, kind)}
    return [known.get(k) for k in _levels(results)]


def figure(results: Sequence[RobustnessResult]) -> Figure:
    """Draw a panel for each perturbation: equation (26) against the level, a line with intervals for each detector."""
    kinds = _kinds(results)
    across = min(len(kinds), 5)
    down = -(-len(kinds) // across)
    figure = Figure(figsize=(2.5 * across + 0.8, 2.4 * down + 0.6))
    axes = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    for axis, kind in zip(axes.flat, kinds, strict=False):
        for i, name in enumerate(dict.fromkeys(d.detector for d in results)):
            rows = [(d.level, d.found.variation) for d in _cells(results, name, kind) if d and d.found]
            x, y = [k + 0.08 * i for k, _ in rows], [100 * v.value for _, v in rows]
            low, high = [100 * (v.value - v.low) for _, v in rows], [100 * (v.high - v.value) for _, v in rows]
            axis.errorbar(
                x, y, [[max(0.0, v) for v in side] for side in (low, high)], marker=".", label=name, capsize=2
            )
        axis.axhline(0, color="#b9c2cd", linewidth=0.8)
        axis.set(title=kind, xticks=_levels(results))
    for axis in axes.flat[len(kinds) :]:
        axis.set_visible(False)
    figure.supxlabel("level", fontsize=10)
    figure.supylabel("relative variation of the AUC, %", fontsize=10)
    axes.flat[0].legend(fontsize=8)
    figure.tight_layout()
    return figure


def table(results: Sequence[RobustnessResult]) -> str:
    """Return a table of the AUC on unperturbed pictures, (26) in percent, and the most rows lost at a level."""
    grid = Table(box=None, pad_edge=False)
    for name in ("detector", "perturbation", "AUC", *(f"level {k}" for k in _levels(results)), "lost at most"):
        grid.add_column(name, overflow="fold")
    for name, kind in _pairs(results):
        cells = _cells(results, name, kind)
        lost = max(c.lost for c in cells if c)
        grid.add_row(name, kind, _original(results, name, kind), *map(variation, cells), str(lost))
    return table_text(grid)


def _original(results: Sequence[RobustnessResult], detector: str, kind: str) -> str:
    """The AUC on unperturbed pictures at the first level that has one: each level may have lost other rows."""
    values = [d.original for d in _cells(results, detector, kind) if d and d.original is not None]
    return f"{values[0]:.3f}" if values else ""


def variation(d: RobustnessResult | None) -> str:
    """Return (26) in percent, "one class" where what is left has no AUC, "from 0" where the AUC was 0."""
    if d is None or d.found is None:
        return "" if d is None else "one class"
    value = d.found.variation.value
    return "from 0" if math.isnan(value) else signed_percent(value)


def variation_interval(d: RobustnessResult) -> str:
    """Return (26) in percent with its interval, where there is one."""
    v = d.found.variation if d.found else None
    ends = "" if v is None or math.isnan(v.low) else f" [{signed_percent(v.low)}, {signed_percent(v.high)}]"
    return f"{variation(d)}{ends}"
