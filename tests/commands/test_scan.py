"""Folders of pictures and videos, scanned as a stream: every input has its lines, in every format, once."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from data import faces
from detect.test_detector import detector
from full import narrow
from images import video_files
from PIL import Image

import corit
from corit.commands import scan
from corit.data.landmarks import Landmarks
from corit.detect import files
from corit.detect.output import RowWriter, resume
from corit.detect.row import FIELDS, Row
from corit.detect.video import score_video
from corit.detect.video_score import FRAMES
from corit.errors import DataError
from corit.images.face_shape import mean_face
from corit.images.picture import DRAWN
from corit.report import detect as page
from corit.report.lines import Screen


def scenes():
    """A detector of whole pictures."""
    made = detector()
    recipe = made.card.recipe.replace(**{"views.domain": "scene"})
    made.card = replace(made.card, recipe=recipe)
    return made


@pytest.fixture(scope="module")
def made():
    return scenes()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two pictures, a video, a cut one, and three files that are not what their names say; a video in a sub-folder."""
    root = tmp_path_factory.mktemp("mixed")
    (root / "a").mkdir()
    for i in range(2):
        grain = np.random.default_rng(i).integers(0, 256, (6, 6, 3)).astype(np.uint8)
        cv2.imwrite(str(root / f"b{i}.png"), cv2.resize(grain, (96, 96)))
    faces.video(root / "a" / "deep.mp4")
    video_files.cut(faces.video(root / "whole.avi"), root / "cut.avi", share=0.7)
    (root / "whole.avi").rename(root / "whole.AVI")
    (root / "picture.mp4").write_bytes((root / "b0.png").read_bytes())
    (root / "video.png").write_bytes((root / "a" / "deep.mp4").read_bytes())
    (root / "zero.mp4").write_bytes(b"")
    (root / "notes.txt").write_text("no input")
    return root


def options_of(paths, format="table", **options):
    return scan.ScanOptions(paths=paths, format=format, **options)


ORDER = ["b0.png", "b1.png", "video.png", "cut.avi", "picture.mp4", "whole.AVI", "zero.mp4", "a/deep.mp4"]
STATUS = ["ok", "ok", "unsupported", "truncated", "unsupported", "ok", "unreadable", "ok"]


def run(made, capsys, *paths, **asked):
    scored = scan.run(made, options_of(tuple(map(str, paths)), **{"format": "jsonl"} | asked))
    return scored, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_every_input_has_a_line_with_a_status(made, folder, capsys):
    scored, lines = run(made, capsys, folder, per="video", frames=4)
    assert [os.path.relpath(x["path"], folder) for x in lines] == ORDER
    assert [x["status"] for x in lines] == STATUS
    assert [x["part"] for x in lines] == ["picture"] * 3 + ["video"] * 5
    assert all((x["score"] is not None) == (x["status"] in ("ok", "truncated")) == bool(x["verdict"]) for x in lines)
    assert all(bool(x["reason"]) == (x["status"] != "ok") for x in lines)
    assert scored == 5
    deep = score_video(made, folder / "a" / "deep.mp4", frames=4)
    assert (lines[-1]["score"], lines[-1]["frames"]) == (deep.score, 4)


def test_files_of_other_suffixes_are_scored_or_counted(made, folder, capsys, tmp_path):
    (tmp_path / "b.jpg_large").write_bytes((folder / "b0.png").read_bytes())
    (tmp_path / "deep").write_bytes((folder / "a" / "deep.mp4").read_bytes())
    with Image.open(folder / "b0.png") as still:
        still.save(tmp_path / "g.gif_large", format="GIF")
    for name in ("x.cr2", "y.cr2", "note.txt", "z.jxl"):
        (tmp_path / name).write_bytes(b"II*\0\x10\0\0\0CR")
    asked = options_of((str(tmp_path),), "jsonl", per="video", frames=2)
    assert scan.run(made, asked) == 3
    printed = capsys.readouterr()
    lines = [json.loads(line) for line in printed.out.splitlines()]
    assert [(os.path.basename(x["path"]), x["part"], x["status"]) for x in lines] == [
        ("b.jpg_large", "picture", "ok"),
        ("g.gif_large", "picture", "ok"),
        ("deep", "video", "ok"),
    ]
    whole = run(made, capsys, folder / "b0.png")[1]
    assert lines[0]["score"] == whole[0]["score"]
    assert printed.err.count("passed over 4 files: 2 .cr2, 1 .jxl, 1 .txt\n") == 1


