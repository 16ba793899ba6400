from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from theory.heads_at import linear, network, twins, units

from corit.errors import FitError
from corit.seeding import torch_generator
from corit.theory.likelihood import Design, Logistic, logistic
from corit.theory.moments import balanced_batches, batch_moments, clustered_gsnr, moments

LIKELIHOODS = {"linear": linear, "linear n < P": lambda: linear(5, 9), "relu": units, "module": network}


@pytest.mark.parametrize("make", [linear, lambda: linear(5, 9), units])
def test_gsnr_is_that_of_the_gradients_one_by_one(make, agree):
    found = make()
    agree(moments(found).gsnr, [t.population.gsnr for t in twins(found)])
    agree(moments(found).noise, [np.trace(t.population.covariance) for t in twins(found)])


def test_two_rows_are_enough_for_a_ratio_and_two_batches_too(agree):
    found = linear(2, 3)
    agree(moments(found).gsnr, [t.population.gsnr for t in twins(found)])
    assert batch_moments(found, torch.tensor([[0], [1]])).count == 2
    agree(batch_moments(found, torch.tensor([[0], [1]])).gsnr, moments(found).gsnr)


def test_the_corrected_estimator_is_unbiased_and_the_plain_one_is_not(agree):
    """All samples of 3 rows out of 7 with replacement: the mean of both unbiased parts is the population's exactly."""
    found = linear(7, 3, heads=())
    whole = moments(found)
    samples = torch.cartesian_prod(*[torch.arange(7)] * 3)
    z, y = found.design.z[samples], found.design.y[samples]
    drawn = moments(Logistic(Design(z, y), found.point.expand(len(samples), -1)))
    noise = drawn.noise * 3 / 2
    agree(noise.mean(), whole.noise)
    agree((drawn.signal - noise / 3).mean(), whole.signal)
    agree(drawn.corrected, (drawn.signal - noise / 3) / noise, atol=1e-9)
    agree(drawn.signal.mean(), whole.signal + whole.noise / 3)  # the inflation that the correction takes out


def test_samples_of_a_known_population_need_the_correction():
    """Clouds whose means are 2 shift apart: at w = 0, r = shift^2 / D exactly, far below the 1 / n of the plain one."""
    n, width, shift, times = 50, 20, 0.1, 400
    rng = torch_generator("clouds")
    y = (torch.arange(n) % 2).double().expand(times, n)
    x = torch.randn(times, n, width, generator=rng, dtype=torch.float64)
    x[..., 0] += (2 * y - 1) * shift
    found = moments(logistic(x, y, torch.zeros(times, width, dtype=torch.float64)))
    truth = shift**2 / width
    for ratio, expected in ((found.corrected, truth), (found.gsnr, truth + 1 / n)):
        assert abs(ratio.mean() - expected) < 4 * ratio.std() / times**0.5
    assert found.gsnr.mean() > 30 * truth
    assert (found.corrected < 0).any()


@pytest.mark.parametrize("make", LIKELIHOODS.values(), ids=LIKELIHOODS)
def test_clusters_of_one_row_are_independent_rows(make, agree):
    found = make()
    agree(clustered_gsnr(found, list(range(found.count))), moments(found).corrected, rtol=1e-8)


def test_the_gsnr_of_clusters_is_that_of_their_sums_one_by_one(agree):
    found, names = linear(7, 3, heads=()), ["a", "b", "a", "c", "c", "c", "b"]
    g = found.on(torch.arange(7)[:, None]).gradient().numpy()  # (7, P)
    mean = g.mean(0)
    sums = [sum(g[i] - mean for i, n in enumerate(names) if n == c) for c in "abc"]
    spread = 3 / 2 * sum(s @ s for s in sums) / 49
    agree(clustered_gsnr(found, names), (mean @ mean - spread) / (7 / 6 * g.var(0).sum()))


