"""`corit paper --root`: the tiny trees of the real layout, start to finish, and what is said of absent ones."""

from __future__ import annotations

import csv
import json
import shutil
from types import SimpleNamespace

import pytest
from paper.paper_runs import REAL, WORLD, command

from corit.bench.runner import RunSettings
from corit.bench.testbed import DATA_SETS, real_testbed
from corit.paper import tables
from corit.paper.artefact import ARTEFACTS, artefact
from corit.paper.outlook import outlooks
from corit.paper.printed import printed


def index(folder):
    return {a["name"]: a for a in json.loads((folder / "index.json").read_text())["artefacts"]}


@pytest.mark.parametrize("name", [a.name for a in ARTEFACTS])
def test_every_artefact_is_made_on_the_real_layout(on_tree, tree, name):
    entry = index(on_tree)[name]
    assert entry["status"] == "ok", entry["reason"]
    assert entry["world"] == f"the data sets in {tree}"


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_real_data_sets_have_no_stand_ins(on_tree, number):
    with (on_tree / f"table{number:02d}.csv").open(newline="") as file:
        ours = [r for r in csv.DictReader(file) if (r["row"], r["whose"]) == ("CoRIT", "ours")]
    known = printed(number)
    assert [r["column"] for r in ours] == [*known.columns, known.average]
    assert not any(r["measured_on"] for r in ours)
    assert not any("Stand-ins" in n for n in index(on_tree)[f"table{number:02d}"]["notes"])


def test_a_missing_data_set_fails_only_its_tables(tmp_path, capsys):
    root = tmp_path / "sets"
    root.mkdir()
    assert command("table3", "figure4", "--root", root, *REAL, "--out", tmp_path / "out") == 1
    found = index(tmp_path / "out")
    assert found["table03"]["status"] == "failed"
    assert found["table03"]["reason"].startswith("DataError: ")
    assert str(root) in found["table03"]["reason"]
    assert found["table03"]["world"] == f"the data sets in {root}"
    assert found["table03"]["backbone"] == "miniature, packaged weights"
    assert found["table03"]["seeds"] == [0, 1]
    assert found["figure04"]["status"] == "ok"
    page = (tmp_path / "out" / "index.html").read_text()
    assert "1 could not be made" in page
    assert "Not asked for: Table 1," in page
    assert "1 made, failed: table03" in capsys.readouterr().out


def test_the_list_of_a_complete_tree_has_no_gaps(tree, capsys):
    assert command("list", "--root", tree) == 0
    out = capsys.readouterr().out
    assert out.count(" yes") == len(ARTEFACTS)
    assert "clip-vit-l14's weights" in out


def test_the_list_names_missing_and_incomplete_data_sets(tree, tmp_path, capsys):
    root = tmp_path / "sets"
    for name in ("FaceForensics++", "Celeb-DF-v2"):
        shutil.copytree(tree / name, root / name)
    (root / "DF40").mkdir()
    assert command("list", "--root", root) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "missing UniversalFakeDetect" in out
    assert "incomplete DF40" in out
    assert out.count(" yes") >= 7  # Figure 4 and all that need FaceForensics++ alone
    shutil.rmtree(root / "Celeb-DF-v2")
    shutil.rmtree(root / "DF40")
    shutil.copytree(tree / "DF40", root / "DF40")
    assert command("list", "--root", root) == 0
    (third,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("table3 "))
    assert "no: missing Celeb-DF-v2" in third  # whose real videos DF40's fakes are measured against
    assert "incomplete" not in third
    shutil.rmtree(root / "DF40")
    assert command("list", "--root", root) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "no: missing FaceForensics++" not in out
    assert "missing DF40, Celeb-DF-v2" in out
    assert f"DF40 in {root / 'DF40'}: there is no such folder" in out


