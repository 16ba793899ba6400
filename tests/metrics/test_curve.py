"""Metrics at thresholds, DeLong's test and video scores against slow twins, hand-made cases and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import ranking as slow
from sklearn.metrics import accuracy_score, roc_auc_score, roc_curve

from corit.data.frames import video_key
from corit.data.sample import Sample
from corit.errors import DataError
from corit.metrics.auc import auc
from corit.metrics.bootstrap import bootstrap
from corit.metrics.curve import average_precision, equal_error_rate_interpolated, expected_calibration_error, tpr_at_fpr
from corit.metrics.delong import delong
from corit.metrics.threshold import accuracy, best_on_test, best_threshold
from corit.metrics.video import mean_by_video
from corit.seeding import generator

row = st.tuples(st.integers(0, 1), st.integers(0, 6), st.integers(0, 6), st.integers(0, 5))
rows_of_both = st.lists(row, min_size=4, max_size=30).filter(lambda rows: len({r[0] for r in rows}) == 2)


def columns(rows):
    y, a, b, g = (np.array(c) for c in zip(*rows, strict=True))
    return y, a / 6, b / 6, g


@settings(max_examples=60, deadline=None)
@given(rows_of_both, st.sampled_from([0.0, 0.01, 0.05, 0.3, 1.0]), st.sampled_from([1, 3, 15]))
def test_threshold_metrics_with_ties_equal_their_slow_twins(rows, fpr, bins):
    y, s, _, _ = columns(rows)
    assert tpr_at_fpr(y, s, fpr) == pytest.approx(slow.tpr_at_fpr(y, s, fpr), abs=1e-12)
    assert accuracy(y, s) == accuracy_score(y, s >= 0.5)
    assert best_on_test(y, s).accuracy == pytest.approx(slow.most_right(y, s), abs=1e-12)
    p = np.round(s * 0.97, 3)  # off the borders of bins, which floats cannot name
    assert expected_calibration_error(y, p, bins) == pytest.approx(slow.calibration_error(y, p, bins), abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(rows_of_both)
def test_delong_with_ties_and_groups_equals_its_slow_twin(rows):
    y, a, b, g = columns(rows)
    for groups in (None, g):
        names = np.arange(len(y)) if groups is None else g
        if min(len(set(names[y == side].tolist())) for side in (0, 1)) < 2:
            with pytest.raises(DataError, match="at least two groups"):
                delong(y, a, b, groups)
            continue
        found = delong(y, a, b, groups)
        assert (found.first, found.second) == pytest.approx((roc_auc_score(y, a), roc_auc_score(y, b)), abs=1e-12)
        variance = max(0.0, slow.delong_variance(y, a, b, names.tolist()))
        assert found.error**2 == pytest.approx(variance, abs=1e-12)
        if found.error:
            z = (roc_auc_score(y, a) - roc_auc_score(y, b)) / math.sqrt(variance)
            assert (found.statistic, found.p) == pytest.approx((z, slow.two_sided(z)), rel=1e-6, abs=1e-6)


def detectors(rng, n, gain=0.0, frames=1):
    """Two detectors that share half of their noise, on n reals and n fakes with so many frames of equal noise each."""
    y = np.repeat([0, 1], n)
    shared = rng.normal(size=2 * n)
    a, b = (y * (1 + g) + shared + rng.normal(size=2 * n) for g in (gain, 0))
    return [np.repeat(v, frames) for v in (y, a, b, np.arange(2 * n))]


def test_delong_agrees_with_the_bootstrap():
    y, a, b, _ = detectors(generator("delong"), 150, gain=0.4)
    found = delong(y, a, b)
    rng = generator("delong bootstrap")
    draws = []
    for _ in range(1500):
        i = np.concatenate([rng.integers(0, 150, 150), rng.integers(150, 300, 150)])
        draws.append(auc(y[i], a[i]) - auc(y[i], b[i]))
    assert found.error == pytest.approx(np.std(draws), rel=0.08)
    assert found.first - found.second == pytest.approx(np.mean(draws), abs=0.1 * found.error)


@pytest.mark.parametrize("frames", [1, 8])
def test_delong_rejects_equal_detectors_as_often_as_it_says(frames):
    p, naive = [], []
    for trial in range(300):
        y, a, b, g = detectors(generator("null", trial), 40, frames=frames)
        p.append(delong(y, a, b, g).p)
        naive.append(delong(y, a, b).p)
    # 15 of 300 are expected; 15 more or 12 fewer are four and three standard deviations.
    assert 3 <= sum(v < 0.05 for v in p) <= 30
    assert (sum(v < 0.05 for v in naive) > 100) == (frames == 8)  # frames taken for independent samples


def test_delong_finds_a_difference_and_keeps_its_sign():
    y, a, b, _ = detectors(generator("power"), 300, gain=1.0)
    up, down = delong(y, a, b), delong(y, b, a)
    assert up.p < 1e-6
    assert up.statistic == -down.statistic > 0
    assert up.p == down.p


def test_delong_without_variance():
    y = np.array([0, 0, 1, 1])
    same = delong(y, np.array([1.0, 2, 3, 4]), np.array([0.1, 0.2, 0.3, 0.4]))
    assert (same.statistic, same.p) == (0.0, 1.0)
    apart = delong(y, np.zeros(4), np.array([1.0, 2, 3, 4]))
    assert (apart.statistic, apart.p) == (-math.inf, None)  # four rows prove nothing


def test_a_validation_threshold_lies_midway_between_scores():
    y, s = np.array([0, 0, 1, 1]), np.array([0.1, 0.3, 0.5, 0.9])
    assert best_threshold(y, s) == 0.4
    assert best_threshold(1 - y, s) == np.nextafter(0.9, 1)  # calling nothing fake is as good as calling all fake
    close = np.array([0.5, np.nextafter(0.5, 1)])
    assert accuracy(np.array([0, 1]), close, best_threshold(np.array([0, 1]), close)) == 1
    found = best_on_test(y, s)
    assert (found.accuracy, found.threshold, found.label) == (1.0, 0.4, "best on test")


def test_the_oracle_is_never_below_an_honest_threshold():
    rng = generator("oracle")
    y = np.repeat([0, 1], 100)
    val, test = (rng.normal(size=200) + y for _ in range(2))
    assert accuracy(y, test, best_threshold(y, val)) < best_on_test(y, test).accuracy


@settings(max_examples=60, deadline=None)
@given(rows_of_both)
def test_video_scores_equal_their_slow_twin(rows):
    y, s, _, g = columns(rows)
    keys = [f"v{k}" for k in g]
    found = mean_by_video(keys, y, s, mixed="real")
    expected = slow.video_means(keys, y, s)
    assert found.keys == tuple(sorted(expected))
    for key, label, score, frames in zip(found.keys, found.labels, found.scores, found.frames, strict=True):
        kinds, mean = expected[key]
        assert (label, frames) == (int(kinds == {1}), keys.count(key))
        assert score == pytest.approx(mean, abs=1e-12)


def ff(manipulation, name, frames):
    return [
        Sample(
            f"{manipulation}/{name}/{k}", "p", int(bool(manipulation)), video=f"FF/c23/{manipulation}/{name}", frame=k
        )
        for k in range(frames)
    ]


def videos(samples, scores, grouping="path"):
    keys, labels = [video_key(s, grouping) for s in samples], np.array([s.label for s in samples])
    return mean_by_video(keys, labels, scores, mixed="real" if grouping == "dfb" else "refuse")


def test_videos_made_by_hand():
    samples = [*ff("", "000", 2), *ff("", "003", 1), *ff("DF", "000_003", 2), *ff("NT", "000_003", 1)]
    scores = np.array([0.1, 0.3, 0.4, 0.9, 0.5, 0.3])
    by_path = videos(samples, scores)
    assert by_path.keys == ("FF/c23//000", "FF/c23//003", "FF/c23/DF/000_003", "FF/c23/NT/000_003")
    assert by_path.labels.tolist() == [0, 0, 1, 1]
    assert by_path.scores.tolist() == pytest.approx([0.2, 0.4, 0.7, 0.3])
    assert by_path.frames.tolist() == [2, 1, 2, 1]
    assert auc(by_path.labels, by_path.scores) == 0.75
    merged = videos(samples, scores, "dfb")
    assert merged.keys == ("000", "000_003", "003")
    assert auc(merged.labels, merged.scores) == 1.0


def test_the_benchmarks_grouping_flatters_on_faceforensics():
    """140 real and 4 x 140 fake videos, one manipulation not found at all: merging hides it behind the others."""
    rng = generator("merged")
    samples, scores = [], []
    for pair in range(140):
        for kind, shift in (("", 0.0), ("DF", 5.5), ("F2F", 5.5), ("FS", 5.5), ("NT", -0.3)):
            own = rng.normal() + shift
            samples += ff(kind, f"{pair:03d}" if not kind else f"{pair:03d}_999", 7)
            scores += [own + rng.normal() * 0.5 for _ in range(7)]
    by_path, merged = (videos(samples, np.array(scores), g) for g in ("path", "dfb"))
    assert (len(by_path.keys), len(merged.keys)) == (700, 280)
    assert auc(by_path.labels, by_path.scores) == pytest.approx(0.858, abs=0.015)
    assert auc(merged.labels, merged.scores) > 0.999


def test_a_mixed_folder_is_real_to_the_benchmark_and_an_error_to_us():
    samples = [Sample("a", "p", 0, video="x/v"), Sample("b", "p", 1, video="x/v"), Sample("c", "p", 1, video="y/v")]
    scores = np.array([0.0, 1.0, 0.8])
    assert videos(samples, scores, "dfb").labels.tolist() == [0]
    with pytest.raises(DataError, match="real and fake frames: x/v"):
        videos(samples, scores)


BAD = {
    "lengths": (lambda: mean_by_video(["a"], np.zeros(1), np.zeros(2)), "got 1, 1, 2"),
    "none": (lambda: mean_by_video([], np.zeros(0), np.zeros(0)), "got 0, 0, 0"),
    "label": (lambda: mean_by_video(["a"], np.array([2]), np.zeros(1)), "labels 0 and 1"),
    "nan": (lambda: mean_by_video(["a"], np.array([1]), np.array([np.nan])), "finite scores"),
    "grouping": (lambda: videos([Sample("a", "p", 0)], np.zeros(1), "name"), "path or dfb"),
    "delong groups": (lambda: delong(np.array([0, 1]), np.ones(2), np.ones(2), np.ones(3)), "3 groups and 2 labels"),
    "delong class": (lambda: delong(np.ones(2), np.ones(2), np.ones(2)), "reals .0. and fakes"),
    "threshold class": (lambda: best_threshold(np.zeros(2), np.ones(2)), "reals .0. and fakes"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_in_words(name):
    call, words = BAD[name]
    with pytest.raises(DataError, match=words):
        call()


@settings(max_examples=60, deadline=None)
@given(rows_of_both)
def test_vertex_and_interpolated_eer_bracket_a_cell_of_the_roc(rows):
    """The interpolated rate lies on the segment of the ROC curve that crosses the diagonal."""
    y, s, _, _ = columns(rows)
    fpr, tpr, _ = roc_curve(y, s, drop_intermediate=False)
    e = equal_error_rate_interpolated(y, s)
    k = int(np.argmax(fpr + tpr >= 1))
    assert fpr[max(k - 1, 0)] - 1e-12 <= e <= fpr[k] + 1e-12
    assert 1 - tpr[k] - 1e-12 <= e <= 1 - tpr[max(k - 1, 0)] + 1e-12


@pytest.mark.parametrize("metric", [average_precision, accuracy], ids=["AP", "accuracy"])
def test_the_bootstrap_by_video_covers_the_truth(metric):
    """Frames of a video share their noise; the truth is the metric of very many videos."""

    def world(rng, n):
        y = np.repeat(rng.permutation(np.repeat([0, 1], n // 2)), 4)
        s = np.repeat(rng.normal(size=n), 4) * 0.3 + rng.normal(size=4 * n) * 0.2 + y * 0.4 + 0.3
        return y, s, np.repeat(np.arange(n), 4)

    y, s, _ = world(generator("truth"), 20000)
    truth, hits = metric(y, s), 0
    for trial in range(40):
        y, s, g = world(generator("video coverage", trial), 60)
        e = bootstrap(metric, y, s, groups=g, draws=150, seed=trial)
        hits += e.low <= truth <= e.high
    assert hits >= 33  # 38 of 40 are expected; 33 is below by four standard deviations
