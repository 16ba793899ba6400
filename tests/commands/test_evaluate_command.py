"""`corit evaluate` and `corit robustness` end to end with a detector that is a Python file."""

from __future__ import annotations

import csv
import json
import os

import numpy as np
import pytest
from PIL import Image

from corit import cli

DETECTOR = """
from corit.evaluate.detectors import ExternalDetector
DETECTOR = ExternalDetector(lambda pictures: [float(p.mean()) / 255 for p in pictures], threshold={threshold})
"""


def run(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        cli.main([*map(str, words)])
    caught = capsys.readouterr()
    return stop.value.code, caught.out, caught.err


@pytest.fixture
def mine(tmp_path):
    """Dark reals and bright fakes of two kinds, of which one is as dark as a real; and a file that is no picture."""
    for i in range(6):
        for name, value in ((f"real/{i}.png", 40), (f"fake/light/{i}.png", 200), (f"fake/faint/{i}.png", 40)):
            path = tmp_path / "mine" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((48, 48, 3), value + i, np.uint8)).save(path)
    (tmp_path / "mine" / "fake" / "light" / "bad.png").write_text("no picture")
    (tmp_path / "mine" / "real" / "raw.cr2").write_text("no picture")
    for name, threshold in (("bright", 0.5), ("stern", 0.9)):
        (tmp_path / f"{name}.py").write_text(DETECTOR.format(threshold=threshold))
    return tmp_path


def test_two_detectors_are_measured_sliced_compared_and_kept(capsys, mine):
    words = ("--detector", mine / "bright.py", mine / "stern.py", "--data", mine / "mine", "--out", mine / "out")
    code, out, err = run(capsys, "evaluate", *words, "--draws", 20)
    assert code == 0
    assert "corit: passed over 1 file: 1 .cr2\n" in err
    assert "6, 12" in out
    assert "bright: not scored: 1 unreadable" in out
    assert "DeLong by picture: AUC 0.750 of bright, 0.750 of stern, p = 1, n = 18" in out
    rows = list(csv.DictReader((mine / "out" / "metrics.csv").open()))
    values = {(r["detector"], r["name"], r["metric"]): float(r["value"]) for r in rows}
    assert values["bright", "light", "auc"] == 1
    assert values["bright", "faint", "auc"] == 0.5
    assert (values["bright", "light", "acc-own"], values["stern", "light", "acc-own"]) == (1, 0.5)
    assert {r["units"] for r in rows} == {"6"}  # a fake and the real picture of its name are one source
    assert set(json.loads((mine / "out" / "metrics.json").read_text())["detectors"]) == {"bright", "stern"}
    page = (mine / "out" / "report.html").read_text()
    assert "called a picture, but its bytes are not one" in page
    assert "Do the detectors differ?" in page


@pytest.mark.parametrize(("command", "file"), [("evaluate", "metrics.csv"), ("robustness", "robustness.csv")])
def test_another_seed_draws_other_intervals_of_the_same_values(capsys, mine, command, file):
    for i in range(6):  # reals as bright as fakes, so that a draw decides
        Image.fromarray(np.full((48, 48, 3), 35 * i + 20, np.uint8)).save(mine / "mine" / "real" / f"{i}.png")
    words = (command, "--detector", mine / "bright.py", "--data", mine / "mine", "--out", mine / "out", "--draws", 30)
    words += () if command == "evaluate" else ("--perturbations", "contrast", "--levels", 5)
    tables = []
    for seed in (0, 1, 0):
        assert run(capsys, *words, "--seed", seed)[0] == 0
        rows = list(csv.DictReader((mine / "out" / file).open()))
        tables.append(
            [{k: v for k, v in r.items() if ("low" in k or "high" in k) == ends} for ends in (0, 1) for r in rows]
        )
    half = len(tables[0]) // 2
    assert tables[0] == tables[2]
    assert tables[0][:half] == tables[1][:half]
    assert tables[0][half:] != tables[1][half:]


