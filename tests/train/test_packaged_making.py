"""Packaged detectors are made again from their collections: features, choice, training and card."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from corit.backbones.load import load_backbone
from corit.data.collections import Collection
from corit.detect.named import load_detector
from corit.detect.packaged import KEYS
from corit.errors import DetectorError, StoreError
from corit.features.derive import derive_store, layers_of
from corit.features.extract import extract
from corit.features.store import FeatureStore
from corit.features.targets import StoreTarget
from corit.model.corit import last_layer, middle_layer
from corit.model.encode import Encoder
from corit.recipe import Recipe
from corit.seeding import generator
from corit.train.card import card_markdown, make_card
from corit.train.packaged import PLANS, PackagedPlan, make_detector, plan_of, re_encoded, rows_by_kind, save_packaged

CANDIDATES = {
    "UniFD, layer 2": {"model.kind": "unifd", "model.layer": 2},
    "CoRIT, layer 3 alone": {"model.hri": False, "model.layer": 3},
    "CoRIT, layers 2 and 4": {"model.middle": 2, "model.layer": 4},
}
PLAN = PackagedPlan(
    "stripes",
    "scene",
    "stripes",
    "It knows stripes.",
    (Collection("dots", "dots"), Collection("lines", "lines"), Collection("plain", "plain", classes=False)),
    {"dots": 2, "lines": 2, "plain": 1},
    CANDIDATES,
    seeds=(0, 1),
    backbone="miniature",
    compared=8,
    re_encoded={"dots": 0.5, "plain": 1},
)


def picture(rng, kind, fake):
    pixels = rng.integers(60, 200, (8, 8, 3)).astype(np.uint8).repeat(8, 0).repeat(8, 1)
    if fake:
        pixels[:: 4 if kind == "dots" else 2] = 255
    return Image.fromarray(pixels)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("collections")
    for kind in ("dots", "lines"):
        for name, fake in (("real", 0), ("fake", 1)):
            (root / kind / name).mkdir(parents=True)
            for i in range(14):
                picture(generator(kind, fake, i), kind, fake).save(root / kind / name / f"{name}{i}.png")
    (root / "plain").mkdir()
    for i in range(10):
        picture(generator("plain", i), "", 0).save(root / f"plain/{i}.png")
    return root


@pytest.fixture(scope="module")
def backbone():
    return load_backbone("miniature", "packaged")


@pytest.fixture(scope="module")
def making(root, backbone, tmp_path_factory):
    return make_detector(PLAN, str(root), tmp_path_factory.mktemp("features"), backbone)


def test_a_derived_store_equals_an_extraction(making, root, backbone, tmp_path):
    folder = making.store.path.parent
    whole = FeatureStore.open(folder / "corit")
    recipe = whole.recipe.replace(**{"model.hri": False, "model.layer": 3})
    derived = derive_store(whole, recipe, tmp_path / "derived")
    extract(PLAN.source(str(root)), [StoreTarget(Encoder(backbone, recipe), tmp_path / "own")], forge=PLAN.blended)
    own, ours = FeatureStore.open(tmp_path / "own").features(), derived.features()
    if making.store.recipe.model.kind != "corit":
        own = own.select(id=tuple(ours.ids))
    assert derived.digest == recipe.digest
    assert list(own.ids) == list(ours.ids)
    assert np.allclose(own.to_tensor(), ours.to_tensor(), rtol=2e-3, atol=2e-3)
    again = derive_store(whole, recipe, tmp_path / "derived").features()
    assert again.data_digest == ours.data_digest


def test_only_layers_can_be_derived(making):
    whole = FeatureStore.open(making.store.path.parent / "corit")
    assert layers_of(whole, whole.recipe) == (6, 8)
    assert layers_of(whole, whole.recipe.replace(**{"model.layer": 2, "model.middle": 1})) == (1, 2)
    for changes in ({"model.tau": 0.5}, {"model.kind": "unifd"}, {"views.domain": "face"}):
        with pytest.raises(StoreError, match="differ from those of .* in nothing but layer, middle, hri"):
            layers_of(whole, whole.recipe.replace(**changes))
    with pytest.raises(StoreError, match="a store that keeps levels"):
        layers_of(making.store, making.store.recipe)


def test_the_best_features_on_validation_rows_are_chosen(making):
    assert set(making.compared) == {(name, head) for name in CANDIDATES for head in PLAN.heads}
    best = max(making.compared, key=lambda names: making.compared[names])[0]
    kinds = {name: str(changes.get("model.kind", "corit")) for name, changes in CANDIDATES.items()}
    assert {kinds[name] for name, _ in making.validation} == {kinds[best]}
    assert making.validation[making.features, making.head] == max(making.validation.values())
    assert making.result.detector.card.head.kind == PLAN.heads[making.head].kind
    assert making.result.detector.card.recipe.digest == making.store.digest


def test_making_again_gives_the_same_digest_without_measuring(making, root, backbone):
    again = make_detector(PLAN, str(root), making.store.path.parent, backbone)
    assert again.result.detector.identity == making.result.detector.identity
    assert again.validation == making.validation


def test_each_kind_is_compared_with_its_own_reals(making):
    rows = making.store.features(split="train")
    table = rows_by_kind(rows)
    assert set(table) == {"dots", "lines", "self-blended"}
    sets, kinds = rows.column("dataset"), rows.column("manipulation")
    assert set(sets[table["dots"]]) == {"dots"}
    assert set(kinds[table["dots"]]) == {"", "dots"}
    assert set(sets[table["self-blended"]][rows.y[table["self-blended"]] == 0]) == {"dots", "lines", "plain"}


def test_the_card_says_what_was_measured_and_the_folder_loads(making, tmp_path):
    card = make_card(making, "corit detectors make stripes", draws=50)
    assert set(KEYS) <= set(card)
    assert set(card["metrics"]) == {"all", "dots", "lines", "self-blended"}
    assert set(card["left_out"]) == {"dots", "lines"}
    assert card["thresholds"]["fpr 1 %"] >= card["thresholds"]["fpr 5 %"]
    assert card["thresholds"]["fake from"] == max(card["thresholds"]["fpr 1 %"], card["thresholds"]["real below"])
    for shares in card["false_fakes"].values():
        assert set(shares) == {"dots", "dots, re-encoded", "lines", "plain", "plain, re-encoded"}
        assert all(0 <= s["low"] <= s["share"] <= s["high"] <= 1 for s in shares.values())
    assert set(card["re_encoded"]) <= {"all", "dots", "self-blended"}
    own = making.store.features(split="test")
    own, changed = (own.take(np.flatnonzero(re_encoded(own) == flag)) for flag in (False, True))
    for rows, table in ((own, card["metrics"]), (changed, card["re_encoded"])):
        assert table["all"]["real"] + table["all"]["fake"] == len(rows)
    counts = card["training"]["rows"]
    assert sum(sum(split.values()) for split in counts.values()) == len(making.store.features())
    place = save_packaged(making, card, card_markdown(card), tmp_path / "stripes")
    loaded = load_detector("stripes", packaged=tmp_path)
    assert loaded.identity == card["digest"] == making.result.detector.identity
    assert json.loads((place / "card.json").read_text()) == json.loads(json.dumps(card))
    text = (place / "card.md").read_text()
    for value in card["metrics"]["dots"]["auc"][:1] + card["left_out"]["lines"][:1]:
        assert f"{value:.3f}" in text
    assert card["licence"] in text
    assert (place / "training.safetensors").is_file()
    (tmp_path / "other").mkdir()
    (tmp_path / "other/file").write_text("x")
    with pytest.raises(DetectorError, match="is not a detector"):
        save_packaged(making, card, "", tmp_path / "other")


def test_plans_are_found_by_name():
    assert plan_of("faces-b16") is PLANS["faces-b16"]
    with pytest.raises(DetectorError, match="no plan of a packaged detector 'x'; there are faces-b16, scenes-b16"):
        plan_of("x")


def test_layers_of_a_plan_lie_in_the_backbone():
    for plan in PLANS.values():
        for changes in plan.candidates.values():
            recipe = Recipe().replace(**changes)
            assert middle_layer(12, recipe.model) <= last_layer(12, recipe.model) <= 12
