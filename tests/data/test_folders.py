"""Plain folders, landmark files and splits by source."""

from __future__ import annotations

import json
import os

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from images import video_files
from PIL import Image
from trees.paint import Subject
from trees.write import Hand

from corit.data.folders import FolderSource, UnlabelledFiles, list_pictures, open_folders
from corit.data.frames import WHOLE_VIDEO, is_video
from corit.data.landmarks import read_landmarks, read_points
from corit.data.passed_over import PassedOver, summarize
from corit.data.sample import Sample
from corit.data.split import require_groups_apart, split_by_group
from corit.data.video_frames import VideoFrames
from corit.errors import DataError, UnreadableError, UnsupportedError
from corit.images.face_shape import mean_face


def paint(path, value=100):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((40, 40, 3), value, np.uint8))


def test_pictures_are_listed_in_order_without_other_files(tmp_path):
    for name in ("b.png", "a.jpg", "sub/c.webp", ".hidden.png", ".git/d.png"):
        paint(tmp_path / name)
    (tmp_path / "notes.txt").write_text("x")
    found = [p.removeprefix(str(tmp_path) + "/") for p in list_pictures(tmp_path)]
    assert found == ["a.jpg", "b.png", "sub/c.webp"]
    assert list(list_pictures(tmp_path / "b.png")) == [str(tmp_path / "b.png")]
    (tmp_path / "loop").symlink_to(tmp_path)
    assert len(list(list_pictures(tmp_path))) == 3


def test_a_picture_and_its_fake_share_a_group_and_ids_are_unique(tmp_path):
    for i in range(3):
        paint(tmp_path / "real" / f"{i}.jpg")
        paint(tmp_path / "swap" / f"{i}.png")
        paint(tmp_path / "x" / "swap" / "p" / f"{i}.png")
    source = FolderSource((str(tmp_path / "real"),), (str(tmp_path / "swap"), str(tmp_path / "x" / "swap")))
    assert [s.label for s in source.samples] == [0] * 3 + [1] * 6
    assert source.samples[0].group == source.samples[3].group == "0"
    assert [s.manipulation for s in source.samples[::3]] == ["", "swap-1", "swap-2"]
    assert len({s.id for s in source.samples}) == 9
    assert source.load(source.samples[0]).pixels.shape == (40, 40, 3)
    by_folder = FolderSource((str(tmp_path / "x"),), by_folder=True)
    assert {s.group for s in by_folder.samples} == {"swap/p"}


def test_a_fake_in_a_sub_folder_has_the_group_of_its_real(tmp_path):
    for i in range(20):
        for name in (f"real/{i}.jpg", f"fake/sdxl/{i}.png", f"fake/flux/{i}.jpg", f"fake/flux/{i}b.jpg"):
            paint(tmp_path / name)
    folders = (str(tmp_path / "real"),), (str(tmp_path / "fake"),)
    samples = split_by_group(FolderSource(*folders).samples)
    sides = {i: {s.split for s in samples if s.group == str(i)} for i in range(20)}
    assert {len(s) for s in sides.values()} == {1}
    assert sum(s.group in map(str, range(20)) for s in samples) == 60
    assert {s.group for s in samples if s.id.endswith("b.jpg")} == {f"flux/{i}b" for i in range(20)}
    assert {s.group for s in FolderSource(*folders, by_folder=True).samples} == {".", "sdxl", "flux"}


def test_folders_that_are_split_stay_split(tmp_path):
    for part in ("train", "valid", "test"):
        paint(tmp_path / part / f"{part}.png")
    samples = FolderSource((str(tmp_path),)).samples
    assert {s.split for s in samples} == {"train", "val", "test"}
    assert split_by_group(samples) == samples
    paint(tmp_path / "loose.png")
    assert {s.split for s in FolderSource((str(tmp_path),)).samples} == {""}


def test_absent_and_empty_folders_are_refused_in_words(tmp_path):
    with pytest.raises(DataError, match="real pictures at .*absent; there is none"):
        _ = FolderSource((str(tmp_path / "absent"),)).samples
    with pytest.raises(DataError, match="expected pictures or videos in"):
        _ = FolderSource((str(tmp_path),)).samples


