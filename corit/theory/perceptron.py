"""The perceptron head D -> M -> 1 of `corit.heads`, many at once on the same rows, in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

from corit.errors import FitError
from corit.heads.head import activate
from corit.theory.likelihood import (
    Operator,
    along,
    check_rows,
    cluster_squares,
    curvatures,
    log_likelihood,
    residual,
    rows_at,
)

LIMIT = 2**22  # numbers in the largest tensor of products that are held at a time


@dataclass(frozen=True)
class Perceptron:
    """Perceptrons D -> M -> 1 of any shape H on each of the data sets L.

    With "relu" or "identity" the logit is linear in each layer, so that the diagonal of its second derivative is zero
    and the traces have a closed form; the matrices have no closed form.

    Attributes:
        x: (*L, n, D) rows.
        y: (*L, n), 0 for real and 1 for fake.
        point: (*L, *H, P) parameters, P = M D + 2 M + 1, in the order weight (M, D), bias (M), top (M), top_bias.
        units: M.
        activation: "relu" or "identity".
    """

    x: Tensor
    y: Tensor
    point: Tensor
    units: int
    activation: str = "relu"

    @property
    def count(self) -> int:
        """n."""
        return self.y.shape[-1]

    @property
    def row_of(self) -> Tensor:
        """(P): rows 0 to M-1 of the first layer with their biases, then the top layer."""
        m, rows = self.units, torch.arange(self.units)
        index = torch.cat([rows.repeat_interleave(self.x.shape[-1]), rows, torch.full((m + 1,), m)])
        return index.to(self.point.device)

    def at(self, point: Tensor) -> Self:
        """The same rows under other parameters (*L, ..., P)."""
        return type(self)(self.x, self.y, point, self.units, self.activation)

    def on(self, index: Tensor) -> Self:
        """The same heads on the rows of index (b), or on mini-batches (m, b), then sets (m, *L)."""
        point = self.point.expand(*index.shape[:-1], *self.point.shape)
        return type(self)(*rows_at(self.x, self.y, index), point, self.units, self.activation)

    @cached_property
    def _flat(self) -> Tensor:
        """Parameters (G, S, P): G data sets, S heads on each."""
        sets = self.y.ndim - 1
        heads = math.prod(self.point.shape[sets:-1])
        return self.point.reshape(math.prod(self.point.shape[:sets]), heads, self.point.shape[-1])

    @property  # not cached: a tensor that torch.func has wrapped must not outlive its transform
    def _rows(self) -> tuple[Tensor, Tensor]:
        """Rows (G, n, D) and labels (G, 1, n)."""
        return self.x.reshape(-1, *self.x.shape[-2:]), self.y.reshape(-1, 1, self.count)

    def _hidden(self, flat: Tensor) -> Tensor:
        """Before the activation: flat (G, S, P) -> (G, S, n, M)."""
        m, x = self.units, self._rows[0]
        sets, heads, width = *flat.shape[:2], x.shape[-1]
        weight = flat[..., : m * width].reshape(sets, heads * m, width)
        z = (weight @ x.mT).reshape(sets, heads, m, self.count).mT
        return z + flat[..., None, m * width : m * width + m]

    @cached_property
    def _states(self) -> tuple[Tensor, Tensor]:
        """Logits (G, S, n) and the squared norm of each logit's gradient (G, S, n)."""
        (hidden, slope), top = self._units, self._flat[..., -self.units - 1 : -1, None]
        squares = (slope @ top.square())[..., 0] * (self._rows[0].square().sum(-1)[:, None] + 1)
        return (hidden @ top)[..., 0] + self._flat[..., -1:], squares + hidden.square().sum(-1) + 1

    @property
    def logits(self) -> Tensor:
        """(*L, *H, n)."""
        return self._shaped(self._states[0])

    def _shaped(self, flat: Tensor) -> Tensor:
        """(G, S, ...) -> (*L, *H, ...)."""
        return flat.reshape((*self.point.shape[:-1], *flat.shape[2:]))

    def loss(self) -> Tensor:
        """Mean negative log-likelihood (...)."""
        return self._shaped(-log_likelihood(self._states[0], self._rows[1]).mean(-1))

    @cached_property
    def _units(self) -> tuple[Tensor, Tensor]:
        """The hidden layer's outputs and slopes, each (G, S, n, M)."""
        z = self._hidden(self._flat)
        slope = (z > 0).to(z) if self.activation == "relu" else torch.ones_like(z)
        return activate(z, self.activation), slope

    def _top(self, flat: Tensor) -> Tensor:
        """The top layer of flat (G, S, P), to broadcast over rows (G, S, 1, M)."""
        return flat[..., None, -self.units - 1 : -1]

    def _pulled(self, dz: Tensor, top: Tensor, bias: Tensor) -> Tensor:
        """Derivatives by z (G, S, n, M), by the top layer (G, S, M) and its bias (G, S) as one vector (..., P)."""
        weight = dz.mT.flatten(1, 2) @ self._rows[0]  # (G, S M, D)
        return self._shaped(torch.cat([weight.view(*dz.shape[:2], -1), dz.sum(-2), top, bias[..., None]], -1))

    def gradient(self) -> Tensor:
        """E g (..., P)."""
        hidden, slope = self._units
        q = residual(self._states[0], self._rows[1])[..., None] / self.count
        return self._pulled(q * self._top(self._flat) * slope, (q * hidden).sum(-2), q.sum((-2, -1)))

    def _bent(self, curvature: Tensor, v: Tensor) -> Tensor:
        """E[curvature j j' + (p-y) (second derivative of the logit)] v, j the logit's gradient; curvature (G, S, n).

        The logit is linear in each layer, so that its second derivative joins the top layer to the first, and only at
        the units that are on. Two products with x, and safe on several threads, which forward differentiation is not.
        """
        (hidden, slope), flat = self._units, v.reshape_as(self._flat)
        top, vtop, moved = self._top(self._flat), self._top(flat), slope * self._hidden(flat)
        change = (hidden * vtop + top * moved).sum(-1) + flat[..., -1:]
        pull = (curvature * change / self.count)[..., None]
        q = residual(self._states[0], self._rows[1])[..., None] / self.count
        return self._pulled((pull * top + q * vtop) * slope, (pull * hidden + q * moved).sum(-2), pull.sum((-2, -1)))

    def squared_gradient(self) -> Tensor:
        """norm(E g)^2 (...)."""
        return self.gradient().square().sum(-1)

    def alignments(self) -> Tensor:
        """g' E g of each row (..., n)."""
        (hidden, slope), flat = self._units, self.gradient().reshape_as(self._flat)
        moved = self._top(self._flat) * slope * self._hidden(flat)
        change = (hidden * self._top(flat) + moved).sum(-1) + flat[..., -1:]
        return self._shaped(residual(self._states[0], self._rows[1]) * change)

    def cluster_squares(self, index: Tensor) -> Tensor:
        """The squared norm of each cluster's summed gradients, added up (...), for clusters of m rows, index (C, m).

        Small clusters go through the products of their rows' gradients, m^2 each instead of P numbers.
        """
        size = index.shape[1]
        if size**2 > self.point.shape[-1]:
            return cluster_squares(self, index)
        total, heads = self.point.new_zeros(self._flat.shape[:2]), math.prod(self._flat.shape[:2])
        for part in index.split(max(1, LIMIT // (heads * size * max(size, self.units)))):
            total = total + self._products(part).sum((-1, -2, -3))
        return self._shaped(total)

    def _products(self, index: Tensor) -> Tensor:
        """The products g'g of the rows of each cluster (G, S, C, m, m)."""
        hidden, slope = (t[..., index, :] for t in self._units)
        x = self._rows[0][:, index]
        q = residual(self._states[0], self._rows[1])[..., index]
        first = ((slope * self._flat[:, :, None, None, -self.units - 1 : -1].square()) @ slope.mT) * (x @ x.mT + 1)[
            :, None
        ]
        return (first + hidden @ hidden.mT + 1) * q[..., None] * q[..., None, :]

    def centred(self) -> Self:
        """The same heads, written for rows less their common mean m: W m joins the first layer's bias."""
        mean, m = self.x.mean(-2), self.units
        split = m * self.x.shape[-1]
        weight = self.point[..., :split].unflatten(-1, (m, self.x.shape[-1]))
        more = self.point.ndim - mean.ndim
        shift = (weight @ mean.reshape(*mean.shape[:-1], *[1] * more, mean.shape[-1], 1))[..., 0]
        point = torch.cat(
            [self.point[..., :split], self.point[..., split : split + m] + shift, self.point[..., split + m :]], -1
        )
        return type(self)(self.x - mean[..., None, :], self.y, point, m, self.activation)

    def squared_norms(self) -> Tensor:
        """norm(g)^2 (..., n)."""
        logits, squares = self._states
        return self._shaped(residual(logits, self._rows[1]).square() * squares)

    def hessian(self, v: Tensor) -> Tensor:
        """H v (..., P)."""
        return self._bent(curvatures(self._states[0], self._rows[1])[0], v)

    def misfit(self, v: Tensor) -> Tensor:
        """R v (..., P)."""
        return self._bent(curvatures(self._states[0], self._rows[1])[1], v)

    def second_moment(self, v: Tensor) -> Tensor:
        """E gg' v (..., P)."""
        (hidden, slope), flat, top = self._units, v.reshape_as(self._flat), self._top(self._flat)
        change = (hidden * self._top(flat) + top * slope * self._hidden(flat)).sum(-1) + flat[..., -1:]
        pull = (residual(self._states[0], self._rows[1]).square() * change / self.count)[..., None]
        return self._pulled(pull * top * slope, (pull * hidden).sum(-2), pull.sum((-2, -1)))

    def traces(self) -> tuple[Tensor, Tensor]:
        """tr H and tr R (...)."""
        logits, squares = self._states
        curved, misfit = curvatures(logits, self._rows[1])
        return self._shaped((curved * squares).mean(-1)), self._shaped((misfit * squares).mean(-1))

    def operator(self) -> Operator:
        """H."""
        return Operator(self.hessian, tuple(self.point.shape), self.point)

    def along(self, direction: Tensor, radii: Tensor, onto: Tensor) -> Tensor:
        """The gradients at w + radius * direction, projected (..., K, J)."""
        return along(self, direction, radii, onto)


def perceptron(
    x: Tensor, y: Tensor, weight: Tensor, bias: Tensor, top: Tensor, top_bias: Tensor, activation: str = "relu"
) -> Perceptron:
    """Build the likelihood of perceptrons of any shape H on each of the data sets L.

    Args:
        x: (*L, n, D) rows.
        y: (*L, n), 0 for real and 1 for fake.
        weight: (*L, *H, M, D); its type is the working precision.
        bias: (*L, *H, M).
        top: (*L, *H, M).
        top_bias: (*L, *H).
        activation: "relu" or "identity".

    Returns:
        The likelihood of perceptrons (*L, *H).

    Raises:
        FitError: for rows, labels, shapes or activations that do not fit.
    """
    check_rows(x, y)
    units, width = weight.shape[-2:]
    heads, sets = weight.shape[:-2], y.shape[:-1]
    fits = bias.shape == top.shape == (*heads, units) and top_bias.shape == heads
    if not fits or x.shape[-1] != width or heads[: len(sets)] != sets:
        raise FitError(
            f"expected heads {(*sets, '...', 'M', x.shape[-1])}, (..., M), (..., M), (...), got "
            f"{[tuple(t.shape) for t in (weight, bias, top, top_bias)]}"
        )
    if activation not in ("relu", "identity"):
        raise FitError(f"expected the activation relu or identity, got {activation!r}; use `module` for others")
    point = torch.cat([weight.flatten(-2), bias, top, top_bias[..., None]], -1)
    return Perceptron(x.to(weight), y.to(weight.device), point, units, activation)