def test_pairs_that_share_a_picture_need_the_correction_by_clusters():
    """Pairs (p, p + shift) of a real and its fake: r = shift^2 / 4 over the noise; rows as if independent say less."""
    pairs, width, shift, times = 40, 12, 0.4, 300
    rng = torch_generator("pairs")
    pictures = torch.randn(times, pairs, 1, width, generator=rng, dtype=torch.float64).expand(-1, -1, 2, -1).clone()
    y = torch.tensor([0.0, 1.0], dtype=torch.float64).expand(times, pairs, 2).reshape(times, -1)
    x = pictures + 0.05 * torch.randn(times, pairs, 2, width, generator=rng, dtype=torch.float64)
    x[..., 1, 0] += shift
    found = logistic(x.reshape(times, -1, width), y, torch.zeros(times, width, dtype=torch.float64))
    signal, noise = (shift / 4) ** 2, (width * (1 + 0.05**2) + shift**2 / 2) / 4 - (shift / 4) ** 2
    right = clustered_gsnr(found, [i // 2 for i in range(2 * pairs)])
    assert abs(right.mean() - signal / noise) < 4 * right.std() / times**0.5
    wrong = moments(found).corrected
    assert wrong.mean() < 0 < right.mean()


def test_clusters_that_do_not_fit_are_refused():
    found = linear(7, 3, heads=())
    with pytest.raises(FitError, match="expected a cluster for each of 7 rows, got 2 names"):
        clustered_gsnr(found, [0, 1])
    with pytest.raises(FitError, match="expected at least two clusters, got 1 among 7 rows"):
        clustered_gsnr(found, [0] * 7)


@pytest.mark.parametrize("make", LIKELIHOODS.values(), ids=LIKELIHOODS)
def test_moments_over_mini_batches_are_those_of_their_gradients(make, agree):
    found = make()
    batches = torch.tensor([[0, 1], [2, 3], [4, 0], [1, 1]])
    g = torch.stack([found.on(b).gradient() for b in batches])
    for limit in (1, 2**24):
        seen = batch_moments(found, batches, limit)
        agree(seen.signal, g.mean(0).square().sum(-1))
        agree(seen.noise, (g - g.mean(0)).square().sum(-1).mean(0))
    assert seen.count == 4


def test_batches_without_replacement_have_finite_population_noise(agree):
    found = linear(6, 3, heads=(2,))
    every = torch.tensor(list(combinations(range(6), 2)))
    seen, whole = batch_moments(found, every), moments(found)
    agree(seen.signal, whole.signal)
    agree(seen.noise, whole.noise / 2 * (6 - 2) / (6 - 1))


@pytest.mark.parametrize(("count", "size"), [(12, 4), (10, 4), (7, 7), (9, 1), (7, 3)])
def test_balanced_batches_hold_every_row_equally_often(count, size, agree):
    batches = balanced_batches(count, size, 2, torch_generator("balanced"))
    assert batches.shape[1] == size
    times = torch.bincount(batches.flatten(), minlength=count)
    assert len(set(times.tolist())) == 1
    assert times[0] >= 2
    found = linear(count, 3)
    agree(torch.stack([found.on(b).gradient() for b in batches]).mean(0), found.gradient())


def test_too_few_gradients_and_batches_too_large_are_refused():
    found = linear(6, 3)
    with pytest.raises(FitError, match="at least two gradients"):
        moments(found.on(torch.tensor([0])))
    with pytest.raises(FitError, match="at least two gradients"):
        batch_moments(found, torch.tensor([[0, 1]]))
    for size in (0, 7):
        with pytest.raises(FitError, match="mini-batches of 1 to 6 rows"):
            balanced_batches(6, size, 1, torch_generator("balanced"))


def test_gradients_that_all_agree_have_an_infinite_ratio():
    found = linear(4, 3, heads=())
    same = Logistic(Design(found.design.z[:1].expand(3, -1), found.design.y[:1].expand(3)), found.point)
    assert float(moments(same).gsnr) > 1e12
