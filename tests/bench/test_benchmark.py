"""Protocol x store x head -> rows, against a slow reading of the same scores, and what may not happen on the way."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bench.stores import WIDTH, people, sample, store
from reference import heads as slow
from reference import ranking
from sklearn.metrics import average_precision_score, roc_auc_score

from corit.bench.benchmark import BEST_ON_TEST, benchmark, delong_test, head_learner, predict
from corit.bench.protocols import MINIATURE, Selection, leave_one_out
from corit.bench.rows import select_rows
from corit.errors import DataError, FitError
from corit.heads.head import Head, HeadRecipe
from corit.heads.rows import Standardiser
from corit.metrics.delong import delong
from corit.metrics.measures import METRICS, HeadScores, estimates
from corit.metrics.threshold import best_on_test

HEAD = HeadRecipe(learning_rate=0.5, epochs=4, batch=10)
ONE = MINIATURE.replace(
    name="one",
    train=(Selection("a", "train"),),
    select=(Selection("a", "val"),),
    test=(Selection("a", "test", ("DF",), name="DF"), Selection("b", "test", ("NT",), name="NT")),
    metrics=METRICS,
)


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stores")
    return {n: store(folder / n, people(data=n, gap=1.2)) for n in ("a", "b")}


def fixed(*weight, bias=0.0):
    w = torch.zeros(1, WIDTH)
    w[0, : len(weight)] = torch.tensor(weight)
    nothing = Standardiser(torch.zeros(WIDTH), torch.ones(WIDTH))
    return Head(w, torch.tensor([bias]), nothing, HeadRecipe(scaling="none"))


def by_hand(stores, name, kind):
    rows = select_rows(ONE, [Selection(name, "test", (kind,))], stores)
    z = rows.rows.gather(np.arange(len(rows))).numpy().astype(np.float64)
    return rows, z


def test_a_fixed_head_has_the_metrics_of_its_scores(stores):
    found = benchmark(ONE, stores, fixed(1.5, bias=-1.0), detector="fixed", draws=50)
    rows, z = by_hand(stores, "b", "NT")
    p = 1 / (1 + np.exp(-(1.5 * z[:, 0] - 1)))
    y = rows.y
    expected = {
        "auc": roc_auc_score(y, p),
        "ap": average_precision_score(y, p),
        "acc": np.mean((p >= 0.5) == y),
        "eer": slow.equal_error_rate(y, p),
        "tpr@1": ranking.tpr_at_fpr(y, p, 0.01),
        "tpr@5": ranking.tpr_at_fpr(y, p, 0.05),
        "ece": ranking.calibration_error(y, p, 15),
    }
    for metric, value in expected.items():
        assert found.value("NT", metric).value == pytest.approx(value, abs=1e-6)
    row = found.value("NT", "auc")
    assert (row.protocol, row.detector, row.reals, row.fakes, row.n, row.seeds) == ("one", "fixed", 24, 24, 48, ())
    assert row.low <= row.value <= row.high
    assert found.average("auc") == pytest.approx(np.mean([found.value(t, "auc").value for t in ("DF", "NT")]))
    with pytest.raises(DataError, match="no auc of CDF"):
        found.value("CDF", "auc")


def test_the_threshold_comes_from_the_rows_to_select_by(stores):
    """A head whose logits are far too low: 0.5 calls all real, the validation threshold does not."""
    head = fixed(1.5, bias=-9.0)
    found = benchmark(ONE, stores, head, draws=20)
    assert found.value("DF", "acc").value == 0.5
    valid = select_rows(ONE, ONE.select, stores)
    s = torch.sigmoid(head.logits(valid.rows.gather(np.arange(len(valid)))).double()).numpy()
    cuts = sorted(set(s.tolist()))
    right = [np.mean((s >= t) == valid.y) for t in cuts]
    rows, z = by_hand(stores, "a", "DF")
    test = 1 / (1 + np.exp(9 - 1.5 * z[:, 0]))
    best = max(right)
    low, high = (cuts[i] for i in (len(right) - 1 - right[::-1].index(best), len(right) - 1 - right[::-1].index(best)))
    accuracies = [np.mean((test >= t) == rows.y) for t in (low, high, low - 1e-9)]
    assert found.value("DF", "acc-val").value == pytest.approx(accuracies[0], abs=0.05)
    assert found.value("DF", "acc-val").value > 0.6


def test_the_threshold_does_not_come_from_test_rows(tmp_path):
    """Validation logits lie five lower: their cut, -4, calls the test rows' reals at 1 fake, their own would not."""
    logits = {
        ("val", 0): (-6, -5, -5, -5),
        ("val", 1): (-3, -3, -3, -2),
        ("test", 0): (-5, -5, 1, 1),
        ("test", 1): (-5, 2, 2, 2),
    }
    rows = [
        (sample(f"{split} {label} {k}", label, split), 0, np.full(WIDTH, value))
        for (split, label), values in logits.items()
        for k, value in enumerate(values)
    ]
    held = {"a": store(tmp_path / "s", rows)}
    of = ONE.replace(test=ONE.test[:1], metrics=("acc-val", "acc"))
    found = benchmark(of, held, fixed(1.0), oracle=True, draws=5)
    assert found.value("DF", "acc-val").value == 5 / 8
    assert found.value("DF", "acc", BEST_ON_TEST).value == 7 / 8


