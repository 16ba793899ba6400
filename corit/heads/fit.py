"""Train one head or thousands at once: problems x seeds x radii in one batch of matrix products.

A lane is one (problem, seed): it has its own mini-batches, which all radii share. Problems may differ in features
(layers) and labels (forgeries); a seed's mini-batches are the same in every problem of the same length, and never
shared between seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, product
from math import inf
from threading import Event, Lock

import numpy as np
import torch
from torch import Tensor

from corit.errors import FitError
from corit.heads.head import Head, HeadRecipe, activate
from corit.heads.optimisers import AdamW, Sgd
from corit.heads.problem import Problem
from corit.heads.rows import Rows
from corit.heads.sam import sam_residual
from corit.heads.select import auc, log_loss
from corit.heads.start import initial_parameters
from corit.progress import Progress, no_progress
from corit.seeding import generator

# Bytes of first layers that one thread trains at a time, and bytes too few for a thread of their own.
BUDGET, SMALL = 2**20, 2**17


@dataclass(frozen=True)
class Trajectory:
    """Losses and AUC of P problems, S seeds and R radii over E epochs; NaN where a head diverged.

    Attributes:
        loss: (E, P, S, R) mean over the epoch's mini-batches at w, not at w + e, in nats.
        valid_loss: (E, P, S, R) mean negative log-likelihood on the validation rows, in nats.
        valid_auc: (E, P, S, R) on the validation rows.
        best: (P, S, R) the epoch that is kept, from 0.
    """

    loss: np.ndarray
    valid_loss: np.ndarray
    valid_auc: np.ndarray
    best: np.ndarray


@dataclass(frozen=True)
class Observation:
    """The heads of G lanes just before a step, for an observer, which must not change the tensors: they are views.

    Attributes:
        step: of the optimiser, from 0.
        lanes: (G, 2) indices of problem and seed.
        weight: (G, R, M, D).
        bias: (G, R, M).
        top: (G, R, M) of a perceptron, else None.
        top_bias: (G, R) of a perceptron, else None.
        batch: (G, B, D) rows of the coming step's mini-batch.
        labels: (G, B) their labels.
    """

    step: int
    lanes: np.ndarray
    weight: Tensor
    bias: Tensor
    top: Tensor | None
    top_bias: Tensor | None
    batch: Tensor
    labels: Tensor


Observer = Callable[[Observation], None]


@dataclass(frozen=True)
class Fit:
    """Trained heads of P problems, S seeds and R radii at their kept epochs.

    Attributes:
        weight: (P, S, R, M, D).
        bias: (P, S, R, M).
        top: (P, S, R, M) of perceptrons, else None.
        top_bias: (P, S, R) of perceptrons, else None.
        problems: what the heads were trained on.
        recipe: how they were trained.
        trajectory: losses and AUC by epoch.
    """

    weight: Tensor
    bias: Tensor
    top: Tensor | None
    top_bias: Tensor | None
    problems: tuple[Problem, ...]
    recipe: HeadRecipe
    trajectory: Trajectory

    def head(self, problem: int = 0, seed: int = 0, radius: int = 0) -> Head:
        """Return one head by its indices, with its standardiser."""
        at = (problem, seed, radius)
        top = None if self.top is None else self.top[at].clone()
        top_bias = None if self.top_bias is None else self.top_bias[at].clone()
        scale = self.problems[problem].standardiser
        return Head(self.weight[at].clone(), self.bias[at].clone(), scale, self.recipe, top, top_bias)

    def logits(self, problem: int, rows: Rows) -> Tensor:
        """Compute the logits (S, R, n) of standardised rows (n, D) by all heads of one problem."""
        parts = [self.weight[problem], self.bias[problem]]
        parts += [t[problem] for t in (self.top, self.top_bias) if t is not None]
        return logits_of(rows, parts, self.recipe)


def fit(
    problems: Sequence[Problem],
    recipe: HeadRecipe,
    *,
    rhos: Sequence[float] | None = None,
    seeds: Sequence[int] = (0,),
    steps: int | None = None,
    observer: Observer | None = None,
    observe_at: Callable[[int], bool] = lambda step: True,
    progress: Progress = no_progress,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    budget: int = BUDGET,
) -> Fit:
    """Train a head for every problem, seed and radius, by (1)-(2) around the recipe's base optimiser.

    Lanes are trained in groups, each on a thread of its own, from which observer and progress are called. The grouping
    changes neither the mini-batches nor when heads are validated: once an epoch of the longest problem, and at the end.

    Args:
        problems: P, of one feature width.
        recipe: how heads are trained.
        rhos: R radii; None for the recipe's.
        seeds: S, distinct.
        steps: optimiser steps; None for the recipe's epochs of the longest problem.
        observer: called before each step for which `observe_at` holds.
        observe_at: step -> whether to observe it.
        progress: called with steps done and in all, summed over groups.
        device: of the training.
        dtype: of parameters and rows.
        budget: bytes of first layers in a group, so that they stay in the processor's cache.

    Raises:
        FitError: before any work, when the problems cannot be trained.
    """
    radii = tuple(recipe.rho if r is None else r for r in (rhos if rhos is not None else [None]))
    _check(problems, recipe, radii, seeds)
    lanes = list(product(range(len(problems)), range(len(seeds))))
    table = torch.tensor(radii, dtype=torch.float64).expand(len(lanes), -1)
    schedule = _Schedule(problems, recipe, seeds, _steps(problems, recipe, steps), device, dtype, budget)
    done = schedule.train(lanes, table, observer, observe_at, progress)
    return _assemble(done, problems, recipe, len(seeds), len(radii))


def fit_each(
    problems: Sequence[Problem],
    recipe: HeadRecipe,
    heads: Sequence[tuple[int, int, float]],
    *,
    steps: int | None = None,
    progress: Progress = no_progress,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    budget: int = BUDGET,
) -> list[Tensor]:
    """Train N single heads, each as `fit` would, where radii differ by seed.

    Args:
        problems: of one feature width.
        recipe: how heads are trained.
        heads: (N) of index of the problem, seed and rho.
        steps: optimiser steps; None for the recipe's epochs of the longest problem.
        progress: called with steps done and in all, summed over groups.
        device: of the training.
        dtype: of parameters and rows.
        budget: bytes of first layers in a group, so that they stay in the processor's cache.

    Returns:
        [weight (N, M, D), bias (N, M)] and, for perceptrons, [top (N, M), top_bias (N)].

    Raises:
        FitError: for no heads, and as `fit`.
    """
    if not heads:
        raise FitError("expected at least one head to train, got none")
    _check(problems, recipe, [rho for *_, rho in heads], [0])
    lanes = [(p, i) for i, (p, _, _) in enumerate(heads)]
    table = torch.tensor([[rho] for *_, rho in heads], dtype=torch.float64)
    schedule = _Schedule(
        problems, recipe, [seed for _, seed, _ in heads], _steps(problems, recipe, steps), device, dtype, budget
    )
    done = schedule.train(lanes, table, None, lambda step: False, progress)
    return [torch.cat(ts)[:, 0].cpu() for ts in zip(*(run.view(run.kept) for run in done), strict=True)]


def _check(problems: Sequence[Problem], recipe: HeadRecipe, rhos: Sequence[float], seeds: Sequence[int]) -> None:
    if not problems or not seeds or not rhos:
        raise FitError(f"expected problems, seeds and radii, got {len(problems)}, {len(seeds)} and {len(rhos)}")
    if bad := [r for r in rhos if not 0 <= r < inf]:
        raise FitError(f"expected finite radii rho >= 0, got {bad[0]}")
    if len(set(seeds)) < len(seeds):
        raise FitError(f"expected distinct seeds, got {list(seeds)}")
    widths = {p.train.width for p in problems}
    if len(widths) > 1:
        raise FitError(f"expected problems of one feature width in one call, got {sorted(widths)}; fit them apart")
    smallest = min(len(p.train) for p in problems)
    if smallest < recipe.batch:
        raise FitError(f"expected at least one mini-batch of {recipe.batch} rows, got {smallest} training rows")


def _steps(problems: Sequence[Problem], recipe: HeadRecipe, steps: int | None) -> int:
    return steps if steps is not None else recipe.epochs * max(len(p.train) // recipe.batch for p in problems)


class _Batches:
    """The mini-batches of one seed over n rows: a new permutation each epoch, the incomplete last batch dropped."""

    def __init__(self, seed: int, rows: int, batch: int) -> None:
        self.seed, self.rows, self.batch = seed, rows, batch
        self.per_epoch = rows // batch
        self.epoch, self.order = -1, np.empty(0, dtype=np.int64)

    def at(self, step: int) -> np.ndarray:
        epoch, k = divmod(step, self.per_epoch)
        if epoch != self.epoch:
            self.epoch = epoch
            self.order = generator("batches", self.seed, epoch).permutation(self.rows)
        return self.order[k * self.batch : (k + 1) * self.batch]


@dataclass(frozen=True)
class _Schedule:
    """How lanes are trained: grouped, and each group on a thread."""

    problems: Sequence[Problem]
    recipe: HeadRecipe
    seeds: Sequence[int]
    steps: int
    device: str
    dtype: torch.dtype
    budget: int

    def train(
        self,
        lanes: list[tuple[int, int]],
        rho: Tensor,
        observer: Observer | None,
        observe_at: Callable[[int], bool],
        progress: Progress,
    ) -> list[_Run]:
        """Train lanes (problem, index into seeds) with radii rho (L, R); the groups come back in the lanes' order."""
        # One thread a group and none within: products this small gain nothing by waiting for each other.
        threads = torch.get_num_threads() if self.device == "cpu" else 1
        size = self.size(len(lanes), rho.shape[1], threads)
        starts = range(0, len(lanes), size)
        counter, stop = _StepCounter(progress, len(starts) * self.steps), Event()

        def work(start: int) -> _Run:
            chosen = slice(start, start + size)
            run = _Run(self.problems, self.recipe, rho[chosen], self.seeds, lanes[chosen], self.device, self.dtype)
            return run.train(self.steps, observer, observe_at, counter, stop)

        if threads == 1:
            return [work(start) for start in starts]
        try:
            with ThreadPoolExecutor(min(threads, len(starts)), initializer=lambda: torch.set_num_threads(1)) as pool:
                return _results(pool, work, starts, stop)
        finally:
            torch.set_num_threads(threads)  # new threads take the number that was set last

    def size(self, lanes: int, radii: int, threads: int) -> int:
        """Lanes in a group: what the budget holds, in whole problems, and no fewer groups than threads."""
        if self.device != "cpu":
            return lanes
        each = radii * self.recipe.units * self.problems[0].train.width * self.dtype.itemsize
        fair = max(-(-lanes // threads), SMALL // each)
        size = max(1, min(self.budget // each, fair))
        seeds = len(self.seeds)
        return size // seeds * seeds if size > seeds else size


def _results(pool: ThreadPoolExecutor, work: Callable[[int], _Run], starts: range, stop: Event) -> list[_Run]:
    """All groups' runs; when one fails, or on an interrupt, the others end after the step they are at."""
    futures = [pool.submit(work, start) for start in starts]
    try:
        return [f.result() for f in futures]
    finally:
        stop.set()  # without effect where all groups are done
        for f in futures:
            f.cancel()


class _StepCounter:
    """Adds up the steps of all groups."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.progress, self.total = progress, total
        self.done, self.lock = 0, Lock()

    def __call__(self, steps: int) -> None:
        with self.lock:
            self.done += steps
            self.progress(self.done, self.total)


class _Run:
    """The state of one group of lanes while it is trained; rho (G, R)."""

    def __init__(
        self,
        problems: Sequence[Problem],
        recipe: HeadRecipe,
        rho: Tensor,
        seeds: Sequence[int],
        lanes: list[tuple[int, int]],
        device: str,
        dtype: torch.dtype,
    ) -> None:
        self.problems, self.recipe, self.lanes = problems, recipe, lanes
        self.rho = rho.to(device, dtype)
        self.ascends = bool((rho > 0).any())
        self.parts = initial_parameters(
            [seeds[s] for _, s in lanes], rho.shape[1], problems[0].train.width, recipe, dtype
        )
        self.parts = [p.to(device) for p in self.parts]
        self.descend = Sgd(self.parts, recipe) if recipe.optimiser == "sgd" else AdamW(self.parts, recipe)
        self.kept = [p.clone() for p in self.parts]
        # Lanes of one seed and length share their mini-batches.
        shared = {(seeds[s], len(problems[p].train)) for p, s in lanes}
        streams = {key: _Batches(key[0], key[1], recipe.batch) for key in shared}
        self.streams = [streams[seeds[s], len(problems[p].train)] for p, s in lanes]
        self.labels = {p: torch.from_numpy(problems[p].labels.astype(np.float64)).to(device, dtype) for p, _ in lanes}
        self.history: list[tuple[Tensor, Tensor, Tensor]] = []
        self.best = torch.full(rho.shape, -torch.inf, dtype=torch.float64)
        self.best_epoch = torch.zeros(rho.shape, dtype=torch.int64)

    def train(
        self,
        steps: int,
        observer: Observer | None,
        observe_at: Callable[[int], bool],
        tick: Callable[[int], None],
        stop: Event,
    ) -> _Run:
        # Of all problems and not of this group's, so that neither threads nor budget decide when heads are validated.
        epoch = max(len(p.train) // self.recipe.batch for p in self.problems)
        running = torch.zeros_like(self.rho)
        since = 0
        for step in range(steps):
            if stop.is_set():
                break
            x, y = self.batch(step)
            if observer is not None and observe_at(step):
                observer(self.observation(step, x, y))
            running += self.step(x, y)
            since += 1
            if (step + 1) % epoch == 0 or step + 1 == steps:
                self.validate(running / since)
                tick(since)
                running.zero_()
                since = 0
        return self

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """(G, B, D) rows and (G, B) labels; one gather for all lanes of a problem."""
        rows, labels = [], []
        for p, lanes in groupby(range(len(self.lanes)), key=lambda g: self.lanes[g][0]):
            index = np.concatenate([self.streams[g].at(step) for g in lanes])
            rows.append(self.problems[p].train.gather(index))
            labels.append(self.labels[p][torch.from_numpy(index)])
        x, y = (ts[0] if len(ts) == 1 else torch.cat(ts) for ts in (rows, labels))
        return x.to(self.rho).view(len(self.lanes), self.recipe.batch, -1), y.view(len(self.lanes), -1)

    def step(self, x: Tensor, y: Tensor) -> Tensor:
        """One step of SAM around the base optimiser; returns the mean loss at w (G, R)."""
        weight, bias, *upper = self.parts
        lanes, batch, _ = x.shape
        shape = (lanes, batch, self.rho.shape[1], self.recipe.units)
        z = torch.baddbmm(bias[:, None], x, weight.mT).view(shape)
        logits, dz, dupper = _top(z, y, upper, self.recipe)
        loss = (torch.nn.functional.softplus(logits) - y[:, :, None] * logits).mean(1)
        if self.ascends:
            squared = dupper[0].square().sum(-1) + dupper[1].square() if dupper else None
            moved, scale = sam_residual(dz, torch.bmm(x, x.mT) + 1, self.rho, squared)
            there = [u + s * d for u, d, s in zip(upper, dupper, (scale[:, 0], scale[:, 0, :, 0]), strict=False)]
            _, dz, dupper = _top(z + moved, y, there, self.recipe)
        self.descend(dz.reshape(lanes, batch, -1), x, dupper)
        return loss

    def validate(self, loss: Tensor) -> None:
        """Record the epoch and keep the heads that are the best so far on validation."""
        area, nll = torch.empty_like(self.best), torch.empty_like(self.best)
        for g, (p, _) in enumerate(self.lanes):
            parts = [part[g][None] for part in self.view()]
            logits = logits_of(self.problems[p].valid, parts, self.recipe)[0].cpu()
            labels = torch.tensor(self.problems[p].valid_labels)  # a copy: a store's column is read-only
            area[g], nll[g] = auc(logits, labels), log_loss(logits, labels).double()
        epoch = len(self.history)
        self.history.append((loss.double().cpu(), nll, area))
        score = {"auc": area, "loss": -nll, "last": torch.full_like(area, float(epoch))}[self.recipe.select]
        better = score > self.best  # False where the score is NaN: a diverged head is never kept
        self.best = torch.where(better, score, self.best)
        self.best_epoch[better] = epoch
        for best, part in zip(self.view(self.kept), self.view(), strict=True):
            best[better.to(part.device)] = part[better.to(part.device)]

    def view(self, parts: list[Tensor] | None = None) -> list[Tensor]:
        """The parameters with radii and units apart: (G, R, M, D), (G, R, M), and a perceptron's (G, R, M), (G, R)."""
        weight, bias, *upper = self.parts if parts is None else parts
        lanes, width = weight.shape[0], weight.shape[2]
        shape = (lanes, self.rho.shape[1], self.recipe.units)
        return [weight.view(*shape, width), bias.view(shape), *upper]

    def observation(self, step: int, x: Tensor, y: Tensor) -> Observation:
        weight, bias, *upper = self.view()
        top, top_bias = upper if upper else (None, None)
        return Observation(step, np.array(self.lanes), weight, bias, top, top_bias, x, y)


def _top(z: Tensor, y: Tensor, upper: Sequence[Tensor], recipe: HeadRecipe) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Logits (G, B, R), d loss / d z (G, B, R, M) and the gradients of the layers above, for z (G, B, R, M)."""
    if not upper:
        logits = z[..., 0]
        return logits, ((torch.sigmoid(logits) - y[:, :, None]) / y.shape[1])[..., None], []
    top, top_bias = upper
    hidden = activate(z, recipe.activation)
    logits = (hidden * top[:, None]).sum(-1) + top_bias[:, None]
    residual = (torch.sigmoid(logits) - y[:, :, None]) / y.shape[1]
    dz = residual[..., None] * top[:, None]
    if recipe.activation == "relu":
        dz = dz * (z > 0)
    return logits, dz, [(residual[..., None] * hidden).sum(1), residual.sum(1)]


def logits_of(rows: Rows, parts: Sequence[Tensor], recipe: HeadRecipe) -> Tensor:
    """Compute the logits of rows by many heads.

    Args:
        rows: (n, D) standardised.
        parts: weight (S, R, M, D), bias (S, R, M), and for perceptrons top (S, R, M), top_bias (S, R).
        recipe: of the heads.

    Returns:
        (S, R, n).
    """
    weight, bias, *upper = parts
    seeds, radii, units, width = weight.shape
    out = weight.new_empty(seeds, radii, len(rows))
    size = max(64, 2**22 // (seeds * radii * units))
    for start in range(0, len(rows), size):
        stop = min(start + size, len(rows))
        x = rows.gather(np.arange(start, stop)).to(weight)
        z = (x @ weight.reshape(-1, width).T + bias.reshape(-1)).view(-1, seeds, radii, units)
        if upper:
            z = ((activate(z, recipe.activation) * upper[0]).sum(-1) + upper[1])[..., None]
        out[..., start:stop] = z[..., 0].permute(1, 2, 0)
    return out


def _assemble(runs: list[_Run], problems: Sequence[Problem], recipe: HeadRecipe, seeds: int, radii: int) -> Fit:
    """Put the groups of lanes, which were made in (problem, seed) order, back together."""
    grid = (len(problems), seeds)
    parts = [torch.cat(ts).cpu() for ts in zip(*(run.view(run.kept) for run in runs), strict=True)]
    parts = [p.reshape(*grid, *p.shape[1:]) for p in parts]
    epochs = max(len(run.history) for run in runs)

    def history(k: int) -> np.ndarray:
        series = [torch.stack([h[k] for h in run.history]) for run in runs]  # (E, G, R), E may differ by group
        padded = [torch.cat([s, s.new_full((epochs - len(s), *s.shape[1:]), torch.nan)]) for s in series]
        return torch.cat(padded, dim=1).reshape(epochs, *grid, radii).numpy()

    best = torch.cat([run.best_epoch for run in runs]).reshape(*grid, radii).numpy()
    upper = parts[2:] if len(parts) > 2 else [None, None]
    trajectory = Trajectory(history(0), history(1), history(2), best)
    return Fit(parts[0], parts[1], upper[0], upper[1], tuple(problems), recipe, trajectory)
