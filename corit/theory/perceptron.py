"""The perceptron head D -> M -> 1 of `corit.heads`, many at once on the same rows, differentiated by torch.func."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import torch
from torch import Tensor
from torch.func import grad, jvp, vjp

from corit.errors import FitError
from corit.heads.head import activate
from corit.theory.likelihood import Operator, check_rows, log_likelihood, residual


@dataclass(frozen=True)
class Perceptron:
    """Heads point (..., P), P = M D + 2 M + 1 in the order weight (M, D), bias (M), top (M), top_bias, on x (n, D).

    With "relu" or "identity" the logit is linear in each layer, so the diagonal of its second derivative is zero and
    the traces have a closed form; the matrices themselves do not.
    """

    x: Tensor
    y: Tensor
    point: Tensor
    units: int
    activation: str = "relu"

    @property
    def count(self) -> int:
        """n."""
        return self.x.shape[0]

    @property
    def row_of(self) -> Tensor:
        """(P): rows 0 to M-1 of the first layer with their biases, then the top layer."""
        m, rows = self.units, torch.arange(self.units)
        return torch.cat([rows.repeat_interleave(self.x.shape[1]), rows, torch.full((m + 1,), m)])

    def at(self, point: Tensor) -> Self:
        """The same rows under other parameters (..., P)."""
        return type(self)(self.x, self.y, point, self.units, self.activation)

    def on(self, index: Tensor) -> Self:
        """The same heads on the rows of index (b)."""
        return type(self)(self.x[index], self.y[index], self.point, self.units, self.activation)

    @property
    def _flat(self) -> Tensor:
        return self.point.reshape(math.prod(self.point.shape[:-1]), self.point.shape[-1])

    def _hidden(self, flat: Tensor) -> Tensor:
        """Before the activation: flat (S, P) -> (S, n, M)."""
        m, width = self.units, self.x.shape[1]
        weight = flat[:, : m * width].reshape(-1, width)  # (S M, D)
        z = (self.x @ weight.T).reshape(self.count, -1, m).movedim(0, 1)
        return z + flat[:, None, m * width : m * width + m]

    def _logits(self, flat: Tensor) -> Tensor:
        """(S, n)."""
        hidden = activate(self._hidden(flat), self.activation)
        return (hidden * flat[:, None, -self.units - 1 : -1]).sum(-1) + flat[:, -1:]

    @cached_property
    def _states(self) -> tuple[Tensor, Tensor]:
        """Logits (S, n) and the squared norm of each logit's gradient (S, n)."""
        z = self._hidden(self._flat)
        hidden, top = activate(z, self.activation), self._flat[:, None, -self.units - 1 : -1]
        slope = top * (z > 0) if self.activation == "relu" else top.expand_as(z)
        squares = slope.square().sum(-1) * (self.x.square().sum(-1) + 1) + hidden.square().sum(-1) + 1
        return (hidden * top).sum(-1) + self._flat[:, -1:], squares

    @property
    def logits(self) -> Tensor:
        """(..., n)."""
        return self._shaped(self._states[0])

    def _shaped(self, flat: Tensor) -> Tensor:
        return flat.reshape((*self.point.shape[:-1], *flat.shape[1:]))

    def _total(self, flat: Tensor) -> Tensor:
        """The sum over heads, whose gradient is every head's own."""
        return -log_likelihood(self._logits(flat), self.y).mean(-1).sum()

    def _misfit_total(self, flat: Tensor) -> Tensor:
        """-E[p / p(here)]: its second derivative here is R as (5) defines it."""
        likelihood = log_likelihood(self._logits(flat), self.y)
        return -torch.exp(likelihood - likelihood.detach()).mean(-1).sum()

    def loss(self) -> Tensor:
        """Mean negative log-likelihood (...)."""
        return self._shaped(-log_likelihood(self._states[0], self.y).mean(-1))

    def gradient(self) -> Tensor:
        """E g (..., P)."""
        return self._shaped(grad(self._total)(self._flat))

    def squared_gradient(self) -> Tensor:
        """norm(E g)^2 (...)."""
        return self.gradient().square().sum(-1)

    def squared_norms(self) -> Tensor:
        """norm(g)^2 (..., n)."""
        logits, squares = self._states
        return self._shaped(residual(logits, self.y).square() * squares)

    def hessian(self, v: Tensor) -> Tensor:
        """H v (..., P)."""
        return self._shaped(jvp(grad(self._total), (self._flat,), (v.reshape_as(self._flat),))[1])

    def misfit(self, v: Tensor) -> Tensor:
        """R v (..., P)."""
        return self._shaped(jvp(grad(self._misfit_total), (self._flat,), (v.reshape_as(self._flat),))[1])

    def second_moment(self, v: Tensor) -> Tensor:
        """E gg' v (..., P)."""
        logits, pull = vjp(self._logits, self._flat)  # type: ignore[misc]
        along = jvp(self._logits, (self._flat,), (v.reshape_as(self._flat),))[1]
        return self._shaped(pull(residual(logits, self.y).square() * along / self.count)[0])

    def traces(self) -> tuple[Tensor, Tensor]:
        """tr H and tr R (...)."""
        logits, squares = self._states
        q = residual(logits, self.y).abs()
        variance = torch.sigmoid(logits) * torch.sigmoid(-logits)
        return self._shaped((variance * squares).mean(-1)), self._shaped((q * (1 - 2 * q) * squares).mean(-1))

    def operator(self) -> Operator:
        """H."""
        return Operator(self.hessian, tuple(self.point.shape), self.point)


def perceptron(
    x: Tensor, y: Tensor, weight: Tensor, bias: Tensor, top: Tensor, top_bias: Tensor, activation: str = "relu"
) -> Perceptron:
    """Heads weight (..., M, D), bias (..., M), top (..., M), top_bias (...) on rows x (n, D), labels y (n) in {0, 1}.

    The working precision is that of the weight. Raises FitError on rows, labels or shapes that do not fit.
    """
    check_rows(x, y)
    units, width = weight.shape[-2:]
    heads = weight.shape[:-2]
    if x.shape[-1] != width or bias.shape != (*heads, units) or top.shape != bias.shape or top_bias.shape != heads:
        raise FitError(
            f"expected heads (..., M, D), (..., M), (..., M), (...) of D = {x.shape[-1]}, got "
            f"{[tuple(t.shape) for t in (weight, bias, top, top_bias)]}"
        )
    if activation not in ("relu", "identity"):
        raise FitError(f"expected the activation relu or identity, got {activation!r}; use `module` for others")
    point = torch.cat([weight.flatten(-2), bias, top, top_bias[..., None]], -1)
    return Perceptron(x.to(weight), y.to(weight.device), point, units, activation)
