"""Packaged detectors: listed, found and loaded by name; an unknown name and a damaged card are refused in words."""

from __future__ import annotations

import json

import numpy as np
import pytest
from detect.packaged_stand_ins import packaged, stand_in

import corit
from corit.detect import packaged as listing
from corit.detect.named import load_detector
from corit.detect.packaged import FOR_DOMAIN, KEYS, card_text, packaged_folder, packaged_names, packaged_rows, read_card
from corit.errors import DetectorError
from corit.evaluate.run import load_detectors


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return packaged(tmp_path_factory.mktemp("packaged"))


def test_the_packaged_detectors_are_listed(folder):
    assert packaged_names(folder) == tuple(sorted(FOR_DOMAIN.values()))
    faces, scenes = packaged_rows(folder)
    assert (faces["detector"], faces["scores"], faces["model"]) == ("faces-b16", "faces", "corit")
    assert (scenes["detector"], scenes["scores"], scenes["backbone"]) == ("scenes-b16", "whole pictures", "miniature")
    assert packaged_rows(folder / "absent") == []


def test_a_card_is_read(folder):
    card = read_card("faces-b16", folder)
    assert set(KEYS) <= set(card)
    assert card["digest"] == stand_in("faces-b16").identity
    assert card_text("faces-b16", folder).startswith("# faces-b16\n")


def test_an_unknown_name_lists_the_known_ones(folder, tmp_path):
    with pytest.raises(DetectorError, match="no packaged detector 'xception'; there are faces-b16, scenes-b16$"):
        packaged_folder("xception", folder)
    with pytest.raises(DetectorError, match="this installation comes with none"):
        packaged_folder("faces-b16", tmp_path)
    with pytest.raises(DetectorError, match=r"packaged detector, but there is neither \(there are faces-b16, scenes"):
        load_detector("xception", packaged=folder)


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "cannot be read"), ("[]", "are missing; install"), ('{"name": "x"}', "backbone, .* missing")],
)
def test_a_damaged_card_is_refused(tmp_path, text, words):
    place = packaged(tmp_path) / "faces-b16"
    (place / "card.json").write_text(text)
    with pytest.raises(DetectorError, match=words):
        read_card("faces-b16", tmp_path)
    (place / "card.md").unlink()
    with pytest.raises(DetectorError, match=r"expected the card of faces-b16 at .*card.md, but it cannot be read"):
        card_text("faces-b16", tmp_path)
    (place / "detector.json").write_text("{}")
    with pytest.raises(DetectorError, match=r"detector.json is damaged: KeyError\('recipe'\); install corit again"):
        packaged_rows(tmp_path)


def test_a_detector_loads_by_name_and_its_rows_carry_it(folder):
    pixels = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    loaded, made = load_detector("scenes-b16", packaged=folder), stand_in("scenes-b16")
    assert loaded.identity == made.identity
    (row,) = loaded(pixels).rows
    assert (row.detector, row.score) == ("scenes-b16", pytest.approx(made(pixels).score, abs=1e-5))
    (alone,) = corit.Detector.load(folder / "scenes-b16")(pixels).rows
    assert alone.detector is None


def test_evaluation_takes_the_names(folder, monkeypatch):
    monkeypatch.setattr(listing, "FOLDER", folder)
    found = load_detectors(["faces-b16", "scenes-b16"])
    assert [found[n].identity for n in ("faces-b16", "scenes-b16")] == [
        json.loads((folder / n / "card.json").read_text())["digest"] for n in ("faces-b16", "scenes-b16")
    ]
    assert corit.load_detector("faces-b16").name == "faces-b16"


def test_a_folder_of_the_name_counts_first(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stand_in("scenes-b16").save("faces-b16")
    assert load_detector("faces-b16", packaged=folder).card.recipe.views.domain == "scene"
