"""`corit detect` without --detector, with a name, and `corit detectors`: the packaged detectors are stand-ins."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from data import faces
from detect.packaged_stand_ins import packaged, stand_in
from detect.test_detector import detector
from PIL import Image
from skimage.data import astronaut

from corit import cli
from corit.commands.scan import ScanOptions
from corit.detect import packaged as listing
from corit.detect.output import RowWriter
from corit.detect.packaged import KEYS
from corit.errors import MissingLibraryError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A photograph of a person, one of nobody, and a video of nobody."""
    root = tmp_path_factory.mktemp("photos")
    Image.fromarray(astronaut()[:320, 100:420]).save(root / "a-face.png")
    grain = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    Image.fromarray(grain).save(root / "b-scene.png")
    faces.video(root / "c.avi", frames=3, faces=())
    return root


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The folder of the packaged detectors."""
    place = packaged(tmp_path / "packaged")
    monkeypatch.setattr(listing, "FOLDER", place)
    return place


def run(capsys, *words):
    with pytest.raises(SystemExit) as end:
        cli.main(list(map(str, words)))
    output = capsys.readouterr()
    return end.value.code, output.out, output.err


def rows_of(text):
    return [json.loads(line) for line in text.splitlines()]


def test_make_refuses_a_place_before_anything_is_loaded(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("corit.backbones.load.load_backbone", lambda *_: pytest.fail("hours of work have begun"))
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").touch()
    words = ("detectors", "make", "faces-b16", "--data", tmp_path, "--out", tmp_path / "full")
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, "")
    assert "exists and is not a detector; choose another folder" in err


EXPECTED = [("a-face.png", "faces-b16"), ("b-scene.png", "scenes-b16"), ("c.avi", "scenes-b16")]


def test_without_a_detector_each_input_has_a_row_of_the_one_that_fits(place, folder, capsys, tmp_path):
    page = tmp_path / "page.html"
    code, out, _ = run(capsys, "detect", folder, "--format", "jsonl", "--per", "video", "--html", page)
    rows = rows_of(out)
    assert code == 0
    assert [(r["path"].rpartition("/")[2], r["detector"]) for r in rows] == EXPECTED
    assert [r["face"] is not None for r in rows] == [True, False, False]
    text = page.read_text()
    assert text.count('class="card"') == 3
    assert "Scores of faces-b16 from 0.700 up are called fake" in text
    assert "Scores of scenes-b16 from 0.600 up are called fake" in text
    assert f"{folder / 'b-scene.png'}, scenes-b16" in text
    assert f"{folder / 'c.avi'}, scenes-b16" in text


def test_tables_and_csv_name_the_detector(place, folder, capsys):
    _, out, _ = run(capsys, "detect", folder / "b-scene.png")
    assert out.split()[:7] == ["path", "face", "score", "spread", "verdict", "status", "detector"]
    assert "scenes-b16" in out
    _, out, _ = run(capsys, "detect", folder / "b-scene.png", "--format", "csv")
    (row,) = csv.DictReader(out.splitlines())
    assert list(row)[-1] == "detector"
    assert row["detector"] == "scenes-b16"


@pytest.mark.parametrize(("domain", "status"), [("face", "no_face"), ("scene", "ok")])
def test_a_domain_takes_one_detector(place, folder, capsys, domain, status):
    code, out, _ = run(capsys, "detect", folder / "b-scene.png", "--domain", domain, "--format", "jsonl")
    (row,) = rows_of(out)
    assert (code, row["status"]) == (0 if status == "ok" else 3, status)


def test_a_detector_is_taken_by_name_or_folder(place, folder, capsys):
    wanted = folder / "b-scene.png"
    _, named, _ = run(capsys, "detect", wanted, "--detector", "scenes-b16", "--format", "jsonl")
    _, own, _ = run(capsys, "detect", wanted, "--detector", place / "scenes-b16", "--format", "jsonl")
    (named,), (own,) = rows_of(named), rows_of(own)
    assert (named["detector"], own["detector"]) == ("scenes-b16", None)
    assert named["score"] == own["score"]
    code, _, err = run(capsys, "detect", wanted, "--detector", "scenes-b16", "--domain", "face")
    assert (code, "scenes-b16 is of the domain scene; leave out --domain or --detector" in err) == (2, True)
    code, _, err = run(capsys, "detect", wanted, "--detector", "xception")
    assert (code, "there is neither (there are faces-b16, scenes-b16)" in err) == (2, True)


@pytest.mark.parametrize(("real", "fake"), [(0.0, 1.0), (0.0, 0.001), (0.999, 1.0)])
def test_the_thresholds_are_printed_where_a_score_lies_between(capsys, place, folder, real, fake):
    for name in ("faces-b16", "scenes-b16"):
        card = json.loads((place / name / "detector.json").read_text())
        card["calibration"] |= {"real": real, "fake": fake}
        (place / name / "detector.json").write_text(json.dumps(card))
    code, out, err = run(capsys, "detect", folder / "b-scene.png", "--format", "jsonl", "--no-stable")
    (row,) = rows_of(out)
    line = f"corit: scenes-b16 says real below {real:.3f} and fake from {fake:.3f}; between it is unsure"
    assert code == 0
    assert (line in err.splitlines()) == (real <= row["score"] < fake) == (row["verdict"] == "unsure")


def test_without_a_face_finder_one_line_says_so(place, folder, capsys, monkeypatch):
    def missing():
        raise MissingLibraryError("finding faces needs dlib: pip install 'corit[faces]'")

    monkeypatch.setattr("corit.images.faces.dlib_models", missing)
    code, out, err = run(capsys, "detect", folder, "--format", "jsonl", "--per", "video")
    assert code == 0
    assert {r["detector"] for r in rows_of(out)} == {"scenes-b16"}
    lines = [line for line in err.splitlines() if line.startswith("corit:") and "between it is unsure" not in line]
    assert lines == [
        "corit: no face is looked for, scenes-b16 scores whole pictures: finding faces needs dlib: pip install "
        "'corit[faces]'"
    ]


def test_an_installation_without_detectors_says_so(folder, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(listing, "FOLDER", tmp_path)
    code, _, err = run(capsys, "detect", folder)
    assert (code, "expected --detector, since no detector comes with this installation" in err) == (2, True)
    code, out, err = run(capsys, "detectors", "list")
    assert (code, out, "this installation comes with none" in err) == (3, "", True)


@pytest.mark.parametrize(
    ("words", "stable"),
    [((), True), (("--no-stable",), False), (("second",), False), (("--stable", "second"), True)],
)
def test_one_file_is_scored_stably_unless_told_otherwise(place, folder, capsys, monkeypatch, words, stable):
    seen = []
    monkeypatch.setattr("corit.commands.scan.run", lambda chosen, options: seen.append(options.stable) or 1)
    paths = [folder / "b-scene.png", *([folder / "a-face.png"] if "second" in words else [])]
    assert run(capsys, "detect", *paths, *(w for w in words if w != "second"))[0] == 0
    assert run(capsys, "detect", folder, *(w for w in words if w != "second"))[0] == 0
    assert seen == [stable, "--stable" in words]


def interrupted(monkeypatch, capsys, *words):
    """Run until the first row is written."""
    write = RowWriter.write

    def stopped(self, row):
        write(self, row)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(RowWriter, "write", stopped)
        assert run(capsys, *words)[0] == 130


def test_rows_resume_with_the_same_settings_only(place, folder, capsys, tmp_path, monkeypatch):
    out = tmp_path / "rows.jsonl"
    words = ("detect", folder, "--format", "jsonl", "--per", "video", "--out", out)
    interrupted(monkeypatch, capsys, *words)
    for other, what in ((("--domain", "scene"), "detector"), (("--stable",), "stable")):
        code, _, err = run(capsys, *words, *other)
        assert (code, f"was begun with {what} " in err) == (2, True)
    changed = stand_in("scenes-b16")
    changed.head.weight.mul_(2)
    saved = {p: p.read_bytes() for p in (place / "scenes-b16").iterdir()}
    changed.save(place / "scenes-b16")
    assert run(capsys, *words)[0] == 2
    for path, data in saved.items():
        path.write_bytes(data)
    assert run(capsys, *words)[0] == 0
    assert [(r["path"].rpartition("/")[2], r["detector"]) for r in rows_of(out.read_text())] == EXPECTED


def test_rows_of_fewer_fields_are_not_resumed(place, folder, capsys, tmp_path):
    out = tmp_path / "rows.jsonl"
    (tmp_path / "rows.jsonl.part").write_text('{"path": "x", "score": 0.5}\n')
    options = ScanOptions(paths=(str(folder),))
    names = ("format", "twins", "aligned", "frames", "choice", "per")
    begun = {"format": 1, **{n: getattr(options, n) for n in names}, "detector": detector().identity}
    (tmp_path / "rows.jsonl.part.journal").write_text(json.dumps(begun) + "\n")
    code, _, err = run(capsys, "detect", folder, "--format", "jsonl", "--out", out)
    assert (code, "row_fields None instead of 14" in err) == (2, True)


def test_detectors_are_listed_shown_and_found(place, capsys):
    code, out, _ = run(capsys, "detectors", "list")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["detector", "faces-b16", "scenes-b16"]
    code, out, _ = run(capsys, "detectors", "list", "--format", "jsonl")
    assert [r["detector"] for r in rows_of(out)] == ["faces-b16", "scenes-b16"]
    code, out, _ = run(capsys, "detectors", "show", "faces-b16", "--format", "json")
    assert (code, set(KEYS) <= set(json.loads(out))) == (0, True)
    assert run(capsys, "detectors", "show", "faces-b16")[1] == "# faces-b16\n\nKnows nothing.\n"
    assert run(capsys, "detectors", "path", "scenes-b16")[1] == f"{place / 'scenes-b16'}\n"
    for words in (("show", "faces"), ("path", "faces")):
        code, out, err = run(capsys, "detectors", *words)
        assert (code, out) == (2, "")
        assert "no packaged detector 'faces'; there are faces-b16, scenes-b16" in err


def test_evaluation_and_robustness_take_a_name(place, tmp_path, capsys):
    for label in ("real", "fake"):
        (tmp_path / "data" / label).mkdir(parents=True)
        for k in range(3):
            grain = np.random.default_rng((k, len(label), ord(label[0]))).integers(0, 256, (64, 64, 3), dtype=np.uint8)
            Image.fromarray(grain).save(tmp_path / "data" / label / f"{k}.png")
    words = ("--detector", "scenes-b16", "--data", tmp_path / "data", "--draws", "10")
    assert run(capsys, "evaluate", *words, "--out", tmp_path / "e")[0] == 0
    assert (
        run(capsys, "robustness", *words, "--out", tmp_path / "r", "--perturbations", "jpeg", "--levels", "1")[0] == 0
    )
    assert json.loads((tmp_path / "e" / "metrics.json").read_text())
