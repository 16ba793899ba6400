"""Nothing but regular files is opened: the readers below would wait for a pipe or read a device without end."""

from __future__ import annotations

import os
import socket
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from corit.commands.scan import inputs
from corit.data.care.contents import read_contents
from corit.data.folders import FolderSource
from corit.data.index import index
from corit.data.landmarks import read_landmarks, read_points
from corit.data.lists import read_json, read_text
from corit.diagnose.npz import arrays
from corit.errors import DataError, UnreadableError
from corit.files import open_regular, require_regular
from corit.images.header import frames_in, read_header
from corit.images.media import read_picture
from corit.images.video import VideoFile, is_video_file

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")


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


def test_a_pipe_is_no_picture_and_no_video(pipe):
    path = pipe("x.gif")
    assert read_header(path) is None
    assert frames_in(path) == 1
    assert not is_video_file(path)
    assert list(inputs([path], videos=False)) == [path]
    assert list(inputs([path], videos=True)) == []
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
    "rows.csv": lambda p: index(p).samples,
    "features.npz": lambda p: arrays(Path(p), "mine"),
}


@pytest.mark.parametrize("name", READERS)
def test_lists_and_landmarks_are_not_read_from_pipes(pipe, name):
    path = pipe(name)
    with pytest.raises(DataError, match="named pipe, not a regular file"):
        READERS[name](path)
    assert left(path) == FULL


def test_a_check_of_a_folder_reports_its_pipes(pipe, tmp_path):
    paths = [pipe(name) for name in ("x.gif", "x.jpg", "x.mp4")]
    found = read_contents(FolderSource((str(tmp_path),)))
    assert [(p.id.split("/")[-1], p.status) for p in found.problems] == [
        ("x.gif", "unreadable"),
        ("x.jpg", "unreadable"),
        ("x.mp4", "unreadable"),
    ]
    assert [left(p) for p in paths] == [FULL] * 3


def test_sockets_and_devices_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("x.jpg")
        with pytest.raises(OSError, match="it is a socket, not a regular file"):
            open_regular("x.jpg")
    os.symlink("/dev/zero", "y.gif")
    assert frames_in("y.gif") == 1
    with pytest.raises(UnreadableError, match="it is a device, not a regular file"):
        VideoFile("y.gif")


def test_regular_files_and_what_is_absent_are_as_ever(tmp_path):
    (tmp_path / "a").write_bytes(b"bytes")
    os.symlink(tmp_path / "a", tmp_path / "link")
    with open_regular(tmp_path / "link") as file:
        assert file.read() == b"bytes"
    with pytest.raises(FileNotFoundError):
        require_regular(tmp_path / "absent")
    with pytest.raises(IsADirectoryError):
        require_regular(tmp_path)