def test_a_folder_of_other_files_is_refused_with_their_number(made, tmp_path):
    (tmp_path / "x.cr2").touch()
    with pytest.raises(DataError, match="but found none; passed over 1 file: 1 .cr2"):
        scan.run(made, options_of((str(tmp_path),)))


def test_rows_per_track_and_per_frame(made, folder, capsys):
    path = folder / "cut.avi"
    scored, lines = run(made, capsys, path, frames=6)
    report = score_video(made, path, frames=6)
    video, track = lines
    assert (video["part"], track["part"], scored) == ("video", "track", 2)
    assert (track["track"], track["start"], track["frames"]) == (0, 0.0, len(report.frames) - 1)
    assert track["score"] == report.tracks[0].score
    scored, lines = run(made, capsys, path, frames=6, per="frame")
    assert [x["part"] for x in lines] == ["video", "track"] + ["frame"] * len(report.frames)
    assert [x["frame"] for x in lines[2:]] == [r.frame for r in report.frames]
    assert [x["score"] for x in lines[2:]] == [r.score for r in report.frames]
    assert [x["status"] for x in lines[2:]] == ["ok"] * (len(report.frames) - 1) + ["unreadable"]
    assert lines[2]["verdict"] == made.card.calibration.verdict(lines[2]["score"])
    assert scored == 2 + len(report.frames) - 1


def test_the_caller_chooses_the_frames(made, folder, capsys):
    path = folder / "whole.AVI"
    for asked, expected in (
        ({"frames": 3, "choice": "first"}, [0, 1, 2]),
        ({"frames": 3}, [0, 5, 11]),
        ({"frames": None}, list(range(12))),
    ):
        _, lines = run(made, capsys, path, per="frame", **asked)
        assert [x["frame"] for x in lines if x["part"] == "frame"] == expected


def test_named_files_are_read_by_their_content(made, folder, capsys, tmp_path):
    (tmp_path / "upload").write_bytes((folder / "whole.AVI").read_bytes())
    (tmp_path / "blob").write_bytes((folder / "b0.png").read_bytes())
    _, lines = run(made, capsys, tmp_path / "upload", tmp_path / "blob", per="video")
    assert [(x["part"], x["status"]) for x in lines] == [("picture", "ok"), ("video", "ok")]


@pytest.mark.parametrize("kind", ["gif", "webp", "png"])
def test_an_animation_is_a_video_or_notes_its_one_frame(made, capsys, tmp_path, kind):
    moving = [Image.fromarray(s) for s in video_files.pictures(5, (96, 96))]
    moving[0].save(tmp_path / f"a.{kind}", save_all=True, append_images=moving[1:], duration=100)
    moving[0].save(tmp_path / f"untimed.{kind}", save_all=True, append_images=moving[1:])
    moving[0].save(tmp_path / f"still.{kind}")
    _, lines = run(made, capsys, tmp_path, per="video")
    found = {os.path.basename(x["path"]): (x["part"], x["status"], x["reason"], x["frames"]) for x in lines}
    animated = "animated: only the first of 5 frames was looked at"
    assert found == {
        f"a.{kind}": ("video", "ok", "", 5) if kind == "gif" else ("picture", "ok", animated, None),
        f"untimed.{kind}": ("picture", "ok", animated, None),
        f"still.{kind}": ("picture", "ok", "", None),
    }


def test_landmarks_are_for_pictures_only(made, folder, capsys):
    scored, (line,) = run(made, capsys, folder / "whole.AVI", aligned=True)
    assert (scored, line["status"]) == (0, "unsupported")
    assert "--aligned" in line["reason"]


@pytest.fixture(scope="module", params=["jsonl", "csv"])
def whole(request, made, folder, tmp_path_factory):
    """A job whose file is whole, and how many of its lines have a score."""
    out = tmp_path_factory.mktemp("whole") / "rows"
    job = options_of((str(folder),), request.param, out=out, per="frame", frames=4)
    return job, scan.run(made, job)


