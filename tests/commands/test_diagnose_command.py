"""`corit diagnose` from the command line: its three files, its errors, the miniature, and a ViT of timm's."""

from __future__ import annotations

import csv
import json

import cv2
import numpy as np
import pytest
from diagnose.handmade import npz

from corit import cli
from corit.seeding import generator
from corit.theory import sweep as sweeping

QUICK = ["--rho", "0,0.05,5", "--seeds", "2", "--steps", "16", "--batch", "8"]


def run(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        cli.main(["diagnose", *map(str, words)])
    caught = capsys.readouterr()
    return stop.value.code, caught.out, caught.err


def table(out):
    with open(out / "cor.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_a_feature_file_gives_three_files_and_a_summary(tmp_path, capsys):
    code, printed, _ = run(capsys, npz(tmp_path), "--out", tmp_path / "d", *QUICK)
    assert code == 0
    assert {"report.html", "cor.csv", "summary.json"} < {p.name for p in (tmp_path / "d").iterdir()}
    assert "f, layer z, perceptron\n  A: " in printed
    assert str(tmp_path / "d" / "report.html") in printed
    rows = table(tmp_path / "d")
    names = {
        "layer",
        "group",
        "head",
        "seed",
        "auc_rho_0.05",
        "cor",
        "cor_censored",
        "bound",
        "bottleneck_step",
        "gsnr",
    }
    assert names < set(rows[0])
    assert {r["head"] for r in rows} == {"linear", "mlp"}
    assert {r["layer"] for r in rows} == {"1", "2", "3", "z"}


def test_the_options_decide_what_is_measured(tmp_path, capsys):
    words = ["--layers", "1-2", "--heads", "linear", "--by", "dataset", "--groups", "two", "--scaling", "whiten"]
    code, _, _ = run(capsys, npz(tmp_path), "--out", tmp_path / "d", *QUICK, *words)
    assert code == 0
    assert {(r["layer"], r["group"], r["head"], r["scaling"]) for r in table(tmp_path / "d")} == {
        ("1", "two", "linear", "whiten"),
        ("2", "two", "linear", "whiten"),
    }


WRONG = {
    "negative radii": (("--rho=-0.1,1",), "expected finite radii rho >= 0, got [-0.1, 1.0]"),
    "negative radii in a word of their own": (("--rho", "-0.1,1"), "expected finite radii rho >= 0, got [-0.1, 1.0]"),
    "radii that are no numbers": (("--rho", "0,x"), "expected radii such as"),
    "an unknown layer": (("--layers", "9"), "f has no layer 9; it has 1, 2, 3, z"),
    "an unknown group": (("--groups", "C"), "f has no manipulation C; it has A, B"),
    "an unknown head": (("--heads", "forest"), "expected heads among linear, mlp"),
    "a batch that is too large": (("--batch", "60"), "at least one mini-batch of 60 training rows"),
    "no seeds": (("--seeds", "0"), "distinct seeds, at least one"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_usage_is_reported_before_any_work(name, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sweeping, "fit", None)  # whoever trains before looking fails here
    words, expected = WRONG[name]
    code, _, err = run(capsys, npz(tmp_path), "--out", tmp_path / "d", *words)
    assert code == 2
    assert expected in err
    assert not (tmp_path / "d").exists()


def test_features_that_cannot_be_diagnosed_are_refused(tmp_path, capsys):
    bad = {
        "got the labels [0]": {"y": np.zeros(96, int)},
        "got NaN or infinity in 96 of 96 rows of z": {"z": np.full((96, 2), np.nan, np.float32)},
    }
    for words, changes in bad.items():
        code, _, err = run(capsys, npz(tmp_path, **changes), "--out", tmp_path / "d")
        assert (code, words in err) == (2, True)


def test_a_store_and_the_demo_exclude_each_other(tmp_path, capsys):
    assert "or give --demo" in run(capsys, "--out", tmp_path)[2]
    assert "expected stores or --demo, got both" in run(capsys, "f.npz", "--demo", "--out", tmp_path)[2]


def test_the_demo_shows_unifd_beside_corit(tmp_path, capsys):
    words = [
        "--demo",
        "--people",
        "6",
        "--pictures",
        "1",
        "--workers",
        "0",
        "--rho",
        "0,0.05,5",
        "--seeds",
        "1",
        "--steps",
        "16",
        "--batch",
        "8",
    ]
    code, printed, _ = run(capsys, *words, "--out", tmp_path)
    assert code == 0
    assert "UniFD, layer 8, perceptron" in printed
    assert "CoRIT, layer z, perceptron" in printed
    held = json.loads((tmp_path / "summary.json").read_text())
    forgeries = {s: ["DF", "F2F", "FS", "NT"] for s in ("UniFD", "CoRIT")}
    assert held["groups"] == forgeries | {"numbers": ["absent", "overt", "subtle"]}
    layers = {"UniFD": ["2", "4", "5", "7", "8"], "CoRIT": ["2", "4", "5", "7", "8", "z"]}
    assert held["layers"] == layers | {"numbers": ["z"]}
    assert "6/2/4 identities x 1 pictures" in held["stores"]["UniFD"]
    assert {(l["store"], l["head"]) for l in held["landscapes"]} == {
        (s, h) for s in ("UniFD", "CoRIT", "numbers") for h in ("linear", "mlp")
    }


def test_any_vit_of_timm_can_be_extracted_and_diagnosed(tmp_path, capsys):
    for k in range(36):
        rng = generator("diagnose command", k)
        picture = cv2.resize(rng.integers(0, 256, (6, 6, 3)).astype(np.uint8), (96, 96))
        picture += np.uint8(k % 2) * rng.integers(0, 20, picture.shape, dtype=np.uint8)
        folder = tmp_path / ("fake" if k % 2 else "real")
        folder.mkdir(exist_ok=True)
        cv2.imwrite(str(folder / f"{k}.png"), picture)
    words = f"extract --real {tmp_path / 'real'} --fake {tmp_path / 'fake'} --out {tmp_path / 'store'} --domain scene"
    words += " --backbone timm:vit_tiny_patch16_224 --weights random:0 --model unifd --levels --workers 0"
    with pytest.raises(SystemExit) as stop:
        cli.main(words.split())
    assert stop.value.code == 0
    code, printed, _ = run(capsys, tmp_path / "store", "--out", tmp_path / "d", *QUICK, "--heads", "linear")
    assert code == 0
    assert "store, layer 12, linear head" in printed
    assert "timm:vit_tiny_patch16_224" in (tmp_path / "d" / "report.html").read_text()
    assert {r["layer"] for r in table(tmp_path / "d")} == {"3", "5", "8", "10", "12"}
