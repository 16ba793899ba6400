"""GSNR of rows that were drawn in groups, and of rows without their common mean, against loops over gradients."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from reference import theory as slow
from theory.heads_at import linear, network, rows, twins, units

from corit.errors import FitError
from corit.heads.fit import fit
from corit.heads.head import HeadRecipe
from corit.heads.problem import Problem, standardised_problem
from corit.heads.rows import Standardiser, TensorRows
from corit.seeding import generator
from corit.theory.clusters import clusters_of, numbered
from corit.theory.likelihood import Logistic
from corit.theory.moments import clustered_gsnr, moments
from corit.theory.sweep import Watching, sweep, task
from corit.theory.watch import LEAST_CLUSTERS, Watch, every, joined, watched

MAKERS = {
    "linear": linear,
    "linear n < P": lambda: linear(12, 20),
    "one head": lambda: linear(12, 4, heads=(1,)),
    "many heads": lambda: linear(12, 4, heads=(2, 5)),
    "relu": units,
    "identity": lambda: units(activation="identity"),
    "wide relu": lambda: units(width=30),
}
NAMES = {
    "pairs": [i // 2 for i in range(12)],
    "several sizes": list("abacccbdddde"),
    "two": ["x"] * 5 + ["y"] * 7,
    "single rows": list(range(12)),
}
LINEAR = HeadRecipe(batch=8, select="last", learning_rate=0.3)
PERCEPTRON = HeadRecipe(kind="mlp", hidden=3, batch=8, select="last", learning_rate=0.1)
RHOS, SEEDS = (0.0, 0.3), (2, 5)


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_gsnr_of_clusters_equals_the_loop_over_clusters(make, names, agree):
    heads = make()
    expected = [slow.clustered(t.population.gradients, names) for t in twins(heads)]
    agree(clustered_gsnr(heads, names).flatten(), expected, rtol=1e-8)
    agree(clustered_gsnr(heads, clusters_of(names), moments(heads)).flatten(), expected, rtol=1e-8)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_gsnr_of_equal_clusters_is_the_jackknife(make, agree):
    heads, names = make(), [i // 3 for i in range(12)]
    expected = [slow.jackknifed(t.population.gradients, names) for t in twins(heads)]
    agree(clustered_gsnr(heads, names).flatten(), expected, rtol=1e-8)


def test_a_module_has_the_same_gsnr_of_clusters(agree):
    heads, names = network(), NAMES["several sizes"]
    g = heads.on(torch.arange(12)[:, None]).gradient().numpy()
    agree(clustered_gsnr(heads, names), slow.clustered(g, names), rtol=1e-8)


def test_several_data_sets_are_clustered_at_once(agree):
    x, y = rows(12, 4)
    both, names = torch.stack([x, 2 * x + 1]), NAMES["several sizes"]
    for name, point in (("heads", torch.randn(2, 3, 4).double()), ("one head", torch.randn(2, 4).double())):
        heads = sweeping_likelihood(both, y, point)
        for k in range(2):
            alone = sweeping_likelihood(both[k], y, point[k])
            agree(clustered_gsnr(heads, names)[k], clustered_gsnr(alone, names), rtol=1e-8), name


def sweeping_likelihood(x, y, point):
    from corit.theory.likelihood import logistic

    return logistic(x, y.expand(x.shape[:-1]), point)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_heads_without_the_common_mean_are_the_same_heads(make, agree):
    """The logits stay, and a row's gradient is that by the weights of rows less their mean."""
    heads = make()
    less = heads.centred()
    agree(less.logits, heads.logits, rtol=1e-12)
    for there, here in zip(twins(less), twins(heads), strict=True):
        agree(np.mean(there.x, 0)[:4] * (np.ptp(there.x, 0)[:4] > 0), 0, atol=1e-12)
        agree(there.population.loss, here.population.loss, rtol=1e-12)
    agree(moments(less).gsnr.flatten(), [t.population.gsnr for t in twins(less)], rtol=1e-8)


def test_a_head_without_bias_keeps_its_logits_too(agree):
    x, y = rows(12, 4)
    heads = sweeping_likelihood(x + 3, y, torch.randn(4).double())
    less = heads.centred()
    agree(less.logits, heads.logits)
    q = heads.residual.numpy()
    g = q[:, None] * (x - x.mean(0)).numpy()
    agree(moments(less).gsnr, g.mean(0) @ g.mean(0) / g.var(0).sum(), rtol=1e-9)
    assert isinstance(less, Logistic)