@pytest.mark.parametrize("cut_at", [0, 1, 4, 9, 15, 21])
def test_a_resumed_file_has_every_row_once(made, whole, tmp_path, cut_at):
    job, scored = whole
    lines = job.out.read_text().splitlines(keepends=True)
    cut = replace(job, out=tmp_path / "cut")
    part = tmp_path / "cut.part"
    part.write_text("".join(lines[:cut_at]) + lines[cut_at][:9])
    assert scan.run(made, cut) == scored
    assert stripped(cut.out.read_text(), job.format) == stripped(job.out.read_text(), job.format)
    assert not part.exists()


OTHERS = {
    "format": "csv",
    "twins": 2,
    "frames": 5,
    "choice": "first",
    "per": "video",
    "video_score": FRAMES,
    "aligned": True,
    "landmarks": Landmarks({"b0.png": np.zeros((5, 2), np.float32)}),
    "detector": None,
    "reading": None,
}


@pytest.mark.parametrize("what", OTHERS)
def test_a_file_of_other_settings_is_not_resumed(made, folder, tmp_path, monkeypatch, what):
    job = options_of((str(folder),), "jsonl", out=tmp_path / "rows", frames=4)
    part = tmp_path / "rows.part"
    written = []

    class StoppedError(Exception):
        pass

    def stopped(self, line, real=RowWriter.write):
        real(self, line)
        written.append(line)
        if len(written) == 3:
            raise StoppedError

    with monkeypatch.context() as patched:
        patched.setattr(RowWriter, "write", stopped)
        with pytest.raises(StoppedError):
            scan.run(made, job)
    held = part.read_bytes()
    assert held.count(b"\n") == 3
    calibration = replace(made.card.calibration, fake=0.9)
    other = scenes() if what == "detector" else made
    other.card = replace(other.card, calibration=calibration) if what == "detector" else other.card
    asked = replace(job, **{what: OTHERS[what]}) if OTHERS[what] else job
    with monkeypatch.context() as patched:
        if what == "reading":
            patched.setattr(scan, "READING", scan.READING + 1)
        with pytest.raises(DataError, match=rf"rows.part was begun with {what} .* instead of .* remove it"):
            scan.run(other, asked)
    assert part.read_bytes() == held
    scan.run(made, job)
    assert [p.name for p in tmp_path.iterdir()] == ["rows"]


def test_a_file_of_changed_inputs_is_not_resumed(made, folder, tmp_path, monkeypatch):
    photos = tmp_path / "photos"
    shutil.copytree(folder, photos)
    job, part = options_of((str(photos),), "jsonl", out=tmp_path / "rows"), tmp_path / "rows.part"
    written = []

    def stopped(self, line, real=RowWriter.write):
        real(self, line)
        written.append(line.path)
        if len(written) == 3:
            raise InterruptedError

    with monkeypatch.context() as patched:
        patched.setattr(RowWriter, "write", stopped)
        with pytest.raises(InterruptedError):
            scan.run(made, job)
    held, first = part.read_bytes(), Path(written[0])
    before = first.stat().st_mtime_ns
    os.utime(first, ns=(before, before + 1))
    with pytest.raises(DataError, match=rf"{first.name} changed since; remove .*rows.part to begin anew"):
        scan.run(made, job)
    assert part.read_bytes().splitlines()[0] == held.splitlines()[0]
    part.unlink()
    scan.run(made, job)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["photos", "rows"]
    os.utime(first, ns=(before, before + 1))
    scan.run(made, job)  # a file that is whole is made anew


def test_unreadable_settings_are_reported(made, folder, tmp_path):
    (tmp_path / "rows.part").write_text("{}\n")
    (tmp_path / "rows.part.journal").write_text("[")
    with pytest.raises(DataError, match="is damaged; remove it and .*rows.part to begin anew"):
        scan.run(made, options_of((str(folder),), "jsonl", out=tmp_path / "rows"))


def test_rows_of_an_earlier_version_are_refused_in_words(made, folder, tmp_path):
    (tmp_path / "rows.part").write_text("{}\n")
    (tmp_path / "rows.part.json").write_text('{"detector": "0123"}')
    job = options_of((str(folder / "b0.png"),), "jsonl", out=tmp_path / "rows")
    with pytest.raises(DataError, match=r"rows.part was begun by an earlier version of corit; remove it to begin anew"):
        scan.run(made, job)
    (tmp_path / "rows.part").unlink()
    scan.run(made, job)
    assert [p.name for p in tmp_path.iterdir()] == ["rows"]


