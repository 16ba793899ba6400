"""Videos: which frames come, when they were shown, and what is said of files that are cut, damaged or no videos."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from io import BytesIO

import av
import numpy as np
import psutil
import pytest
from images import video_files
from PIL import Image

from corit.errors import DataError, InputError, UnreadableError, UnsupportedError
from corit.images import video_stream
from corit.images.frame_choice import choose
from corit.images.video import REORDERED, Gap, VideoFile, frames_of, is_video_file, read_video


@pytest.fixture(scope="module", params=[".mp4", ".avi", ".mkv"])
def clip(request, tmp_path_factory):
    return video_files.write(tmp_path_factory.mktemp("videos") / f"video{request.param}")


@pytest.fixture(scope="module")
def mp4(tmp_path_factory):
    return video_files.write(tmp_path_factory.mktemp("videos") / "video.mp4")


def shown(frames):
    """Which frames these really are, by their grey."""
    return [round((float(f.pixels.mean()) - video_files.grey(0)) / 10) for f in frames]


EVEN = {
    1: [0],
    2: [0, 19],
    4: [0, 6, 12, 19],
    8: [0, 2, 5, 8, 10, 13, 16, 19],
    20: list(range(20)),
    32: list(range(20)),
}


@pytest.mark.parametrize("wanted", EVEN)
def test_even_frames_are_spread_from_the_first_to_the_last(clip, wanted):
    video = read_video(clip, wanted)
    assert [f.index for f in video.frames] == EVEN[wanted]
    assert shown(video.frames) == EVEN[wanted]
    assert (video.count, video.fps, video.size, video.status, video.reason) == (20, 10.0, (64, 48), "ok", "")


@pytest.mark.parametrize("wanted", [1, 4, 8, 20, 32])
def test_first_frames_are_the_first(clip, wanted):
    """What the benchmark's reader takes when it says evenly: 8 of 32 are frames 0 to 7."""
    video = read_video(clip, wanted, "first")
    assert shown(video.frames) == [f.index for f in video.frames] == list(range(min(wanted, 20)))
    assert video.status == "ok"


def test_all_frames_with_their_times(clip):
    video = read_video(clip)
    assert shown(video.frames) == list(range(20))
    assert [f.seconds for f in video.frames] == pytest.approx([k / 10 for k in range(20)], abs=1e-3)


def test_colours_are_red_green_blue(tmp_path):
    red = np.zeros((48, 64, 3), np.uint8)
    red[..., 0] = 200
    pixels = read_video(video_files.write(tmp_path / "red.mp4", shown=[red] * 3)).frames[0].pixels
    assert pixels[..., 0].mean() > 150
    assert pixels[..., 2].mean() < 50
    assert pixels.flags.c_contiguous


def test_frames_come_one_by_one_and_the_ending_last(mp4):
    opened = VideoFile(mp4)
    stream = opened.frames(5)
    assert next(stream).index == 0
    assert opened.ending is None
    assert [f.index for f in stream] == [4, 9, 14, 19]
    assert (opened.ending.status, opened.ending.missing) == ("ok", 0)


def front(tmp):
    return video_files.front(video_files.write(tmp / "whole.mp4"), tmp / "front.mp4")


CUTS = {
    "bytes missing": lambda tmp: video_files.cut(video_files.write(tmp / "whole.avi"), tmp / "cut.avi"),
    "pictures damaged": lambda tmp: video_files.damage(video_files.write(tmp / "whole.mp4"), tmp / "cut.mp4"),
    "index in front": lambda tmp: video_files.cut(front(tmp), tmp / "cut.mp4", share=0.7),
    "no index": lambda tmp: video_files.cut(video_files.write(tmp / "whole.mkv"), tmp / "cut.mkv"),
}