def test_kept_scores_refuse_another_detector_of_the_name(capsys, mine):
    words = ("evaluate", "--detector", mine / "bright.py", "--data", mine / "mine", "--out", mine / "out", "--draws", 5)
    assert run(capsys, *words)[0] == 0
    kept = (mine / "out" / "scores" / "bright.jsonl").read_text()
    assert run(capsys, *words)[0] == 0
    assert (mine / "out" / "scores" / "bright.jsonl").read_text() == kept
    (mine / "bright.py").write_text(DETECTOR.format(threshold=0.2))
    code, _, err = run(capsys, *words)
    assert code == 2
    assert "bright.jsonl" in err


def test_the_loss_by_damage_is_printed_and_written(capsys, mine):
    words = ("--detector", mine / "bright.py", "--data", mine / "mine", "--out", mine / "out", "--draws", 10)
    code, out, _ = run(capsys, "robustness", *words, "--perturbations", "contrast", "blur", "--levels", 1, 5)
    assert code == 0
    assert "level 5" in out
    rows = {(r["perturbation"], r["level"]): r for r in csv.DictReader((mine / "out" / "robustness.csv").open())}
    assert set(rows) == {(k, n) for k in ("contrast", "blur") for n in "15"}
    assert float(rows["blur", "5"]["variation"]) == 0  # what is of one colour has nothing to blur
    assert all(int(r["n"]) == 18 for r in rows.values())
    page = (mine / "out" / "robustness.html").read_text()
    assert "Gaussian blur, kernel of 7" in page
    assert "-0.0" not in out + page
    assert "<td>0.750</td>" in page[: page.index("What the levels are")]  # the AUC stands beside what it loses
    assert (mine / "out" / "robustness.png").stat().st_size > 1000


def test_both_commands_may_write_into_one_folder(capsys, mine):
    words = ("--detector", mine / "bright.py", "--data", mine / "mine", "--out", mine / "out", "--draws", 5)
    assert run(capsys, "evaluate", *words)[0] == 0
    before = (mine / "out" / "report.html").read_text()
    assert run(capsys, "robustness", *words, "--perturbations", "blur", "--levels", 1)[0] == 0
    assert (mine / "out" / "report.html").read_text() == before


def test_limits_of_the_rows_are_printed_beside_the_numbers(capsys, mine):
    (mine / "flat.py").write_text(DETECTOR.replace("float(p.mean()) / 255", "0.5").format(threshold=0.5))
    words = ("--detector", mine / "flat.py", "--data", mine / "mine", "--out", mine / "out", "--draws", 20)
    code, out, _ = run(capsys, "evaluate", *words)
    page = (mine / "out" / "report.html").read_text()
    printed = " ".join(out.split())
    assert code == 0
    for text in (
        "TPR at 1 % and 5 % FPR is TPR at no false positive, since there are only 6 reals",
        "the EER of the nearest point, 0.000, means little, the interpolated one, 0.500, does",
    ):
        assert text in printed
        assert text in page
    assert "accuracy at the detector's own threshold" in printed
    assert "alone tells" not in printed
    for i in range(6):
        Image.new("RGB", (48, 48)).save(mine / "mine" / "real" / f"{i}.jpg")
        (mine / "mine" / "real" / f"{i}.png").unlink()
    (mine / "mine" / "fake" / "faint" / "twin.jpg").write_bytes((mine / "mine" / "real" / "0.jpg").read_bytes())
    printed = " ".join(run(capsys, "evaluate", *words)[1].split())
    assert "the kind and compression of the files alone tells reals from fakes with an AUC of" in printed
    assert "1 fakes are byte for byte files that are also reals" in printed