def test_detect_files_gives_the_rows_of_the_command(made, folder, capsys):
    for per in ("video", "track", "frame"):
        scored, lines = run(made, capsys, folder, per=per, frames=4, video_score=FRAMES)
        rows = list(corit.detect_files(made, folder, per=per, frames=4, video_score=FRAMES))
        assert [json.loads(json.dumps(asdict(row))) for row in rows] == lines
        assert sum(row.score is not None for row in rows) == scored
    (row,) = corit.detect_files(made, [folder / "b0.png"])
    assert row.path == str(folder / "b0.png")


def test_detect_files_refuses_what_the_command_refuses(made, tmp_path):
    with pytest.raises(DataError, match="but found none"):
        corit.detect_files(made, tmp_path)
    with pytest.raises(DataError, match="there is no .*absent"):
        corit.detect_files(made, [tmp_path / "absent"])
    with pytest.raises(DataError, match="at least one twin"):
        corit.detect_files(made, tmp_path, twins=0)


def stripped(text, format):
    """Lines without scores, which may differ in the last digits with the batch."""
    read = map(json.loads, text.splitlines()) if format == "jsonl" else csv.DictReader(io.StringIO(text))
    return [{k: v for k, v in row.items() if k != "score"} for row in read]


def test_a_file_of_other_columns_is_not_resumed(tmp_path):
    part = tmp_path / "rows.csv.part"
    for text, format in (
        ("path,score\nx.png,0.5\n", "csv"),
        ("path,score\nx.png,0.5\n", "jsonl"),
        ('{"name": 1}\n', "jsonl"),
    ):
        part.write_text(text)
        with pytest.raises(DataError, match=r"expected lines of path, .* remove it"):
            resume(part, format)
        assert part.read_text() == text


NAMES = ["plain.png", 'quote " comma ,.png', "two\nlines.png", "carriage\rreturn.png", "\udcff no text.png", "ä.png"]


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_any_file_name_is_written_and_read_back(tmp_path, format):
    part = tmp_path / "rows.part"
    with part.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream:
        writer = RowWriter(stream, format)
        for name in [*NAMES, "last.png"]:
            writer.write(Row(name, None, 0.5, None, "real", "ok", ""))
    whole = part.read_bytes()
    found = resume(part, format)
    assert (found.done, found.scored) == (frozenset(NAMES), len(NAMES))
    assert part.read_bytes() == whole[: whole.rfind(b"\n", 0, -1) + 1]
    for size in range(0, len(whole), 11):  # a file may be cut anywhere, in the middle of a name of two lines too
        part.write_bytes(whole[:size])
        done = resume(part, format).done
        assert done == set(NAMES[: len(done)])
        assert whole.startswith(part.read_bytes())


def test_scoring_begins_before_the_folder_is_listed(made, folder, capsys, monkeypatch):
    """A million files: the first is scored after a stated number is listed, and only so many are held."""
    monkeypatch.setattr(scan, "LISTED", 3)
    listed = []

    def endless(roots, *, videos, passed=None):
        for i in range(10**6 if not videos else 0):
            listed.append(i)
            yield str(folder / "b0.png")

    class EnoughError(Exception):
        pass

    def stop(line):
        assert len(listed) < 40
        raise EnoughError

    monkeypatch.setattr(files, "list_inputs", endless)
    monkeypatch.setattr(RowWriter, "write", lambda self, line: stop(line))
    with pytest.raises(EnoughError):
        run(made, capsys, folder)


def test_a_long_table_is_printed_in_parts(monkeypatch):
    monkeypatch.setattr(Screen, "ROWS", 2)
    stream = io.StringIO()
    table = Screen(stream)
    for i in range(5):
        table.write(Row(f"{i}.png", None, 0.5, None, "real", "ok", ""))
        assert len(table.lines) < 2
    table.end()
    first = [line.split()[0] for line in stream.getvalue().splitlines()]
    assert first == ["path", "0.png", "1.png", "path", "2.png", "3.png", "path", "4.png"]
    assert "track" not in stream.getvalue()


def test_a_table_shows_what_videos_have(made, folder, capsys):
    scan.run(made, options_of((str(folder / "whole.AVI"), str(folder / "b0.png"))))
    out = capsys.readouterr().out
    assert out.split()[:5] == ["path", "part", "seconds", "track", "frames"]
    assert "0.00 to 1.10" in out


