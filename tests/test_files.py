"""Files appear whole or not at all, and nothing but regular files is opened.

Readers of lists, landmarks, pictures and videos would wait for a named pipe, or read a device without end.
"""

from __future__ import annotations

import os
import socket
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from corit.data.care.contents import read_contents
from corit.data.folders import FolderSource
from corit.data.index import open_index
from corit.data.landmarks import read_landmarks, read_points
from corit.data.text_files import read_json, read_text
from corit.detect.files import list_inputs
from corit.diagnose.npz import read_npz
from corit.errors import DataError, UnreadableError
from corit.files import atomic_file, open_regular, require_regular, require_writable, write_bytes, write_text
from corit.images.header import frames_in, read_header
from corit.images.picture import read_picture
from corit.images.video import VideoFile, is_video_file

needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")


def test_a_file_appears_when_it_is_complete(tmp_path):
    place = tmp_path / "a.txt"
    write_text(place, "eins ä\n")
    assert place.read_text(encoding="utf-8") == "eins ä\n"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def cut_short(place):
    with atomic_file(place) as staged:
        staged.write_text("half")
        raise KeyboardInterrupt


def test_an_error_leaves_the_old_file(tmp_path):
    place = tmp_path / "a.txt"
    write_text(place, "old")
    with pytest.raises(KeyboardInterrupt):
        cut_short(place)
    assert place.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize(("place", "words"), [("file/a.txt", "Not a directory|File exists"), ("folder", "directory")])
def test_an_unwritable_place_is_an_error_before_the_work(tmp_path, place, words):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match=f"expected to write .*{place}, but .*({words})"):
        require_writable(tmp_path / place)
    require_writable(tmp_path / "new" / "deep" / "a.txt")
    assert list((tmp_path / "new" / "deep").iterdir()) == []


def test_bytes_are_written_through_a_path_of_the_callers_choice(tmp_path):
    place, staged = tmp_path / "a.bin", tmp_path / "stage"
    write_bytes(place, b"\x00\xff", staged=staged)
    assert place.read_bytes() == b"\x00\xff"
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]


def test_a_durable_file_is_synced_before_it_is_renamed(tmp_path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        function = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, n=name, f=function: (calls.append(n), f(*a)))
    with atomic_file(tmp_path / "a", durable=True) as staged:
        staged.write_text("whole")
    assert calls == ["fsync", "replace"] + ["fsync"] * (os.name == "posix")
    assert (tmp_path / "a").read_text() == "whole"


def moving():
    out = BytesIO()
    pictures = [Image.fromarray(np.full((8, 8), 50 * k, np.uint8)) for k in range(3)]
    pictures[0].save(out, "GIF", save_all=True, append_images=pictures[1:])
    return out.getvalue()


@pytest.fixture
def pipe(tmp_path):
    """Makes named pipes that hold a picture that moves, so that those who read them find one."""
    held = []

    def make(name):
        path = tmp_path / name
        os.mkfifo(path)
        held.append(os.open(path, os.O_RDWR | os.O_NONBLOCK))
        os.write(held[-1], moving() + bytes(60_000))
        return str(path)

    yield make
    for handle in held:
        os.close(handle)


def left(path):
    """The bytes that nobody took out of a pipe."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return len(os.read(handle, 1 << 17))
    finally:
        os.close(handle)


FULL = len(moving()) + 60_000


@needs_pipes
def test_a_pipe_is_no_picture_and_no_video(pipe):
    path = pipe("x.gif")
    assert read_header(path) is None
    assert frames_in(path) == 1
    assert not is_video_file(path)
    assert list(list_inputs([path], videos=False)) == [path]
    assert list(list_inputs([path], videos=True)) == []
    with pytest.raises(UnreadableError, match="x.gif is not a regular file"):
        read_picture(path)
    with pytest.raises(UnreadableError, match="x.gif cannot be read: it is a named pipe, not a regular file"):
        VideoFile(path)
    assert left(path) == FULL


READERS = {
    "landmarks.json": read_landmarks,
    "landmarks.npz": read_landmarks,
    "points.npy": read_points,
    "list.txt": lambda p: read_text(p, "a list"),
    "list.json": lambda p: read_json(p, "a list"),
    "rows.csv": lambda p: open_index(p).samples,
    "features.npz": lambda p: read_npz(Path(p), "mine"),
}


@needs_pipes
@pytest.mark.parametrize("name", READERS)
def test_lists_and_landmarks_are_not_read_from_pipes(pipe, name):
    path = pipe(name)
    with pytest.raises(DataError, match="named pipe, not a regular file"):
        READERS[name](path)
    assert left(path) == FULL


@needs_pipes
def test_a_check_of_a_folder_reports_its_pipes(pipe, tmp_path):
    paths = [pipe(name) for name in ("x.gif", "x.jpg", "x.mp4")]
    found = read_contents(FolderSource((str(tmp_path),)))
    assert [(p.id.split("/")[-1], p.status) for p in found.problems] == [
        ("x.gif", "unreadable"),
        ("x.jpg", "unreadable"),
        ("x.mp4", "unreadable"),
    ]
    assert [left(p) for p in paths] == [FULL] * 3


@needs_pipes
def test_sockets_and_devices_are_refused_by_kind(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("x.jpg")
        with pytest.raises(OSError, match="it is a socket, not a regular file"):
            open_regular("x.jpg")
    os.symlink("/dev/zero", "y.gif")
    assert frames_in("y.gif") == 1
    with pytest.raises(UnreadableError, match="it is a device, not a regular file"):
        VideoFile("y.gif")


@needs_pipes
def test_regular_files_open_and_missing_ones_raise(tmp_path):
    (tmp_path / "a").write_bytes(b"bytes")
    os.symlink(tmp_path / "a", tmp_path / "link")
    with open_regular(tmp_path / "link") as file:
        assert file.read() == b"bytes"
    with pytest.raises(FileNotFoundError):
        require_regular(tmp_path / "absent")
    with pytest.raises(IsADirectoryError):
        require_regular(tmp_path)
