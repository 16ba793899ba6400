"""Figures 1b and 2: the empirical COR layer by layer, and test AUC against the radius.

SAM's own default radius, at which the paper's collapse zone begins, is drawn only where radii are in raw units.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from corit.diagnose.diagnosis import Diagnosis, DiagnosisCell
from corit.diagnose.features import layer_name
from corit.diagnose.plan import RECOMMENDED
from corit.heads.head import HeadKind
from corit.theory.collapse import CHANCE, Radius

COLOURS = ("#c0392b", "#2868c8", "#b7791f", "#2e7d4f", "#8e44ad", "#16828f", "#7f5539", "#d6589f", "#56616e", "#94a81e")
TITLES = {"linear": "linear head", "mlp": "perceptron"}
LEAST = 0.02  # of the y axis of gains, so that rounding does not fill a panel
GAINS = 0.1  # the range of radii in which the paper sees gains


def colour(diagnosis: Diagnosis, group: str) -> str:
    """Return a group's colour, the same in every figure."""
    every = list(dict.fromkeys(g for groups in diagnosis.groups.values() for g in groups))
    return COLOURS[every.index(group) % len(COLOURS)]


def layerwise(diagnosis: Diagnosis, head: HeadKind) -> Figure:
    """Draw Figure 1b: COR against the layer, a panel for each store; a censored COR lies at the edge with an arrow."""
    positive = [r for r in diagnosis.plan.rhos if r > 0] or [1.0]
    low, high = positive[0], positive[-1]
    figure = Figure(figsize=(1.2 + 4.6 * len(diagnosis.stores), 3.9), layout="constrained")
    axes = figure.subplots(1, len(diagnosis.stores), squeeze=False, sharey=True)[0]
    for axis, store in zip(axes, diagnosis.stores, strict=True):
        layers, groups = diagnosis.layers[store], diagnosis.groups[store]
        for k, group in enumerate(groups):
            cells = {c.layer: c for c in diagnosis.where(store=store, group=group, head=head)}
            places = np.arange(len(layers)) + 0.12 * (k - (len(groups) - 1) / 2)
            _column(axis, places, [cells[l] for l in layers], colour(diagnosis, group), group, (low, high))
        if diagnosis.plan.in_raw_units:
            axis.axhline(RECOMMENDED, color="#56616e", lw=1, ls="--", zorder=0)
        axis.set(
            yscale="log",
            title=f"{store}, {TITLES[head]}",
            xlabel="layer",
            xticks=range(len(layers)),
            ylim=(low / 3, high * 2.2),
        )
        axis.set_xticklabels([layer_name(l) for l in layers])
        _grid(axis)
    axes[-1].plot([], [], ":", color="#56616e", label="half-way radius")
    axes[0].set_ylabel(f"empirical COR (radius rho, {diagnosis.plan.scaling} features)")
    axes[-1].legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _column(
    axis: Axes, places: np.ndarray, cells: list[DiagnosisCell], hue: str, label: str, edges: tuple[float, float]
) -> None:
    heights = _joined(axis, places, [c.collapse.cor.median for c in cells], hue, "-", edges)
    _joined(axis, places, [c.collapse.half.median for c in cells], hue, ":", edges)
    for x, y, cell in zip(places, heights, cells, strict=True):
        spread = cell.collapse.cor
        ends = [_height(r, edges) for r in (spread.low, spread.high)]
        axis.plot([x, x], ends, color=hue, lw=1, alpha=0.6)
        marker, hollow = {"": ("o", False), ">": ("^", True), "<": ("v", True)}.get(
            spread.median.censoring, ("x", False)
        )
        axis.plot(x, y, marker, color=hue, mfc="white" if hollow else hue, ms=6, zorder=3)
    axis.plot([], [], "o-", color=hue, label=label)


def _joined(
    axis: Axes, places: np.ndarray, medians: list[Radius], hue: str, style: str, edges: tuple[float, float]
) -> np.ndarray:
    """Draw a line through radii, open where nothing was learned; their heights."""
    heights = np.array([_height(r, edges) for r in medians])
    learned = np.array([r.censoring != "never learned" for r in medians])
    axis.plot(places, np.where(learned, heights, np.nan), style, color=hue, lw=1.3)
    return heights


def _height(radius: Radius, edges: tuple[float, float]) -> float:
    """Where a radius is drawn: a head that never learned below everything else."""
    return edges[0] / 2 if radius.censoring == "never learned" else float(np.clip(radius.value, *edges))


def against_radius(diagnosis: Diagnosis) -> Figure:
    """Draw Figure 2a: test AUC against rho at each store's headline layer, median and range over seeds.

    A linear head has its floors beside it, and a cell that fell on raw features its heads on centred ones, dashed.
    """
    return _panels(diagnosis, _auc, "test AUC", shared=True)


