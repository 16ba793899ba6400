"""The plane against one place at a time, its figures against differences and against one another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from reference import landscape as slow
from torch import nn

from corit.errors import FitError
from corit.seeding import generator
from corit.theory.landscape import directions, landscape, plane_loss, sharpness
from corit.theory.likelihood import logistic
from corit.theory.module import module
from corit.theory.perceptron import perceptron

D, M, N = 4, 3, 25


def rows(seed=0, width=D):
    rng = generator("landscape test", seed)
    x = torch.tensor(rng.normal(size=(N, width)))
    return x, torch.tensor(rng.integers(0, 2, N))


def head(kind, heads=(), width=D, seed=0, activation="relu"):
    x, y = rows(width=width)
    rng = generator("landscape head", seed)
    draw = lambda *shape: torch.tensor(rng.normal(size=(*heads, *shape)))
    if kind == "linear":
        return logistic(x, y, draw(width), draw())
    return perceptron(x, y, draw(M, width), draw(M), draw(M), draw(), activation)


def logit_of(kind, activation="relu"):
    return slow.linear if kind == "linear" else lambda p: slow.perceptron(p, D, M, activation == "relu")


CASES = [("linear", "relu"), ("mlp", "relu"), ("mlp", "identity")]


@pytest.mark.parametrize(("kind", "activation"), CASES)
def test_the_plane_is_the_loss_of_every_place_one_by_one(kind, activation, agree):
    likelihood = head(kind, activation=activation)
    found = landscape(likelihood, points=5, rhos=(0.3,))
    u, v = found.directions.numpy()
    x, y = rows()
    of = logit_of(kind, activation)
    agree(found.loss, slow.plane(of, likelihood.point.numpy(), u, v, found.coordinates, x.numpy(), y.numpy()))
    agree(found.centre, likelihood.loss())


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_many_heads_at_once_equal_one_at_a_time(kind, agree):
    many = head(kind, heads=(2, 3))
    found = landscape(many, points=7, rhos=(0.1, 1.0))
    for i in np.ndindex(2, 3):
        one = landscape(many.at(many.point[i]), points=7, rhos=(0.1, 1.0))
        for name in ("loss", "directions", "curvature", "relative", "rise", "share", "norm"):
            agree(getattr(found, name)[i], getattr(one, name))
        for name in ("linear", "step", "ascent"):
            agree(getattr(found.sharpness, name)[i], getattr(one.sharpness, name), rtol=1e-6)
        agree(found.largest[i], one.largest, rtol=1e-6)


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_chunks_of_the_plane_do_not_change_it(kind, agree, monkeypatch):
    likelihood = head(kind, heads=(2,))
    axes, at = directions(likelihood, 1), torch.tensor(generator("places").normal(size=(11, 2)))
    whole = plane_loss(likelihood, axes, at)
    monkeypatch.setattr("corit.theory.landscape.CHUNK", 1)
    agree(plane_loss(likelihood, axes, at), whole)
    agree(whole[1, 4], likelihood.at(likelihood.point[1] + at[4] @ axes[1]).loss())


def test_any_module_has_a_plane_too(agree):
    x, y = rows()
    net = nn.Sequential(nn.Linear(D, M), nn.Tanh(), nn.Linear(M, 1)).double()
    likelihood = module(net, x, y)
    axes, at = directions(likelihood, 0), torch.tensor([[0.0, 0.0], [0.4, -0.7]], dtype=torch.float64)
    found = plane_loss(likelihood, axes, at)
    agree(found[..., 0].squeeze(), likelihood.loss().squeeze())
    agree(found[..., 1].squeeze(), likelihood.at(likelihood.point + at[1] @ axes).loss().squeeze())


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_each_row_of_a_direction_is_as_long_as_the_heads_own(kind, agree):
    likelihood = head(kind)
    point, axes = likelihood.point.numpy(), directions(likelihood, 3).numpy()
    for places in slow.rows(kind, D, M):
        for k in (0, 1):
            agree(np.linalg.norm(axes[k][places]), np.linalg.norm(point[places]))
    assert abs(axes[0] @ axes[1]) < 0.9 * (point @ point)


def test_heads_of_one_shape_share_a_plane_and_seeds_do_not():
    unit = lambda likelihood, seed: torch.nn.functional.normalize(directions(likelihood, seed), dim=-1)
    first, second = head("linear", seed=1), head("linear", seed=2)
    assert torch.allclose(unit(first, 0), unit(second, 0), atol=1e-14)
    assert not torch.allclose(unit(first, 0), unit(first, 1), atol=0.1)


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_a_wider_head_moves_shared_coordinates_and_biases_alike(kind):
    narrow, wide = directions(head(kind), 0), directions(head(kind, width=3 * D), 0)
    for row, (a, b) in enumerate(zip(slow.rows(kind, D, M), slow.rows(kind, 3 * D, M), strict=True)):
        shared = narrow[:, a] / (wide[:, [*b[:D], b[-1]]] if row < max(1, M) and len(b) > len(a) else wide[:, b])
        for k in (0, 1):
            assert torch.allclose(shared[k], shared[k, 0].expand_as(shared[k]), rtol=1e-9)


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_curvature_equals_the_dense_hessians_within_lambda_max(kind, agree):
    likelihood = head(kind, activation="identity")  # differences across relu's kink say nothing
    found = landscape(likelihood, points=5)
    x, y = rows()
    h = slow.hessian(logit_of(kind, "identity"), likelihood.point.numpy(), x.numpy(), y.numpy())
    u, v = found.directions.numpy()
    agree(found.curvature, slow.largest_in_plane(h, u, v), rtol=1e-4)
    agree(found.largest, np.abs(np.linalg.eigvalsh(h)).max(), rtol=1e-4)
    assert found.curvature <= found.largest * (1 + 1e-6)
    agree(found.relative, found.curvature * (likelihood.point @ likelihood.point))


def test_relative_measures_do_not_depend_on_the_feature_scale(agree):
    x, y = rows()
    w = torch.tensor(generator("w").normal(size=D))
    one, other = landscape(logistic(x, y, w), points=9), landscape(logistic(10 * x, y, w / 10), points=9)
    for name in ("loss", "relative", "rise", "share"):
        agree(getattr(one, name), getattr(other, name))
    agree(other.curvature, 100 * one.curvature)


def test_rise_and_share_count_the_disc():
    found = landscape(head("linear"), points=21, level=0.2)
    inside = np.array([[a * a + b * b <= 1 + 1e-9 for b in found.coordinates] for a in found.coordinates])
    above = found.loss.numpy()[inside] - float(found.centre)
    assert float(found.rise) == pytest.approx(above.max())
    assert float(found.share) == pytest.approx(np.mean(above <= 0.2))
    assert 0 < float(found.share) < 1


@pytest.mark.parametrize(("kind", "activation"), CASES)
def test_ascent_rises_at_least_as_far_as_search_and_first_step(kind, activation):
    likelihood = head(kind, activation=activation)
    x, y = rows()
    of, point = logit_of(kind, activation), likelihood.point.numpy()
    for rho in (0.05, 1.0):
        found = sharpness(likelihood, (rho,))
        g = likelihood.gradient()
        step = likelihood.at(likelihood.point + rho * g / g.norm()).loss() - likelihood.loss()
        assert float(found.step) == pytest.approx(float(step))
        assert float(found.linear) == pytest.approx(float(rho * g.norm()))
        assert found.ascent >= found.step
        tried = slow.highest_on_sphere(of, point, x.numpy(), y.numpy(), rho, 200, generator("sphere"))
        assert float(found.ascent) >= tried


def test_in_one_dimension_sharpness_is_the_higher_end():
    x = torch.tensor([[1.0], [2.0], [-1.0]], dtype=torch.float64)
    likelihood = logistic(x, torch.tensor([1, 0, 0]), torch.tensor([0.3], dtype=torch.float64))
    ends = [likelihood.at(likelihood.point + e).loss() - likelihood.loss() for e in (-0.5, 0.5)]
    assert float(sharpness(likelihood, (0.5,)).ascent) == pytest.approx(float(max(ends)))


def test_ascent_climbs_from_a_stationary_point():
    x = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [1.0, 0.1], [-1.0, 0.1]], dtype=torch.float64)
    likelihood = logistic(x, torch.tensor([1, 1, 0, 0]), torch.zeros(2, dtype=torch.float64))
    likelihood = replace(likelihood, point=torch.zeros(2, dtype=torch.float64))
    found = sharpness(likelihood, (2.0,))
    best = float(likelihood.at(torch.tensor([2.0, 0.0], dtype=torch.float64)).loss() - likelihood.loss())
    assert float(found.ascent) >= best


def test_a_plane_that_cannot_be_drawn_is_refused():
    likelihood = head("linear")
    for wrong in ({"points": 4}, {"points": 1}, {"radius": 0.0}, {"level": 0.0}):
        with pytest.raises(FitError, match="odd number of points"):
            landscape(likelihood, **wrong)
    for rhos in ((), (0.1, 0.0)):
        with pytest.raises(FitError, match="radii above 0"):
            sharpness(likelihood, rhos)
    for value in (0.0, float("nan")):
        with pytest.raises(FitError, match="without a scale"):
            directions(likelihood.at(torch.full_like(likelihood.point, value)), 0)