def test_figure_4_needs_a_backbone_and_no_data(tree, monkeypatch):
    monkeypatch.setattr("corit.backbones.hub.is_cached", lambda name: False)
    found, _ = outlooks(real_testbed(str(tree)), {"clip-vit-l14": ""})
    assert {o.artefact.command: o.here for o in found}["figure4"] == "yes, once clip-vit-l14's weights can be fetched"


def test_every_artefact_measures_its_number_of_recipes(tree, monkeypatch):
    titles = ("CLIP ViT-L", "CLIP ViT-B", "ImageNet ViT-L")
    monkeypatch.setattr(tables, "BACKBONE_TITLES", dict(zip(titles, artefact("table10").backbones, strict=True)))
    projection = SimpleNamespace(out_features=768)
    testbed = real_testbed(str(tree))
    clip = SimpleNamespace(
        testbed=testbed,
        protocol=testbed.protocol,
        settings=RunSettings(backbone="clip-vit-l14", weights="random:0"),
        backbone=lambda variant=None: SimpleNamespace(projection=projection, depth=24),
    )
    for made in ARTEFACTS:
        needs = made.needs(clip)
        assert len({(n.variant.name, n.variant.backbone) for n in needs}) == made.recipes


def test_the_list_names_weights_to_download(tree, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("CORIT_CACHE", str(tmp_path))
    monkeypatch.setattr("corit.backbones.hub.is_cached", lambda name: "large_patch14" in name)
    found, problems = outlooks(real_testbed(str(tree)), {"clip-vit-l14": ""})
    assert problems == ()
    said = {o.artefact.command: o.here for o in found}
    assert said.pop("table10") == "yes, once clip-vit-b16's weights and vit-l16-imagenet's weights can be fetched"
    assert set(said.values()) == {"yes"}
    assert command("list", "--root", tree, "--weights", "nowhere.safetensors") == 2
    assert "expected a weights file of clip-vit-l14 at nowhere.safetensors" in capsys.readouterr().err
    assert command("list", "nonsense") == 2


def test_the_list_of_the_miniature_needs_nothing(capsys):
    assert command("list") == 0
    out = capsys.readouterr().out
    assert out.count(" yes") == len(ARTEFACTS)
    assert "missing" not in out


def test_a_world_and_a_root_together_are_refused(tmp_path, capsys):
    assert command("table1", *WORLD, "--root", tmp_path) != 0
    assert "expected --world miniature or --root DIR, got both" in capsys.readouterr().err


def test_a_missing_root_is_an_error(tmp_path, capsys):
    assert command("table1", "--root", tmp_path / "nowhere", "--out", tmp_path / "out") != 0
    assert "expected a folder of data sets at" in capsys.readouterr().err


def test_an_unknown_table_is_an_error(tmp_path, capsys):
    assert command("table14", *WORLD, "--out", tmp_path) != 0
    assert "the paper has no 'table14'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["table1", "--seeds", "0"], "at least one head seed"),
        (["table1", "--draws", "1"], "two draws"),
        (["table1", "--batch", "-1"], "a batch of one"),
        (["table1", "--max", "4"], "expected --max with --root alone"),
        (["all", "table99"], "the paper has no 'table99'"),
        (["table10", "--other-weights", "clip-vit-b16"], "expected NAME=FILE"),
        (["table10", "--other-weights", "clip-b16=random:1"], "no backbone 'clip-b16'"),
        (["list", "--backbone", "nope"], "no backbone 'nope'"),
        (["figure4", "--device", "nowhere"], "device 'nowhere' is not available"),
    ],
)
def test_wrong_options_are_refused_before_any_measurement(words, said, tmp_path, capsys):
    assert command(*words, "--out", tmp_path / "out") == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_file_in_place_of_the_folder_is_refused(tmp_path, capsys):
    (tmp_path / "out").write_text("mine")
    assert command("figure4", *WORLD, "--out", tmp_path / "out") == 2
    assert "is a file; choose another --out" in capsys.readouterr().err


def test_the_tree_has_every_data_set_folder(tree):
    assert {place for place, _ in DATA_SETS.values()} == {p.name for p in tree.iterdir()}
