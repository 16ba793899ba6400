"""The demo in the miniature world: UniFD and CoRIT, in-domain and leave-one-out, and a detector to use."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from corit.backbones.load import load_backbone
from corit.backbones.stepped import Backbone
from corit.data.sample import Source
from corit.features.store import Features, FeatureStore
from corit.files import write_text
from corit.heads.defaults import experiment_head
from corit.heads.fit import Fit, fit
from corit.heads.head import HeadRecipe
from corit.heads.problem import Problem, standardised_problem
from corit.images.picture import DRAWN
from corit.metrics.auc import auc
from corit.metrics.bootstrap import Estimate, bootstrap
from corit.model.encode import Encoder
from corit.progress import OpenBar, no_bar
from corit.recipe import BackboneRecipe, Recipe
from corit.serialise import json_text
from corit.train.heads import TrainingResult, measure_features, train_detector
from corit.world.miniature import Miniature, MiniatureSpec

MODELS = ("unifd", "corit")
HEAD = experiment_head()


# Manipulation type -> AUC: the median over head seeds, with a bootstrap interval over identities of that median.
AucByType = Mapping[str, Estimate]


@dataclass(frozen=True)
class ModelComparison:
    """Both models on the test identities.

    Attributes:
        spec: the miniature world.
        in_domain: by model, AUC of heads that are trained on all manipulation types.
        leave_one_out: by model, AUC of heads that are trained and selected without the tested type.
        fits: by model, the heads: problem 0 has all types, then each problem leaves one out.
        outcome: the CoRIT detector, trained on all types.
        seeds: head seeds.
        head: the heads' recipe.
        backbone: the backbone in words.
        seconds: duration.
    """

    spec: MiniatureSpec
    in_domain: Mapping[str, AucByType]
    leave_one_out: Mapping[str, AucByType]
    fits: Mapping[str, Fit] = field(repr=False)
    outcome: TrainingResult = field(repr=False)
    seeds: tuple[int, ...]
    head: HeadRecipe
    backbone: str
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return the content of results.json."""
        tables = {"in_domain": self.in_domain, "leave_one_out": self.leave_one_out}
        values = {
            name: {m: {k: round(e.value, 4) for k, e in aucs.items()} for m, aucs in table.items()}
            for name, table in tables.items()
        }
        intervals = {
            name: {m: {k: [round(e.low, 4), round(e.high, 4)] for k, e in aucs.items()} for m, aucs in table.items()}
            for name, table in tables.items()
        }
        spec = self.spec
        world = (
            f"miniature, seed {spec.seed}, {spec.train}/{spec.val}/{spec.test} identities x {spec.pictures} pictures, "
            f"{spec.side} px, {spec.traces} traces"
        )
        head = f"{self.head.kind}, SAM rho {self.head.rho}, {self.head.optimiser}, {self.head.scaling} scaling"
        record = {"world": world, "backbone": self.backbone, "head": head, "seeds": list(self.seeds)}
        return {**record, **values, "intervals": intervals, "seconds": round(self.seconds, 1)}


def compare_models(
    out: str | Path,
    *,
    spec: MiniatureSpec | None = None,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    head: HeadRecipe = HEAD,
    weights: str = "packaged",
    workers: int = 2,
    bars: OpenBar = no_bar,
) -> ModelComparison:
    """Extract both models' features of a miniature world, fit every head, and measure the test identities once.

    In-domain heads are trained on all four manipulation types and tested on each against the reals. Leave-one-out heads
    are trained and selected on the other three types.

    Args:
        out: folder; its `features` holds the features, so that an interrupted run resumes.
        spec: the world, by default that of `corit demo`.
        seeds: head seeds.
        head: the heads' recipe.
        weights: where the encoder's weights come from.
        workers: processes that prepare pictures, 0 for this one.
        bars: opens progress bars.
    """
    started = time.monotonic()
    spec = spec or MiniatureSpec()
    world, backbone = Miniature(spec), load_backbone("miniature", weights)
    stores = {m: _features(world, m, backbone, Path(out) / "features" / m, workers, bars) for m in MODELS}
    fits = {m: _fit(stores[m], spec.kinds, head, seeds, bars, m) for m in MODELS}
    aucs = {m: _aucs(stores[m], fits[m], spec.kinds) for m in MODELS}
    outcome = train_detector(
        stores["corit"], backbone, head, weights=weights, seeds=seeds, note=_note(spec), domain=DRAWN
    )
    return ModelComparison(
        spec,
        {m: aucs[m][0] for m in MODELS},
        {m: aucs[m][1] for m in MODELS},
        fits,
        outcome,
        tuple(seeds),
        head,
        f"miniature ViT, {weights} weights {backbone.digest[:12]}",
        time.monotonic() - started,
    )


def write_results(result: ModelComparison, path: str | Path) -> None:
    """Write results.json atomically."""
    write_text(Path(path), json_text(result.to_json()))


def recipe(model: str, backbone: Backbone) -> Recipe:
    """Return the default recipe of one of the two models, "unifd" or "corit"."""
    return Recipe(BackboneRecipe(backbone.name, backbone.digest)).replace(**{"model.kind": model})


def _features(world: Source, model: str, backbone: Backbone, out: Path, workers: int, bars: OpenBar) -> FeatureStore:
    with bars(f"pictures, views and {model} features") as progress:
        encoder = Encoder(backbone, recipe(model, backbone))
        return measure_features(world, encoder, out, batch=32, workers=workers, progress=progress)


def _fit(
    store: FeatureStore, kinds: Sequence[str], head: HeadRecipe, seeds: Sequence[int], bars: OpenBar, model: str
) -> Fit:
    parts = {s: store.features(split=s) for s in ("train", "val")}
    tasks = [_task(parts["train"], parts["val"], without, head) for without in ("", *kinds)]
    with bars(f"heads on {model} features") as progress:
        return fit(tasks, head, seeds=seeds, progress=progress)


def _task(train: Features, valid: Features, without: str, head: HeadRecipe) -> Problem:
    """Trained and selected without one manipulation; an empty name leaves nothing out."""
    if without:
        train, valid = (p.take(np.flatnonzero(p.column("manipulation") != without)) for p in (train, valid))
    return standardised_problem(train, train.y, valid, valid.y, head)


def _aucs(store: FeatureStore, fits: Fit, kinds: Sequence[str]) -> tuple[AucByType, AucByType]:
    """In-domain and leave-one-out AUC on the test identities."""
    test = store.features(split="test")
    column = test.column("manipulation")
    in_domain, left_out = {}, {}
    for i, kind in enumerate(kinds, start=1):
        rows = test.take(np.flatnonzero((column == "") | (column == kind)))
        in_domain[kind] = _median_auc(rows, fits, 0)
        left_out[kind] = _median_auc(rows, fits, i)
    return in_domain, left_out


def _median_auc(rows: Features, fits: Fit, task: int) -> Estimate:
    z, seeds = rows.to_tensor(), fits.weight.shape[1]
    scores = np.stack([fits.head(task, s).logits(z).numpy() for s in range(seeds)], axis=1)
    return bootstrap(_over_seeds, rows.y, scores, groups=rows.column("group"), draws=300)


def _over_seeds(labels: np.ndarray, scores: np.ndarray) -> float:
    """The median of the AUCs of score columns (n, S)."""
    return float(np.median([auc(labels, s) for s in scores.T]))


def _note(spec: MiniatureSpec) -> str:
    return f"trained in the miniature world (seed {spec.seed}); it knows nothing of real deepfakes"
