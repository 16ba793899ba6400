"""The detectors that come with the package: their cards fit their heads, and a score is the same everywhere."""

from __future__ import annotations

import json

import numpy as np
import pytest

from corit.detect.named import load_detector
from corit.detect.packaged import FOR_DOMAIN, packaged_folder, packaged_names, read_card
from corit.train.card import card_markdown
from corit.train.stand_in import FILE, read_stand_in

# Of the portrait and of the coffee cup that scikit-image ships, on an x86-64 CPU in float32.
SCORES = {"faces-b16": 0.8465386966547581, "scenes-b16": 0.5326610775902315}


def test_both_domains_have_a_detector():
    assert packaged_names() == tuple(sorted(FOR_DOMAIN.values()))


@pytest.mark.parametrize("name", sorted(FOR_DOMAIN.values()))
def test_the_card_is_of_this_head(name):
    card, detector = read_card(name), load_detector(name)
    assert card["digest"] == detector.identity
    assert card["backbone"]["digest"] == detector.card.recipe.backbone.weights
    assert card["thresholds"]["fake from"] == detector.card.calibration.fake
    assert (packaged_folder(name) / "card.md").read_text() == card_markdown(card)
    assert detector.card.recipe.views.domain == {v: k for k, v in FOR_DOMAIN.items()}[name]


@pytest.mark.parametrize("name", sorted(FOR_DOMAIN.values()))
def test_the_compressed_rows_are_those_that_the_card_counts(name):
    card, stand_in = read_card(name), read_stand_in(packaged_folder(name) / FILE)
    assert stand_in.recipe == load_detector(name).card.recipe.digest
    assert stand_in.measured == sum(sum(split.values()) for split in card["training"]["rows"].values())


@pytest.mark.parametrize("name", sorted(FOR_DOMAIN.values()))
def test_nothing_of_a_training_picture_but_features_is_packaged(name):
    folder = packaged_folder(name)
    assert {p.name for p in folder.iterdir()} <= {
        "card.json", "card.md", "detector.json", "head.safetensors", "familiarity.safetensors", FILE,
    }  # fmt: skip
    assert sum(p.stat().st_size for p in folder.iterdir()) < 3_200_000
    names = json.dumps(read_card(name)) + (folder / "detector.json").read_text()
    assert ".jpg" not in names.lower()


@pytest.mark.clip
@pytest.mark.parametrize("name", sorted(FOR_DOMAIN.values()))
def test_a_photograph_has_the_recorded_score(name):
    skimage = pytest.importorskip("skimage.data")
    detector = load_detector(name)
    picture = skimage.astronaut() if name == FOR_DOMAIN["face"] else skimage.coffee()
    row = detector(np.asarray(picture)).rows[0]
    assert row.score == pytest.approx(SCORES[name], abs=1e-5)
