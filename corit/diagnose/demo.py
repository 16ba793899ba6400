"""Features for `corit diagnose --demo`: UniFD's and CoRIT's of the miniature world, and numbers of a known geometry."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from corit.backbones.load import load_backbone
from corit.detect.named import recipe_of
from corit.diagnose.features import FINAL, LayerFeatures, assign_splits
from corit.diagnose.plan import DiagnosisPlan
from corit.diagnose.stores import read_stores
from corit.features.extract import extract
from corit.features.targets import StoreTarget
from corit.heads.rows import TensorRows
from corit.model.encode import Encoder
from corit.progress import OpenBar, progress_bar
from corit.recipe import BackboneRecipe, Recipe
from corit.theory.common_mean import Synthetic, synthetic_features
from corit.world.miniature import Miniature, MiniatureSpec, sized_world

MODELS = {"UniFD": "unifd", "CoRIT": "corit"}
SPEC = sized_world(90, 4)
# Fewer radii than the default plan has, the two ends and 0.05 among them, so that the demo takes minutes.
RHOS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 1.0, 2.0, 5.0, 20.0)
PLAN = DiagnosisPlan(rhos=RHOS, steps=400, rows=500)
# Three forgeries of rows with a common mean as large as CLIP's at its largest: one in directions of low variance, which
# the nearest-mean classifier misses, one in those of high variance, and one that leaves no trace.
SUBTLE = Synthetic(width=192, mean_norm=60.0, common=0.97, distance=3.0, signal="low")
NUMBERS = {"subtle": SUBTLE, "overt": replace(SUBTLE, distance=5.0, signal="high"), "absent": None}


def number_features(count: int = 600) -> LayerFeatures:
    """Draw numbers that need no picture: raw features with a large common mean, and three groups of fakes.

    Args:
        count: reals, and fakes of each group.
    """
    noise = lambda part: synthetic_features(count, replace(SUBTLE, distance=0.0), part=part)[0]
    parts = [noise("real"), *(noise(name) + _shift(world) for name, world in NUMBERS.items())]
    kind = np.repeat(["", *NUMBERS], count)
    texts = {"manipulation": kind, "split": np.full(len(kind), ""), "dataset": np.full(len(kind), "")}
    caption = f"random numbers, {100 * SUBTLE.common:.0f} % of the squared norm common, seed 0; no backbone"
    rows = TensorRows(torch.cat(parts).float())
    y = (kind != "").astype(np.int64)
    group = np.arange(len(kind)).astype(str)
    return assign_splits(LayerFeatures("numbers", caption, {FINAL: rows}, y, group=group, **texts))


def _shift(world: Synthetic | None) -> torch.Tensor:
    """The difference of the class means: the drawn numbers with a signal less those without."""
    if world is None:
        return torch.zeros(SUBTLE.width, dtype=torch.float64)
    with_signal, y = synthetic_features(2, world)
    without, _ = synthetic_features(2, replace(world, distance=0.0))
    difference: torch.Tensor = 2 * (with_signal - without)[y == 1][0]
    return difference


def demo_features(
    out: str | Path,
    spec: MiniatureSpec = SPEC,
    *,
    weights: str = "packaged",
    workers: int = 2,
    bars: OpenBar = progress_bar,
) -> tuple[LayerFeatures, ...]:
    """Extract both models' features in one pass over the pictures, into `out`/features; a second run resumes.

    The features of `number_features` stand beside them.

    Args:
        out: folder of the diagnosis.
        spec: size of the miniature world.
        weights: of the miniature ViT; see `load_backbone`.
        workers: processes that draw and prepare pictures.
        bars: opens progress bars.
    """
    backbone = load_backbone("miniature", weights)
    base = Recipe(BackboneRecipe(backbone.name, backbone.digest))
    folders = {name: Path(out) / "features" / model for name, model in MODELS.items()}
    targets = [
        StoreTarget(Encoder(backbone, recipe_of(m, base)), folders[n], keep_levels=True) for n, m in MODELS.items()
    ]
    with bars("pictures, views and features") as progress:
        extract(Miniature(spec), targets, batch=32, workers=workers, progress=progress)
    world = (
        f"miniature, seed {spec.seed}, {spec.train}/{spec.val}/{spec.test} identities x {spec.pictures} pictures, "
        f"{spec.side} px"
    )
    origin = f"miniature ViT, {weights} weights {backbone.digest[:12]}"
    stores = zip(MODELS, read_stores(list(folders.values())), strict=True)
    drawn = tuple(replace(s, name=n, caption=f"{world}; {n} features of {origin}") for n, s in stores)
    return (*drawn, number_features())
