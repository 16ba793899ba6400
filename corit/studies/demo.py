"""The main job in the miniature world: UniFD and CoRIT, in-domain and leave-one-out, and a detector to use."""

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


@dataclass(frozen=True)
class Table:
    """AUC of each manipulation: median over head seeds, with a bootstrap interval over identities of that median."""

    values: Mapping[str, Estimate]


@dataclass(frozen=True)
class Comparison:
    """What the demo found. Tables by model; fits by model: problem 0 is trained on everything, then one left out each.

    detector: the CoRIT detector trained on all manipulations.
    """

    spec: MiniatureSpec
    in_domain: Mapping[str, Table]
    leave_one_out: Mapping[str, Table]
    fits: Mapping[str, Fit] = field(repr=False)
    outcome: TrainingResult = field(repr=False)
    seeds: tuple[int, ...]
    head: HeadRecipe
    backbone: str
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The flat record that `results.json` holds."""
        tables = {"in_domain": self.in_domain, "leave_one_out": self.leave_one_out}
        values = {
            name: {m: {k: round(e.value, 4) for k, e in t.values.items()} for m, t in table.items()}
            for name, table in tables.items()
        }
        intervals = {
            name: {m: {k: [round(e.low, 4), round(e.high, 4)] for k, e in t.values.items()} for m, t in table.items()}
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


def compare(
    out: str | Path,
    *,
    spec: MiniatureSpec | None = None,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    head: HeadRecipe = HEAD,
    weights: str = "packaged",
    workers: int = 2,
    bars: OpenBar = no_bar,
) -> Comparison:
    """Extract both models' features of the miniature, fit every head, and measure the test identities once.

    In-domain: trained on all four manipulations, tested on each against the reals. Leave-one-out: trained and
    selected on the three others. Features stay in `out`/features, so that an interrupted run goes on where it was.
    """
    started = time.monotonic()
    spec = spec or MiniatureSpec()
    world, backbone = Miniature(spec), load_backbone("miniature", weights)
    stores = {m: _features(world, m, backbone, Path(out) / "features" / m, workers, bars) for m in MODELS}
    fits = {m: _fit(stores[m], spec.kinds, head, seeds, bars, m) for m in MODELS}
    measured = {m: _tables(stores[m], fits[m], spec.kinds) for m in MODELS}
    outcome = train_detector(
        stores["corit"], backbone, head, weights=weights, seeds=seeds, note=_note(spec), domain=DRAWN
    )
    return Comparison(
        spec,
        {m: measured[m][0] for m in MODELS},
        {m: measured[m][1] for m in MODELS},
        fits,
        outcome,
        tuple(seeds),
        head,
        f"miniature ViT, {weights} weights {backbone.digest[:12]}",
        time.monotonic() - started,
    )


def write_results(found: Comparison, path: str | Path) -> None:
    """Write `results.json`, whole or not at all."""
    write_text(Path(path), json_text(found.to_json()))


def recipe(model: str, backbone: Backbone) -> Recipe:
    """The recipe of one of the two models with its defaults."""
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


def _task(tr: Features, va: Features, without: str, head: HeadRecipe) -> Problem:
    """Trained and selected without one manipulation; an empty name leaves nothing out."""
    tr, va = (p.take(np.flatnonzero(p.column("manipulation") != without)) if without else p for p in (tr, va))
    return standardised_problem(tr, tr.y, va, va.y, head)


def _tables(store: FeatureStore, fits: Fit, kinds: Sequence[str]) -> tuple[Table, Table]:
    """In-domain and leave-one-out tables on the test identities."""
    te = store.features(split="test")
    column = te.column("manipulation")
    inside, outside = {}, {}
    for i, kind in enumerate(kinds, start=1):
        rows = te.take(np.flatnonzero((column == "") | (column == kind)))
        inside[kind] = _median_auc(rows, fits, 0)
        outside[kind] = _median_auc(rows, fits, i)
    return Table(inside), Table(outside)


def _median_auc(rows: Features, fits: Fit, task: int) -> Estimate:
    z, seeds = rows.to_tensor(), fits.weight.shape[1]
    scores = np.stack([fits.head(task, s).logits(z).numpy() for s in range(seeds)], axis=1)
    return bootstrap(_over_seeds, rows.y, scores, groups=rows.column("group"), draws=300)


def _over_seeds(labels: np.ndarray, scores: np.ndarray) -> float:
    """The median of the AUCs of score columns (n, S)."""
    return float(np.median([auc(labels, s) for s in scores.T]))


def _note(spec: MiniatureSpec) -> str:
    return f"trained in the miniature world (seed {spec.seed}); it knows nothing of real deepfakes"
