from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import theory as slow
from theory.heads_at import draw, linear, network, rows, trajectory, twins, units

from corit.errors import FitError
from corit.heads.head import HeadRecipe
from corit.heads.start import initial_parameters
from corit.seeding import torch_generator
from corit.theory.cor import step_radius
from corit.theory.curvature import lambda_max
from corit.theory.likelihood import Design, Logistic, logistic
from corit.theory.moments import balanced_batches
from corit.theory.perceptron import perceptron
from corit.theory.smoothness import beta_bound, beta_sample, drift
from corit.theory.stability import Violations, stability, tightness, violations

LIKELIHOODS = {
    "linear n > P": lambda: linear(12, 4),
    "linear n < P": lambda: linear(6, 9),
    "relu": lambda: units(9, 3),
    "identity": lambda: units(8, 3, activation="identity"),
}
PERCEPTRON = HeadRecipe(kind="mlp", hidden=4)
RHOS = torch.tensor([0.0, 0.05, 0.5, 3.0], dtype=torch.float64)


def balanced(likelihood, size, epochs=2, seed=0):
    return balanced_batches(likelihood.count, size, epochs, torch_generator("batches", seed))


@pytest.mark.parametrize("make", LIKELIHOODS.values(), ids=LIKELIHOODS)
@pytest.mark.parametrize("limit", [1, 2**22])
def test_condition_3_is_that_of_the_mini_batches_one_by_one(make, limit, agree):
    likelihood = make()
    batches = balanced(likelihood, 3, epochs=1)
    found = stability(likelihood, batches, RHOS, limit)
    for head, twin in enumerate(twins(likelihood)):
        for k, rho in enumerate(RHOS.tolist()):
            mean, terms, own = slow.stability(twin.logit, twin.w, twin.x, twin.y, batches.numpy(), rho)
            agree(found.inner[head, k], mean, atol=1e-11)
            agree(found.own[head, k], min(own), atol=1e-9)
            agree(found.opposed[head, k], np.mean(np.array(terms) <= 0))
            still = slow.stability(twin.logit, twin.w, twin.x, twin.y, batches.numpy(), 0.0)[1]
            change = np.std(np.array(terms) - still, ddof=1)
            agree(found.error[head, k], change / len(terms) ** 0.5, atol=1e-11)
    assert (found.size, found.count) == (3, len(batches))


def test_condition_3_of_a_module_is_that_of_its_gradients(agree):
    likelihood = network(6, 3)
    batches = balanced(likelihood, 2, epochs=1)
    found, full = stability(likelihood, batches, RHOS), likelihood.gradient()
    for k, rho in enumerate(RHOS):
        here = [likelihood.on(b) for b in batches]
        there = [b.at(b.point + rho * b.gradient() / b.gradient().norm()).gradient() for b in here]
        agree(found.inner[k], torch.stack([g @ full for g in there]).mean(), atol=1e-11)


def test_without_a_radius_it_is_the_squared_gradient_and_holds(agree):
    likelihood = units(12, 4)
    found = stability(likelihood, balanced(likelihood, 4), torch.zeros(1, dtype=torch.float64))
    agree(found.inner[:, 0], likelihood.squared_gradient())
    assert found.holds.all()


def test_the_standard_error_covers_what_other_balanced_batches_give():
    likelihood, rho = linear(12, 4, heads=(4,)), torch.tensor([1.0], dtype=torch.float64)
    runs = [stability(likelihood, balanced(likelihood, 3, 10, seed), rho) for seed in range(60)]
    spread = torch.stack([r.inner for r in runs]).std(0)
    stated = torch.stack([r.error for r in runs]).mean(0)
    assert ((spread / stated) < 1.3).all()


def test_each_head_may_have_radii_of_its_own(agree):
    likelihood = linear(12, 4, heads=(2, 3))
    own = draw(2, 3, 2).abs()
    found = stability(likelihood, balanced(likelihood, 4), own)
    shared = stability(likelihood, balanced(likelihood, 4), own[1, 2])
    agree(found.inner[1, 2], shared.inner[1, 2])


def test_data_sets_side_by_side_keep_their_own_condition(agree):
    sets = [rows(9, 5, seed) for seed in (1, 2)]
    x, y, w = torch.stack([s[0] for s in sets]), torch.stack([s[1] for s in sets]), draw(2, 3, 5)
    both, alone = logistic(x, y, w), logistic(x[1], y[1], w[1])
    batches = balanced(alone, 3)
    agree(stability(both, batches, RHOS).inner[1], stability(alone, batches, RHOS).inner)
    agree(beta_bound(both, batches).value[1], beta_bound(alone, batches).value)


