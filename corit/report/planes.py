"""Figure 7: loss landscapes of heads, as contours and as surfaces, on one scale."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from corit.diagnose.diagnosis import Diagnosis
from corit.errors import DataError
from corit.heads.head import HeadKind
from corit.theory.landscape import Landscape

CMAP = "magma_r"
CLIPPED = 98  # percentile of all losses at which colours and heights end


def contours(planes: dict[tuple[str, str], Landscape]) -> Figure:
    """Draw landscapes as contours: a row for each store, one colour scale, one set of levels.

    Args:
        planes: (store, group) -> landscape.

    Raises:
        DataError: for no landscapes.
    """
    low, high = _range(planes)
    rows, columns = _names(planes)
    figure = Figure(figsize=(1.2 + 2.7 * len(columns), 0.5 + 2.7 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), len(columns), squeeze=False, sharex=True, sharey=True)
    levels = np.linspace(low, high, 15)
    for axis, store, group, plane in _places(axes, rows, columns, planes):
        if plane is None:
            axis.text(0.5, 0.5, "diverged", ha="center", transform=axis.transAxes)
        else:
            x, loss = plane.coordinates, plane.loss.numpy().T
            axis.contourf(x, x, loss, levels, cmap=CMAP, extend="both")
            axis.contour(x, x, loss, levels, colors="white", linewidths=0.5)
            axis.plot(0, 0, "+", color="#1c2430")
        axis.set_title(f"{store}, {group}", fontsize=10)
        axis.set_aspect("equal")
    for axis in axes[-1]:
        axis.set_xlabel("a, along u")
    for axis in axes[:, 0]:
        axis.set_ylabel("b, along v")
    figure.colorbar(_scale(planes), ax=axes.ravel().tolist(), label="loss (nats)", shrink=0.8)
    return figure


def surfaces(planes: dict[tuple[str, str], Landscape]) -> Figure:
    """Draw landscapes as surfaces, from one viewpoint, on one scale of height and colour.

    Args:
        planes: (store, group) -> landscape.

    Raises:
        DataError: for no landscapes.
    """
    low, high = _range(planes)
    rows, columns = _names(planes)
    figure = Figure(figsize=(1.0 + 2.9 * len(columns), 2.9 * len(rows)))
    axes = figure.subplots(len(rows), len(columns), squeeze=False, subplot_kw={"projection": "3d"})
    for axis, store, group, plane in _places(axes, rows, columns, planes):
        axis.set_title(f"{store}, {group}", fontsize=10, y=0.98)
        axis.set_zlim(low, high)
        axis.tick_params(labelsize=7, pad=-2)
        axis.set(xticks=(-1, 0, 1), yticks=(-1, 0, 1))
        axis.set_xlabel("a, along u", fontsize=8, labelpad=-6)
        axis.set_ylabel("b, along v", fontsize=8, labelpad=-6)
        axis.set_zlabel("loss (nats)", fontsize=8, labelpad=-4)
        if plane is None:
            continue
        x, y = np.meshgrid(plane.coordinates, plane.coordinates, indexing="ij")
        shown = np.clip(plane.loss.numpy(), low, high)
        axis.plot_surface(x, y, shown, cmap=CMAP, vmin=low, vmax=high, rcount=41, ccount=41, lw=0)
    figure.subplots_adjust(left=0.01, right=0.95, bottom=0.04, top=0.92, wspace=0.2, hspace=0.16)
    return figure


def of_head(diagnosis: Diagnosis, head: HeadKind) -> dict[tuple[str, str], Landscape]:
    """Select the landscapes of one kind of head, by store and group."""
    return {(s, g): l for (s, g, h), l in diagnosis.landscapes.items() if h == head}


def _names(planes: dict[tuple[str, str], Landscape]) -> tuple[list[str], list[str]]:
    return [list(dict.fromkeys(key[k] for key in planes)) for k in (0, 1)]  # type: ignore[return-value]


def _places(axes: Any, rows: list[str], columns: list[str], planes: dict[tuple[str, str], Landscape]) -> Any:
    for i, store in enumerate(rows):
        for j, group in enumerate(columns):
            yield axes[i][j], store, group, planes.get((store, group))


def _range(planes: dict[tuple[str, str], Landscape]) -> tuple[float, float]:
    """From the lowest loss of all to the CLIPPED percentile, so that one steep corner does not flatten the rest.

    Raises DataError where there is no landscape at all.
    """
    if not planes:
        raise DataError(
            "expected at least one head with finite weights to draw the loss around, got none: all diverged"
        )
    values = np.concatenate([l.loss.numpy().ravel() for l in planes.values()])
    low, high = float(values.min()), float(np.percentile(values, CLIPPED))
    return low, max(high, low + 1e-6)


def _scale(planes: dict[tuple[str, str], Landscape]) -> ScalarMappable:
    return ScalarMappable(Normalize(*_range(planes)), CMAP)
