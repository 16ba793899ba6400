"""UniFD's and CoRIT's features of the miniature world at every layer, for `corit diagnose --demo`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from corit.backbones.load import load_backbone
from corit.detect.named import recipe_of
from corit.diagnose.features import LayerFeatures
from corit.diagnose.plan import DiagnosisPlan
from corit.diagnose.stores import read_stores
from corit.features.extract import extract
from corit.features.targets import StoreTarget
from corit.model.encode import Encoder
from corit.progress import OpenBar, progress_bar
from corit.recipe import BackboneRecipe, Recipe
from corit.world.miniature import Miniature, MiniatureSpec, sized_world

MODELS = {"UniFD": "unifd", "CoRIT": "corit"}
SPEC = sized_world(90, 4)
# Fewer radii than the default plan has, the two ends and 0.05 among them, so that the demo takes minutes.
RHOS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 1.0, 2.0, 5.0, 20.0)
PLAN = DiagnosisPlan(rhos=RHOS, steps=400, rows=500)


def demo_features(
    out: str | Path,
    spec: MiniatureSpec = SPEC,
    *,
    weights: str = "packaged",
    workers: int = 2,
    bars: OpenBar = progress_bar,
) -> tuple[LayerFeatures, ...]:
    """Extract both models' features in one pass over the pictures, into `out`/features; a second run resumes.

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
    return tuple(replace(s, name=n, caption=f"{world}; {n} features of {origin}") for n, s in stores)
