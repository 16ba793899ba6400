from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from heads_at import linear, network, twins, units

from corit.errors import FitError
from corit.seeding import torch_generator
from corit.theory.likelihood import Design, Logistic, logistic
from corit.theory.moments import balanced_batches, batch_moments, moments

LIKELIHOODS = {"linear": linear, "linear n < P": lambda: linear(5, 9), "relu": units, "module": network}


@pytest.mark.parametrize("make", [linear, lambda: linear(5, 9), units])
def test_gsnr_is_that_of_the_gradients_one_by_one(make, agree):
    found = make()
    agree(moments(found).gsnr, [t.population.gsnr for t in twins(found)])
    agree(moments(found).noise, [np.trace(t.population.covariance) for t in twins(found)])


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


def test_samples_of_a_population_whose_ratio_is_known_need_the_correction():
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
def test_moments_over_mini_batches_are_those_of_their_gradients(make, agree):
    found = make()
    batches = torch.tensor([[0, 1], [2, 3], [4, 0], [1, 1]])
    g = torch.stack([found.on(b).gradient() for b in batches])
    for limit in (1, 2**24):
        seen = batch_moments(found, batches, limit)
        agree(seen.signal, g.mean(0).square().sum(-1))
        agree(seen.noise, (g - g.mean(0)).square().sum(-1).mean(0))
    assert seen.count == 4


def test_batches_without_replacement_have_the_finite_population_share_of_the_noise(agree):
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
