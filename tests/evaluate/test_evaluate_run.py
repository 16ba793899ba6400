"""Detectors over a user's folder: every row, every file, resumed where it stopped, never mixed up."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import torch
from images.video_files import cut, write
from PIL import Image

from corit import cli
from corit.backbones.load import load_backbone
from corit.data.perturbed import PerturbedSource
from corit.detect.detector import Card, Detector
from corit.detect.video import score_video
from corit.errors import DataError, DetectorError
from corit.evaluate import run as assess
from corit.evaluate import slices
from corit.evaluate.detectors import ExternalDetector, TrainedDetector
from corit.evaluate.labelled import open_labelled
from corit.evaluate.rows import ScoredRow
from corit.evaluate.scoring import score_source
from corit.heads.head import Head, HeadRecipe
from corit.heads.rows import Standardiser
from corit.images.perturb import perturb
from corit.metrics.auc import auc
from corit.metrics.bootstrap import bootstrap
from corit.metrics.calibration import Calibration
from corit.metrics.curve import average_precision
from corit.metrics.robustness import relative_variation
from corit.progress import no_progress
from corit.recipe import BackboneRecipe, Recipe
from corit.report import robustness as report
from corit.seeding import generator, torch_generator
from corit.sources import open_source

COUNT = 8


@pytest.fixture(scope="module")
def backbone():
    return load_backbone("miniature")


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
            picture = Image.fromarray(pixels).resize((150, 70 if k % 2 else 130), Image.Resampling.BICUBIC)
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
    made, source = detector(backbone), open_labelled([str(folder)])
    rows = score_source(TrainedDetector(made), source, tmp_path / "s.jsonl", batch=3)
    assert [r.id for r in rows] == [s.id for s in source.samples]
    assert [(r.status, r.kind, r.width) for r in rows if r.score is None] == [("unreadable", "", 0)]
    for r in rows:
        if r.score is not None:
            assert r.score == pytest.approx(made(r.path).score, abs=1e-5)
            assert (r.kind, r.quality) == (("jpeg", 60) if r.path.endswith("jpg") else ("png", 0))
            assert r.faces == 1


def test_an_interrupted_run_goes_on_where_it_was(backbone, folder, tmp_path, monkeypatch):
    made, source = detector(backbone), open_labelled([str(folder)])
    whole = score_source(TrainedDetector(made), source, tmp_path / "whole.jsonl")

    def stop(done, total):
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score_source(TrainedDetector(made), source, tmp_path / "cut.jsonl", batch=1, progress=stop)
    with open(tmp_path / "cut.jsonl", "a") as file:
        file.write('{"name": "real/7.jpg", "sco')  # as a kill leaves it
    asked = []
    scan = Detector.scan
    monkeypatch.setattr(
        Detector,
        "scan",
        lambda self, source, samples, **k: scan(self, source, [asked.append(s.id) or s for s in samples], **k),
    )
    again = score_source(TrainedDetector(made), source, tmp_path / "cut.jsonl", batch=1)
    assert len(asked) == len(whole) - 5
    assert [r.id for r in again] == [r.id for r in whole]
    assert [r.score for r in again if r.score] == pytest.approx([r.score for r in whole if r.score], abs=1e-6)
    asked.clear()
    assert score_source(TrainedDetector(made), source, tmp_path / "cut.jsonl") == again
    assert asked == []


def test_the_frames_of_videos_have_the_scores_that_detect_gives_them(backbone, folder, tmp_path):
    for kind, names in (("real", ("a.avi", "cut.avi")), ("fake", ("a.mp4", "none.mp4"))):
        (tmp_path / "videos" / kind).mkdir(parents=True)
        whole = write(tmp_path / f"{kind}.{names[0][2:]}", frames=20, shown=noise(20, kind))
        (tmp_path / "videos" / kind / names[0]).write_bytes(whole.read_bytes())
        cut(whole, tmp_path / "videos" / kind / names[1], 0.7 if kind == "real" else 0)
    made, source = detector(backbone), open_labelled([str(tmp_path / "videos")], frames=6)
    rows = score_source(TrainedDetector(made), source, tmp_path / "s.jsonl", batch=4)
    for name in ("real/a.avi", "real/cut.avi", "fake/a.mp4"):
        of = [r for r in rows if r.video == name]
        seen = [f for f in score_video(made, tmp_path / "videos" / name, frames=6).frames if f.score is not None]
        assert [(r.frame, r.status, r.kind, r.height) for r in of[: len(seen)]] == [
            (f.frame, "ok", name[-3:], 96) for f in seen
        ]
        assert [r.score for r in of[: len(seen)]] == pytest.approx([f.score for f in seen], abs=1e-5)
        assert [r.status for r in of[len(seen) :]] == ["unreadable"] * (6 - len(seen))
        assert 0 < len(seen) < 6 if "cut" in name else len(seen) == 6
    assert [(r.status, r.frame) for r in rows if "none" in r.path] == [("unreadable", -1)]
    found = slices.evaluate_rows(rows, 0.5, draws=10)
    assert (found.overall("video").reals, found.overall("video").fakes, found.overall("picture").fakes) == (2, 1, 6)
    (loud,) = assess.measure_robustness(
        {"d": TrainedDetector(made)}, source, [("noise", 5)], tmp_path / "out", draws=10
    )
    assert (loud.n, loud.lost) == (sum(r.score is not None for r in rows), 0)
    assert loud.found.auc != loud.original


def noise(frames, kind):
    rng = generator("assess videos", kind)
    return [
        np.asarray(Image.fromarray(rng.integers(0, 256, (12, 16, 3)).astype(np.uint8)).resize((128, 96)))
        for _ in range(frames)
    ]


def test_scores_of_another_detector_are_not_gone_on_with(backbone, folder, tmp_path):
    source = open_labelled([str(folder)])
    score_source(TrainedDetector(detector(backbone)), source, tmp_path / "s.jsonl")
    with pytest.raises(DataError, match="begun with detector"):
        score_source(TrainedDetector(detector(backbone, seed=1)), source, tmp_path / "s.jsonl")
    for other in ({"note": "blur 1"}, {"data": "elsewhere"}):
        (word,) = other
        with pytest.raises(DataError, match=f"begun with {word} '' instead of '{other[word]}'"):
            score_source(TrainedDetector(detector(backbone)), source, tmp_path / "s.jsonl", **other)


def test_a_picture_that_was_changed_is_scored_again(backbone, folder, tmp_path):
    for kind in ("real", "fake"):
        (tmp_path / "d" / kind).mkdir(parents=True)
        (tmp_path / "d" / kind / "1.png").write_bytes((folder / kind / "1.png").read_bytes())
    made, place = TrainedDetector(detector(backbone)), tmp_path / "s.jsonl"
    before = score_source(made, open_labelled([str(tmp_path / "d")]), place)
    (tmp_path / "d" / "real" / "1.png").write_bytes((folder / "real" / "2.png").read_bytes())
    after = score_source(made, open_labelled([str(tmp_path / "d")]), place)
    assert after[1] == before[1]  # the fake, untouched
    assert after[0].score == pytest.approx(made.detector(folder / "real" / "2.png").score, abs=1e-5)
    assert after[0].score != before[0].score


def test_a_row_is_scored_again_when_its_landmarks_or_its_frame_are_others(tmp_path):
    world, asked = open_source("miniature:people=2,pictures=1,kinds=DF"), []
    for k, s in enumerate(world.samples[:2]):
        picture = world.load(s)
        for kind in ("frames", "landmarks"):
            (tmp_path / kind / f"v{k}").mkdir(parents=True)
        Image.fromarray(picture.pixels).save(tmp_path / "frames" / f"v{k}" / "000.png")
        np.save(tmp_path / "landmarks" / f"v{k}" / "000.npy", picture.landmarks)
    made = ExternalDetector(lambda crops: [asked.append(c) or 0.5 for c in crops], domain="face", side=48)

    def scored(frame=0):
        lines = ["id,path,label,frame", f"a,frames/v0/000.png,0,{frame}", "b,frames/v1/000.png,1,0"]
        (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
        asked.clear()
        rows = score_source(made, open_labelled([str(tmp_path / "rows.csv")]), tmp_path / "s.jsonl")
        assert [r.status for r in rows] == ["ok", "ok"]
        return len(asked)

    assert [scored(), scored()] == [2, 0]
    np.save(tmp_path / "landmarks" / "v1" / "000.npy", np.load(tmp_path / "landmarks" / "v1" / "000.npy") + 1)
    assert [scored(), scored()] == [1, 0]
    assert [scored(frame=7), scored(frame=7)] == [1, 0]


def test_rows_without_a_label_are_counted_and_not_scored(backbone, folder, tmp_path):
    lines = ["path,label", *(f"{folder}/{kind}/{k}.png,{kind}" for kind in ("real", "fake") for k in range(2))]
    (tmp_path / "rows.csv").write_text("\n".join([*lines, f"{folder}/real/3.png,"]) + "\n")
    rows = score_source(
        TrainedDetector(detector(backbone)), open_labelled([str(tmp_path / "rows.csv")]), tmp_path / "s.jsonl"
    )
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
    assert {t["slice"] for t in table} == {"all", "compression", "size"}  # one folder: one source, one manipulation
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
    made, source = detector(backbone), open_labelled([str(folder)])
    known = [s for s in source.samples if "damaged" not in s.id]
    y = np.array([s.label for s in known])
    before = auc(y, np.array([made(source.load(s)).score for s in known]))
    after = auc(y, np.array([made(perturb(source.load(s).pixels, "blur", 5)).score for s in known]))
    assert float(rows[1]["auc"]) == pytest.approx(after, abs=1e-5)
    assert float(rows[1]["variation"]) == pytest.approx(relative_variation(before, after), abs=1e-5)
    assert (rows[1]["n"], rows[1]["lost"]) == (str(2 * COUNT), "0")
    assert (tmp_path / "robustness.png").read_bytes().startswith(b"\x89PNG")
    assert "data:image/png" in (tmp_path / "robustness.html").read_text()
    assert json.loads((tmp_path / "robustness.json").read_text())["rows"][1]["name"] == "blur"
    page = (tmp_path / "robustness.html").read_text()
    for said in ("kernel of 7, 9, 13, 17, 21 px", "JPEG of quality 90", "20 draws", "one:"):
        assert said in page.replace("<th>one</th><td>", "one:")


def test_rows_that_damage_makes_unscorable_are_lost_and_not_guessed(backbone, folder, tmp_path, monkeypatch):
    from corit.errors import TooSmallError

    load = PerturbedSource.load

    def shaky(self, sample):
        if sample.id.endswith("0.png"):
            raise TooSmallError("nothing is left")
        return load(self, sample)

    monkeypatch.setattr(PerturbedSource, "load", shaky)
    (found,) = assess.measure_robustness(
        {"d": TrainedDetector(detector(backbone))}, open_labelled([str(folder)]), [("noise", 2)], tmp_path, draws=10
    )
    assert (found.n, found.lost) == (2 * COUNT - 2, 2)
    monkeypatch.setattr(PerturbedSource, "load", lambda *_: (_ for _ in ()).throw(TooSmallError("nothing is left")))
    (gone,) = assess.measure_robustness(
        {"d": TrainedDetector(detector(backbone))}, open_labelled([str(folder)]), [("noise", 3)], tmp_path
    )
    assert (gone.original, gone.found, gone.n, gone.lost) == (None, None, 0, 2 * COUNT)
    report.write(tmp_path, [found, gone], assess.Description())
    last = list(csv.DictReader((tmp_path / "robustness.csv").open()))[-1]
    assert (last["level"], last["variation"], last["lost"]) == ("3", "", str(2 * COUNT))
    assert "what is left is of one class" in (tmp_path / "robustness.html").read_text()
    assert "one class" in report.table([found, gone])


def test_the_intervals_of_a_damage_draw_sources():
    """Each row eight times, as frames of its video: the same loss, as uncertain as it was."""
    rng = generator("damaged frames")

    def row(k, score, video=""):
        return ScoredRow(f"{video}{k}", "/p", k % 2, "", "", "", "", video, 0, "ok", "", float(score))

    scores = {n: 1 / (1 + np.exp(-rng.normal(size=30) - np.arange(30) % 2)) for n in ("plain", "damaged")}
    once, often = (
        {n: [row(k, s, f"v{k}" * (many > 1)) for k, s in enumerate(values) for _ in range(many)] for n, values in made}
        for many, made in ((1, scores.items()), (8, scores.items()))
    )
    damage = PerturbedSource(None, "blur", 1)
    widths = []
    for some in (once, often):
        (found,) = assess._damages("d", some["plain"], [(damage, some["damaged"])], 200, 0, no_progress)
        widths.append(found.found.variation.high - found.found.variation.low)
    assert widths[1] == pytest.approx(widths[0], rel=0.1)


def test_every_interval_draws_by_the_asked_seed(folder, tmp_path):
    data = open_labelled([str(folder)])
    mean = ExternalDetector(lambda pictures: [float(p.astype(float).std()) / 255 for p in pictures])

    def ends(seed):
        (whole,) = assess.evaluate_detectors({"d": mean}, data, tmp_path, draws=30, seed=seed)
        (damage,) = assess.measure_robustness({"d": mean}, data, [("contrast", 3)], tmp_path, draws=30, seed=seed)
        e, v = whole.overall().metrics["ap"], damage.found.auc
        return (e.low, e.high), (v.low, v.high)

    zero, other = ends(0), ends(4)
    assert zero == ends(0)
    assert all(a != b for a, b in zip(zero, other, strict=True))
    rows = [r for r in assess.ScoringOptions().score("d", mean, data, tmp_path) if r.score is not None]
    y, s = (np.array([getattr(r, k) for r in rows]) for k in ("label", "score"))
    expected = bootstrap(average_precision, y, s, groups=np.array([r.unit for r in rows]), draws=30, seed=4)
    assert other[0] == pytest.approx((expected.low, expected.high), abs=1e-12)


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
    for command in ("evaluate", "robustness"):
        for words, said in (
            (("--draws", "1"), "at least two bootstrap draws for an interval, got 1"),
            (("--draws", "-3"), "got -3"),
            (("--batch", "0"), "expected a batch >= 1 and workers >= 0, got 0 and 0"),
            (("--workers", "-1"), "got 8 and -1"),
        ):
            code, _, err = run(capsys, command, "--detector", saved[0], *data, *words)
            assert (code, said in " ".join(err.split())) == (2, True)
    assert not (tmp_path / "o").exists()
    with pytest.raises(DetectorError, match="got none"):
        assess.load_detectors([])
    reals = tmp_path / "reals"
    (reals / "real").mkdir(parents=True)
    (reals / "fake").mkdir()
    for kind in ("real", "fake"):
        (reals / kind / "x.png").write_text("no picture")
    for command in ("evaluate", "robustness"):
        code, _, err = run(capsys, command, "--detector", saved[0], "--data", reals, "--out", tmp_path / "p")
        assert (code, "2 unreadable" in err) == (3, True)  # nothing could be scored


@pytest.fixture(scope="module")
def clips(folder, tmp_path_factory):
    """A CSV file of frames: two real videos, three fake ones of two manipulations, and a file that is not there."""
    root = tmp_path_factory.mktemp("videos")
    videos = (("real", "a", ""), ("real", "b", ""), ("fake", "c", "DF"), ("fake", "d", "DF"), ("fake", "e", "NT"))
    lines = ["path,label,manipulation,video,frame"]
    for i, (label, video, kind) in enumerate(videos):
        for k in range(2):
            (root / "c23" / video).mkdir(parents=True, exist_ok=True)
            place = root / "c23" / video / f"{k}.png"
            place.write_bytes((folder / label / f"{(i + k) % 4}.png").read_bytes())
            lines.append(f"c23/{video}/{k}.png,{label},{kind},{video},{k}")
    (root / "videos.csv").write_text("\n".join([*lines, "c23/e/9.png,fake,NT,e,9"]) + "\n")
    return root / "videos.csv"


def test_frames_of_a_csv_file_are_measured_as_pictures_and_as_videos(clips, saved, capsys, tmp_path):
    code, out, _ = run(
        capsys, "evaluate", "--detector", *saved, "--data", clips, "--out", tmp_path, "--draws", "20", "--seed", "3"
    )
    assert code == 0
    assert "one, by picture" in out
    assert "one, by video" in out
    assert "one: not scored: 1 unreadable" in out
    table = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    counts = {
        (t["level"], t["slice"], t["name"]): tuple(int(t[c]) for c in ("reals", "fakes", "unscored", "units"))
        for t in table
        if t["detector"] == "one"
    }
    assert counts == {
        ("picture", "all", "all"): (4, 6, 1, 5),
        ("picture", "manipulation", "DF"): (4, 4, 0, 4),
        ("picture", "manipulation", "NT"): (4, 2, 1, 3),
        ("video", "all", "all"): (2, 3, 0, 5),
        ("video", "manipulation", "DF"): (2, 2, 0, 4),
        ("video", "manipulation", "NT"): (2, 1, 0, 3),
        **{k: v for k, v in counts.items() if k[1] == "size"},
    }
    rows = [r for r in csv.DictReader((tmp_path / "rows.csv").open()) if r["detector"] == "one" and r["score"]]
    means = {v: np.mean([float(r["score"]) for r in rows if r["video"] == v]) for v in "abcde"}
    pairs = [(means[f] > means[r]) + 0.5 * (means[f] == means[r]) for f in "cde" for r in "ab"]
    (value,) = [
        t["value"]
        for t in table
        if (t["detector"], t["level"], t["slice"], t["metric"]) == ("one", "video", "all", "auc")
    ]
    assert float(value) == pytest.approx(np.mean(pairs), abs=1e-6)
    page = (tmp_path / "report.html").read_text()
    assert page.count("data:image/png") == 2
    assert "By video" in page


OWN = """
from corit.evaluate.detectors import ExternalDetector

