"""Labelled pictures -> a calibrated detector: measure features, split by source, fit heads, test on held-out rows."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from corit.backbones.stepped import Backbone
from corit.data.sample import Sample, Source
from corit.data.split import split_by_group
from corit.detect.detector import Card, Detector
from corit.detect.familiarity import Familiarity, Method, fit_familiarity
from corit.detect.named import recipe_of
from corit.errors import DataError, RecipeError
from corit.features.extract import Forge, extract
from corit.features.store import Features, FeatureStore
from corit.features.targets import StoreTarget
from corit.heads.defaults import default_head, limit_batch
from corit.heads.fit import Fit, fit
from corit.heads.head import HeadRecipe
from corit.heads.problem import standardised_problem
from corit.images.picture import Picture
from corit.metrics.auc import auc
from corit.metrics.bootstrap import Estimate
from corit.metrics.calibration import Calibration, calibrate
from corit.metrics.measures import HeadScores, estimates
from corit.model.corit import class_columns
from corit.model.encode import Encoder
from corit.progress import Progress, no_progress
from corit.recipe import Recipe
from corit.serialise import finite
from corit.theory.geometry import Units, units

METRICS = ("auc", "ap", "eer")
PARTS = ("train", "val", "test")
LABELS = (("real", 0), ("fake", 1))


@dataclass(frozen=True)
class SplitSource:
    """A source whose samples are assigned to train, val and test.

    Attributes:
        source: reads the pictures.
        samples: the source's samples, each with its split.
    """

    source: Source
    samples: tuple[Sample, ...]

    def load(self, sample: Sample) -> Picture:
        """Return the picture of one sample. Raises InputError."""
        return self.source.load(sample)


@dataclass(frozen=True)
class TrainingResult:
    """A trained detector and what was measured on the way.

    Attributes:
        detector: the head of the kept seed, calibrated, with its backbone.
        metrics: AUC, AP and EER of the kept seed on the test rows, with bootstrap intervals over groups.
        per_seed: the test AUC of every seed's head.
        counts: rows by split and label, such as "train real".
        unusable: rows that could not be measured, by status.
        units: geometry of the training features, and what a radius is on the raw ones.
        fit: the heads of all seeds.
    """

    detector: Detector
    metrics: Mapping[str, Estimate]
    per_seed: tuple[float, ...]
    counts: Mapping[str, int]
    unusable: Mapping[str, int]
    units: Units
    fit: Fit = field(repr=False, compare=False)


def measure_features(
    source: Source,
    encoder: Encoder,
    out: str | Path,
    *,
    forge: Forge = 0,
    keep_levels: bool = False,
    batch: int = 8,
    workers: int = 0,
    progress: Progress = no_progress,
) -> FeatureStore:
    """Measure the features of a source's pictures into a store, or complete a store that is begun.

    Args:
        source: pictures with labels and splits.
        encoder: a backbone with the recipe of the features.
        out: folder of the store.
        forge: self-blended fakes that are made of each real picture, as a number or a function of the sample.
        keep_levels: store every layer's class and region tokens too.
        batch: pictures in one forward pass.
        workers: processes that decode and prepare pictures; 0 prepares them in this process.
        progress: called with the number of measured pictures and of all pictures.

    Returns:
        The complete store.

    Raises:
        StoreError: the folder holds a store of another recipe.
        DataError: the source has one id twice.
    """
    extract(
        source,
        [StoreTarget(encoder, out, keep_levels)],
        forge=forge,
        batch=batch,
        workers=workers,
        progress=progress,
    )
    return FeatureStore.open(out)


def train_detector(
    store: FeatureStore,
    backbone: Backbone,
    head: HeadRecipe | None = None,
    *,
    weights: str = "",
    domain: str = "",
    note: str = "",
    data: Sequence[Mapping[str, Any]] = (),
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    fpr: float = 0.05,
    draws: int = 1000,
    familiarity: Method | None = "mahalanobis",
    progress: Progress = no_progress,
) -> TrainingResult:
    """Fit a head for each seed, keep the seed with the best validation AUC, and calibrate it on the validation rows.

    The detector also learns how far features may lie from the training rows, with a limit from the validation rows. The
    test rows are only measured. A mini-batch larger than a quarter of the training rows is made smaller, so that
    small collections can be trained on; the detector's card says which size was used.

    Args:
        store: measured features with the splits train, val and test.
        backbone: the frozen ViT that measured them.
        head: how heads are trained; None for `corit.heads.defaults.default_head()`.
        weights: where the backbone's weights come from, for the card.
        domain: in words, what the pictures show, for the card.
        note: a remark for the card.
        data: what the card says of the data sets, see `Card.data`.
        seeds: one head is trained for each.
        fpr: false-positive rate on the validation reals at which the threshold is set.
        draws: bootstrap draws of the intervals.
        familiarity: how the distance from the training features is measured, by which a picture is called unfamiliar;
            None for a detector that knows no distance.
        progress: called with the number of finished training steps and of all steps.

    Returns:
        The detector with its measurements on the test rows.

    Raises:
        DataError: a part has no measured reals or no measured fakes.
        FitError: the rows are too few to train on.
    """
    parts = {name: _part(store, name) for name in PARTS}
    head = limit_batch(head or default_head(), len(parts["train"]))
    fits = _fit(parts, head, seeds, progress)
    best, calibration = _calibrated(parts["val"], fits, fpr)
    metrics, per_seed = _tested(parts["test"], fits, best, calibration.fake, draws)
    counts = {f"{name} {kind}": int((p.y == y).sum()) for name, p in parts.items() for kind, y in LABELS}
    texts = {"weights": weights, "domain": domain, "note": note, "data_digest": parts["train"].data_digest}
    features = units(fits.problems[0].train, fits.problems[0].standardiser)
    about = {**texts, "data": tuple(data), "units": features.record()}
    card = _card(store, backbone, head, calibration, _to_json(metrics, per_seed, counts), about)
    unusable = {status: n for status, n in store.counts().items() if status != "ok"}
    known = _familiarity(parts, store.recipe, backbone, familiarity) if familiarity else None
    detector = Detector(fits.head(seed=best), card, backbone, familiarity=known)
    return TrainingResult(detector, metrics, per_seed, counts, unusable, features, fits)


def _card(
    store: FeatureStore,
    backbone: Backbone,
    head: HeadRecipe,
    calibration: Calibration,
    results: Mapping[str, Any],
    about: Mapping[str, Any],
) -> Card:
    return Card(
        recipe=store.recipe,
        head=head,
        calibration=calibration,
        licence=backbone.licence,
        classes=("real", "fake"),
        metrics=results,
        versions=versions(),
        **about,
    )


def _fit(parts: Mapping[str, Features], head: HeadRecipe, seeds: Sequence[int], progress: Progress) -> Fit:
    train, valid = parts["train"], parts["val"]
    return fit([standardised_problem(train, train.y, valid, valid.y, head)], head, seeds=seeds, progress=progress)


def _familiarity(parts: Mapping[str, Features], recipe: Recipe, backbone: Backbone, method: Method) -> Familiarity:
    """Faces by all of z, scenes by its class tokens: chosen by measurement, see docs/explanation/unsure.md."""
    train = parts["train"]
    columns = class_columns(recipe.model, backbone.width, train.width) if recipe.views.domain == "scene" else None
    return fit_familiarity(train, parts["val"], method, columns=columns)


def _calibrated(valid: Features, fits: Fit, fpr: float) -> tuple[int, Calibration]:
    """The index of the seed with the best validation AUC, and its calibration there."""
    logits = fits.logits(0, fits.problems[0].valid)[:, 0].numpy()  # (S, n)
    best = int(np.argmax([auc(valid.y, one) for one in logits]))
    return best, calibrate(logits[best].astype(np.float64), valid.y, fpr)


def _tested(
    test: Features, fits: Fit, best: int, threshold: float, draws: int
) -> tuple[dict[str, Estimate], tuple[float, ...]]:
    """The metrics of the best seed's head on the test rows, and the AUC of every seed's head."""
    rows = test.to_tensor()
    logits = [fits.head(seed=s).logits(rows).numpy() for s in range(fits.weight.shape[1])]
    scores = HeadScores(test.y, logits[best][None], np.array([threshold]), test.column("group"))
    return estimates(scores, METRICS, draws=draws), tuple(auc(test.y, one) for one in logits)


def _part(store: FeatureStore, split: str) -> Features:
    """The measured rows of a split. Raises DataError unless it has reals and fakes."""
    table = store.table.select(["split", "status", "label", "reason"])
    rows = table.filter(pc.field("split") == split).to_pylist()
    measured = {r["label"] for r in rows if r["status"] == "ok"}
    missing = [kind for kind, label in LABELS if label not in measured]
    if missing:
        reasons = sorted({r["reason"] for r in rows if r["status"] != "ok"})
        raise DataError(
            f"expected real and fake pictures in the {split} part, but no {' or '.join(missing)} picture of it could "
            f"be measured{': ' + '; '.join(reasons[:3]) if reasons else ''}. Give more pictures, or another --domain"
        )
    return store.features(split=split)


def _to_json(metrics: Mapping[str, Estimate], per_seed: Sequence[float], counts: Mapping[str, int]) -> dict[str, Any]:
    parts = {k: (e.value, e.low, e.high) for k, e in metrics.items()}
    table: dict[str, Any] = {k: finite(values) for k, values in parts.items()}
    return {**table, "auc_per_seed": list(per_seed), "counts": dict(counts)}


def versions() -> dict[str, str]:
    """Return the versions that a result depends on: Python, the platform and the libraries that compute."""
    names = ("corit", "torch", "timm", "numpy", "opencv-python-headless", "scikit-learn")
    libraries = {n: importlib.metadata.version(n) for n in names}
    return {"python": platform.python_version(), "machine": platform.machine(), **libraries}


def split_source(source: Source, key: int = 0) -> SplitSource:
    """Assign a source's samples to train, val and test by group; see `corit.data.split.split_by_group`."""
    return SplitSource(source, split_by_group(source.samples, key=key))


def recipe_for(backbone: Backbone, domain: str = "", model: str = "", file: Path | None = None) -> Recipe:
    """Return the recipe of a detector's features: the defaults, changed by a file, changed by the other arguments.

    Args:
        backbone: the frozen ViT.
        domain: face or scene; empty for the file's, by default face.
        model: a detector's name; empty for the file's, by default corit.
        file: a recipe in TOML, or None.

    Returns:
        The recipe with the backbone's name and weights.

    Raises:
        RecipeError: the file or a name cannot be read, or the file is for other weights than the backbone's.
    """
    base = Recipe() if file is None else Recipe.read(file)
    if base.backbone.weights not in ("", backbone.digest):
        raise RecipeError(
            f"{file} is for {base.backbone.name} weights {base.backbone.weights[:12]}, but {backbone.name} has "
            f"{backbone.digest[:12]}; give --backbone and --weights of the file, or clear its backbone.weights"
        )
    recipe = base.replace(**{"backbone.name": backbone.name, "backbone.weights": backbone.digest})
    recipe = recipe_of(model, recipe) if model else recipe
    return recipe.replace(**{"views.domain": domain}) if domain else recipe
