"""What the machine does wrong is said in one line with an exit code of its own, and leaves no half of a file."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from detect.test_detector import detector
from full import narrow
from matplotlib.figure import Figure

from corit import cli, failures
from corit.data.care.export import export_json
from corit.data.sample import Sample
from corit.detect.detector import Detector
from corit.detect.output import ResumableRows
from corit.errors import DataError, MachineError, StoreError
from corit.files import replace_folder, write_text
from corit.journal import Journal
from corit.paper.run import _prepare_together, make_one
from corit.report import page
from corit.world import encoder, pretrain


def full(code=errno.ENOSPC, name=None):
    return OSError(code, os.strerror(code), name)


def caused(err, cause):
    err.__cause__ = cause
    return err


KILLED = "a worker process was killed, or there was no memory left for it"
ENDS = {
    "a full disk": (full(), 4, "no space is left on the disk; make room, and run the same command again"),
    "a full disk, of a file": (full(name="a.txt"), 4, "no space is left on the disk; make room (a.txt), and run"),
    "a quota": (full(errno.EDQUOT), 4, "the disk quota is used up"),
    "a limit": (full(errno.EFBIG), 4, "a file would grow beyond the size that this system allows"),
    "a failing disk": (full(errno.EIO), 4, "the disk cannot be read or written"),
    "a full disk, in our words": (caused(StoreError("s cannot be written"), full()), 4, "s cannot be written"),
    "no memory": (MemoryError(), 4, "no memory is left"),
    "no memory of a card": (torch.OutOfMemoryError("CUDA out of memory"), 4, "no memory is left"),
    "a killed worker": (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "), 4, KILLED),
    "a worker that ended": (RuntimeError("DataLoader worker (pid(s) 7, 8) exited unexpectedly"), 4, KILLED),
    "shared memory": (RuntimeError("unable to write to file </torch_7>: No space left on device (28)"), 4, KILLED),
    "a killed process": (BrokenProcessPool("A process in the process pool was terminated abruptly while"), 4, KILLED),
    "a pipe of a worker": (BrokenPipeError(errno.EPIPE, "Broken pipe"), 4, KILLED),
    "ours": (MachineError("what happened"), 4, "what happened"),
    "the input": (DataError("expected another"), 2, "expected another"),
    "the input, of the system": (caused(DataError("no such"), full(errno.ENOENT)), 2, "no such"),
    "rights": (PermissionError(errno.EACCES, "denied", "a.txt"), 2, "no permission to use a.txt (denied)"),
}


@pytest.mark.parametrize("name", ENDS)
def test_an_error_is_one_line_with_its_exit_code(name, monkeypatch, capsys):
    err, code, said = ENDS[name]

    def fail(*given, **named):
        raise err

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as stop:
        cli.main(["demo"])
    out, shown = capsys.readouterr()
    assert stop.value.code == code
    assert shown.startswith(f"corit: {said}")
    assert (shown.count("\n"), out) == (1, "")


@pytest.mark.parametrize("err", [RuntimeError("CUDA error"), ZeroDivisionError("x"), full(errno.ENOENT)])
def test_a_bug_is_no_failure_of_the_machine(err, monkeypatch):
    def fail(*given, **named):
        raise err

    monkeypatch.setattr(cli, "app", fail)
    assert failures.machine_failure(err) == ""
    with pytest.raises(type(err)):
        cli.main(["demo"])


@pytest.mark.parametrize("err", [MachineError("killed"), caused(StoreError("s"), full())])
def test_a_machine_failure_ends_a_run_of_artefacts(err, tmp_path):
    def fail(needs):
        raise err

    runner = SimpleNamespace(prepare=fail, caption_without_weights={}, has_backbone=lambda need: True)
    what = SimpleNamespace(name="table01", title="T", needs=lambda runner: [SimpleNamespace(data="d")])
    with pytest.raises(type(err)):
        make_one(what, runner, tmp_path)
    with pytest.raises(type(err)):
        _prepare_together([what], runner)
    err = DataError("not there")
    assert make_one(what, runner, tmp_path).reason == "DataError: not there"
    _prepare_together([what], runner)


def started(*words, **streams):
    code = "from corit.cli import main; main()"
    return subprocess.Popen([sys.executable, "-c", code, *words], text=True, **streams)


@pytest.mark.parametrize("words", ["--help", "backbones", "data list --format csv"])
def test_a_reader_that_goes_is_no_error(words):
    process = started(*words.split(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(60) == 0


def test_a_reader_of_errors_that_goes_changes_no_code():
    process = started("frobnicate", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stderr.close()
    assert process.stdout.read() == ""
    assert process.wait(60) in (0, 2)
    process = started("detect", "nowhere", "--detector", "nowhere", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stderr.close()
    assert process.wait(60) == 2


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no device that is full")
@pytest.mark.parametrize("words", ["--help", "backbones"])
def test_unwritable_output_is_reported(words):
    with open("/dev/full", "w") as device:
        process = started(words, stdout=device, stderr=subprocess.PIPE)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 4
    assert said == "corit: no space is left on the disk; make room, and run the same command again\n"


def a_frame(folder):
    return Sample("v/0", f"{folder}/frames/v/0.png", 1, "test", "x", video="v")


def drawn():
    figure = Figure()
    figure.gca().plot(np.random.default_rng(0).normal(size=500))
    return figure


def write_rows(folder):
    with ResumableRows(folder / "rows", "jsonl", {"x": "x" * 5000}) as output:
        output.stream.write("{}\n")
        output.complete()


WRITERS = {
    "a text": lambda at: write_text(at / "a.txt", "x" * 5000),
    "a journal": lambda at: Journal(at / "j", {"x": "x" * 5000}),
    "rows": write_rows,
    "an export": lambda at: export_json([a_frame(at)], at / "d.json", at, prefix="p" * 5000 + "/"),
    "a figure": lambda at: page.save(drawn(), at / "a.png"),
    "weights": lambda at: encoder.save({"w": torch.ones(5000)}, at / "w.safetensors", {}),
    "a checkpoint": lambda at: pretrain._checkpoint(at / "c", {"p": torch.nn.Linear(99, 99)}, 1, 1.0),
    "a detector": lambda at: detector().save(at / "d"),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_leaves_what_was_there_and_nothing_else(name, tmp_path):
    (tmp_path / "before").write_text("x")
    with narrow(1000), pytest.raises((OSError, DataError)) as caught:
        WRITERS[name](tmp_path)
    assert failures.machine_failure(caught.value).startswith("a file would grow beyond")
    assert [p.name for p in tmp_path.rglob("*")] == ["before"]
    WRITERS[name](tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_detector_is_replaced_only_by_one_that_is_whole(tmp_path):
    place = tmp_path / "d"
    detector().save(place)
    before = {p.name: p.read_bytes() for p in place.iterdir()}
    with narrow(1000), pytest.raises(OSError, match="File too large"):
        detector().save(place)
    assert {p.name: p.read_bytes() for p in place.iterdir()} == before
    assert [p.name for p in tmp_path.iterdir()] == ["d"]
    Detector.load(place)


def fill(folder, text):
    with replace_folder(folder) as staged:
        (staged / "a").write_text(text)


def test_a_folder_that_cannot_take_its_place_leaves_the_old_one(tmp_path, monkeypatch):
    place, replace = tmp_path / "d", os.replace
    fill(place, "old")

    def refuse(source, target):
        if os.path.basename(source) == "new":
            raise full(errno.EIO)
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="Input/output error"):
        fill(place, "new")
    monkeypatch.undo()
    assert (place / "a").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["d"]
    fill(place, "new")
    assert (place / "a").read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["d"]


def test_the_old_folder_is_there_until_the_new_one_is(tmp_path):
    fill(tmp_path / "d", "old")
    with replace_folder(tmp_path / "d") as staged:
        (staged / "a").write_text("new")
        assert (tmp_path / "d" / "a").read_text() == "old"
    assert (tmp_path / "d" / "a").read_text() == "new"


def test_a_link_to_a_folder_stays_a_link(tmp_path):
    fill(tmp_path / "far" / "d", "old")
    (tmp_path / "d").symlink_to(tmp_path / "far" / "d")
    fill(tmp_path / "d", "new")
    assert (tmp_path / "d").is_symlink()
    assert (tmp_path / "far" / "d" / "a").read_text() == "new"
    assert [p.name for p in (tmp_path / "far").iterdir()] == ["d"]
