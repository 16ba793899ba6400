from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

import corit
from corit.backbones.load import load_backbone
from corit.data.folders import UnlabelledFiles
from corit.data.landmarks import Landmarks
from corit.data.sample import Sample
from corit.detect.detector import Card, Detector, Row
from corit.errors import DetectorError
from corit.heads.head import Head, HeadRecipe
from corit.heads.rows import Standardiser
from corit.images.faces import align, find_faces
from corit.images.picture import DRAWN
from corit.metrics.calibration import Calibration
from corit.recipe import BackboneRecipe, Recipe
from corit.seeding import torch_generator
from corit.world.miniature import Miniature


class Held:
    """A source of pictures that are at hand, named by their number."""

    def __init__(self, pictures):
        self.pictures = pictures
        self.samples = [Sample(str(i), str(i), None) for i in range(len(pictures))]

    def load(self, sample):
        return self.pictures[int(sample.id)]


def detector(kind="corit"):
    backbone = load_backbone("miniature")
    recipe = Recipe(BackboneRecipe("miniature", backbone.digest)).replace(**{"model.kind": kind})
    width = {"corit": 8 * 96, "unifd": 96}[kind]
    weight = torch.randn(1, width, generator=torch_generator("w"))
    head = Head(weight, torch.zeros(1), Standardiser(torch.zeros(width), torch.full((width,), width**-0.5)))
    calibration = Calibration(1.0, 0.0, 0.7, 0.4, 0.05, 10, 10)
    return Detector(head, Card(recipe, HeadRecipe(), calibration, "packaged", "Apache-2.0", ("real", "fake"), "d"))


@pytest.fixture(scope="module")
def pictures():
    world = Miniature(splits=["val"])
    return [world.load(s) for s in world.samples[:3]]


@pytest.mark.parametrize("kind", ["corit", "unifd"])
def test_a_detector_comes_back_from_its_folder_with_the_same_scores(kind, pictures, tmp_path):
    made = detector(kind)
    made.save(tmp_path / "d")
    loaded = corit.Detector.load(tmp_path / "d")
    for p in pictures:
        a, b = made(p), loaded(p, evidence=True)
        assert a.rows == b.rows
        assert a.rows[0].status == "ok"
        assert 0 <= a.score <= 1
        assert b.evidence[0].heat.shape == (8, 8)
        assert np.isfinite(b.evidence[0].heat).all()
    assert json.loads((tmp_path / "d" / "detector.json").read_text())["licence"] == "Apache-2.0"
    made.save(tmp_path / "d")
    assert sorted(f.name for f in tmp_path.iterdir()) == ["d"]


def test_a_spread_does_not_change_the_score(pictures):
    made = detector()
    one, many = made(pictures[0]).rows[0], made(pictures[0], twins=4).rows[0]
    assert one.score == pytest.approx(many.score, abs=1e-5)
    assert one.spread is None
    assert many.spread > 0


def test_trouble_becomes_a_row_and_never_a_score(tmp_path):
    (tmp_path / "x.jpg").write_bytes(b"nonsense")
    row = detector()(tmp_path / "x.jpg").rows[0]
    assert (row.status, row.score, row.verdict) == ("unreadable", None, None)
    assert "not one" in row.reason
    assert detector()(np.zeros((8, 8, 3), np.uint8)).rows[0].status == "too_small"
    with pytest.raises(ValueError, match="exactly when it is ok"):
        Row("x", None, 0.5, None, None, "no_face", "")


def test_a_damaged_picture_has_no_score_but_the_decoders_words(tmp_path):
    grain = np.random.default_rng(3).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    Image.fromarray(grain).save(tmp_path / "x.jpg", quality=95)
    data = (tmp_path / "x.jpg").read_bytes()
    middle = len(data) // 2
    (tmp_path / "x.jpg").write_bytes(data[:middle] + data[middle + 900 :])
    row = detector()(tmp_path / "x.jpg").rows[0]
    assert (row.status, row.score, row.verdict) == ("unreadable", None, None)
    assert row.reason.startswith("x.jpg is damaged or cut short: Corrupt JPEG data: ")


def test_streams_keep_their_order(pictures):
    made = detector()
    found = list(made.scan(Held(pictures), Held(pictures).samples, batch=2))
    assert [r.path for r in found] == ["0", "1", "2"]
    assert found[2].score == pytest.approx(made(pictures[2]).score, abs=1e-5)


def test_damaged_detectors_are_refused_in_words(tmp_path, pictures):
    with pytest.raises(DetectorError, match="expected a detector folder"):
        Detector.load(tmp_path)
    folder = detector().save(tmp_path / "d")
    saved = json.loads((folder / "detector.json").read_text())
    for change, words in (
        ({"recipe": "[model]\ntau = 0.9"}, "was edited"),
        ({"format": 9}, "another format"),
        ({"surprise": 1}, "is damaged"),
    ):
        (folder / "detector.json").write_text(json.dumps(saved | change))
        with pytest.raises(DetectorError, match=words):
            Detector.load(folder)
    (folder / "detector.json").write_text(json.dumps(saved))
    with pytest.raises(DetectorError, match="--weights"):
        Detector.load(folder, weights="random:3")(pictures[0])
    (folder / "head.safetensors").write_bytes(b"x")
    with pytest.raises(DetectorError, match="cannot be read"):
        Detector.load(folder)
    (tmp_path / "taken").mkdir()
    with pytest.raises(DetectorError, match="not a detector"):
        detector().save(tmp_path / "taken")


