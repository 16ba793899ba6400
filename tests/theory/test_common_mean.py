from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from reference import sweep as slow

from corit.errors import FitError
from corit.heads.fit import fit
from corit.heads.head import HeadRecipe
from corit.heads.problem import Problem
from corit.heads.rows import TensorRows, fit_standardiser
from corit.heads.select import auc
from corit.heads.start import initial_parameters
from corit.seeding import torch_generator
from corit.theory.common_mean import (
    HALF,
    Synthetic,
    bound_at_start,
    curvature_share,
    early_direction,
    expected_alignment,
    expected_imbalance,
    first_steps,
    gradient_share,
    halving_radius,
    limit_gradient,
    saturated_gradient,
    split,
    synthetic_features,
)
from corit.theory.likelihood import logistic
from corit.theory.moments import balanced_batches
from corit.theory.stability import stability

RHOS = (0.0, 0.02, 0.05, 0.1, 0.5, 5.0)
ADAM = HeadRecipe(optimiser="adamw", learning_rate=1e-3, batch=20, select="last", scaling="raw")
SGD = HeadRecipe(optimiser="sgd", learning_rate=4e-3, momentum=0.0, batch=20, select="last", scaling="raw")


def drawn(n=600, size=20, count=400, **knobs):
    """Rows, labels and mini-batches that are drawn at random."""
    x, y = synthetic_features(n, Synthetic(**knobs))
    rng = torch_generator("common mean batches")
    return x, y, torch.stack([torch.randperm(n, generator=rng)[:size] for _ in range(count)])


def gradient(x, y, w, b):
    """By back-propagation."""
    w, b = w.clone().requires_grad_(), b.clone().requires_grad_()
    torch.nn.functional.binary_cross_entropy_with_logits(x @ w + b, y.double()).backward()
    return torch.cat([w.grad, b.grad[None]])


@pytest.mark.parametrize("scale", [0.0, 0.05])
def test_the_split_is_the_gradient_of_a_batch(scale):
    x, y, batches = drawn(count=5)
    w = scale * torch.randn(64, generator=torch_generator("w"), dtype=torch.float64)
    for rows in batches:
        here, labels = x[rows], y[rows].double()
        expected = gradient(here, labels, w, torch.tensor(0.3 * (scale > 0), dtype=torch.float64))
        parts = split(here, labels, x.mean(0), here @ w + 0.3 * (scale > 0))
        torch.testing.assert_close(torch.cat([parts.weight, parts.shared[None]]), expected)
        torch.testing.assert_close(parts.norm, expected.norm())
        mean = torch.cat([x.mean(0), torch.zeros(1)])
        torch.testing.assert_close(parts.alignment, torch.cosine_similarity(expected, mean, dim=0))
        ascent = 0.1 * expected / expected.norm()
        torch.testing.assert_close(parts.shift(0.1), ascent[:-1] @ x.mean(0) + ascent[-1])


def test_without_logits_the_split_is_that_of_an_empty_head():
    x, y, batches = drawn(count=3)
    parts = split(x[batches], y[batches].double(), x.mean(0))
    torch.testing.assert_close(parts.shared, -(2 * y[batches].double().mean(-1) - 1) / 2)


def test_expected_imbalance_is_the_mean_of_drawn_batches():
    flips = torch.randint(0, 2, (200_000, 20), generator=torch_generator("flips")).double()
    assert expected_imbalance(20) == pytest.approx(float((2 * flips.mean(-1) - 1).abs().mean()), abs=2e-3)
    assert expected_imbalance(1) == 1
    assert expected_imbalance(1000) == pytest.approx(math.sqrt(2 / (1000 * math.pi)), rel=1e-3)


