"""Detectors over a user's folder: every row, every file, resumed where it stopped, never mixed up."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import torch
from PIL import Image

from corit import assess, catalog, cli
from corit.detect import Card, Detector
from corit.errors import DataError, DetectorError
from corit.evaluate.calibration import Calibration
from corit.evaluate.metrics import auc
from corit.evaluate.robustness import relative_variation
from corit.heads.head import Head, HeadRecipe
from corit.heads.rows import Standardiser
from corit.images.perturb import perturb
from corit.recipe import BackboneRecipe, Recipe
from corit.score import score
from corit.seeding import generator, torch_generator

COUNT = 8


@pytest.fixture(scope="module")
def backbone():
    return catalog.backbone("miniature")


def detector(backbone, seed=0):
    """A head that nobody trained: the numbers are arbitrary, and the same every time."""
    recipe = Recipe(BackboneRecipe("miniature", backbone.digest)).replace(
        **{"views.domain": "scene", "model.kind": "unifd"}
    )
    width = backbone.width
    weight = torch.randn(1, width, generator=torch_generator("assess", seed)) * 0.3
    plain = Standardiser(torch.zeros(width), torch.ones(width))
    head = Head(weight, torch.zeros(1), plain, HeadRecipe(scaling="none"))
    calibration = Calibration(1.0, 0.0, 0.6, 0.4, 0.05, 10, 10)
    card = Card(recipe, HeadRecipe(scaling="none"), calibration, "packaged", "none", ("real", "fake"), "")
    return Detector(head, card, backbone)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Real and fake pictures, one of them damaged."""
    root = tmp_path_factory.mktemp("pictures")
    for label in ("real", "fake"):
        (root / label).mkdir()
        for k in range(COUNT):
            pixels = generator("assess", label, k).integers(0, 256, (9, 9, 3)).astype(np.uint8)
            picture = Image.fromarray(pixels).resize((80, 70 if k % 2 else 130), Image.Resampling.BICUBIC)
            picture.save(root / label / (f"{k}.png" if k < 4 else f"{k}.jpg"), quality=60)
    (root / "real" / "damaged.png").write_text("no picture")
    return root


@pytest.fixture(scope="module")
def saved(backbone, tmp_path_factory):
    root = tmp_path_factory.mktemp("detectors")
    return [str(detector(backbone, seed).save(root / name)) for seed, name in enumerate(("one", "two"))]


