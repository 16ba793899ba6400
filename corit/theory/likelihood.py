"""What the theory needs of a head: the negative log-likelihood of n rows at w, its gradients, and (5)'s matrices.

`Logistic` has closed forms for many linear heads at once, `perceptron.py` for perceptrons; `module.py` differentiates
any torch module.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, Self

import torch
from torch import Tensor

from corit.errors import FitError


@dataclass(frozen=True)
class Operator:
    """Symmetric matrices (..., N, N), known by their products.

    Attributes:
        apply: maps vectors (..., N) to the products (..., N).
        shape: (..., N).
        like: a tensor of the matrices' type and device.
    """

    apply: Callable[[Tensor], Tensor]
    shape: tuple[int, ...]
    like: Tensor


class Likelihood(Protocol):
    """The mean negative log-likelihood of heads (...) with P parameters each on the same n rows, and its derivatives.

    H, R and E gg' are those of equation (5), in its form (30): H = E gg' + R. Nothing is an estimate.
    """

    @property
    def point(self) -> Tensor:
        """The parameters w (..., P), flat."""

    @property
    def count(self) -> int:
        """n."""

    @property
    def row_of(self) -> Tensor:
        """(P) int64: the output row (filter) to which each parameter belongs, biases with their row."""

    def at(self, point: Tensor) -> Self:
        """The same rows under other parameters (..., P)."""

    def on(self, index: Tensor) -> Self:
        """The same heads on the rows of index (b); or on each of m mini-batches, index (m, b), as heads (m, ...)."""

    def loss(self) -> Tensor:
        """(...)."""

    def gradient(self) -> Tensor:
        """E g (..., P)."""

    def squared_gradient(self) -> Tensor:
        """norm(E g)^2 (...)."""

    def squared_norms(self) -> Tensor:
        """norm(g)^2 of each row (..., n)."""

    def alignments(self) -> Tensor:
        """g' E g of each row (..., n); their mean is norm(E g)^2."""

    def cluster_squares(self, index: Tensor) -> Tensor:
        """The squared norm of each cluster's summed gradients, added up (...), for clusters of m rows, index (C, m)."""

    def hessian(self, v: Tensor) -> Tensor:
        """H v (..., P)."""

    def misfit(self, v: Tensor) -> Tensor:
        """R v (..., P), R = -E[(second derivative of p) / p]."""

    def second_moment(self, v: Tensor) -> Tensor:
        """E gg' v (..., P)."""

    def traces(self) -> tuple[Tensor, Tensor]:
        """tr H and tr R, each (...)."""

    def operator(self) -> Operator:
        """A symmetric matrix with the non-zero eigenvalues of H."""

    def along(self, direction: Tensor, radii: Tensor, onto: Tensor) -> Tensor:
        """(..., K, J): the gradients at w + radius * direction, projected.

        direction (..., P), radii (K) or (..., K), onto (..., J, P).
        """


def check_rows(x: Tensor, y: Tensor) -> None:
    """Check that x (..., n, D) is finite and that y (..., n) holds a 0 or 1 for each row.

    Raises:
        FitError: when it does not.
    """
    if x.shape[: y.ndim] != y.shape or y.numel() == 0:
        raise FitError(f"expected a label for each row, got labels {tuple(y.shape)} for rows {tuple(x.shape)}")
    if not torch.isfinite(x).all():
        raise FitError("expected finite features, got NaN or infinity; extract them again or drop those rows")
    if not ((y == 0) | (y == 1)).all():
        raise FitError(f"expected labels 0 (real) and 1 (fake), got {y.unique().tolist()[:5]}")


def residual(logits: Tensor, y: Tensor) -> Tensor:
    """Compute p - y, accurately where p is next to 0 or 1."""
    sign = 1 - 2 * y.to(logits)
    return sign * torch.sigmoid(sign * logits)


def log_likelihood(logits: Tensor, y: Tensor) -> Tensor:
    """Compute log p of each row's own label."""
    return torch.nn.functional.logsigmoid((2 * y.to(logits) - 1) * logits)


