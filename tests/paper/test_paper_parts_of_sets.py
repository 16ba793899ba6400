"""`--partial`: tables and scoreboards of what is there of each data set, each value marked, and what is empty said."""

from __future__ import annotations

import csv
import json
import shutil

import pytest
from paper.paper_runs import REAL, command
from trees.celebdf import celebdf
from trees.faceforensics import deepfakedetection, faceforensics
from trees.paint import miniature
from trees.write import Hand

from corit import cli
from corit.bench.parts import MARK, available
from corit.bench.protocols import PROTOCOLS
from corit.bench.runner import Runner
from corit.bench.testbed import real_testbed
from corit.data.sample import Sample
from corit.errors import DataError
from corit.paper.artefact import artefact
from corit.paper.run import settings_of
from corit.world.miniature import Miniature, MiniatureSpec

FF = "FaceForensics++ c23: 29 of 5,000 videos, 3 of 4 manipulation types"


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """FaceForensics++ without NeuralTextures and three further videos, Celeb-DF-v2 and DeepFakeDetection; no more."""
    root = tmp_path_factory.mktemp("parts")
    hand = Hand(miniature(Miniature(MiniatureSpec(0, 4, 4, 6, 1))), 1)
    faceforensics(root / "FaceForensics++", hand, pairs={"train": 2, "val": 1, "test": 1})
    deepfakedetection(root / "FaceForensics++", hand, actors=2)
    celebdf(root / "Celeb-DF-v2", hand, people=3)
    manipulated = root / "FaceForensics++" / "manipulated_sequences"
    shutil.rmtree(manipulated / "NeuralTextures")
    for folder in ("Deepfakes", "Face2Face", "FaceSwap"):
        shutil.rmtree(manipulated / folder / "c23" / "frames" / "001_000")
    return root


@pytest.fixture(scope="module")
def made(tree, tmp_path_factory):
    """`corit paper table1 table3 table6 --partial` in a folder."""
    out = tmp_path_factory.mktemp("made")
    assert command("table1", "table3", "table6", "--root", tree, "--partial", *REAL, "--out", out) == 1
    return out


