from __future__ import annotations

import hashlib
import json
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from reference import heads as pairs
from reference import sweep as slow

from corit.errors import FitError
from corit.heads import fit as fitting
from corit.heads.fit import fit, fit_each
from corit.heads.head import HeadRecipe
from corit.heads.rows import TensorRows
from corit.heads.start import initial_parameters
from corit.seeding import generator
from corit.theory import sweep as sweeping
from corit.theory.collapse import collapses
from corit.theory.floors import floors
from corit.theory.sweep import Task, Watching, sweep, task
from corit.theory.watch import QUANTITIES

LINEAR = HeadRecipe(batch=8, select="last", learning_rate=0.5)
PERCEPTRON = HeadRecipe(kind="mlp", hidden=4, batch=8, select="last", learning_rate=0.3)
RECIPES = {"linear": LINEAR, "perceptron": PERCEPTRON, "plain": replace(PERCEPTRON, momentum=0.0)}
RHOS, SEEDS, STEPS = (0.0, 0.05, 0.7), (3, 11), 15
ASKED = {"steps": STEPS, "refine": 2, "dtype": torch.float64}


def rows(layer, group, part, n=45, d=6):
    rng = generator("sweep test", layer, group, part)
    x = rng.normal(size=(n, d))
    y = np.arange(n) % 2
    x[:, layer] += 2 * y
    return TensorRows(torch.tensor(x)), y


def made(layer, group, recipe=LINEAR, d=6):
    return task(layer, group, *(rows(layer, group, part, d=d) for part in ("train", "val", "test")), recipe)


def tasks(recipe=LINEAR):
    return [made(layer, group, recipe) for layer in (0, 1) for group in ("A", "B")]


def one_by_one(t, recipe, seed, rho, steps=STEPS):
    start = [p[0] for p in initial_parameters([seed], 1, t.problem.train.width, recipe, torch.float64)]
    module = slow.network(recipe.kind, [start[0], start[1], *(p[0] for p in start[2:])])
    index = slow.batches(seed, len(t.problem.train), recipe.batch, steps)
    y = torch.from_numpy(t.problem.labels).double()
    return slow.train(module, t.problem.train.values, y, index, rho, recipe.learning_rate, recipe.momentum)


@pytest.mark.parametrize("kind", RECIPES)
def test_a_sweep_equals_the_loop_over_single_heads(kind, agree):
    recipe = RECIPES[kind]
    found = sweep(tasks(recipe), recipe, RHOS, SEEDS, **ASKED)
    for p, t in enumerate(tasks(recipe)):
        for s, seed in enumerate(SEEDS):
            for r, rho in enumerate(RHOS):
                module = one_by_one(t, recipe, seed, rho)
                head = found.head(p, s, r)
                parts = [head.weight, head.bias] + ([head.top, head.top_bias] if head.top is not None else [])
                flat = np.concatenate([q.numpy().ravel() for q in parts])
                agree(flat, slow.parameters(module), rtol=1e-9, atol=1e-9)
                scores = module(t.test.values)[:, 0].detach().numpy()
                agree(found.auc[p, s, r], pairs.auc(t.test_labels, scores))
                scores = module(t.problem.valid.values)[:, 0].detach().numpy()
                agree(found.valid_auc[p, s, r], pairs.auc(t.problem.valid_labels, scores))


@pytest.mark.parametrize("kind", RECIPES)
def test_rows_at_rho_zero_are_plain_sgd_to_the_bit(kind, monkeypatch):
    """The same products with the ascent taken out of the code: no radius, no Gram matrix, no second pass."""
    recipe, problems = RECIPES[kind], [t.problem for t in tasks(RECIPES[kind])]
    mixed = fit(problems, recipe, rhos=(0.0, 0.0, 0.7), seeds=SEEDS, steps=STEPS)

    def refuse(*parts):
        raise AssertionError("plain SGD has no ascent")

    monkeypatch.setattr(fitting, "sam_residual", refuse)
    alone = fit(problems, recipe, rhos=(0.0, 0.0, 0.0), seeds=SEEDS, steps=STEPS)
    assert torch.equal(mixed.weight[:, :, :2], alone.weight[:, :, :2])
    assert torch.equal(mixed.bias[:, :, :2], alone.bias[:, :, :2])
    assert not torch.equal(mixed.weight[:, :, 2], alone.weight[:, :, 2])