def gains(diagnosis: Diagnosis) -> Figure | None:
    """Figure 2b: test AUC less that at the smallest radius, seed by seed, up to 0.1; None without such radii."""
    return _panels(diagnosis, _gain, "gain in test AUC") if sum(r <= GAINS for r in diagnosis.plan.rhos) > 1 else None


def _panels(diagnosis: Diagnosis, draw: Any, label: str, shared: bool = False) -> Figure:
    """A row for each head, a column for each store."""
    heads, stores = diagnosis.plan.heads, diagnosis.stores
    figure = Figure(figsize=(1.2 + 4.6 * len(stores), 0.5 + 3.0 * len(heads)), layout="constrained")
    axes = figure.subplots(len(heads), len(stores), squeeze=False, sharey="all" if shared else "row", sharex=True)
    for row, head in zip(axes, heads, strict=True):
        for axis, store in zip(row, stores, strict=True):
            for cell in diagnosis.headlines(store=store, head=head):
                draw(axis, diagnosis, cell)
            axis.set_title(f"{store}, layer {layer_name(diagnosis.headline(store))}, {TITLES[head]}", fontsize=10)
            if diagnosis.plan.in_raw_units:
                axis.axvline(RECOMMENDED, color="#56616e", lw=1, ls="--", zorder=0)
            _grid(axis)
        row[0].set_ylabel(label)
        _widen(row[0])
    for axis in axes[-1]:
        axis.set_xlabel(f"radius rho, {diagnosis.plan.scaling} features")
    axes[0][-1].legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _widen(axis: Axes) -> None:
    """Show a range of at least LEAST, about its middle."""
    low, high = axis.get_ylim()
    if high - low < LEAST:
        axis.set_ylim((low + high - LEAST) / 2, (low + high + LEAST) / 2)


def _auc(axis: Axes, diagnosis: Diagnosis, cell: DiagnosisCell) -> None:
    _line(axis, np.array(diagnosis.plan.rhos), cell.auc, diagnosis, cell)
    _bounds(axis, np.array(diagnosis.plan.rhos), cell, colour(diagnosis, cell.group))
    axis.axhline(CHANCE, color="#56616e", lw=1, ls=":", zorder=0)
    positive = [r for r in diagnosis.plan.rhos if r > 0]
    if positive:
        axis.set_xscale("symlog", linthresh=positive[0], linscale=0.4)
        ticks = [0.0, *(t for t in (0.001, 0.01, 0.1, 1.0, 10.0, 100.0) if positive[0] <= t <= positive[-1])]
        axis.set_xticks(ticks, [f"{t:g}" for t in ticks])
        axis.minorticks_off()


def _bounds(axis: Axes, x: np.ndarray, cell: DiagnosisCell, hue: str) -> None:
    """The floors as short lines at the ends, nearest mean on the right and logistic on the left; heads on centred rows.

    The nearest mean is where large radii end, and the logistic regression where rho = 0 begins.
    """
    if cell.floors is not None and cell.head == "linear":
        axis.axhline(cell.floors.nearest_mean, xmin=0.85, color=hue, lw=1.6, ls=(0, (1, 1)))
        axis.axhline(cell.floors.logistic, xmax=0.12, color=hue, lw=1.6, ls=(0, (4, 1)))
    if cell.control is not None:
        some = np.isfinite(cell.control.auc).any(0)
        axis.plot(x[some], np.nanmedian(cell.control.auc[:, some], 0), "--", color=hue, lw=1.1)


def _gain(axis: Axes, diagnosis: Diagnosis, cell: DiagnosisCell) -> None:
    rhos = np.array(diagnosis.plan.rhos)
    near = rhos <= GAINS
    _line(axis, rhos[near], cell.auc[:, near] - cell.auc[:, :1], diagnosis, cell)
    axis.axhline(0, color="#56616e", lw=1, ls=":", zorder=0)


def _line(axis: Axes, x: np.ndarray, values: np.ndarray, diagnosis: Diagnosis, cell: DiagnosisCell) -> None:
    """Median and range over seeds of values (S, R); radii at which every seed diverged are left open."""
    hue, some = colour(diagnosis, cell.group), np.isfinite(values).any(0)
    axis.plot(x[some], np.nanmedian(values[:, some], 0), "o-", ms=3, color=hue, label=cell.group)
    axis.fill_between(
        x[some], np.nanmin(values[:, some], 0), np.nanmax(values[:, some], 0), color=hue, alpha=0.15, lw=0
    )


def _grid(axis: Axes) -> None:
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)
