"""`corit data` end to end on tiny trees: what is printed for people and for programs, and with which exit code."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands.test_scan import scenes
from detect.test_detector import detector
from images import video_files
from PIL import Image
from skimage.data import astronaut
from trees import celebdf, faceforensics, forensynths, genimage, uadfv
from trees.write import Hand

from corit import cli
from corit.bench.testbed import real_testbed
from corit.data.care.audit import Finding, audit_source
from corit.data.frames import Reading
from corit.detect.row import Row
from corit.errors import DataError
from corit.paper.outlook import outlooks
from corit.report.data import format_findings, format_rows
from corit.report.lines import rows as rows_of
from corit.serialise import csv_text
from corit.sources import SOURCES, open_source


def run(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        cli.main(["data", *map(str, words)])
    caught = capsys.readouterr()
    return stop.value.code, caught.out, caught.err


def checked(capsys, *words):
    """The findings of a check, by kind, without its counts."""
    code, out, _ = run(capsys, "check", *words, "--format", "csv")
    rows = [r for r in csv.DictReader(io.StringIO(out)) if r["finding"] != "count"]
    return code, {kind: [r for r in rows if r["finding"] == kind] for kind in {r["finding"] for r in rows}}


@pytest.fixture
def celeb(tmp_path):
    celebdf.celebdf(tmp_path / "celeb", Hand(frames=2))
    return tmp_path / "celeb"


# --- list


def test_the_list_names_every_data_set_its_files_and_provider(capsys):
    code, out, _ = run(capsys, "list", "--format", "jsonl")
    rows = {r["name"]: r for r in map(json.loads, out.splitlines())}
    assert code == 0
    assert list(rows) == list(SOURCES)
    assert rows["celeb-df-v2"]["needs"].endswith("List_of_testing_videos.txt")
    assert "github.com" in rows["celeb-df-v2"]["from"]
    assert rows["df40"]["options"].startswith("df40:ROOT,names=... [splits,")
    assert all(r["needs"] for r in rows.values())
    assert "df40:ROOT,names=... [splits," in run(capsys, "list")[1]


def test_the_list_shows_the_data_sets_in_a_folder(capsys, celeb, tmp_path):
    code, out, _ = run(capsys, "list", "--root", tmp_path, "--format", "csv")
    there = {r["name"]: r["found"] for r in csv.DictReader(io.StringIO(out)) if r["found"]}
    assert code == 0
    assert there == {f"celeb-df-v{v}": f"celeb-df-v{v}:{celeb}" for v in (1, 2)}
    (tmp_path / "empty").mkdir()
    assert run(capsys, "list", "--root", tmp_path / "empty")[0] == 3
    code, _, err = run(capsys, "list", "--root", tmp_path / "none")
    assert code == 2
    assert "expected a folder at" in err


# --- check


def test_a_complete_data_set_has_no_problems(capsys, celeb):
    code, out, err = run(capsys, "check", "celeb-df-v2", "--root", celeb)
    assert code == 0
    assert out.endswith("\nno problems found\n")
    assert "Celeb-synthesis" in out
    assert "38/38" in err  # every picture was read


def test_counts_are_those_of_the_tree(capsys, celeb):
    _, out, _ = run(capsys, "check", f"celeb-df-v2:{celeb},frames=1", "--format", "jsonl", "--no-contents")
    *rows, size, part = [json.loads(line) for line in out.splitlines()]
    assert (size["finding"], size["dataset"], size["detail"]) == ("size", "Celeb-DF-v2", "test 9 of 518")
    assert (part["finding"], part["videos"], part["detail"]) == ("part", 19, "Celeb-DF-v2: 19 of 528 videos")
    assert {(r["split"], r["label"]): (r["samples"], r["videos"], r["groups"]) for r in rows} == {
        ("train", "real"): (6, 6, 6),
        ("train", "fake"): (4, 4, 4),
        ("test", "real"): (5, 5, 5),
        ("test", "fake"): (4, 4, 4),
    }


def test_missing_videos_and_damaged_files_are_named(capsys, celeb):
    frames = celeb / "Celeb-synthesis" / "frames"
    tests = (celeb / "List_of_testing_videos.txt").read_text()
    gone, *rest = sorted(p for p in frames.iterdir() if p.name in tests)
    shutil.rmtree(gone)
    (rest[0] / "000.png").write_text("no picture")
    (rest[0] / "001.png").write_bytes(b"")
    code, rows = checked(capsys, "celeb-df-v2", "--root", celeb)
    assert code == 3
    assert [r["name"] for r in rows["missing"]] == [f"Celeb-synthesis/{gone.name}"]
    assert {r["name"] for r in rows["unreadable"]} == {str(rest[0] / "000.png"), str(rest[0] / "001.png")}
    assert all(r["detail"].startswith("unreadable: ") for r in rows["unreadable"])
    assert set(rows) == {"missing", "unreadable", "size", "part"}  # a tiny tree is smaller than what was published


def test_a_missing_folder_is_reported_and_the_rest_checked(capsys, tmp_path):
    faceforensics.faceforensics(tmp_path, Hand(frames=1))
    shutil.rmtree(tmp_path / "manipulated_sequences" / "FaceSwap")
    (tmp_path / "manipulated_sequences" / "FaceSwap.zip").touch()
    code, out, _ = run(capsys, "check", "faceforensics", "--root", tmp_path, "--no-contents")
    assert code == 3
    assert "14 missing files\n  manipulated_sequences/FaceSwap/c23/" in out
    assert "and 9 more; --format csv lists all" in out
    assert "\n  FaceForensics++ c23: 56 of 5,000 videos, 3 of 4 manipulation types" in out
    assert out.endswith("problems: 14 missing\n")
    assert "F2F" in out


def test_picture_sets_report_missing_folders(capsys, tmp_path):
    forensynths.forensynths(tmp_path / "unifd")
    shutil.rmtree(tmp_path / "unifd" / "diffusion_datasets" / "dalle")
    genimage.genimage(tmp_path / "gen")
    shutil.rmtree(next((tmp_path / "gen").glob("**/val/ai")))
    for name, root in (("unifd", "unifd"), ("genimage", "gen")):
        code, rows = checked(capsys, f"{name}:{tmp_path / root}", "--no-contents")
        assert code == 3
        assert rows["missing"]
        assert all("dalle" in r["name"] or r["name"].endswith("val/ai/") for r in rows["missing"])


def test_the_part_that_a_run_would_use_is_that_of_the_paper(capsys, tmp_path):
    root = tmp_path / "FaceForensics++"
    faceforensics.faceforensics(root, Hand(frames=1))
    shutil.rmtree(root / "manipulated_sequences" / "FaceSwap")
    _, rows = checked(capsys, "faceforensics", "--root", root, "--no-contents", "--against", f"faceforensics:{root}")
    shares = outlooks(real_testbed(str(tmp_path), partial=True), {})[1]
    assert [r["detail"] for r in rows["part"]] == [shares[0]]
    assert shares[0].startswith("FaceForensics++ c23: 56 of 5,000 videos, 3 of 4 manipulation types")


def test_a_data_set_with_nothing_is_wrong_usage_beside_another(capsys, tmp_path, celeb):
    (tmp_path / "none").mkdir()
    code, out, err = run(capsys, "check", f"celeb-df-v2:{celeb}", f"dfdc:{tmp_path / 'none'}", "--no-contents")
    assert (code, out) == (2, "")
    assert "Looked for: test/labels.csv" in err


def test_an_empty_folder_is_wrong_usage_and_names_the_files(capsys, tmp_path):
    code, out, err = run(capsys, "check", "dfdc", "--root", tmp_path)
    assert (code, out) == (2, "")
    assert "Looked for: test/labels.csv" in err
    assert "Where to get it" in err
    code, _, err = run(capsys, "check", "celebdf", "--root", tmp_path)
    assert code == 2
    assert "no data set 'celebdf'" in err


def write(path, rows):
    """A CSV file and its pictures; the name before a : is what is shown."""
    out = ["path,label,split,group"]
    for name, label, split, group in rows:
        shown = np.full((32, 32, 3), 10 * ord(name[0]) % 251, np.uint8)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(shown).save(path.parent / f"{name}.png")
        out.append(f"{name}.png,{label},{split},{group}")
    path.write_text("\n".join(out))
    return f"csv:{path}"


def test_leaks_duplicates_and_split_groups_are_distinguished(capsys, tmp_path):
    data = write(
        tmp_path / "rows.csv",
        [
            ("a", 0, "train", "g1"),
            ("a2", 0, "train", "g2"),  # the same picture on one side
            ("b", 0, "train", "g3"),
            ("b2", 0, "test", "g4"),  # ... on both sides
            ("c", 0, "test", "g5"),
            ("c2", 1, "test", "g6"),  # ... under both labels
            ("d", 1, "train", "g7"),
            ("e", 1, "test", "g7"),  # a person on both sides
            ("f", "", "test", "g8"),
        ],
    )
    code, rows = checked(capsys, data)
    assert code == 3
    names = {kind: [r["name"].rpartition("/")[2] for r in part] for kind, part in rows.items()}
    assert names["duplicate"] == ["a.png"]
    assert names["leak"] == ["b.png"]
    assert names["contradiction"] == ["c.png"]
    assert names["straddle"] == ["g7"]
    assert [r["detail"] for r in rows["surprise"]] == ["1 samples have no label"]
    assert rows["leak"][0]["split"] == "test+train"


def test_duplicates_within_one_split_are_harmless(capsys, tmp_path):
    data = write(tmp_path / "rows.csv", [("a", 0, "train", "1"), ("a2", 0, "train", "2"), ("b", 1, "train", "3")])
    code, out, _ = run(capsys, "check", data)
    assert code == 0
    assert "1 pictures that come more than once in one split (no problem by itself)" in out
    assert out.endswith("no problems found\n")


def test_other_files_are_counted_by_suffix(capsys, tmp_path):
    for i, name in enumerate(("real/a.jpg", "real/b.jpg_large", "fake/c.png", "fake/d")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (32, 32), (i, 0, 0)).save(tmp_path / name, format="PNG")
    for name in ("real/note.txt", "fake/.DS_Store"):
        (tmp_path / name).touch()
    code, kinds = checked(capsys, f"folder:{tmp_path}")
    assert (code, set(kinds)) == (0, {"side file"})
    assert {r["name"]: r["samples"] for r in kinds["side file"]} == {".txt": "1", "hidden": "1"}
    for name in ("real/x.cr2", "fake/y.cr2", "fake/z.jxl"):
        (tmp_path / name).touch()
    for words in ((), ("--no-contents",)):
        code, kinds = checked(capsys, f"folder:{tmp_path},max=9", *words)
        assert (code, set(kinds)) == (3, {"side file", "passed over"})
        assert {r["name"]: r["samples"] for r in kinds["passed over"]} == {".cr2": "2", ".jxl": "1"}
    assert "2 files that cannot be read" in run(capsys, "check", f"folder:{tmp_path}")[1]


def test_an_empty_class_is_a_surprise(capsys, tmp_path):
    data = write(tmp_path / "rows.csv", [("a", 0, "train", "1"), ("b", 1, "train", "2"), ("c", 0, "test", "3")])
    code, rows = checked(capsys, data)
    assert code == 3
    assert [r["detail"] for r in rows["surprise"]] == ["test holds real samples only"]


def test_files_that_a_list_names_and_that_are_not_there(capsys, tmp_path):
    data = write(tmp_path / "rows.csv", [("a", 0, "train", "1"), ("b", 1, "train", "2")])
    (tmp_path / "a.png").unlink()
    code, rows = checked(capsys, data)
    assert code == 3
    assert set(rows) == {"missing"}
    assert rows["missing"][0]["name"] == str(tmp_path / "a.png")


def test_what_training_and_test_data_share(capsys, tmp_path):
    train = write(tmp_path / "one" / "rows.csv", [("a", 0, "train", "g"), ("b", 1, "train", "x")])
    test = write(tmp_path / "two" / "rows.csv", [("a", 0, "test", "g"), ("c", 1, "test", "y")])
    code, rows = checked(capsys, train, "--against", test)
    assert code == 3
    assert [r["name"] for r in rows["shared picture"]] == [str(tmp_path / "one" / "a.png")]
    assert [r["name"] for r in rows["shared group"]] == ["g"]
    code, rows = checked(capsys, train, "--against", train, "--no-contents")
    assert code == 3
    assert len(rows["shared file"]) == 2
    other = write(tmp_path / "three" / "rows.csv", [("d", 0, "test", "g"), ("e", 1, "test", "z")])
    code, rows = checked(capsys, train, "--against", other)
    assert code == 0  # a group's name may be chance
    assert set(rows) == {"shared group"}


def test_the_test_set_is_counted_and_its_damage_is_named(capsys, tmp_path):
    train = write(tmp_path / "one" / "rows.csv", [("a", 0, "train", "g"), ("b", 1, "train", "x")])
    test = write(tmp_path / "two" / "rows.csv", [("c", 0, "test", "h"), ("d", 1, "test", "y"), ("e", 1, "test", "z")])
    (tmp_path / "two" / "d.png").write_text("no picture")
    (tmp_path / "two" / "e.png").unlink()
    code, rows = checked(capsys, train, "--against", test)
    assert code == 3
    assert [r["name"] for r in rows["unreadable"]] == [str(tmp_path / "two" / "d.png")]
    assert [r["name"] for r in rows["missing"]] == [str(tmp_path / "two" / "e.png")]
    _, out, err = run(capsys, "check", train, "--against", test, "--format", "csv")
    counts = [r for r in csv.DictReader(io.StringIO(out)) if r["finding"] == "count"]
    assert [(r["split"], r["label"], r["samples"]) for r in counts] == [
        ("train", "real", "1"),
        ("train", "fake", "1"),
        ("test", "real", "1"),
        ("test", "fake", "2"),
    ]
    assert "5/5" in err


def test_a_test_set_with_missing_videos_is_still_compared(capsys, celeb, tmp_path):
    train = write(tmp_path / "one" / "rows.csv", [("a", 0, "train", "g"), ("b", 1, "train", "x")])
    frames = celeb / "Celeb-synthesis" / "frames"
    tests = (celeb / "List_of_testing_videos.txt").read_text()
    shutil.rmtree(next(p for p in frames.iterdir() if p.name in tests))
    code, rows = checked(capsys, train, "--against", f"celeb-df-v2:{celeb},splits=test", "--no-contents")
    assert code == 3
    assert [r["name"].partition("/")[0] for r in rows["missing"]] == ["Celeb-synthesis"]


def test_a_file_in_both_sets_is_reported_once(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(Path("one/rows.csv"), [("a", 0, "train", "g"), ("b", 1, "train", "x")])
    code, rows = checked(capsys, "csv:one/rows.csv", "--against", "csv:one/rows.csv")
    assert code == 3
    assert len(rows["shared file"]) == 2
    assert "shared picture" not in rows


def test_a_picture_on_both_sides_under_both_labels_is_a_leak_too(capsys, tmp_path):
    data = write(tmp_path / "rows.csv", [("a", 0, "train", "1"), ("a2", 1, "test", "2"), ("b", 1, "train", "3")])
    code, rows = checked(capsys, data)
    assert code == 3
    assert [r["name"] for r in rows["leak"]] == [r["name"] for r in rows["contradiction"]] == [str(tmp_path / "a.png")]


def test_equal_groups_of_two_data_sets_are_harmless(capsys, tmp_path):
    pair = [("a", 0, "train", "g"), ("b", 1, "train", "x")], [("c", 0, "test", "g"), ("d", 1, "test", "y")]
    one, two = (write(tmp_path / str(i) / "rows.csv", rows) for i, rows in enumerate(pair))
    for words in ((one, two), (one, "--against", two)):
        code, rows = checked(capsys, *words)
        assert code == 0
        assert [(r["name"], r["detail"]) for r in rows["shared group"]] == [("g", "may be chance")]


def test_a_data_set_without_rows_of_a_split_is_refused(tmp_path):
    uadfv.uadfv(tmp_path, Hand(frames=1))
    source = open_source(f"uadfv:{tmp_path},splits=train")
    with pytest.raises(DataError, match="lists none; ask for other splits"):
        audit_source(source)


# --- prepare


def video(path, frames=6, dark=False):
    """A still of the one face that a detector knows, or nothing but darkness."""
    face = astronaut()[16:256, 96:352]
    path.parent.mkdir(parents=True, exist_ok=True)
    return video_files.write(path, shown=[np.zeros_like(face) if dark else face] * frames)


@pytest.fixture(scope="module")
def interviews(tmp_path_factory):
    """Two good videos, one that is cut short, one without a face, one that is none."""
    root = tmp_path_factory.mktemp("interviews")
    video(root / "real" / "0000.mp4")
    video(root / "fake" / "0000_fake.mp4")
    video_files.cut(video(root / "whole.avi", frames=12), root / "real" / "0001.avi", share=0.6)
    (root / "whole.avi").unlink()
    video(root / "fake" / "0001_fake.mp4", dark=True)
    (root / "real" / "0002.mp4").write_text("no video")
    return root


def test_videos_become_crops_and_each_has_a_status(capsys, interviews, tmp_path):
    words = ("prepare", interviews, "--out", tmp_path, "--frames", 3, "--workers", 0)
    code, out, err = run(capsys, *words, "--format", "csv")
    rows = {r["name"]: r for r in csv.DictReader(io.StringIO(out))}
    assert code == 0
    assert {n: r["status"] for n, r in rows.items()} == {
        "fake/0000_fake.mp4": "ok",
        "fake/0001_fake.mp4": "no_face",
        "real/0000.mp4": "ok",
        "real/0001.avi": "truncated",
        "real/0002.mp4": "unsupported",
    }
    assert int(rows["real/0001.avi"]["frames"]) >= 1
    assert "selected frames decoded" in rows["real/0001.avi"]["reason"]
    assert "3 of 5 videos gave" in err
    assert "5/5" in err
    assert sorted(p.name for p in tmp_path.iterdir()) == [".lock", "fake", "prepared.jsonl", "real"]
    source = open_source(f"uadfv:{tmp_path},partial=true")
    loaded = source.load(source.samples[0])
    assert loaded.aligned
    assert loaded.pixels.shape == (256, 256, 3)
    assert loaded.landmarks is not None
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.png")}
    code, again, _ = run(capsys, *words, "--format", "jsonl")
    assert [json.loads(line)["status"] for line in again.splitlines()] == [r["status"] for r in rows.values()]
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.png")} == before


def test_only_the_videos_of_a_data_set_are_prepared(capsys, tmp_path):
    faceforensics.faceforensics(tmp_path / "ff", Hand(frames=2, media="videos"))
    words = ("prepare", tmp_path / "ff", "--out", tmp_path / "out", "--workers", 0)
    code, out, err = run(capsys, *words, "--data", "faceforensics:splits=test,manipulations=DF")
    assert code == 3  # squares have no face
    assert "0 of 8 videos gave 0 frames" in err
    assert "Deepfakes" in out
    assert "Face2Face" not in out
    again = run(capsys, *words, "--data", "faceforensics:splits=test,manipulations=DF,media=videos")
    assert again[1] == out  # media=videos is not added twice


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--frames", "-1"], "expected at least one frame"),
        (["--side", "4"], "expected crops of at least 16 px"),
        (["--workers", "-1"], "expected a number of workers, or 0 for none, got -1"),
        (["--data", "folder:real=x"], "folder takes no option 'media'"),
    ],
)
def test_impossible_settings_are_refused(capsys, tmp_path, words, message):
    code, _, err = run(capsys, "prepare", tmp_path, "--out", tmp_path / "out", *words)
    assert code == 2
    assert message in err


def test_the_bar_shows_the_total_before_the_first_video(capsys, tmp_path, monkeypatch):
    video(tmp_path / "in" / "a.mp4", dark=True)

    def stopped(*args, **options):
        raise DataError("stopped")
        yield

    monkeypatch.setattr("corit.data.care.prepare.prepare_videos", stopped)
    code, _, err = run(capsys, "prepare", tmp_path / "in", "--out", tmp_path / "out")
    assert code == 2
    assert "0/1" in err


def test_a_folder_without_videos_is_refused(capsys, tmp_path):
    assert run(capsys, "prepare", tmp_path, "--out", tmp_path / "out")[0] == 3
    code, _, err = run(capsys, "prepare", tmp_path / "none", "--out", tmp_path / "out")
    assert code == 2
    assert "expected a folder of videos" in err


def test_skipped_files_are_reported(capsys, tmp_path):
    video(tmp_path / "in" / "a.mp4", dark=True)
    (tmp_path / "in" / "b\x1b[31m").symlink_to(tmp_path)
    _, _, err = run(capsys, "prepare", tmp_path / "in", "--out", tmp_path / "out", "--workers", 0, "--frames", 1)
    assert f"left out: {tmp_path}/in/b\\x1b[31m: a link to a folder, which is not followed\n" in err


@pytest.mark.parametrize("format", ["table", "csv", "jsonl"])
def test_names_that_are_not_utf8_are_written_as_their_bytes(tmp_path, format):
    (tmp_path / "in").mkdir()
    path = os.fsencode(tmp_path / "in") + b"/caf\xe9\x1b[31m.mp4"
    with open(path, "w") as file:
        file.write("no video")
    words = ["prepare", tmp_path / "in", "--out", tmp_path / "out", "--workers", "0", "--format", format]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8:strict", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", "from corit.cli import main; main()", "data", *map(str, words)]
    done = subprocess.run(command, capture_output=True, env=environment, timeout=60, check=False)
    assert done.returncode == 3, done.stderr
    name = {"table": b"caf\xe9\\x1b[31m.mp4", "csv": b"caf\xe9\x1b[31m.mp4", "jsonl": b"caf\\udce9\\u001b[31m.mp4"}
    assert name[format] in done.stdout
    assert b"Traceback" not in done.stderr


def test_sigterm_acts_as_an_interrupt(tmp_path, monkeypatch):
    video(tmp_path / "in" / "a.mp4")
    before = signal.getsignal(signal.SIGTERM)

    def run_on(*args, **options):
        os.kill(os.getpid(), signal.SIGTERM)
        yield from ()

    monkeypatch.setattr("corit.data.care.prepare.prepare_videos", run_on)
    with pytest.raises(SystemExit) as stop:
        cli.main(["data", "prepare", str(tmp_path / "in"), "--out", str(tmp_path / "out")])
    assert stop.value.code == 130
    assert signal.getsignal(signal.SIGTERM) == before


# --- export


def test_an_exported_list_is_read_back(capsys, celeb, tmp_path):
    target = tmp_path / "Celeb-DF-v2.json"
    code, out, _ = run(capsys, "export", "celeb-df-v2", "--root", celeb, "--out", target)
    assert code == 0
    assert out == f"{target}: 38 frames below {celeb}\n"
    here = open_source(f"celeb-df-v2:{celeb}")
    there = open_source(f"deepfakebench:{target},root={celeb}")
    assert {(s.path, s.label, s.split, s.manipulation) for s in there.samples} == {
        (s.path, s.label, s.split, s.manipulation) for s in here.samples
    }
    moved = tmp_path / "moved" / "Celeb-DF-v2.json"
    assert run(capsys, "export", f"celeb-df-v2:{celeb}", "--out", moved, "--below", tmp_path)[0] == 0
    assert '"./celeb/Celeb-real/' in moved.read_text()
    args = ("export", f"celeb-df-v2:{celeb}", "--out", moved, "--prefix")
    assert run(capsys, *args, "../rgb/")[0] == 0
    assert '"../rgb/Celeb-real/' in moved.read_text()
    assert "expected a prefix of paths that ends in /" in run(capsys, *args, "rgb")[2]
    code, _, err = run(capsys, "export", f"celeb-df-v2:{celeb}", "--out", tmp_path / "x.txt")
    assert code == 2
    assert "expected a file <data set>.json" in err


def test_frames_that_the_benchmark_cannot_sort_are_named(capsys, tmp_path):
    genimage.genimage(tmp_path / "data")
    spec = f"genimage:{tmp_path}/data,splits=test,max=1"
    code, out, _ = run(capsys, "export", spec, "--out", tmp_path / "GenImage.json")
    assert code == 0
    assert out.splitlines()[1].startswith("8 file names are no numbers, so that DeepfakeBench cannot sort them: ")


# --- texts


def test_rows_as_lines():
    rows = [{"a": 1, "b": "x,y", "c": ""}, {"a": 0, "b": "[bold]", "c": ""}]
    assert format_rows(rows, "csv") == 'a,b,c\n1,"x,y",\n0,[bold],'
    assert format_rows(rows, "csv", head=False) == '1,"x,y",\n0,[bold],'
    assert [json.loads(line) for line in format_rows(rows, "jsonl").splitlines()] == rows
    assert format_rows(rows, "table").splitlines() == ["a  b", "1  x,y", "0  [bold]"]
    assert [format_rows([], f) for f in ("csv", "jsonl", "table")] == ["", "", ""]


def test_every_end_of_line_is_quoted_in_csv():
    text = csv_text([["a\rb", "c\nd", 'e"', None], ["f"]])
    assert text == '"a\rb","c\nd","e""",\nf\n'
    assert list(csv.reader(io.StringIO(text, newline=""))) == [["a\rb", "c\nd", 'e"', ""], ["f"]]


