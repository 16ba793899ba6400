from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import corit
from corit.errors import RecipeError
from corit.recipe import ModelRecipe, Recipe
from corit.seeding import generator, seed, torch_generator


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"model.tau": 0, "model.regions": ["background"], "views.domain": "scene"},
        {"views.blend.blur": (3, 9), "backbone.name": 'odd "name"', "model.threshold": "cosine"},
    ],
)
def test_a_recipe_survives_toml(changes, tmp_path):
    recipe = Recipe().replace(**changes)
    again = Recipe.from_toml(recipe.to_toml())
    assert again == recipe
    assert again.digest == recipe.digest
    (tmp_path / "r.toml").write_text(recipe.to_toml())
    assert Recipe.read(tmp_path / "r.toml") == recipe


def test_a_later_field_changes_digest_and_toml_only_where_it_is_used():
    recipe = Recipe()
    assert "layer" not in recipe.to_toml()
    assert recipe.digest == recipe.replace(**{"model.layer": 0}).digest != recipe.replace(**{"model.layer": 8}).digest
    assert Recipe.from_toml(recipe.replace(**{"model.layer": 8}).to_toml()).model.layer == 8
    with pytest.raises(RecipeError, match="model.layer: expected 0 with unifd-768"):
        recipe.replace(**{"model.kind": "unifd-768", "model.layer": 8})
    with pytest.raises(RecipeError, match="model.layer: expected a block number from 1, or 0 for the last; got -1"):
        recipe.replace(**{"model.layer": -1})


def test_the_digest_differs_between_recipes_not_notations():
    assert Recipe().digest != Recipe().replace(**{"model.tau": 0.2}).digest
    assert Recipe().replace(**{"model.tau": 1}).digest == Recipe().replace(**{"model.tau": 1.0}).digest
    assert Recipe.from_toml("").digest == Recipe().digest


BAD = {
    "[model]\ntao = 1": "no such field: tao",
    "[model]\ntau = 'high'": "model.tau: expected float; got 'high'",
    "[model]\ntau = -1": "expected tau >= 0",
    "[model]\npooling = 'median'": "one of 'average', 'max'",
    "[model]\nregions = []": "at least one region",
    "[model]\nregions = ['foreground', 'foreground']": "no region twice",
    "[model]\nregions = ['nose']": "model.regions",
    "[model]\nfusion = 'cross-attention'\nhri = false": "joins two levels",
    "[model]\nmiddle = -1": "a block number",
    "[model]\nrsi = 1": "model.rsi",
    "model = 3": "expected a table",
    "[views]\nboundary = 0.9": "views.boundary",
    "[views.blend]\nblur = [1]": "views.blend.blur",
    "tau = ": "does not parse",
}


@pytest.mark.parametrize("text", BAD)
def test_a_bad_recipe_is_refused_in_words(text):
    with pytest.raises(RecipeError, match=BAD[text].replace("[", r"\[")):
        Recipe.from_toml(text)


def test_unknown_names_are_refused_in_words(tmp_path):
    for name in ("model.tao", "tau", "model.tau.x"):
        with pytest.raises(RecipeError, match="no recipe field"):
            Recipe().replace(**{name: 1})
    with pytest.raises(RecipeError, match="No such file"):
        Recipe.read(tmp_path / "absent.toml")
    assert ModelRecipe(kind="unifd", regions=()).regions == ()


def test_seeds_are_the_same_everywhere_and_differ_by_key():
    assert seed("a", 1, b"x", np.arange(3, dtype=np.uint8)) == 4281540162364912702
    assert len({seed(1, 23), seed(12, 3), seed("1", 23), seed(b"1", 23), seed(np.array([1, 23]))}) == 5
    assert generator("x").random() == generator("x").random()
    assert torch_generator("x").initial_seed() == torch_generator("x").initial_seed()
    with pytest.raises(TypeError, match="int, str, bytes or array"):
        seed(1.5)


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, corit; print(sorted({'torch', 'timm', 'numpy', 'cv2', 'sklearn'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
    assert corit.CoritError.__mro__[1] is Exception
    with pytest.raises(AttributeError, match="public names"):
        _ = corit.nothing
