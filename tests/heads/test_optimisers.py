"""Each optimiser's steps against torch.optim's own, one head at a time, with gradients that are summed row by row."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from reference import heads as slow

from corit.errors import FitError
from corit.heads.attention import AttentionHead, fit_module
from corit.heads.fit import fit
from corit.heads.head import HeadRecipe
from corit.heads.problem import Problem
from corit.heads.rows import Standardiser, TensorRows
from corit.heads.start import initial_parameters
from corit.seeding import generator

RHOS, SEEDS, STEPS = (0.0, 0.05, 0.7), (3, 5), 12
LINEAR = HeadRecipe(batch=8, select="last", learning_rate=0.1)
RELU = HeadRecipe(kind="mlp", hidden=4, batch=8, select="last", learning_rate=0.1)
KINDS = {"linear": LINEAR, "perceptron": RELU, "identity": replace(RELU, activation="identity")}


def task(seed, n=45, width=5, gap=0.0):
    """Rows of which the first numbers tell the label, and as many validation rows."""
    rng = generator("optimisers", seed)
    x, y = torch.tensor(rng.normal(size=(2 * n, width))), np.arange(2 * n) % 2
    x[:, 0] += torch.from_numpy(gap * y)
    same = Standardiser(torch.zeros(width), torch.ones(width))
    return Problem(TensorRows(x[n:]), y[n:], TensorRows(x[:n]), y[:n], same)


def mini_batches(given, seed, size):
    """Rows and labels of each step, written from the definition: a permutation each epoch, whole mini-batches only."""
    per_epoch = len(given.train) // size
    for step in range(STEPS):
        epoch, k = divmod(step, per_epoch)
        index = generator("batches", seed, epoch).permutation(len(given.train))[k * size : (k + 1) * size]
        yield given.train.values.numpy()[index], given.labels[index]


def one_by_one(given, recipe, seed, rho, make):
    """The parameters before each step of one head: [weight, bias, top, top bias], as `make`'s optimiser moves them."""
    start = initial_parameters([seed], 1, given.train.width, recipe, torch.float64)
    leaves = [p[0].clone() for p in start[:2]] + [p[0, 0].clone() for p in start[2:]]
    step, courses = make(leaves), []
    for x, y in mini_batches(given, seed, recipe.batch):
        arrays = [p.numpy().copy() for p in leaves]
        courses.append(arrays)
        if recipe.kind == "linear":
            gradient = lambda q, x=x, y=y: slow.linear_gradient(q[0][0], q[1][0], x, y)
        else:
            gradient = lambda q, x=x, y=y: slow.mlp_gradient(q, x, y, relu=recipe.activation == "relu")
        for leaf, g in zip(leaves, slow.sam(gradient, arrays, rho), strict=True):
            leaf.grad = torch.as_tensor(np.asarray(g), dtype=torch.float64).reshape(leaf.shape)
        step.step()
    return courses


def at_once(problems, recipe, rhos=RHOS):
    """The parameters before each step of all heads of one fit, by step, problem, seed and radius."""
    seen = {}

    def observe(o):
        parts = [o.weight, o.bias] + ([o.top, o.top_bias] if o.top is not None else [])
        for g, (p, s) in enumerate(o.lanes.tolist()):
            for r in range(len(rhos)):
                seen[o.step, p, s, r] = [part[g, r].numpy().copy() for part in parts]

    fit(problems, recipe, rhos=rhos, seeds=SEEDS, steps=STEPS, observer=observe, dtype=torch.float64)
    return seen


