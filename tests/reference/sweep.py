"""One head at a time: torch.nn layers, back-propagation, SAM around torch.optim.SGD, and the sweep's mini-batches."""

from __future__ import annotations

import numpy as np
import torch

from corit.seeding import generator


def batches(seed, rows, size, steps):
    """Index lists: a permutation each epoch, cut into whole mini-batches."""
    found, epoch = [], 0
    while len(found) < steps:
        order = generator("batches", seed, epoch).permutation(rows)
        found += [order[k * size : (k + 1) * size] for k in range(rows // size)]
        epoch += 1
    return found[:steps]


def network(kind, start):
    """A module in float64 that begins at start: [weight (M, D), bias (M)] and perhaps [top (M), top_bias ()]."""
    weight, bias, *upper = start
    first = torch.nn.Linear(weight.shape[1], weight.shape[0], dtype=torch.float64)
    modules = [first]
    if kind == "mlp":
        last = torch.nn.Linear(weight.shape[0], 1, dtype=torch.float64)
        modules += [torch.nn.ReLU(), last]
        last.load_state_dict({"weight": upper[0][None], "bias": upper[1].reshape(1)})
    first.load_state_dict({"weight": weight, "bias": bias})
    return torch.nn.Sequential(*modules)


def train(module, x, y, index, rho, learning_rate, momentum):
    """(1), (2) by two backward passes a step; rho = 0 is plain SGD, one."""
    optimiser = torch.optim.SGD(module.parameters(), lr=learning_rate, momentum=momentum)
    for rows in index:
        _backward(module, x[rows], y[rows])
        if rho > 0:
            _up_and_back(module, x[rows], y[rows], rho)
        optimiser.step()
    return module


def _up_and_back(module, x, y, rho):
    here = [p.detach().clone() for p in module.parameters()]
    norm = torch.sqrt(sum((p.grad**2).sum() for p in module.parameters()))
    with torch.no_grad():
        for p in module.parameters():
            p += rho * p.grad / norm
    _backward(module, x, y)
    with torch.no_grad():
        for p, w in zip(module.parameters(), here, strict=True):
            p.copy_(w)


def _backward(module, x, y):
    module.zero_grad()
    torch.nn.functional.binary_cross_entropy_with_logits(module(x)[:, 0], y).backward()


def parameters(module):
    """Flat float64 array in the order weight, bias, top, top bias."""
    return np.concatenate([p.detach().numpy().ravel() for p in module.parameters()])
