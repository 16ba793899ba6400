"""Scored rows -> slices, videos and comparisons, on rows whose numbers are known."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from reference import heads as slow
from sklearn.metrics import roc_auc_score

from corit.bench.protocols import METRICS
from corit.errors import DataError
from corit.evaluate.file_clues import file_clues
from corit.evaluate.rows import ScoredRow, by_video
from corit.evaluate.slices import MAX_SLICES, MEASURED, compare, evaluate_rows
from corit.metrics.auc import auc
from corit.metrics.bootstrap import bootstrap
from corit.metrics.threshold import accuracy, share
from corit.report.evaluate import remarks
from corit.seeding import generator


def row(name, label, score, **known):
    status = "ok" if score is not None else "no_face"
    kind = known.pop("manipulation", "DF" if label else "")
    return ScoredRow(
        name,
        f"/{name}",
        label,
        "",
        kind,
        known.pop("dataset", "a"),
        known.pop("group", ""),
        known.pop("video", ""),
        0,
        status,
        "",
        score,
        **known,
    )


def rows(n=60, seed=0, **known):
    rng = generator("slices", seed)
    return [
        row(f"{seed}-{i}", i % 2, float(1 / (1 + np.exp(-rng.normal() - 1.5 * (i % 2)))), **known) for i in range(n)
    ]


def test_all_rows_have_every_metric_and_the_thresholds_shares():
    found = evaluate_rows(rows(), 0.7, detector="d", draws=30)
    whole = found.overall()
    y, s = (np.array([getattr(r, k) for r in rows()]) for k in ("label", "score"))
    assert tuple(whole.metrics) == MEASURED
    assert set(MEASURED) ^ set(METRICS) == {"acc-val", "acc-own"}  # no row here is a validation row
    assert whole.metrics["auc"].value == pytest.approx(roc_auc_score(y, s), abs=1e-12)
    assert whole.metrics["acc-own"].value == pytest.approx(np.mean((s >= 0.7) == y))
    assert (whole.found.value, whole.false.value) == pytest.approx(
        (np.mean(s[y == 1] >= 0.7), np.mean(s[y == 0] >= 0.7))
    )
    assert (whole.reals, whole.fakes, whole.unscored, whole.units) == (30, 30, 0, 60)
    assert found.slices == (whole,)  # one source, manipulation, compression and size: nothing to slice
    assert found.levels == ("picture",)


def test_slices_by_source_manipulation_compression_and_size():
    made = [
        *rows(20, 1, dataset="a", kind="png", width=100, height=64),
        *rows(20, 2, dataset="b", kind="jpeg", quality=90, width=63, height=500),
        *(
            replace(r, manipulation="NT")
            for r in rows(20, 3, kind="jpeg", quality=89, width=1024, height=2000)
            if r.label
        ),
    ]
    found = evaluate_rows(made, 0.5, draws=10)
    names = {
        by: [s.name for s in found.slices if s.by == by] for by in ("source", "manipulation", "compression", "size")
    }
    assert names == {
        "source": ["a", "b"],
        "manipulation": ["DF", "NT"],
        "compression": ["jpeg, quality 75 to 89", "jpeg, quality from 90", "png"],
        "size": ["64 to 127 px", "below 64 px", "from 1024 px"],
    }
    by_name = {s.name: s for s in found.slices}
    assert (by_name["NT"].reals, by_name["NT"].fakes) == (10, 10)  # b's reals are in a data set without it
    assert (by_name["DF"].reals, by_name["DF"].fakes) == (20, 20)
    png = by_name["png"]
    y, s = (np.array([getattr(r, k) for r in made[:20]]) for k in ("label", "score"))
    assert png.metrics["auc"].value == pytest.approx(slow.auc(y, s), abs=1e-12)
    alone = by_name["from 1024 px"]
    assert (alone.reals, dict(alone.metrics), alone.false) == (0, {}, None)  # one class: no AUC, but a share
    assert 0 <= alone.found.low <= alone.found.value <= alone.found.high <= 1


def test_compression_of_a_frame_is_also_its_videos():
    frame = replace(row("a", 0, 0.5, kind="png", video="v"), path="/FF/c40/videos/a.png")
    assert frame.compression == "c40, png"
    assert replace(frame, video="").compression == "png"  # a folder of that name holds no video
    assert replace(frame, kind="jpeg", quality=50).compression == "c40, jpeg, quality 50 to 74"


def test_of_very_many_slices_the_largest_are_measured():
    made = [replace(r, dataset=f"d{i % MAX_SLICES if i < 100 else i}") for i, r in enumerate(rows(103))]
    whole = evaluate_rows(made, 0.5, draws=2)
    assert "of 53 slices by source only the 50 with the most rows are measured" in remarks([whole])
    found = [s for s in whole.slices if s.by == "source"]
    assert len(found) == MAX_SLICES
    assert {s.reals + s.fakes for s in found} == {2}


def test_rows_without_a_score_are_counted_and_touch_no_number():
    whole, lossy = rows(), [*rows(), row("x", 1, None), row("y", 0, None), row("z", -1, None)]
    found = evaluate_rows(lossy, 0.5, draws=20)
    assert dict(found.unscored) == {"no_face": 3}
    assert found.overall().unscored == 3
    assert found.overall().metrics == evaluate_rows(whole, 0.5, draws=20).overall().metrics


def test_videos_are_the_means_of_their_scored_frames():
    made = [
        row("a0", 0, 0.1, video="a"),
        row("a1", 0, 0.5, video="a"),
        row("b0", 1, None, video="b"),
        row("b1", 1, 0.4, video="b"),
        row("c0", 1, None, video="c"),
        row("lone", 0, 0.7),
    ]
    found = {r.id: (r.label, r.score, r.status, r.faces) for r in by_video(made)}
    assert found == {
        "a": (0, 0.3, "ok", 2),
        "b": (1, 0.4, "ok", 1),
        "c": (1, None, "no_face", 0),
        "lone": (0, 0.7, "ok", 1),
    }
    measured = evaluate_rows(made, 0.35, draws=5)
    assert measured.levels == ("picture", "video")
    video = measured.overall("video")
    assert (video.reals, video.fakes, video.unscored, video.metrics["auc"].value) == (2, 1, 1, 0.5)
    assert (video.found.value, video.false.value) == (1.0, 0.5)
    with pytest.raises(DataError, match="real and fake frames: v"):
        by_video([row("p", 0, 0.1, video="v"), row("q", 1, 0.1, video="v")])


def test_intervals_draw_videos_not_frames():
    rng = generator("frames")
    made = []
    for v in range(30):
        shared = rng.normal() + v % 2
        made += [
            row(f"{v}-{k}", v % 2, float(1 / (1 + np.exp(-shared - 0.1 * rng.normal()))), video=f"v{v}")
            for k in range(8)
        ]
    per_video = evaluate_rows(made, 0.5, draws=150).overall().metrics["auc"]
    by_frame = evaluate_rows([replace(r, video="") for r in made], 0.5, draws=150).overall().metrics["auc"]
    assert per_video.value == by_frame.value
    assert per_video.high - per_video.low > 1.8 * (by_frame.high - by_frame.low)


@pytest.mark.parametrize("seed", [0, 5])
def test_every_interval_is_of_the_asked_seeds_draws_of_sources(seed):
    made = [replace(r, group=f"g{k // 3}") for k, r in enumerate(rows())]
    found = evaluate_rows(made, 0.6, draws=40, seed=seed).overall()
    y, s = (np.array([getattr(r, k) for r in made]) for k in ("label", "score"))
    groups = np.array([r.group for r in made])
    assert found.units == 20
    for name, metric in (("auc", auc), ("acc-own", lambda y, s: accuracy(y, s, 0.6))):
        expected = bootstrap(metric, y, s, groups=groups, draws=40, seed=seed)
        e = found.metrics[name]
        assert (e.value, e.low, e.high) == pytest.approx((expected.value, expected.low, expected.high), abs=1e-12)


def test_a_slice_is_of_plain_numbers_that_json_takes():
    whole = evaluate_rows([*rows(), row("x", 1, None)], 0.6, draws=3).overall()
    kept = json.loads(json.dumps({**asdict(whole), "metrics": {m: asdict(e) for m, e in whole.metrics.items()}}))
    assert (kept["reals"], kept["fakes"], kept["unscored"], kept["units"]) == (30, 30, 1, 60)
    assert kept["metrics"]["auc"]["value"] == whole.metrics["auc"].value


def test_a_score_at_the_threshold_is_called_fake_by_every_count():
    made = [row("a", 0, 0.5), row("b", 0, 0.4), row("c", 1, 0.5), row("d", 1, 0.6)]
    whole = evaluate_rows(made, 0.5, draws=2).overall()
    assert (whole.found.value, whole.false.value) == (1.0, 0.5)
    assert whole.metrics["acc-own"].value == 0.75


def test_two_detectors_are_compared_on_what_both_scored():
    good = rows(200)
    bad = [replace(r, score=0.5 + 0.001 * i % 0.3) for i, r in enumerate(good)]
    bad[0] = replace(bad[0], score=None, status="too_small")
    made = [evaluate_rows(r, 0.5, detector=n, draws=5) for n, r in (("good", good), ("bad", bad))]
    (found,) = compare(made)
    assert (found.first, found.second, found.n, found.level) == ("good", "bad", 199, "picture")
    y, s = [r.label for r in good[1:]], [r.score for r in good[1:]]
    assert found.auc_first == pytest.approx(roc_auc_score(y, s), abs=1e-12)
    assert found.p < 1e-3
    other = evaluate_rows(rows(20, 9), 0.5, detector="other", draws=5)
    (apart,) = compare([made[0], other])
    assert (apart.n, apart.p, apart.auc_first) == (0, None, None)
    assert "expected reals (0) and fakes (1)" in apart.reason
    assert compare(made[:1]) == ()
    few = [evaluate_rows([row("r", 0, 0.2), row("f", 1, 0.7)], 0.5, detector=n, draws=2) for n in "ab"]
    (small,) = compare(few)
    assert (small.n, small.p) == (2, None)
    assert "at least two groups" in small.reason


def test_frames_of_a_video_are_no_independent_samples_of_a_comparison():
    """Each row eight times: the same AUCs, and no more certainty that they differ."""
    good = rows(40)
    bad = [replace(r, score=s.score) for r, s in zip(good, rows(40, 1), strict=True)]
    alone = [evaluate_rows(r, 0.5, detector=n, draws=2) for n, r in (("good", good), ("bad", bad))]
    often = [evaluate_rows(repeated(e.rows), 0.5, detector=e.detector, draws=2) for e in alone]
    (once,), (found, _) = compare(alone), compare(often)
    assert (found.level, found.n) == ("picture", 320)
    assert (found.auc_first, found.auc_second) == pytest.approx((once.auc_first, once.auc_second))
    assert found.p == pytest.approx(once.p, rel=0.05)
    assert once.p > 1e-3


def repeated(some):
    """Rows as eight frames each of a video."""
    return [replace(r, id=f"{r.id}-{k}", video=r.id) for r in some for k in range(8)]


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_is_refused_in_words(label):
    some = [r for r in rows() if r.label != label] + [row("x", label, None)]
    with pytest.raises(DataError, match=rf"expected {('real', 'fake')[label]} pictures with a score.*1 no_face"):
        evaluate_rows(some, 0.5)


def test_a_row_has_a_score_exactly_when_it_is_ok():
    with pytest.raises(ValueError, match="exactly when"):
        replace(row("a", 0, 0.5), status="no_face")
    assert row("a", 0, 0.5).compression == row("a", 0, 0.5).size == "unknown"


def test_a_manipulation_whose_source_has_no_reals_is_set_against_all():
    made = [*rows(10, 1, dataset="a"), *[row(f"x{i}", 1, 0.9, dataset="fakes", manipulation="NT") for i in range(3)]]
    (found,) = [s for s in evaluate_rows(made, 0.5, draws=2).slices if s.name == "NT"]
    assert (found.reals, found.fakes) == (5, 3)


def test_a_file_of_which_nothing_is_known_makes_no_manipulation():
    made = [*rows(20, 1), *(replace(r, manipulation="NT") for r in rows(20, 2) if r.label)]
    broken = [replace(row("bad", 1, None), manipulation="fake", status="unreadable")]
    names = {s.name for s in evaluate_rows([*made, *broken], 0.5, draws=2).slices if s.by == "manipulation"}
    assert names == {"DF", "NT"}


def test_a_video_and_the_fake_of_it_are_drawn_together():
    """Each pair of videos shares a source whose noise both have: together they tell more than apart."""
    made, rng = [], generator("pairs")
    for pair in range(25):
        own = rng.normal()
        for label in (0, 1):
            value = float(1 / (1 + np.exp(-own * 2 - 0.4 * label)))
            made += [
                row(f"{pair}-{label}-{k}", label, value, video=f"{pair}-{label}", group=f"{pair}") for k in range(3)
            ]
    of_pairs = evaluate_rows(made, 0.5, draws=100).overall()
    of_videos = evaluate_rows([replace(r, group="") for r in made], 0.5, draws=100).overall()
    assert (of_pairs.units, of_videos.units) == (25, 50)
    width = lambda s: s.metrics["auc"].high - s.metrics["auc"].low
    assert width(of_pairs) < 0.6 * width(of_videos)


def test_videos_of_both_labels_have_no_level_and_keep_their_pictures():
    made = [*rows(), row("p", 0, 0.1, video="v"), row("q", 1, 0.9, video="v"), row("r", 1, 0.9, video="w")]
    found = evaluate_rows(made, 0.5, draws=5)
    assert found.levels == ("picture",)
    assert "1 of 2 have real and fake frames (v)" in found.mixed
    assert evaluate_rows(rows(), 0.5, draws=5).mixed == ""


def test_a_video_is_of_two_labels_whichever_of_its_frames_a_detector_scored():
    """A detector that found no face in the real frame does not make the fake one a real video, or a video at all."""
    both = [row("p", 0, 0.1, video="v"), row("q", 1, 0.9, video="v"), row("s", 1, 0.9, video="w")]
    half = [row("p", 0, None, video="v"), *both[1:]]
    found = [evaluate_rows([*rows(), *some], 0.5, draws=5) for some in (both, half)]
    assert [f.levels for f in found] == [("picture",)] * 2
    assert found[0].mixed == found[1].mixed != ""


def test_a_video_has_the_label_and_the_file_of_a_frame_that_was_scored():
    known = {"width": 300, "height": 300, "kind": "png"}
    lost = [row("a0", -1, None, video="a"), row("a1", 1, None, video="a"), row("b0", -1, None, video="b")]
    made = [*lost, row("a2", 1, 0.9, video="a", **known), row("b1", 0, None, video="b"), row("c0", -1, None, video="c")]
    found = {r.id: (r.label, r.score, r.status, r.size) for r in by_video(made)}
    assert found == {
        "a": (1, 0.9, "ok", "256 to 511 px"),
        "b": (0, None, "no_face", "unknown"),
        "c": (-1, None, "no_face", "unknown"),
    }
    assert [r.id for r in by_video(made)] == ["a", "b", "c"]


def test_a_share_of_none_or_all_has_an_interval_all_the_same():
    none = share(np.zeros(10, bool), np.arange(10))
    assert (none.value, none.low) == (0, 0)
    assert none.high == pytest.approx(0.2775, abs=1e-3)  # Wilson's
    of_one = share(np.zeros(10, bool), np.zeros(10))
    assert of_one.high > 0.7  # ten frames of one video
    assert share(np.zeros(0, bool), np.zeros(0)) is None


def test_what_nothing_varies_in_is_not_compared():
    fakes = [row(f"f{i}", 1, 0.9) for i in range(2)]
    reals = [row(f"r{i}", 0, 0.1) for i in range(2)]
    good = evaluate_rows([*fakes, *reals], 0.5, detector="good", draws=2)
    bad = evaluate_rows([replace(r, score=0.5) for r in (*fakes, *reals)], 0.5, detector="bad", draws=2)
    (found,) = compare([good, bad])
    assert (found.auc_first, found.auc_second, found.p) == (1, 0.5, None)
    assert found.reason == "no variance: too few rows to tell"


def test_what_files_give_away_is_a_warning(tmp_path):
    for name, text in (("a", "same"), ("b", "else"), ("c", "same"), ("d", "more")):
        (tmp_path / name).write_text(text)
    at = lambda name, label, **known: replace(row(name, label, 0.5, **known), path=str(tmp_path / name))
    known = {"width": 100, "height": 100}
    reals = [at(n, 0, kind="png", group=f"{k}", **known) for k in range(4) for n in "ab"]
    made = reals + [at(n, 1, kind="jpeg", quality=90, group=f"{k}", **known) for k in range(4) for n in "cd"]
    found = file_clues(made)
    assert found.aucs == {"kind and compression": 1.0, "size": 0.5}
    assert found.twins == (str(tmp_path / "c"),)
    assert [w[:44] for w in found.warnings] == [
        "the kind and compression of the files alone ",
        "1 fakes are byte for byte files that are als",
    ]
    assert file_clues([replace(r, kind="png", quality=0) for r in made[1:]][:2]).warnings == []
    assert file_clues([at("a", 0)]).warnings == []


def warned(trial, frames=1, kinds=4, told=0.0):
    """Whether 20 reals and 20 fakes (or so many frames of each) are warned of whose files say their label sometimes."""
    rng = generator("files of chance", trial)
    made = []
    for k in range(40):
        kind = f"{'png' if rng.random() < told else ''}{k % 2 if rng.random() < told else rng.integers(kinds)}"
        made += [row(f"{k}-{f}", k % 2, 0.5, video=f"{k}", kind=kind) for f in range(frames)]
    return bool(file_clues(made).warnings)


@pytest.mark.parametrize("frames", [1, 8])
def test_files_of_chance_are_seldom_a_warning_and_files_that_tell_are_one(frames):
    assert sum(warned(t, frames) for t in range(60)) <= 8  # 3 are expected
    assert all(warned(t, frames, told=0.9) for t in range(10))