def test_a_page_shows_timelines_and_says_what_it_leaves_out(made, folder, capsys, tmp_path, monkeypatch):
    target = tmp_path / "page.html"
    run(made, capsys, folder, html=target, frames=4)
    text = target.read_text()
    assert text.count('class="card"') == 8
    assert text.count('class="timeline"') == 3
    assert text.count("<polyline") == 3
    assert text.count('class="lost"') == 1
    assert text.count("<figure>") == sum(min(files.MOMENTS, n) for n in (4, 4, 2))
    assert "Shown are" not in text
    assert "video of 12 frames" in text
    assert "video of 0 frames" not in text
    monkeypatch.setattr(page.Gallery.__init__, "__kwdefaults__", {"scored": 2, "unscored": 1, "before": 0})
    _, lines = run(made, capsys, folder, html=target, frames=4, per="video")
    text = target.read_text()
    assert text.count('class="card"') == 3
    assert "Shown are the 2 with the highest score of the 5" in text
    assert "the first 1 of the 3 that have none" in text
    best = sorted((x for x in lines if x["score"] is not None), key=lambda x: -x["score"])[:2]
    assert all(x["path"] in text for x in best)
    assert str(folder / "video.png") in text
    assert text.index(ORDER[min(ORDER.index(os.path.relpath(x["path"], folder)) for x in best)]) > 0


def test_a_page_without_tracks_draws_no_empty_table(made, folder, capsys, tmp_path):
    target = tmp_path / "page.html"
    run(made, capsys, folder / "whole.AVI", html=target, frames=1)
    text = target.read_text()
    assert "The face with the highest score:" in text
    assert "The 1 faces" not in text
    assert text.count("<th>track</th>") == 1
    small = video_files.write(tmp_path / "small.avi", shown=[np.zeros((16, 16, 3), np.uint8)] * 2)
    run(made, capsys, small, html=target)
    text = target.read_text()
    assert 'class="timeline"' in text
    assert "<th>track</th>" not in text


def test_a_page_of_names_that_are_not_utf8_is_written(made, folder, capsys, tmp_path):
    odd = os.fsencode(tmp_path) + b"/b\xff.png"
    try:
        with open(odd, "wb") as file:
            file.write((folder / "b0.png").read_bytes())
    except OSError:
        pytest.skip("this file system takes no such names")
    target = tmp_path / "page.html"
    run(made, capsys, os.fsdecode(odd), html=target)
    assert "b\\udcff.png" in target.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["out", "html"])
def test_unwritable_outputs_are_reported_before_any_work(made, folder, tmp_path, monkeypatch, kind):
    monkeypatch.setattr(files.FileScan, "reports", lambda *a: pytest.fail("an input was scored"))
    (tmp_path / "file").touch()
    for place in (tmp_path / "file" / "rows", tmp_path):
        with pytest.raises(DataError, match="expected to write"):
            scan.run(made, options_of((str(folder),), "jsonl", **{kind: place}))


def test_missing_output_folders_are_created(made, folder, tmp_path):
    out, html = tmp_path / "a" / "rows", tmp_path / "b" / "page.html"
    scan.run(made, options_of((str(folder / "b0.png"),), "jsonl", out=out, html=html))
    assert out.is_file()
    assert html.is_file()


def test_a_full_disk_keeps_the_rows_and_the_run_resumes(made, folder, tmp_path):
    whole, cut = tmp_path / "whole.jsonl", tmp_path / "cut.jsonl"
    job = options_of((str(folder),), "jsonl", out=whole, per="video", frames=2)
    scan.run(made, job)
    with narrow(900), pytest.raises(OSError, match="File too large"):
        scan.run(made, replace(job, out=cut))
    beside = [f"cut.jsonl.part{end}" for end in ("", ".journal")]
    assert sorted(p.name for p in tmp_path.iterdir()) == [*beside, "whole.jsonl"]
    scan.run(made, replace(job, out=cut))
    rows, expected = ([json.loads(line) for line in p.read_text().splitlines()] for p in (cut, whole))
    scores = [[row.pop("score") for row in part] for part in (rows, expected)]
    assert rows == expected
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)  # other batches
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cut.jsonl", "whole.jsonl"]