@settings(max_examples=100, deadline=None)
@given(
    n=st.integers(2, 10),
    width=st.integers(1, 8),
    seed=st.integers(0, 2**20),
    size=st.integers(1, 10),
    rho=st.floats(-3, 3).map(lambda e: 10**e),
)
def test_a_convex_loss_never_opposes_its_own_mini_batch(n, width, seed, size, rho):
    """For a linear head <g_B(w + e), g_B(w)> >= norm(g_B)^2, at any radius and for any mini-batch."""
    likelihood = linear(n, width, seed=seed, scale=3.0)
    batches = balanced(likelihood, min(size, n), 1, seed)
    found = stability(likelihood, batches, torch.tensor([rho], dtype=torch.float64))
    assert (found.own >= 1 - 1e-9).all()


def test_on_the_full_set_a_convex_loss_is_stable_at_every_radius():
    likelihood = linear(20, 5)
    found = stability(likelihood, torch.arange(20)[None], torch.logspace(-3, 4, 30, dtype=torch.float64))
    assert found.holds.all()


def test_a_perceptron_may_oppose_its_own_mini_batch():
    """What convexity gives and nothing else does."""
    likelihood = units(9, 3, heads=(20,))
    found = stability(likelihood, balanced(likelihood, 3), torch.logspace(-1, 1, 9, dtype=torch.float64))
    assert (found.own < 0).any()


def heads_of_two():
    """w = 0, no bias: y = 0 has z = 1; y = 1 has z = 2 with probability .49, else 0."""
    z = torch.tensor([1.0] * 100 + [2.0] * 49 + [0.0] * 51, dtype=torch.float64)[:, None]
    y = torch.tensor([0.0] * 100 + [1.0] * 100)
    return logistic(z, y, torch.zeros(1, dtype=torch.float64))


def test_small_batches_can_turn_the_populations_gradient_around(agree):
    likelihood = heads_of_two()
    rhos = torch.tensor([0.0, 0.1], dtype=torch.float64)
    alone = stability(likelihood, torch.arange(200)[:, None], rhos)
    sigmoid = lambda t: 1 / (1 + math.exp(-t))
    there = 0.5 * sigmoid(0.1) - 0.5 * 0.49 * 2 * sigmoid(0.2)
    agree(likelihood.gradient()[0], 0.5 * 0.5 - 0.5 * 0.49 * 2 * 0.5)
    agree(alone.inner, [0.005**2, there * 0.005])
    assert alone.holds.tolist() == [True, False]
    whole = stability(likelihood, torch.arange(200)[None], rhos)
    assert whole.holds.all()
    assert alone.own.min() >= 1 - 1e-12


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(3, 10),
    width=st.integers(1, 8),
    seed=st.integers(0, 2**20),
    size=st.integers(1, 4),
    scale=st.floats(-2, 1.5).map(lambda e: 10**e),
)
def test_below_8_with_uniform_beta_condition_3_holds(n, width, seed, size, scale):
    likelihood = linear(n, width, heads=(5,), seed=seed, scale=scale)
    batches = balanced(likelihood, min(size, n), 1, seed)
    beta = beta_bound(likelihood, batches)
    assert beta.kind == "bound"
    radius = step_radius(likelihood.squared_gradient().sqrt(), beta.value)
    fractions = torch.tensor([0.1, 0.5, 0.9, 0.999], dtype=torch.float64)
    assert stability(likelihood, batches, radius[:, None] * fractions).holds.all()


def test_along_real_trajectories_8_with_uniform_beta_holds():
    """Every head of a training at every batch size; with lambda_max in beta's place the share is a measurement."""
    fractions = torch.tensor([0.3, 0.999], dtype=torch.float64)
    for likelihood in trajectory("linear"):
        norm = likelihood.squared_gradient().sqrt()
        for size in (1, 2, 5, 20, 60):
            batches = balanced(likelihood, size)
            radius = step_radius(norm, beta_bound(likelihood, batches).value)
            assert stability(likelihood, batches, radius[..., None] * fractions).holds.all()


@pytest.mark.parametrize("make", [linear, units])
def test_violations_are_the_conditions_that_fail_one_by_one(make, agree):
    likelihood = make(12, 4)
    found = violations(likelihood, (1, 3), torch_generator("one by one"), fractions=(0.5, 0.99), epochs=2)
    rng = torch_generator("one by one")
    for k, size in enumerate((1, 3)):
        batches = balanced_batches(12, size, 2, rng).numpy()
        for head, twin in enumerate(twins(likelihood)):
            exact = twin.population
            agree(found.radius[head], exact.radius, rtol=1e-6)
            for j, fraction in enumerate((0.5, 0.99)):
                rho = fraction * float(found.radius[head])
                mean = slow.stability(twin.logit, twin.w, twin.x, twin.y, batches, rho)[0]
                agree(found.relative[k, head, j], mean / (exact.mean @ exact.mean), atol=1e-9)


