"""`corit calibrate` and `corit update` end to end, on pictures that are drawn for it, and what they refuse."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from corit import cli
from corit.backbones.load import load_backbone
from corit.data.folders import FolderSource
from corit.detect.detector import Detector
from corit.heads.defaults import default_head
from corit.images.picture import DRAWN
from corit.model.encode import Encoder
from corit.recipe import BackboneRecipe, Recipe
from corit.seeding import generator
from corit.train.heads import measure_features, split_source, train_detector
from corit.train.stand_in import FILE, write_stand_in

QUICK = ("--workers", 0, "--draws", 20)


def run(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        cli.main([*map(str, words)])
    caught = capsys.readouterr()
    return stop.value.code, caught.out, caught.err


def draw(folder, name, count, stripes):
    """Smooth noise as reals; as fakes the same with stripes."""
    for i in range(count):
        noise = generator("own", name, i).integers(60, 200, (6, 6, 3)).astype(np.uint8)
        picture = np.asarray(Image.fromarray(noise).resize((64, 64), Image.Resampling.BICUBIC))
        (folder / "real").mkdir(parents=True, exist_ok=True)
        (folder / "fake").mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / "real" / f"{i}.png")
        forged = picture.astype(int)
        forged[:: 2 if stripes else 8] += 40
        Image.fromarray(forged.clip(0, 255).astype(np.uint8)).save(folder / "fake" / f"{i}.png")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A detector d with its store d.features, one with compressed features, and own pictures of another kind."""
    folder = tmp_path_factory.mktemp("own")
    draw(folder / "data", "data", 10, stripes=True)
    draw(folder / "own", "own", 20, stripes=False)
    backbone = load_backbone("miniature")
    recipe = Recipe(BackboneRecipe("miniature")).replace(**{"views.domain": "scene", "model.kind": "unifd"})
    source = split_source(FolderSource((str(folder / "data/real"),), (str(folder / "data/fake"),)))
    store = measure_features(source, Encoder(backbone, recipe), folder / "d.features")
    trained = train_detector(store, backbone, default_head(), weights="packaged", seeds=(0,), draws=20).detector
    trained.save(folder / "d")
    trained.save(folder / "small")
    write_stand_in(store, trained, folder / "small" / FILE)
    return folder


def pictures(place):
    return "--real", place / "own/real", "--fake", place / "own/fake"


def test_calibrate_writes_a_detector_with_the_same_head(capsys, place):
    out = place / "calibrated"
    words = ("calibrate", "--detector", place / "small", *pictures(place), "--out", out, *QUICK)
    code, text, _ = run(capsys, *words)
    assert code == 0
    assert text.endswith(f"detector {out}\n")
    assert "pictures: 20 real, 20 fake, of 20 sources" in text
    old, new = Detector.load(place / "small"), Detector.load(out)
    assert new.head.state()["weight"].equal(old.head.state()["weight"])
    assert new.card.calibration != old.card.calibration
    assert (out / FILE).read_bytes() == (place / "small" / FILE).read_bytes()
    assert str(place) not in json.dumps(json.loads((out / "detector.json").read_text()))
    first = (out / "detector.json").read_bytes()
    assert run(capsys, *words)[0] == 0
    assert (out / "detector.json").read_bytes() == first


def test_calibrate_with_reals_only_needs_enough_of_them(capsys, place):
    words = ("calibrate", "--detector", place / "d", "--real", place / "own/real", *QUICK)
    code, text, _ = run(capsys, *words, "--out", place / "strict")
    assert code == 0
    assert "what to expect of new reals" in text
    code, text, err = run(capsys, *words, "--out", place / "never", "--fpr", 0.001)
    assert (code, text) == (2, "")
    assert "expected at least 999 sources of real pictures for a false-positive rate of 0.001, got 20" in err
    assert not (place / "never").exists()


def test_a_detector_of_the_miniature_world_stays_unsure(capsys, place):
    trained = Detector.load(place / "d")
    trained.changed(replace(trained.card, domain=DRAWN)).save(place / "drawn")
    words = ("calibrate", "--detector", place / "drawn", *pictures(place), "--out", place / "of-drawn", *QUICK)
    assert "every verdict stays unsure" in run(capsys, *words)[2]


@pytest.mark.parametrize("name", ["d", "small"])
def test_update_writes_a_detector_that_carries_its_training(capsys, place, name):
    out = place / f"updated-{name}"
    words = ("update", "--detector", place / name, *pictures(place), "--out", out, "--seeds", 1, "--force", *QUICK)
    code, text, _ = run(capsys, *words)
    assert code == 0
    assert ("from its compressed features" in text) == (name == "small")
    assert "weights: its own pictures 0.5, your pictures 0.5" in text
    assert sorted(p.name for p in out.iterdir()) == [
        "detector.json",
        "familiarity.safetensors",
        "head.safetensors",
        FILE,
    ]
    assert Detector.load(out).card.domain == "pictures of its user"
    scores = run(capsys, "detect", place / "own/real/0.png", "--detector", out, "--format", "jsonl")[1]
    assert json.loads(scores)["verdict"] in ("real", "fake", "unsure")


def test_a_worse_head_is_not_written_unless_forced(capsys, place, monkeypatch):
    from corit.train.update import UpdateResult

    monkeypatch.setattr(UpdateResult, "worse", True)
    words = ("update", "--detector", place / "d", *pictures(place), "--out", place / "worse", "--seeds", 1, *QUICK)
    code, text, err = run(capsys, *words)
    assert code == 3
    assert "your test part" in text
    assert "nothing is written. Give more pictures, another --weight-new, or --force" in err
    assert not (place / "worse").exists()
    assert run(capsys, *words, "--force")[0] == 0
    assert (place / "worse" / "detector.json").is_file()


@pytest.mark.parametrize("command", ["calibrate", "update"])
def test_a_place_that_cannot_be_written_ends_the_command_at_once(capsys, place, command):
    words = (command, "--detector", place / "d", *pictures(place), *QUICK, "--out")
    code, _, err = run(capsys, *words, place / "d")
    assert code == 2
    assert "expected a new folder for the changed detector" in err
    code, _, err = run(capsys, *words, place / "data")
    assert code == 2
    assert "is not a detector; choose another folder" in err


def test_update_needs_fakes_and_training_features(capsys, place):
    assert run(capsys, "update", "--detector", place / "d", "--real", place / "own/real", "--out", place / "n")[0] == 2
    Detector.load(place / "d").save(place / "bare")
    words = ("update", "--detector", place / "bare", *pictures(place), "--out", place / "never", *QUICK)
    code, _, err = run(capsys, *words)
    assert code == 2
    assert "expected the training features of the detector" in err
    code, _, err = run(capsys, *words, "--features", place / "d.features", "--weight-new", 2)
    assert code == 2
    assert "expected a weight of your pictures between 0 and 1, got 2.0" in err
    assert not (place / "never").exists()
