"""The refinement mask of one region over all layers: drawn on pictures, and how much of the region it keeps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from corit.data.sample import Sample
from corit.errors import InputError
from corit.model.encode import Encoder
from corit.paper.artefact import Made
from corit.paper.lab import Lab, Need
from corit.paper.variant import CORIT
from corit.recipe import REGIONS, RegionName
from corit.report import page
from corit.views.prepare import Views

PROTOCOL = "faceforensics"
EACH = 8  # pictures of each kind whose kept fraction is measured
EDGES = 1 / 6  # the paper's layers 1-4 and 21-24 of 24, as a share of the depth on either side


def needs(lab: Lab) -> list[Need]:
    """None: masks are not stored, and few pictures are looked at."""
    return []


def make(lab: Lab, region: RegionName) -> Made:
    """Rows: real and each manipulation; columns: layers; below, the kept fraction by layer over more pictures."""
    of = lab.stage.protocol(PROTOCOL)
    (data,) = of.data
    encoder, kinds = lab.encoder(CORIT, of), ["", *(s.title for s in of.test)]
    views = {k or "real": views_of(lab, data, k, encoder) for k in kinds}
    masks = {k: masks_of(encoder, v, lab.batch) for k, v in views.items()}
    at = REGIONS.index(region)
    kept = {k: fractions(m[:, :, at], np.stack([v.regions[at] for v in views[k]])) for k, m in masks.items()}
    shown = {k: (v[0], masks[k][0, :, at]) for k, v in views.items()}
    head = ("kind", *(f"layer {l + 1}" for l in range(encoder.backbone.depth)))
    numbers = (head, *((k, *(f"{x:.4f}" for x in np.nanmean(f, axis=0))) for k, f in kept.items()))
    caption = {"protocol": PROTOCOL, "metric": f"kept fraction of the {region}", "head": "none is trained", "seeds": []}
    return Made(figures=(draw(shown, kept, region, encoder),), notes=(claim(kept),), numbers=numbers, caption=caption)


def views_of(lab: Lab, data: str, kind: str, encoder: Encoder) -> list[Views]:
    """Prepared test pictures of one kind, one of each source; those that cannot be prepared are passed over."""
    source, preparer = lab.source(data), encoder.preparer()
    chosen: dict[str, Sample] = {}
    for s in source.samples:
        if s.split == "test" and s.manipulation == kind:
            chosen.setdefault(s.group or s.id, s)
    found: list[Views] = []
    for sample in chosen.values():
        if len(found) == EACH:
            break
        try:
            found.append(preparer(source.load(sample))[0])
        except InputError:
            continue
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
    mean = np.nanmean(np.concatenate(list(kept.values())), axis=0)
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
    """The masks of one picture a kind, and the kept fraction's mean and range over pictures."""
    layers = encoder.backbone.depth
    columns = list(range(layers)) if layers <= 12 else list(range(0, layers, 2))
    made = Figure(figsize=(1.05 * (len(columns) + 1), 1.12 * len(shown) + 2.8))
    grid = made.add_gridspec(len(shown) + 1, len(columns) + 1, height_ratios=[*([1] * len(shown)), 2.2])
    for row, (kind, (view, masks)) in enumerate(shown.items()):
        pictures = [view.image, *(_kept(view, masks[l], region, encoder.backbone.grid) for l in columns)]
        for column, pixels in enumerate(pictures):
            axis = made.add_subplot(grid[row, column])
            axis.imshow(pixels)
            axis.set(xticks=[], yticks=[])
            if column == 0:
                axis.set_ylabel(kind)
            elif row == 0:
                axis.set_title(f"layer {columns[column - 1] + 1}", fontsize=8)
    axis = made.add_subplot(grid[len(shown), :])
    for kind, values in kept.items():
        axis.plot(np.arange(1, layers + 1), np.nanmean(values, axis=0), marker=".", label=kind)
    axis.set(xlabel="layer", ylabel=f"kept share of the {region}", ylim=(0, 1.03))
    axis.legend(fontsize=8, ncols=len(kept))
    made.tight_layout()
    return made


def _kept(view: Views, mask: np.ndarray, region: str, grid: tuple[int, int]) -> np.ndarray:
    """The crop, dark but for the patches that are kept, in their region's colour."""
    rows = np.zeros((len(REGIONS), len(mask)), bool)
    rows[REGIONS.index(region)] = mask  # type: ignore[arg-type]
    return page.tinted((view.image * 0.35).astype(np.uint8), rows, grid)
