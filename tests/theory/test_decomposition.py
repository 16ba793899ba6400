from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from theory.heads_at import draw, linear, matrix, network, rows, trajectory, twins, units

from corit.errors import ConvergenceError, FitError
from corit.heads.sam import sam_gradient
from corit.theory.decomposition import balance, decompose
from corit.theory.likelihood import Logistic, logistic

# (heads, P) of several widths; for a module two parameter vectors.
LIKELIHOODS = {
    "linear n > P": lambda: linear(60, 5, heads=(2, 3)),
    "linear n < P": lambda: linear(10, 40, heads=(3,)),
    "linear far from its optimum": lambda: linear(30, 8, scale=20.0),
    "linear, one row more than parameters": lambda: linear(8, 6),
    "relu n > P": lambda: units(60, 5, heads=(2, 2)),
    "relu n < P": lambda: units(8, 10),
    "identity": lambda: units(20, 4, activation="identity"),
    "module": lambda: network(20, 4, seed=1),
    "module of two classes, with LayerNorm": lambda: network(20, 4, seed=4, classes=2, norm=True),
}


def holds(likelihood):
    """(5) along random vectors, (13), (14) and (33), each to 1e-10."""
    found = decompose(likelihood)
    assert (found.radius / found.ratio - 1).abs().max() < 1e-10
    assert found.imbalance.abs().max() < 1e-10
    assert (found.lemma >= 0).all()
    for seed in (0, 1):
        v = draw(*likelihood.point.shape, seed=seed)
        assert balance(likelihood, v).abs().max() < 1e-10 * max(1.0, float(likelihood.hessian(v).abs().max()))
    return found


@pytest.mark.parametrize("make", LIKELIHOODS.values(), ids=LIKELIHOODS)
def test_equations_5_13_and_14_hold_to_rounding(make):
    holds(make())


@pytest.mark.parametrize("width", [1, 3, 17, 64, 300])
@pytest.mark.parametrize("make", [linear, units], ids=["linear", "relu"])
def test_the_identities_hold_at_every_width(make, width):
    found = holds(make(50, width))
    assert torch.isfinite(found.radius).all()


@pytest.mark.parametrize("make", [lambda: linear(12, 4), lambda: linear(5, 9), units, lambda: units(5, 6)])
def test_the_factors_are_those_of_dense_matrices(make, agree):
    likelihood = make()
    found, slow = decompose(likelihood, tolerance=1e-9), [t.population for t in twins(likelihood)]
    agree(torch.stack([found.geometric, found.misspecification, found.statistical], -1), [p.factors for p in slow])
    agree(found.radius, [np.prod(p.factors) for p in slow])
    agree(found.ratio, [p.radius for p in slow])
    agree(found.stable_rank, [np.trace(p.hessian) / p.lambda_max for p in slow])
    agree(found.gsnr, [p.gsnr for p in slow])
    n = likelihood.count
    unbiased = [np.trace(p.covariance) * n / (n - 1) for p in slow]
    agree(found.corrected, [(p.mean @ p.mean - c / n) / c for p, c in zip(slow, unbiased, strict=True)])
    assert found.count == n