def test_trained_heads_are_the_median_over_seeds(stores):
    found = benchmark(ONE, stores, HEAD, seeds=(0, 1, 2), draws=30)
    train, valid = select_rows(ONE, ONE.train, stores), select_rows(ONE, ONE.select, stores)
    heads = head_learner(HEAD)(train, valid, (0, 1, 2))
    rows, z = by_hand(stores, "a", "DF")
    each = [roc_auc_score(rows.y, h(torch.from_numpy(z).float()).numpy()) for h in heads]
    assert found.value("DF", "auc").value == pytest.approx(np.median(each), abs=1e-9)
    assert found.value("DF", "auc").seeds == (0, 1, 2)
    assert found.value("DF", "auc").seconds > 0
    again = benchmark(ONE, stores, HEAD, seeds=(0, 1, 2), draws=30)
    values = lambda b: [(r.value, r.low, r.high) for r in b.results]
    assert values(again) == values(found)


def test_defaults_are_five_seeds_and_draws_of_videos(stores):
    of = ONE.replace(metrics=("auc",))
    plain = benchmark(of, stores, HEAD, draws=20)
    told = benchmark(of, stores, HEAD, seeds=(0, 1, 2, 3, 4), by="video", draws=20)
    assert plain.value("DF", "auc").seeds == (0, 1, 2, 3, 4)
    assert [(r.value, r.low, r.high) for r in plain.results] == [(r.value, r.low, r.high) for r in told.results]
    assert plain.predictions["DF"].scores.shape == (5, 48)


def test_videos_are_means_of_their_frames(stores):
    found = benchmark(ONE.replace(level="video", metrics=("auc",)), stores, fixed(1.0), draws=20)
    rows, z = by_hand(stores, "a", "DF")
    p = 1 / (1 + np.exp(-z[:, 0]))
    means = ranking.video_means(rows.column("video").tolist(), rows.y, p)
    y, s = np.array([min(k) for k, _ in means.values()]), np.array([m for _, m in means.values()])
    row = found.value("DF", "auc")
    assert (row.level, row.reals, row.fakes) == ("video", 12, 12)
    assert row.value == pytest.approx(slow.auc(y, s), abs=1e-9)


