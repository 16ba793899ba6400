"""A plain loop that trains linear heads under SAM, with knobs that a `HeadRecipe` does not have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from corit.errors import FitError
from corit.heads.head import HeadRecipe
from corit.heads.sam import TINY
from corit.heads.start import initial_parameters
from corit.seeding import generator

BETAS, EPSILON = (0.9, 0.999), 1e-8  # of Adam


@dataclass(frozen=True)
class Training:
    """How linear heads are trained.

    Attributes:
        optimiser: Adam, or SGD without momentum.
        rate: learning rate; of SGD times E norm(x)^2, so that one number suits features of any norm.
        bias_rate: how many times faster the bias learns than the weight.
        steps: of the optimiser.
        batch: rows of a mini-batch.
        balanced: whether each mini-batch holds as many fakes as reals; its size is then even.
        ascent: of which part of the mini-batch's gradient the ascent is made: all of it, only its part along the common
            mean and the bias, or only the rest.
    """

    optimiser: Literal["adam", "sgd"] = "adam"
    rate: float = 1e-3
    bias_rate: float = 1.0
    steps: int = 1000
    batch: int = 20
    balanced: bool = False
    ascent: Literal["all", "common", "rest"] = "all"


def train(
    x: Tensor,
    y: Tensor,
    training: Training,
    rhos: Sequence[float],
    seeds: Sequence[int],
    keep: Sequence[int] = (),
) -> tuple[Tensor, dict[int, Tensor]]:
    """Train a head for each seed and radius by (1)-(2), from the start and with the mini-batches of `corit.heads.fit`.

    Args:
        x: (n, D) rows.
        y: (n) labels, 0 real and 1 fake.
        training: the knobs.
        rhos: (R) radii.
        seeds: (S).
        keep: steps before which the heads are kept.

    Returns:
        The trained parameters [w, b] (S, R, D + 1), and those before each step of `keep`.

    Raises:
        FitError: for a batch that the rows cannot fill.
    """
    z = torch.cat([x, x.new_ones(len(x), 1)], 1)
    start = initial_parameters(list(seeds), len(rhos), x.shape[1], HeadRecipe(), x.dtype)
    w = torch.cat([start[0], start[1][..., None]], -1)
    streams = [_batches(y.numpy(), training, seed) for seed in seeds]
    radii = torch.tensor(rhos, dtype=x.dtype)[:, None]
    common = torch.cat([x.mean(0), x.new_ones(1)])
    descend = _Descent(w, training, float(z[:, :-1].square().sum(-1).mean()))
    kept: dict[int, Tensor] = {}
    for step in range(training.steps):
        if step in keep:
            kept[step] = w.clone()
        index = torch.from_numpy(np.stack([next(s) for s in streams]))
        here, labels = z[index], y[index].to(x.dtype)[:, None]
        g = _ascended(_gradient(w, here, labels), common, training.ascent)
        w = descend(w, _gradient(w + radii * g / (g.norm(dim=-1, keepdim=True) + TINY), here, labels))
    return w, kept


def _gradient(w: Tensor, z: Tensor, y: Tensor) -> Tensor:
    """Of the mean loss (S, R, P), for heads w (S, R, P) on mini-batches z (S, B, P) with labels y (S, 1, B)."""
    return torch.bmm((torch.sigmoid(torch.bmm(w, z.mT)) - y) / z.shape[1], z)


def _ascended(g: Tensor, common: Tensor, ascent: str) -> Tensor:
    """The part of the gradients that the ascent follows; g = r [m, 1] + [u, 0], and its last entry is r."""
    shared = g[..., -1:] * common
    return {"all": g, "common": shared, "rest": g - shared}[ascent]


class _Descent:
    """Adam or SGD on all heads, with a rate of its own for the bias."""

    def __init__(self, like: Tensor, training: Training, squared_norm: float) -> None:
        self.rate = torch.full_like(like[0, 0], training.rate)
        self.rate[-1] *= training.bias_rate
        if training.optimiser == "sgd":
            self.rate /= squared_norm
        self.moments = None if training.optimiser == "sgd" else (torch.zeros_like(like), torch.zeros_like(like))
        self.steps = 0

    def __call__(self, w: Tensor, g: Tensor) -> Tensor:
        if self.moments is None:
            return w - self.rate * g
        self.steps += 1
        for moment, beta, value in zip(self.moments, BETAS, (g, g.square()), strict=True):
            moment.mul_(beta).add_(value, alpha=1 - beta)
        first, second = (m / (1 - b**self.steps) for m, b in zip(self.moments, BETAS, strict=True))
        moved: Tensor = w - self.rate * first / (second.sqrt() + EPSILON)
        return moved


def _batches(y: np.ndarray, training: Training, seed: int) -> Iterator[np.ndarray]:
    """Yield mini-batches of one seed for ever: a new permutation each epoch, the incomplete last batch dropped."""
    size, epoch = training.batch, 0
    kinds = [np.flatnonzero(y == k) for k in (0, 1)]
    room = 2 * min(map(len, kinds)) if training.balanced else len(y)
    if room < size or (training.balanced and size % 2):
        raise FitError(f"expected mini-batches of at most {room} rows, even ones where balanced, got {size}")
    while True:
        rng = generator("batches", seed, epoch)
        if training.balanced:
            pairs = [rng.permutation(k)[: room // 2] for k in kinds]
            order = np.stack(pairs, 1).ravel()
        else:
            order = rng.permutation(len(y))
        yield from order[: len(order) // size * size].reshape(-1, size)
        epoch += 1