def require_equal(recipe, make, agree):
    """Every head of a fit of several problems, seeds and radii takes each step that the head alone takes."""
    problems = [task(1), task(2)]
    seen = at_once(problems, recipe)
    for (p, given), (s, seed), (r, rho) in product(enumerate(problems), enumerate(SEEDS), enumerate(RHOS)):
        for step, alone in enumerate(one_by_one(given, recipe, seed, rho, make)):
            for found, expected in zip(seen[step, p, s, r], alone, strict=True):
                agree(found, expected, rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("kind", KINDS)
def test_adamw_takes_torchs_steps_in_every_head_at_once(kind, decay, agree):
    recipe = replace(KINDS[kind], optimiser="adamw", weight_decay=decay, learning_rate=0.05)
    make = lambda leaves: torch.optim.AdamW(
        leaves, lr=0.05, betas=(0.9, 0.999), eps=1e-8, weight_decay=decay, foreach=False, fused=False
    )
    require_equal(recipe, make, agree)


@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("kind", KINDS)
def test_sgd_takes_torchs_steps_in_every_head_at_once(kind, decay, agree):
    recipe = replace(KINDS[kind], weight_decay=decay, momentum=0.8)
    make = lambda leaves: torch.optim.SGD(leaves, lr=0.1, momentum=0.8, weight_decay=decay, foreach=False)
    require_equal(recipe, make, agree)


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_weight_decay_draws_weights_of_either_sign_towards_zero(optimiser, agree):
    """Without any gradient to speak of: rows of zeros, so that only the decay moves the first layer."""
    given = task(1)
    empty = replace(given, train=TensorRows(torch.zeros_like(given.train.values)))
    recipe = replace(LINEAR, optimiser=optimiser, weight_decay=0.5, momentum=0.0)
    start = initial_parameters([0], 1, 5, recipe, torch.float64)[0][0]
    assert (start > 0).any()
    assert (start < 0).any()
    found = fit([empty], recipe, rhos=(0.0,), steps=3, dtype=torch.float64)
    agree(found.weight[0, 0, 0], start * (1 - 0.1 * 0.5) ** 3)


def test_adamws_heads_do_not_share_moments_with_their_neighbours(agree):
    """A head keeps its course when the others of the fit have gradients a thousand times as large."""
    recipe = replace(RELU, optimiser="adamw")
    calm = task(1)
    loud = replace(task(2), train=TensorRows(task(2).train.values * 1e3))
    beside = fit([calm, loud], recipe, rhos=RHOS, seeds=SEEDS, steps=STEPS, dtype=torch.float64)
    alone = fit([calm], recipe, rhos=RHOS[1:2], seeds=SEEDS[1:], steps=STEPS, dtype=torch.float64)
    agree(beside.weight[0, 1, 1], alone.weight[0, 0, 0])
    agree(beside.top[0, 1, 1], alone.top[0, 0, 0])


@pytest.mark.parametrize("select", ["auc", "loss"])
def test_of_equally_good_epochs_the_first_is_kept(select, agree):
    """Classes that lie far apart: several epochs rank all validation rows right, and the first of them is enough."""
    recipe = replace(LINEAR, select=select, epochs=6)
    given = task(4, gap=12.0)
    if select == "loss":  # a head that no longer moves has the same loss for ever
        recipe = replace(recipe, learning_rate=1e-300)
    found = fit([given], recipe, rhos=(0.05,), dtype=torch.float64)
    curve = {"auc": found.trajectory.valid_auc, "loss": -found.trajectory.valid_loss}[select][:, 0, 0, 0]
    first = int(np.argmax(curve))
    assert (curve == curve.max()).sum() > 1
    assert found.trajectory.best[0, 0, 0] == first
    shorter = fit([given], replace(recipe, epochs=first + 1, select="last"), rhos=(0.05,), dtype=torch.float64)
    agree(found.weight, shorter.weight)
    agree(found.bias, shorter.bias)


def trained_attention(epochs, rate=0.3):
    """An attention head on rows that it comes to rank without a mistake, and the validation AUC of each epoch."""
    given = task(5, width=8)
    told = [TensorRows(rows.values / 10) for rows in (given.train, given.valid)]
    for rows, y in zip(told, (given.labels, given.valid_labels), strict=True):
        rows.values[:, :4] += torch.from_numpy(y)[:, None]
    head = AttentionHead(tokens=2, width=2, seed=1).double()
    areas = fit_module(
        head, told[0], given.labels, told[1], given.valid_labels, rho=0.05, batch=8, epochs=epochs,
        optimiser=lambda w: torch.optim.SGD(w, lr=rate),
    )  # fmt: skip
    return head, areas


def test_an_attention_head_keeps_the_first_of_equal_epochs():
    head, areas = trained_attention(6)
    first = areas.index(max(areas))
    assert areas.count(max(areas)) > 1
    earlier, again = trained_attention(first + 1)
    assert again == areas[: first + 1]
    for name, value in head.state_dict().items():
        assert torch.equal(value, earlier.state_dict()[name]), name


def test_an_attention_head_that_diverges_at_once_says_so():
    with pytest.raises(FitError, match="finite in at least one of 3 epochs"):
        trained_attention(3, rate=math.inf)


def test_attention_heads_of_two_seeds_share_neither_start_nor_values():
    one, other, again = (AttentionHead(tokens=2, width=3, seed=s).weight for s in (1, 2, 1))
    assert torch.equal(one, again)
    assert (one != other).all()
    assert one.abs().max() <= 6**-0.5


@pytest.mark.parametrize("kind", KINDS)
def test_a_head_starts_where_its_seed_and_nothing_else_says(kind):
    both = initial_parameters([3, 5], 2, 9, KINDS[kind], torch.float64)
    for part, alone in zip(both, initial_parameters([5], 1, 9, KINDS[kind], torch.float64), strict=True):
        whole, own = part.reshape(2, 2, -1), alone.reshape(-1)
        assert torch.equal(whole[1, 0], own)
        assert torch.equal(whole[1, 1], own)  # radii of a seed start alike
    weight, bias, *upper = both
    assert (weight[0] != weight[1]).all()
    assert 0.8 / 3 < weight.abs().max() <= 1 / 3
    assert not bias.any()
    if upper:
        assert (upper[0][0] != upper[0][1]).all()
        assert upper[0].abs().max() <= 0.5
        assert not upper[1].any()