def test_control_characters_in_names_are_escaped():
    rows = [{"name": "a\x1b[31m\r\x9b\u202eb", "n": 1}]
    assert format_rows(rows, "table").splitlines()[1].startswith("a\\x1b[31m\\r\\x9b\\u202eb")
    assert "\x1b" not in format_findings([Finding("missing", name="a\x1b[31m")], "table")
    row = Row("a\x1b[31m.png", None, None, None, None, "unreadable", "a\x1b[31m.png is empty")
    assert "\x1b" not in rows_of([row])


def test_a_source_reports_missing_files_and_lists_the_rest():
    missed = []
    assert Reading(on_missing=missed.append) == Reading()


REFUSED = {
    "whole.png": "",
    "tiny.png": "too_small",
    "cut.png": "unreadable",
    "text.jpg": "unreadable",
    "document.png": "unsupported",
    "cut.avi": "truncated",
    "whole.avi": "",
}


@pytest.mark.parametrize("faces", [False, True])
def test_a_check_reports_all_that_detection_would_refuse(capsys, tmp_path, faces):
    for side in ("real", "fake"):
        (tmp_path / side).mkdir()
        Image.fromarray(astronaut()).save(tmp_path / side / f"photo-{side}.png")
    real = tmp_path / "real"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(real / "whole.png")
    Image.fromarray(noise[:20]).save(real / "tiny.png")
    (real / "cut.png").write_bytes((real / "whole.png").read_bytes()[:-3000])
    (real / "text.jpg").write_text("no picture")
    (real / "document.png").write_bytes(b"%PDF-1.7 and more")
    whole = video_files.write(tmp_path / "whole.avi")
    shutil.copy(whole, real / "whole.avi")
    video_files.cut(whole, real / "cut.avi", share=0.7)
    _, rows = checked(capsys, f"folder:{tmp_path}", *(["--faces"] if faces else []))
    reported = {Path(r["name"]).name: r["detail"].partition(":")[0] for r in rows["unreadable"]}
    expected = {n: s for n, s in REFUSED.items() if s} | ({"whole.png": "no_face"} if faces else {})
    assert reported == expected
    made = detector() if faces else scenes()
    for name in (n for n in REFUSED if not n.endswith(".avi")):
        assert made(real / name).rows[0].status == expected.get(name, "ok"), name
