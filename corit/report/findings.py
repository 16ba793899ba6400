"""The findings in one figure: collapse, the types by layer, COR against GSNR, and what CoRIT changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from corit.report import page
from corit.studies.findings.main_claims import quantity, seeds
from corit.studies.findings.measurements import Case, Measurements, cells_of, mean
from corit.studies.findings.plan import OVERT, SUBTLE
from corit.theory.collapse import CHANCE

KINDS = (*OVERT, *SUBTLE)
COLOURS = dict(zip(KINDS, ("#c0392b", "#b7791f", "#2868c8", "#2e7d4f"), strict=True))
FAINT = "#56616e"


def save(data: Measurements, target: Path) -> None:
    """Write the figure as a PNG, whole or not at all."""
    page.save(draw(data), target)


def draw(data: Measurements) -> Figure:
    """Four panels: (a) AUC against rho, (b) AUC by layer, (c) COR against GSNR, (d) CoRIT's COR over UniFD's."""
    figure = Figure(figsize=(13, 8.4), layout="constrained")
    (a, b), (c, d) = figure.subplots(2, 2)
    _collapse(a, data)
    _depth(b, data)
    _scatter(c, data)
    _raised(d, data)
    for axis in (a, b, c, d):
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    p = data.plan
    figure.suptitle(
        f"Miniature, {p.train}/{p.val}/{p.test} identities x {p.pictures} pictures; encoder seeds "
        f"{', '.join(map(str, p.encoders))}, {len(p.heads)} head seeds each; features standardised, / root of width",
        fontsize=10,
    )
    return figure


def _collapse(axis: Axes, data: Measurements) -> None:
    """Test AUC at the last layer against the radius; median over all seeds, and the middle four fifths."""
    rhos, last = np.array(data.plan.rhos), data.plan.layers[-1:]
    for head, style in (("mlp", "-"), ("linear", ":")):
        for kind in KINDS:
            values = _over_seeds(data, Case(head=head), kind, last)  # (seeds, R)
            named = kind if head == "mlp" else None
            axis.plot(rhos, np.median(values, 0), style, color=COLOURS[kind], label=named, lw=1.6)
            if head == "mlp":
                low, high = np.quantile(values, [0.1, 0.9], 0)
                axis.fill_between(rhos, low, high, color=COLOURS[kind], alpha=0.12, lw=0)
    axis.axhline(CHANCE, color=FAINT, lw=1, ls="--", zorder=0)
    axis.plot([], [], ":", color=FAINT, label="linear head")
    axis.set_xscale("symlog", linthresh=rhos[1], linscale=0.4)
    ticks = [r for r in (0.0, 0.01, 0.1, 1.0, 10.0) if r <= rhos[-1]]
    axis.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axis.minorticks_off()
    axis.set(title="(a) Collapse: UniFD, last layer, perceptron (linear: dotted)", xlabel="rho", ylabel="test AUC")
    axis.legend(fontsize=8)


def _over_seeds(data: Measurements, case: Case, kind: str, layers: tuple[int, ...]) -> np.ndarray:
    """Test AUC (encoder and head seeds, R) of one type, mean over layers; a diverged head is at chance."""
    aucs = [
        np.nan_to_num(data.column(case, e, "auc")[cells_of(data.places(case, e), [kind], layers)], nan=0.5).mean(0)
        for e in seeds(data, case)
    ]
    return np.concatenate(aucs)


def _depth(axis: Axes, data: Measurements) -> None:
    """AUC without SAM by layer: the semantic encoders, and each control faintly."""
    layers = np.array(data.plan.layers)
    for target, style in zip(data.plan.targets, ("-", ":", "--", "-."), strict=False):
        case = Case(target=target)
        for kind in KINDS:
            values = np.stack([_over_seeds(data, case, kind, (int(l),))[:, 0] for l in layers])
            main = target == data.plan.targets[0]
            axis.plot(
                layers, values.mean(1), style, color=COLOURS[kind], lw=2 if main else 1, alpha=1 if main else 0.55
            )
        axis.plot([], [], style, color=FAINT, label=f"{target} encoder")
    axis.axhline(0.5, color=FAINT, lw=1, zorder=0)
    axis.set(title="(b) Depth: UniFD, perceptron, no SAM", xlabel="layer", ylabel="test AUC", xticks=layers)
    axis.legend(fontsize=8)


def _scatter(axis: Axes, data: Measurements) -> None:
    """Median COR of each (type, layer) cell against the features' GSNR, a marker for each encoder seed."""
    for marker, e in zip("os^Dv", data.plan.encoders, strict=False):
        cor, gsnr = (
            mean(np.log10(data.cor(Case(), e)), 1),
            quantity(data, "GSNR", Case(), e)[:, 0],
        )
        for kind in KINDS:
            at = cells_of(data.places(Case(), e), [kind], data.plan.layers)
            axis.plot(10 ** gsnr[at], 10 ** cor[at], marker, color=COLOURS[kind], ms=5, alpha=0.8, mew=0)
        axis.plot([], [], marker, color=FAINT, ms=5, label=f"encoder {e}")
    axis.set(
        xscale="log",
        yscale="log",
        title="(c) COR against GSNR: UniFD, every layer, perceptron",
        xlabel="GSNR of the features at w = 0, corrected by identity",
        ylabel="empirical COR",
    )
    axis.minorticks_off()
    axis.legend(fontsize=8)


def _raised(axis: Axes, data: Measurements) -> None:
    """CoRIT's empirical COR over UniFD's at the same layer and head seed, by type and layer, mean and range."""
    layers = data.plan.layers
    for k, kind in enumerate(KINDS):
        rows = np.stack([_ratio(data, e, kind) for e in data.plan.encoders])  # (E, layers)
        x = np.array(layers) + 0.1 * (k - 1.5)
        axis.plot(x, 10 ** mean(rows), "o-", color=COLOURS[kind], ms=4, label=kind)
        axis.vlines(x, 10 ** _or_nan(rows, min), 10 ** _or_nan(rows, max), color=COLOURS[kind], alpha=0.5)
    axis.axhline(1, color=FAINT, lw=1, ls="--", zorder=0)
    axis.set(
        yscale="log",
        title="(d) COR of CoRIT / COR of UniFD, perceptron; range over encoders",
        xlabel="layer",
        ylabel="ratio",
        xticks=list(layers),
    )
    axis.legend(fontsize=8)


def _ratio(data: Measurements, seed: int, kind: str) -> np.ndarray:
    """log10 of the ratio by layer, mean over head seeds that learned with both, NaN where none did."""
    one, other = Case("corit"), Case()
    a, b = data.matched(one, other, seed)
    logs = mean(np.log10(data.cor(one, seed)[a] / data.cor(other, seed)[b]), 1)
    places = [data.places(one, seed)[i] for i in a]
    return np.array([mean(logs[cells_of(places, [kind], [l])]) for l in data.plan.layers])


def _or_nan(rows: np.ndarray, which: Callable[..., float]) -> np.ndarray:
    """The least or largest known value of each column, NaN where nothing is known."""
    return np.array([which(c[~np.isnan(c)], default=np.nan) for c in rows.T])