def test_scores_depend_on_neither_batch_nor_order_nor_workers(tmp_path):
    """Tokens whose proxy lies within rounding of the mask's threshold may move a score further: hence 1e-5."""
    world = Miniature(splits=["val"])
    paths = []
    for s in world.samples[:5]:
        picture = world.load(s)
        paths.append(str(tmp_path / f"{s.frame}.png"))
        cv2.imwrite(paths[-1], picture.pixels[..., ::-1])
    points = {p: picture.landmarks for p, s in zip(paths, world.samples, strict=False) for picture in [world.load(s)]}
    source, made = UnlabelledFiles(aligned=True, landmarks=Landmarks(points)), detector()
    alone = {p: made.report(p, made.preparer()(source.load(source.sample(p)))).score for p in paths}
    for order, batch, workers in ((paths, 8, 0), (paths[::-1], 2, 0), (paths, 3, 2)):
        found = {r.path: r.score for r in made.scan(source, map(source.sample, order), batch=batch, workers=workers)}
        assert list(found) == order
        assert found == pytest.approx(alone, abs=1e-5)


def test_another_process_gives_the_same_score(pictures, tmp_path):
    folder = detector().save(tmp_path / "d")
    code = (
        "import sys; from corit.detect.detector import Detector; from corit.world.miniature import Miniature; "
        "w = Miniature(splits=['val']); print(Detector.load(sys.argv[1])(w.load(w.samples[0])).score)"
    )
    call = [sys.executable, "-c", code, str(folder)]
    done = subprocess.run(call, capture_output=True, text=True, check=True, env=os.environ | {"PYTHONHASHSEED": "7"})
    assert float(done.stdout) == pytest.approx(detector()(pictures[0]).score, abs=1e-6)


def drawn(made):
    """The detector, trained in the miniature world."""
    made.card = replace(made.card, domain=DRAWN)
    return made


OUTSIDE = "outside what this detector was trained on: it knows drawn faces of the miniature world only"


@pytest.mark.parametrize("score_of", ["fake", "real"])
def test_a_detector_of_drawn_faces_calls_nothing_else_real_or_fake(score_of, pictures):
    made = drawn(detector())
    made.card = replace(made.card, calibration=replace(made.card.calibration, fake=0.0, real=0.0))
    if score_of == "real":
        made.card = replace(made.card, calibration=replace(made.card.calibration, fake=1.0, real=1.0))
    own, other = pictures[0], replace(pictures[0], domain="", note="first of 3 pages")
    assert own.domain == DRAWN
    for found in (made(own).rows[0], next(made.scan(Held([own]), Held([own]).samples)).rows[0]):
        assert (found.verdict, found.reason) == (score_of, "")
    for found in (made(other).rows[0], next(made.scan(Held([other]), Held([other]).samples)).rows[0]):
        assert (found.verdict, found.reason) == ("unsure", f"{OUTSIDE}; first of 3 pages")
        assert found.score == pytest.approx(made(own).score, abs=1e-6)
    assert detector()(other).rows[0].reason == "first of 3 pages"


def test_the_domain_is_written_and_an_older_card_is_told_by_its_note(tmp_path, pictures):
    folder = drawn(detector()).save(tmp_path / "d")
    saved = json.loads((folder / "detector.json").read_text())
    assert saved["domain"] == DRAWN == Detector.load(folder).card.domain
    older = {k: v for k, v in saved.items() if k != "domain"}
    inferred = f"{DRAWN} (inferred from its note)"
    notes = {
        "trained in the miniature world (seed 0); it knows nothing of real deepfakes": inferred,
        "trained on self-blended fakes of the real pictures only": "",
        "": "",
    }
    for note, expected in notes.items():
        (folder / "detector.json").write_text(json.dumps(older | {"note": note}))
        loaded = Detector.load(folder)
        assert loaded.card.domain == expected
        assert loaded.outside() == (OUTSIDE if expected else "")
        assert loaded.outside(DRAWN) == ""
    recipe = detector().card.recipe.replace(**{"backbone.name": "clip-vit-b16"})
    first = next(iter(notes))
    text = {"recipe": recipe.to_toml(), "recipe_digest": recipe.digest, "note": first}
    (folder / "detector.json").write_text(json.dumps(older | text))
    assert Detector.load(folder).card.domain == ""


def test_crops_without_landmarks_are_scored_the_same_in_any_batch_and_process(tmp_path):
    pytest.importorskip("dlib")
    astronaut = pytest.importorskip("skimage.data").astronaut()
    points = find_faces(astronaut)[0].landmarks
    paths = [str(tmp_path / f"{i}.png") for i in range(3)]
    for path, scale in zip(paths, (1.0, 1.15, 1.3), strict=True):
        cv2.imwrite(path, align(astronaut, points, 224, scale)[0][..., ::-1])
    source, made = UnlabelledFiles(aligned=True), detector()
    alone = {p: made(source.load(source.sample(p)), name=p).rows[0] for p in paths}
    assert {r.status for r in alone.values()} == {"ok"}
    assert all(r.reason.startswith("landmarks predicted in the crop, spread ") for r in alone.values())
    for batch, workers in ((3, 0), (2, 1)):
        for report in made.scan(source, map(source.sample, paths), batch=batch, workers=workers):
            (row,) = report.rows
            assert row.reason == alone[row.path].reason
            assert row.score == pytest.approx(alone[row.path].score, abs=1e-5)