POINTS = (40 * mean_face()).tolist()


def test_links_to_folders_are_followed_but_not_in_circles(tmp_path):
    root, outside = tmp_path / "real", tmp_path / "store"
    for name in ("real/a.png", "real/b/c.png", "store/d.png", "store/e/f.png"):
        paint(tmp_path / name)
    (root / "0").symlink_to(root / "b")  # b itself is listed
    (root / "more").symlink_to(outside)
    (root / "again").symlink_to(outside / "e")  # is listed first, and not again in more/
    (root / "b" / "up").symlink_to(root)
    (outside / "back").symlink_to(root)
    (outside / "self").symlink_to(outside)
    (root / "all").symlink_to(tmp_path)
    (root / "gone").symlink_to(tmp_path / "none")
    assert [p[len(str(root)) + 1 :] for p in list_pictures(root)] == [
        *("a.png", "again/f.png", "b/c.png", "more/d.png")
    ]
    (root / "again").unlink()
    found = [p[len(str(root)) + 1 :] for p in list_pictures(root)]
    assert found == ["a.png", "b/c.png", "more/d.png", "more/e/f.png"]
    assert [p[len(str(root)) + 2 :] for p in list_pictures(f"{root}//")] == found


def content(kind, path):
    """A file of a kind: a picture or video that can be decoded, or the first bytes of something else."""
    others = {
        "CR2": b"II*\0\x10\0\0\0CR\x02\0" + bytes(99),
        "JPEG XL": b"\xff\x0a\xfa\x7f" + bytes(99),
        "text": b"The free pictures of this folder",
        "BM text": b"BM is short for bitmap, and this is none",
    }
    if kind in others:
        path.write_bytes(others[kind])
    elif kind == "MP4":
        video_files.write(path.with_name("made.mp4"), 3)
        path.with_name("made.mp4").rename(path)
    else:
        Image.new("RGB", (9, 9), "red").save(path, format=kind)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF", "MP4"])
@pytest.mark.parametrize("name", ["a.jpg_large", "a.jpg.1", "a", "a.crdownload"])
def test_first_bytes_decide_where_the_suffix_does_not(tmp_path, kind, name):
    content(kind, tmp_path / name)
    passed = PassedOver()
    assert list(list_pictures(tmp_path, accepts=passed.accepts)) == [str(tmp_path / name)]
    assert passed.summary == ""
    assert is_video(str(tmp_path / name)) == (kind == "MP4")
    assert list(list_pictures(tmp_path)) == []  # data sets of a fixed layout go by suffix


def test_what_is_passed_over_is_counted_by_suffix(tmp_path):
    for kind, name in (("CR2", "1"), ("JPEG XL", "b.jxl"), ("text", "README"), ("BM text", "c.bm")):
        content(kind, tmp_path / name)
    for name in ("x.cr2", "note.TXT", "note.txt", "a.npy", ".DS_Store", "Thumbs.db", "._a.jpg"):
        content("JPEG", tmp_path / name)  # of these the name decides
    (tmp_path / "empty").touch()
    (tmp_path / "gone.dat").symlink_to(tmp_path / "none")
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "pipe.jpg_large")
    passed = PassedOver()
    assert list(list_pictures(tmp_path, accepts=passed.accepts)) == []
    assert passed.counts == {
        **{"without a suffix": 4, "hidden": 2, ".txt": 2},
        **dict.fromkeys((".jxl", ".bm", ".cr2", ".npy", ".db", ".dat", ".jpg_large"), 1),
    }
    assert passed.summary == (
        "passed over 15 files: 4 without a suffix, 2 .txt, 2 hidden, 1 .bm, 1 .cr2, 1 .dat, 1 .db, 1 .jpg_large, "
        "2 others"
    )


def test_one_file_that_is_passed_over_is_said_in_the_singular():
    assert summarize([(".txt", 1)]) == "passed over 1 file: 1 .txt"
    assert summarize([(".txt", 2), (".cr2", 10)]) == "passed over 12 files: 10 .cr2, 2 .txt"
    assert summarize([]) == ""