def run(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        cli.main([str(w) for w in words])
    caught = capsys.readouterr()
    return stop.value.code, caught.out, caught.err


def test_every_labelled_picture_has_a_row_and_its_detectors_score(backbone, folder, tmp_path):
    made, source = detector(backbone), assess.source([str(folder)])
    rows = score(made, source, tmp_path / "s.jsonl", batch=3)
    assert [r.id for r in rows] == [s.id for s in source.samples]
    assert [(r.status, r.kind, r.width) for r in rows if r.score is None] == [("unreadable", "", 0)]
    for r in rows:
        if r.score is not None:
            assert r.score == pytest.approx(made(r.path).score, abs=1e-5)
            assert (r.kind, r.quality) == (("jpeg", 60) if r.path.endswith("jpg") else ("png", 0))
            assert r.faces == 1


def test_an_interrupted_run_goes_on_where_it_was(backbone, folder, tmp_path, monkeypatch):
    made, source = detector(backbone), assess.source([str(folder)])
    whole = score(made, source, tmp_path / "whole.jsonl")

    def stop(done, total):
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score(made, source, tmp_path / "cut.jsonl", batch=1, progress=stop)
    with open(tmp_path / "cut.jsonl", "a") as file:
        file.write('{"name": "real/7.jpg", "sco')  # as a kill leaves it
    asked = []
    scan = Detector.scan
    monkeypatch.setattr(
        Detector,
        "scan",
        lambda self, source, samples, **k: scan(self, source, [asked.append(s.id) or s for s in samples], **k),
    )
    again = score(made, source, tmp_path / "cut.jsonl", batch=1)
    assert len(asked) == len(whole) - 5
    assert [r.id for r in again] == [r.id for r in whole]
    assert [r.score for r in again if r.score] == pytest.approx([r.score for r in whole if r.score], abs=1e-6)
    asked.clear()
    assert score(made, source, tmp_path / "cut.jsonl") == again
    assert asked == []


def test_scores_of_another_detector_are_not_gone_on_with(backbone, folder, tmp_path):
    source = assess.source([str(folder)])
    score(detector(backbone), source, tmp_path / "s.jsonl")
    with pytest.raises(DataError, match="begun with detector"):
        score(detector(backbone, seed=1), source, tmp_path / "s.jsonl")
    with pytest.raises(DataError, match="begun with note '' instead of 'blur 1'"):
        score(detector(backbone), source, tmp_path / "s.jsonl", note="blur 1")


def test_rows_without_a_label_are_counted_and_not_scored(backbone, folder, tmp_path):
    lines = ["path,label", *(f"{folder}/{kind}/{k}.png,{kind}" for kind in ("real", "fake") for k in range(2))]
    (tmp_path / "rows.csv").write_text("\n".join([*lines, f"{folder}/real/3.png,"]) + "\n")
    rows = score(detector(backbone), assess.source([str(tmp_path / "rows.csv")]), tmp_path / "s.jsonl")
    assert [(r.label, r.status) for r in rows[-1:]] == [(-1, "unlabelled")]
    assert sum(r.status == "ok" for r in rows) == 4


def test_the_command_leaves_rows_metrics_and_a_page(folder, saved, capsys, tmp_path):
    words = ("evaluate", "--detector", *saved, "--data", folder, "--out", tmp_path, "--draws", "40")
    code, out, _ = run(capsys, *words)
    assert code == 0
    assert "one: not scored: 1 unreadable" in out
    assert "DeLong by picture" in out
    rows = list(csv.DictReader((tmp_path / "rows.csv").open()))
    assert len(rows) == 2 * (2 * COUNT + 1)
    lost = [r for r in rows if r["status"] != "ok"]
    assert [(r["score"], r["status"]) for r in lost] == [("", "unreadable")] * 2
    own = [r for r in rows if r["detector"] == "one" and r["score"]]
    y, s = np.array([int(r["label"]) for r in own]), np.array([float(r["score"]) for r in own])
    found = json.loads((tmp_path / "metrics.json").read_text())
    (whole,) = [x for x in found["detectors"]["one"]["slices"] if x["by"] == "all"]
    assert whole["metrics"]["auc"]["value"] == pytest.approx(auc(y, s), abs=1e-12)
    table = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    kept = [t for t in table if (t["detector"], t["slice"], t["metric"]) == ("one", "all", "auc")]
    assert float(kept[0]["value"]) == pytest.approx(auc(y, s), abs=1e-6)
    assert {t["slice"] for t in table} == {"all", "source", "compression", "size"}
    assert len(found["delong"]) == 1
    page = (tmp_path / "report.html").read_text()
    assert page.count("data:image/png") == 1
    assert "http" not in page.replace("http://www.w3.org", "")
    for said in ("damaged.png is called a picture", "jpeg, quality 50 to 74", "DeLong", "threshold 0.600"):
        assert said in page
    assert run(capsys, *words)[1].splitlines() == out.splitlines()  # from the scores that are there


def test_robustness_is_26_on_pictures_that_were_perturbed(folder, saved, backbone, capsys, tmp_path):
    words = ("robustness", "--detector", saved[0], "--data", folder, "--out", tmp_path, "--draws", "20")
    code, out, _ = run(capsys, *words, "--perturbations", "blur", "jpeg", "--levels", "1", "5")
    assert code == 0
    assert "blur" in out
    rows = list(csv.DictReader((tmp_path / "robustness.csv").open()))
    assert [(r["perturbation"], r["level"]) for r in rows] == [
        ("blur", "1"),
        ("blur", "5"),
        ("jpeg", "1"),
        ("jpeg", "5"),
    ]
    made, source = detector(backbone), assess.source([str(folder)])
    known = [s for s in source.samples if "damaged" not in s.id]
    y = np.array([s.label for s in known])
    before = auc(y, np.array([made(source.load(s)).score for s in known]))
    after = auc(y, np.array([made(perturb(source.load(s).pixels, "blur", 5)).score for s in known]))
    assert float(rows[1]["auc"]) == pytest.approx(after, abs=1e-5)
    assert float(rows[1]["variation"]) == pytest.approx(relative_variation(before, after), abs=1e-5)
    assert (rows[1]["n"], rows[1]["lost"]) == (str(2 * COUNT), "0")
    assert (tmp_path / "robustness.png").read_bytes().startswith(b"\x89PNG")
    assert "data:image/png" in (tmp_path / "report.html").read_text()
    assert json.loads((tmp_path / "robustness.json").read_text())["rows"][1]["found"]["name"] == "blur"


def test_rows_that_damage_makes_unscorable_are_lost_and_not_guessed(backbone, folder, tmp_path, monkeypatch):
    from corit.data.perturbed import Perturbed
    from corit.errors import TooSmallError

    load = Perturbed.load

    def shaky(self, sample):
        if sample.id.endswith("0.png"):
            raise TooSmallError("nothing is left")
        return load(self, sample)

    monkeypatch.setattr(Perturbed, "load", shaky)
    (found,) = assess.perturbed(
        {"d": detector(backbone)}, assess.source([str(folder)]), [("noise", 2)], tmp_path, draws=10
    )
    assert (found.n, found.lost) == (2 * COUNT - 2, 2)
    monkeypatch.setattr(Perturbed, "load", lambda *_: (_ for _ in ()).throw(TooSmallError("nothing is left")))
    with pytest.raises(DataError, match=r"d can score under noise 3.*too_small"):
        assess.perturbed({"d": detector(backbone)}, assess.source([str(folder)]), [("noise", 3)], tmp_path)


def test_bad_input_is_refused_before_any_work(folder, saved, capsys, tmp_path):
    data = ("--data", folder, "--out", tmp_path / "o")
    for words, said in (
        (("evaluate", "--detector", tmp_path / "none", *data), "expected a detector folder"),
        (("evaluate", "--detector", saved[0], saved[0], *data), "names of their own"),
        (("evaluate", "--detector", "unifd", *data), "corit train --model unifd"),
        (("evaluate", "--detector", saved[0], "--data", "nowhere", "--out", tmp_path / "o"), "nowhere"),
        (("robustness", "--detector", saved[0], *data, "--perturbations", "rain"), "no perturbation 'rain'"),
        (("robustness", "--detector", saved[0], *data, "--levels", "9"), "level of 1 to 5"),
    ):
        code, _, err = run(capsys, *words)
        assert code == 2
        assert said in " ".join(err.split())
    assert not (tmp_path / "o").exists()
    with pytest.raises(DetectorError, match="got none"):
        assess.named([])
    reals = tmp_path / "reals"
    (reals / "real").mkdir(parents=True)
    (reals / "fake").mkdir()
    for kind in ("real", "fake"):
        (reals / kind / "x.png").write_text("no picture")
    code, _, err = run(capsys, "evaluate", "--detector", saved[0], "--data", reals, "--out", tmp_path / "p")
    assert (code, "2 unreadable" in err) == (2, True)
