"""The collapse of linear heads in one figure: AUC against the radius, raw, centred, balanced, and as predicted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from corit.report import page

LINES = {
    "centre": ("centred", "#2e7d4f", "-"),
    "balanced": ("raw, balanced batches", "#b7791f", "-"),
    "raw": ("raw", "#c0392b", "-"),
}
FAINT = "#56616e"


def save(record: Mapping[str, Any], target: Path) -> None:
    """Write the figure of a record of `corit study mechanism` as a PNG, whole or not at all."""
    page.save(draw(record), target)


def draw(record: Mapping[str, Any]) -> Figure:
    """A panel for each world: test AUC of linear heads against the radius in raw units, with both floors."""
    worlds = record["worlds"]
    figure = Figure(figsize=(3.6 * len(worlds), 3.9), layout="constrained")
    for axis, (name, world) in zip(
        np.ravel(figure.subplots(1, len(worlds), squeeze=False)), worlds.items(), strict=True
    ):
        _panel(axis, name, world)
    figure.axes[0].set_ylabel("test AUC")
    figure.axes[0].legend(fontsize=8, loc="lower left")
    adam = record["training"]["adam"]
    figure.suptitle(
        f"Linear heads, Adam {adam['rate']:g}, batches of {adam['batch']}, {adam['steps']} steps; median and range of "
        f"{record['plan']['seeds']} seeds",
        fontsize=10,
    )
    return figure


def _panel(axis: Axes, name: str, world: Mapping[str, Any]) -> None:
    curves = world["curves"]
    rhos = np.array(curves["rhos"])
    for key, (label, colour, style) in LINES.items():
        axis.plot(rhos, curves[key]["auc"], style, color=colour, label=label, lw=1.6)
        axis.fill_between(rhos, curves[key]["low"], curves[key]["high"], color=colour, alpha=0.15, lw=0)
    axis.plot(rhos, curves["predicted"], "k:", label="raw, predicted without training", lw=1.4)
    for value, label in ((world["logistic"], "logistic regression"), (world["nearest_mean"], "nearest mean")):
        axis.axhline(value, color=FAINT, lw=1, ls="--")
        axis.annotate(label, (rhos[-1], value), fontsize=7, color=FAINT, ha="right", va="bottom")
    axis.set_xscale("symlog", linthresh=0.01)
    axis.set_xlim(0, rhos[-1])
    axis.set_xlabel(r"$\rho$, raw units")
    axis.set_title(f"{name}: norm of mean {world['mean_norm']:.0f}, c = {world['common']:.2f}", fontsize=9)
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)
