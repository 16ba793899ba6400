"""Landmark files that are damaged or outline no face: one frame's status, never the end of a run."""

from __future__ import annotations

import io
import json
import pickle
import zipfile

import numpy as np
import pytest
from PIL import Image
from trees.paint import Subject, squares
from trees.uadfv import uadfv
from trees.write import Hand

from corit.data.folders import FolderSource, UnlabelledFiles
from corit.data.index import CsvIndex
from corit.data.landmarks import read_landmarks, read_points
from corit.data.sets.uadfv import UADFV
from corit.errors import DataError, UnreadableError
from corit.images.face_shape import misfit, require_face
from corit.images.faces import FIVE_POINTS, five_points


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


FACE = squares(Subject("train", "0")).landmarks  # (81, 2) in 32 x 32 pixels
BELOW = FACE.copy()
BELOW[36:48] += (0, 18)  # the eyes below the mouth
NO_FACE = {
    "none": (np.zeros((0, 2)), "got 0;"),
    "three": (FACE[:3], "got 3;"),
    "five": (FACE[:5], "got 5;"),
    "missing": (np.zeros((81, 2)), "got 81 within 0 x 0 pixels"),
    "not numbers": (np.full((81, 2), np.nan), "points that are not finite numbers"),
    "one not a number": (np.where(np.arange(162).reshape(81, 2) == 7, np.inf, FACE), "not finite"),
    "line": (FACE * (1, 0), "within 17.4 x 0 pixels"),
    "heap": ((FACE - 16) / 8 + 16, "within 2.17 x 2.86"),
    "far": (FACE + 9999, "81, 0 of them inside"),
    "mostly beside": (FACE - (18, 0), "81, 28 of them inside"),
    "(y, x)": (FACE[:, ::-1], "81 in no order of a face"),
    "mirrored": (np.array([32, 0]) + FACE * (-1, 1), "81 in no order of a face"),
    "upside-down mirrored": (np.array([0, 32]) + FACE * (1, -1), "81 in no order of a face"),
    "eyes below the mouth": (BELOW, "81 in no order of a face"),
    "of another order": (FACE[::-1], "81 in no order of a face"),
}


@pytest.mark.parametrize("name", NO_FACE)
def test_points_that_outline_no_face_are_no_landmarks(name, tmp_path):
    uadfv(tmp_path, Hand(frames=1))
    source = UADFV(str(tmp_path))
    sample = source.samples[0]
    path = sample.path.replace("/frames/", "/landmarks/").replace(".png", ".npy")
    points, words = NO_FACE[name]
    np.save(path, points)
    with pytest.raises(UnreadableError, match=r"at least 60 points of a face in 32 x 32 .* the video again") as found:
        source.load(sample)
    assert words in str(found.value)
    np.save(path, FACE)
    assert source.load(sample).landmarks.shape == (81, 2)


def test_an_archive_can_be_read(tmp_path):
    np.savez(tmp_path / "l.npz", a=FACE)
    assert zipfile.is_zipfile(tmp_path / "l.npz")
    assert np.array_equal(read_landmarks(tmp_path / "l.npz").find("a"), FACE)


def face(shift):
    """A face's landmarks that no other shift has."""
    return (FACE + shift / 8).tolist()


def tree(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32)).save(folder / name)


def entry(marks, path):
    """Which of the entries of `face` a path gets; None for none, "refused" for an error in words."""
    try:
        found = marks.find(str(path))
    except UnreadableError as err:
        return "ambiguous" if "ambiguous" in str(err) else "refused"
    return None if found is None else round(float((found - FACE).mean()) * 8)


def written(folder, entries, name="l.json"):
    path = folder / name
    if path.suffix == ".npz":
        np.savez(path, **{k: np.array(v) for k, v in entries.items()})
    else:
        path.write_text(json.dumps(entries))
    return read_landmarks(path)


FORMS = ["a/0.png", "./a/0.png", "a\\0.png", ".\\a\\0.png", "a//0.png", "b/../a/0.png", "{root}/a/0.png"]


