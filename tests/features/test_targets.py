"""Several recipes in one pass give what each gives alone."""

from __future__ import annotations

import numpy as np
import pytest

from corit.backbones.load import load_backbone
from corit.features.extract import extract
from corit.features.store import FeatureStore
from corit.features.targets import StoreTarget
from corit.model.encode import Encoder
from corit.recipe import BackboneRecipe, Recipe
from corit.world.miniature import Miniature, MiniatureSpec

CHANGES = {
    "corit": {},
    "unifd": {"model.kind": "unifd"},
    "random": {"views.random_regions": 3},
    "boundary": {"model.regions": ("boundary",)},
    "tau": {"model.tau": 0.9},
    "scenes": {"views.domain": "scene"},
}


@pytest.fixture(scope="module")
def encoders():
    backbone = load_backbone("miniature", "packaged")
    base = Recipe(BackboneRecipe(backbone.name, backbone.digest))
    return {name: Encoder(backbone, base.replace(**changes)) for name, changes in CHANGES.items()}


@pytest.fixture(scope="module")
def both(encoders, tmp_path_factory):
    """The stores of one shared pass, and of a pass for each recipe."""
    world, out = Miniature(MiniatureSpec(0, 2, 2, 2, 1)), tmp_path_factory.mktemp("shared")
    told = []
    extract(
        world,
        [StoreTarget(e, out / "shared" / n) for n, e in encoders.items()],
        progress=lambda *a: told.append(a),
    )
    for name, encoder in encoders.items():
        extract(world, [StoreTarget(encoder, out / "alone" / name)])
    assert told[-1][0] == told[-1][1]
    return out


@pytest.mark.parametrize("name", CHANGES)
def test_every_recipe_gets_the_features_that_it_has_alone(both, name, agree):
    one, other = (FeatureStore.open(both / where / name) for where in ("shared", "alone"))
    a, b = (s.features() for s in (one, other))
    order, back = (np.argsort(f.column("id")) for f in (a, b))
    assert a.column("id")[order].tolist() == b.column("id")[back].tolist()
    agree(a.to_tensor()[order], b.to_tensor()[back], rtol=1e-2, atol=2e-3)
    assert one.recipe == other.recipe


def test_recipes_differ_from_each_other(both):
    z = [FeatureStore.open(both / "shared" / n).features().to_tensor() for n in ("corit", "random", "tau")]
    assert not np.allclose(z[0], z[1])
    assert not np.allclose(z[0], z[2])