@pytest.mark.parametrize("how", CUTS)
@pytest.mark.parametrize("wanted", [None, 10])
def test_a_cut_video_gives_what_it_has_and_says_so(tmp_path, how, wanted):
    video = read_video(CUTS[how](tmp_path), wanted)
    indices = [f.index for f in video.frames]
    assert 0 < len(indices) < (wanted or 20)
    assert indices == choose(20, wanted, "even")[: len(indices)]  # the frames that the whole video would give
    assert video.status == "truncated"
    assert f"{len(indices)} of {wanted or 20} selected frames" in video.reason


@pytest.mark.parametrize("how", CUTS)
def test_the_first_frames_of_a_cut_video_say_so_too(tmp_path, how):
    video = read_video(CUTS[how](tmp_path), 18, "first")
    assert [f.index for f in video.frames] == list(range(len(video.frames)))
    assert (video.status, video.count) == ("truncated", 20)
    assert f"{len(video.frames)} of 18 selected frames" in video.reason


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_an_mp4_whose_index_is_cut_off_is_unreadable(mp4, tmp_path, share):
    with pytest.raises(UnreadableError, match="damaged, cut short"):
        read_video(video_files.cut(mp4, tmp_path / "cut.mp4", share))


def test_where_the_index_lies_makes_no_difference(mp4, tmp_path):
    moved = read_video(video_files.front(mp4, tmp_path / "front.mp4"), 8)
    assert (shown(moved.frames), moved.count, moved.status) == (EVEN[8], 20, "ok")


def test_frames_come_upright(mp4, tmp_path):
    corner = np.zeros((48, 64, 3), np.uint8)
    corner[:24, :32] = 220
    upright = video_files.write(tmp_path / "upright.mp4", shown=[corner] * 2)
    video = read_video(video_files.turned(upright, tmp_path / "turned.mp4"))
    pixels = video.frames[0].pixels
    assert (pixels.shape, video.size) == ((64, 48, 3), (48, 64))
    assert pixels[:30, 26:].mean() > 180  # what was top left is top right
    assert pixels[:30, :22].mean() < 30


TURNS = {  # display matrix -> where what was top left is
    "as it is": ((1, 0, 0, 1), "top left"),
    "upside down": ((-1, 0, 0, -1), "bottom right"),
    "to the left": ((0, -1, 1, 0), "bottom left"),
    "to the right": ((0, 1, -1, 0), "top right"),
    "mirrored": ((-1, 0, 0, 1), "top right"),
    "mirrored and turned": ((0, 1, 1, 0), "top left"),
}