@pytest.mark.parametrize("kind", ["json", "npz"])
@pytest.mark.parametrize("key", FORMS)
def test_an_entry_is_of_the_one_picture_that_its_path_leads_to(key, kind, tmp_path):
    tree(tmp_path, "a/0.png", "b/0.png", "c/a/0.png")
    marks = written(tmp_path, {key.format(root=tmp_path): face(1)}, f"l.{kind}")
    paths = [str(tmp_path / p) for p in ("a/0.png", "b/0.png", "c/a/0.png")]
    for known in (marks, marks.among(paths)):
        found = [entry(known, p) for p in paths]
        assert found[:2] == [1, None]
        assert found[2] in (None, "ambiguous")


def test_another_video_never_lends_its_landmarks(tmp_path):
    tree(tmp_path, "videoA/000.png", "videoB/000.png", "videoB/001.png")
    (tmp_path / "elsewhere").mkdir()
    for where in (tmp_path, tmp_path / "elsewhere"):
        marks = written(where, {"videoA/000.png": face(1), "videoB/001.png": face(2)})
        source = FolderSource((str(tmp_path / "videoA"),), (str(tmp_path / "videoB"),), aligned=True, landmarks=marks)
        a, b, c = source.samples
        assert np.array_equal(source.load(a).landmarks, np.float32(face(1)))
        assert np.array_equal(source.load(c).landmarks, np.float32(face(2)))
        with pytest.raises(UnreadableError, match=r"landmarks of .*videoB/000.png in .*, but they are not there; add"):
            source.load(b)


@pytest.mark.parametrize(
    ("keys", "paths", "expected"),
    [
        (["0.png"], ["a/0.png"], [1]),
        (["0.png"], ["a/0.png", "b/0.png"], ["ambiguous", "ambiguous"]),
        (["0.png", "a/0.png"], ["a/0.png", "b/0.png"], [2, "ambiguous"]),
        (["a/0.png"], ["x/a/0.png", "y/a/0.png"], ["ambiguous", "ambiguous"]),
        (["a/0.png", "x/a/0.png"], ["x/a/0.png", "y/a/0.png"], [2, "ambiguous"]),
        (["a/0.png"], ["x/a/0.png", "x/ba/0.png"], [1, None]),
        (["x/0.png"], ["a/0.png"], [None]),
        (["0.png", "./0.png"], ["a/0.png"], ["refused"]),
        (["a/0.png", "a\\0.png"], ["a/0.png"], ["refused"]),
    ],
)
def test_a_key_that_ends_two_paths_is_of_neither(keys, paths, expected, tmp_path):
    tree(tmp_path, *paths)
    (tmp_path / "marks").mkdir()
    marks = written(tmp_path / "marks", {k: face(i) for i, k in enumerate(keys, 1)})
    full = [str(tmp_path / p) for p in paths]
    known = marks.among(iter(full))
    assert [entry(known, p) for p in full] == expected
    assert [entry(pickle.loads(pickle.dumps(known)), p) for p in full] == expected
    assert [entry(marks, p) for p in full] == [e if e in (None, "refused") else "ambiguous" for e in expected] or (
        "refused" in expected
    )


def test_a_key_that_leads_to_a_file_is_of_no_other(tmp_path):
    """Though only the other one is in the run."""
    tree(tmp_path, "0.png", "sub/0.png")
    marks = written(tmp_path, {"0.png": face(1)})
    assert entry(marks.among([str(tmp_path / "sub/0.png")]), tmp_path / "sub/0.png") is None
    assert entry(marks, tmp_path / "0.png") == 1


def test_a_path_as_given_is_found_and_a_link_is_the_file(tmp_path, monkeypatch):
    tree(tmp_path, "pics/0.png")
    (tmp_path / "marks").mkdir()
    marks = written(tmp_path / "marks", {"../pics/0.png": face(1), "pics/0.png": face(2)})
    assert entry(written(tmp_path / "marks", {"pics/0.png": face(2)}, "m.json"), tmp_path / "pics/0.png") == "ambiguous"
    monkeypatch.chdir(tmp_path)
    assert entry(marks, "pics/0.png") == "refused"
    assert entry(written(tmp_path / "marks", {"pics/0.png": face(2)}), "pics/0.png") == 2
    (tmp_path / "linked").symlink_to(tmp_path / "pics")
    assert entry(written(tmp_path, {"pics/0.png": face(3)}), "linked/0.png") is None
    assert entry(written(tmp_path, {"linked/0.png": face(3)}), "linked/0.png") == 3


