"""Training from a store: what is held out is only measured, and a detector's score is its head's on the stored row."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import corit
from corit.backbones.load import load_backbone
from corit.errors import DataError, RecipeError
from corit.features.store import FeatureStore
from corit.heads.defaults import default_head, limit_batch
from corit.heads.head import HeadRecipe
from corit.metrics.auc import auc
from corit.model.encode import Encoder
from corit.recipe import BackboneRecipe, Recipe
from corit.train.heads import measure_features, recipe_for, split_source, train_detector
from corit.world.miniature import Miniature, MiniatureSpec

SPEC = MiniatureSpec(train=6, val=3, test=3, pictures=2, kinds=("DF",))
HEAD = HeadRecipe(learning_rate=0.1, epochs=3)


@pytest.fixture(scope="module")
def backbone():
    return load_backbone("miniature")


@pytest.fixture(scope="module")
def store(backbone, tmp_path_factory):
    recipe = Recipe(BackboneRecipe("miniature"))
    return measure_features(Miniature(SPEC), Encoder(backbone, recipe), tmp_path_factory.mktemp("s") / "store")


@pytest.fixture(scope="module")
def outcome(store, backbone):
    return train_detector(store, backbone, HEAD, weights="packaged", seeds=(0, 1, 2), draws=50)


def test_a_detector_scores_by_its_head_on_the_stored_feature(outcome, store, tmp_path):
    outcome.detector.save(tmp_path / "d")
    detector = corit.Detector.load(tmp_path / "d")
    world, te = Miniature(SPEC), store.features(split="test")
    expected = detector.card.calibration.score(detector.head.logits(te.to_tensor()).numpy())
    held = {s.id: s for s in world.samples}
    for i in (0, len(te) - 1):
        assert detector(world.load(held[te.ids[i]])).score == pytest.approx(expected[i], abs=2e-3)  # stored in halves


def test_the_seed_is_chosen_on_validation_and_measured_on_test(outcome, store):
    valid = store.features(split="val")
    on_valid = [auc(valid.y, outcome.fit.head(seed=s).logits(valid.to_tensor()).numpy()) for s in range(3)]
    kept = int(np.argmax(on_valid))
    assert np.array_equal(outcome.detector.head.weight, outcome.fit.head(seed=kept).weight)
    assert outcome.metrics["auc"].value == outcome.per_seed[kept]
    assert outcome.counts["test real"] == outcome.counts["test fake"] == 6
    assert outcome.detector.card.data_digest == store.features(split="train").data_digest


def test_small_collections_get_small_batches(outcome):
    assert outcome.detector.card.head.batch == 24 // 4


def test_training_without_a_recipe_uses_the_default_head(store, backbone):
    result = train_detector(store, backbone, seeds=(0,), draws=20)
    assert result.detector.card.head == limit_batch(default_head(), len(store.features(split="train")))


def test_self_blended_fakes_stay_with_their_real_picture(backbone, tmp_path):
    recipe = Recipe(BackboneRecipe("miniature"))
    reals = Miniature(MiniatureSpec(train=4, val=3, test=3, pictures=1, kinds=()))
    store = measure_features(reals, Encoder(backbone, recipe), tmp_path / "s", forge=1)
    table = store.table.to_pylist()
    sides = {}
    for row in table:
        assert sides.setdefault(row["group"], row["split"]) == row["split"]
    assert {(r["label"], r["manipulation"]) for r in table} == {(0, ""), (1, "self-blended")}
    result = train_detector(store, backbone, HEAD, seeds=(0,), draws=20)
    assert result.counts["train fake"] == result.counts["train real"] == 4


def test_a_part_without_fakes_is_refused(backbone, tmp_path):
    recipe = Recipe(BackboneRecipe("miniature"))
    reals = Miniature(MiniatureSpec(kinds=(), train=2, val=2, test=2, pictures=1))
    measure_features(reals, Encoder(backbone, recipe), tmp_path / "s")
    with pytest.raises(DataError, match="no fake picture"):
        train_detector(FeatureStore.open(tmp_path / "s"), backbone, HEAD)


def test_recipes_are_made_for_a_backbone(backbone, tmp_path):
    recipe = recipe_for(backbone, "scene", "unifd")
    assert (recipe.views.domain, recipe.model.kind, recipe.backbone.weights) == ("scene", "unifd", backbone.digest)
    (tmp_path / "r.toml").write_text("[model]\ntau = 0.5\n")
    from_file = recipe_for(backbone, file=tmp_path / "r.toml")
    assert (from_file.model.tau, from_file.backbone.name) == (0.5, "miniature")


def test_options_change_a_recipe_file(backbone, tmp_path):
    file = tmp_path / "r.toml"
    file.write_text('[views]\ndomain = "scene"\n[model]\nkind = "unifd"\ntau = 0.5\n')
    kept = recipe_for(backbone, file=file)
    assert (kept.views.domain, kept.model.kind) == ("scene", "unifd")
    changed = recipe_for(backbone, "face", "corit", file)
    assert (changed.views.domain, changed.model.kind, changed.model.tau) == ("face", "corit", 0.5)
    assert recipe_for(backbone, model="regions", file=file).model == replace(changed.model, inject=False, rrm=False)
    usual = recipe_for(backbone)
    assert (usual.views.domain, usual.model.kind) == ("face", "corit")


def test_a_recipe_file_for_other_weights_is_refused(backbone, tmp_path):
    file = tmp_path / "r.toml"
    file.write_text('[backbone]\nname = "clip-vit-l14"\nweights = "abcdef0123456789"\n')
    with pytest.raises(RecipeError, match=r"r.toml is for clip-vit-l14 weights abcdef012345, but miniature has"):
        recipe_for(backbone, file=file)
    file.write_text(f'[backbone]\nweights = "{backbone.digest}"\n')
    assert recipe_for(backbone, file=file).backbone.weights == backbone.digest


def test_a_split_source_still_loads_its_pictures():
    world = Miniature(SPEC)
    split = split_source(world)
    assert split.samples == world.samples
    assert np.array_equal(split.load(split.samples[0]).pixels, world.load(world.samples[0]).pixels)
