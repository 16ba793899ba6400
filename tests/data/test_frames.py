"""Videos on disk that are not quite as they should be: empty folders, odd names, links, what other programs leave."""

from __future__ import annotations

import os
import shutil

import pytest
from trees.faceforensics import faceforensics
from trees.uadfv import uadfv
from trees.write import Hand

from corit.data.care.check import find_surprises
from corit.data.frames import Reading, find_videos, natural_key, video_key
from corit.data.sample import Sample
from corit.data.sets.faceforensics import FaceForensics
from corit.data.sets.uadfv import UADFV
from corit.data.walk import list_names
from corit.errors import DataError, UnreadableError


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def found(root, **how):
    return {name: clip.path[len(str(root)) + 1 :] for name, clip in find_videos(root, **how).items()}


def test_empty_frames_do_not_hide_videos(tmp_path):
    touch(tmp_path, "videos/a.mp4")
    (tmp_path / "frames").mkdir()
    assert found(tmp_path) == {"a": "videos/a.mp4"}
    (tmp_path / "frames" / "a").mkdir()
    assert found(tmp_path) == {"a": "videos/a.mp4"}
    touch(tmp_path, "frames/a/000.png")
    assert found(tmp_path) == {"a": "frames/a"}
    shutil.rmtree(tmp_path / "videos")
    os.unlink(tmp_path / "frames/a/000.png")
    assert find_videos(tmp_path)["a"].empty


def test_an_empty_folder_does_not_hide_the_video_of_its_name(tmp_path):
    touch(tmp_path, "0000.mp4", "0001.mp4", "0001/000.png")
    (tmp_path / "0000").mkdir()
    assert found(tmp_path) == {"0000": "0000.mp4", "0001": "0001"}


def test_folders_of_frames_may_be_called_as_the_video_was(tmp_path):
    touch(tmp_path, "frames/000_001.mp4/000.png", "frames/000_001.mp4/001.png")
    (clip,) = find_videos(tmp_path).values()
    assert (clip.name, clip.video, clip.frames) == ("000_001", False, ("000.png", "001.png"))
    assert found(tmp_path) == {"000_001": "frames/000_001.mp4"}


def test_links_are_followed_but_not_in_circles(tmp_path):
    root = tmp_path / "frames"
    touch(root, "a/000.png", "b/c/000.png")
    touch(tmp_path, "store/d/000.png")
    (root / "a2").symlink_to(root / "a")
    (root / "more").symlink_to(tmp_path / "store")
    (root / "a" / "self").symlink_to(root / "a")
    (root / "b" / "up").symlink_to(tmp_path)
    (tmp_path / "store" / "back").symlink_to(root)
    (tmp_path / "store" / "d" / "again").symlink_to(tmp_path / "store")
    assert sorted(found(tmp_path)) == ["a", "a2", "b/c", "more/d"]


def test_what_archivers_leave_is_no_video(tmp_path):
    touch(tmp_path, "v/000.png", "v/._000.png", "__MACOSX/v/000.png", "._v.mp4")
    assert found(tmp_path) == {"v": "v"}
    assert find_videos(tmp_path)["v"].frames == ("000.png",)


def test_frames_are_ordered_by_number_whatever_their_suffix():
    names = ["10.png", "9.jpeg", "100.png", "9.a.png", "009.png"]
    assert sorted(names, key=natural_key) == ["9.jpeg", "10.png", "009.png", "100.png", "9.a.png"]


def test_a_damaged_mask_is_named(tmp_path):
    faceforensics(tmp_path, Hand(frames=1))
    source = FaceForensics(str(tmp_path), reading=Reading(masks=True))
    fake = next(s for s in source.samples if s.label)
    with open(fake.path.replace("/frames/", "/masks/"), "wb") as file:
        file.write(b"no picture")
    with pytest.raises(UnreadableError, match=r"expected a mask of .*/frames/.* at .*/masks/.*000.png, but"):
        source.load(fake)


@pytest.mark.parametrize(("folder", "kind"), [("real", "real samples"), ("fake", "fake samples")])
def test_landmarks_of_one_class_only_are_a_surprise(tmp_path, folder, kind):
    uadfv(tmp_path, Hand(frames=2))
    assert find_surprises(UADFV(str(tmp_path)).samples) == ()
    shutil.rmtree(tmp_path / folder / "landmarks")
    (one,) = find_surprises(UADFV(str(tmp_path)).samples)
    assert f"{len(one.ids)} {kind} have no landmarks beside them" in one.what
    shutil.rmtree(tmp_path / ("real" if folder == "fake" else "fake") / "landmarks")
    assert find_surprises(UADFV(str(tmp_path)).samples) == ()


def test_folders_that_hold_videos_are_no_part_of_their_names(tmp_path):
    for file in ("a/frames/x/0.png", "a/frames/x/1.png", "a/x.mp4", "b/videos/y.mp4", "c/images/z/0.png"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    found = find_videos(tmp_path)
    assert {name: len(clip.frames) for name, clip in found.items()} == {"a/x": 2, "b/y": 0, "c/z": 1}
    assert set(find_videos(tmp_path, "videos")) == {"a/x", "b/y"}
    assert find_videos(tmp_path, "videos")["a/x"].video


def test_a_folder_that_cannot_be_opened_is_an_error_in_words(tmp_path, monkeypatch):
    def refuse(folder):
        raise PermissionError(13, "Permission denied", folder)

    monkeypatch.setattr(os, "scandir", refuse)
    for of in (find_videos, list_names):
        with pytest.raises(DataError, match=f"expected to open {tmp_path}, but Permission denied; change its rights"):
            of(str(tmp_path))


def test_samples_of_no_video_are_merged_with_no_other():
    samples = [Sample(f"progan/cat/{kind}/0.png", "x", 0) for kind in ("0_real", "1_fake")]
    assert [video_key(s, "dfb") for s in samples] == [s.id for s in samples]
