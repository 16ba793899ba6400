"""Videos scored: the frames' scores are the pictures' scores, faces are followed, trouble is a status."""

from __future__ import annotations

from dataclasses import replace

import av
import numpy as np
import pytest
from data import faces
from detect.test_detector import detector
from images import colours, video_files

from corit.detect.following import Following
from corit.detect.row import Row
from corit.detect.video import highest_faces, score_video, summary, with_tracks
from corit.detect.video_score import VideoScore
from corit.errors import DataError
from corit.images.frame_choice import choose
from corit.images.picture import Picture
from corit.images.video import VideoFile, read_video

SIZE = faces.SIZE


def find_two(pixels):
    """The disc of the left half and the disc of the right half, larger first."""
    middle = pixels.shape[1] // 2
    found = []
    for shift, half in ((0, pixels[:, :middle]), (middle, pixels[:, middle:])):
        for face in faces.find_discs(half):
            x0, y0, x1, y1 = face.box
            moved = face.landmarks + np.array([shift, 0], np.float32)
            found.append(replace(face, box=(x0 + shift, y0, x1 + shift, y1), landmarks=moved))
    return tuple(sorted(found, key=lambda f: f.box[0] - f.box[2]))


def two(k, left=True, right=True):
    """A disc in either half of a dark frame, trembling."""
    width, height = SIZE
    y, x = np.mgrid[:height, :width]
    inside = np.zeros((height, width), bool)
    for there, centre, radius in ((left, 38 + k % 3, 22), (right, 118 - k % 2, 18)):
        if there:
            inside |= (x - centre) ** 2 + (y - 60) ** 2 <= radius**2
    grain = np.random.default_rng(k).integers(-15, 16, (height, width, 3))
    return np.clip(np.where(inside[..., None], 210, 30) + grain, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def made():
    return detector()


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Twelve frames: two faces, the right one gone in the last four, nobody in frame 5."""
    shown = [two(k, left=k != 5, right=k != 5 and k < 8) for k in range(12)]
    return video_files.write(tmp_path_factory.mktemp("v") / "two.avi", shown=shown)


def test_each_frame_is_scored_as_the_picture_that_it_is(made, video):
    report = score_video(made, video, frames=4, finder=find_two)
    assert (report.status, report.reason, report.count, report.missing) == ("ok", "", 12, 0)
    assert sorted({r.frame for r in report.frames}) == [0, 3, 7, 11]
    preparer = replace(made.preparer(), finder=find_two)
    for frame in read_video(video, 4).frames:
        own = [r for r in report.frames if r.frame == frame.index]
        alone = made.report("", preparer(Picture(frame.pixels)))
        assert [r.score for r in own] == pytest.approx([r.score for r in alone.rows], abs=1e-5)
        assert [r.face for r in own] == [r.face for r in alone.rows]
        assert [r.start for r in own] == [round(frame.seconds, 3)] * len(own)


def test_what_is_to_be_said_of_the_frames_is_said_of_the_video(made, tmp_path):
    stored = [av.VideoFrame.from_ndarray(two(k), "rgb24").reformat(format="yuv444p") for k in range(3)]
    for one in stored:
        one.color_trc = 9
    path = colours.write(tmp_path / "a.mkv", stored)
    report = score_video(made, path, frames=2, finder=find_two)
    assert report.status == "ok"
    assert "transfer 9 of H.273" in report.reason
    assert {r.reason for r in report.frames} == {report.reason}


def test_faces_are_followed_and_averaged(made, video):
    report = score_video(made, video, frames=None, finder=find_two)
    assert [(t.track, t.frames) for t in report.tracks] == [(0, 11), (1, 7)]
    left, right = report.tracks
    assert (left.start, left.end, right.end) == pytest.approx((0.0, 1.1, 0.7), abs=1e-3)
    for track in report.tracks:
        scores = [r.score for r in report.frames if r.track == track.track]
        assert track.score == pytest.approx(np.mean(scores), abs=1e-12)
        assert track.verdict == made.card.calibration.verdict(track.score)
    assert report.score == max(left.score, right.score)
    assert report.verdict == made.card.calibration.verdict(report.score)
    (empty,) = [r for r in report.frames if r.score is None]
    assert (empty.frame, empty.status, empty.track) == (5, "no_face", None)


@pytest.mark.parametrize("batch", [1, 5, 64])
def test_no_score_depends_on_the_batch(made, video, batch):
    one, other = (score_video(made, video, frames=6, batch=b, finder=find_two) for b in (3, batch))
    assert [(r.frame, r.track, r.face) for r in one.frames] == [(r.frame, r.track, r.face) for r in other.frames]
    scores = [[r.score for r in v.frames if r.score is not None] for v in (one, other)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)


def test_first_frames_and_bad_choices(made, video):
    report = score_video(made, video, frames=3, choice="first", finder=find_two)
    assert sorted({r.frame for r in report.frames}) == [0, 1, 2]
    with pytest.raises(DataError, match="even or first"):
        score_video(made, video, choice="odd", finder=find_two)
    with pytest.raises(DataError, match="batch of at least one"):
        score_video(made, video, batch=0, finder=find_two)


TROUBLE = {
    "absent": (lambda tmp: tmp / "absent.mp4", "unreadable", "there is none"),
    "text": (lambda tmp: text(tmp / "text.mp4"), "unsupported", "expected a video"),
    "zero frames": (
        lambda tmp: video_files.damage(faces.video(tmp / "a.mp4"), tmp / "z.mp4", 0),
        "unreadable",
        "no frame",
    ),
    "no face": (lambda tmp: faces.video(tmp / "dark.mp4", faces=()), "no_face", "no face was found"),
    "small faces": (lambda tmp: small(tmp / "small.mp4"), "too_small", "px wide"),
}


def text(path):
    path.write_text("hello")
    return path


def small(path):
    return video_files.write(path, shown=[faces.disc(k, radius=9) for k in range(4)])


@pytest.mark.parametrize("name", TROUBLE)
def test_trouble_is_a_status_and_never_a_score(made, tmp_path, name):
    make, status, words = TROUBLE[name]
    report = score_video(made, make(tmp_path), frames=4, finder=faces.find_discs)
    assert (report.status, report.score, report.verdict, report.tracks) == (status, None, None, ())
    assert words in report.reason


def test_a_cut_video_is_scored_as_far_as_it_goes(made, tmp_path):
    path = video_files.cut(faces.video(tmp_path / "whole.avi"), tmp_path / "cut.avi", share=0.7)
    report = score_video(made, path, frames=6, finder=faces.find_discs)
    assert report.status == "truncated"
    assert "selected frames decoded" in report.reason
    assert report.score is not None
    *scored, lost = report.frames
    assert len(scored) == 6 - report.missing < 6
    assert all(r.status == "ok" for r in scored)
    assert (lost.status, lost.score, lost.reason) == ("unreadable", None, report.reason)
    assert scored[-1].frame < lost.frame <= choose(12, 6, "even")[len(scored)]


def test_frames_that_are_lost_inside_have_a_row_in_their_place(made, tmp_path):
    path = video_files.encode(tmp_path / "whole.mkv", "mjpeg", "yuvj420p", shown=[faces.disc(k) for k in range(16)])
    hole = video_files.hole(path, tmp_path / "hole.mkv", share=0.1)
    report = score_video(made, hole, frames=None, finder=faces.find_discs)
    (lost,) = (r for r in report.frames if r.status == "unreadable")
    there = [r for r in report.frames if r.status == "ok"]
    assert (report.status, report.count, report.missing) == ("truncated", 16, 16 - len(there))
    assert [r.frame for r in report.frames] == sorted(r.frame for r in report.frames)
    assert [r.frame for r in there] == [*range(lost.frame), *range(lost.frame + report.missing, 16)]
    assert (lost.start, lost.end) == pytest.approx((lost.frame / 10, (lost.frame + report.missing) / 10))
    assert lost.reason == report.reason
    assert [x for x in report.rows("frame") if x.status == "unreadable"] == [lost]
    assert (lost.start, lost.end) == (round(lost.start, 3), round(lost.end, 3))


def test_the_part_that_is_cut_off_begins_behind_the_last_frame(made, tmp_path):
    path = video_files.cut(faces.video(tmp_path / "whole.avi"), tmp_path / "cut.avi", share=0.7)
    *_, last, lost = score_video(made, path, frames=None, finder=faces.find_discs).frames
    assert (lost.frame, lost.end) == (last.frame + 1, None)
    assert lost.start == pytest.approx(last.start + 0.1)


def row(index, score, x=0, track=None, status="ok"):
    face = None if score is None else (x, 0, x + 40, 40)
    verdict, reason = (None, "why") if score is None else (VERDICT(score), "")
    status = "no_face" if score is None and status == "ok" else status
    return Row("v", face, score, None, verdict, status, reason, "frame", index, index / 10, track=track)


VERDICT = lambda score: "fake" if score >= 0.5 else "real"


def test_a_face_seen_too_briefly_does_not_decide():
    rows = [row(k, 0.2) for k in range(20)] + [row(3, 0.9, x=100)]
    rows = with_tracks(sorted(rows, key=lambda r: r.frame))
    assert [t.frames for t in summary("v", rows, VERDICT).tracks] == [20, 1]
    assert summary("v", rows, VERDICT).score == pytest.approx(0.2)
    anyone = summary("v", rows, VERDICT, VideoScore(share=0.0))
    assert (anyone.score, anyone.verdict) == (0.9, "fake")


@pytest.mark.parametrize("frames", [2, 8, 10])
def test_one_frame_of_few_does_not_decide(frames):
    """A tenth of them is one, or less."""
    rows = [row(k, 0.2) for k in range(frames)]
    rows.insert(2, row(1, 0.9, x=200))
    assert summary("v", with_tracks(rows), VERDICT).score == pytest.approx(0.2)
    cuts = with_tracks([row(k, 0.9 if k == 1 else 0.3) for k in range(frames)], range(frames))
    assert summary("v", cuts, VERDICT).score == pytest.approx(0.3 + 0.6 / frames)
    assert summary("v", with_tracks([row(0, 0.9)]), VERDICT).score == 0.9


def test_many_short_tracks_do_not_raise_the_score():
    """Where nobody is seen for long, the mean over the frames of their highest faces."""
    alone = summary("v", with_tracks([row(0, 0.8), row(30, 0.4, x=200)]), VERDICT, VideoScore(share=1.0))
    assert alone.score == pytest.approx(0.6)
    flashes = [row(k, 0.5 + 0.4 * (k % 5 == 0), x=100 * k) for k in range(40)]
    flashes += [row(0, 0.3, x=9000), row(7, None, status="no_face")]
    found = summary("v", with_tracks(sorted(flashes, key=lambda r: r.frame)), VERDICT)
    assert {t.frames for t in found.tracks} == {1}
    assert found.score == pytest.approx(0.5 + 0.4 / 5)


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_a_batch_is_of_faces(made, video, monkeypatch, batch):
    sizes = []

    def readings(views, real=made.readings):
        sizes.append(len(views))
        return real(views)

    monkeypatch.setattr(made, "readings", readings)
    report = score_video(made, video, frames=None, batch=batch, finder=find_two)
    assert max(sizes) == batch
    assert sum(sizes) == sum(r.score is not None for r in report.frames) == 18


def test_whole_frames_are_one_track_over_any_gap():
    rows = [replace(row(k, 0.1 * k), face=None) for k in range(4)]
    spaced = [rows[0], *(row(10 + k, None, status="too_small") for k in range(9)), replace(rows[3], frame=40)]
    followed = with_tracks(spaced)
    assert [r.track for r in followed] == [0, *[None] * 9, 0]
    assert summary("v", followed, VERDICT).score == pytest.approx(0.15)


def test_a_video_without_scores_has_its_first_frames_trouble():
    report = summary("v", with_tracks([row(0, None, status="too_small"), row(1, None, status="no_face")]), VERDICT)
    assert (report.status, report.score) == ("too_small", None)
    assert report.reason == "none of 2 frames could be scored; the first: why"
    assert summary("v", [], VERDICT).status == "unreadable"


def test_nobody_is_followed_over_a_cut(made, tmp_path):
    """The same place, another person: a dark ground, then a bright red one."""
    shown = [two(k, right=False) for k in range(6)]
    red = [np.where(s > 150, s, [140, 40, 40]).astype(np.uint8) for s in shown]
    path = video_files.write(tmp_path / "cut.avi", shown=shown + red)
    report = score_video(made, path, frames=None, finder=find_two)
    assert report.scenes == (0,) * 6 + (1,) * 6
    assert [(t.track, t.frames) for t in report.tracks] == [(0, 6), (1, 6)]
    anywhere = score_video(made, path, frames=None, following=Following(scene=0.0), finder=find_two)
    assert [t.frames for t in anywhere.tracks] == [12]


def test_another_person_before_the_same_wall_is_another_track(made, tmp_path):
    """The wall keeps the colours of the frame, so that there is no cut, but the face in its place has others."""
    shown = [two(k, right=False) for k in range(8)]
    shown[4:] = [np.where(s > 150, [200, 190, 60], s).astype(np.uint8) for s in shown[4:]]
    path = video_files.write(tmp_path / "wall.avi", shown=shown)
    report = score_video(made, path, frames=None, finder=find_two)
    assert set(report.scenes) == {0}
    assert [(t.track, t.frames) for t in report.tracks] == [(0, 4), (1, 4)]
    anybody = score_video(made, path, frames=None, following=Following(look=0.0), finder=find_two)
    assert [t.frames for t in anybody.tracks] == [8]


def test_a_walking_face_and_its_absence_are_no_cut(made, video):
    assert set(score_video(made, video, frames=None, finder=find_two).scenes) == {0}


def test_tracks_are_numbered_through_all_scenes():
    rows = [row(0, 0.1), row(0, 0.2, x=100), row(1, None), row(2, 0.3), row(3, 0.4)]
    assert [r.track for r in with_tracks(rows, [0, 0, 0, 1, 2])] == [0, 1, None, 2, 3]


def test_the_highest_scored_faces_come_with_their_evidence(made, video):
    report = score_video(made, video, frames=None, batch=2, moments=3, finder=find_two)
    assert [m.row.frame for m in report.moments] == sorted(m.row.frame for m in report.moments)
    assert {m.row for m in report.moments} == set(highest_faces(report.frames, 3))
    assert {m.row.track for m in report.moments} == {0, 1}
    preparer = replace(made.preparer(), finder=find_two)
    frames = read_video(video).frames
    for moment in report.moments:
        views = preparer(Picture(frames[moment.row.frame].pixels))
        (view,) = (v for v in views if v.box == moment.row.face)
        np.testing.assert_array_equal(moment.evidence.image, view.image)
    assert report.moments[0].evidence.heat.shape == (8, 8)
    assert score_video(made, video, frames=4, finder=find_two).moments == ()


def test_moments_are_spread_over_the_tracks():
    scores = {0: [0.9, 0.8, 0.7], 1: [0.3, 0.2], 2: [0.6]}
    rows = [replace(row(k, s), track=t) for t, held in scores.items() for k, s in enumerate(held)]
    assert [r.score for r in highest_faces(rows, 4)] == [0.9, 0.6, 0.3, 0.8]
    assert [r.score for r in highest_faces(rows, 2)] == [0.9, 0.6]
    assert len(highest_faces([*rows, row(9, None, status="no_face")], 99)) == 6
    assert highest_faces(rows, 0) == []


def test_frames_are_let_go_one_by_one(made, tmp_path, monkeypatch):
    """However many frames a video has, the pixels of no more than two exist at a time."""
    path = faces.video(tmp_path / "long.mp4", frames=60)
    alive, most = set(), []

    class Watched(np.ndarray):
        def __del__(self):
            alive.discard(id(self))

    def retrieved(self):
        frame = real(self)
        pixels = frame.pixels.view(Watched)
        alive.add(id(pixels))
        most.append(len(alive))
        return replace(frame, pixels=pixels)

    real = VideoFile._retrieve
    monkeypatch.setattr(VideoFile, "_retrieve", retrieved)
    assert len(score_video(made, path, frames=None, finder=faces.find_discs).frames) == 60
    assert len(most) == 60
    assert max(most) <= 2