def curvatures(logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Compute second derivatives by a row's logit: p(1-p), of -log p, and -p''/p = q(p_y - q), q = 1 - p_y.

    p_y is the probability of the row's own label. In this form the second never exceeds the first, not even in floating
    point: Lemma 2 row by row.
    """
    sign = 1 - 2 * y.to(logits)
    right, wrong = torch.sigmoid(-sign * logits), torch.sigmoid(sign * logits)
    return wrong * right, wrong * (right - wrong)


def rows_at(x: Tensor, y: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """Gather rows x (*L, n, ...) and labels y (*L, n) at index (*M, b): (*M, *L, b, ...) and (*M, *L, b)."""
    sets, more = y.ndim - 1, index.ndim - 1
    at = (slice(None),) * sets + (index,)
    here, front = tuple(range(sets, sets + more)), tuple(range(more))
    return x[at].movedim(here, front), y[at].movedim(here, front)


def along(likelihood: Likelihood, direction: Tensor, radii: Tensor, onto: Tensor) -> Tensor:
    """Compute `Likelihood.along` by one gradient for each radius, for heads without a closed form."""
    each = radii.to(direction).expand(*direction.shape[:-1], radii.shape[-1])
    points = (likelihood.point + r[..., None] * direction for r in each.unbind(-1))
    return torch.stack([(onto @ likelihood.at(w).gradient()[..., None])[..., 0] for w in points], -2)


def cluster_squares(likelihood: Likelihood, index: Tensor, limit: int = 2**22) -> Tensor:
    """Compute `Likelihood.cluster_squares` from the gradient of each cluster, at most `limit` numbers at a time."""
    total = torch.zeros_like(likelihood.point[..., 0])
    for part in index.split(max(1, limit // likelihood.point.numel())):
        total = total + (likelihood.on(part).gradient() * index.shape[1]).square().sum((0, -1))
    return total


@dataclass(frozen=True)
class Design:
    """Rows and labels of data sets L.

    Attributes:
        z: (*L, n, P) features, with a 1 appended if the head has a bias.
        y: (*L, n), 0 for real and 1 for fake.
    """

    z: Tensor
    y: Tensor

    @cached_property
    def squares(self) -> Tensor:
        """norm(z)^2 (*L, n)."""
        return self.z.square().sum(-1)

    @cached_property
    def gram(self) -> Tensor:
        """z z' (*L, n, n): with it H's spectrum costs n^2 rather than n P a product."""
        return self.z @ self.z.mT

    @property
    def dual(self) -> bool:
        """Whether the products go through the Gram matrix."""
        return self.z.shape[-2] < self.z.shape[-1]

    @cached_property
    def mean(self) -> Tensor:
        """The common mean E z (*L, P), 0 for a last feature that is 1 in every row: that is the bias."""
        mean = self.z.mean(-2)
        return torch.cat([mean[..., :-1], torch.zeros_like(mean[..., -1:])], -1) if self.biased else mean

    @cached_property
    def biased(self) -> bool:
        """Whether the last feature is 1 in every row."""
        return bool((self.z[..., -1] == 1).all())

    @cached_property
    def centred(self) -> Design:
        """The same rows less their common mean."""
        return Design(self.z - self.mean[..., None, :], self.y)


@dataclass(frozen=True)
class Logistic:
    """Linear heads in closed form, p = sigmoid(w'z): g = (p-y) z, H = E[p(1-p) zz'], R = E[q(1-2q) zz'], q = |p-y|.

    Attributes:
        design: rows and labels of data sets L.
        point: (*L, *H, P) parameters of heads of any shape H on each of them.
        known: (*L, *H, n) their logits, where these are known already; None to compute them.

    Raises:
        FitError: for parameters that do not fit.
    """

    design: Design
    point: Tensor
    known: Tensor | None = None

    def __post_init__(self) -> None:
        sets, width = self.design.z.shape[:-2], self.design.z.shape[-1]
        if self.point.shape[: len(sets)] != sets or self.point.shape[-1] != width or self.point.ndim < len(sets) + 1:
            raise FitError(f"expected parameters {(*sets, '...', width)}, got {tuple(self.point.shape)}")

    @property
    def count(self) -> int:
        """n."""
        return self.design.z.shape[-2]

    @property
    def row_of(self) -> Tensor:
        """(P): one output row."""
        return torch.zeros(self.point.shape[-1], dtype=torch.int64, device=self.point.device)

    def at(self, point: Tensor) -> Self:
        """The same rows under other parameters (*L, ..., P)."""
        return type(self)(self.design, point)

    def on(self, index: Tensor) -> Self:
        """The same heads on the rows of index (b), or on mini-batches (m, b), then sets (m, *L)."""
        rows = rows_at(self.design.z, self.design.y, index)
        return type(self)(Design(*rows), self.point.expand(*index.shape[:-1], *self.point.shape))

    def centred(self) -> Self:
        """The same heads, written for rows less their common mean m: w'z = w'(z - m) + w'm.

        The logits stay; w'm joins the bias. For heads without a bias it is a constant that is not trained, which the
        parameters of the result do not hold.
        """
        design, point = self.design.centred, self.point
        if self.design.biased:
            shift = self._product(point, self.design.mean[..., None])
            point = torch.cat([point[..., :-1], point[..., -1:] + shift], -1)
        return type(self)(design, point, self.logits)

    def _over(self, per_row: Tensor) -> Tensor:
        """(*L, n) -> (*L, 1.., n), to broadcast over heads."""
        heads = self.point.ndim - self.design.z.ndim + 1
        return per_row.reshape(*per_row.shape[:-1], *([1] * heads), per_row.shape[-1])

    def _product(self, v: Tensor, matrix: Tensor) -> Tensor:
        """v (*L, *H, a) times matrix (*L, a, b)."""
        sets = matrix.shape[:-2]
        flat = v.reshape(*sets, math.prod(v.shape[len(sets) : -1]), v.shape[-1])
        return (flat @ matrix).reshape(*v.shape[:-1], matrix.shape[-1])

    @cached_property
    def logits(self) -> Tensor:
        """w'z (*L, *H, n)."""
        return self._product(self.point, self.design.z.mT) if self.known is None else self.known

    @cached_property
    def residual(self) -> Tensor:
        """p - y (*L, *H, n)."""
        return residual(self.logits, self._over(self.design.y))

    @cached_property
    def curvatures(self) -> tuple[Tensor, Tensor]:
        """p(1-p) and q(1-2q), each (*L, *H, n)."""
        return curvatures(self.logits, self._over(self.design.y))

    @property
    def variance(self) -> Tensor:
        """p (1 - p) (*L, *H, n)."""
        return self.curvatures[0]

    def ceiling(self, rho: float) -> Tensor:
        """The largest p (1 - p) of each row over the ball of radius rho around w (*L, *H, n); 1/4 for an infinite one.

        Over the ball a row's logit moves by at most rho norm(z), and p (1 - p) grows towards logit 0.
        """
        nearest = (self.logits.abs() - rho * self._over(self.design.squares.sqrt())).clamp_min(0).nan_to_num(nan=0.0)
        return torch.sigmoid(nearest) * torch.sigmoid(-nearest)

    def loss(self) -> Tensor:
        """Mean negative log-likelihood (*L, *H)."""
        return -log_likelihood(self.logits, self._over(self.design.y)).mean(-1)

    def gradient(self) -> Tensor:
        """E[(p-y) z] (*L, *H, P)."""
        return self._product(self.residual, self.design.z) / self.count

    def squared_gradient(self) -> Tensor:
        """norm(E g)^2 (*L, *H), through the Gram matrix where that is smaller."""
        if not self.design.dual:
            return self.gradient().square().sum(-1)
        return (self.residual * self._product(self.residual, self.design.gram)).sum(-1).clamp_min(0) / self.count**2

    def alignments(self) -> Tensor:
        """(p-y) z' E g (*L, *H, n)."""
        if self.design.dual:
            return self.residual * self._product(self.residual, self.design.gram) / self.count
        return self.residual * self._product(self.gradient(), self.design.z.mT)

    def cluster_squares(self, index: Tensor) -> Tensor:
        """The sum of norm(sum (p-y) z over a cluster)^2 (*L, *H), of clusters of m rows, index (C, m)."""
        sets = self.design.y.shape[:-1]
        q = self.residual.flatten(len(sets), -2) if self.residual.ndim > len(sets) + 1 else self.residual
        q = (q if q.ndim > len(sets) + 1 else q[..., None, :])[..., index].movedim(-3, -2)  # (*L, C, H, m)
        if self.design.dual:
            gram = self.design.gram[..., index[:, :, None], index[:, None, :]]
        elif index.shape[1] <= q.shape[-2]:
            z = self.design.z[..., index, :]
            gram = z @ z.mT
        else:  # few heads: their sums are smaller than the products of rows
            return (q @ self.design.z[..., index, :]).square().sum((-1, -3)).reshape(self.point.shape[:-1])
        return ((q @ gram) * q).sum((-1, -3)).reshape(self.point.shape[:-1])

    def squared_norms(self) -> Tensor:
        """(p-y)^2 norm(z)^2 (*L, *H, n)."""
        return self.residual.square() * self._over(self.design.squares)

    def _weighted(self, weight: Tensor, v: Tensor) -> Tensor:
        """E[weight zz'] v."""
        return self._product(weight * self._product(v, self.design.z.mT), self.design.z) / self.count

    def hessian(self, v: Tensor) -> Tensor:
        """E[p(1-p) zz'] v."""
        return self._weighted(self.variance, v)

    def misfit(self, v: Tensor) -> Tensor:
        """R v, from the second derivative of p: -p''/p = q(1-2q) zz' with q the probability of the other label."""
        return self._weighted(self.curvatures[1], v)

    def second_moment(self, v: Tensor) -> Tensor:
        """E[(p-y)^2 zz'] v."""
        return self._weighted(self.residual.square(), v)

    def traces(self) -> tuple[Tensor, Tensor]:
        """tr H and tr R (*L, *H)."""
        squares = self._over(self.design.squares)
        return (self.variance * squares).mean(-1), (self.curvatures[1] * squares).mean(-1)

    def operator(self, variance: Tensor | None = None) -> Operator:
        """H, or with n < P the n x n matrix of the same non-zero spectrum; `variance` replaces p(1-p) (*L, *H, n)."""
        weight = self.variance if variance is None else variance
        if not self.design.dual:
            return Operator(lambda v: self._weighted(weight, v), tuple(self.point.shape), self.point)
        root, gram = weight.sqrt(), self.design.gram
        return Operator(lambda u: root * self._product(root * u, gram) / self.count, tuple(weight.shape), self.point)

    def along(self, direction: Tensor, radii: Tensor, onto: Tensor) -> Tensor:
        """The gradients at w + radius * direction, projected (*L, *H, K, J): two products whatever K is."""
        moved, seen = self._product(direction, self.design.z.mT), self._product(onto, self.design.z.mT)
        logits = self.logits[..., None, :] + radii.to(moved)[..., None] * moved[..., None, :]
        return residual(logits, self._over(self.design.y)[..., None, :]) @ seen.mT / self.count


def logistic(x: Tensor, y: Tensor, weight: Tensor, bias: Tensor | None = None) -> Logistic:
    """Build the likelihood of linear heads of any shape H on each of the data sets L.

    Args:
        x: (*L, n, D) rows.
        y: (*L, n), 0 for real and 1 for fake.
        weight: (*L, *H, D); its type is the working precision.
        bias: (*L, *H), or None for heads without one.

    Returns:
        The likelihood of heads (*L, *H); with a bias, it is the last of the D + 1 parameters of each.

    Raises:
        FitError: for rows, labels or shapes that do not fit.
    """
    check_rows(x, y)
    x = x.to(weight)
    if bias is None:
        return Logistic(Design(x, y.to(weight.device)), weight)
    z = torch.cat([x, x.new_ones(*x.shape[:-1], 1)], -1)
    return Logistic(Design(z, y.to(weight.device)), torch.cat([weight, bias[..., None].to(weight)], -1))
