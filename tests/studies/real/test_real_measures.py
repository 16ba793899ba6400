"""The numbers of the study against slow or independent twins."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from corit.features.preparation import SELF_BLENDED
from corit.studies.real import layers, probes, transfer
from corit.studies.real.bank import Reading, Rows, join
from corit.studies.real.intervals import Scored
from corit.studies.real.plan import BLENDED, FAMILIES, RealPlan, trainings, variants
from corit.studies.real.probes import Coordinates, converged, cross_validate, fold_of, sam_scores, standardiser

PLAN = RealPlan(folds=3, seeds=(0, 1), rhos=(0.0, 0.05), penalties=(1e-2,), epochs=2, draws=20)


def features(n=40, width=60, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    return (rng.normal(size=(n, width)) + 5 + 0.8 * y[:, None] * (np.arange(width) < 5)).astype(np.float32), y


def bank(name="dfdc", n=40, layers=3, width=8, seed=0, blends=0):
    """Made-up rows: groups of a real and a fake, and self-blends of the first reals."""
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(n) % 2, np.ones(blends, int)])
    group = np.concatenate([np.arange(n) // 2, np.arange(blends)])
    split = np.array(["train", "train", "train", "val", "test"])[group % 5]
    kind = np.array([name] * n + [SELF_BLENDED] * blends)
    shape = (len(y), layers + 1)
    levels = {"tokens": rng.normal(size=(*shape, 2, width)), "corit": rng.normal(size=(*shape, 4, width))}
    levels = {k: (v + y[:, None, None, None]).astype(np.float16) for k, v in levels.items()}
    return Rows(y, split, np.array([f"{name}/{g}" for g in group]), kind, levels)


@pytest.mark.parametrize("width", [10, 60])
@pytest.mark.parametrize("scaling", ["raw", "standardised"])
def test_the_converged_head_in_the_span_is_that_of_all_columns(width, scaling, agree):
    x, y = features(width=width)
    others, _ = features(7, width, seed=1)
    rows = Coordinates.of(x, (others,), scaling)
    quick = converged(rows.train, y, 0.1).decision_function(rows.others[0])
    mean, scale = x.mean(0, dtype=np.float64), x.std(0, dtype=np.float64) if scaling == "standardised" else 1.0
    slow = LogisticRegression(C=0.1, max_iter=5000, tol=1e-8).fit((x - mean) / scale, y)
    agree(quick, slow.decision_function((others - mean) / scale), rtol=2e-2, atol=2e-3)


def test_the_converged_head_does_not_see_the_centre(agree):
    x, y = features()
    moved = [Coordinates.of(x + c, (x + c,), "raw") for c in (0.0, 3.0)]
    scores = [converged(m.train, y, 0.1).decision_function(m.others[0]) for m in moved]
    agree(*scores, rtol=1e-2, atol=1e-3)


def test_scalings_move_and_stretch_by_the_training_rows(agree):
    import torch

    x, _ = features()
    raw, centred, standard = (
        standardiser(x, s)(torch.from_numpy(x)).numpy() for s in ("raw", "centred", "standardised")
    )
    agree(raw, x)
    agree(centred, x - x.mean(0), rtol=1e-3, atol=1e-4)
    agree(standard.std(0), np.ones(x.shape[1]), rtol=1e-4)


def test_a_constant_column_becomes_zero():
    import torch

    x, _ = features()
    x[:, 0] = 3.0
    assert (standardiser(x, "standardised")(torch.from_numpy(x))[:, 0] == 0).all()


def test_a_group_is_in_one_fold_and_folds_are_of_similar_size():
    group = np.repeat([f"g{i}" for i in range(20)], 2)
    fold = fold_of(group, 5)
    assert all(len(set(fold[group == g])) == 1 for g in set(group))
    assert np.bincount(fold).tolist() == [8] * 5


def test_cross_validation_scores_rows_by_heads_that_never_saw_their_group(agree):
    x, y = features(width=6)
    group = np.repeat([f"g{i}" for i in range(20)], 2)
    fast = cross_validate(x, y, group, "raw", (0.1,), 4)
    fold, slow = fold_of(group, 4), np.empty(len(y))
    for k in range(4):
        slow[fold == k] = (
            LogisticRegression(C=0.1, max_iter=5000)
            .fit(x[fold != k] - 5, y[fold != k])
            .decision_function(x[fold == k] - 5)
        )
    agree(fast.scores, slow, rtol=2e-2, atol=2e-2)
    assert fast.auc == pytest.approx(roc_auc_score(y, fast.scores))


def test_cross_validation_keeps_the_best_penalty():
    x, y = features()
    group = np.arange(len(y)).astype(str)
    each = {c: cross_validate(x, y, group, "standardised", (c,), 4).auc for c in (1e-4, 1.0)}
    assert cross_validate(x, y, group, "standardised", tuple(each), 4).auc == max(each.values())


def test_sam_scores_have_a_head_for_each_seed_and_radius():
    x, y = features()
    (scores,) = sam_scores((x[:24], y[:24]), (x[24:32], y[24:32]), [x[32:]], "centred", PLAN)
    assert scores.shape == (2, 2, 8)


def test_differences_are_paired_and_shared_draws_make_them_exact(agree):
    y, group = np.arange(40) % 2, np.arange(40) // 2
    rng = np.random.default_rng(0)
    good, bad = y + rng.normal(size=40), rng.normal(size=(3, 40))
    scored = Scored.of(y, group, {"good": good, "bad": bad, "twin": good}, 50)
    agree(scored.values["good"], roc_auc_score(y, good))
    agree(scored.values["bad"], np.mean([roc_auc_score(y, b) for b in bad]))
    same = scored.difference("good", "twin")
    assert (same.value, same.low, same.high) == (0, 0, 0)
    assert scored.p("good", "twin") == 1
    gain = scored.difference("good", "bad")
    assert gain.low < gain.value < gain.high


def test_too_few_groups_have_no_interval_and_no_test():
    y, group = np.array([0, 1, 1]), np.array([0, 1, 2])
    scored = Scored.of(y, group, {"a": np.array([0.0, 1.0, 2.0]), "b": np.array([2.0, 1.0, 0.0])}, 10)
    assert np.isnan(scored.difference("a", "b").low)
    assert scored.p("a", "b") is None


def test_a_reading_is_tokens_of_levels_side_by_side(agree):
    rows = bank()
    z = rows.read(Reading("corit", (2, 3), (0, 2)))
    stored = rows.levels["corit"].astype(np.float32)
    agree(z, np.concatenate([stored[:, 2, 0], stored[:, 2, 2], stored[:, 3, 0], stored[:, 3, 2]], axis=1))


def test_attention_reads_two_levels(agree):
    rows = bank()
    middle, last = (rows.levels["corit"][:, l].astype(np.float64) for l in (2, 3))
    weights = np.exp(last @ middle.transpose(0, 2, 1) / 8**0.5)
    slow = (weights / weights.sum(-1, keepdims=True) @ middle).reshape(len(rows), -1)
    agree(rows.read(Reading("corit", (2, 3), (0, 1, 2, 3), attends=True)), slow, rtol=1e-4, atol=1e-5)


def test_self_blends_stand_with_the_reals_that_they_are_made_of():
    rows = bank(blends=6)
    made = rows.blends()
    assert (made.y == 0).sum() == (made.y == 1).sum() == 6
    assert set(made.kind[made.y == 1]) == {SELF_BLENDED}
    assert SELF_BLENDED not in rows.without_blends().kind


def test_joined_rows_keep_what_all_sets_have():
    both = join([bank("dfdc"), bank("stylegan")])
    assert len(both) == 80
    assert set(both.levels) == {"tokens", "corit"}


def test_each_set_and_union_is_trained_on():
    names = trainings(("dfdc", "stylegan", "photograph"), blends=True)
    assert list(names) == ["dfdc", "stylegan", "dfdc + stylegan", BLENDED, "photograph"]
    assert names["dfdc + stylegan"] == ("dfdc", "stylegan")
    assert BLENDED not in trainings(("stylegan",), blends=True)


def test_variants_are_apart_and_leave_out_the_defaults():
    every = [v for f in FAMILIES for v in variants(f)]
    assert len({v.name for v in every}) == len(every)
    changes = [tuple(sorted((k, str(x)) for k, x in v.changes.items())) for v in every]
    assert len(set(changes)) == len(every)
    assert "relative 0.1 source" not in {v.name for v in every}


def test_the_test_split_steers_nothing():
    rows, other = bank(), bank()
    test = other.split == "test"
    for levels in other.levels.values():
        levels[test] = np.random.default_rng(9).normal(size=levels[test].shape)
    sets = ({"dfdc": rows}, {"dfdc": other})
    one, two = (transfer.measure(s, ("dfdc",), PLAN) for s in sets)
    assert one["choice"] == two["choice"]
    assert one["penalties"] == two["penalties"]
    assert one["tests"] != two["tests"]
    assert layers.measure(rows, PLAN) == layers.measure(other, PLAN)


def test_trained_sets_are_tested_on_their_test_split_and_others_whole():
    sets = {"dfdc": bank(blends=10), "stylegan": bank("stylegan", seed=1)}
    tests = dict(transfer.tests(sets, ("dfdc",)))
    assert list(tests) == ["dfdc", "stylegan", BLENDED]
    assert set(tests["dfdc"].split) == set(tests[BLENDED].split) == {"test"}
    assert len(tests["stylegan"]) == 40
    blended = dict(transfer.tests(sets, (BLENDED,)))
    assert set(blended["dfdc"].split) == {"test"}  # self-blends are of its reals


def test_a_record_holds_every_model_head_and_difference():
    sets = {"dfdc": bank(blends=10), "stylegan": bank("stylegan", seed=1)}
    record = transfer.measure(sets, ("dfdc", "stylegan"), PLAN)
    heads = record["tests"]["dfdc"]["heads"]
    assert len(heads) == 2 + 3 * len(PLAN.rhos)
    entry = heads["sam raw 0.05"]
    assert set(entry["auc"]) == {transfer.UNIFD, transfer.MIDDLE, transfer.FULL, transfer.LEVEL}
    value = entry["auc"][transfer.FULL][0] - entry["auc"][transfer.UNIFD][0]
    assert entry["differences"]["CoRIT less UniFD"]["value"][0] == pytest.approx(value, abs=2e-4)


def test_a_plan_of_another_size_has_other_settings():
    assert replace(PLAN, pairs=7).to_json() != PLAN.to_json()
    assert probes.sam_recipe(PLAN, 400).batch == 20
