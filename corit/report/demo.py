"""The page of `corit demo`: real photographs, then the miniature world, the views of the models, and their AUC."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from corit.heads.fit import Fit
from corit.images.picture import Picture
from corit.model.encode import Encoder
from corit.report import page
from corit.report.photographs import photographs_part
from corit.studies.demo import MODELS, AucByType, ModelComparison
from corit.studies.photograph_demo import PhotographDemo
from corit.studies.photographs import photographs as shipped_photographs
from corit.views.foreground import ellipse, saliency, token_foreground
from corit.world.miniature import Miniature

NAMES = {"DF": "DF, identity swap", "F2F": "F2F, expression", "FS": "FS, colour-matched swap", "NT": "NT, mouth only"}
NO_CARDS: Mapping[str, str] = {}


def write_report(
    result: ModelComparison,
    target: Path,
    photographs: PhotographDemo | None = None,
    *,
    cards: Mapping[str, str] = NO_CARDS,
    left_out: str = "",
) -> None:
    """Write the demo's page atomically.

    Args:
        result: the comparison in the miniature world.
        target: the page.
        photographs: the scored photographs; None where they are left out.
        cards: Markdown of the model cards, by detector.
        left_out: why there are no photographs.
    """
    encoder = result.outcome.detector.encoder
    page.write(
        "demo.html",
        target,
        real=None if photographs is None else photographs_part(photographs, cards),
        left_out=left_out,
        record=result.to_json(),
        tables={"In-domain": _cells(result.in_domain), "Leave-one-out": _cells(result.leave_one_out)},
        models=MODELS,
        names={k: NAMES.get(k, k) for k in result.spec.kinds},
        samples=list(_samples(result, encoder)),
        masks=page.figure(_masks(result, encoder)),
        curves=page.figure(_curves(result)),
        foregrounds=list(_foregrounds(encoder)),
        metrics=result.outcome.metrics,
        calibration=result.outcome.detector.card.calibration,
    )


def _cells(models: Mapping[str, AucByType]) -> dict[str, dict[str, dict[str, Any]]]:
    """Model -> manipulation type -> the AUC, and whether it is the highest of its column."""
    best = {k: max(aucs[k].value for aucs in models.values()) for k in next(iter(models.values()))}
    return {m: {k: {"e": e, "better": e.value == best[k]} for k, e in aucs.items()} for m, aucs in models.items()}


def _samples(result: ModelComparison, encoder: Encoder) -> Iterator[dict[str, Any]]:
    """The real picture of one test identity and its fakes: picture, difference to the real one, regions, twin."""
    world = Miniature(result.spec, ["test"])
    real, fakes = _one_of_each(world, result.spec.kinds)
    for name, shown in {"real": real, **fakes}.items():
        (view,) = encoder.preparer()(shown)
        difference = np.abs(shown.pixels.astype(int) - real.pixels.astype(int)) * 6
        yield {
            "name": NAMES.get(name, name),
            "picture": page.picture(shown.pixels),
            "difference": page.picture(np.clip(difference, 0, 255).astype(np.uint8)),
            "regions": page.picture(page.tinted(view.image, view.regions, encoder.backbone.grid)),
            "twin": page.picture(view.twins[0]),
        }


def _one_of_each(world: Miniature, kinds: tuple[str, ...]) -> tuple[Picture, dict[str, Picture]]:
    first = world.samples[0].group
    chosen = [s for s in world.samples if s.group == first and s.frame == 0]
    pictures = {s.manipulation: world.load(s) for s in chosen}
    return pictures[""], {k: pictures[k] for k in kinds}


def _masks(result: ModelComparison, encoder: Encoder) -> Figure:
    """Rows: real and each manipulation. Columns: the crop, then m of every layer, regions in their colours."""
    real, fakes = _one_of_each(Miniature(result.spec, ["test"]), result.spec.kinds)
    shown = {"real": real, **fakes}
    views = [encoder.preparer()(p)[0] for p in shown.values()]
    masks = encoder(views, keep_masks=True).masks
    assert masks is not None
    layers = masks.shape[1]
    figure = Figure(figsize=(1.15 * (layers + 1), 1.25 * len(shown)))
    axes = figure.subplots(len(shown), layers + 1, squeeze=False)
    for row, (name, view) in enumerate(zip(shown, views, strict=True)):
        axes[row][0].imshow(view.image)
        axes[row][0].set_ylabel(name)
        for l in range(layers):
            dark = (view.image * 0.35).astype(np.uint8)
            axes[row][l + 1].imshow(page.tinted(dark, masks[row, l].cpu().numpy(), encoder.backbone.grid))
            axes[0][l + 1].set_title(f"layer {l + 1}", fontsize=9)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
    return figure


def _curves(result: ModelComparison) -> Figure:
    """Training loss and validation AUC by epoch: the median over seeds of the head trained on everything."""
    figure = Figure(figsize=(9, 3))
    left, right = figure.subplots(1, 2)
    for model, fit in result.fits.items():
        _curve(left, fit.trajectory.loss, fit, model)
        _curve(right, fit.trajectory.valid_auc, fit, model)
    left.set(xlabel="epoch", ylabel="training loss")
    right.set(xlabel="epoch", ylabel="validation AUC, all manipulations")
    left.legend()
    figure.tight_layout()
    return figure


def _curve(axis: Any, values: np.ndarray, fit: Fit, label: str) -> None:
    series = values[:, 0, :, 0]  # (E, S) of the problem with everything
    epochs = np.arange(1, len(series) + 1)
    axis.plot(epochs, np.median(series, axis=1), label=f"{label}, median of {series.shape[1]} seeds")
    axis.fill_between(epochs, series.min(1), series.max(1), alpha=0.2)


def _foregrounds(encoder: Encoder) -> Iterator[dict[str, str]]:
    """Real photographs with the two foregrounds for scenes: classical saliency and the backbone's own tokens."""
    for name, pixels in shipped_photographs():
        edge = min(pixels.shape[:2])
        y, x = (pixels.shape[0] - edge) // 2, (pixels.shape[1] - edge) // 2
        crop = np.asarray(page.resized(pixels[y : y + edge, x : x + edge], 224))
        side = encoder.backbone.side
        masks = {
            "saliency": saliency(crop),
            "tokens": _upright(token_foreground(page.resized(crop, side), encoder.tokens), 224),
        }
        shown = {k: page.picture(page.outlined(crop, m), 160) for k, m in masks.items()}
        fallbacks = [k for k, m in masks.items() if np.mean(m != ellipse(224)) < 0.02]
        yield {"name": name, "fallback": ", ".join(fallbacks), "picture": page.picture(crop, 160), **shown}


def _upright(mask: np.ndarray, side: int) -> np.ndarray:
    return page.resized(np.repeat(mask.astype(np.uint8)[..., None] * 255, 3, axis=2), side)[..., 0] > 127
