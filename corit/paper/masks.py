"""The refinement mask of one region over all layers: drawn on pictures, and how much of the region it keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from matplotlib.figure import Figure, SubFigure

from corit.bench.lab import Lab, Need
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
EACH = 8  # pictures of each kind whose kept fraction is measured
ACROSS = 12  # panels of layers in a line
EDGES = 1 / 6  # the paper's layers 1-4 and 21-24 of 24, as a share of the depth on either side


def needs(lab: Lab) -> list[Need]:
    """None: masks are not stored, and few pictures are looked at."""
    return []


def make(lab: Lab, region: RegionName) -> Content:
    """Rows: real and each manipulation; columns: layers; below, the kept fraction by layer over more pictures.

    Raises DataError when there is a kind of which no picture can be prepared.
    """
    of = lab.stage.protocol(PROTOCOL)
    (data,) = of.data
    encoder, kinds = lab.encoder(CORIT, of), ["", *(s.title for s in of.test)]
    views = {k or "real": views_of(lab, data, k, encoder) for k in kinds}
    masks = {k: masks_of(encoder, v, lab.batch) for k, v in views.items()}
    at = REGIONS.index(region)
    kept = {k: fractions(m[:, :, at], np.stack([v.regions[at] for v in views[k]])) for k, m in masks.items()}
    shown = {k: (v[0], masks[k][0, :, at]) for k, v in views.items()}
    caption = {"protocol": PROTOCOL, "metric": f"kept fraction of the {region}", "head": NO_HEAD, "seeds": []}
    counts = ", ".join(f"{len(v)} {k}" for k, v in views.items())
    notes = (
        lab.stage.standing(tuple(s.title for s in of.test)),
        f"Above, one picture of each kind: patches that the mask keeps are coloured. Below, lines are means over the "
        f"pictures ({counts}, one of each source), bands their range; the axis is fitted to them.",
        claim(kept),
    )
    figures = (draw(shown, kept, region, encoder),)
    return Content(figures=figures, notes=tuple(filter(None, notes)), numbers=numbers(kept), caption=caption)


def numbers(kept: Mapping[str, np.ndarray]) -> tuple[tuple[str, ...], ...]:
    """Of each kind the mean, lowest and highest kept fraction by layer; empty where no picture has the region."""
    layers = next(iter(kept.values())).shape[1]
    found = [("kind", "over pictures", *(f"layer {l + 1}" for l in range(layers)))]
    for kind, values in kept.items():
        for name, row in zip(("mean", "lowest", "highest"), spread(values), strict=True):
            found.append((kind, name, *(number_text(x, ".4f") for x in row)))
    return tuple(found)


def spread(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, lowest and highest over pictures (B, L) -> (L) each; NaN where no picture has the region."""
    held = values[np.isfinite(values).any(1)]  # a picture has the region in all layers or in none
    if not len(held):
        return (np.full(values.shape[1], np.nan),) * 3
    return held.mean(0), held.min(0), held.max(0)


def views_of(lab: Lab, data: str, kind: str, encoder: Encoder) -> list[Views]:
    """Prepared test pictures of one kind, one of each source; those that cannot be prepared are passed over.

    Raises DataError when none is left.
    """
    source, preparer = lab.source(data), encoder.preparer()
    chosen: dict[str, Sample] = {}
    for s in source.samples:
        if s.split == "test" and s.manipulation == kind:
            chosen.setdefault(s.group or s.id, s)
    found: list[Views] = []
    why = ""
    for sample in chosen.values():
        if len(found) == EACH:
            break
        try:
            found.append(preparer(source.load(sample))[0])
        except InputError as err:
            why = why or f"; the first failed: {err}"
    if not found:
        raise DataError(
            f"expected a test picture of {kind or 'reals'} in {data} to draw masks on, got none that can be prepared "
            f"among {len(chosen)}{why}"
        )
    return found


