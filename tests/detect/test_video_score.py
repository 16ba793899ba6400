"""One score of a video: detect and evaluate give the same, by the same name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from data import faces
from detect.test_detector import detector
from detect.test_video_scores import find_two, two
from images import video_files
from PIL import Image

from corit.detect.video import score_video
from corit.detect.video_score import FRAMES, TRACK, FaceScore, VideoScore
from corit.errors import DataError
from corit.evaluate.detectors import ExternalDetector, TrainedDetector
from corit.evaluate.labelled import open_labelled
from corit.evaluate.rows import by_video
from corit.evaluate.scoring import score_source
from corit.metrics.video import mean_by_video
from corit.sources import open_source


def faces_of(rows):
    return [FaceScore(*row) for row in rows]


def test_a_video_score_is_of_a_track_or_of_frames():
    scores = faces_of([(0, 0, 0.2), (0, 1, 0.9), (1, 0, 0.6), (1, 1, 0.1), (2, 0, 0.4)])
    assert TRACK(scores) == pytest.approx(0.5)
    assert FRAMES(scores) == pytest.approx((0.9 + 0.6 + 0.4) / 3)
    with pytest.raises(DataError, match="track or frames, got 'mean'"):
        VideoScore("mean")


def test_the_score_of_frames_is_the_mean_that_the_protocols_take():
    values = np.random.default_rng(0).random(40)
    protocol = mean_by_video(["v"] * 40, np.ones(40, int), values).scores[0]
    assert FRAMES(faces_of([(i, 0, v) for i, v in enumerate(values)])) == pytest.approx(protocol, abs=1e-12)


@pytest.fixture(scope="module")
def made():
    """A detector that finds the discs of both halves."""
    found = detector()
    preparer = found.preparer
    found.preparer = lambda twins=1: replace(preparer(twins), finder=find_two)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Videos of two faces, one of which comes later and goes; in one of them a cut."""
    root = tmp_path_factory.mktemp("videos")
    shown = [two(k, left=k != 5, right=2 < k < 9) for k in range(12)]
    (root / "real").mkdir()
    (root / "fake").mkdir()
    video_files.write(root / "real" / "a.avi", shown=shown)
    red = [np.where(s > 150, s, [140, 40, 40]).astype(np.uint8) for s in shown[:6]]
    video_files.write(root / "fake" / "b.avi", shown=shown[:6] + red)
    return root


@pytest.mark.parametrize("name", ["track", "frames"])
@pytest.mark.parametrize("workers", [0, 2])
def test_detect_and_evaluate_give_a_video_the_same_score(made, folder, tmp_path, name, workers):
    if workers:
        made = detector()  # whose preparer travels to other processes
        preparer = made.preparer
        made.preparer = lambda twins=1: replace(preparer(twins), finder=faces.find_discs)
    how = VideoScore(name)
    rows = score_source(TrainedDetector(made), open_labelled([str(folder)]), tmp_path / "s.jsonl", workers=workers)
    finder = faces.find_discs if workers else find_two
    for video in by_video(rows, how):
        report = score_video(made, video.path, video_score=how, finder=finder)
        assert report.score is not None
        assert video.score == pytest.approx(report.score, abs=1e-6)
    if not workers:
        highest = {v.id: v.score for v in by_video(rows, FRAMES)}
        assert all(abs(v.score - highest[v.id]) > 1e-3 for v in by_video(rows, TRACK))


def test_a_video_of_which_a_frame_is_missing_is_scored_as_a_whole(made, folder, tmp_path, monkeypatch):
    data = open_labelled([str(folder)])

    def stop(done, total):
        if done == 15:
            raise KeyboardInterrupt

    whole = score_source(TrainedDetector(made), data, tmp_path / "whole.jsonl")
    with pytest.raises(KeyboardInterrupt):
        score_source(TrainedDetector(made), data, tmp_path / "cut.jsonl", progress=stop)
    scanned = []
    scan = made.scan
    monkeypatch.setattr(
        made, "scan", lambda source, samples, **k: scan(source, [scanned.append(s) or s for s in samples], **k)
    )
    again = score_source(TrainedDetector(made), data, tmp_path / "cut.jsonl")
    assert len(scanned) == 12
    assert [r.id for r in again] == [r.id for r in whole]
    for a, b in zip(again, whole, strict=True):
        assert [track for track, _ in a.tracks] == [track for track, _ in b.tracks]
        assert [value for _, value in a.tracks] == pytest.approx([value for _, value in b.tracks], abs=1e-5)
    old = [line.replace('"tracks"', '"traces"') for line in (tmp_path / "cut.jsonl").read_text().splitlines(True)]
    (tmp_path / "cut.jsonl").write_text("".join(old))
    anew = score_source(TrainedDetector(made), data, tmp_path / "cut.jsonl")
    assert len(scanned) == 12 + 24  # rows of an earlier version are measured anew
    assert [bool(r.tracks) for r in anew] == [r.score is not None for r in whole]


