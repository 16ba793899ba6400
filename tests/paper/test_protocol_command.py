"""`corit protocol`: detectors of one's choice under a named protocol, in the miniature and on trees of real layout."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from paper.paper_runs import REAL, SMALL
from trees.faceforensics import faceforensics
from trees.paint import miniature
from trees.write import Hand

from corit import cli
from corit.bench import scoreboard
from corit.bench.benchmark import Benchmark, Predictions
from corit.bench.protocols import PROTOCOLS
from corit.bench.testbed import DEFAULT_READING, PERTURBED, Size, miniature_testbed, real_testbed
from corit.data.frames import Reading
from corit.images.frame_choice import choose
from corit.metrics.auc import auc
from corit.metrics.delong import delong
from corit.world.miniature import Miniature, MiniatureSpec

MINIATURE = ["--people", "6", "--pictures", "2", *SMALL]


def run(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        cli.main(["protocol", *map(str, words)])
    caught = capsys.readouterr()
    return stop.value.code, caught.out, caught.err


def lines(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_list_names_every_protocol_of_the_real_data_sets(capsys):
    code, out, _ = run(capsys, "list")
    assert code == 0
    named = {line.split()[0] for line in out.splitlines() if line and not line.startswith(" ")}
    assert named == {"name", *(n for n in PROTOCOLS if not n.startswith("miniature"))}


def test_every_metric_detector_and_test_set_has_a_row(capsys, tmp_path):
    metrics = ["auc", "ap", "acc-val", "tpr@5"]
    words = ("run", "cross-dataset-video", *MINIATURE, "--detector", "corit", "unifd", "--metrics", *metrics)
    code, out, _ = run(capsys, *words, "--out", tmp_path)
    assert code == 0
    rows = lines(tmp_path / "results.csv")
    assert [(r["detector"], r["data"], r["metric"]) for r in rows] == [
        (d, t, m) for d in ("corit", "unifd") for t in ("CDFv2", "DFDC", "DFDCP") for m in metrics
    ]
    assert {(r["protocol"], r["level"], r["seeds"], r["label"]) for r in rows} == {
        ("cross-dataset-video", "video", "0+1", "")
    }
    scored = [r for r in lines(tmp_path / "scores.csv") if r["data"] == "DFDC"]
    of = {d: [r for r in scored if r["detector"] == d] for d in ("corit", "unifd")}
    assert [r["id"] for r in of["corit"]] == [r["id"] for r in of["unifd"]]
    labels = np.array([int(r["label"]) for r in of["corit"]])
    scores = {d: np.array([float(r["score"]) for r in of[d]]) for d in of}
    held = json.loads((tmp_path / "results.json").read_text())
    (test,) = held["delong"]["DFDC"]
    assert test["auc_first"] == pytest.approx(auc(labels, scores["corit"]), abs=1e-3)
    groups = np.array([r["group"] for r in of["corit"]])
    assert test["p"] == pytest.approx(delong(labels, scores["corit"], scores["unifd"], groups).p, abs=1e-3)
    assert held["protocol"]["selected on"] == "FF++ (DF+F2F+FS+NT)"
    assert held["world"].startswith("miniature, seed 0, 6/2/6 identities")
    assert "FS of another world" in held["data"]
    assert "AUC, by video\n" in out
    assert "head: linear, SAM rho 0.05" in out


def test_best_on_test_is_labelled_as_no_result(capsys, tmp_path):
    words = ("run", "faceforensics", *MINIATURE, "--detector", "unifd", "--best-on-test", "--metrics", "auc", "acc")
    code, out, _ = run(capsys, *words, "--out", tmp_path)
    assert code == 0
    assert "AUC, by frame, best on test: chosen on the test rows themselves, not a result" in out
    rows = lines(tmp_path / "results.csv")
    assert {r["label"] for r in rows} == {"", "best on test"}
    value = {(r["data"], r["metric"], r["label"]): float(r["value"]) for r in rows}
    assert all(value[k, "acc", "best on test"] >= value[k, "acc", ""] for k in ("DF", "F2F", "FS", "NT"))
    plain = tmp_path / "plain"
    assert run(capsys, *words[:-4], *words[-3:], "--out", plain)[0] == 0  # without --best-on-test
    assert {(r["data"], r["metric"], ""): float(r["value"]) for r in lines(plain / "results.csv")} == {
        k: v for k, v in value.items() if not k[2]
    }


def test_only_dfb_grouping_merges_videos_of_one_name(capsys, tree, tmp_path):
    words = ("run", "faceforensics-combined", "--root", tree, *REAL, "--level", "video", "--detector", "unifd")
    counts = {}
    for grouping in ("path", "dfb"):
        code, _, err = run(capsys, *words, "--grouping", grouping, "--out", tmp_path)
        assert code == 0, err
        (row,) = lines(tmp_path / "results.csv")
        counts[grouping] = int(row["reals"]), int(row["fakes"])
    reals, fakes = counts["path"]
    assert fakes == 4 * reals
    assert counts["dfb"] == (reals, fakes // 4)


@pytest.fixture(scope="module")
def long_videos(tmp_path_factory):
    """FaceForensics++ with one pair a split and 70 frames a video, more than the protocols take of one."""
    root = tmp_path_factory.mktemp("long videos")
    world = Miniature(MiniatureSpec(0, 2, 2, 2, 1))
    faceforensics(root / "FaceForensics++", Hand(miniature(world), 1), pairs={"train": 1, "val": 1, "test": 1})
    for first in root.glob("**/000.*"):
        for k in range(1, 70):
            first.with_stem(f"{k:03d}").hardlink_to(first)
    return root


def test_the_given_frames_are_measured(capsys, long_videos, tmp_path):
    words = ("run", "faceforensics-combined", "--root", long_videos, *REAL, "--detector", "unifd")
    code, _, err = run(capsys, *words, "--frames", 2, "--choice", "first", "--out", tmp_path)
    assert code == 0, err
    assert json.loads((tmp_path / "results.json").read_text())["protocol"]["frames of a video"] == "2, first"
    assert {r["id"].rpartition("/")[2] for r in lines(tmp_path / "scores.csv")} == {"000.png", "001.png"}


@pytest.mark.parametrize(
    ("reading", "frames"),
    [
        (DEFAULT_READING, choose(70, 32, "even")),
        (Reading(33, "first"), range(33)),
        (Reading(64), choose(70, 64, "even")),
    ]
    + [(Reading(), range(70))],
)
def test_a_data_set_is_listed_as_a_protocol_reads_it(reading, frames, long_videos):
    made = real_testbed(str(long_videos))
    rows = made.sources["faceforensics"](reading).samples
    assert sorted({s.frame for s in rows}) == list(frames)
    damaged = made.sources[PERTURBED](reading).samples
    assert {s.frame for s in damaged} == {0}


@pytest.mark.parametrize("name", [n for n in PROTOCOLS if n.startswith(("miniature", "universal"))])
def test_the_miniature_has_its_own_and_universal_protocols(name):
    of = miniature_testbed(Size.of(6, 1)).protocol(name)
    assert of.name == name
    assert of.metrics == PROTOCOLS[name].metrics
    assert len(of.test) == len(PROTOCOLS[name].test)


def test_delong_without_variance_prints_both_aucs():
    of = PROTOCOLS["miniature"]
    title, labels, groups = of.test[0].title, np.array([0, 0, 1, 1]), np.arange(4)
    scores = {"unifd": [0.5] * 4, "corit": [0.1, 0.2, 0.3, 0.4]}
    found = {
        d: Benchmark((), {title: Predictions(tuple("abcd"), labels, np.array([s]), groups, groups)})
        for d, s in scores.items()
    }
    tests = {title: tuple(scoreboard._tests(title, of, found))}
    (line,) = scoreboard.table(scoreboard.Scoreboard(of, found, tests, {}, 5)).splitlines()
    assert line == (
        "DF: DeLong by picture: AUC 0.500 of unifd, 1.000 of corit, no variance: too few rows to tell, n = 4"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nosuch"], "no protocol 'nosuch' here; there are cross-dataset"),
        (["faceforensics", "--detector", "nosuch"], "no detector 'nosuch'"),
        (["faceforensics", "--detector", "corit", "corit"], "each once"),
        (["faceforensics", "--detector", "unifd-768"], "it needs CLIP ViT-L/14's projection"),
        (["faceforensics", "--metrics", "luck"], "no metric ['luck']"),
        (["faceforensics", "--seeds", "0"], "at least one head seed"),
        (["faceforensics", "--root", "nowhere"], "expected a folder of data sets at nowhere"),
        (["faceforensics", "--world", "miniature", "--root", "."], "got both"),
    ],
)
def test_invalid_protocol_runs_are_refused(capsys, words, said, tmp_path):
    code, _, err = run(capsys, "run", *words, "--people", 6, "--pictures", 1, "--out", tmp_path)
    assert code == 2
    assert said in err
