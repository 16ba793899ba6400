from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from reference import theory as slow

from corit.errors import FitError
from corit.heads.fit import fit
from corit.heads.head import HeadRecipe
from corit.heads.problem import Problem
from corit.heads.rows import Standardiser, TensorRows
from corit.seeding import generator
from corit.theory.decomposition import decompose
from corit.theory.perceptron import perceptron
from corit.theory.watch import QUANTITIES, Watch, every, joined, watched

LINEAR = HeadRecipe(batch=8, select="last", learning_rate=0.3)
PERCEPTRON = HeadRecipe(kind="mlp", hidden=3, batch=8, select="last", learning_rate=0.1)
RECIPES = {"linear": LINEAR, "relu": PERCEPTRON, "identity": replace(PERCEPTRON, activation="identity")}
RHOS, SEEDS = (0.0, 0.3), (2, 5)


def made(seed=0, n=40, d=5):
    rng = generator("watch test", seed)
    x = rng.normal(size=(n, d))
    y = (x[:, 0] + rng.normal(size=n) > 0).astype(int)
    same = Standardiser(torch.zeros(d), torch.ones(d))
    rows = TensorRows(torch.tensor(x))
    return Problem(rows, y, rows, y, same)


def watch(problems, recipe, steps=13, interval=4, budget=2**20, **asked):
    seen = Watch(problems, recipe, len(SEEDS), len(RHOS), **asked)
    heads = {}

    def observe(o):
        seen(o)
        for g, (p, s) in enumerate(o.lanes.tolist()):
            parts = [o.weight, o.bias] + ([o.top, o.top_bias] if o.top is not None else [])
            for r in range(len(RHOS)):
                heads[o.step, p, s, r] = np.concatenate([t[g, r].numpy().ravel() for t in parts])

    fit(
        problems,
        recipe,
        rhos=RHOS,
        seeds=SEEDS,
        steps=steps,
        observer=observe,
        observe_at=every(interval),
        dtype=torch.float64,
        budget=budget,
    )
    return seen.course(), heads


def population(head, problem, recipe, index):
    x, y = problem.train.values.numpy()[index], problem.labels[index]
    if recipe.kind == "linear":
        return slow.population(slow.linear, head, np.column_stack([x, np.ones(len(x))]), y)
    return slow.population(slow.perceptron(recipe.hidden, recipe.activation == "relu"), head, x, y)