@pytest.mark.parametrize("name", TURNS)
def test_any_turn_of_the_camera(tmp_path, name):
    matrix, expected = TURNS[name]
    corner = np.zeros((48, 64, 3), np.uint8)
    corner[:24, :32] = 220
    path = video_files.turned(
        video_files.write(tmp_path / "upright.mp4", shown=[corner] * 2), tmp_path / "turned.mp4", matrix
    )
    pixels = read_video(path).frames[0].pixels
    middle, centre = (n // 2 for n in pixels.shape[:2])
    quarters = {
        f"{y} {x}": pixels[rows, columns].mean()
        for y, rows in (("top", slice(middle)), ("bottom", slice(middle, None)))
        for x, columns in (("left", slice(centre)), ("right", slice(centre, None)))
    }
    assert max(quarters, key=quarters.get) == expected
    assert sorted(quarters.values())[-2] < 30 < 180 < quarters[expected]


INTERLACED = {"flags": "+ildct+ilme"}
KINDS = {  # how a video is encoded: suffix, codec, pixels, its options
    "interlaced MPEG-2": (".mpg", "mpeg2video", "yuv420p", INTERLACED | {"b": "4M"}),
    "interlaced MPEG-2 with more colour": (".mpg", "mpeg2video", "yuv422p", INTERLACED | {"b": "4M"}),
    "interlaced MPEG-4": (".avi", "mpeg4", "yuv420p", INTERLACED | {"b": "4M"}),
    "ten bits": (".mkv", "ffv1", "yuv444p10le", {}),
    "grey": (".mkv", "ffv1", "gray", {}),
    "sixteen bits of grey": (".mkv", "ffv1", "gray16le", {}),
    "alpha": (".mov", "qtrle", "argb", {}),
    "alpha beside planes": (".mkv", "ffv1", "yuva420p", {}),
    "no chroma lost": (".mkv", "ffv1", "yuv444p", {}),
    "VP9": (".webm", "libvpx-vp9", "yuv420p", {}),
    "AV1": (".mp4", "libsvtav1", "yuv420p", {}),
    "HEVC of ten bits": (".mp4", "libx265", "yuv420p10le", {"x265-params": "log-level=none"}),
}


@pytest.mark.parametrize("name", KINDS)
def test_any_kind_of_pixels_comes_as_it_was(tmp_path, name):
    """Two bands of unlike greys in each field, so that rows of one field beside those of the other are seen."""
    suffix, codec, kind, options = KINDS[name]
    if codec not in av.codecs_available:
        pytest.skip(f"no encoder {codec}")
    shown = list(video_files.pictures(8, (128, 96)))
    for k, picture in enumerate(shown):
        picture[:, 64:] = 250 - picture[:, 64:]
        if options.get("flags"):
            picture[1::2, :64] = video_files.grey(k) + 40
    path = video_files.encode(tmp_path / f"video{suffix}", codec, kind, shown=shown, options=options, rate=25)
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).interlaced_frame == bool(options.get("flags"))
    video = read_video(path)
    assert (len(video.frames), video.status) == (8, "ok")
    for frame, picture in zip(video.frames, shown, strict=True):
        difference = np.abs(frame.pixels.astype(int) - picture)
        assert difference.mean() < 6
        assert np.abs(frame.pixels[::2].mean((0, 2)) - picture[::2].mean((0, 2))).max() < 12
        assert np.abs(frame.pixels[1::2].mean((0, 2)) - picture[1::2].mean((0, 2))).max() < 12


@pytest.mark.parametrize("share", [0.1, 0.5, 0.7, 0.9])
def test_a_video_without_its_index_is_damaged_not_unsupported(tmp_path, share):
    whole = video_files.write(tmp_path / "whole.mp4")
    video_files.cut(whole, tmp_path / "cut.mp4", share=share)
    with pytest.raises(UnreadableError, match=r"cut.mp4 is called a video, but it is damaged, cut short"):
        read_video(tmp_path / "cut.mp4")


def test_a_codec_without_a_decoder_is_reported_by_name(tmp_path):
    data = video_files.write(tmp_path / "video.avi").read_bytes()
    path = tmp_path / "odd.avi"
    path.write_bytes(data.replace(b"MJPG", b"XYZ1"))
    with pytest.raises(UnsupportedError, match=r"odd.avi is of the codec XYZ1, which cannot be decoded"):
        read_video(path)


@pytest.mark.parametrize("cover", [False, True])
def test_sound_is_no_video_and_its_cover_neither(tmp_path, cover):
    with pytest.raises(UnsupportedError, match="holds no moving pictures"):
        read_video(video_files.sound(tmp_path / "song.mp4", cover=cover))


@pytest.mark.parametrize("folder", [False, True])
def test_names_need_not_be_text(mp4, tmp_path, folder):
    """In a process of its own, since a decoder that cannot take the name might end it."""
    odd = os.fsencode(tmp_path) + b"/n\xff"
    path = odd + b"/video.mp4" if folder else odd + b".mp4"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        shutil.copy(mp4, path)
    except OSError:
        pytest.skip("this file system takes no such names")
    code = "import sys; from corit.images.video import read_video; print(len(read_video(sys.argv[1], 4).frames))"
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "4"), done.stderr