def masks_of(encoder: Encoder, views: Sequence[Views], batch: int) -> np.ndarray:
    """m (B, L, K, N) of some views."""
    parts = [encoder(views[i : i + batch], keep_masks=True).masks for i in range(0, len(views), batch)]
    return np.concatenate([m.cpu().numpy() for m in parts if m is not None])


def fractions(masks: np.ndarray, region: np.ndarray) -> np.ndarray:
    """(B, L) share of a region's patches that the mask (B, L, N) keeps; NaN where the region (B, N) is empty."""
    size = region.sum(-1)[:, None].astype(float)
    return masks.sum(-1) / np.where(size > 0, size, np.nan)


def claim(kept: dict[str, np.ndarray]) -> str:
    """The paper's claim in numbers: more is filtered in the first and the last layers than between."""
    mean = spread(np.concatenate(list(kept.values())))[0]
    edge = max(1, round(EDGES * len(mean)))
    first, inner, last = mean[:edge], mean[edge:-edge], mean[-edge:]
    values = (100 * float(x.mean()) for x in (first, inner, last))
    count = "layer" if edge == 1 else f"{edge} layers"
    names = (f"the first {count}", "those between", f"the last {count}")
    said = ", ".join(f"{v:.0f} % in {n}" for v, n in zip(values, names, strict=True))
    return f"Kept at tau = 0.1: {said}. The paper says that layers 1-4 and 21-24 of 24 filter most."


def draw(
    shown: dict[str, tuple[Views, np.ndarray]], kept: dict[str, np.ndarray], region: str, encoder: Encoder
) -> Figure:
    """The masks of one picture a kind, every layer, and the kept fraction's mean and range over pictures."""
    layers = encoder.backbone.depth
    across = min(layers, ACROSS)
    lines = -(-layers // across)  # of panels for each kind
    made = Figure(figsize=(1.05 * (across + 1), 1.1 * lines * len(shown) + 2.9), layout="constrained")
    parts = made.subfigures(2, 1, squeeze=False, height_ratios=[1.1 * lines * len(shown), 2.9])
    upper, lower = parts[0, 0], parts[1, 0]
    axes = upper.subplots(lines * len(shown), across + 1, squeeze=False)
    for axis in axes.ravel():
        axis.axis("off")
    for k, (kind, (view, mask)) in enumerate(shown.items()):
        axes[k * lines, 0].imshow(view.image)
        axes[k * lines, 0].set_title(kind, fontsize=8, pad=2, fontweight="bold")
        for layer in range(layers):
            row, column = divmod(layer, across)
            axis = axes[k * lines + row, column + 1]
            axis.imshow(_kept(view, mask[layer], region, encoder.backbone.grid))
            axis.set_title(f"layer {layer + 1}", fontsize=7, pad=2)
    _fractions(lower, kept, region)
    return made


def _fractions(made: SubFigure, kept: Mapping[str, np.ndarray], region: str) -> None:
    """The kept fraction by layer: mean and range over pictures, on an axis that is fitted to them."""
    axis = made.subplots()
    for kind, values in kept.items():
        mean, low, high = spread(values)
        layers = np.arange(1, len(mean) + 1)
        (line,) = axis.plot(layers, mean, marker=".", label=kind)
        axis.fill_between(layers, low, high, color=line.get_color(), alpha=0.12, lw=0)
    axis.set(xlabel="layer", ylabel=f"kept share of the {region}", xticks=layers)
    axis.margins(x=0.02)
    axis.grid(alpha=0.25)
    axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))


def _kept(view: Views, mask: np.ndarray, region: str, grid: tuple[int, int]) -> np.ndarray:
    """The crop, dark but for the patches that are kept, in their region's colour."""
    rows = np.zeros((len(REGIONS), len(mask)), bool)
    rows[REGIONS.index(region)] = mask  # type: ignore[arg-type]
    return page.tinted((view.image * 0.35).astype(np.uint8), rows, grid)


FOREGROUND, BOUNDARY, BACKGROUND = (Maker(needs, partial(make, region=region)) for region in REGIONS)
