"""The page of `corit demo`: what the world looks like, what the models see, and how well they tell it."""

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
from corit.studies.demo import MODELS, Comparison, Table
from corit.views.foreground import ellipse, saliency, token_foreground
from corit.world.miniature import Miniature

NAMES = {"DF": "DF, identity swap", "F2F": "F2F, expression", "FS": "FS, colour-matched swap", "NT": "NT, mouth only"}


def write_report(found: Comparison, target: Path) -> None:
    """Write the demo's page, whole or not at all."""
    encoder = found.outcome.detector.encoder
    page.write(
        "demo.html",
        target,
        record=found.to_json(),
        tables={"In-domain": _cells(found.in_domain), "Leave-one-out": _cells(found.leave_one_out)},
        models=MODELS,
        names={k: NAMES.get(k, k) for k in found.spec.kinds},
        samples=list(_samples(found, encoder)),
        masks=page.figure(_masks(found, encoder)),
        curves=page.figure(_curves(found)),
        photographs=list(_photographs(encoder)),
        metrics=found.outcome.metrics,
        calibration=found.outcome.detector.card.calibration,
    )


def _cells(tables: Mapping[str, Table]) -> dict[str, dict[str, dict[str, Any]]]:
    """Model -> manipulation -> the cell's value, interval, and whether it is the best of its column."""
    best = {k: max(t.values[k].value for t in tables.values()) for k in next(iter(tables.values())).values}
    return {m: {k: {"e": e, "better": e.value == best[k]} for k, e in t.values.items()} for m, t in tables.items()}


def _samples(found: Comparison, encoder: Encoder) -> Iterator[dict[str, Any]]:
    """The real picture of one test identity and its fakes: picture, difference to the real one, regions, twin."""
    world = Miniature(found.spec, ["test"])
    real, fakes = _one_of_each(world, found.spec.kinds)
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


def _masks(found: Comparison, encoder: Encoder) -> Figure:
    """Rows: real and each manipulation. Columns: the crop, then m of every layer, regions in their colours."""
    real, fakes = _one_of_each(Miniature(found.spec, ["test"]), found.spec.kinds)
    shown = {"real": real, **fakes}
    views = [encoder.preparer()(p)[0] for p in shown.values()]
    masks = encoder(views, keep_masks=True).masks
    assert masks is not None
    layers = masks.shape[1]
    made = Figure(figsize=(1.15 * (layers + 1), 1.25 * len(shown)))
    axes = made.subplots(len(shown), layers + 1, squeeze=False)
    for row, (name, view) in enumerate(zip(shown, views, strict=True)):
        axes[row][0].imshow(view.image)
        axes[row][0].set_ylabel(name)
        for l in range(layers):
            dark = (view.image * 0.35).astype(np.uint8)
            axes[row][l + 1].imshow(page.tinted(dark, masks[row, l].cpu().numpy(), encoder.backbone.grid))
            axes[0][l + 1].set_title(f"layer {l + 1}", fontsize=9)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
    return made


def _curves(found: Comparison) -> Figure:
    """Training loss and validation AUC by epoch: the median over seeds of the head trained on everything."""
    made = Figure(figsize=(9, 3))
    left, right = made.subplots(1, 2)
    for model, fit in found.fits.items():
        _curve(left, fit.trajectory.loss, fit, model)
        _curve(right, fit.trajectory.valid_auc, fit, model)
    left.set(xlabel="epoch", ylabel="training loss")
    right.set(xlabel="epoch", ylabel="validation AUC, all manipulations")
    left.legend()
    made.tight_layout()
    return made


def _curve(axis: Any, values: np.ndarray, fit: Fit, label: str) -> None:
    series = values[:, 0, :, 0]  # (E, S) of the problem with everything
    epochs = np.arange(1, len(series) + 1)
    axis.plot(epochs, np.median(series, axis=1), label=f"{label}, median of {series.shape[1]} seeds")
    axis.fill_between(epochs, series.min(1), series.max(1), alpha=0.2)


def _photographs(encoder: Encoder) -> Iterator[dict[str, str]]:
    """Real photographs with the two foregrounds for scenes: classical saliency and the backbone's own tokens."""
    for name, pixels in photographs():
        edge = min(pixels.shape[:2])
        y, x = (pixels.shape[0] - edge) // 2, (pixels.shape[1] - edge) // 2
        crop = np.asarray(page.resized(pixels[y : y + edge, x : x + edge], 224))
        side = encoder.backbone.side
        found = {
            "saliency": saliency(crop),
            "tokens": _upright(token_foreground(page.resized(crop, side), encoder.tokens), 224),
        }
        shown = {k: page.picture(page.outlined(crop, m), 160) for k, m in found.items()}
        fallbacks = [k for k, m in found.items() if np.mean(m != ellipse(224)) < 0.02]
        yield {"name": name, "fallback": ", ".join(fallbacks), "picture": page.picture(crop, 160), **shown}


def _upright(mask: np.ndarray, side: int) -> np.ndarray:
    return page.resized(np.repeat(mask.astype(np.uint8)[..., None] * 255, 3, axis=2), side)[..., 0] > 127


def photographs() -> Iterator[tuple[str, np.ndarray]]:
    """Real photographs that installed packages ship: scikit-learn's two, and scikit-image's where it is installed."""
    from sklearn.datasets import load_sample_images

    held = load_sample_images()
    yield from zip((Path(f).name for f in held.filenames), held.images, strict=True)
    try:
        from skimage import data
    except ImportError:
        return
    for name in ("astronaut", "chelsea", "coffee", "rocket"):
        yield name, getattr(data, name)()