@pytest.mark.parametrize("kind", ["linear", "perceptron"])
def test_single_heads_with_radii_of_their_own_equal_those_of_the_grid(kind, agree):
    recipe, problems = RECIPES[kind], [t.problem for t in tasks(RECIPES[kind])]
    grid = fit(problems, recipe, rhos=RHOS, seeds=SEEDS, steps=STEPS, dtype=torch.float64)
    asked = [(3, 0, 2), (0, 1, 1), (0, 0, 0)]
    heads = [(p, SEEDS[s], RHOS[r]) for p, s, r in asked]
    parts = fit_each(problems, recipe, heads, steps=STEPS, dtype=torch.float64)
    for i, (p, s, r) in enumerate(asked):
        for part, all_of_it in zip(parts, (grid.weight, grid.bias, grid.top, grid.top_bias), strict=False):
            agree(part[i], all_of_it[p, s, r])


def test_mini_batches_are_shared_by_radii_and_layers_and_not_by_seeds():
    seen = {}

    def observe(o):
        for g, (p, s) in enumerate(o.lanes.tolist()):
            seen[p, s] = o.batch[g].clone()

    layers = [made(0, "A"), replace(made(0, "A"), layer=1)]
    fit([t.problem for t in layers], LINEAR, rhos=RHOS, seeds=SEEDS, steps=1, observer=observe)
    assert torch.equal(seen[0, 0], seen[1, 0])
    assert not torch.equal(seen[0, 0], seen[0, 1])


def test_the_refined_radius_is_that_of_heads_trained_one_by_one():
    """A perceptron that learns and collapses: bisection by retraining, against single heads."""
    recipe = replace(PERCEPTRON, hidden=3)
    t, rhos, rounds = made(0, "A", recipe), (0.01, 0.1, 100.0), 3
    found = sweep([t], recipe, rhos, SEEDS, steps=60, refine=rounds, dtype=torch.float64)
    inside = [s for s in range(2) if found.collapse[0].radius[s].censoring == ""]
    assert inside, "the case must show a collapse"
    for s in inside:

        def area(rho, seed=SEEDS[s]):
            scores = one_by_one(t, recipe, seed, rho, steps=60)(t.test.values)[:, 0].detach().numpy()
            return pairs.auc(t.test_labels, scores)

        k = next(k for k in range(3) if found.auc[0, s, k] < 0.55)
        held, gone = rhos[k - 1], rhos[k]
        for _ in range(rounds):
            middle = (held * gone) ** 0.5
            held, gone = (middle, gone) if area(middle) >= 0.55 else (held, middle)
        assert found.collapse[0].radius[s].value == pytest.approx(gone)


def test_bisection_retrains_each_head_from_its_own_seed(monkeypatch):
    """What is asked of a seed and a radius is what the seed's own head, alone, would have there."""
    recipe, rhos, seeds, asked = replace(PERCEPTRON, hidden=3), (0.01, 0.1, 100.0), (7, 3, 11), []

    def watched(problems, recipe, heads, **options):
        asked.extend(heads)
        return fit_each(problems, recipe, heads, **options)

    monkeypatch.setattr(sweeping, "fit_each", watched)
    found = sweep([made(0, "A", recipe)], recipe, rhos, seeds, steps=60, refine=2, dtype=torch.float64)
    inside = {seeds[s] for s, r in enumerate(found.collapse[0].radius) if r.censoring == ""}
    assert inside, "the case must show a collapse"
    assert {seed for _, seed, _ in asked} == inside
    assert len(asked) == 2 * len(inside)


def same(a, b):
    assert np.array_equal(a.auc, b.auc)
    assert np.array_equal(a.valid_auc, b.valid_auc)
    assert a.collapse == b.collapse
    for x, y in zip(a.heads, b.heads, strict=True):
        for f in fields(x):
            left, right = getattr(x, f.name), getattr(y, f.name)
            assert (left is None and right is None) or torch.equal(left, right)
    for name in (*QUANTITIES, "steps", "rows"):
        assert np.array_equal(getattr(a.course, name), getattr(b.course, name)), name


@pytest.mark.parametrize("kind", ["linear", "perceptron"])
def test_an_interrupted_sweep_goes_on_where_it_was(kind, tmp_path, monkeypatch):
    recipe, asked = RECIPES[kind], ASKED | {"watch": Watching(5)}
    monkeypatch.setattr(sweeping, "CHUNK", 1)  # a task at a time
    whole = sweep(tasks(recipe), recipe, RHOS, SEEDS, **asked)

    def interrupt(done, total):
        if done > STEPS:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(tasks(recipe), recipe, RHOS, SEEDS, **asked, folder=tmp_path / "kept", progress=interrupt)
    kept = sorted((tmp_path / "kept").iterdir())
    assert [p.suffix for p in kept] == [".safetensors"]
    trained = []
    monkeypatch.setattr(sweeping, "fit", lambda problems, *a, **k: trained.append(problems) or fit(problems, *a, **k))
    again = sweep(tasks(recipe), recipe, RHOS, SEEDS, **asked, folder=tmp_path / "kept")
    assert len(trained) == 3
    same(whole, again)
    same(whole, sweep(tasks(recipe), recipe, RHOS, SEEDS, **asked, folder=tmp_path / "kept"))
    assert len(trained) == 3
    assert len(list((tmp_path / "kept").iterdir())) == 4


