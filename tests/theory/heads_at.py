"""Random heads on random rows, as likelihoods and as what the slow twin takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from reference import theory as slow

from corit.heads.fit import fit
from corit.heads.head import HeadRecipe
from corit.heads.problem import standardised_problem
from corit.heads.rows import TensorRows
from corit.seeding import torch_generator
from corit.theory.likelihood import logistic
from corit.theory.module import module
from corit.theory.perceptron import perceptron


def rows(n=12, width=4, seed=0, scale=1.0):
    """x (n, width) and y (n) float64, both labels present."""
    rng = torch_generator("theory", seed, n, width)
    x = torch.randn(n, width, generator=rng, dtype=torch.float64) * scale
    y = (x[:, 0] + torch.randn(n, generator=rng, dtype=torch.float64) > 0).double()
    y[0], y[1] = 0, 1
    return x, y


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch_generator("drawn", seed, *shape), dtype=torch.float64)


def linear(n=12, width=4, heads=(3,), seed=0, scale=1.0):
    x, y = rows(n, width, seed)
    return logistic(x, y, draw(*heads, width, seed=seed) * scale, draw(*heads, seed=seed))


def units(n=12, width=4, heads=(3,), seed=0, activation="relu", m=3):
    x, y = rows(n, width, seed)
    return perceptron(
        x, y, draw(*heads, m, width), draw(*heads, m) / 3, draw(*heads, m, seed=1), draw(*heads), activation
    )


def network(n=12, width=4, seed=0, classes=1, norm=False):
    x, y = rows(n, width, seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        middle = [torch.nn.LayerNorm(3)] if norm else []
        layers = [torch.nn.Linear(width, 3), torch.nn.GELU(), *middle, torch.nn.Linear(3, classes)]
        net = torch.nn.Sequential(*layers).double()
    return module(net, x, y)


def trajectory(kind):
    """All heads of a short training at several steps, float64, as `fit` shows them to an observer."""
    x, y = rows(60, 6, seed=3)
    recipe = HeadRecipe(kind=kind, hidden=4, select="last", batch=10, learning_rate=0.5)
    train = standardised_problem(TensorRows(x), y.long().numpy(), TensorRows(x[:20]), y[:20].long().numpy(), recipe)
    values, seen = train.train.gather(np.arange(60)).double(), []

    def observer(at):
        w, b = at.weight.clone(), at.bias.clone()
        if kind == "linear":
            seen.append(logistic(values, y, w[..., 0, :], b[..., 0]))
        else:
            seen.append(perceptron(values, y, w, b, at.top.clone(), at.top_bias.clone()))

    fit(
        [train], recipe, rhos=(0.0, 0.1, 2.0), seeds=(0, 1), steps=60, observer=observer,
        observe_at=lambda s: s % 20 in (0, 1), dtype=torch.float64,
    )  # fmt: skip
    return seen


@dataclass(frozen=True)
class Twin:
    """One head as the slow twin takes it."""

    logit: Any
    w: Any
    x: Any
    y: Any

    @property
    def population(self):
        return slow.population(self.logit, self.w, self.x, self.y)


def twins(likelihood):
    """Each head of a linear or perceptron likelihood without data-set dimensions, in order."""
    if hasattr(likelihood, "design"):
        logit, x, y = slow.linear, likelihood.design.z, likelihood.design.y
    else:
        logit = slow.perceptron(likelihood.units, likelihood.activation == "relu")
        x, y = likelihood.x, likelihood.y
    return [Twin(logit, w.numpy(), x.numpy(), y.numpy()) for w in likelihood.point.flatten(0, -2)]


def matrix(product, like):
    """A symmetric product as dense matrices (..., P, P)."""
    size = like.shape[-1]
    columns = [product(torch.eye(size, dtype=like.dtype)[k].expand_as(like)) for k in range(size)]
    return torch.stack(columns, -1)
