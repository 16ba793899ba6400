"""Any torch module as a likelihood, by torch.func: exact, and slow where it has many parameters."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vjp, vmap

from corit.errors import FitError
from corit.theory.likelihood import Operator, check_rows, log_likelihood


@dataclass(frozen=True)
class ModuleLikelihood:
    """A module's parameters point (..., P) on inputs x (n, ...) with labels y (n).

    The module maps inputs to logits (n), (n, 1) for two classes or (n, C) for C >= 2. It must treat rows one by one
    (no batch statistics) and draw nothing. chunk: how many products or rows are differentiated at a time.
    """

    network: nn.Module
    x: Tensor
    y: Tensor
    point: Tensor
    chunk: int = 64

    @property
    def count(self) -> int:
        """n."""
        return self.x.shape[0]

    @property
    def row_of(self) -> Tensor:
        """(P): each first index of a matrix or filter is a row; a vector is one row."""
        rows, start = [], 0
        for p in self.network.parameters():
            number = p.shape[0] if p.ndim > 1 else 1
            rows.append(torch.arange(start, start + number).repeat_interleave(p.numel() // number))
            start += number
        return torch.cat(rows)

    def at(self, point: Tensor) -> Self:
        """The same rows under other parameters (..., P)."""
        return replace(self, point=point)

    def on(self, index: Tensor) -> Self:
        """The same parameters on the rows of index (b)."""
        return replace(self, x=self.x[index], y=self.y[index])

    def _row_likelihoods(self, flat: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """log p (b) of one parameter vector (P)."""
        named, start = {}, 0
        for name, p in self.network.named_parameters():
            named[name] = flat[start : start + p.numel()].view(p.shape)
            start += p.numel()
        out = functional_call(self.network, named, (x,))
        if out.ndim == 2 and out.shape[1] > 1:
            return torch.log_softmax(out, -1).gather(1, y.long()[:, None])[:, 0]
        return log_likelihood(out.reshape(len(x)), y)

    def _loss(self, flat: Tensor) -> Tensor:
        return -self._row_likelihoods(flat, self.x, self.y).mean()

    def _misfit(self, flat: Tensor) -> Tensor:
        """-E[p / p(here)]: its second derivative here is R as (5) defines it."""
        likelihood = self._row_likelihoods(flat, self.x, self.y)
        return -torch.exp(likelihood - likelihood.detach()).mean()

    def _each(self, function: Callable[..., Tensor], *more: Tensor) -> Tensor:
        """A function of one vector (P), for every head."""
        size = self.point.shape[-1]
        flat = [t.reshape(math.prod(t.shape[:-1]), size) for t in (self.point, *more)]
        out = torch.stack([function(*each) for each in zip(*flat, strict=True)])
        return out.reshape((*self.point.shape[:-1], *out.shape[1:]))

    def loss(self) -> Tensor:
        """(...)."""
        return self._each(self._loss).detach()

    def gradient(self) -> Tensor:
        """E g (..., P)."""
        return self._each(grad(self._loss))

    def squared_gradient(self) -> Tensor:
        """norm(E g)^2 (...)."""
        return self.gradient().square().sum(-1)

    def _per_row(self, flat: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
        """The gradients (b, P) of single rows."""
        one = lambda w, x, y: -self._row_likelihoods(w, x[None], y[None])[0]
        return lambda x, y: vmap(grad(one), in_dims=(None, 0, 0))(flat, x, y)

    def squared_norms(self) -> Tensor:
        """norm(g)^2 (..., n)."""
        return self._each(lambda w: torch.cat([g.square().sum(-1) for g in self._gradients(w)]))

    def _gradients(self, flat: Tensor) -> list[Tensor]:
        pairs = zip(self.x.split(self.chunk), self.y.split(self.chunk), strict=True)
        return [self._per_row(flat)(x, y) for x, y in pairs]

    def hessian(self, v: Tensor) -> Tensor:
        """H v (..., P); by reverse differentiation twice, which every layer supports."""
        return self._each(lambda w, u: vjp(grad(self._loss), w)[1](u)[0], v)

    def misfit(self, v: Tensor) -> Tensor:
        """R v (..., P)."""
        return self._each(lambda w, u: vjp(grad(self._misfit), w)[1](u)[0], v)

    def second_moment(self, v: Tensor) -> Tensor:
        """E gg' v (..., P)."""
        product = lambda w, u: torch.stack([g.T @ (g @ u) for g in self._gradients(w)]).sum(0) / self.count
        return self._each(product, v)

    def traces(self) -> tuple[Tensor, Tensor]:
        """tr H and tr R (...), from all P products each."""
        return self._each(lambda w: self._trace(self._loss, w)), self._each(lambda w: self._trace(self._misfit, w))

    def _trace(self, function: Callable[[Tensor], Tensor], flat: Tensor) -> Tensor:
        _, pull = vjp(grad(function), flat)  # type: ignore[misc]
        total = flat.new_zeros(())
        for index in torch.arange(len(flat)).split(self.chunk):
            basis = flat.new_zeros(len(index), len(flat))
            basis[torch.arange(len(index)), index] = 1
            total = total + vmap(lambda u: pull(u)[0])(basis)[torch.arange(len(index)), index].sum()
        return total

    def operator(self) -> Operator:
        """H."""
        return Operator(self.hessian, tuple(self.point.shape), self.point)


def module(network: nn.Module, x: Tensor, y: Tensor, chunk: int = 64) -> ModuleLikelihood:
    """A module at its present parameters on inputs x (n, ...) with labels y (n), 0 or 1, or 0 to C-1 for C classes.

    Raises FitError on inputs or labels that do not fit, or a module without parameters.
    """
    parameters = [p.detach().flatten() for p in network.parameters()]
    if not parameters:
        raise FitError("expected a module with parameters, got none")
    check_rows(x, y.clamp(0, 1))
    return ModuleLikelihood(network, x.to(parameters[0].dtype), y, torch.cat(parameters), chunk)