LENGTHS = {  # videos of every container: suffix, codec, and what else is asked for
    "WMV": (".wmv", "wmv2", {}),
    "MPEG": (".mpg", "mpeg2video", {"rate": 25, "frames": 60}),
    "transport stream": (".ts", "mpeg2video", {"rate": 25, "frames": 60}),
    "packets of 192 bytes": (".m2ts", "mpeg2video", {"rate": 25, "frames": 60, "held": {"mpegts_m2ts_mode": "1"}}),
    "Matroska that starts later": (".mkv", "mpeg4", {"start": 100}),
    "MP4 that starts later": (".mp4", "mpeg4", {"start": 100, "held": {"movflags": "faststart"}}),
    "FLV": (".flv", "flv", {}),
    "fragments": (".mp4", "mpeg4", {"held": {"movflags": "frag_keyframe+empty_moov"}, "options": {"g": "5"}}),
}


@pytest.mark.parametrize("name", LENGTHS)
def test_a_whole_video_is_whole_and_a_cut_one_is_cut(tmp_path, name):
    suffix, codec, asked = LENGTHS[name]
    frames, rate = asked.get("frames", 20), asked.get("rate", 10)
    noise = np.random.default_rng(0).integers(0, 256, (frames, 48, 64, 3)).astype(np.uint8)  # as many bytes each
    path = video_files.encode(tmp_path / f"video{suffix}", codec, **asked | {"shown": noise})
    assert is_video_file(str(path))
    video = read_video(path)
    assert (len(video.frames), video.count, video.status) == (frames, frames, "ok")
    assert [f.seconds for f in video.frames] == pytest.approx([k / rate for k in range(frames)], abs=1e-3)
    for share in (0.7, 0.83):
        cut = read_video(video_files.cut(path, tmp_path / f"cut{suffix}", share))
        assert 0 < len(cut.frames) < frames
        assert cut.status == "truncated"


def test_the_delay_of_a_decoder_is_no_time_of_the_video(tmp_path):
    path = video_files.encode(tmp_path / "video.avi", "mpeg4", options={"bf": "2"}, rate=25)
    assert [f.seconds for f in read_video(path).frames] == pytest.approx([k / 25 for k in range(20)], abs=1e-3)


def test_a_still_in_the_container_of_videos_is_no_video(tmp_path):
    path = tmp_path / "still.mp4"
    Image.new("RGB", (64, 48), "red").save(path, "AVIF")
    with pytest.raises(UnsupportedError, match="expected a video"):
        read_video(path)


def test_times_are_those_of_the_file_where_the_rate_varies(mp4, tmp_path):
    path = video_files.uneven(mp4, tmp_path / "uneven.mp4", [1024] * 10 + [5 * 1024] * 10)
    video = read_video(path)
    assert (video.count, video.status) == (20, "ok")
    expected = [*(k / 10 for k in range(10)), *(1 + k / 2 for k in range(10))]
    assert [f.seconds for f in video.frames] == pytest.approx(expected, abs=1e-3)
    assert [f.index for f in read_video(path, 4).frames] == EVEN[4]


HOLES = {  # videos of containers that lose packets without a trace: suffix, codec, pixels, options, rate
    "Matroska of JPEG": (".mkv", "mjpeg", "yuvj420p", {}, 10),
    "Matroska of H.264": (".mkv", "libx264", "yuv420p", {"g": "4", "bf": "0", "threads": "1"}, 10),
    "MPEG": (".mpg", "mpeg2video", "yuv420p", {"g": "4", "b": "1M"}, 25),
    "transport stream": (".ts", "mpeg2video", "yuv420p", {"g": "4", "b": "1M"}, 25),
    "FLV": (".flv", "flv", "yuv420p", {"g": "4"}, 10),
}