def test_two_entries_of_one_name_in_json_are_refused(tmp_path):
    (tmp_path / "l.json").write_text(f'{{"0.png": {face(1)}, "0.png": {face(2)}, "1.png": {face(3)}}}')
    marks = read_landmarks(tmp_path / "l.json")
    assert entry(marks, tmp_path / "1.png") == 3
    with pytest.raises(UnreadableError, match="two entries of this name"):
        marks.find(str(tmp_path / "0.png"))


BAD = {
    "not a number.png": [[None, 1]],
    "text.png": "none",
    "three.png": [[1, 2, 3]] * 68,
    "zeros.png": np.zeros((68, 2)).tolist(),
    "swapped.png": FACE[:, ::-1].tolist(),
    "five.png": FACE[:5].tolist(),
    "nan.png": np.full((68, 2), np.nan).tolist(),
    "large.png": [[1e300, 1]] * 68,
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", ["unlabelled", "folder", "csv"])
@pytest.mark.parametrize("aligned", [True, False])
def test_a_bad_entry_makes_its_own_row_unreadable(kind, aligned, tmp_path):
    tree(tmp_path / "real", *BAD, "good.png")
    marks = written(tmp_path / "real", {**BAD, "good.png": face(1)})
    paths = {n: str(tmp_path / "real" / n) for n in (*BAD, "good.png")}
    (tmp_path / "i.csv").write_text("path\n" + "\n".join(paths.values()) + "\n")
    source = {
        "unlabelled": lambda: UnlabelledFiles(aligned, marks),
        "folder": lambda: FolderSource((str(tmp_path / "real"),), (), False, aligned, marks),
        "csv": lambda: CsvIndex(str(tmp_path / "i.csv"), "", aligned, marks),
    }[kind]()
    samples = {s.path: s for s in source.samples} or {p: source.sample(p) for p in paths.values()}
    for name, path in paths.items():
        if name == "good.png":
            assert np.array_equal(source.load(samples[path]).landmarks, np.float32(face(1)))
            continue
        with pytest.raises(UnreadableError, match=rf"expected .*{name}.*; correct the entry"):
            source.load(samples[path])


def test_a_damaged_array_of_an_archive_leaves_the_others(tmp_path):
    marks = {"0.png": np.array(face(1)), "1.png": np.array([{"a": 1}], dtype=object)}
    np.savez(tmp_path / "l.npz", **marks)
    found = read_landmarks(tmp_path / "l.npz")
    assert entry(found, tmp_path / "0.png") == 1
    with pytest.raises(UnreadableError, match=r"expected landmarks of .*1.png, but .*Object arrays cannot be loaded"):
        found.find(str(tmp_path / "1.png"))


def test_points_in_unknown_order_outline_an_aligned_crop_only():
    ring = 8 + 6 * np.stack([np.cos(np.arange(98)), np.sin(np.arange(98))], axis=1)
    require_face(ring, (32, 32), "x")
    with pytest.raises(UnreadableError, match="98, a number without known eyes and mouth"):
        require_face(ring, (32, 32), "x", aligned=False)


@pytest.mark.parametrize("degrees", range(0, 360, 30))
def test_a_face_may_be_turned_in_the_picture(degrees):
    a = np.radians(degrees)
    turned = 8 + (FACE - FACE.mean(0)) @ [[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]]
    assert misfit(turned) == pytest.approx(0, abs=1e-6)
    assert misfit(turned[:, ::-1]) > 0.95
    require_face(turned, (32, 32), "x")


def test_a_head_from_the_side_is_a_face():
    """Widths vanish in a profile: the least of them is what a face may have."""
    flat = FACE * (0.05, 1)
    assert 0.5 < misfit(flat) < 0.75
    assert misfit(flat[:68]) == misfit(flat)


@pytest.mark.parametrize("count", [468, 478])
def test_sets_of_other_sizes_are_told_by_their_five_points(count):
    points = np.full((count, 2), 8.0)
    points[list(FIVE_POINTS[count])] = five_points(FACE)
    assert misfit(points) == pytest.approx(0, abs=1e-6)
    assert misfit(points[:, ::-1]) > 0.8
