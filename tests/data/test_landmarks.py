"""Landmark files that are damaged or outline no face: one frame's status, never the end of a run."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from corit.data.landmarks import read_landmarks, read_points
from corit.data.uadfv import UADFV
from corit.errors import DataError, UnreadableError
from corit.world.trees.uadfv import uadfv
from corit.world.trees.write import Hand


def archive(change):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, a=np.arange(4000.0))
    return change(buffer.getvalue())


def header(text):
    body = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(body).to_bytes(2, "little") + body + bytes(64)


FIELDS = "{'descr': '<f8', 'fortran_order': False, 'shape': %s}"
DAMAGED = {
    "empty": b"",
    "text": b"no array",
    "cut": header(FIELDS % "(81, 2)"),
    "archive": archive(lambda b: b),
    "large": header(FIELDS % "(99999999999999, 2)"),
    "larger": header(FIELDS % "(9999999999999999999999, 2)"),
    "deep": header("(" * 400),
}
ARCHIVES = {
    "no archive": b"PK\x03\x04 but no more",
    "cut": archive(lambda b: b[: len(b) // 2]),
    "changed": archive(lambda b: b[:200] + bytes(200) + b[400:]),
    "other": archive(lambda b: b.replace(b"\x08\x00", b"\x63\x00")),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_points_are_refused_in_words(name, tmp_path):
    (tmp_path / "0.npy").write_bytes(DAMAGED[name])
    with pytest.raises(DataError, match=r"expected landmarks in .*0.npy, but it cannot be read"):
        read_points(tmp_path / "0.npy")


@pytest.mark.parametrize("name", ARCHIVES)
def test_damaged_archives_of_points_are_refused_in_words(name, tmp_path):
    (tmp_path / "l.npz").write_bytes(ARCHIVES[name])
    with pytest.raises(DataError, match=r"landmarks in JSON or .npz at .*l.npz"):
        read_landmarks(tmp_path / "l.npz")


@pytest.mark.parametrize("text", ["[" * 100000, '{"a": [[1' + "0" * 400 + ", 1]]}", "\ufffe"])
def test_damaged_json_of_points_is_refused_in_words(text, tmp_path):
    (tmp_path / "l.json").write_bytes(text.encode("utf-16" if text == "\ufffe" else "utf-8"))
    with pytest.raises(DataError, match=r"l.json"):
        read_landmarks(tmp_path / "l.json")


GRID = np.stack(np.meshgrid(np.arange(9.0), np.arange(9.0)), -1).reshape(81, 2)
NO_FACE = {
    "none": np.zeros((0, 2)),
    "three": GRID[:3] * 1.5,
    "five": GRID[:5] * 1.5,
    "missing": np.zeros((81, 2)),
    "line": GRID * (1.5, 0),
    "far": GRID + 9999,
    "mostly beside": GRID * 1.5 - 7,
}


@pytest.mark.parametrize("name", NO_FACE)
def test_points_that_outline_no_face_are_no_landmarks(name, tmp_path):
    uadfv(tmp_path, Hand(frames=1))
    source = UADFV(str(tmp_path))
    sample = source.samples[0]
    path = sample.path.replace("/frames/", "/landmarks/").replace(".png", ".npy")
    np.save(path, NO_FACE[name])
    with pytest.raises(UnreadableError, match=r"expected at least 60 points of a face in .* prepare the video again"):
        source.load(sample)
    np.save(path, GRID * 1.5)
    assert source.load(sample).landmarks.shape == (81, 2)


def test_an_archive_can_be_read(tmp_path):
    np.savez(tmp_path / "l.npz", a=GRID)
    assert zipfile.is_zipfile(tmp_path / "l.npz")
    assert read_landmarks(tmp_path / "l.npz").find("a") == pytest.approx(GRID)
