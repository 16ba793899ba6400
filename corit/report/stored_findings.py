"""The findings on stored features in one figure: AUC against rho, raw and centred, by forgery, with the floors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from corit.report import page

STYLES = {  # by head and scaling: colour, line and words
    "linear raw": ("#c0392b", "-", "linear head, raw"),
    "linear centre": ("#2868c8", "-", "linear head, centred"),
    "mlp raw": ("#c0392b", ":", "perceptron, raw"),
    "mlp centre": ("#2868c8", ":", "perceptron, centred"),
}
FLOORS = {"logistic": ("#2e7d4f", "logistic regression"), "nearest_mean": ("#56616e", "nearest mean")}


def save(record: Mapping[str, Any], target: Path) -> None:
    """Write the figure of the real world's record as a PNG, whole or not at all."""
    page.save(draw(record), target)


def draw(record: Mapping[str, Any]) -> Figure:
    """Draw a panel for each layer and forgery: test AUC against rho by head and scaling, and the two floors."""
    curves = record["curves"]
    layers, forgeries = list(curves["auc"]), list(next(iter(curves["auc"].values())))
    size = (2.5 * len(forgeries) + 1, 2.6 * len(layers) + 1)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(layers), len(forgeries), sharey=True, squeeze=False)
    for line, layer in zip(axes, layers, strict=True):
        for axis, forgery in zip(line, forgeries, strict=True):
            _panel(axis, curves, curves["auc"][layer][forgery])
            kind = record["forgeries"][forgery]
            axis.set_title(f"{forgery} ({kind['kind']}, {kind['fakes']} fakes), layer {layer}", fontsize=8)
        line[0].set_ylabel("test AUC")
    for axis in axes[-1]:
        axis.set_xlabel("rho, raw units")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=8, frameon=False)
    plan = record["plan"]
    figure.suptitle(
        f"UniFD's class token of {', '.join(record['backbones'])}; {len(plan['splits'])} of {plan['folds']} splits by "
        f"group, {len(plan['heads'])} head seeds, {plan['steps']} steps, Adam {plan['rate']:g}, batch {plan['batch']}",
        fontsize=9,
    )
    return figure


def _panel(axis: Axes, curves: Mapping[str, Any], curve: Mapping[str, Any]) -> None:
    for name, (colour, style, words) in STYLES.items():
        if name in curve:
            rhos = curves["rhos" if name.startswith("linear") else "perceptron_rhos"]
            axis.plot(rhos, np.array(curve[name], float), style, color=colour, lw=1.5, label=words)
    for name, (colour, words) in FLOORS.items():
        axis.axhline(curve[name], color=colour, lw=1, ls="--", zorder=0, label=words)
    axis.axhline(0.5, color="#cccccc", lw=0.8, zorder=0)
    rhos = curves["rhos"]
    axis.set_xscale("symlog", linthresh=rhos[1], linscale=0.4)
    ticks = [r for r in (0.0, 0.01, 0.1, 1.0, 5.0) if r in rhos]
    axis.set_xticks(ticks, [f"{t:g}" for t in ticks], fontsize=8)
    axis.set_xlim(0, 1.1 * rhos[-1])
    axis.minorticks_off()
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)