def test_an_untrained_perceptron_violates_the_bound_at_batch_1_only():
    likelihood = perceptron_at_its_start(heads=40)
    share = violations(likelihood, (1, 20), torch_generator("start"), epochs=1).share
    assert share[0, -1] > 0
    assert (share[1] == 0).all()


def test_below_8_with_beta_over_the_ball_itself_condition_3_holds():
    """The tighter bound: beta of the ball of the very radius that is taken."""
    for seed in range(10):
        likelihood = linear(8, 6, heads=(), seed=seed, scale=4.0)
        batches = balanced(likelihood, 2, 1, seed)
        norm, taken = float(likelihood.squared_gradient().sqrt()), 0
        for rho in np.logspace(-3, 1, 25):
            if rho < norm / beta_bound(likelihood, batches, float(rho)).value:
                assert stability(likelihood, batches, torch.tensor([rho])).holds.all()
                taken += 1
        assert taken > 5


def perceptron_at_its_start(heads):
    """Small heads as `fit` begins with them, on 200 rows of two clouds."""
    y, parts = (torch.arange(200) % 2).double(), initial_parameters(range(heads), 1, 20, PERCEPTRON, torch.float64)
    x = draw(200, 20)
    x[:, 0] += 2 * y - 1
    x = (x - x.mean(0)) / x.std(0) / 20**0.5
    weight, bias, top, top_bias = parts
    return perceptron(x, y, weight, bias, top[:, 0], top_bias[:, 0])


def opposed(n=50, reach=4.0):
    """w = 0: 2n + 1 reals at u, 2n fakes at u +- reach v_i, whose curvature only a batch sees."""
    z = torch.zeros(2 * n + 1 + 2 * n, n + 1, dtype=torch.float64)
    z[:, 0] = 1
    z[2 * n + 1 :, 1:] = torch.cat([torch.eye(n), -torch.eye(n)]) * reach
    y = torch.cat([torch.zeros(2 * n + 1), torch.ones(2 * n)])
    return logistic(z, y, torch.zeros(n + 1, dtype=torch.float64))


def test_below_8_with_population_lambda_max_condition_3_can_fail():
    likelihood = opposed()
    found = violations(likelihood, (1, 4, likelihood.count), torch_generator("violations"), epochs=4)
    assert found.share[[0, 2]].tolist() == [[0, 0, 1, 1], [0, 0, 0, 0]]
    assert found.failed.shape == (3, 4)
    assert found.error[0, -1] < found.relative[0, -1].abs()
    uniform = beta_bound(likelihood, torch.arange(likelihood.count)[:, None])
    assert uniform.value == pytest.approx((1 + 4**2) / 4, rel=1e-6)
    assert lambda_max(likelihood.operator()).value == pytest.approx(0.25, rel=1e-6)


def test_the_share_of_violations_counts_only_finite_heads(agree):
    relative = torch.tensor([[[1.0, -1.0], [-1.0, -1.0], [torch.nan, torch.nan]]])
    found = Violations((3,), (0.5, 0.99), torch.ones(3), relative, relative)
    agree(found.share, [[0.5, 1.0]])


@pytest.mark.parametrize("make", [linear, lambda: linear(5, 9), units])
def test_without_a_ball_beta_is_the_largest_mini_batch_hessian_norm(make, agree):
    likelihood = make()
    batches = balanced(likelihood, 2, 1)
    found = beta_sample(likelihood, batches, 0.0, 0, torch_generator("beta"), tolerance=1e-9)
    expected = [slow.beta(t.logit, t.w, t.x, t.y, batches.numpy()) for t in twins(likelihood)]
    agree(found.value, expected)
    assert found.kind == "sample"
    if isinstance(likelihood, Logistic):
        agree(beta_bound(likelihood, batches, 0.0, tolerance=1e-9).value, expected)
    for head, batch in enumerate(found.batch):
        alone = lambda_max(likelihood.on(batches[batch]).operator(), tolerance=1e-9).value[head]
        agree(alone, found.value[head])


def test_the_bound_holds_where_its_eigenvalues_are_left_early():
    """Lanczos stopped early finds too small a value, of which the residual makes up for what is missing."""
    for seed in range(6):
        likelihood = linear(30, 20, heads=(4,), seed=seed, scale=0.5)
        batches = balanced(likelihood, 15, 1, seed)
        exact = beta_bound(likelihood, batches, 0.0, tolerance=1e-10).value
        early = beta_bound(likelihood, batches, 0.0, tolerance=0.03).value
        assert (early >= exact).all()
        assert (early <= exact * 1.04).all()