def on_disk(root, name, shown):
    (root / "frames").mkdir(exist_ok=True)
    rows = []
    for k, pixels in enumerate(shown):
        path = root / "frames" / f"{name}-{k}.png"
        Image.fromarray(pixels).save(path)
        rows.append(f"{path},{int(name == 'fake')},{name},{k}")
    return rows


def test_frames_on_disk_are_followed_only_where_one_shows_several_faces(made, tmp_path):
    """A cut among frames of one face makes no second track; two faces of a frame are two."""
    alone = [two(k, right=False) for k in range(4)]
    red = [np.where(s > 150, s, [140, 40, 40]).astype(np.uint8) for s in alone]
    rows = on_disk(tmp_path, "real", alone + red) + on_disk(tmp_path, "fake", [two(k) for k in range(8)])
    (tmp_path / "rows.csv").write_text("\n".join(["path,label,video,frame", *rows]) + "\n")
    scored = score_source(TrainedDetector(made), open_labelled([str(tmp_path / "rows.csv")]), tmp_path / "s.jsonl")
    assert {track for r in scored if r.label == 0 for track, _ in r.tracks} == {0}
    assert {track for r in scored if r.label == 1 for track, _ in r.tracks} == {0, 1}
    (real, fake), (real_frames, fake_frames) = by_video(scored, TRACK), by_video(scored, FRAMES)
    assert real.score == real_frames.score
    assert fake.score < fake_frames.score


def test_face_crops_of_a_video_are_one_track(made, tmp_path):
    """Crops with landmarks beside them, of two people, as `corit data prepare` would leave them."""
    world = open_source("miniature:people=2,pictures=1,kinds=DF")
    lines = ["path,label,video,frame"]
    for k, sample in enumerate(world.samples[:4]):
        for kind in ("frames", "landmarks"):
            (tmp_path / kind / f"v{k % 2}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(world.load(sample).pixels).save(tmp_path / "frames" / f"v{k % 2}" / f"{k}.png")
        np.save(tmp_path / "landmarks" / f"v{k % 2}" / f"{k}.npy", world.load(sample).landmarks)
        lines.append(f"frames/v{k % 2}/{k}.png,{k % 2},v{k % 2},{k}")
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    rows = score_source(TrainedDetector(made), open_labelled([str(tmp_path / "rows.csv")]), tmp_path / "s.jsonl")
    assert [[track for track, _ in r.tracks] for r in rows] == [[0]] * 4
    assert [v.score for v in by_video(rows, TRACK)] == [v.score for v in by_video(rows, FRAMES)]


def test_pictures_that_an_external_detector_scores_are_one_track(folder, tmp_path):
    bright = ExternalDetector(lambda pictures: [float(p.mean()) / 255 for p in pictures])
    rows = score_source(bright, open_labelled([str(folder)]), tmp_path / "s.jsonl")
    assert {track for r in rows for track, _ in r.tracks} == {0}
    for track, frames in zip(by_video(rows, TRACK), by_video(rows, FRAMES), strict=True):
        assert track.score == frames.score


def test_two_runs_do_not_score_into_one_journal(folder, tmp_path):
    data = open_labelled([str(folder)])
    bright = ExternalDetector(lambda pictures: [0.5 for _ in pictures])

    def second(done, total):
        with pytest.raises(DataError, match="another process is writing to .*s.jsonl"):
            score_source(bright, data, tmp_path / "s.jsonl")

    score_source(bright, data, tmp_path / "s.jsonl", progress=second)
    assert [p.name for p in tmp_path.iterdir()] == ["s.jsonl"]
