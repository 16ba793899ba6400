"""Make a packaged detector: measure its collections, choose its features on validation rows, and train it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from corit.backbones.stepped import Backbone
from corit.data.collections import FACES, SCENES, Collection, CollectionSource
from corit.data.re_encoded import ReEncodedSource, is_re_encoded
from corit.data.sample import Sample, Source
from corit.data.selected import JoinedSources
from corit.detect.detector import Detector
from corit.errors import DetectorError
from corit.features.derive import derive_store, read_levels
from corit.features.extract import extract
from corit.features.preparation import SELF_BLENDED
from corit.features.store import Features, FeatureStore
from corit.features.targets import StoreTarget
from corit.heads.defaults import default_head, limit_batch
from corit.heads.fit import fit
from corit.heads.head import HeadRecipe
from corit.heads.problem import standardised_problem
from corit.heads.rows import TensorRows
from corit.metrics.auc import auc
from corit.metrics.calibration import set_threshold
from corit.metrics.threshold import FprThreshold, lowest_fpr_threshold
from corit.model.encode import Encoder
from corit.progress import Progress, no_progress
from corit.recipe import Recipe
from corit.seeding import seed
from corit.serialise import json_text
from corit.train.forged_scenes import ForgedScenes
from corit.train.heads import TrainingResult, train_detector
from corit.train.rows import rows_of
from corit.train.stand_in import FILE, compress

Changes = Mapping[str, object]  # dotted fields of a recipe
# A packaged detector meets pictures that are unlike its collections, so it says fake where hardly a real one scores so.
VERDICT_FPR = 0.01


@dataclass(frozen=True)
class PackagedPlan:
    """What a packaged detector is trained on, and which features are compared for it.

    Attributes:
        name: of the detector.
        domain: of its views.
        about: what its training pictures show, for its card.
        limits: what it cannot find, for its card.
        collections: of training pictures.
        blends: of how many reals one gets a self-blended fake: one in so many, by collection.
        candidates: changes of CoRIT's recipe by name, that select layers only.
        heads: how the compared heads are trained, by name.
        seeds: of the heads.
        backbone: its name.
        compared: pairs, or pictures of each class, of each collection by which models are compared; the layers and the
            head of the better model are compared on all.
        re_encoded: changed versions of a picture, by collection; see `ReEncodedSource`.
        forged: each real picture is forged at full size as well; see `ForgedScenes`.
    """

    name: str
    domain: str
    about: str
    limits: str
    collections: tuple[Collection, ...]
    blends: Mapping[str, int]
    candidates: Mapping[str, Changes]
    heads: Mapping[str, HeadRecipe] = field(
        default_factory=lambda: {"linear head": default_head(), "perceptron": default_head("mlp")}
    )
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    backbone: str = "clip-vit-b16"
    compared: int = 250
    re_encoded: Mapping[str, float] = field(default_factory=dict)
    forged: bool = False

    def source(self, root: str, limit: int = 0, first: int = 0) -> Source:
        """Open its collections below a folder as one source; see `CollectionSource` for limit and first."""
        joined = JoinedSources(tuple(CollectionSource(c, root, limit, first) for c in self.collections))
        return ReEncodedSource(ForgedScenes(joined) if self.forged else joined, self.re_encoded)

    def blended(self, sample: Sample) -> int:
        """Return how many self-blended fakes a real picture gets: one or none, by a hash of its id."""
        return int(seed("self-blends", sample.id) % self.blends[sample.dataset] == 0)


def _layers() -> dict[str, Changes]:
    """UniFD and CoRIT of single layers, and CoRIT of two layers, for a backbone of twelve blocks."""
    single = range(5, 13)
    two = ((6, 9), (7, 10), (8, 10), (8, 11), (9, 11), (9, 12))
    unifd = {f"UniFD, layer {l}": {"model.kind": "unifd", "model.layer": _last(l)} for l in single}
    one = {f"CoRIT, layer {l} alone": {"model.hri": False, "model.layer": _last(l)} for l in single}
    joined = {f"CoRIT, layers {m} and {l}": {"model.middle": m, "model.layer": _last(l)} for m, l in two}
    return {**unifd, **one, **joined}


def _last(layer: int) -> int:
    return 0 if layer == 12 else layer


PLANS = {
    plan.name: plan
    for plan in (
        PackagedPlan(
            "faces-b16",
            "face",
            "faces: video frames of actors (DFDC), portraits (FFHQ) and photographs of people",
            "It knows face swaps of DFDC, StyleGAN's portraits, composites made by hand, and self-blends. Of pictures "
            "by other generators and of other manipulations it says nothing reliable.",
            FACES,
            {"dfdc": 7, "stylegan": 6, "composite": 2},
            _layers(),
            re_encoded={"dfdc": 0.25, "stylegan": 0.33, "composite": 1},
        ),
        PackagedPlan(
            "scenes-b16",
            "scene",
            "photographs of things, animals and places (ImageNet)",
            "It finds what is blended into a photograph with a seam, another colour or another sharpness. Its fakes "
            "are made of photographs by program: self-blends, splices and upsampled patches. It does not find "
            "pictures that are generated as a whole.",
            SCENES,
            {"photograph": 1},
            _layers(),
            re_encoded={"photograph": 1},
            forged=True,
        ),
    )
}


@dataclass(frozen=True)
class Making:
    """A made detector, with what its card is written from.

    Attributes:
        plan: of the detector.
        result: the detector with its measurements on all test rows.
        store: the features of the chosen recipe.
        features: the name of the chosen candidate.
        head: the name of the chosen head.
        compared: mean validation AUC over the kinds of forgery, by candidate and head, of heads that were trained on
            the compared part; it decides between models.
        validation: the same of the decided model's candidates, trained on all training rows; it decides the rest.
    """

    plan: PackagedPlan
    result: TrainingResult
    store: FeatureStore
    features: str
    head: str
    compared: Mapping[tuple[str, str], float]
    validation: Mapping[tuple[str, str], float]


def plan_of(name: str) -> PackagedPlan:
    """Return the plan of a packaged detector. Raises DetectorError for an unknown name."""
    if name not in PLANS:
        raise DetectorError(f"no plan of a packaged detector {name!r}; there are {', '.join(PLANS)}")
    return PLANS[name]


def make_detector(
    plan: PackagedPlan,
    root: str,
    features: Path,
    backbone: Backbone,
    *,
    limit: int = 0,
    batch: int = 8,
    workers: int = 0,
    device: str = "cpu",
    progress: Progress = no_progress,
) -> Making:
    """Measure a plan's pictures, choose its features on validation rows, and train its detector.

    Args:
        plan: of the detector.
        root: the folder that holds the folders of the collections.
        features: folder of the feature stores; a run that was interrupted goes on from them.
        backbone: the frozen ViT.
        limit: at most this many groups of each class of each collection; 0 for all.
        batch: pictures in one forward pass.
        workers: processes that prepare pictures.
        device: of the forward passes.
        progress: called with the number of measured pictures and of all pictures, for each model in turn.

    Returns:
        The detector and its measurements.

    Raises:
        DataError: a collection is missing.
        StoreError: the folder holds features of another recipe.
    """
    run = _Run(plan, root, features, backbone, limit, batch, workers, device)
    kinds = sorted({str(changes.get("model.kind", "corit")) for changes in plan.candidates.values()})
    stores = {kind: run.measure(kind, plan.compared, progress) for kind in kinds}
    recipes = {name: run.recipe(changes) for name, changes in plan.candidates.items()}
    compared = _validation(recipes, stores, plan)
    kind = recipes[_best(compared)[0]].model.kind
    whole = run.measure(kind, 0, progress)
    validation = _validation({n: r for n, r in recipes.items() if r.model.kind == kind}, {kind: whole}, plan)
    chosen, head = _best(validation)
    recipe = recipes[chosen]
    store = derive_store(whole, recipe, features / recipe.digest[:12])
    result = train_detector(
        store,
        backbone,
        plan.heads[head],
        weights="auto",
        domain=plan.about,
        note=f"packaged as {plan.name}",
        seeds=plan.seeds,
    )
    cautious = _cautious(result.detector, store)
    return Making(plan, replace(result, detector=cautious), store, chosen, head, compared, validation)


def _cautious(detector: Detector, store: FeatureStore) -> Detector:
    """The detector with the threshold of fake at `VERDICT_FPR`, or at the lowest rate that its reals can tell."""
    threshold = lowest_threshold(score_rows(detector, store.features(split="val", label=0)), VERDICT_FPR)
    changed = set_threshold(detector.card.calibration, threshold, round(threshold.fpr.value, 4))
    return detector.changed(replace(detector.card, calibration=changed))


@dataclass(frozen=True)
class ScoredRows:
    """Measured rows with the scores of a detector.

    Attributes:
        rows: the rows.
        scores: (n) probabilities of fake.
    """

    rows: Features
    scores: np.ndarray

    def take(self, index: np.ndarray) -> ScoredRows:
        """Select rows by their indices."""
        return ScoredRows(self.rows.take(index), self.scores[index])


def score_rows(detector: Detector, rows: Features) -> ScoredRows:
    """Score measured rows."""
    return ScoredRows(rows, detector.card.calibration.score(detector.head.score_rows(rows).double().numpy()))


def lowest_threshold(reals: ScoredRows, fpr: float) -> FprThreshold:
    """Set the score from which at most a share of new reals is expected.

    Args:
        reals: of the validation part.
        fpr: the share; where the sources of the reals are too few to tell it, the lowest that they can.

    Returns:
        The threshold, with the expected share and its interval.
    """
    return lowest_fpr_threshold(reals.scores, fpr, reals.rows.column("group"))


def _validation(
    recipes: Mapping[str, Recipe], stores: Mapping[str, FeatureStore], plan: PackagedPlan
) -> dict[tuple[str, str], float]:
    """The mean validation AUC over the kinds of forgery, by recipe and head."""
    return {
        (name, head): value
        for name, recipe in recipes.items()
        for head, value in validation_aucs(stores[recipe.model.kind], recipe, plan).items()
    }


def _best(validation: Mapping[tuple[str, str], float]) -> tuple[str, str]:
    return max(validation, key=lambda names: validation[names])


def save_packaged(making: Making, card: Mapping[str, Any], markdown: str, out: Path) -> Path:
    """Write the folder of a packaged detector, whole or not at all: detector, card and compressed training features.

    Args:
        making: the detector with its features.
        card: of `corit.train.card.make_card`.
        markdown: the card as text.
        out: the folder; a detector that is there is replaced.

    Returns:
        The folder.

    Raises:
        DetectorError: something else is there.
    """
    detector, store = making.result.detector, making.store
    files = {
        FILE: compress(rows_of(store), detector.head, store.digest).to_bytes(),
        "card.json": json_text(card).encode(),
        "card.md": markdown.encode(),
    }
    return detector.save(out, files=files)


@dataclass(frozen=True)
class _Run:
    """Where and how a plan's pictures are measured."""

    plan: PackagedPlan
    root: str
    features: Path
    backbone: Backbone
    limit: int
    batch: int
    workers: int
    device: str

    def recipe(self, changes: Changes) -> Recipe:
        backbone = {"backbone.name": self.backbone.name, "backbone.weights": self.backbone.digest}
        return Recipe().replace(**{**backbone, "views.domain": self.plan.domain, **changes})

    def measure(self, kind: str, first: int, progress: Progress) -> FeatureStore:
        """A store with all layers of the pictures for one kind of model."""
        encoder, folder = Encoder(self.backbone, self.recipe({"model.kind": kind}), self.device), self.features / kind
        extract(
            self.plan.source(self.root, self.limit, first),
            [StoreTarget(encoder, folder, keep_levels=True)],
            forge=self.plan.blended,
            batch=self.batch,
            workers=self.workers,
            progress=progress,
        )
        return FeatureStore.open(folder)


