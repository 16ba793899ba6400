"""How far features lie from the training features: twins, the limit, files, rows, videos."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from detect.test_detector import Held, detector
from detect.test_video_scores import find_two, two
from images import video_files
from reference import familiarity as twin
from safetensors.torch import load, save_file
from scipy.stats import norm
from sklearn.covariance import ledoit_wolf_shrinkage

from corit.detect.detector import Detector
from corit.detect.familiarity import Familiarity, fit_familiarity, limit_of
from corit.detect.row import Row
from corit.detect.video import score_video, summary, with_tracks
from corit.errors import DetectorError, FitError
from corit.heads.rows import TensorRows
from corit.images.picture import DRAWN
from corit.seeding import generator
from corit.world.miniature import Miniature

FIXTURES = Path(__file__).parent.parent / "fixtures"
WORDS = "outside what this detector was trained on: its features lie farther from the training pictures than those of"


def features(key, count, width=40, shift=0.0):
    """Correlated features with other means and spreads in each column."""
    rng = generator("features", 0)
    mix, mean, spread = rng.normal(size=(6, width)), rng.normal(size=width) * 5, rng.uniform(0.2, 3, width)
    rng = generator("features", key)
    x = rng.normal(size=(count, 6)) @ mix + 0.7 * rng.normal(size=(count, width)) + shift
    return torch.from_numpy(mean + spread * x)


def fitted(method="mahalanobis", train=120, valid=300, **options):
    rows = features("train", train), features("valid", valid)
    return fit_familiarity(*map(TensorRows, rows), method, **options)


@pytest.mark.parametrize("method", ["mahalanobis", "neighbours"])
def test_the_distance_is_that_of_dense_matrices(method, agree):
    train, other = features("train", 120).numpy(), features("other", 30, shift=0.5)
    slow = twin.neighbours(train, other.numpy(), 4)
    if method == "mahalanobis":
        slow, _ = twin.mahalanobis(train, other.numpy(), 4)
    agree(fitted(method, directions=4).distance(other), slow, rtol=2e-3)  # directions are stored in halves


def test_the_shrinkage_is_ledoits_and_wolfs(agree):
    x = twin.standard(*[features("train", 50).numpy()] * 2)
    agree(twin.shrinkage(x), ledoit_wolf_shrinkage(x, assume_centered=True))
    variances = fitted(train=50, directions=4).variances.numpy()
    values = np.linalg.eigvalsh(x.T @ x / 50)
    kept = np.append(values[:-5:-1], values[:-4].mean())
    agree(variances, (1 - twin.shrinkage(x)) * kept + twin.shrinkage(x) / 40, rtol=1e-4)


@pytest.mark.parametrize("method", ["mahalanobis", "neighbours"])
def test_one_in_a_hundred_familiar_pictures_is_beyond_the_limit(method):
    known = fitted(method, train=400)
    assert (known.distance(features("valid", 300)) > known.limit).sum() == 2
    assert (known.distance(features("new", 5000)) > known.limit).mean() == pytest.approx(0.01, abs=0.01)
    assert (known.distance(features("far", 200, shift=3)) > known.limit).all()


@pytest.mark.parametrize("count", [3, 10, 40])
def test_a_limit_of_few_rows_is_a_prediction_bound(count):
    rng = generator("few", count)
    logs = rng.normal(1.0, 0.2, (4000, count))
    beyond = [1 - norm.cdf(np.log(limit_of(np.exp(row), 0.01)), 1.0, 0.2) for row in logs]
    assert np.mean(beyond) == pytest.approx(0.01, abs=0.002)
    assert np.isfinite(limit_of(np.array([1e-9, 1e9]), 0.01))


def test_own_pictures_become_familiar_and_no_limit_shrinks():
    known, own = fitted(), features("own", 40, shift=1)
    wide = known.widened(TensorRows(own))
    assert known.limit < wide.limit == known.distance(own).max()
    assert wide.widened(TensorRows(features("train", 30))).limit == wide.limit
    many = known.widened(TensorRows(features("many", 1000, shift=1)))
    assert (many.distance(features("many", 1000, shift=1)) > many.limit).sum() == 9


def test_units_of_features_do_not_matter(agree):
    train, valid, other = features("train", 60), features("valid", 60), features("other", 9)
    one = fit_familiarity(TensorRows(train), TensorRows(valid))
    large = fit_familiarity(TensorRows(train * 1e4), TensorRows(valid * 1e4))
    agree(one.distance(other), large.distance(other * 1e4), rtol=1e-3)


@pytest.mark.parametrize("columns", [np.r_[:768, 3072:3840], None])
@pytest.mark.parametrize("method", ["mahalanobis", "neighbours"])
def test_it_comes_back_from_its_tensors_and_stays_small(method, columns):
    rows = [TensorRows(torch.from_numpy(generator(k).normal(size=(n, 6144)))) for k, n in (("t", 90), ("v", 20))]
    known = fit_familiarity(*rows, method, columns=columns)
    again = Familiarity.from_state(known.state())
    other = torch.from_numpy(generator("o").normal(size=(3, 6144)))
    assert np.array_equal(known.distance(other), again.distance(other))
    assert (again.limit, again.method, again.width) == (known.limit, method, 6144)
    assert again.directions.shape == ((16, 6144) if columns is None else (45, 1536))
    assert (again.train, again.valid) == (90, 20)
    assert sum(t.nbytes for t in known.state().values()) < 300e3


def test_many_training_rows_are_drawn_from_by_a_seed(monkeypatch):
    monkeypatch.setattr("corit.detect.familiarity.FITTED", 50)
    one, other = fitted(train=120), fitted(train=120)
    assert one.train == other.train == 50
    assert torch.equal(one.directions, other.directions)


def test_features_that_cannot_be_fitted_are_refused():
    few, rows = TensorRows(features("a", 1)), TensorRows(features("b", 9))
    for train, valid in ((few, rows), (rows, few)):
        with pytest.raises(FitError, match="expected two training and two validation rows, got"):
            fit_familiarity(train, valid)
    with pytest.raises(FitError, match="expected the method mahalanobis or neighbours, got 'cosine'"):
        fit_familiarity(rows, rows, "cosine")
    with pytest.raises(FitError, match="rows that differ"):
        fit_familiarity(TensorRows(torch.ones(4, 3)), rows)
    with pytest.raises(FitError, match="finite"):
        fit_familiarity(TensorRows(torch.full((4, 40), float("nan"))), rows)


def test_only_the_chosen_numbers_are_compared(agree):
    train, valid, other = features("train", 60), features("valid", 60), features("other", 9)
    some = np.array([3, 5, 6, 20, 21, 22, 39])
    known = fit_familiarity(TensorRows(train), TensorRows(valid), columns=some, directions=3)
    alone = fit_familiarity(TensorRows(train[:, some]), TensorRows(valid[:, some]), directions=3)
    agree(known.distance(other), alone.distance(other[:, some]))


def test_features_of_another_width_are_refused():
    with pytest.raises(DetectorError, match=r"expected features \(n, 40\), got \(2, 39\); the detector's folder mixes"):
        fitted().distance(torch.zeros(2, 39))


def test_damaged_tensors_are_refused_in_words():
    state = fitted().state()
    with pytest.raises(DetectorError, match="expected limit, scale, but they are missing"):
        Familiarity.from_state({k: v for k, v in state.items() if k not in ("scale", "limit")})
    with pytest.raises(DetectorError, match=r"expected directions of \(20, 40\), got \(3, 40\)"):
        Familiarity.from_state(state | {"directions": state["directions"][:3]})


@pytest.fixture(scope="module")
def pictures():
    world = Miniature(splits=["val"])
    return [world.load(s) for s in world.samples[:3]]


def knowing(limit_factor, pictures):
    """The detector with a familiarity whose limit is so many times the distance of the first picture."""
    made = detector()
    z = torch.cat([made.encoder(made.preparer()(p)).z.float() for p in pictures])
    noise = torch.from_numpy(generator("noise").normal(0, 0.05, (40, z.shape[1]))).float()
    rows = TensorRows(z.repeat(40, 1)[:40] + noise)
    known = fit_familiarity(rows, rows)
    return Detector(
        made.head,
        made.card,
        made.backbone,
        familiarity=replace(known, limit=limit_factor * float(known.distance(z)[0])),
    )


def test_a_far_picture_is_unsure_with_the_reason_and_its_score(pictures):
    near, far = knowing(2.0, pictures[:1]), knowing(0.5, pictures[:1])
    plain, row, beyond = detector()(pictures[0]).rows[0], near(pictures[0]).rows[0], far(pictures[0]).rows[0]
    assert row == plain
    assert (beyond.verdict, beyond.score, beyond.outside, plain.outside) == ("unsure", plain.score, True, False)
    assert beyond.reason == f"{WORDS} 99 % of pictures like these (2.00 times the limit)"
    noted = far(replace(pictures[0], note="first of 3 pages")).rows[0]
    assert noted.reason == f"{beyond.reason}; first of 3 pages"
    (streamed,) = far.scan(Held(pictures[:1]), Held(pictures[:1]).samples)
    assert streamed.rows[0] == replace(beyond, path="0")
    several = far(pictures[0], twins=3).rows[0]
    assert (several.verdict, several.reason) == ("unsure", beyond.reason)
    assert several.spread > 0


def test_scores_are_the_same_to_the_bit_with_and_without(pictures):
    views = [v for p in pictures for v in detector().preparer(2)(p)]
    plain, knows = detector().readings(views), knowing(1.0, pictures).readings(views)
    for one, other in zip(plain, knows, strict=True):
        assert np.array_equal(one.logits, other.logits)
        assert one.distance is None
        assert other.distance > 0
    assert [v.tolist() for v in detector().logits(views)] == [r.logits.tolist() for r in plain]
    assert detector().readings([]) == []


def test_the_domain_is_said_before_the_distance(pictures):
    far = knowing(0.5, pictures[:1])
    far.card = replace(far.card, domain=DRAWN)
    assert (
        far(replace(pictures[0], domain="")).rows[0].reason.endswith("it knows drawn faces of the miniature world only")
    )
    assert "features lie farther" in far(pictures[0]).rows[0].reason


def test_it_is_saved_and_counts_in_the_identity(pictures, tmp_path):
    knows = knowing(0.5, pictures)
    knows.save(tmp_path / "d")
    loaded = Detector.load(tmp_path / "d")
    assert loaded(pictures[0]).rows == knows(pictures[0]).rows
    assert loaded.identity == knows.identity != knowing(0.6, pictures).identity != detector().identity
    detector().save(tmp_path / "d")
    assert sorted(f.name for f in (tmp_path / "d").iterdir()) == ["detector.json", "head.safetensors"]
    assert Detector.load(tmp_path / "d").familiarity is None


def test_a_changed_detector_widens_its_limit(pictures):
    far = knowing(0.5, pictures[:1])
    z = far.encoder(far.preparer()(pictures[0])).z.float()
    assert far.changed(far.card)(pictures[0]).rows[0].outside
    assert not far.changed(far.card, own=TensorRows(z))(pictures[0]).rows[0].outside
    assert detector().changed(far.card, own=TensorRows(z)).familiarity is None


def test_an_old_detector_knows_no_distance():
    old = Detector.load(FIXTURES / "detector")
    assert old.familiarity is None
    assert old.outside(distance=1e9) == ""
    assert old.identity == "0502d493fd299b2700e240de419ffb341e60e0d47d338a5b317378d1c18bf5ea"


def test_a_damaged_file_is_refused_and_never_ignored(pictures, tmp_path):
    knowing(0.5, pictures).save(tmp_path / "d")
    file = tmp_path / "d" / "familiarity.safetensors"
    state = load(file.read_bytes())
    file.write_bytes(b"x")
    with pytest.raises(DetectorError, match=r"expected familiarity.safetensors in .* cannot be read"):
        Detector.load(tmp_path / "d")
    save_file({k: v for k, v in state.items() if k != "limit"}, file)
    with pytest.raises(DetectorError, match="expected limit"):
        Detector.load(tmp_path / "d")
    shutil.copyfile(FIXTURES / "detector" / "head.safetensors", file)
    with pytest.raises(DetectorError, match="expected columns, directions, limit"):
        Detector.load(tmp_path / "d")


def frames(*outside, score=0.9):
    """Rows of one face in frames, of which some are outside."""
    reasons = [f"{WORDS} x (1.{k} times the limit); dim" if far else "dim" for k, far in enumerate(outside)]
    return with_tracks(
        [
            Row("v", (0, 0, 50, 50), score, verdict="fake", reason=r, part="frame", frame=k, start=k / 10)
            for k, r in enumerate(reasons)
        ]
    )


@pytest.mark.parametrize(
    ("outside", "verdict", "reason"),
    [
        ((1, 0, 0), "fake", "dim"),
        ((1, 0), "fake", "dim"),
        ((1, 1, 0), "unsure", "in 2 of 3 rows the features lie farther from the training pictures than those of 99 %"),
        ((1,), "unsure", "its features lie farther from the training pictures than those of x (1.0 times the limit)"),
    ],
)
def test_a_video_is_unsure_where_most_of_its_faces_are_outside(outside, verdict, reason):
    report = summary("v", frames(*outside), lambda score: "fake")
    (track,) = report.tracks
    assert (report.verdict, track.verdict, report.score) == (verdict, verdict, pytest.approx(0.9))
    assert reason in report.reason
    assert report.reason.endswith("dim")
    assert report.row.outside == track.outside == (verdict == "unsure")


def test_a_video_is_unsure_where_its_highest_face_is_outside():
    known = [replace(r, face=(0, 0, 50, 50), score=0.1) for r in frames(0, 0, 0, 0)]
    poster = [replace(r, face=(200, 0, 250, 50)) for r in frames(1, 1, 1)]
    rows = with_tracks(sorted([*known, *poster], key=lambda r: r.frame))
    report = summary("v", rows, lambda score: "fake" if score > 0.5 else "real")
    assert [t.verdict for t in report.tracks] == ["real", "unsure"]
    assert (report.verdict, report.row.outside) == ("unsure", True)
    lower = summary("v", [replace(r, score=0.95) if r.score == 0.1 else r for r in rows], lambda score: "fake")
    assert [t.verdict for t in lower.tracks] == ["fake", "unsure"]
    assert (lower.verdict, lower.reason) == ("fake", "dim")


def test_frames_of_a_video_are_measured_like_pictures(pictures, tmp_path):
    far = knowing(1e-9, pictures)
    path = video_files.write(tmp_path / "two.avi", shown=[two(k) for k in range(4)])
    report = score_video(far, path, frames=2, finder=find_two)
    plain = score_video(detector(), path, frames=2, finder=find_two)
    assert [r.score for r in report.frames] == [r.score for r in plain.frames]
    assert {r.verdict for r in (report.row, *report.tracks, *report.frames)} == {"unsure"}
    assert all(r.outside for r in (report.row, *report.tracks, *report.frames))