def test_files_with_odd_suffixes_have_unique_rows_and_groups(tmp_path):
    for name in ("real/a.jpg", "real/a.jpg.1", "real/a", "real/a.jpg_large", "real/frame.0001", "real/frame.0002"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        content("JPEG", tmp_path / name)
    content("MP4", tmp_path / "real/v.mp4.part")
    content("text", tmp_path / "real/note.txt")
    (tmp_path / "fake").mkdir()
    content("PNG", tmp_path / "fake/a.png_orig")
    content("CR2", tmp_path / "fake/x.cr2")
    source = FolderSource((str(tmp_path / "real"),), (str(tmp_path / "fake"),))
    assert {s.id: (s.group, s.video, s.frame) for s in source.samples} == {
        "real/a": ("a", "", 0),
        "real/a.jpg": ("a", "", 0),
        "real/a.jpg.1": ("a", "", 0),
        "real/a.jpg_large": ("a", "", 0),
        "real/frame.0001": ("frame.0001", "", 0),
        "real/frame.0002": ("frame.0002", "", 0),
        "real/v.mp4.part": ("v", "real/v.mp4.part", WHOLE_VIDEO),
        "fake/a.png_orig": ("a", "", 0),
    }
    assert source.passed_over.summary == "passed over 2 files: 1 .cr2, 1 .txt"
    source_video = VideoFrames(source, frames=2)
    rows = [s for s in source_video.samples if s.video]
    assert [s.id for s in rows] == ["real/v.mp4.part#000000", "real/v.mp4.part#000002"]
    assert source_video.load(rows[1]).pixels.shape[2] == 3
    assert source.load(source.samples[0]).pixels.shape == (9, 9, 3)
    with pytest.raises(UnsupportedError, match="is a video"):
        source.load(next(s for s in source.samples if s.video))


def test_a_folder_of_nothing_but_other_files_says_what_it_holds(tmp_path):
    content("CR2", tmp_path / "x.cr2")
    with pytest.raises(DataError, match=r"nor one that begins as such; passed over 1 file: 1 \.cr2"):
        _ = FolderSource((str(tmp_path),)).samples


def test_folders_that_hold_each_other_are_refused(tmp_path):
    paint(tmp_path / "real" / "a.png")
    paint(tmp_path / "real" / "fake" / "b.png")
    (tmp_path / "linked").symlink_to(tmp_path / "real")
    real = str(tmp_path / "real")
    for fake in (real, f"{real}/fake", str(tmp_path), str(tmp_path / "linked"), f"{real}/../real/"):
        with pytest.raises(DataError, match="that lie apart, but .*; name folders that do not hold each other"):
            _ = FolderSource((real,), (fake,)).samples


def test_classes_beside_and_in_the_splits_are_refused(tmp_path):
    for name in ("real/a.png", "fake/a.png", "test/real/b.png", "test/fake/b.png"):
        paint(tmp_path / name)
    with pytest.raises(DataError, match="expected the classes either in .* or in its train/, val/ and test/"):
        open_folders(str(tmp_path))
    (tmp_path / "test" / "real").rename(tmp_path / "test" / "pictures")
    (tmp_path / "test" / "fake").rename(tmp_path / "test" / "others")
    assert len(open_folders(str(tmp_path)).samples) == 2


def test_landmarks_are_found_by_path_and_by_a_unique_name(tmp_path):
    paint(tmp_path / "in" / "a.png")
    (tmp_path / "l.json").write_text(json.dumps({"in/a.png": POINTS, "other/b.png": POINTS, "more/b.png": POINTS}))
    marks = read_landmarks(tmp_path / "l.json")
    assert marks.find(str(tmp_path / "in" / "a.png")) == pytest.approx(np.array(POINTS))
    assert marks.find("elsewhere/a.png") is None
    assert marks.find("b.png") is None
    source = UnlabelledFiles(aligned=True, landmarks=marks)
    picture = source.load(source.sample(str(tmp_path / "in" / "a.png")))
    assert picture.aligned
    assert picture.landmarks == pytest.approx(np.array(POINTS))
    paint(tmp_path / "in" / "z.png")
    with pytest.raises(UnreadableError, match="landmarks of .*z.png"):
        source.load(source.sample(str(tmp_path / "in" / "z.png")))
    np.savez(tmp_path / "l.npz", **{"a.png": np.array(POINTS)})
    assert read_landmarks(tmp_path / "l.npz").find("a.png") == pytest.approx(np.array(POINTS))
    np.save(tmp_path / "p.npy", np.array(POINTS))
    assert read_points(tmp_path / "p.npy").dtype == np.float32


@pytest.mark.parametrize(
    "text", ["{", "[1]", '{"a": 1}', '{"a": [["x", "y"]]}', '{"a": [[1, 2, 3]]}', '{"a": [NaN, 1]}']
)
def test_damaged_landmarks_are_refused_in_words(text, tmp_path):
    (tmp_path / "l.json").write_text(text)
    with pytest.raises(DataError, match="expected"):
        read_landmarks(tmp_path / "l.json")


def test_pickled_points_are_never_read(tmp_path):
    np.save(tmp_path / "p.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="cannot be read"):
        read_points(tmp_path / "p.npy")


@given(st.lists(st.sampled_from([(0,), (1,), (0, 1), (0, 0, 1)]), min_size=3, max_size=40), st.integers(0, 5))
def test_no_group_is_in_two_splits_and_each_split_has_every_kind(kinds, key):
    groups = [(0,), (1,)] * 3 + [(0, 1)] * 3 + [(0, 0, 1)] * 3 + kinds
    samples = [Sample(f"{g}-{i}", "p", y, group=str(g)) for g, ys in enumerate(groups) for i, y in enumerate(ys)]
    found = split_by_group(samples, key=key)
    sides = {}
    for s in found:
        assert sides.setdefault(s.group, s.split) == s.split
    assert {(s.split, s.label) for s in found} == {(p, y) for p in ("train", "val", "test") for y in (0, 1)}
    assert split_by_group(samples, key=key) == found
    assert split_by_group(samples[::-1], key=key) == found[::-1]


def test_splits_that_cannot_be_made_are_refused_in_words():
    two = [Sample(str(i), "p", 0, group=str(i)) for i in range(2)]
    with pytest.raises(DataError, match="at least 3 sources"):
        split_by_group(two)
    mixed = [Sample("a", "p", 0, "train"), Sample("b", "p", 0)]
    with pytest.raises(DataError, match="p is in no split"):
        split_by_group(mixed)
    with pytest.raises(DataError, match="'g' is in train and test"):
        require_groups_apart([Sample("a", "p", 0, "train", group="g"), Sample("b", "p", 1, "test", group="g")])


def test_one_picture_without_a_counterpart_stops_nothing():
    pairs = [Sample(f"{i}-{y}", "p", y, group=f"{i}") for i in range(9) for y in (0, 1)]
    found = split_by_group([*pairs, Sample("lone", "p", 1, group="lone")])
    assert {(s.split, s.label) for s in found} == {(s, y) for s in ("train", "val", "test") for y in (0, 1)}
    alone = [Sample(f"{i}", "p", i % 2, group=f"{i}") for i in range(12)]
    pair = [Sample("a", "p", 0, group="pair"), Sample("b", "p", 1, group="pair")]
    found = split_by_group([*alone, *pair])
    assert found[-1].split == found[-2].split
    assert {(s.split, s.label) for s in found} == {(s, y) for s in ("train", "val", "test") for y in (0, 1)}


def test_masks_and_landmarks_beside_frames_are_no_pictures(tmp_path):
    for kind in ("real", "fake"):
        Hand(frames=2).video(tmp_path / kind, "v", Subject("", "v", kind), mask=kind == "fake")
    source = open_folders(str(tmp_path))
    assert len(source.samples) == 4
    assert all("/frames/" in s.path for s in source.samples)
    picture = source.load(source.samples[0])
    assert picture.aligned
    assert picture.landmarks.shape == (81, 2)
    assert picture.mask is None  # it would tell the label


def test_a_folder_of_masks_of_ones_own_is_listed(tmp_path):
    for kind in ("masks", "frames"):
        Hand(frames=1).one(tmp_path / kind / "a.png", Subject("", "a"))
    assert len(list(list_pictures(tmp_path))) == 2  # what is to be scored has a row, whatever its folder is called
    (tmp_path / "frames").rename(tmp_path / "faces")
    assert len(FolderSource((str(tmp_path),)).samples) == 2