def test_dfb_grouping_merges_videos_of_one_name(tmp_path):
    """Videos 00 of reals, DF and NT share a folder's name: under dfb, which has one label a group, they are one."""
    held = {"a": store(tmp_path / "a", people(data="a", count=6))}
    base = ONE.replace(test=(Selection("a", "test"),), level="video", metrics=("auc",))
    by_path = benchmark(base, held, fixed(1.0), draws=10).value("a", "auc")
    assert (by_path.reals, by_path.fakes) == (6, 12)
    merged = base.replace(grouping="dfb", select=(Selection("a", "val"),))
    rows = select_rows(merged, merged.test, held)
    assert predict(merged, rows, [fixed(1.0).logits]).keys == tuple(f"{k:02d}" for k in range(6))


def test_a_pictures_score_is_that_of_its_highest_face(tmp_path):
    rows = [
        (sample(f"{split}{k}", k % 2, split), 0, np.full(WIDTH, k % 2)) for split in ("train", "val") for k in range(4)
    ]
    rows += [(sample("two", 1), 0, np.full(WIDTH, -5.0)), (sample("two", 1), 1, np.full(WIDTH, 5.0))]
    rows += [(sample("real", 0), 0, np.zeros(WIDTH))]
    found = benchmark(
        ONE.replace(test=ONE.test[:1], metrics=("auc",)), {"a": store(tmp_path / "s", rows)}, fixed(1.0), draws=5
    )
    assert (found.results[0].value, found.results[0].n) == (1.0, 2)
    assert found.predictions["DF"].keys == ("real", "two")
    assert found.predictions["DF"].scores[0] == pytest.approx([0.5, 1 / (1 + np.exp(-5))])


def test_best_on_test_is_a_labelled_extra(stores):
    found = benchmark(ONE, stores, HEAD, seeds=(0, 1), oracle=True, draws=20)
    labelled = [r for r in found.results if r.label]
    assert {r.label for r in labelled} == {BEST_ON_TEST}
    assert [(r.data, r.metric) for r in labelled] == [(d, m) for d in ("DF", "NT") for m in ("auc", "ap", "acc")]
    plain = benchmark(ONE, stores, HEAD, seeds=(0, 1), draws=20)
    assert [r.value for r in plain.results] == [r.value for r in found.results if not r.label]
    for data in ("DF", "NT"):
        assert found.value(data, "acc", BEST_ON_TEST).value >= found.value(data, "acc-val").value
        assert found.value(data, "auc", BEST_ON_TEST).value >= found.value(data, "auc").value - 1e-9
    given = benchmark(ONE, stores, fixed(1.0), oracle=True, draws=5)
    assert {r.metric for r in given.results if r.label} == {"acc"}  # a given head has no epoch to choose


def test_a_left_out_type_is_neither_trained_nor_selected_on(stores):
    each = tuple(Selection("a", "test", (k,), name=k) for k in ("DF", "NT"))
    _, without = leave_one_out(ONE.replace(test=each, metrics=("auc",)), ("DF", "NT"))
    seen = []

    def watching(train, select, seeds):
        seen.extend([train, select])
        return head_learner(HEAD)(train, select, seeds)

    found = benchmark(without, stores, watching, seeds=(0,), draws=5)
    assert [set(p.column("manipulation")) for p in seen] == [{"", "DF"}] * 2
    assert found.value("NT", "auc").fakes == 24


def test_shared_test_rows_are_refused_before_any_training(tmp_path):
    rows = people(data="a", count=3)
    twin = [(s, f, z) for s, f, z in people(data="c", count=3)]
    from dataclasses import replace

    leaked = [(replace(s, path="/a/test/real/00/0.png") if s.id == "c/val/real/00/0" else s, f, z) for s, f, z in twin]
    held = {"a": store(tmp_path / "a", rows), "c": store(tmp_path / "c", leaked)}
    crossed = ONE.replace(
        train=(Selection("c", "train"),), select=(Selection("c", "val"),), test=(Selection("a", "test"),)
    )

    def never(*_):
        raise AssertionError("training began")

    with pytest.raises(DataError, match="the rows to select by share 1 paths"):
        benchmark(crossed, held, never)
    trained = crossed.replace(train=(Selection("c", "val"),), select=(Selection("c", "train"),))
    with pytest.raises(DataError, match="the rows to train on share 1 paths"):
        benchmark(trained, held, never)
    with pytest.raises(FitError, match="mini-batch of 1000"):
        benchmark(crossed.replace(select=(Selection("c", "train"),), test=ONE.test[:1]), held, HeadRecipe(batch=1000))