def test_names_that_are_not_utf8_are_measured_and_printed(capfdbinary, mine):
    names = [os.path.join(os.fsencode(mine / "mine" / kind), b"caf\xe9\x1b[31m.png") for kind in ("real", "fake")]
    for name in names:
        with open(name, "wb") as file:
            file.write((mine / "mine" / "real" / "0.png").read_bytes())
    words = ["evaluate", "--detector", mine / "bright.py", "--data", mine / "mine", "--out", mine / "out"]
    with pytest.raises(SystemExit) as stop:
        cli.main([*map(str, words), "--draws", "5"])
    assert stop.value.code == 0
    printed = b" ".join(capfdbinary.readouterr().out.split())
    assert b"files that are also reals: " in printed
    assert b"caf\xe9\\x1b[31m.png" in printed  # its own bytes, but for what would steer the terminal
    assert b"real/caf\xe9\x1b[31m.png" in (mine / "out" / "rows.csv").read_bytes()
    assert "caf\\udce9" in (mine / "out" / "report.html").read_text()
    assert "caf\\udce9" in (mine / "out" / "metrics.json").read_text()
    assert not list((mine / "out").glob("*.part"))


def test_two_pictures_are_measured_without_intervals(capsys, mine):
    for name, value in (("real/a.png", 200), ("fake/a.png", 50)):
        (mine / "two" / name).parent.mkdir(parents=True)
        Image.new("L", (48, 48), value).save(mine / "two" / name)
    words = ("evaluate", "--detector", mine / "bright.py", mine / "stern.py", "--data", mine / "two")
    code, out, _ = run(capsys, *words, "--out", mine / "out", "--draws", 5)
    assert code == 0
    assert "[too few]" in out
    text = (mine / "out" / "metrics.json").read_text()
    assert "NaN" not in text
    (whole,) = json.loads(text)["detectors"]["bright"]["slices"]
    assert (whole["metrics"]["auc"]["low"], whole["metrics"]["auc"]["high"]) == (None, None)
    rows = [r for r in csv.DictReader((mine / "out" / "metrics.csv").open()) if r["metric"] == "auc"]
    assert [(r["low"], r["high"]) for r in rows] == [("", "")] * 2
    code, out, _ = run(
        capsys, "robustness", *words[1:], "--out", mine / "r", "--draws", 5, "--perturbations", "jpeg", "--levels", 1
    )
    assert code == 0
    assert "from 0" in out
    assert "NaN" not in (mine / "r" / "robustness.json").read_text()


def test_columns_of_many_detectors_keep_their_names(capsys, mine):
    names = [f"detector-of-a-long-name-{i}" for i in range(9)]
    for name in names:
        (mine / f"{name}.py").write_text(DETECTOR.format(threshold=0.5))
    files = [mine / f"{n}.py" for n in names]
    words = ("evaluate", "--detector", *files, "--data", mine / "mine", "--out", mine / "out", "--draws", 2)
    _, out, _ = run(capsys, *words)
    head = out.splitlines()[: [line.startswith("reals") for line in out.splitlines()].index(True)]
    starts = [m for m in range(160) if head[0][m : m + 8] == "detector"]
    assert len(starts) == 9
    columns = ["".join(line[a:b].strip() for line in head) for a, b in zip(starts, [*starts[1:], 160], strict=True)]
    assert [c.replace(" ", "") for c in columns] == [f"{n},bypicture" for n in names]
    assert "…" not in out


@pytest.mark.parametrize("command", ["evaluate", "robustness"])
def test_the_published_head_is_an_option(command, capsys, mine):
    (mine / "head.pth").write_text("another head")
    words = ("--detector", "unifd-768", "--unifd-head", mine / "head.pth", "--data", mine / "mine", "--out", mine / "o")
    code, _, err = run(capsys, command, *words)
    printed = " ".join(err.split())
    assert code == 2
    assert "expected UniFD's published head" in printed
    assert str(mine / "head.pth") in printed.replace(" ", "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["evaluate", "--data", "{mine}/mine", "--detector", "{mine}/none.py"], "it cannot be read"),
        (["evaluate", "--data", "{mine}/nothing", "--detector", "{mine}/bright.py"], "no data set"),
        (
            ["robustness", "--data", "{mine}/mine", "--detector", "{mine}/bright.py", "--levels", "6"],
            "a level of 1 to 5",
        ),
    ],
)
def test_impossible_settings_are_wrong_usage(capsys, mine, words, message):
    code, _, err = run(capsys, *(w.format(mine=mine) for w in words), "--out", mine / "out")
    assert code == 2
    assert message in err