@pytest.mark.parametrize("wanted", [None, 20])
@pytest.mark.parametrize("name", HOLES)
def test_missing_frames_are_reported_and_others_keep_their_index(tmp_path, name, wanted):
    suffix, codec, pixels, options, rate = HOLES[name]
    if codec not in av.codecs_available:
        pytest.skip(f"no encoder {codec}")
    grain = np.random.default_rng(0).integers(-15, 16, (20, 48, 64, 3))
    pictures = [np.clip(video_files.grey(k) + grain[k], 0, 255).astype(np.uint8) for k in range(20)]
    path = video_files.encode(tmp_path / f"whole{suffix}", codec, pixels, shown=pictures, options=options, rate=rate)
    assert read_video(path, wanted).status == "ok"
    opened = VideoFile(video_files.hole(path, tmp_path / f"hole{suffix}", share=0.1))
    frames = list(opened.frames(wanted))
    indices = [f.index for f in frames]
    assert opened.ending.status == "truncated"
    assert (opened.count, opened.ending.missing, opened.ending.decoded) == (20, 20 - len(frames), len(frames))
    assert indices[0] == 0
    assert indices[-1] == 19
    assert [f.seconds for f in frames] == pytest.approx([k / rate for k in indices], abs=2e-3)
    lost = [k for k in range(20) if k not in indices]
    assert lost
    assert [k for g in opened.ending.gaps for k in range(g.index, g.index + g.frames)] == lost
    assert [(g.seconds, g.until) for g in opened.ending.gaps] == [
        (pytest.approx(g.index / rate, abs=2e-3), pytest.approx((g.index + g.frames) / rate, abs=2e-3))
        for g in opened.ending.gaps
    ]
    first = opened.ending.gaps[0]
    assert f"missing, or hidden by an edit of the file: {first.frames} from {first.seconds:.1f} s on" in (
        opened.ending.reason
    )
    before = [f for f in frames if f.index < lost[0]]
    assert shown(before) == [f.index for f in before]
    assert shown(frames[-1:]) == [19]


def test_a_frame_that_a_decoder_gives_too_late_moves_no_other(tmp_path):
    path = video_files.encode(tmp_path / "video.mkv", "mpeg4", frames=10)
    opened = VideoFile(path)
    frames = list(opened._frames)
    opened._frames = iter([*frames[:3], frames[5], frames[3], *frames[6:]])  # as H.264 with B-frames after damage
    had = list(opened.frames())
    assert [f.index for f in had] == shown(had) == [0, 1, 2, 5, 6, 7, 8, 9]
    assert [(g.index, g.frames) for g in opened.ending.gaps] == [(3, 2)]
    assert opened.ending.missing == 2