DETECTOR = ExternalDetector(lambda pictures: [p.mean() / 255 for p in pictures], threshold=0.4, note="brightness")
"""


def test_a_detector_of_ones_own_stands_beside_a_trained_one(folder, saved, capsys, tmp_path):
    (tmp_path / "bright.py").write_text(OWN)
    both = ("--detector", tmp_path / "bright.py", saved[0], "--data", folder, "--draws", "5")
    assert run(capsys, "evaluate", *both, "--out", tmp_path / "e")[0] == 0
    rows = list(csv.DictReader((tmp_path / "e" / "rows.csv").open()))
    own = {r["id"]: r for r in rows if r["detector"] == "bright"}
    assert len(own) == 2 * COUNT + 1
    with Image.open(folder / "fake" / "2.png") as picture:
        expected = np.asarray(picture.convert("RGB")).mean() / 255
    assert float(own["fake/2.png"]["score"]) == pytest.approx(expected, abs=1e-9)
    assert (own["real/damaged.png"]["status"], own["real/damaged.png"]["score"]) == ("unreadable", "")
    assert "brightness" in (tmp_path / "e" / "report.html").read_text()
    words = ("--perturbations", "contrast", "--levels", "5", "--out", tmp_path / "r")
    code, out, _ = run(capsys, "robustness", *both, *words)
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()[1:3]] == [["bright", "contrast"], ["one", "contrast"]]
    (tmp_path / "bright.py").write_text(OWN.replace("/ 255", "/ 256"))
    code, _, err = run(capsys, "evaluate", *both, "--out", tmp_path / "e")
    assert (code, "begun with detector" in err) == (2, True)


def test_a_detector_may_be_called_anything_that_a_folder_may(folder, backbone, capsys, tmp_path, monkeypatch):
    detector(backbone).save(tmp_path / "data")
    words = ("evaluate", "--data", folder, "--draws", "5", "--out", tmp_path / "out")
    assert run(capsys, *words, "--detector", tmp_path / "data")[0] == 0
    known = json.loads((tmp_path / "out" / "metrics.json").read_text())["about"]
    assert known["data"]["rows of"] == str(folder)
    assert known["detectors"]["data"]["model"] == "unifd"
    monkeypatch.chdir(tmp_path / "data")
    assert list(assess.load_detectors(["."])) == ["data"]


def test_weights_are_of_the_detector_that_they_are_named_for(saved, backbone, tmp_path):
    places = {
        n: d.detector.card.weights for n, d in assess.load_detectors(saved, ["two=elsewhere.safetensors"]).items()
    }
    assert places == {"one": "packaged", "two": "elsewhere.safetensors"}
    places = {n: d.detector.card.weights for n, d in assess.load_detectors(saved, ["one=random:1", "packaged"]).items()}
    assert places == {"one": "random:1", "two": "packaged"}
    with pytest.raises(DetectorError, match="NAME=PLACE with one of one, two.*got a, three=b"):
        assess.load_detectors(saved, ["a", "three=b"])


def test_scores_of_other_pixels_are_not_gone_on_with(backbone, folder, tmp_path, monkeypatch):
    source = open_labelled([str(folder)])
    score_source(TrainedDetector(detector(backbone)), source, tmp_path / "s.jsonl")
    monkeypatch.setattr("corit.evaluate.scoring.READING", 99)
    with pytest.raises(DataError, match="begun with reading 2 instead of 99"):
        score_source(TrainedDetector(detector(backbone)), source, tmp_path / "s.jsonl")


def test_a_place_is_one_place_however_it_is_written(backbone, folder, tmp_path, monkeypatch):
    made, asked = TrainedDetector(detector(backbone)), []
    monkeypatch.chdir(folder.parent)
    for text in (folder.name, f"./{folder.name}/", f"folder:{folder}"):
        assess.evaluate_detectors({"one": made}, open_labelled([text]), tmp_path, draws=2)
        asked.append((tmp_path / "scores" / "one.jsonl").read_bytes())
    assert asked[0] == asked[1] == asked[2]
    with pytest.raises(DataError, match="begun with data"):
        assess.evaluate_detectors({"one": made}, open_labelled([f"folder:{folder},by_folder=true"]), tmp_path, draws=2)


def test_scores_under_other_levels_of_a_damage_are_not_taken(backbone, folder, tmp_path, monkeypatch):
    made, data = {"one": TrainedDetector(detector(backbone))}, open_labelled([str(folder)])
    (found,) = assess.measure_robustness(made, data, [("blur", 1), ("blur", 1)], tmp_path, draws=5)
    assert found.level == 1
    monkeypatch.setitem(assess.LEVEL_TEXTS, "blur", "another blur")
    with pytest.raises(DataError, match="begun with note 'blur 1: Gaussian blur, kernel of 7"):
        assess.measure_robustness(made, data, [("blur", 1)], tmp_path, draws=5)


def test_conditions_that_lost_other_rows_are_measured_on_their_own(backbone, folder, tmp_path, monkeypatch):
    from corit.errors import TooSmallError

    load = PerturbedSource.load

    def shaky(self, sample):
        if (self.name, sample.id) == ("noise", "fake/0.png"):
            raise TooSmallError("nothing is left")
        return load(self, sample)

    monkeypatch.setattr(PerturbedSource, "load", shaky)
    made, data = {"one": TrainedDetector(detector(backbone))}, open_labelled([str(folder)])
    conditions = [("blur", 1), ("noise", 1), ("contrast", 1)]
    together = assess.measure_robustness(made, data, conditions, tmp_path / "a", draws=10)
    alone = [assess.measure_robustness(made, data, [c], tmp_path / "a", draws=10)[0] for c in conditions]
    assert list(together) == alone
    assert [d.lost for d in together] == [0, 1, 0]


def test_a_picture_that_changes_after_it_was_read_is_scored_again(backbone, folder, tmp_path):
    for kind in ("real", "fake"):
        (tmp_path / "d" / kind).mkdir(parents=True)
        (tmp_path / "d" / kind / "1.png").write_bytes((folder / kind / "1.png").read_bytes())
    path, made = tmp_path / "d" / "real" / "1.png", TrainedDetector(detector(backbone))

    class Late:
        identity = made.identity

        def ready(self):
            made.ready()

        def scan(self, source, samples, **options):
            reports = list(made.scan(source, samples, **options))
            path.write_bytes((folder / "real" / "2.png").read_bytes())
            return reports

    score_source(Late(), open_labelled([str(tmp_path / "d")]), tmp_path / "s.jsonl")
    (real, _) = score_source(made, open_labelled([str(tmp_path / "d")]), tmp_path / "s.jsonl")
    assert real.score == pytest.approx(made.detector(path).score, abs=1e-5)


def test_a_row_is_scored_once_it_has_a_label(backbone, folder, tmp_path):
    made, asked = TrainedDetector(detector(backbone)), tmp_path / "rows.csv"
    for label, status in (("", "unlabelled"), ("fake", "ok"), ("", "unlabelled")):
        files = [(folder / kind / f"{k}.png", kind) for k in (1, 2) for kind in ("real", "fake")]
        named = [(path, label if k == 3 else kind) for k, (path, kind) in enumerate(files)]
        asked.write_text("path,label\n" + "".join(f"{path},{kind}\n" for path, kind in named))
        *_, row = score_source(made, open_labelled([str(asked)]), tmp_path / "s.jsonl")
        assert (row.status, row.label) == (status, 1 if label else -1)
