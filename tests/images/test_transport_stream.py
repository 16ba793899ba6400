"""Transport streams: every frame of joined files, and the frame that is damaged rather than the one before."""

from __future__ import annotations

import numpy as np
import pytest
from images import video_files

from corit.images.video import VideoFile, read_video
from corit.seeding import generator

CODECS = {
    "h264": {"bf": "0"},
    "h264 with frames out of order": {"bf": "2"},
    "mpeg2video": {},
    "hevc": {"x265-params": "log-level=none"},
}


def stream(path, codec, shown, **options):
    return video_files.encode(path, codec.split()[0], shown=shown, rate=25, options=CODECS.get(codec, {}) | options)


def level(frame):
    """Which of `videos.pictures` a frame is."""
    return round((float(frame.pixels.mean()) - video_files.grey(0)) / (video_files.grey(1) - video_files.grey(0)))


@pytest.mark.parametrize("suffix", [".ts", ".m2ts"])
@pytest.mark.parametrize("codec", CODECS)
def test_joined_files_keep_every_frame(codec, suffix, tmp_path):
    shown = list(video_files.pictures(20))
    first = stream(tmp_path / f"a{suffix}", codec, shown[:10]).read_bytes()
    second = stream(tmp_path / f"b{suffix}", codec, shown[10:]).read_bytes()
    joined = tmp_path / f"joined{suffix}"
    joined.write_bytes(first + second + first)
    video = read_video(joined)
    assert [f.index for f in video.frames] == list(range(30))
    assert [level(f) for f in video.frames] == [*range(20), *range(10)]
    assert (video.status, video.reason, video.count) == ("ok", "", 30)
    clip = VideoFile(joined)
    assert [level(clip.frame(k)) for k in (9, 10, 19, 20, 29)] == [9, 10, 19, 0, 9]


def noisy(frames):
    rng = generator("transport")
    return [rng.integers(0, 256, (120, 160, 3), dtype=np.uint8) for _ in range(frames)]


def parts(path):
    """A transport stream's packets, and for each frame of its video those that hold it."""
    data = path.read_bytes()
    packets = [data[k : k + 188] for k in range(0, len(data), 188)]
    frames: list[list[int]] = []
    for k, packet in enumerate(packets):
        if int.from_bytes(packet[1:3]) & 0x1FFF == 0x100:
            if packet[1] & 0x40:
                frames.append([])
            frames[-1].append(k)
    return packets, frames


ALONE = {  # frames that need no other
    "h264": {"g": "1", "bf": "0"},
    "mpeg2video": {"g": "1"},
    "mpeg4": {"g": "1"},
    "hevc": {"x265-params": "log-level=none:keyint=1"},
}


@pytest.mark.parametrize("codec", ALONE)
def test_the_frame_of_a_lost_packet_is_the_one_that_is_left_out(codec, tmp_path):
    whole = video_files.encode(tmp_path / "whole.ts", codec, shown=noisy(8), rate=25, options=ALONE[codec])
    packets, frames = parts(whole)
    assert len(frames) == 8
    lost = frames[4][len(frames[4]) // 2]
    hurt = tmp_path / "hurt.ts"
    hurt.write_bytes(b"".join(p for k, p in enumerate(packets) if k != lost))
    expected = {f.index: f.pixels for f in read_video(whole).frames}
    video = read_video(hurt)
    assert video.status == "truncated"
    assert [f.index for f in video.frames] == [0, 1, 2, 3, 5, 6, 7]
    assert all(np.array_equal(f.pixels, expected[f.index]) for f in video.frames)


def test_damage_in_the_first_of_two_joined_files_is_not_of_the_second(tmp_path):
    whole = video_files.encode(tmp_path / "whole.ts", "h264", shown=noisy(8), rate=25, options=ALONE["h264"])
    packets, frames = parts(whole)
    lost = frames[4][len(frames[4]) // 2]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(p for k, p in enumerate(packets) if k != lost) + whole.read_bytes())
    assert [f.index for f in read_video(joined).frames] == [k for k in range(16) if k != 4]


def test_a_first_file_cut_inside_a_packet_loses_its_last_frame(tmp_path):
    whole = video_files.encode(tmp_path / "whole.ts", "h264", shown=noisy(8), rate=25, options=ALONE["h264"])
    _, frames = parts(whole)
    end = 188 * frames[7][len(frames[7]) // 2] + 100
    joined = tmp_path / "joined.ts"
    joined.write_bytes(whole.read_bytes()[:end] + whole.read_bytes())
    assert 7 not in [f.index for f in read_video(joined).frames]