CHANGES = {
    "rhos": lambda a: a | {"rhos": (0.0, 0.06, 0.7)},
    "seeds": lambda a: a | {"seeds": (3, 12)},
    "steps": lambda a: a | {"steps": 14},
    "refine": lambda a: a | {"refine": 1},
    "watch": lambda a: a | {"watch": Watching(4)},
    "recipe": lambda a: a | {"recipe": replace(LINEAR, momentum=0.8)},
    "rows": lambda a: a | {"tasks": [made(1, "A")]},
    "test labels": lambda a: a | {"tasks": [replace(made(0, "A"), test_labels=1 - made(0, "A").test_labels)]},
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_was_kept_is_not_used_for_anything_else(name, tmp_path):
    asked = {
        "tasks": [made(0, "A")],
        "recipe": LINEAR,
        "rhos": RHOS,
        "seeds": SEEDS,
        "steps": STEPS,
        "folder": tmp_path,
    }
    sweep(**asked)
    sweep(**asked)
    assert len(list(tmp_path.iterdir())) == 1
    sweep(**CHANGES[name](asked))
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("chunk", [1, 2**29])
def test_tasks_of_several_widths_and_chunks_keep_their_order(chunk, monkeypatch, agree):
    mixed = [made(0, "A"), made(0, "wide", d=9), made(1, "A"), made(1, "wide", d=9)]
    monkeypatch.setattr(sweeping, "CHUNK", chunk)
    found = sweep(mixed, LINEAR, RHOS, SEEDS, **ASKED, watch=Watching(5))
    for p, t in enumerate(mixed):
        alone = sweep([t], LINEAR, RHOS, SEEDS, **ASKED, watch=Watching(5))
        agree(found.auc[p], alone.auc[0])
        assert found.course.gsnr.shape == (3, 4, 2, 3)
        for name in QUANTITIES:
            agree(getattr(found.course, name)[:, p], getattr(alone.course, name)[:, 0], rtol=1e-6)
        assert found.collapse[p] == alone.collapse[0]
        assert found.head(p, 1, 2).weight.shape[1] == t.problem.train.width
        agree(found.head(p, 1, 2).weight, alone.head(0, 1, 2).weight)


def test_progress_rises_to_its_total(monkeypatch):
    monkeypatch.setattr(sweeping, "CHUNK", 1)
    told = []
    sweep(tasks(), LINEAR, RHOS, SEEDS, **ASKED, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (4 * STEPS, 4 * STEPS)
    assert told == sorted(told)


def test_plain_sgd_can_be_swept_alone_where_no_collapse_is_looked_for(agree):
    found = sweep([made(0, "A")], LINEAR, (0.0,), SEEDS, steps=60, refine=0)
    beside = sweep([made(0, "A")], LINEAR, RHOS, SEEDS, steps=60, refine=0)
    agree(found.auc[0, :, 0], beside.auc[0, :, 0])
    assert [str(r) for r in found.collapse[0].radius] == ["> 0", "> 0"]


def test_epochs_of_the_recipe_are_the_steps_unless_asked():
    assert sweep([made(0, "A")], replace(LINEAR, epochs=2), (0.1,), (0,)).steps == 2 * (45 // 8)


def with_nan(t, part):
    values = rows(0, "A", "train")[0].values.clone()
    values[7, 2] = torch.nan
    bad = TensorRows(values)
    if part == "test":
        return replace(t, test=bad)
    return replace(t, problem=replace(t.problem, **{part: bad}))


def ask(changed=None, recipe=LINEAR, rhos=RHOS, seeds=SEEDS, **more):
    return lambda: sweep([made(1, "B"), made(0, "A") if changed is None else changed], recipe, rhos, seeds, **more)


BAD = {
    "no radii": (ask(rhos=()), "a list of radii rho, got none"),
    "only zero": (ask(rhos=(0.0,)), "a radius above 0 to look for a collapse"),
    "negative": (ask(rhos=(-0.1, 0.1)), "finite radii rho >= 0"),
    "unsorted": (ask(rhos=(0.1, 0.05)), "increasing radii"),
    "twice": (ask(rhos=(0.1, 0.1)), "none of them twice"),
    "no seeds": (ask(seeds=()), "tasks and seeds to sweep over"),
    "seeds twice": (ask(seeds=(1, 1)), "distinct seeds"),
    "no tasks": (lambda: sweep([], LINEAR, RHOS, SEEDS), "0 tasks"),
    "batch": (ask(recipe=replace(LINEAR, batch=46)), "layer 1, B: expected at least one mini-batch of 46 rows, got 45"),
    "steps": (ask(steps=-1), "steps >= 1"),
    "refine": (ask(refine=-1), "refine >= 0"),
    "watch rows": (ask(watch=Watching(5, 46)), "on 2 to 45 training rows"),
    "watch every": (ask(watch=Watching(0)), "every >= 1 steps"),
    "NaN train": (lambda: ask(with_nan(made(0, "A"), "train"))(), "layer 0, A: expected finite training features"),
    "NaN valid": (lambda: ask(with_nan(made(0, "A"), "valid"))(), "finite validation features"),
    "NaN test": (lambda: ask(with_nan(made(0, "A"), "test"))(), "finite test features"),
    "one class": (
        lambda: replace(made(0, "A"), test_labels=np.ones(45, int)),
        "reals .0. and fakes .1. among the test",
    ),
    "labels": (lambda: replace(made(0, "A"), test_labels=np.arange(9) % 2), "one label for each test row"),
    "width": (lambda: replace(made(0, "A"), test=rows(0, "A", "test", d=9)[0]), "test rows of width 6, got 9"),
    "no heads": (lambda: fit_each([made(0, "A").problem], LINEAR, []), "at least one head"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_in_words_before_any_work(name, monkeypatch):
    monkeypatch.setattr(sweeping, "fit", None)  # whoever trains before looking fails here
    act, words = BAD[name]
    with pytest.raises(FitError, match=words):
        act()


def test_a_task_is_what_its_rows_say():
    found = made(1, "B")
    assert isinstance(found, Task)
    assert found.name == "layer 1, B"
    raw = rows(1, "B", "test")[0].values
    assert torch.allclose(found.test.values, found.problem.standardiser(raw))


def test_a_sweep_has_the_floors_of_its_tasks_and_the_radii_relative_to_them():
    found = sweep(tasks(), LINEAR, RHOS, SEEDS, **ASKED)
    expected = []
    for t in tasks():
        p = t.problem
        expected.append(floors(p.train, p.labels, t.test, t.test_labels, (p.valid, p.valid_labels)))
    assert found.floors == tuple(expected)
    assert found.relative == collapses(RHOS, found.auc, _radius(found), expected)
    assert [c.radius for c in found.relative] == [c.radius for c in found.collapse]


def _radius(found):
    """The refined radii of a sweep, as `collapses` takes them."""
    each = [[r.value if r.censoring == "" else np.nan for r in c.radius] for c in found.collapse]
    return np.array(each)


def test_floors_wait_until_they_are_read(monkeypatch):
    called = []
    real = sweeping.floors
    monkeypatch.setattr(sweeping, "floors", lambda *a: called.append(1) or real(*a))
    found = sweep(tasks()[:2], LINEAR, RHOS, SEEDS, **ASKED)
    assert not called
    assert found.floors == found.floors == tuple(t.floors for t in found.tasks)
    assert len(called) == 2


def test_kept_parts_of_raw_features_have_the_name_they_always_had(tmp_path):
    """The digest holds the text "none" of earlier versions, so that their parts are read and not made again."""
    recipe = replace(LINEAR, scaling="raw")
    t = made(0, "A", recipe)
    sweep([t], recipe, RHOS, SEEDS, **ASKED, folder=tmp_path)
    settings = {
        "recipe": {f.name: getattr(recipe, f.name) for f in fields(recipe)} | {"scaling": "none"},
        **{"rhos": RHOS, "seeds": SEEDS, "steps": STEPS, "watch": None, "refine": 2, "dtype": "float64"},
    }
    digest = hashlib.sha256(json.dumps([2, settings], sort_keys=True).encode())
    for table, y in (
        (t.problem.train, t.problem.labels),
        (t.problem.valid, t.problem.valid_labels),
        rows(0, "A", "test"),
    ):
        digest.update(b"45 6 " + y.astype(np.int8).tobytes() + table.values.numpy().tobytes())
    assert [p.stem for p in tmp_path.iterdir()] == [digest.hexdigest()]