@pytest.mark.parametrize("common", [0.5, 0.8, 0.97])
def test_alignment_follows_common_share_and_imbalance(common):
    x, y, batches = drawn(count=3000, common=common, distance=0.5)
    parts = split(x[batches], y[batches].double(), x.mean(0))
    imbalance = -2 * parts.shared
    for value in (0.1, 0.3):
        some = (imbalance.abs() - value).abs() < 1e-9
        measured = float(parts.alignment[some].square().mean().sqrt())
        assert measured == pytest.approx(expected_alignment(common, 20, value), abs=0.05)
    assert torch.equal(parts.alignment[imbalance > 0.2] < 0, torch.ones(int((imbalance > 0.2).sum()), dtype=torch.bool))


@pytest.mark.parametrize("size", [2, 20, 200])
@pytest.mark.parametrize("common", [0.5, 0.97])
def test_the_mean_takes_the_share_c_of_the_squared_gradient(size, common):
    knobs = Synthetic(common=common, distance=0.5)
    x, y = synthetic_features(40_000, knobs)
    batches = torch.randint(0, len(x), (3000, size), generator=torch_generator("sizes", size))
    parts = split(x[batches], y[batches].double(), x.mean(0))
    share = (parts.norm * parts.alignment).square().mean() / parts.norm.square().mean()
    d = x[y == 1].mean(0) - x[y == 0].mean(0)
    expected = gradient_share(common, size, float(d.square().sum() / x.square().sum(-1).mean()))
    assert float(share) == pytest.approx(expected, abs=0.03)


def test_a_large_radius_leaves_the_mean_of_one_class():
    x, y, batches = drawn(count=200)
    here, labels = x[batches], y[batches].double()
    parts = split(here, labels, x.mean(0))
    some = parts.shared.abs() > 0.04  # with equal classes nothing turns all of the batch
    expected = saturated_gradient(here, labels, parts.shared)
    for g, rows, e in zip(parts.weight[some], batches[some], expected[some], strict=True):
        whole = gradient(x[rows], y[rows], torch.zeros(64, dtype=torch.float64), torch.zeros((), dtype=torch.float64))
        ascent = 50 * whole / whole.norm()
        torch.testing.assert_close(g, whole[:-1])
        torch.testing.assert_close(gradient(x[rows], y[rows], ascent[:-1], ascent[-1])[:-1], e)


def test_the_average_of_large_steps_is_the_nearest_mean():
    x, y = synthetic_features(20_000, Synthetic(mean_norm=3.0, common=0.5, distance=3.0, signal="high"))
    rng = torch_generator("large steps")
    batches = torch.randint(0, len(x), (40_000, 20), generator=rng)
    here, labels = x[batches], y[batches].double()
    mean = saturated_gradient(here, labels, split(here, labels, x.mean(0)).shared).mean(0)
    d = x[y == 1].mean(0) - x[y == 0].mean(0)
    assert float((mean - limit_gradient(d, 20)).norm() / mean.norm()) < 0.03


def test_curvature_is_halved_at_the_halving_radius():
    assert float(curvature_share(torch.tensor(HALF))) == pytest.approx(0.5)
    p = torch.sigmoid(torch.tensor([0.0, 0.7, 4.0], dtype=torch.float64))
    torch.testing.assert_close(curvature_share(torch.logit(p)), 4 * p * (1 - p))
    assert halving_radius(30.0, 0.9) * 27 == pytest.approx(HALF)
    x, y, batches = drawn(count=500)
    imbalanced = batches[(2 * y[batches].double().mean(-1) - 1).abs() > 0.15]
    steps = first_steps(x, y, imbalanced, torch.tensor([halving_radius(30.0)], dtype=torch.float64))
    assert float(steps.curvature) == pytest.approx(0.5, abs=0.02)