def test_two_detectors_are_compared_on_the_same_rows_only(stores):
    good, bad = (benchmark(ONE, stores, fixed(*w), draws=5) for w in ((1.0, 1.0), (0.0, 0.0, 1.0)))
    found = delong_test(good.predictions["NT"], bad.predictions["NT"])
    assert found.first == good.value("NT", "auc").value
    assert found.p < 0.05
    with pytest.raises(DataError, match="same rows"):
        delong_test(good.predictions["NT"], bad.predictions["DF"])


def test_intervals_and_the_test_of_two_detectors_draw_videos(tmp_path):
    """Eight frames of a video that are as good as one: as rows of their own they would say too much."""
    held = {n: store(tmp_path / n, people(data=n, count=10, frames=8, gap=0.6)) for n in ("a", "b")}
    first, second = (benchmark(ONE, held, fixed(*w), draws=100) for w in ((1.0, 0.5), (0.0, 0.5)))
    of, other = first.predictions["NT"], second.predictions["NT"]
    assert len(set(of.groups)) == len(of.keys) / 8
    row = first.value("NT", "auc")
    by_video, by_frame = (
        estimates(HeadScores(of.labels, of.scores, np.zeros(1), groups), ["auc"], draws=100)["auc"]
        for groups in (of.groups, None)
    )
    assert (row.low, row.high) == (by_video.low, by_video.high)
    assert row.high - row.low > 1.5 * (by_frame.high - by_frame.low)
    scores = of.scores.mean(0), other.scores.mean(0)
    assert delong_test(of, other) == delong(of.labels, *scores, of.groups)
    assert delong_test(of, other).error > 2 * delong(of.labels, *scores).error


@pytest.mark.parametrize("by", ["video", "source"])
def test_every_interval_draws_the_given_unit(tmp_path, by):
    held = {n: store(tmp_path / n, people(data=n, count=8, frames=4, gap=0.6)) for n in ("a", "b")}
    found = benchmark(ONE, held, HEAD, seeds=(0, 1), oracle=True, draws=60, by=by)
    of = found.predictions["NT"]
    assert len(set(of.groups)) == {"video": 16, "source": 8}[by]
    columns = HeadScores(of.labels, of.scores, np.zeros(2), of.groups)
    plain = estimates(columns, ["auc", "ap"], draws=60)
    for metric, expected in plain.items():
        row = found.value("NT", metric)
        assert (row.value, row.low, row.high) == (expected.value, expected.low, expected.high)
    train, test = select_rows(ONE, ONE.train, held), select_rows(ONE, ONE.test[1:], held)
    best = predict(ONE, test, head_learner(HEAD)(train, test, (0, 1)), by)
    again = estimates(HeadScores(best.labels, best.scores, np.zeros(2), best.groups), ["auc", "ap"], draws=60)
    for metric, expected in again.items():
        row = found.value("NT", metric, BEST_ON_TEST)
        assert (row.value, row.low, row.high) == (expected.value, expected.low, expected.high)
    cuts = np.array([best_on_test(of.labels, s).threshold for s in of.scores])
    oracle = estimates(HeadScores(of.labels, of.scores, cuts, of.groups), ["acc-val"], draws=60)["acc-val"]
    row = found.value("NT", "acc", BEST_ON_TEST)
    assert (row.value, row.low, row.high) == (oracle.value, oracle.low, oracle.high)
