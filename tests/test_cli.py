"""The command line end to end on small folders of real-looking pictures, and its exit codes."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from dataclasses import asdict, replace

import cv2
import numpy as np
import pytest

from corit import cli
from corit.commands import exit_codes, scan
from corit.errors import DataError
from corit.heads.defaults import default_head
from corit.images.faces import align, find_faces
from corit.seeding import generator


def photograph(name, side=96):
    rng = generator("cli", name)
    low = rng.integers(0, 256, (6, 6, 3)).astype(np.uint8)
    return cv2.resize(low, (side, side), interpolation=cv2.INTER_CUBIC)


def run(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        cli.main([str(w) for w in words])
    caught = capsys.readouterr()
    return stop.value.code, caught.out, caught.err


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    root = tmp_path_factory.mktemp("photos")
    (root / "more").mkdir()
    for i in range(12):
        cv2.imwrite(str(root / ("more" if i % 2 else "") / f"{i:02d}.png"), photograph(i))
    return root


@pytest.fixture(scope="module")
def detector(photos, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained") / "d"
    words = "--domain scene --backbone miniature --workers 0 --seeds 2 --epochs 2"
    with pytest.raises(SystemExit) as stop:
        cli.main(f"train --real {photos} --out {out} {words}".split())
    assert stop.value.code == 0
    return out


def test_help_loads_no_torch():
    code = "import atexit, sys; from corit import cli; atexit.register(lambda: print('torch' in sys.modules))"
    code += "; cli.main(['--help'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("False\n")
    assert "detect" in done.stdout
    assert "Score pictures, videos" in " ".join(done.stdout.split())  # the first sentence of the command's docstring


def test_the_card_notes_training_without_fakes(detector):
    card = json.loads((detector / "detector.json").read_text())
    assert "self-blended" in card["note"]
    assert card["domain"] == "whole pictures given to corit train"  # though the backbone is the miniature's
    assert card["metrics"]["counts"]["train fake"] == card["metrics"]["counts"]["train real"] > 0
    assert card["weights"] == "packaged"


@pytest.mark.parametrize(
    ("head", "option", "expected"),
    [("mlp", 0.02, 0.02), ("mlp", None, 1e-3), ("linear", 2.0, 2.0), ("linear", None, 0.5)],
)
def test_an_explicit_learning_rate_wins_over_the_default(photos, capsys, tmp_path, head, option, expected):
    words = (
        "train",
        "--real",
        photos,
        "--domain",
        "scene",
        "--backbone",
        "miniature",
        "--workers",
        "0",
        "--seeds",
        "1",
    )
    rate = () if option is None else ("--learning-rate", option)
    code, _, err = run(capsys, *words, "--epochs", "1", "--head", head, *rate, "--out", tmp_path / "d")
    assert code == 0, err
    trained = json.loads((tmp_path / "d" / "detector.json").read_text())["head"]
    recipe = replace(default_head(head), learning_rate=expected, epochs=1, batch=trained["batch"])
    assert trained == asdict(recipe)


def test_training_with_fakes_needs_both_kinds_in_each_part(photos, capsys, tmp_path):
    cv2.imwrite(str(tmp_path / "one.png"), photograph("x"))
    code, _, err = run(capsys, "train", "--real", tmp_path, "--out", tmp_path / "d", "--backbone", "miniature")
    assert code == 2
    assert "at least 3 sources" in err


def test_every_picture_has_a_row_in_every_format(photos, detector, capsys, tmp_path):
    for i in range(2):
        (tmp_path / f"{i}.png").write_bytes((photos / "00.png").read_bytes())
    (tmp_path / "broken.jpg").write_text("no picture")
    code, out, err = run(capsys, "detect", tmp_path, "--detector", detector, "--format", "jsonl")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [r["status"] for r in rows] == ["ok", "ok", "unreadable"]
    assert rows[0]["score"] == pytest.approx(rows[1]["score"], abs=1e-5)
    assert [rows[0]["reason"], rows[1]["reason"]] == ["", ""]
    assert (rows[2]["score"], rows[2]["verdict"]) == (None, None)
    assert "not one" in rows[2]["reason"]
    assert "pictures" in err
    code, out, _ = run(capsys, "detect", tmp_path, "--detector", detector, "--format", "csv", "--twins", "2")
    table = list(csv.DictReader(out.splitlines()))
    assert [t["path"] for t in table] == [r["path"] for r in rows]
    assert float(table[0]["score"]) == pytest.approx(rows[0]["score"], abs=1e-5)
    assert float(table[0]["spread"]) > 0
    code, out, _ = run(capsys, "detect", tmp_path, "--detector", detector)
    assert code == 0
    assert "unreadable" in out


def test_face_crops_without_landmarks_are_measured_and_noted(capsys, tmp_path):
    pytest.importorskip("dlib")
    astronaut = pytest.importorskip("skimage.data").astronaut()
    points = find_faces(astronaut)[0].landmarks
    noise = np.random.default_rng(0).integers(0, 256, (3, 128, 128, 3), dtype=np.uint8)
    for k in range(3):
        for kind, pixels in (("real", align(astronaut, points, 224, 1 + k / 10)[0]), ("fake", noise[k])):
            (tmp_path / kind).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / kind / f"{kind}{k}.png"), pixels[..., ::-1])
    words = f"--real {tmp_path / 'real'} --fake {tmp_path / 'fake'} --out {tmp_path / 's'} --backbone miniature"
    code, out, err = run(capsys, "extract", *words.split(), "--aligned", "--workers", "0")
    assert code == 0
    assert out.startswith("6 rows x 768: 6 ok")
    assert "corit: 3 measured rows: landmarks predicted in the crop\n" in err
    assert "corit: 3 measured rows: unsure landmarks: predicted in the crop\n" in err


def test_a_page_shows_every_row(photos, detector, capsys, tmp_path):
    page = tmp_path / "page.html"
    code, *_ = run(capsys, "detect", photos, "--detector", detector, "--html", page)
    text = page.read_text()
    assert code == 0
    assert text.count('class="card"') == 12
    assert text.count("data:image/") == 36
    assert "http" not in text.replace("http://www.w3.org", "")


def test_a_resumed_file_has_every_row_once(photos, detector, capsys, tmp_path):
    for kind in ("jsonl", "csv"):
        whole, cut = tmp_path / f"whole.{kind}", tmp_path / f"cut.{kind}"
        words = ("detect", photos, "--detector", detector, "--format", kind, "--out")
        assert run(capsys, *words, whole)[0] == 0
        lines = whole.read_text().splitlines(keepends=True)
        (tmp_path / f"cut.{kind}.part").write_text("".join(lines[:6]) + lines[6][:9])
        assert run(capsys, *words, cut)[0] == 0
        assert [line.split(",")[0] for line in cut.read_text().splitlines()] == [x.split(",")[0] for x in lines] or (
            [json.loads(a)["path"] for a in cut.read_text().splitlines()] == [json.loads(a)["path"] for a in lines]
        )
        assert len(cut.read_text().splitlines()) == len(lines)
        assert not (tmp_path / f"cut.{kind}.part").exists()


def test_exit_codes_tell_how_a_command_ends(photos, detector, capsys, tmp_path):
    (tmp_path / "x.png").write_text("no picture")
    assert run(capsys, "detect", tmp_path, "--detector", detector)[0] == 3
    for words, message in (
        (("detect", tmp_path / "absent", "--detector", detector), "expected files or folders"),
        (("detect", tmp_path, "--detector", tmp_path), "expected a detector folder"),
        (("detect", tmp_path, "--detector", detector, "--twins", "0"), "at least one twin"),
        (("detect", tmp_path, "--detector", detector, "--out", tmp_path / "o"), "needs --format"),
        (("train", "--real", photos, "--out", tmp_path / "d", "--backbone", "vit-of-mine"), "no backbone"),
        (("train", "--real", tmp_path / "absent", "--out", tmp_path / "d"), "there is none"),
        (("frobnicate",), "frobnicate"),
    ):
        code, _, err = run(capsys, *words)
        assert code == 2
        assert message in " ".join(err.split())
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "found none" in run(capsys, "detect", empty, "--detector", detector)[2]
    with pytest.raises(DataError, match="expected files"):
        scan.ScanOptions(paths=("nowhere",))


def test_extraction_to_a_store(photos, capsys, tmp_path):
    words = ("extract", "--real", photos, "--domain", "scene", "--backbone", "miniature", "--workers", "0")
    code, out, _ = run(capsys, *words, "--out", tmp_path / "s", "--blends", "1", "--model", "unifd")
    assert code == 0
    assert out.startswith("24 rows x 96: 24 ok")


def test_backbones_are_listed(capsys):
    code, out, _ = run(capsys, "backbones")
    assert code == 0
    assert "clip-vit-l14" in out
    assert "miniature            packaged" in out


@pytest.mark.parametrize(
    ("command", "explained"),
    [
        ("train", "folder of the detector to write"),
        ("detect", "files and folders"),
        ("extract", "the store"),
        ("demo", "training identities"),
        ("evaluate", "bootstrap draws"),
        ("robustness", "bootstrap draws"),
        ("diagnose", "rows of a mini-batch"),
        ("findings", "processes that measure"),
        ("paper", "table1 to table13"),
        ("data check", "data sets, each NAME"),
    ],
)
def test_help_explains_the_options(command, explained, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([*command.split(), "--help"])
    assert stop.value.code == 0
    lines = (line.strip(" \u2502\n") for line in capsys.readouterr().out.splitlines())
    assert explained in " ".join(lines)


def test_an_interrupt_says_how_to_resume(capsys, monkeypatch):
    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "app", interrupted)
    with pytest.raises(SystemExit) as ended:
        cli.main(["demo"])
    assert ended.value.code == exit_codes.INTERRUPTED
    assert "run the same command with the same --out to resume" in capsys.readouterr().err


def test_a_missing_permission_is_reported_in_one_line(capsys, monkeypatch, tmp_path):
    def refuse(*_):
        raise PermissionError(13, "Permission denied", "/somewhere/closed")

    monkeypatch.setattr("corit.data.discovery.describe_data_sets", refuse)
    code, _, err = run(capsys, "data", "list", "--root", tmp_path)
    assert code == 2
    assert err == "corit: no permission to use /somewhere/closed (Permission denied); change its permissions\n"