def paired(pairs=60, width=30, shift=0.5, common=5.0, seed=0):
    """Pairs of a real and its fake, which is the real moved a little: (2 pairs, width), labels and groups."""
    rng = generator("paired", seed)
    picture = rng.normal(size=(pairs, 1, width)) + common / width**0.5
    x = np.repeat(picture, 2, 1) + 0.1 * rng.normal(size=(pairs, 2, width))
    x[:, 1, 0] += shift
    return x.reshape(-1, width), np.tile([0, 1], pairs), np.repeat(np.arange(pairs), 2)


def paired_problem(groups=True, seed=0, **shape):
    x, y, names = paired(seed=seed, **shape)
    same = Standardiser(torch.zeros(x.shape[1]), torch.ones(x.shape[1]))
    rows = TensorRows(torch.tensor(x))
    return Problem(rows, y, rows, y, same, names if groups else None)


def course_of(problems, recipe, **options):
    watch, heads = Watch(problems, recipe, len(SEEDS), len(RHOS), **options), {}

    def observe(o):
        watch(o)
        for g, (p, s) in enumerate(o.lanes.tolist()):
            for r in range(len(RHOS)):
                parts = [o.weight, o.bias] + ([o.top, o.top_bias] if o.top is not None else [])
                heads[o.step, p, s, r] = np.concatenate([t[g, r].numpy().ravel() for t in parts])

    train = {"rhos": RHOS, "seeds": SEEDS, "steps": 9, "observe_at": every(4), "dtype": torch.float64}
    fit(problems, recipe, observer=observe, **train)
    return watch.course(), heads


