"""Any torch module as a likelihood, by torch.func: exact, and slow where it has many parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vjp, vmap

from corit.errors import FitError
from corit.theory.likelihood import Operator, along, check_rows, cluster_squares, log_likelihood, rows_at


@dataclass(frozen=True)
class ModuleLikelihood:
    """A torch module under parameters of any shape H on each of the data sets L.

    The module maps inputs to logits (n), (n, 1) for two classes or (n, C) for C >= 2. It must treat rows one by one
    (no batch statistics) and draw no random numbers.

    Attributes:
        network: the module.
        x: (*L, n, ...) inputs.
        y: (*L, n) labels, from 0.
        point: (*L, *H, P) parameters, flat, in the module's order.
        chunk: products or rows that are differentiated at a time.
    """

    network: nn.Module
    x: Tensor
    y: Tensor
    point: Tensor
    chunk: int = 64

    @property
    def count(self) -> int:
        """n."""
        return self.y.shape[-1]

    @property
    def row_of(self) -> Tensor:
        """(P): each first index of a matrix or filter is a row; a vector is one row."""
        rows, start = [], 0
        for p in self.network.parameters():
            number = p.shape[0] if p.ndim > 1 else 1
            rows.append(torch.arange(start, start + number).repeat_interleave(p.numel() // number))
            start += number
        return torch.cat(rows).to(self.point.device)

    def at(self, point: Tensor) -> Self:
        """The same rows under other parameters (*L, ..., P)."""
        return replace(self, point=point)

    def on(self, index: Tensor) -> Self:
        """The same parameters on the rows of index (b), or on mini-batches (m, b), then sets (m, *L)."""
        x, y = rows_at(self.x, self.y, index)
        return replace(self, x=x, y=y, point=self.point.expand(*index.shape[:-1], *self.point.shape))

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

    def _loss(self, flat: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return -self._row_likelihoods(flat, x, y).mean()

    def _misfit(self, flat: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """-E[p / p(here)]: its second derivative here is R as (5) defines it."""
        likelihood = self._row_likelihoods(flat, x, y)
        return -torch.exp(likelihood - likelihood.detach()).mean()

    def _each(self, function: Callable[..., Tensor], *more: Tensor) -> Tensor:
        """A function of one parameter vector (P), its rows, their labels and more vectors (P), for every head."""
        sets, size = self.y.ndim - 1, self.point.shape[-1]
        heads = math.prod(self.point.shape[sets:-1])
        x, y = self.x.reshape(-1, *self.x.shape[sets:]), self.y.reshape(-1, self.count)
        flat = [t.reshape(len(y), heads, size) for t in (self.point, *more)]
        lanes = [(g, *each) for g in range(len(y)) for each in zip(*(t[g] for t in flat), strict=True)]
        out = [function(w, x[g], y[g], *others) for g, w, *others in lanes]
        return torch.stack(out).reshape((*self.point.shape[:-1], *out[0].shape)).detach()

    def loss(self) -> Tensor:
        """(...)."""
        return self._each(self._loss)

    def gradient(self) -> Tensor:
        """E g (..., P)."""
        return self._each(grad(self._loss))

    def squared_gradient(self) -> Tensor:
        """norm(E g)^2 (...)."""
        return self.gradient().square().sum(-1)

    def squared_norms(self) -> Tensor:
        """norm(g)^2 (..., n)."""
        return self._each(lambda w, x, y: torch.cat([g.square().sum(-1) for g in self._gradients(w, x, y)]))

    def alignments(self) -> Tensor:
        """g' E g of each row (..., n)."""
        dot = lambda w, x, y, u: torch.cat([g @ u for g in self._gradients(w, x, y)])
        return self._each(dot, self.gradient())

    def cluster_squares(self, index: Tensor) -> Tensor:
        """The squared norm of each cluster's summed gradients, added up (...), for clusters of m rows, index (C, m)."""
        return cluster_squares(self, index)

    def _gradients(self, flat: Tensor, x: Tensor, y: Tensor) -> Iterator[Tensor]:
        """The gradients (b, P) of single rows, `chunk` rows at a time."""
        one = grad(lambda w, x, y: self._loss(w, x[None], y[None]))
        for part in zip(x.split(self.chunk), y.split(self.chunk), strict=True):
            yield vmap(one, in_dims=(None, 0, 0))(flat, *part)

    def hessian(self, v: Tensor) -> Tensor:
        """H v (..., P); by reverse differentiation twice, which every layer supports."""
        return self._each(lambda w, x, y, u: _curve(self._loss, w, x, y)(u), v)

    def misfit(self, v: Tensor) -> Tensor:
        """R v (..., P)."""
        return self._each(lambda w, x, y, u: _curve(self._misfit, w, x, y)(u), v)

    def second_moment(self, v: Tensor) -> Tensor:
        """E gg' v (..., P)."""

        def product(w: Tensor, x: Tensor, y: Tensor, u: Tensor) -> Tensor:
            return torch.stack([g.T @ (g @ u) for g in self._gradients(w, x, y)]).sum(0) / self.count

        return self._each(product, v)

    def traces(self) -> tuple[Tensor, Tensor]:
        """tr H and tr R (...), from all P products each."""

        def trace(function: Callable[..., Tensor]) -> Tensor:
            return self._each(lambda w, x, y: self._trace(_curve(function, w, x, y), w))

        return trace(self._loss), trace(self._misfit)

    def _trace(self, product: Callable[[Tensor], Tensor], flat: Tensor) -> Tensor:
        total = flat.new_zeros(())
        for index in torch.arange(len(flat), device=flat.device).split(self.chunk):
            basis = torch.nn.functional.one_hot(index, len(flat)).to(flat)
            total = total + (vmap(product)(basis) * basis).sum()
        return total

    def operator(self) -> Operator:
        """H."""
        return Operator(self.hessian, tuple(self.point.shape), self.point)

    def along(self, direction: Tensor, radii: Tensor, onto: Tensor) -> Tensor:
        """The gradients at w + radius * direction, projected (..., K, J)."""
        return along(self, direction, radii, onto)


def _curve(function: Callable[..., Tensor], flat: Tensor, x: Tensor, y: Tensor) -> Callable[[Tensor], Tensor]:
    """The second derivative of a function by its parameters, as a product."""
    pull = vjp(lambda w: grad(function)(w, x, y), flat)[1]
    return lambda u: pull(u)[0]


def module(network: nn.Module, x: Tensor, y: Tensor, chunk: int = 64) -> ModuleLikelihood:
    """Build the likelihood of a module at its present parameters.

    Args:
        network: maps inputs to logits; see `ModuleLikelihood`.
        x: (n, ...) inputs.
        y: (n) labels, 0 or 1, or 0 to C-1 for C classes.
        chunk: products or rows that are differentiated at a time.

    Raises:
        FitError: for inputs or labels that do not fit, and a module without parameters.
    """
    parameters = [p.detach().flatten() for p in network.parameters()]
    if not parameters:
        raise FitError("expected a module with parameters, got none")
    check_rows(x, y.clamp(max=1))
    point = torch.cat(parameters)
    return ModuleLikelihood(network, x.to(point), y.to(point.device), point, chunk)