@pytest.mark.parametrize("suffix", [".mkv", ".ts", ".mp4", ".avi"])
@pytest.mark.parametrize("name", ["slower", "varying", "one pause"])
def test_a_rate_that_varies_is_no_loss(tmp_path, suffix, name):
    """A single pause is one in containers that tell the time of a frame; in others nobody can tell it from a loss."""
    times = {
        "slower": [*range(12), *range(12, 60, 6)],
        "varying": [k + k // 3 for k in range(20)],
        "one pause": [*range(10), *range(16, 26)],
    }[name]
    path = video_files.encode(
        tmp_path / f"video{suffix}", "mpeg2video" if suffix == ".ts" else "mpeg4", times=times, rate=25
    )
    video = read_video(path)
    unsure = name == "one pause" and suffix in (".mkv", ".ts")
    assert (video.status, video.count) == (("truncated", 26) if unsure else ("ok", 20))
    assert [f.index for f in video.frames] == (times if unsure else list(range(20)))
    assert [f.seconds for f in video.frames] == pytest.approx([t / 25 for t in times], abs=2e-3)


def test_a_single_missing_frame_is_reported(mp4, tmp_path):
    data = bytearray(mp4.read_bytes())
    with av.open(str(mp4)) as container:
        packet = [p for p in container.demux(video=0) if p.size][19]
        data[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    path = tmp_path / "one.mp4"
    path.write_bytes(data)
    video = read_video(path)
    assert (video.status, video.count, len(video.frames)) == ("truncated", 20, 19)


def test_packets_that_show_nothing_are_no_frames(tmp_path):
    path = video_files.unseen(video_files.encode(tmp_path / "video.webm", "libvpx"), tmp_path / "unseen.webm")
    with av.open(str(path)) as container:
        assert sum(p.size > 0 for p in container.demux(video=0)) == 24
    video = read_video(path, 8)
    assert (video.status, video.count) == ("ok", 20)
    with av.open(str(path)) as container:
        own = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    assert [f.index for f in video.frames] == EVEN[8]
    assert all(np.array_equal(f.pixels, own[f.index]) for f in video.frames)


def test_a_stream_that_begins_before_its_first_whole_picture(tmp_path):
    """Its first frames are the ones that are lost, and the others keep their indices and times."""
    options = {"g": "10", "bf": "0", "sc_threshold": "0"}
    path = video_files.encode(tmp_path / "video.ts", "libx264", options=options, rate=25)
    data = path.read_bytes()
    with av.open(str(path)) as container:
        start = [p.pos for p in container.demux(video=0) if p.size][5]
    late = tmp_path / "late.ts"
    late.write_bytes(data[: 3 * 188] + data[start:])
    opened = VideoFile(late)
    frames = list(opened.frames())
    assert (opened.count, [f.index for f in frames]) == (15, list(range(5, 15)))
    assert shown(frames) == list(range(10, 20))
    assert [f.seconds for f in frames] == pytest.approx([k / 25 for k in range(5, 15)], abs=2e-3)
    assert opened.ending.gaps == (Gap(0, 5, 0.0, pytest.approx(0.2, abs=2e-3)),)
    again = VideoFile(late)
    assert [again.frame(k) is not None for k in (0, 4, 5, 14)] == [False, False, True, True]


def test_half_a_picture_is_no_frame(tmp_path):
    """The packet in which a file ends is marked by the container, whatever the decoder makes of it."""
    path = video_files.write(tmp_path / "video.avi")
    with av.open(str(path)) as container:
        last = [p for p in container.demux(video=0) if p.size][12]
    for share in (0.3, 0.6, 0.9):
        cut = tmp_path / "cut.avi"
        cut.write_bytes(path.read_bytes()[: last.pos + int(share * last.size)])
        video = read_video(cut)
        assert [f.index for f in video.frames] == list(range(12))
        assert (video.status, video.count) == ("truncated", 20)


def test_a_picture_that_the_decoder_marks_is_no_frame(tmp_path):
    path = video_files.encode(tmp_path / "video.mp4", "mpeg4", options={"g": "1"}, held={"movflags": "faststart"})
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packet = [p for p in container.demux(video=0) if p.size][7]
    middle = packet.pos + packet.size // 2
    data[middle : packet.pos + packet.size] = bytes(packet.pos + packet.size - middle)
    path.write_bytes(data)
    with av.open(str(path)) as container:
        assert [f.is_corrupt for f in container.decode(video=0)] == [k == 7 for k in range(20)]
    opened = VideoFile(path)
    assert [f.index for f in opened.frames()] == [k for k in range(20) if k != 7]
    assert opened.ending.gaps == (Gap(7, 1, pytest.approx(0.7), pytest.approx(0.8)),)
    assert opened.ending.decoded == 19


def test_h264_in_avi_has_its_frames_in_order(tmp_path):
    """The container tells the times of decoding only."""
    options = {"x264-params": "bframes=2:b-adapt=0:scenecut=0"}
    video = read_video(video_files.encode(tmp_path / "video.avi", "libx264", options=options, rate=25))
    assert shown(video.frames) == [f.index for f in video.frames] == list(range(20))
    assert [f.seconds for f in video.frames] == pytest.approx([k / 25 for k in range(20)], abs=1e-3)


def test_videos_put_together_are_one(tmp_path):
    """The clock begins again in the middle."""
    one = video_files.encode(tmp_path / "one.mpg", "mpeg2video", rate=25).read_bytes()
    path = tmp_path / "two.mpg"
    path.write_bytes(one + one)
    video = read_video(path)
    assert (video.status, video.count) == ("ok", 40)
    assert shown(video.frames) == [*range(20), *range(20)]


def test_a_matroska_video_is_as_long_as_its_own_stream(tmp_path):
    path = video_files.write(tmp_path / "video.mkv")
    data = path.read_bytes()
    at = data.find(b"\x44\x89\x88") + 3  # the length of the whole file, which sound may make longer
    path.write_bytes(data[:at] + struct.pack(">d", 9500.0) + data[at + 8 :])
    video = read_video(path, 8)
    assert (video.status, video.count) == ("ok", 20)
    cut = read_video(video_files.cut(path, tmp_path / "cut.mkv", 0.7))
    assert (cut.status, cut.count) == ("truncated", 20)
    path.write_bytes(path.read_bytes().replace(b"DURATION", b"NOTHING."))
    untold = read_video(path, 8)
    assert (untold.status, untold.count) == ("truncated", 95)


def test_frames_that_an_edit_hides_are_no_silent_loss(mp4, tmp_path):
    video = read_video(video_files.hidden(mp4, tmp_path / "hidden.mp4", 6))
    assert shown(video.frames) == list(range(6, 20))
    assert video.status == "truncated"
    assert "hidden by an edit" in video.reason


WHOLE = {  # announced, a second, there, time of the last -> how many the whole video has
    "as announced": ((120, 30, 120, 119 / 30), 120),
    "one too many announced": ((121, 30, 120, 119 / 30), 120),
    "one too few announced": ((119, 30, 120, 119 / 30), 120),
    "a length that sound makes longer": ((122, 30, 120, 119 / 30), 120),
    "a rate in thousandths": ((4000, 1000, 120, 119 / 30), 120),
    "a rate that the frames do not keep": ((379, 30, 120, 12.59), 120),
    "slow frames, one of them missing": ((20, 1, 19, 18.0), 19),
    "cut": ((120, 30, 58, 57 / 30), 120),
    "cut in thousandths": ((4000, 1000, 60, 59 / 30), 120),
    "two missing at ten a second": ((22, 10, 20, 1.9), 22),
    "nothing announced": ((0, 30, 120, 119 / 30), 120),
    "no rate": ((100, 0, 99, 2.0), 99),
    "no rate, cut": ((100, 0, 60, 2.0), 100),
    "no times": ((120, 30, 120, 0.0), 120),
    "no times, cut": ((120, 30, 60, 0.0), 120),
    "one frame": ((1, 30, 1, 0.0), 1),
    "nothing there": ((120, 30, 0, 0.0), 120),
}


@pytest.mark.parametrize("name", WHOLE)
def test_how_many_frames_a_whole_video_has(name):
    given, expected = WHOLE[name]
    assert frames_of(*given) == expected


def test_a_wrong_rate_and_count_do_not_change_the_choice(mp4):
    opened = VideoFile(mp4)
    opened.count, opened.fps = 2000, 1000.0
    assert [f.index for f in opened.frames(4)] == EVEN[4]
    assert (opened.count, opened.ending.status) == (20, "ok")
    first = VideoFile(mp4)
    first.count = 3  # too few announced
    assert len(list(first.frames(10, "first"))) == 10
    assert len(list(VideoFile(mp4).frames(10**12, "first"))) == 20


def test_the_first_frames_need_no_reading_of_the_whole_file(tmp_path, monkeypatch):
    path = video_files.write(tmp_path / "long.mkv", frames=120)
    read = []
    real = video_stream._shows
    monkeypatch.setattr(video_stream, "_shows", lambda packet, codec: read.append(packet.pts) or real(packet, codec))
    opened = VideoFile(path)
    assert [f.index for f in opened.frames(3, "first")] == [0, 1, 2]
    assert (opened.ending.status, opened.count, len(read)) == ("ok", 120, 3 + REORDERED + 1)
    assert (opened.survey(), opened.held) == (120, 120)


def test_a_cut_behind_the_chosen_frames_does_no_harm(tmp_path):
    video = read_video(CUTS["bytes missing"](tmp_path), 3, "first")
    assert ([f.index for f in video.frames], video.status) == ([0, 1, 2], "ok")


def test_one_frame_less_than_announced_is_no_cut(mp4, monkeypatch):
    opened = VideoFile(mp4)
    opened.count = 21
    assert len(list(opened.frames())) == 20
    assert opened.ending.status == "ok"
    short = VideoFile(mp4)
    short.count = 22
    list(short.frames())
    assert short.ending.status == "truncated"


def test_frames_that_nobody_announces_are_counted(mp4):
    opened = VideoFile(mp4)
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
    "playlist": (b"ffconcat version 1.0\nfile video.mp4\n", UnsupportedError, "expected a video"),
    "stream": (b"#EXTM3U\n#EXTINF:2,\nvideo.mp4\n", UnsupportedError, "expected a video"),
    "G": (b"Good day" * 40, UnsupportedError, "expected a video"),
    "a container that is not read": (
        b"DKIF" + bytes(40),
        UnsupportedError,
        r"\(MP4, .*Ogg or GIF\), but .* none of these",
    ),
    "header": (b"\0\0\0\x18ftypisom" + b"\0" * 40, UnreadableError, "damaged, cut short"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_video_is_refused_in_words(tmp_path, name):
    video_files.write(tmp_path / "video.mp4")
    data, kind, words = BAD[name]
    path = tmp_path / "x.mp4"
    path.write_bytes(data)
    assert is_video_file(str(path)) == (name == "header")
    with pytest.raises(kind, match=words):
        read_video(path)


def test_a_video_without_frames_is_refused(mp4, tmp_path):
    damaged = video_files.damage(mp4, tmp_path / "none.mp4", share=0.0)
    with pytest.raises(UnreadableError, match="no frame that can be decoded"):
        read_video(damaged)
    opened = VideoFile(damaged)
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


def test_huge_frames_are_refused(mp4, monkeypatch):
    monkeypatch.setattr("corit.images.video_stream.MEGAPIXELS", 0.003)
    with pytest.raises(UnreadableError, match="64 x 48 pixels, more than"):
        read_video(mp4)


def test_a_name_is_no_protocol(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    video_files.write(tmp_path / "video.mp4").rename(tmp_path / "concat:video.mp4")
    assert len(read_video("concat:video.mp4").frames) == 20
    assert is_video_file("concat:video.mp4")
    assert not is_video_file("absent.mp4")


def test_the_decoder_writes_nothing_of_a_damaged_file(mp4, tmp_path):
    """In a process of its own, since the decoder decides at its first use how much it writes."""
    cut = video_files.cut(video_files.front(mp4, tmp_path / "front.mp4"), tmp_path / "cut.mp4", share=0.7)
    gone = video_files.cut(mp4, tmp_path / "gone.mp4", share=0.5)
    code = """
import sys
from corit.errors import UnreadableError
from corit.images.video import read_video
print(read_video(sys.argv[1]).status)
try:
    read_video(sys.argv[2])
except UnreadableError as err:
    print(err)
"""
    done = subprocess.run([sys.executable, "-c", code, cut, gone], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("truncated\ngone.mp4 is called a video")
    assert done.stderr == ""


@pytest.mark.filterwarnings("error")
def test_a_video_that_is_not_played_to_its_end_is_let_go(mp4, tmp_path):
    song = video_files.sound(tmp_path / "song.mp4")
    before = open_files()
    for _ in range(3):
        VideoFile(mp4).frame(3)
        next(iter(VideoFile(mp4).frames(4)))
        with pytest.raises(UnsupportedError):
            VideoFile(song)
    assert open_files() == before


def open_files():
    return sorted(f.path for f in psutil.Process().open_files())