def validation_aucs(store: FeatureStore, recipe: Recipe, plan: PackagedPlan) -> dict[str, float]:
    """Train one of each head on the features of a recipe.

    Args:
        store: features of which those of the recipe can be read.
        recipe: of the features.
        plan: names the heads.

    Returns:
        The mean validation AUC over the kinds of forgery, by head.
    """
    (train, x), (valid, valid_x) = (read_levels(store, recipe, split=split) for split in ("train", "val"))
    values = {}
    for name, head in plan.heads.items():
        head = limit_batch(head, len(train))
        problem = standardised_problem(TensorRows(x), train.y, TensorRows(valid_x), valid.y, head)
        logits = fit([problem], head, seeds=plan.seeds[:1]).logits(0, problem.valid)[0, 0].numpy()
        values[name] = float(np.mean(list(auc_by_kind(valid, logits).values())))
    return values


def re_encoded(rows: Features) -> np.ndarray:
    """Tell which rows (n) are of changed versions of pictures."""
    return np.array([is_re_encoded(str(i)) for i in rows.ids], dtype=bool)


def rows_by_kind(rows: Features) -> dict[str, np.ndarray]:
    """Return, for each kind of forgery, the indices of its fakes and of the reals that they are compared with.

    Fakes are compared with the reals of their collection, self-blended fakes with all reals.
    """
    kinds, sets, y = rows.column("manipulation"), rows.column("dataset"), rows.y
    table = {}
    for kind in sorted(set(kinds) - {""}):
        fake = kinds == kind
        real = (y == 0) if kind == SELF_BLENDED else (y == 0) & np.isin(sets, np.unique(sets[fake]))
        table[kind] = np.flatnonzero(fake | real)
    return table


def auc_by_kind(rows: Features, logits: np.ndarray) -> dict[str, float]:
    """Return the AUC (kind -> AUC) of logits (n) of rows."""
    return {kind: auc(rows.y[index], logits[index]) for kind, index in rows_by_kind(rows).items()}
