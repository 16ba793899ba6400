"""Figures 3 and 6: GSNR along training, by forgery, by layer, and store beside store."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from corit.diagnose.diagnosis import Diagnosis, DiagnosisCell
from corit.diagnose.features import layer_name
from corit.heads.head import HeadKind
from corit.report.radii import colour


def by_group(diagnosis: Diagnosis, head: HeadKind) -> Figure:
    """Draw Figure 3 by forgery: a panel for each store at its headline layer."""
    figure, axes = _row(len(diagnosis.stores))
    for axis, store in zip(axes, diagnosis.stores, strict=True):
        for cell in diagnosis.headlines(store=store, head=head):
            _course(axis, cell, colour(diagnosis, cell.group), cell.group)
        _finish(axis, f"{store}, layer {layer_name(diagnosis.headline(store))}", diagnosis)
    _legend(axes)
    return figure


def by_layer(diagnosis: Diagnosis, head: HeadKind) -> Figure:
    """Draw Figure 3 by layer: a row for each store, a column for each of its groups."""
    columns = max(len(g) for g in diagnosis.groups.values())
    size = (1.5 + 3.2 * columns, 0.6 + 2.7 * len(diagnosis.stores))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(diagnosis.stores), columns, squeeze=False, sharex=True, sharey=True)
    for row, store in zip(axes, diagnosis.stores, strict=True):
        layers = diagnosis.layers[store]
        hues = colormaps["viridis"](np.linspace(0, 0.92, len(layers)))
        for axis, group in zip(row, diagnosis.groups[store], strict=False):
            for hue, layer in zip(hues, layers, strict=True):
                (cell,) = diagnosis.where(store=store, layer=layer, group=group, head=head)
                _course(axis, cell, tuple(hue), f"layer {cell.at}", band=False)
            _finish(axis, f"{store}, {group}", diagnosis)
        for axis in row[len(diagnosis.groups[store]) :]:
            axis.set_visible(False)
        _legend(row[: len(diagnosis.groups[store])])
    return figure


def beside(diagnosis: Diagnosis, head: HeadKind) -> Figure | None:
    """Draw Figure 6: the stores' headline layers together, a panel for each shared group; None without a shared one."""
    groups = list(diagnosis.groups.values())
    shared = [g for g in groups[0] if all(g in others for others in groups)]
    if not shared:
        return None
    figure, axes = _row(len(shared), 3.3)
    for axis, group in zip(axes, shared, strict=True):
        for k, cell in enumerate(diagnosis.headlines(group=group, head=head)):
            _course(axis, cell, ("#2868c8", "#c0392b", "#2e7d4f", "#b7791f")[k % 4], cell.store)
        _finish(axis, group, diagnosis)
    _legend(axes)
    return figure


def _row(count: int, width: float = 4.4) -> tuple[Figure, Sequence[Axes]]:
    figure = Figure(figsize=(1.2 + width * count, 3.4), layout="constrained")
    return figure, figure.subplots(1, count, squeeze=False, sharey=True)[0]


def _course(axis: Axes, cell: DiagnosisCell, hue: str | tuple[float, ...], label: str, band: bool = True) -> None:
    """The median GSNR over seeds with their range, and the median bottleneck step as a dot on it.

    The dot is hollow where most seeds have no later phase, so that the step is of the whole course.
    """
    steps, gsnr = cell.course.steps, cell.course.gsnr[:, 0, :, 0]
    measured = np.isfinite(gsnr).any(1)
    steps, gsnr = steps[measured], gsnr[measured]
    middle = np.nanmedian(gsnr, 1)
    axis.plot(steps, middle, color=hue, lw=1.5, label=label)
    if band:
        axis.fill_between(steps, np.nanmin(gsnr, 1), np.nanmax(gsnr, 1), color=hue, alpha=0.15, lw=0)
    defined = cell.step >= 0
    if defined.any():
        at = np.abs(steps - np.median(cell.step[defined])).argmin()
        whole = np.isinf(cell.end[defined]).mean() > 0.5
        face, edge = ("white", hue) if whole else (hue, "white")
        axis.plot(steps[at], middle[at], "o", mfc=face, mec=edge, mew=1.4 if whole else 1, ms=6, zorder=3)


def _finish(axis: Axes, title: str, diagnosis: Diagnosis) -> None:
    axis.set_title(title, fontsize=10)
    axis.set_yscale("log")
    axis.set_xscale("symlog", linthresh=diagnosis.plan.interval)
    axis.set_xlim(left=-0.15 * diagnosis.plan.interval)  # there are no steps before the first
    tens = [10**k for k in range(7)]
    axis.set_xticks([0, *(t for t in tens if diagnosis.plan.interval <= t <= diagnosis.plan.steps)])
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)


def _legend(axes: Sequence[Axes]) -> None:
    for axis in axes:
        axis.set_xlabel("optimiser step")
    axes[0].set_ylabel("GSNR")
    axes[-1].legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
