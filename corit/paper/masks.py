"""Figures 9, 10 and 11: the refinement mask of one region over all layers, one region a figure by [choice]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from matplotlib.figure import Figure, SubFigure

from corit.bench.runner import FeatureRequest, Runner
from corit.bench.variant import CORIT
from corit.data.sample import Sample
from corit.errors import DataError, InputError
from corit.model.encode import Encoder
from corit.paper.architecture import NO_HEAD
from corit.paper.artefact import Content, Maker
from corit.recipe import REGIONS, RegionName
from corit.report import page
from corit.serialise import number_text
from corit.views.prepare import Views

PROTOCOL = "faceforensics"
PICTURES = 8  # of each kind, for the kept fraction
COLUMNS = 12  # panels of layers in a row
EDGES = 1 / 6  # the paper's layers 1-4 and 21-24 of 24, as a share of the depth on either side


def needs(runner: Runner) -> list[FeatureRequest]:
    """List no features: masks are not stored, and few pictures suffice."""
    return []


def make(runner: Runner, region: RegionName) -> Content:
    """Draw the mask of one region in real and manipulated pictures, and below the kept fraction by layer.

    Raises:
        DataError: when no picture of a kind can be prepared.
    """
    protocol = runner.protocol(PROTOCOL)
    (data,) = protocol.data
    encoder, kinds = runner.encoder(CORIT, protocol), ["", *(s.title for s in protocol.test)]
    views = {k or "real": views_of(runner, data, k, encoder) for k in kinds}
    masks = {k: masks_of(encoder, v, runner.settings.batch) for k, v in views.items()}
    at = REGIONS.index(region)
    fractions = {k: kept_fractions(m[:, :, at], np.stack([v.regions[at] for v in views[k]])) for k, m in masks.items()}
    examples = {k: (v[0], masks[k][0, :, at]) for k, v in views.items()}
    caption = {"protocol": PROTOCOL, "metric": f"kept fraction of the {region}", "head": NO_HEAD, "seeds": []}
    counts = ", ".join(f"{len(v)} {k}" for k, v in views.items())
    notes = (
        runner.testbed.describe_stand_ins(tuple(s.title for s in protocol.test)),
        f"Above, one picture of each kind: patches that the mask keeps are coloured. Below, lines are means over the "
        f"pictures ({counts}, one of each source), bands their range; the axis is fitted to them.",
        describe_layers(fractions),
    )
    figures = (draw(examples, fractions, region, encoder),)
    return Content(figures=figures, notes=tuple(filter(None, notes)), numbers=numbers(fractions), caption=caption)


def numbers(fractions: Mapping[str, np.ndarray]) -> tuple[tuple[str, ...], ...]:
    """Return the rows of the CSV: mean, lowest and highest kept fraction of each kind by layer.

    A cell is empty where no picture has the region.

    Args:
        fractions: kept fractions (B, L), by kind.
    """
    layers = next(iter(fractions.values())).shape[1]
    rows = [("kind", "over pictures", *(f"layer {l + 1}" for l in range(layers)))]
    for kind, values in fractions.items():
        for name, row in zip(("mean", "lowest", "highest"), spread(values), strict=True):
            rows.append((kind, name, *(number_text(x, ".4f") for x in row)))
    return tuple(rows)


def spread(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean, lowest and highest over pictures, (B, L) -> (L) each; NaN where no picture has the region."""
    known = values[np.isfinite(values).any(1)]  # a picture has the region in all layers or in none
    if not len(known):
        return (np.full(values.shape[1], np.nan),) * 3
    return known.mean(0), known.min(0), known.max(0)


def views_of(runner: Runner, data: str, kind: str, encoder: Encoder) -> list[Views]:
    """Prepare test pictures of one kind, one of each source; skip pictures that cannot be prepared.

    Args:
        runner: the run.
        data: the data set's name.
        kind: a manipulation type, "" for reals.
        encoder: gives the preparation.

    Raises:
        DataError: when no picture can be prepared.
    """
    source, preparer = runner.source(data), encoder.preparer()
    chosen: dict[str, Sample] = {}
    for s in source.samples:
        if s.split == "test" and s.manipulation == kind:
            chosen.setdefault(s.group or s.id, s)
    views: list[Views] = []
    first_error = ""
    for sample in chosen.values():
        if len(views) == PICTURES:
            break
        try:
            views.append(preparer(source.load(sample))[0])
        except InputError as err:
            first_error = first_error or f"; the first failed: {err}"
    if not views:
        raise DataError(
            f"expected a test picture of {kind or 'reals'} in {data} to draw masks on, got none that can be prepared "
            f"among {len(chosen)}{first_error}"
        )
    return views