def test_two_runs_do_not_write_one_file(made, folder, tmp_path, monkeypatch):
    job = options_of((str(folder / "b0.png"), str(folder / "b1.png")), "jsonl", out=tmp_path / "rows")

    def written(self, line, real=RowWriter.write):
        real(self, line)
        with pytest.raises(DataError, match="another process is writing to .*rows"):
            scan.run(made, job)

    with monkeypatch.context() as patched:
        patched.setattr(RowWriter, "write", written)
        scan.run(made, job)
    assert len(job.out.read_text().splitlines()) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["rows"]


BAD = {
    "frames": ({"frames": -1}, "at least one frame"),
    "choice": ({"choice": "odd"}, "even or first"),
    "per": ({"per": "second"}, "per frame, track, video"),
    "batch": ({"batch": 0}, "batch >= 1"),
    "workers": ({"workers": -1}, "workers >= 0"),
}


@pytest.mark.parametrize("name", BAD)
def test_impossible_options_are_reported_before_any_work(tmp_path, name):
    asked, words = BAD[name]
    with pytest.raises(DataError, match=words):
        options_of((str(tmp_path),), **asked)


def test_fields_are_those_of_a_line():
    assert FIELDS[:7] == ("path", "face", "score", "spread", "verdict", "status", "reason")


def test_a_detector_of_drawn_faces_says_so_of_every_file(folder, capsys, tmp_path):
    """In JSON lines, CSV and the table, of pictures, videos, tracks and frames, on the page; the scores stay."""
    usual, narrow = scenes(), scenes()
    narrow.card = replace(narrow.card, domain=DRAWN)
    paths = [folder / "b0.png", folder / "cut.avi", folder / "a" / "deep.mp4"]
    _, before = run(usual, capsys, *paths, per="frame", frames=4)
    scored, lines = run(narrow, capsys, *paths, per="frame", frames=4, html=tmp_path / "p.html")
    words = "outside what this detector was trained on: it knows drawn faces of the miniature world only"
    assert scored == sum(x["score"] is not None for x in lines) > 0
    assert {x["part"] for x in lines} == {"picture", "video", "track", "frame"}
    for a, b in zip(before, lines, strict=True):
        assert a["score"] == b["score"]
        if b["score"] is None:
            assert (b["verdict"], b["reason"]) == (None, a["reason"])
            continue
        assert b["verdict"] == "unsure"
        assert b["reason"] == (f"{words}; {a['reason']}" if a["reason"] else words)
    shown = (tmp_path / "p.html").read_text()
    assert f"Every verdict is unsure: the pictures are {words}." in shown
    assert shown.count(words) == 1 + 3
    assert 'class="verdict fake"' not in shown
    assert 'class="verdict real"' not in shown
    scan.run(narrow, options_of((str(paths[0]),), "csv"))
    assert words in capsys.readouterr().out
    scan.run(narrow, options_of((str(paths[0]),), "table"))
    table = capsys.readouterr().out
    assert "unsure" in table
    assert "outside what this" in " ".join(table.split())


def test_landmark_keys_are_matched_among_all_pictures(made, tmp_path, capsys):
    for name in ("a/0.png", "b/0.png", "c/1.png"):
        (tmp_path / name).parent.mkdir()
        Image.new("RGB", (96, 96)).save(tmp_path / name)
    points = (mean_face() * 96).astype(np.float32)
    marks = Landmarks({"0.png": points, "1.png": points}, str(tmp_path / "marks" / "l.json"))
    _, lines = run(made, capsys, tmp_path / "a", tmp_path / "b", tmp_path / "c", landmarks=marks)
    assert [x["status"] for x in lines] == ["unreadable", "unreadable", "ok"]
    assert "the entry '0.png' is ambiguous: it could be of another picture as well" in lines[0]["reason"]
    _, lines = run(made, capsys, tmp_path / "a", landmarks=marks)
    assert [x["status"] for x in lines] == ["ok"]


def test_a_row_notes_what_of_its_file_is_not_scored(made, tmp_path):
    pages = [Image.fromarray(np.random.default_rng(k).integers(0, 256, (64, 64, 3), dtype=np.uint8)) for k in range(3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    scan.run(made, options_of((str(tmp_path),), "jsonl", out=tmp_path / "rows"))
    (row,) = map(json.loads, (tmp_path / "rows").read_text().splitlines())
    assert (row["status"], row["reason"]) == ("ok", "page 1 of 3: the other pages are not scored")
