"""Videos: which frames come, when they were shown, and what is said of files that are cut, damaged or no videos."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from images import films
from PIL import Image

from corit.errors import DataError, InputError, UnreadableError, UnsupportedError
from corit.images.choice import choose
from corit.images.video import Film, read_video


@pytest.fixture(scope="module", params=[".mp4", ".avi"])
def film(request, tmp_path_factory):
    return films.write(tmp_path_factory.mktemp("films") / f"film{request.param}")


@pytest.fixture(scope="module")
def mp4(tmp_path_factory):
    return films.write(tmp_path_factory.mktemp("films") / "film.mp4")


def shown(frames):
    """Which frames these really are, by their grey."""
    return [round((float(f.pixels.mean()) - films.grey(0)) / 10) for f in frames]


EVEN = {
    1: [0],
    2: [0, 19],
    4: [0, 6, 12, 19],
    8: [0, 2, 5, 8, 10, 13, 16, 19],
    20: list(range(20)),
    32: list(range(20)),
}


@pytest.mark.parametrize("wanted", EVEN)
def test_even_frames_are_spread_from_the_first_to_the_last(film, wanted):
    video = read_video(film, wanted)
    assert [f.index for f in video.frames] == EVEN[wanted]
    assert shown(video.frames) == EVEN[wanted]
    assert (video.count, video.fps, video.size, video.status, video.reason) == (20, 10.0, (64, 48), "ok", "")


@pytest.mark.parametrize("wanted", [1, 4, 8, 20, 32])
def test_first_frames_are_the_first(film, wanted):
    """What the benchmark's reader takes when it says evenly: 8 of 32 are frames 0 to 7."""
    video = read_video(film, wanted, "first")
    assert shown(video.frames) == [f.index for f in video.frames] == list(range(min(wanted, 20)))
    assert video.status == "ok"


def test_all_frames_with_their_times(film):
    video = read_video(film)
    assert shown(video.frames) == list(range(20))
    assert [f.seconds for f in video.frames] == pytest.approx([k / 10 for k in range(20)], abs=1e-3)


def test_colours_are_red_green_blue(tmp_path):
    red = np.zeros((48, 64, 3), np.uint8)
    red[..., 0] = 200
    pixels = read_video(films.write(tmp_path / "red.mp4", shown=[red] * 3)).frames[0].pixels
    assert pixels[..., 0].mean() > 150
    assert pixels[..., 2].mean() < 50
    assert pixels.flags.c_contiguous


def test_frames_come_one_by_one_and_the_end_is_told_at_the_end(mp4):
    opened = Film(mp4)
    stream = opened.frames(5)
    assert next(stream).index == 0
    assert opened.ending is None
    assert [f.index for f in stream] == [4, 9, 14, 19]
    assert (opened.ending.status, opened.ending.missing) == ("ok", 0)


CUTS = {
    "bytes missing": lambda tmp: films.cut(films.write(tmp / "whole.avi"), tmp / "cut.avi"),
    "pictures damaged": lambda tmp: films.damage(films.write(tmp / "whole.mp4"), tmp / "cut.mp4"),
}


@pytest.mark.parametrize("how", CUTS)
@pytest.mark.parametrize("wanted", [None, 10])
def test_a_cut_video_gives_what_it_has_and_says_so(tmp_path, how, wanted):
    video = read_video(CUTS[how](tmp_path), wanted)
    indices = [f.index for f in video.frames]
    assert 0 < len(indices) < (wanted or 20)
    assert indices == choose(20, wanted, "even")[: len(indices)]  # the frames that the whole video would give
    assert video.status == "truncated"
    assert f"{len(indices)} of {wanted or 20} chosen frames" in video.reason


def test_a_cut_behind_the_chosen_frames_does_no_harm(tmp_path):
    video = read_video(CUTS["bytes missing"](tmp_path), 3, "first")
    assert ([f.index for f in video.frames], video.status) == ([0, 1, 2], "ok")


def test_one_frame_less_than_announced_is_no_cut(mp4, monkeypatch):
    opened = Film(mp4)
    opened.count = 21
    assert len(list(opened.frames())) == 20
    assert opened.ending.status == "ok"
    short = Film(mp4)
    short.count = 22
    list(short.frames())
    assert short.ending.status == "truncated"


def test_frames_that_nobody_announces_are_counted(mp4):
    opened = Film(mp4)
    opened.count = 0  # as streams recorded in browsers say
    assert [f.index for f in opened.frames(4)] == EVEN[4]
    assert opened.ending.status == "ok"


def encoded(kind):
    data = BytesIO()
    Image.new("RGB", (64, 48), "red").save(data, kind)
    return data.getvalue()


BAD = {
    "empty": (b"", UnreadableError, "is empty"),
    "text": (b"hello", UnsupportedError, "whatever its name says"),
    "png": (encoded("PNG"), UnsupportedError, "expected a video"),
    "jpeg": (encoded("JPEG"), UnsupportedError, "expected a video"),
    "webp": (encoded("WEBP"), UnsupportedError, "expected a video"),
    "playlist": (b"ffconcat version 1.0\nfile film.mp4\n", UnsupportedError, "expected a video"),
    "stream": (b"#EXTM3U\n#EXTINF:2,\nfilm.mp4\n", UnsupportedError, "expected a video"),
    "G": (b"Good day" * 40, UnsupportedError, "expected a video"),
    "header": (b"\0\0\0\x18ftypisom" + b"\0" * 40, UnreadableError, "damaged, cut short"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_video_is_refused_in_words(tmp_path, name):
    films.write(tmp_path / "film.mp4")
    data, kind, words = BAD[name]
    path = tmp_path / "x.mp4"
    path.write_bytes(data)
    with pytest.raises(kind, match=words):
        read_video(path)


def test_a_video_without_frames_is_refused(mp4, tmp_path):
    damaged = films.damage(mp4, tmp_path / "none.mp4", share=0.0)
    with pytest.raises(UnreadableError, match="no frame that can be decoded"):
        read_video(damaged)
    opened = Film(damaged)
    opened.count = 0
    with pytest.raises(UnreadableError, match="no frame that can be decoded"):
        list(opened.frames(4))


@pytest.mark.parametrize("path", ["absent.mp4", "."])
def test_what_is_not_there_is_refused(tmp_path, path):
    with pytest.raises(InputError, match="there is none"):
        read_video(tmp_path / path)


@pytest.mark.parametrize(("wanted", "rule", "words"), [(0, "even", "at least one frame"), (3, "odd", "even or first")])
def test_a_choice_that_there_is_not_is_refused(mp4, wanted, rule, words):
    with pytest.raises(DataError, match=words):
        read_video(mp4, wanted, rule)