def test_the_sample_lies_below_the_bound_and_both_grow_with_the_ball():
    likelihood = linear(10, 4, scale=3.0)
    batches = balanced(likelihood, 3, 1)
    before = None
    for rho in (0.0, 0.3, 3.0, 30.0):
        bound = beta_bound(likelihood, batches, rho).value
        sample = beta_sample(likelihood, batches, rho, 8, torch_generator("beta")).value
        assert (sample <= bound * (1 + 1e-9)).all()
        assert before is None or (bound >= before).all()
        before = bound
    assert (bound <= beta_bound(likelihood, batches).value * (1 + 1e-9)).all()
    assert (beta_bound(likelihood, batches).value <= likelihood.design.squares.max() / 4 * (1 + 1e-5)).all()


def test_curvature_drift_is_zero_without_a_ball_and_bounded_in_one(agree):
    likelihood = linear(20, 4, scale=2.0)
    still = drift(likelihood, 0.0, 2, torch_generator("drift"))
    agree(still.value, torch.zeros(3))
    agree(still.norm, torch.zeros(3))
    before = torch.zeros(3, dtype=torch.float64)
    for rho in (0.01, 0.1, 1.0):
        found = drift(likelihood, rho, 4, torch_generator("drift"))
        assert (found.value <= found.norm * (1 + 1e-3) + 1e-6).all()  # Weyl
        assert (found.norm > before).all()
        before = found.norm


def test_the_drift_along_the_gradient_is_that_of_dense_matrices(agree):
    likelihood = units(10, 3)
    found = drift(likelihood, 0.2, 0, torch_generator("drift"), tolerance=1e-9)
    for head, twin in enumerate(twins(likelihood)):
        here = twin.population
        moved = replace(twin, w=twin.w + 0.2 * here.mean / np.linalg.norm(here.mean)).population
        agree(found.value[head], abs(moved.lambda_max - here.lambda_max) / here.lambda_max, rtol=1e-6)
        norm = np.abs(np.linalg.eigvalsh(moved.hessian - here.hessian)).max()
        agree(found.norm[head], norm / here.lambda_max, rtol=1e-6)


def test_the_first_failing_radius_lies_between_two_tried_ones():
    likelihood = heads_of_two()
    alone = torch.arange(200)[:, None]
    bound = step_radius(likelihood.squared_gradient().sqrt(), lambda_max(likelihood.operator()).value)
    found = tightness(likelihood, alone, bound, refine=30)
    exact = 0.0412  # where sigmoid(rho) = .98 sigmoid(2 rho), by hand: rho / 4 - .98 rho / 2 = -.01 to first order
    assert found.reached == pytest.approx(exact, rel=0.03)
    assert stability(likelihood, alone, torch.tensor([8.0], dtype=torch.float64)).holds  # all logits saturated
    edge = stability(likelihood, alone, found.reached * torch.tensor([0.999, 1.001]).double())
    assert edge.holds.tolist() == [True, False]
    assert found.factor == pytest.approx(float(found.reached / bound))
    assert found.factor > 1


def test_a_condition_that_never_or_always_fails_is_censored():
    likelihood = linear(20, 5, heads=(2,))
    whole, bound = torch.arange(20)[None], torch.ones(2, dtype=torch.float64)
    assert tightness(likelihood, whole, bound).reached.tolist() == [math.inf, math.inf]
    far = tightness(heads_of_two(), torch.arange(200)[:, None], torch.tensor(0.1).double(), lowest=0.5)
    assert far.reached == 0
    assert torch.isnan(tightness(likelihood, whole, bound * math.nan).reached).all()


def test_a_mini_batch_without_gradient_opposes_nothing():
    z = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    likelihood = Logistic(Design(z, torch.tensor([0.0, 1.0])), torch.zeros(1, dtype=torch.float64))
    found = stability(likelihood, torch.tensor([[0], [1]]), RHOS)
    assert torch.isfinite(found.inner).all()
    assert found.holds.all()


def test_radii_and_batches_that_do_not_fit_are_refused():
    likelihood = linear(6, 3)
    with pytest.raises(FitError, match="radii rho >= 0"):
        stability(likelihood, balanced(likelihood, 2), torch.tensor([0.1, -0.1]))
    with pytest.raises(FitError, match=r"mini-batches \(m, B\)"):
        stability(likelihood, torch.arange(6), RHOS)
    with pytest.raises(FitError, match=r"mini-batches \(m, B\)"):
        beta_bound(likelihood, torch.zeros(0, 2, dtype=torch.int64))
    with pytest.raises(FitError, match="rho >= 0"):
        beta_bound(likelihood, balanced(likelihood, 2), -1.0)
    for rho in (-1.0, math.inf, math.nan):
        with pytest.raises(FitError, match="finite"):
            beta_sample(likelihood, balanced(likelihood, 2), rho, 1, torch_generator("beta"))
        with pytest.raises(FitError, match="finite"):
            drift(likelihood, rho, 1, torch_generator("drift"))
    with pytest.raises(FitError, match="mini-batches of 1 to 6"):
        violations(likelihood, (7,), torch_generator("violations"))
