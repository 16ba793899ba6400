"""UADFV on tiny trees."""

from __future__ import annotations

import shutil
from collections import Counter

import pytest
from trees.uadfv import uadfv
from trees.write import Hand

from corit.data.frames import Reading
from corit.data.sets.uadfv import UADFV
from corit.errors import DataError


@pytest.mark.parametrize(("media", "rows"), [("frames", 3), ("images", 3), ("videos", 1)])
def test_counts_are_all_test(tmp_path, media, rows):
    uadfv(tmp_path, Hand(frames=3, media=media))
    samples = UADFV(str(tmp_path)).samples
    assert Counter((s.split, s.label, s.manipulation) for s in samples) == {
        ("test", 0, ""): 5 * rows,
        ("test", 1, "UADFV"): 5 * rows,
    }
    assert Counter(s.group for s in samples) == {f"{k:04d}": 2 * rows for k in range(5)}


def test_other_splits_are_empty_and_frames_load(tmp_path):
    uadfv(tmp_path, videos=1)
    assert UADFV(str(tmp_path), Reading(splits=("train", "val"))).samples == ()
    source = UADFV(str(tmp_path), Reading(frames=1))
    assert len(source.samples) == 2
    assert source.load(source.samples[1]).landmarks.shape == (81, 2)


@pytest.mark.parametrize("emptied", ["fake", "fake/frames"])
def test_an_absent_or_empty_class_is_an_error(tmp_path, emptied):
    uadfv(tmp_path)
    shutil.rmtree(tmp_path / emptied)
    (tmp_path / emptied).mkdir()
    with pytest.raises(DataError, match=r"expected frames, images or videos in fake/, found none.*WIFS2018"):
        _ = UADFV(str(tmp_path)).samples


def test_empty_video_folders_are_an_error_even_without_a_list(tmp_path):
    uadfv(tmp_path)
    for frame in (tmp_path / "real" / "frames" / "0003").iterdir():
        frame.unlink()
    with pytest.raises(DataError, match="5 videos in real/, but 1 have no file or frame there.*0003"):
        _ = UADFV(str(tmp_path)).samples
    assert len({s.video for s in UADFV(str(tmp_path), Reading(partial=True)).samples}) == 9
