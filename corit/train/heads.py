"""Labelled pictures -> a calibrated detector: extract, split by source, fit, measure on what was held out."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from corit.backbones.stepped import Backbone
from corit.data.sample import Sample, Source
from corit.data.split import split_by_group
from corit.detect.detector import Card, Detector
from corit.detect.named import recipe_of
from corit.errors import DataError, RecipeError
from corit.features.extract import extract
from corit.features.store import Features, FeatureStore
from corit.heads.fit import Fit, fit, problem
from corit.heads.head import HeadRecipe
from corit.images.media import Picture
from corit.metrics import auc as metrics
from corit.metrics.auc import Estimate, bootstrap
from corit.metrics.calibration import calibrate
from corit.model.encode import Encoder
from corit.progress import Progress, no_progress
from corit.recipe import Recipe

MEASURES = {"auc": metrics.auc, "ap": metrics.average_precision, "eer": metrics.equal_error_rate}


@dataclass(frozen=True)
class Split:
    """A source whose samples have been dealt to train, val and test; pictures come from the source itself."""

    source: Source
    samples: tuple[Sample, ...]

    def load(self, sample: Sample) -> Picture:
        """The picture of one row. Raises InputError."""
        return self.source.load(sample)


@dataclass(frozen=True)
class Outcome:
    """A trained detector and what was measured.

    metrics: AUC, AP and EER on the test rows, with bootstrap intervals over groups, of the kept seed. per_seed: test
    AUC of every seed's head. counts: rows by split and label. unusable: rows by status that could not be measured.
    """

    detector: Detector
    metrics: Mapping[str, Estimate]
    per_seed: tuple[float, ...]
    counts: Mapping[str, int]
    unusable: Mapping[str, int]
    fit: Fit = field(repr=False, compare=False)


def features_of(
    source: Source,
    recipe: Recipe,
    backbone: Backbone,
    out: str | Path,
    *,
    forge: int = 0,
    batch: int = 8,
    workers: int = 0,
    progress: Progress = no_progress,
    device: str = "cpu",
    keep_levels: bool = False,
) -> FeatureStore:
    """Measure a source by a recipe into the store at `out`, or finish a store that was begun. Raises as `extract`."""
    encoder = Encoder(backbone, recipe, device=device)
    extract(
        source,
        encoder.preparer(),
        encoder,
        out,
        forge=forge,
        batch=batch,
        workers=0 if encoder.in_process else workers,
        progress=progress,
        keep_levels=keep_levels,
    )
    return FeatureStore.open(out)


def train(
    store: FeatureStore,
    backbone: Backbone,
    recipe: HeadRecipe,
    *,
    weights: str = "",
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    fpr: float = 0.05,
    note: str = "",
    domain: str = "",
    draws: int = 1000,
    progress: Progress = no_progress,
) -> Outcome:
    """Fit a head for each seed on the store's train rows, keep the seed with the best validation AUC, calibrate there.

    The test rows are only measured. A mini-batch larger than a quarter of the training rows is made smaller, so that
    small collections can be trained on; the detector's card says which was used. domain: in words, what the pictures
    show, for the card. Raises DataError or FitError when there are too few rows.
    """
    parts = {name: _part(store, name) for name in ("train", "val", "test")}
    recipe = replace(recipe, batch=max(1, min(recipe.batch, len(parts["train"]) // 4)))
    tr, va, te = parts["train"], parts["val"], parts["test"]
    task = problem(tr, tr.y, va, va.y, recipe)
    done = fit([task], recipe, seeds=seeds, progress=progress)
    valid = done.logits(0, task.valid)[:, 0].numpy()  # (S, n)
    best = int(np.argmax([metrics.auc(va.y, v) for v in valid]))
    head = done.head(seed=best)
    held_out = te.to_tensor()
    scores = [done.head(seed=s).logits(held_out).numpy() for s in range(len(seeds))]
    calibration = calibrate(valid[best].astype(np.float64), va.y, fpr)
    measured = {
        k: bootstrap(m, te.y, scores[best], groups=te.column("group"), draws=draws) for k, m in MEASURES.items()
    }
    counts = {f"{n} {kind}": int((p.y == y).sum()) for n, p in parts.items() for kind, y in (("real", 0), ("fake", 1))}
    per_seed = tuple(metrics.auc(te.y, s) for s in scores)
    card = Card(
        recipe=store.recipe,
        head=recipe,
        calibration=calibration,
        weights=weights,
        licence=backbone.licence,
        classes=("real", "fake"),
        data_digest=tr.data_digest,
        metrics=_plain(measured, per_seed, counts),
        versions=versions(),
        note=note,
        domain=domain,
    )
    unusable = {k: n for k, n in store.counts().items() if k != "ok"}
    return Outcome(Detector(head, card, backbone), measured, per_seed, counts, unusable, done)


def _part(store: FeatureStore, split: str) -> Features:
    """The measured rows of a split. Raises DataError unless it has reals and fakes."""
    table = store.table.select(["split", "status", "label", "reason"])
    rows = table.filter(pc.field("split") == split).to_pylist()
    ok = [r for r in rows if r["status"] == "ok"]
    missing = [kind for kind, label in (("real", 0), ("fake", 1)) if not any(r["label"] == label for r in ok)]
    if missing:
        why = sorted({r["reason"] for r in rows if r["status"] != "ok"})
        raise DataError(
            f"expected real and fake pictures in the {split} part, but no {' or '.join(missing)} picture of it could "
            f"be measured{': ' + '; '.join(why[:3]) if why else ''}. Give more pictures, or another --domain"
        )
    return store.features(split=split)


def _plain(measured: Mapping[str, Estimate], per_seed: Sequence[float], counts: Mapping[str, int]) -> dict[str, Any]:
    parts = {k: (e.value, e.low, e.high) for k, e in measured.items()}
    table: dict[str, Any] = {k: [v if np.isfinite(v) else None for v in values] for k, values in parts.items()}
    return {**table, "auc_per_seed": list(per_seed), "counts": dict(counts)}


def versions() -> dict[str, str]:
    """What a result depends on: Python, the platform and the libraries that compute."""
    names = ("corit", "torch", "timm", "numpy", "opencv-python-headless", "scikit-learn")
    found = {n: importlib.metadata.version(n) for n in names}
    return {"python": platform.python_version(), "machine": platform.machine(), **found}


def split(source: Source, key: int = 0) -> Split:
    """The source with its samples dealt to train, val and test by group (see `split_by_group`)."""
    return Split(source, split_by_group(source.samples, key=key))


def recipe_for(backbone: Backbone, domain: str = "", model: str = "", file: Path | None = None) -> Recipe:
    """The recipe of a detector's features: the defaults, changed by a file, changed by what is asked for beside it.

    Args:
        backbone: the frozen ViT.
        domain: face or scene; empty for the file's, by default face.
        model: a detector's name; empty for the file's, by default corit.
        file: a recipe in TOML, or None.

    Returns:
        The recipe with the backbone's name and weights.

    Raises:
        RecipeError: a file or name that cannot be read, or a file that is for other weights than the backbone's.
    """
    base = Recipe() if file is None else Recipe.read(file)
    if base.backbone.weights not in ("", backbone.digest):
        raise RecipeError(
            f"{file} is for {base.backbone.name} weights {base.backbone.weights[:12]}, but {backbone.name} has "
            f"{backbone.digest[:12]}; give --backbone and --weights of the file, or clear its backbone.weights"
        )
    made = base.replace(**{"backbone.name": backbone.name, "backbone.weights": backbone.digest})
    made = recipe_of(model, made) if model else made
    return made.replace(**{"views.domain": domain}) if domain else made