@pytest.mark.parametrize("kind", RECIPES)
@pytest.mark.parametrize("rows", [None, 20, 4], ids=["all rows", "fewer rows", "fewer rows than features"])
def test_every_quantity_equals_the_slow_one_along_real_trajectories(kind, rows, agree):
    recipe, problems = RECIPES[kind], [made(1), made(2)]
    course, heads = watch(problems, recipe, rows=rows, tolerance=1e-9)
    assert course.steps.tolist() == [0, 4, 8, 12]
    assert course.rows.tolist() == [rows or 40] * 2
    index = watched(40, rows, 0)
    for (step, p, s, r), head in heads.items():
        at = (step // 4, p, s, r)
        exact = population(head, problems[p], recipe, index)
        noise, n = np.trace(exact.covariance), len(index)
        agree(course.loss[at], exact.loss)
        agree(course.gradient[at], np.linalg.norm(exact.mean), rtol=1e-7)
        agree(course.gsnr[at], exact.gsnr, rtol=1e-7)
        unbiased = noise * n / (n - 1)
        agree(course.corrected[at], (exact.mean @ exact.mean - unbiased / n) / unbiased, rtol=1e-6)
        agree(course.trace_h[at], np.trace(exact.hessian), rtol=1e-8)
        agree(course.trace_r[at], np.trace(exact.misfit), rtol=1e-8)
        agree(course.lambda_max[at], exact.lambda_max, rtol=1e-7)
        agree(course.ratio[at], exact.radius, rtol=1e-7)
        for name, factor in zip(("geometric", "misspecification", "statistical"), exact.factors, strict=True):
            agree(course.factors[name][at], factor, rtol=1e-6)
    assert course.residual.max() < 1e-8


@pytest.mark.parametrize("activation", ["relu", "identity"])
def test_rows_in_their_own_basis_give_the_same_measures(activation, agree):
    """A perceptron on 12 watched rows of width 70, at steps of its training: the basis only saves work."""
    recipe, p, plain = replace(PERCEPTRON, activation=activation), made(3, n=40, d=70), {}
    index = watched(40, 12, 0)
    x, y = p.train.values[index], torch.from_numpy(p.labels[index]).double()
    seen = Watch([p], recipe, len(SEEDS), len(RHOS), rows=12, tolerance=1e-9)

    def observe(o):
        seen(o)
        plain[o.step] = perceptron(x, y, o.weight, o.bias, o.top, o.top_bias, activation)
        found, direct = decompose(plain[o.step], tolerance=1e-9), plain[o.step].loss().numpy()
        at = o.step // 5
        course = seen.course()
        agree(course.loss[at, 0], direct, rtol=1e-12)
        agree(course.gradient[at, 0], found.signal.sqrt(), rtol=1e-11)
        agree(course.gsnr[at, 0], found.gsnr, rtol=1e-10)
        agree(course.corrected[at, 0], found.corrected, rtol=1e-9)
        agree(course.trace_h[at, 0], found.hessian, rtol=1e-11)
        agree(course.trace_r[at, 0], found.misfit, rtol=1e-10)
        agree(course.lambda_max[at, 0], found.largest.value, rtol=1e-9)
        agree(course.ratio[at, 0], found.ratio, rtol=1e-9)

    fit([p], recipe, rhos=RHOS, seeds=SEEDS, steps=16, observer=observe, observe_at=every(5), dtype=torch.float64)
    assert seen.designs[0][0].z.shape == (12, 12)
    assert sorted(plain) == [0, 5, 10, 15]


def test_watched_rows_are_seeded_distinct_and_in_order():
    drawn = [watched(40, 10, seed) for seed in (0, 1)]
    for index in drawn:
        assert index.tolist() == sorted(set(index.tolist()))
        assert len(index) == 10
        assert 0 <= index.min() <= index.max() < 40
    assert not np.array_equal(*drawn)
    assert np.array_equal(watched(40, 10, 1), drawn[1])
    assert watched(40, None, 1).tolist() == list(range(40))


def test_watching_does_not_change_the_heads(agree):
    problems = [made()]
    plain = fit(problems, LINEAR, rhos=RHOS, seeds=SEEDS, steps=9, dtype=torch.float64)
    seen = Watch(problems, LINEAR, 2, 2)
    again = fit(problems, LINEAR, rhos=RHOS, seeds=SEEDS, steps=9, dtype=torch.float64, observer=seen)
    assert torch.equal(plain.weight, again.weight)
    assert seen.course().steps.tolist() == list(range(9))


@pytest.mark.parametrize("kind", ["linear", "relu"])
def test_neither_groups_nor_threads_change_what_is_seen(kind, agree):
    problems, threads = [made(1), made(2), made(3)], torch.get_num_threads()
    whole, _ = watch(problems, RECIPES[kind], tolerance=1e-9)
    torch.set_num_threads(2)
    try:
        parts, _ = watch(problems, RECIPES[kind], tolerance=1e-9, budget=1)
    finally:
        torch.set_num_threads(threads)
    for name in QUANTITIES:
        if name != "residual":
            agree(getattr(whole, name), getattr(parts, name), rtol=1e-7)


def test_problems_of_several_lengths_are_watched_whole():
    course, _ = watch([made(1, n=40), made(2, n=31)], LINEAR)
    assert course.rows.tolist() == [40, 31]
    assert np.isfinite(course.gsnr).all()


def test_a_loose_tolerance_costs_the_eigenvalue_its_square():
    problems = [made()]
    loose, _ = watch(problems, PERCEPTRON, tolerance=1e-2)
    tight, _ = watch(problems, PERCEPTRON, tolerance=1e-10)
    assert loose.residual.max() <= 1e-2
    assert np.abs(loose.lambda_max / tight.lambda_max - 1).max() < 1e-3


@pytest.mark.parametrize("kind", RECIPES)
def test_a_head_that_diverged_is_not_a_number_and_the_others_are_seen(kind):
    problems, recipe = [made()], RECIPES[kind]
    seen = Watch(problems, recipe, 2, 2)

    def observe(o):
        weight = o.weight.clone()
        if o.step == 1:
            weight[0, 1] = torch.nan
        seen(replace(o, weight=weight))

    fit(problems, recipe, rhos=RHOS, seeds=SEEDS, steps=3, observer=observe, dtype=torch.float64)
    course = seen.course()
    for name in QUANTITIES:
        expected = np.zeros((3, 1, 2, 2), bool)
        expected[1, 0, 0, 1] = True
        assert np.array_equal(np.isnan(getattr(course, name)), expected), name
    assert np.isnan(course.ratio[1, 0, 0, 1])


def test_courses_join_in_the_order_of_their_problems():
    problems = [made(1), made(2)]
    whole, _ = watch(problems, LINEAR)
    both = joined([watch([p], LINEAR)[0] for p in problems])
    for name in QUANTITIES:
        np.testing.assert_allclose(getattr(both, name), getattr(whole, name), rtol=1e-6)
    assert both.rows.tolist() == [40, 40]


def test_the_watched_rows_are_drawn_once_without_repetition():
    index = watched(100, 30, 3)
    assert len(set(index.tolist())) == 30
    assert np.array_equal(index, watched(100, 30, 3))
    assert not np.array_equal(index, watched(100, 30, 4))


@pytest.mark.parametrize("rows", [1, 41])
def test_more_rows_than_there_are_cannot_be_watched(rows):
    with pytest.raises(FitError, match="watch 2 to 40 training rows"):
        Watch([made()], LINEAR, 1, 1, rows=rows)
