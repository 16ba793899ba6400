"""Videos as rows of frames: which, in one pass, as the decoder itself gives them; and videos that cannot be read."""

from __future__ import annotations

import os
import pickle
import struct

import numpy as np
import pytest
from images import video_files
from PIL import Image

from corit.data.folders import open_folders
from corit.data.frames import WHOLE_VIDEO
from corit.data.index import open_index
from corit.data.video_frames import SequentialReader, VideoFrames
from corit.errors import DataError, UnreadableError, UnsupportedError
from corit.images import video
from corit.images.video import VideoFile, read_video


@pytest.fixture
def mine(tmp_path):
    """A real video and a real picture, a fake video in a sub-folder, and a file that only is called a video."""
    for name in ("real", "fake/swap"):
        (tmp_path / name).mkdir(parents=True)
    video_files.write(tmp_path / "real" / "a.avi", frames=12)
    Image.fromarray(np.full((8, 8, 3), 7, np.uint8)).save(tmp_path / "real" / "b.png")
    video_files.write(tmp_path / "fake" / "swap" / "a.mp4", frames=5)
    (tmp_path / "fake" / "notes.MOV").write_text("no video")
    return tmp_path


def test_a_video_is_one_row_until_its_frames_are_chosen(mine):
    source = open_folders(str(mine))
    rows = {s.id: s for s in source.samples}
    assert {i: (s.frame, s.video) for i, s in rows.items()} == {
        "real/a.avi": (WHOLE_VIDEO, "real/a.avi"),
        "real/b.png": (0, ""),
        "fake/swap/a.mp4": (WHOLE_VIDEO, "fake/swap/a.mp4"),
        "fake/notes.MOV": (WHOLE_VIDEO, "fake/notes.MOV"),
    }
    assert rows["fake/swap/a.mp4"].group == rows["real/a.avi"].group == "a"
    with pytest.raises(UnsupportedError, match="corit data prepare"):
        source.load(rows["real/a.avi"])


@pytest.mark.parametrize(("choice", "indices"), [("even", [0, 3, 7, 11]), ("first", [0, 1, 2, 3])])
def test_the_chosen_frames_of_each_video_are_rows_in_its_place(mine, choice, indices):
    rows = VideoFrames(open_folders(str(mine)), 4, choice).samples
    assert [s.id for s in rows if s.id.startswith("real/a")] == [f"real/a.avi#{i:06d}" for i in indices]
    assert [s.frame for s in rows if s.video == "real/a.avi"] == indices
    assert {(s.group, s.label) for s in rows if s.video == "fake/swap/a.mp4"} == {("a", 1)}
    assert [s.id for s in rows if not s.video] == ["real/b.png"]
    every = VideoFrames(open_folders(str(mine)), None).samples
    assert [sum(s.video == v for s in every) for v in ("real/a.avi", "fake/swap/a.mp4", "fake/notes.MOV")] == [12, 5, 1]


def test_frames_are_the_decoders_own_and_cost_one_pass(mine, monkeypatch):
    opened = []

    class Counted(VideoFile):
        def __init__(self, path):
            opened.append(str(path))
            super().__init__(path)

    source = VideoFrames(open_folders(str(mine)), 4)
    rows = [s for s in source.samples if s.video == "real/a.avi"]
    monkeypatch.setattr("corit.data.video_frames.VideoFile", Counted)
    found = [source.load(s).pixels for s in rows]
    assert opened == [rows[0].path]
    expected = read_video(rows[0].path, 4)
    assert [f.index for f in expected.frames] == [s.frame for s in rows]
    for a, b in zip(found, expected.frames, strict=True):
        np.testing.assert_array_equal(a, b.pixels)
    np.testing.assert_array_equal(source.load(rows[1]).pixels, found[1])  # an earlier frame opens the video again
    assert len(opened) == 2
    assert isinstance(
        pickle.loads(pickle.dumps(source))._reader, SequentialReader
    )  # as a process that prepares gets it


def test_what_cannot_be_read_is_an_error_of_its_rows(mine):
    source = VideoFrames(open_folders(str(mine)))
    (notes,) = (s for s in source.samples if s.id == "fake/notes.MOV")
    with pytest.raises(UnsupportedError, match="whatever its name says"):
        source.load(notes)
    cut = video_files.cut(video_files.write(mine / "whole.avi", frames=20), mine / "real" / "cut.avi", 0.85)
    rows = [s for s in VideoFrames(open_folders(str(mine)), None).samples if s.path == str(cut)]
    held = len(read_video(cut).frames)
    assert 5 < held < 20
    assert len(rows) in (held + 1, held + 2)  # the last that is there may be cut; one stands for the rest
    assert read_video(cut).count == 20  # what the file announces
    got = [source.load(s).pixels.mean() for s in rows[:held]]
    np.testing.assert_allclose(got, [video_files.grey(k) for k in range(held)], atol=4)
    for s in rows[held:]:
        with pytest.raises(UnreadableError, match=rf"frame {s.frame} of cut.avi cannot be decoded"):
            source.load(s)
    empty = mine / "real" / "empty.mp4"
    empty.touch()
    (row,) = (s for s in VideoFrames(open_folders(str(mine))).samples if s.path == str(empty))
    with pytest.raises(UnreadableError, match="is empty"):
        source.load(row)


def test_a_video_that_announces_hours_has_rows_of_its_frames(mine):
    path = video_files.write(mine / "real" / "long.mkv", frames=12)
    data = path.read_bytes()
    at = data.find(b"\x44\x89\x88") + 3
    data = data[:at] + struct.pack(">d", 3.6e7) + data[at + 8 :]  # milliseconds
    path.write_bytes(data.replace(b"DURATION", b"duration"))  # of its stream
    rows = [s for s in VideoFrames(open_folders(str(mine)), None).samples if s.path == str(path)]
    assert [s.frame for s in rows] == list(range(13))  # one stands for the rest
    assert VideoFile(path).survey() == 360_000


def test_a_csv_file_may_list_videos_and_frames_of_them(mine):
    (mine / "rows.csv").write_text("path,label,frame\nreal/a.avi,real,\nfake/swap/a.mp4,fake,2\nreal/b.png,real,\n")
    source = VideoFrames(open_index(str(mine / "rows.csv")), 3)
    assert [(s.id, s.video, s.frame) for s in source.samples] == [
        *((f"real/a.avi#{i:06d}", "real/a.avi", i) for i in (0, 5, 11)),
        ("fake/swap/a.mp4", "fake/swap/a.mp4", 2),
        ("real/b.png", "", 0),
    ]
    assert int(source.load(source.samples[3]).pixels.mean()) == pytest.approx(video_files.grey(2), abs=4)
    assert int(source.load(source.samples[4]).pixels[0, 0, 0]) == 7


def test_a_video_goes_onward_only(mine):
    clip = video.VideoFile(mine / "real" / "a.avi")
    assert clip.frame(3).index == 3
    with pytest.raises(ValueError, match="frame 3 lies behind"):
        clip.frame(3)
    assert clip.frame(12) is None  # there are 12, counted from 0
    with pytest.raises(DataError, match="at least one frame"):
        VideoFrames(open_folders(str(mine)), 0)


def test_a_video_that_another_took_the_place_of_is_opened_anew(tmp_path):
    path, other = (
        video_files.write(tmp_path / "a.avi"),
        video_files.write(tmp_path / "b.avi", shown=[np.full((48, 64, 3), 250, np.uint8)] * 20),
    )
    play = SequentialReader()
    play(str(path), 3)
    os.replace(other, path)
    assert np.array_equal(play(str(path), 5).pixels, SequentialReader()(str(path), 5).pixels)
