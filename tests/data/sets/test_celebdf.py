"""Celeb-DF on tiny trees: counts, the list whose 1 means real, groups by video, errors."""

from __future__ import annotations

import shutil
from collections import Counter

import pytest
from trees.celebdf import celebdf
from trees.write import Hand

from corit.data.frames import Reading
from corit.data.sets.celebdf import CelebDF, source_video
from corit.errors import DataError, UnsupportedError


@pytest.fixture
def root(tmp_path):
    celebdf(tmp_path, Hand(frames=2))
    return tmp_path


def counts(source):
    return Counter((s.split, s.label) for s in source.samples)


@pytest.mark.parametrize("version", [1, 2])
def test_counts(root, version):
    # 4 people with a video for each side, 3 strangers of whom the last tests, two frames each.
    source = CelebDF(str(root), version)
    assert counts(source) == {("train", 0): 12, ("train", 1): 8, ("test", 0): 10, ("test", 1): 8}
    assert {s.dataset for s in source.samples} == {f"Celeb-DF-v{version}"}
    assert len({s.id for s in source.samples}) == 38


def test_the_test_videos_are_in_no_other_split(root):
    samples = CelebDF(str(root)).samples
    tests = {s.video for s in samples if s.split == "test"}
    assert tests.isdisjoint({s.video for s in samples if s.split == "train"})
    assert "Celeb-DF-v2/YouTube-real/00002" in tests
    # Reals of both folders train: none of them replaces the other.
    train = {s.video.split("/")[1] for s in samples if s.split == "train" and not s.label}
    assert train == {"Celeb-real", "YouTube-real"}


def test_a_swap_shares_the_group_of_its_video(root):
    groups = {s.video.rpartition("/")[2]: s.group for s in CelebDF(str(root)).samples}
    assert groups["id3_id0_0001"] == groups["id3_0001"] == "id3_0001"
    assert groups["id3_0000"] != groups["id3_0001"]
    assert source_video("id12_id3_0007") == "id12_0007"
    assert source_video("00170") == "00170"


@pytest.mark.parametrize(
    ("splits", "expected"),
    [(("test",), {("test", 0): 10, ("test", 1): 8}), (("train",), {("train", 0): 12, ("train", 1): 8}), (("val",), {})],
)
def test_splits(root, splits, expected):
    assert counts(CelebDF(str(root), reading=Reading(splits=splits))) == expected


def test_raw_videos_lie_in_the_folders_themselves(tmp_path):
    celebdf(tmp_path, Hand(frames=1, media="videos"))
    for folder in ("Celeb-real", "YouTube-real", "Celeb-synthesis"):
        for video in (tmp_path / folder / "videos").iterdir():
            video.rename(tmp_path / folder / video.name)
        (tmp_path / folder / "videos").rmdir()
    source = CelebDF(str(tmp_path))
    assert counts(source) == {("train", 0): 6, ("train", 1): 4, ("test", 0): 5, ("test", 1): 4}
    with pytest.raises(UnsupportedError, match="is a video"):
        source.load(source.samples[0])


def test_frames_are_read_with_landmarks(root):
    source = CelebDF(str(root))
    assert source.load(source.samples[0]).landmarks.shape == (81, 2)


def test_a_missing_list_is_an_error(root):
    (root / "List_of_testing_videos.txt").unlink()
    with pytest.raises(DataError, match=r"List_of_testing_videos.txt.*celeb-deepfakeforensics"):
        _ = CelebDF(str(root)).samples


def test_a_missing_listed_video_is_an_error_unless_partial(root):
    shutil.rmtree(root / "Celeb-synthesis" / "frames" / "id0_id1_0001")
    with pytest.raises(
        DataError, match=r"named in List_of_testing_videos.txt in Celeb-synthesis/, but 1 .*id0_id1_0001"
    ):
        _ = CelebDF(str(root)).samples
    assert counts(CelebDF(str(root), reading=Reading(partial=True)))["test", 1] == 6


def test_a_missing_folder_is_an_error(root):
    shutil.rmtree(root / "YouTube-real")
    with pytest.raises(DataError, match="YouTube-real"):
        _ = CelebDF(str(root)).samples


@pytest.mark.parametrize(
    "line", ["0 Celeb-real/id0_0000.mp4", "1 Celeb-synthesis/x.mp4", "1 Elsewhere/x.mp4", "word", ""]
)
def test_a_list_that_contradicts_the_folders_is_refused(root, line):
    (root / "List_of_testing_videos.txt").write_text(line + "\n")
    with pytest.raises(DataError, match=r"1 is real.*but (got|it names no video)"):
        _ = CelebDF(str(root)).samples


def test_there_are_two_versions():
    with pytest.raises(DataError, match="version 1 or 2"):
        CelebDF("root", 3)
