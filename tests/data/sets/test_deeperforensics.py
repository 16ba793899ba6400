"""DeeperForensics-1.0 on tiny trees: official lists, actors' videos that follow them, errors."""

from __future__ import annotations

import shutil
from collections import Counter

import pytest
from trees.deeperforensics import deeperforensics
from trees.faceforensics import faceforensics
from trees.write import Hand

from corit.data.frames import Reading
from corit.data.sets.deeperforensics import VERSIONS, DeeperForensics, read_lists
from corit.data.split import require_groups_apart
from corit.errors import DataError
from corit.sources import open_source


@pytest.fixture
def root(tmp_path):
    deeperforensics(tmp_path, Hand(frames=2), versions=("end_to_end", "end_to_end_level_3"))
    return tmp_path


def counts(source):
    return Counter((s.split, s.label) for s in source.samples)


def test_counts(root):
    # Two actors a split with two videos each; 3, 1 and 2 swaps an actor; two frames each.
    source = DeeperForensics(str(root))
    reals = {(s, 0): 8 for s in ("train", "val", "test")}
    assert counts(source) == reals | {("train", 1): 12, ("val", 1): 4, ("test", 1): 8}
    both = DeeperForensics(str(root), ("end_to_end", "end_to_end_level_3"))
    assert counts(both) == reals | {("train", 1): 24, ("val", 1): 8, ("test", 1): 16}
    assert len({s.id for s in both.samples}) == len(both.samples)


def test_reals_are_in_the_split_of_their_actors_swaps(root):
    samples = DeeperForensics(str(root)).samples
    require_groups_apart(samples)
    assert {s.split for s in samples if s.group == "actor M104"} == {"test"}
    assert {s.label for s in samples if s.group == "actor M104"} == {0, 1}


def test_the_target_videos_can_be_the_reals(root, tmp_path):
    faceforensics(tmp_path / "ff", Hand(frames=2))
    spec = f"deeperforensics:{root},faceforensics={tmp_path}/ff"
    source = open_source(spec)
    # One video for each swap, on its side, whatever FaceForensics++'s own lists say.
    assert counts(source) == {("train", y): 12 for y in (0, 1)} | {("val", y): 4 for y in (0, 1)} | {
        ("test", y): 8 for y in (0, 1)
    }
    require_groups_apart(source.samples)
    assert {s.group for s in source.samples if not s.label} == {f"video {k:03d}" for k in range(12)}
    assert len({s.id for s in source.samples}) == len(source.samples)
    assert all("/youtube/c23/" in s.path for s in source.samples if not s.label)
    with pytest.raises(DataError, match="named in the swaps' names in original_sequences/youtube/c40/"):
        _ = open_source(spec + ",compression=c40").samples


def test_videos_of_actors_that_no_list_names_are_left_out(root):
    (root / "lists" / "splits" / "val.txt").write_text("")
    assert ("val", 0) not in counts(DeeperForensics(str(root)))


def test_an_actor_on_two_sides_tests(root):
    lists = root / "lists" / "splits"
    (lists / "test.txt").write_text((lists / "test.txt").read_text() + "000_M100.mp4\n")
    train = (lists / "train.txt").read_text().replace("000_M100.mp4\n", "")
    (lists / "train.txt").write_text(train)
    reals = [s for s in DeeperForensics(str(root)).samples if s.group == "actor M100" and not s.label]
    assert {s.split for s in reals} == {"test"}


def test_videos_lie_deep_and_swaps_bare(tmp_path):
    deeperforensics(tmp_path, Hand(frames=1, media="videos"))
    folder = tmp_path / "manipulated_videos" / "end_to_end"
    for video in (folder / "videos").iterdir():
        video.rename(folder / video.name)
    (folder / "videos").rmdir()
    source = DeeperForensics(str(tmp_path))
    assert counts(source) == {(s, 0): 4 for s in ("train", "val", "test")} | {
        ("train", 1): 6,
        ("val", 1): 2,
        ("test", 1): 4,
    }
    require_groups_apart(source.samples)
    video = next(s for s in source.samples if not s.label)
    assert video.path.endswith(
        "source_videos/M100/light_down/neutral/camera_front/M100_light_down_neutral_camera_front.mp4"
    )
    assert video.group == "actor M100"


def test_one_split(root):
    source = DeeperForensics(str(root), reading=Reading(splits=("val",), frames=1))
    assert counts(source) == {("val", 0): 4, ("val", 1): 2}
    assert source.load(source.samples[0]).aligned


def test_errors(root):
    with pytest.raises(DataError, match="no such version: end2end; DeeperForensics-1.0 has end_to_end"):
        DeeperForensics(str(root), ("end2end",))
    assert len(VERSIONS) == 11
    with pytest.raises(DataError, match=r"manipulated_videos/reenact_postprocess/, but 12 have no"):
        _ = DeeperForensics(str(root), ("reenact_postprocess",)).samples
    shutil.rmtree(root / "source_videos")
    with pytest.raises(DataError, match=r"source_videos/, found none.*EndlessSora"):
        _ = DeeperForensics(str(root)).samples


def test_damaged_lists(root):
    lists = root / "lists" / "splits"
    (lists / "val.txt").write_text("noactor.mp4\n")
    with pytest.raises(DataError, match="got noactor in val"):
        read_lists(str(root))
    shutil.copy(lists / "train.txt", lists / "val.txt")
    with pytest.raises(DataError, match="each in one list"):
        read_lists(str(root))
    (lists / "val.txt").unlink()
    with pytest.raises(DataError, match="Looked for: lists/splits/val.txt"):
        read_lists(str(root))