def lines(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def record(out, name):
    return json.loads((out / "records" / f"{name}.json").read_text())


def test_every_value_of_a_part_is_marked_beside_the_paper_s(made):
    table = record(made, "table01")
    assert table["status"] == "ok", table["reason"]
    ours = [row for row in table["body"] if row[1] == "ours"]
    assert ours
    for row in ours:
        filled = {c for c, cell in zip(table["head"], row, strict=True) if MARK in cell}
        assert filled == {"CDFv2", "DFD", "Avg"}
        assert [c for c, cell in zip(table["head"][2:], row[2:], strict=True) if cell and MARK not in cell] == []
    assert not any(MARK in cell for row in table["body"] if row[1] == "paper" for cell in row)
    page = (made / "index.html").read_text()
    assert page.count(MARK) > len(ours)
    assert FF in page


def test_notes_and_captions_say_how_much_of_each_set_was_there(made):
    table = record(made, "table01")
    assert table["notes"][0].startswith(f"{MARK} Of a part of the data, not comparable with the paper's number. {FF}; ")
    assert "Celeb-DF-v2: 7 of 518 videos" in table["notes"][0]
    assert "DeepFakeDetection c23: 8 of 3,431 videos" in table["notes"][0]
    assert "without CDFv1, DFDCP, DFDC" in table["notes"][0]
    assert table["caption"]["data"].startswith(FF)
    assert "Celeb-DF-v1" in " ".join(n for n in table["notes"] if n.startswith("Empty. CDFv1: "))
    entry = next(a for a in json.loads((made / "index.json").read_text())["artefacts"] if a["name"] == "table01")
    assert entry["data"].startswith(FF)
    assert "those parts that are there" in entry["world"]


def test_each_line_of_the_csv_names_its_parts(made):
    ours = [r for r in lines(made / "table01.csv") if r["whose"] == "ours"]
    assert {r["column"] for r in ours} == {"CDFv2", "DFD", "Avg"}
    for r in ours:
        assert r["measured_on"].startswith(f"a part of the data: {FF}; ")
    (one,) = {r["measured_on"] for r in ours if r["column"] == "CDFv2"}
    assert "DeepFakeDetection" not in one


def test_a_table_without_any_test_set_fails_with_the_reasons(made):
    table = record(made, "table03")
    assert table["status"] == "failed"
    assert "expected a test set with reals and fakes, but uniface: " in table["reason"]


def test_a_missing_manipulation_type_is_an_empty_cell(made):
    table = record(made, "table06")
    assert table["status"] == "ok", table["reason"]
    assert {r["column"] for r in lines(made / "table06.csv") if r["whose"] == "ours"} == {"DF", "F2F", "FS"}
    reason = "Empty. NT: protocol faceforensics-without-NT: expected a test set with reals and fakes, but NT: "
    assert any(n.startswith(reason + "faceforensics has no fake rows of NT") for n in table["notes"])


def test_runs_on_parts_have_a_record_of_their_own(tree, made, tmp_path):
    whole, part = (Runner(real_testbed(str(tree), partial=p), tmp_path) for p in (False, True))
    assert settings_of(whole, artefact("table1")) != settings_of(part, artefact("table1"))
    assert [p.name.endswith("-partial") for p in (made / "features").iterdir()] == [True]
    assert whole.testbed.key + "-partial" == part.testbed.key


def test_features_of_a_part_are_not_those_of_what_is_completed_later(tree, tmp_path):
    root = tmp_path / "sets"
    shutil.copytree(tree, root)
    digests = []
    for _ in range(2):
        part = Runner(real_testbed(str(root), partial=True), tmp_path / "out")
        digests.append((part.source_digest("faceforensics"), part.shares([PROTOCOLS["faceforensics"]])))
        where = root / "FaceForensics++" / "manipulated_sequences" / "Deepfakes" / "c23" / "frames"
        if not (where / "001_000").exists():
            shutil.copytree(where / "000_001", where / "001_000")
    assert digests[0] != digests[1]
    assert digests[1][1]["faceforensics"].there == digests[0][1]["faceforensics"].there + 1


def test_without_the_word_the_refusal_names_it(tree, tmp_path, capsys):
    assert command("table1", "--root", tree, *REAL, "--out", tmp_path) == 1
    reason = record(tmp_path, "table01")["reason"]
    assert reason.endswith("--partial uses what is there of each data set.")
    capsys.readouterr()
    assert command("list", "--root", tree) == 0
    assert "--partial" in capsys.readouterr().out


def test_the_list_says_what_a_run_on_parts_uses(tree, capsys):
    assert command("list", "--root", tree, "--partial") == 0
    out = " ".join(capsys.readouterr().out.split())
    assert FF in out
    assert "DFDC: nothing" in out


def test_the_miniature_has_no_parts(tmp_path, capsys):
    assert command("table1", "--partial", "--out", tmp_path / "out") == 2
    assert "expected --partial with --root alone" in capsys.readouterr().err


def protocol_run(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        cli.main(["protocol", "run", *map(str, words)])
    caught = capsys.readouterr()
    return stop.value.code, caught.out, caught.err


def test_a_scoreboard_marks_parts_and_names_what_is_not_there(tree, capsys, tmp_path):
    words = ("faceforensics", "--root", tree, *REAL, "--detector", "unifd", "--out", tmp_path)
    code, out, err = protocol_run(capsys, *words, "--partial")
    assert code == 0, err
    text = " ".join(out.split())
    assert f"DF {MARK} 2, 2" in text
    assert "NT not measured: faceforensics has no fake rows of NT in its test split" in text
    assert f"{MARK} of a part of the data: {FF}" in text
    assert f"data: {FF}" in text
    rows = lines(tmp_path / "results.csv")
    assert [(r["data"], bool(r["value"])) for r in rows] == [("DF", True), ("F2F", True), ("FS", True), ("NT", False)]
    assert {r["part"] for r in rows[:3]} == {FF}
    assert rows[3]["part"].startswith("not measured: ")
    held = json.loads((tmp_path / "results.json").read_text())
    assert held["part"] == dict.fromkeys(("DF", "F2F", "FS"), FF)
    assert list(held["not measured"]) == ["NT"]
    code, _, err = protocol_run(capsys, *words)
    assert code == 2
    assert "--partial uses what is there of each data set" in err


def row(split, label, kind=""):
    return Sample(f"{split}{label}{kind}", "x", label, split, kind)


def test_rows_to_train_on_must_be_there():
    rows = [row("train", 0), row("val", 0), row("val", 1, "DF")]
    with pytest.raises(DataError, match="expected rows to train on, but faceforensics has no fake rows of DF"):
        available(PROTOCOLS["faceforensics"], lambda data: rows)
    with pytest.raises(DataError, match="expected rows to select by, but faceforensics has no real and no fake rows"):
        available(PROTOCOLS["faceforensics"], lambda data: [row("train", 0), row("train", 1, "DF")])