def test_first_steps_are_those_of_back_propagation():
    x, y, batches = drawn(count=30)
    rhos = torch.tensor([0.0, 0.1], dtype=torch.float64)
    steps = first_steps(x, y, batches, rhos)
    nothing = torch.zeros(64, dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    descents, curvatures, shifts = [], [], []
    for rows in batches:
        here = gradient(x[rows], y[rows], *nothing)
        e = 0.1 * here / here.norm()
        moved = x[rows] @ e[:-1] + e[-1]
        p = torch.sigmoid(moved)
        descents.append(gradient(x[rows], y[rows], e[:-1], e[-1])[:-1])
        curvatures.append((4 * p * (1 - p)).mean())
        shifts.append(moved.mean())
    torch.testing.assert_close(steps.shift[1], torch.stack(shifts))
    torch.testing.assert_close(steps.curvature[1], torch.stack(curvatures).mean())
    torch.testing.assert_close(steps.scale[1], torch.stack(descents).square().mean(0).sqrt())
    assert float(steps.curvature[0]) == 1
    assert float(steps.gain[0]) == pytest.approx(1, abs=0.5)  # 30 mini-batches are a small sample


def weights(x, y, recipe, rhos=RHOS, seeds=range(3), steps=1000):
    """Trained weights (S, R, D) from the project's own start."""
    scale = fit_standardiser(TensorRows(x), "raw")
    problem = Problem(TensorRows(x), y.numpy(), TensorRows(x), y.numpy(), scale)
    return fit([problem], recipe, rhos=rhos, seeds=seeds, steps=steps, dtype=torch.float64).weight[0, :, :, 0]


@pytest.mark.parametrize("recipe", [SGD, ADAM], ids=["sgd", "adam"])
def test_training_at_a_radius_is_stopping_earlier(recipe):
    x, y, batches = drawn(count=1000, distance=2.0)
    tested, labels = synthetic_features(2000, Synthetic(distance=2.0), part="test")
    steps = first_steps(x, y, batches, torch.tensor(RHOS, dtype=torch.float64))
    start = initial_parameters([0], 1, 64, recipe, torch.float64)[0][0, 0]
    for r, weight in enumerate(weights(x, y, recipe, seeds=[0])[0]):
        scale = steps.scale[r] if recipe.optimiser == "adamw" else None
        expected = early_direction(x, y, 1000 * recipe.learning_rate, float(steps.curvature[r]), scale, start)
        measured, closed = (auc((tested @ w)[None], labels) for w in (weight, expected))
        assert float(measured[0]) == pytest.approx(float(closed[0]), abs=0.04), RHOS[r]


def test_early_direction_lies_between_nearest_mean_and_discriminant():
    x, y = synthetic_features(600)
    m = (x[y == 1].mean(0) + x[y == 0].mean(0)) / 2
    d, v = x[y == 1].mean(0) - x[y == 0].mean(0), x - m
    ends = (d, torch.linalg.solve(v.T @ v / len(v), d))
    for time, end in zip((1e-6, 1e9), ends, strict=True):
        assert float(torch.cosine_similarity(early_direction(x, y, time), end, dim=0)) == pytest.approx(1, abs=1e-6)
    torch.testing.assert_close(early_direction(x, y, 100.0, 0.2) * 0.2, early_direction(x, y, 20.0))


def lost(x, y, tested, labels, recipe=ADAM):
    """AUC (R) at radii 0, .05 and .1, the median over seeds."""
    trained = weights(x, y, recipe, rhos=(0.0, 0.05, 0.1))
    return auc(trained @ tested.T, labels).median(0).values


@pytest.mark.parametrize("steps", [1000])
def test_a_linear_head_collapses_on_a_common_mean(steps):
    (x, y), (tested, labels) = (synthetic_features(n, part=p) for n, p in ((800, "train"), (2000, "test")))
    raw, centred = lost(x, y, tested, labels), lost(x - x.mean(0), y, tested - x.mean(0), labels)
    assert float(raw[0] - raw[1:].min()) >= 0.10
    assert float(centred[0] - centred.min()) <= 0.02
    assert float(centred[0] - raw[2]) >= 0.15


def test_an_overt_signal_does_not_fall_to_chance():
    world = Synthetic(signal="high", distance=3.0)
    (x, y), (tested, labels) = (synthetic_features(n, world, part=p) for n, p in ((800, "train"), (2000, "test")))
    raw = lost(x, y, tested, labels)
    assert float(raw[0] - raw.min()) <= 0.05


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_a_fit_on_raw_features_equals_a_plain_loop(optimiser, agree):
    x, y = synthetic_features(60, Synthetic(width=12))
    recipe = ADAM if optimiser == "adamw" else SGD
    found = weights(x, y, recipe, rhos=(0.05,), seeds=[3], steps=40)[0, 0]
    module = slow.network("linear", [p[0] for p in initial_parameters([3], 1, 12, recipe, torch.float64)])
    make = {"sgd": torch.optim.SGD, "adamw": lambda p, lr: torch.optim.AdamW(p, lr, weight_decay=0.0)}[optimiser]
    descend = make(module.parameters(), lr=recipe.learning_rate)
    for rows in slow.batches(3, 60, 20, 40):
        slow._backward(module, x[rows], y[rows].double())
        slow._up_and_back(module, x[rows], y[rows].double(), 0.05)
        descend.step()
    agree(found, module[0].weight[0].detach())


def test_the_condition_holds_where_the_head_collapses():
    x, y, _ = drawn()
    head = logistic(x, y.double(), torch.zeros(64, dtype=torch.float64), torch.zeros((), dtype=torch.float64))
    batches = balanced_batches(600, 20, 40, torch_generator("condition"))
    found = stability(head, batches, torch.tensor([0.05, 0.1, 1.0, 10.0], dtype=torch.float64))
    assert found.holds.all()


def test_the_bound_is_far_below_the_halving_radius():
    x, y, _ = drawn()
    z = torch.cat([x, x.new_ones(len(x), 1)], 1)
    head = logistic(x, y.double(), torch.zeros(64, dtype=torch.float64), torch.zeros((), dtype=torch.float64))
    d = x[y == 1].mean(0) - x[y == 0].mean(0)
    bound = bound_at_start(d, z.T @ z / len(z))
    h = head.hessian(torch.eye(65, dtype=torch.float64))
    torch.testing.assert_close(bound, head.gradient().norm() / torch.linalg.eigvalsh(h)[-1], rtol=1e-2, atol=0)
    assert 10 < halving_radius(float(x.mean(0).norm())) / float(bound) < 200


def test_synthetic_features_are_what_their_knobs_say():
    world = Synthetic(width=32, mean_norm=12.0, common=0.8, distance=1.5)
    x, y = synthetic_features(20_000, world)
    assert float(x.mean(0).norm()) == pytest.approx(12, rel=0.01)
    assert float(x.mean(0).square().sum() / x.square().sum(-1).mean()) == pytest.approx(0.8, abs=0.02)
    v = torch.where(y[:, None] == 1, x - x[y == 1].mean(0), x - x[y == 0].mean(0))
    d = x[y == 1].mean(0) - x[y == 0].mean(0)
    covariance = v.T @ v / len(v)
    assert float(d @ torch.linalg.solve(covariance, d)) ** 0.5 == pytest.approx(1.5, rel=0.05)
    torch.testing.assert_close(torch.linalg.eigvalsh(covariance).flip(0), world.variances, rtol=0.1, atol=1e-3)
    assert np.array_equal(y.numpy(), np.arange(20_000) % 2)
    other, _ = synthetic_features(20_000, world, part="test")
    assert not torch.equal(x, other)
    assert torch.equal(x, synthetic_features(20_000, world)[0])


@pytest.mark.parametrize("knobs", [{"common": 0.0}, {"common": 1.5}, {"width": 3}, {"signal": "middle"}])
def test_knobs_out_of_range_are_refused(knobs):
    with pytest.raises(FitError, match="expected a common share"):
        Synthetic(**knobs)


@pytest.mark.parametrize("call", [lambda x, y: early_direction(x, y, 1.0), lambda x, y: first_steps(x, y, y[None], x)])
def test_one_class_alone_is_refused(call):
    with pytest.raises(FitError, match="rows of both kinds"):
        call(torch.randn(4, 3, dtype=torch.float64), torch.zeros(4, dtype=torch.int64))