def masks_of(encoder: Encoder, views: Sequence[Views], batch: int) -> np.ndarray:
    """Return the refinement masks m (B, L, K, N) of some views."""
    parts = [encoder(views[i : i + batch], keep_masks=True).masks for i in range(0, len(views), batch)]
    return np.concatenate([m.cpu().numpy() for m in parts if m is not None])


def kept_fractions(masks: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Return the share (B, L) of a region's patches that the mask keeps; NaN where the region is empty.

    Args:
        masks: (B, L, N) bool.
        region: (B, N) bool.
    """
    size = region.sum(-1)[:, None].astype(float)
    return masks.sum(-1) / np.where(size > 0, size, np.nan)


def describe_layers(fractions: dict[str, np.ndarray]) -> str:
    """Describe the kept fraction of first, middle and last layers, beside the paper's claim."""
    mean = spread(np.concatenate(list(fractions.values())))[0]
    edge = max(1, round(EDGES * len(mean)))
    first, inner, last = mean[:edge], mean[edge:-edge], mean[-edge:]
    values = (100 * float(x.mean()) for x in (first, inner, last))
    count = "layer" if edge == 1 else f"{edge} layers"
    names = (f"the first {count}", "those between", f"the last {count}")
    parts = ", ".join(f"{v:.0f} % in {n}" for v, n in zip(values, names, strict=True))
    return f"Kept at tau = 0.1: {parts}. The paper says that layers 1-4 and 21-24 of 24 filter most."


def draw(
    examples: dict[str, tuple[Views, np.ndarray]], fractions: dict[str, np.ndarray], region: str, encoder: Encoder
) -> Figure:
    """Draw the masks of every layer and the kept fractions.

    Args:
        examples: one picture of each kind, and its mask (L, N).
        fractions: kept fractions (B, L), by kind.
        region: the region's name.
        encoder: gives layers and grid.
    """
    layers = encoder.backbone.depth
    columns = min(layers, COLUMNS)
    lines = -(-layers // columns)  # of panels for each kind
    heights = [1.1 * lines * len(examples), 2.9]
    figure = Figure(figsize=(1.05 * (columns + 1), sum(heights)), layout="constrained")
    parts = figure.subfigures(2, 1, squeeze=False, height_ratios=heights)
    axes = parts[0, 0].subplots(lines * len(examples), columns + 1, squeeze=False)
    for axis in axes.ravel():
        axis.axis("off")
    for k, (kind, (view, mask)) in enumerate(examples.items()):
        axes[k * lines, 0].imshow(view.image)
        axes[k * lines, 0].set_title(kind, fontsize=8, pad=2, fontweight="bold")
        for layer in range(layers):
            row, column = divmod(layer, columns)
            axis = axes[k * lines + row, column + 1]
            axis.imshow(_masked(view, mask[layer], region, encoder.backbone.grid))
            axis.set_title(f"layer {layer + 1}", fontsize=7, pad=2)
    _draw_fractions(parts[1, 0], fractions, region)
    return figure


def _draw_fractions(figure: SubFigure, fractions: Mapping[str, np.ndarray], region: str) -> None:
    """The kept fraction by layer: mean and range over pictures, on an axis that is fitted to them."""
    axis = figure.subplots()
    for kind, values in fractions.items():
        mean, low, high = spread(values)
        layers = np.arange(1, len(mean) + 1)
        (line,) = axis.plot(layers, mean, marker=".", label=kind)
        axis.fill_between(layers, low, high, color=line.get_color(), alpha=0.12, lw=0)
    axis.set(xlabel="layer", ylabel=f"kept share of the {region}", xticks=layers)
    axis.margins(x=0.02)
    axis.grid(alpha=0.25)
    axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))


def _masked(view: Views, mask: np.ndarray, region: str, grid: tuple[int, int]) -> np.ndarray:
    """The dark crop with the kept patches in their region's colour."""
    rows = np.zeros((len(REGIONS), len(mask)), bool)
    rows[REGIONS.index(region)] = mask  # type: ignore[arg-type]
    return page.tinted((view.image * 0.35).astype(np.uint8), rows, grid)


FOREGROUND, BOUNDARY, BACKGROUND = (Maker(needs, partial(make, region=region)) for region in REGIONS)
