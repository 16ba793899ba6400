"""Equation (4): the gradient signal-to-noise ratio, from the first two moments of the gradient of one sample."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from corit.errors import FitError
from corit.theory.clusters import Clusters, clusters_of
from corit.theory.likelihood import Likelihood

# plain: the rows are the population; corrected: rows drawn one by one; clustered: rows drawn in clusters.
Estimator = Literal["plain", "corrected", "clustered"]

LIMIT = 2**22  # numbers in the largest tensor of the mini-batches that are worked on at a time


@dataclass(frozen=True)
class Moments:
    """The two parts of (4) for n gradients that are taken as the whole population.

    (13)-(15) are about the population's. Where the n samples stand for a larger population, the squared norm of their
    mean is too large by tr Cov / n, which hides a small ratio: `corrected` subtracts it.

    Attributes:
        signal: norm(E g)^2 (...).
        noise: tr Cov(g) (...).
        count: n.
    """

    signal: Tensor
    noise: Tensor
    count: int

    @property
    def gsnr(self) -> Tensor:
        """(4), plain: r = norm(E g)^2 / tr Cov(g) of the population of n; infinite where all gradients agree."""
        return self.signal / self.noise

    @property
    def corrected(self) -> Tensor:
        """(4) of the population that the n samples were drawn from, both unbiased; negative where noise dominates."""
        noise = self.noise * (self.count / (self.count - 1))
        return (self.signal - noise / self.count) / noise


def moments(likelihood: Likelihood) -> Moments:
    """Measure (4)'s two parts over the rows of a likelihood; tr Cov(g) = E norm(g)^2 - norm(E g)^2.

    Args:
        likelihood: heads (...) on n rows.

    Returns:
        The two parts (...); `count` is n.

    Raises:
        FitError: for fewer than two rows, which have no covariance.
    """
    _require(likelihood.count)
    signal = likelihood.squared_gradient()
    return Moments(signal, (likelihood.squared_norms().mean(-1) - signal).clamp_min(0), likelihood.count)


def clustered_gsnr(
    likelihood: Likelihood, clusters: Sequence[Hashable] | Clusters, measured: Moments | None = None
) -> Tensor:
    """Measure (4), bias-corrected, for rows that were drawn together in clusters.

    A fake and the real picture that it was made of agree in nearly everything, and their gradients nearly cancel: the
    mean gradient then varies far less than tr Cov / n, and `Moments.corrected` subtracts too much. Here the variance of
    the mean is that between clusters, C / (C - 1) sum_c norm(sum of c's gradients - n_c mean)^2 / n^2; with clusters of
    one row the two agree. The squares are sum_c norm(s_c)^2 - 2 sum_c n_c s_c' mean + sum_c n_c^2 norm(mean)^2, s_c the
    sum of c's gradients, and need no gradient of a row.

    Args:
        likelihood: heads (...) on n rows.
        clusters: (n) name of each row's cluster, or the clusters.
        measured: `moments` of the likelihood, where they are known already.

    Returns:
        GSNR (...).

    Raises:
        FitError: for fewer than two clusters, or another number of names than rows.
    """
    by = clusters if isinstance(clusters, Clusters) else clusters_of(clusters)
    if len(by.sizes) != likelihood.count:
        raise FitError(f"expected a cluster for each of {likelihood.count} rows, got {len(by.sizes)} names")
    plain = moments(likelihood) if measured is None else measured
    sizes = by.sizes.to(plain.signal)
    spread = sum((likelihood.cluster_squares(index) for index in by.members), torch.zeros_like(plain.signal))
    spread = spread - 2 * likelihood.alignments() @ sizes + sizes.sum() * plain.signal
    n, c = likelihood.count, by.count
    return (plain.signal - spread.clamp_min(0) * (c / (c - 1)) / n**2) / (plain.noise * (n / (n - 1)))


def batch_moments(likelihood: Likelihood, batches: Tensor, limit: int = LIMIT) -> Moments:
    """Measure (4)'s two parts with g the gradient of a mini-batch.

    For batches of B drawn afresh, tr Cov is 1/B of a sample's, so that the ratio is about B times the sample's. Without
    replacement from n rows, tr Cov is (n - B) / ((n - 1) B) of a sample's. The mean gradient of balanced batches is the
    full one exactly: use `gsnr` and not `corrected` for them.

    Args:
        likelihood: heads (...) on n rows.
        batches: (m, B) row indices.
        limit: numbers to hold in memory at a time.

    Returns:
        The two parts; `count` is m.

    Raises:
        FitError: for fewer than two batches.
    """
    _require(len(batches))
    total = torch.zeros_like(likelihood.point)
    squares = torch.zeros_like(likelihood.point[..., 0])
    for here in in_parts(likelihood, batches, limit):
        g = here.gradient()
        total, squares = total + g.sum(0), squares + g.square().sum((0, -1))
    signal = (total / len(batches)).square().sum(-1)
    return Moments(signal, (squares / len(batches) - signal).clamp_min(0), len(batches))


def in_parts(likelihood: Likelihood, batches: Tensor, limit: int = LIMIT, radii: int = 0) -> Iterator[Likelihood]:
    """Split mini-batches into portions that fit in memory.

    Args:
        likelihood: heads (...) on n rows.
        batches: (m, B) row indices.
        limit: numbers in the largest tensor of a portion, about.
        radii: how many logits each row has beside its own.

    Yields:
        The likelihood on c of the mini-batches, with heads (c, ...).

    Raises:
        FitError: for batches of another shape.
    """
    if batches.ndim != 2 or not batches.numel():
        raise FitError(f"expected mini-batches (m, B) of row indices, got {tuple(batches.shape)}")
    heads, size = likelihood.point[..., 0].numel(), likelihood.point.shape[-1]
    numbers = max(heads * size, batches.shape[1] * size, batches.shape[1] * heads * (1 + radii), 1)
    for index in batches.split(max(1, limit // numbers)):
        yield likelihood.on(index)


def balanced_batches(count: int, size: int, epochs: int, rng: torch.Generator) -> Tensor:
    """Draw mini-batches in which every row occurs equally often, so that their mean gradient is the full one exactly.

    Permutations of the rows, one after another, are cut into batches.

    Args:
        count: n, rows of the set.
        size: B, rows of a mini-batch.
        epochs: permutations; raised until the batches come out even.
        rng: generator of the permutations.

    Returns:
        (m, B) row indices.

    Raises:
        FitError: for a batch larger than the set.
    """
    if not 1 <= size <= count:
        raise FitError(f"expected mini-batches of 1 to {count} rows, got {size}")
    unit = size // int(torch.gcd(torch.tensor(count), torch.tensor(size)))
    epochs = -(-epochs // unit) * unit
    order = torch.cat([torch.randperm(count, generator=rng) for _ in range(epochs)])
    return order.reshape(-1, size)


def _require(count: int) -> None:
    if count < 2:
        raise FitError(f"expected at least two gradients, got {count}; one has no covariance")