@pytest.mark.parametrize("rows", [None, 44], ids=["all rows", "fewer rows"])
@pytest.mark.parametrize("recipe", [LINEAR, PERCEPTRON], ids=["linear", "perceptron"])
def test_courses_hold_the_loops_values_at_every_step(recipe, rows, agree):
    problem = paired_problem(width=5)
    course, heads = course_of([problem], recipe, rows=rows)
    index = watched(120, rows, 0, problem.groups)
    assert course.clusters.tolist() == [len(index) // 2]
    assert course.rows.tolist() == [len(index)]
    x, y, names = problem.train.values.numpy()[index], problem.labels[index], problem.groups[index].tolist()
    mean, m = x.mean(0), 3
    for (step, p, s, r), head in heads.items():
        at, less = (step // 4, p, s, r), head.copy()
        if recipe.kind == "linear":
            logit, one = slow.linear, np.ones((len(x), 1))
            raw, centred = np.hstack([x, one]), np.hstack([x - mean, one])
            less[-1] += head[:-1] @ mean
        else:
            logit, raw, centred = slow.perceptron(m), x, x - mean
            less[5 * m : 6 * m] += head[: 5 * m].reshape(m, 5) @ mean
        whole, moved = (slow.population(logit, w, z, y) for w, z in ((head, raw), (less, centred)))
        agree(course.clustered[at], slow.clustered(whole.gradients, names), rtol=1e-7)
        agree(course.centred[at], moved.gsnr, rtol=1e-7)
        agree(course.centred_clustered[at], slow.clustered(moved.gradients, names), rtol=1e-7)
        single = slow.clustered(moved.gradients, list(range(len(x))))
        agree(course.estimate("corrected", centred=True)[at], single, rtol=1e-6, atol=1e-9)


def test_on_pairs_corrected_is_negative_and_clustered_is_not():
    """Before training; what takes rows as independent is below zero in all draws, what knows the pairs in none."""
    first = []
    for seed in range(20):
        course, _ = course_of([paired_problem(seed=seed, common=0.0, shift=0.35)], LINEAR)
        first.append([course.corrected[0, 0, 0, 0], course.clustered[0, 0, 0, 0]])
    corrected, clustered = np.array(first).T
    assert (corrected < 0).all()
    assert (clustered > 0).all()


def test_the_default_estimator_is_by_groups_where_they_are_known():
    known, unknown = paired_problem(), paired_problem(groups=False)
    course, _ = course_of([known, unknown], LINEAR)
    assert course.clusters.tolist() == [60, 0]
    assert np.array_equal(course.estimate(), course.clustered)
    assert np.array_equal(course.estimate("corrected"), course.corrected)
    assert np.array_equal(course.estimate("plain"), course.gsnr)
    assert np.array_equal(course.estimate("plain", centred=True), course.centred)
    assert np.array_equal(course.estimate(centred=True), course.centred_clustered)
    assert np.array_equal(course.clustered[:, 1], course.corrected[:, 1])
    assert (course.clustered[:, 0] > course.corrected[:, 0]).all()
    apart = joined([course_of([p], LINEAR)[0] for p in (known, unknown)])
    assert apart.clusters.tolist() == [60, 0]
    np.testing.assert_allclose(apart.clustered, course.clustered, rtol=1e-6)
    with pytest.raises(FitError, match="plain, corrected or clustered, got 'best'"):
        course.estimate("best")


def test_groups_change_neither_heads_nor_what_was_measured_before():
    with_groups, without = (course_of([paired_problem(groups)], LINEAR) for groups in (True, False))
    for name in ("loss", "gradient", "gsnr", "corrected", "centred", "lambda_max", "trace_h", "trace_r"):
        assert np.array_equal(getattr(with_groups[0], name), getattr(without[0], name)), name


def test_whole_groups_are_drawn_where_enough_of_them_fit():
    pairs, videos = np.repeat(np.arange(100), 2), np.repeat(np.arange(4), 50)
    index = watched(200, 81, 0, pairs)
    assert len(index) == 80
    assert (np.bincount(pairs[index])[np.unique(pairs[index])] == 2).all()
    assert LEAST_CLUSTERS > 2
    few = watched(200, 81, 0, videos)
    assert len(few) == 81
    assert set(videos[few]) == {0, 1, 2, 3}
    assert watched(200, 200, 0, pairs).tolist() == list(range(200))


def test_numbers_of_clusters_do_not_depend_on_their_names():
    assert numbered(np.array(["b", "a", "b", "c"])) == numbered([7, 3, 7, 1]) == [0, 1, 0, 2]
    by = clusters_of(["b", "a", "b", "c"])
    assert by.count == 3
    assert by.sizes.tolist() == [2, 1, 2, 1]
    assert [m.tolist() for m in by.members] == [[[1], [3]], [[0, 2]]]


def test_one_group_alone_has_nothing_to_compare_with():
    with pytest.raises(FitError, match="expected at least two clusters, got 1 among 120 rows"):
        Watch([replace(paired_problem(), groups=np.zeros(120))], LINEAR, 1, 1)


def test_groups_that_do_not_fit_are_refused():
    x, y, names = paired()
    rows = TensorRows(torch.tensor(x))
    with pytest.raises(FitError, match="expected a group for each of 120 training rows, got 119"):
        standardised_problem(rows, y, rows, y, LINEAR, groups=names[1:])


def swept(folder, groups, watch):
    x, y, names = paired()
    part = (TensorRows(torch.tensor(x)), y)
    one = task(1, "A", part, part, part, LINEAR, groups=names if groups else None)
    return sweep([one], LINEAR, (0.0, 0.1), (1,), steps=9, refine=0, watch=watch, folder=folder)


def test_kept_parts_of_a_sweep_depend_on_groups_only_where_watched(tmp_path):
    kept = {}
    for groups in (False, True):
        for watch in (None, Watching(3)):
            folder = tmp_path / f"{groups}{watch is None}"
            swept(folder, groups, watch)
            kept[groups, watch is None] = next(folder.iterdir()).name
    assert kept[True, True] == kept[False, True]
    assert kept[True, False] != kept[False, False]


def test_kept_parts_of_earlier_versions_are_read(tmp_path):
    """They hold no estimate by groups and none without the common mean."""
    from safetensors.numpy import load_file, save_file

    now = swept(tmp_path, False, Watching(3)).course
    path = next(tmp_path.iterdir())
    new = ("clustered", "centred", "centred_clustered", "clusters")
    save_file({k: v for k, v in load_file(path).items() if k not in new}, path)
    course = swept(tmp_path, False, Watching(3)).course
    assert np.array_equal(course.gsnr, now.gsnr)
    assert np.array_equal(course.clustered, now.corrected)
    assert course.clusters.tolist() == [0]
    assert np.isnan(course.centred).all()
    assert np.isnan(course.centred_clustered).all()