@pytest.mark.parametrize(
    "make",
    [linear, lambda: linear(5, 9), units, lambda: network(10, 3), lambda: network(12, 3, classes=3, norm=True)],
)
def test_r_from_the_second_derivative_of_p_is_what_the_hessian_leaves(make, agree):
    likelihood = make()
    mean = likelihood.gradient()
    squares = mean[..., :, None] * mean[..., None, :]
    covariance = matrix(likelihood.second_moment, likelihood.point) - squares
    rest = matrix(likelihood.hessian, likelihood.point) - covariance - squares
    agree(matrix(likelihood.misfit, likelihood.point), rest, rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_the_identities_hold_along_real_trajectories(kind):
    seen = trajectory(kind)
    assert len(seen) == 6
    for likelihood in seen:
        found = holds(likelihood)
        assert found.radius.shape == (2, 3)
        assert torch.isfinite(found.radius).all()


def test_the_identities_hold_while_sam_trains_a_torch_module():
    """tr H need not be positive there: (5) and (14) hold at every step, (13) and (33) wherever they mean something."""
    here, meaningful = network(40, 5, seed=1), 0
    for step in range(60):
        if step % 6 == 0:
            found = decompose(here)
            assert found.imbalance.abs() < 1e-10
            v = draw(len(here.point), seed=step)
            assert balance(here, v).abs().max() < 1e-10 * max(1.0, float(here.hessian(v).abs().max()))
            if found.hessian > 0:
                meaningful += 1
                assert (found.radius / found.ratio - 1).abs() < 1e-10
                assert found.lemma >= 0
        batch = here.on(torch.arange(8) + 8 * (step % 5))
        [there] = sam_gradient(lambda ws, batch=batch: [batch.at(ws[0]).gradient()], [here.point], 0.1)
        here = here.at(here.point - 0.5 * there)
    assert here.loss() < network(40, 5, seed=1).loss()
    assert meaningful >= 5


def test_layers_and_steps_are_dimensions_like_any_other(agree):
    """Two data sets (layers), three heads at four steps each, all in one call."""
    sets = [rows(9, 5, seed) for seed in (1, 2)]
    x, y = torch.stack([s[0] for s in sets]), torch.stack([s[1] for s in sets])
    w = draw(2, 4, 3, 5)
    found = decompose(logistic(x, y, w))
    assert found.radius.shape == (2, 4, 3)
    agree(found.radius[1, 2, 0], decompose(logistic(x[1], y[1], w[1, 2, 0])).radius)
    agree(found.misspecification[0, 3, 1], decompose(logistic(x[0], y[0], w[0, 3, 1])).misspecification)


@settings(max_examples=150, deadline=None)
@given(
    n=st.integers(2, 12),
    width=st.integers(1, 9),
    seed=st.integers(0, 2**20),
    scale=st.floats(-6, 3).map(lambda e: 10**e),
    single=st.booleans(),
)
def test_lemma_2_is_never_violated(n, width, seed, scale, single):
    """(33) at any scale of the logits, to exact zero, in float32 too: each row's term keeps its order when rounded."""
    likelihood = linear(n, width, heads=(4,), seed=seed, scale=scale)
    if single:
        likelihood = Logistic(replace(likelihood.design, z=likelihood.design.z.float()), likelihood.point.float())
    hessian, misfit = likelihood.traces()
    assert (misfit <= hessian).all()
    assert (1 - misfit[hessian > 0] / hessian[hessian > 0] >= 0).all()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**20), scale=st.floats(-2, 2).map(lambda e: 10**e))
def test_lemma_2_is_never_violated_by_a_perceptron(seed, scale):
    likelihood = units(6, 3, seed=seed)
    hessian, misfit = likelihood.at(likelihood.point * scale).traces()
    assert (misfit <= hessian).all()


def test_the_radius_scales_inversely_with_the_features(agree):
    x, y = rows(20, 4)
    w = draw(3, 4)
    once, tenfold = decompose(logistic(x, y, w)), decompose(logistic(10 * x, y, w / 10))
    agree(tenfold.radius, once.radius / 10)
    agree(tenfold.misspecification, once.misspecification)
    agree(tenfold.statistical, once.statistical)


def test_a_head_without_curvature_or_that_diverged_has_no_radius():
    x, y = rows(10, 3)
    w = draw(3, 3)
    w[1] = torch.nan
    found = decompose(logistic(x, y, w))
    assert torch.isnan(found.radius).tolist() == [False, True, False]
    flat = decompose(logistic(torch.zeros_like(x), y, draw(3)))
    assert torch.isnan(flat.radius)
    assert torch.isnan(flat.stable_rank)


def test_equation_14_holds_where_a_trace_is_not_positive():
    """A network in a region of negative curvature: the identity of traces and the ratio stay."""
    found = decompose(network(20, 4, seed=0))
    assert found.hessian < 0
    assert torch.isnan(found.lemma)
    assert torch.isnan(found.radius)
    assert found.ratio > 0
    assert found.imbalance.abs() < 1e-10


def test_gradients_that_all_agree_leave_the_statistical_factor_finite(agree):
    x = rows(2, 3)[0][:1]
    found = decompose(logistic(x.expand(5, -1), torch.ones(5), draw(3)))
    agree(found.statistical, 1.0)
    agree(found.radius, found.ratio)


def test_a_start_saves_products_and_gives_the_same_radius(agree):
    likelihood = linear(50, 30, heads=(4,))
    first = decompose(likelihood)
    moved = likelihood.at(likelihood.point + 1e-3 * draw(4, 31, seed=7))
    warm, cold = decompose(moved, start=first.largest.vector), decompose(moved)
    agree(warm.radius, cold.radius)
    assert warm.largest.steps <= cold.largest.steps


def test_too_few_rows_and_too_few_products_are_errors():
    likelihood = linear(40, 30)
    with pytest.raises(FitError, match="at least two gradients"):
        decompose(likelihood.on(torch.tensor([3])))
    with pytest.raises(ConvergenceError, match="residual below"):
        decompose(likelihood, steps=2, tolerance=1e-9)


def test_two_decompositions_of_the_same_head_agree_to_the_bit():
    """Lanczos' random start is the same each time."""
    assert torch.equal(decompose(linear(40, 30)).radius, decompose(linear(40, 30)).radius)
