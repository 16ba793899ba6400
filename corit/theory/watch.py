"""Measures the theory's quantities along training: an observer for `corit.heads.fit.fit`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from threading import Lock

import numpy as np
import torch
from torch import Tensor

from corit.errors import FitError
from corit.heads.fit import Observation
from corit.heads.head import HeadRecipe
from corit.heads.problem import Problem
from corit.seeding import generator
from corit.theory.clusters import Clusters, clusters_of, numbered
from corit.theory.curvature import lambda_max
from corit.theory.factors import theorem_factors
from corit.theory.likelihood import Design, Logistic
from corit.theory.moments import Estimator, Moments, clustered_gsnr, moments
from corit.theory.perceptron import Perceptron


@dataclass(frozen=True)
class Course:
    """Quantities along training, measured just before each observed step; float64, NaN where a head diverged.

    Attributes:
        steps: (T) observed steps.
        loss: (T, P, S, R) mean negative log-likelihood, in nats.
        gradient: (T, P, S, R) norm(E g).
        gsnr: (T, P, S, R) (4) of the rows as a population.
        corrected: (T, P, S, R) (4) of the population that the rows were drawn from.
        trace_h: (T, P, S, R) tr H.
        trace_r: (T, P, S, R) tr R.
        lambda_max: (T, P, S, R) the Hessian's largest eigenvalue in magnitude.
        residual: (T, P, S, R) its relative residual.
        rows: (P) number of training rows that were measured.
        clustered: (T, P, S, R) (4) of the population that the groups of rows were drawn from, bias-corrected by groups;
            where these are not known each row is one, so that it equals `corrected`.
        centred: (T, P, S, R) `gsnr` of the same heads written for rows less their common mean.
        centred_clustered: (T, P, S, R) `clustered` likewise.
        clusters: (P) number of groups among the measured rows; 0 where groups are not known.
    """

    steps: np.ndarray
    loss: np.ndarray
    gradient: np.ndarray
    gsnr: np.ndarray
    corrected: np.ndarray
    trace_h: np.ndarray
    trace_r: np.ndarray
    lambda_max: np.ndarray
    residual: np.ndarray
    rows: np.ndarray
    clustered: np.ndarray
    centred: np.ndarray
    centred_clustered: np.ndarray
    clusters: np.ndarray

    def estimate(self, estimator: Estimator | None = None, *, centred: bool = False) -> np.ndarray:
        """Return the GSNR of an estimator.

        Args:
            estimator: "plain" is `gsnr`, of the rows as a population; "corrected" takes rows for drawn one by one,
                "clustered" for drawn in groups. None for clustered, which is corrected where groups are not known.
            centred: whether of the rows less their common mean.

        Returns:
            GSNR (T, P, S, R).

        Raises:
            FitError: for another name.
        """
        n = self.rows[:, None, None]
        raw = {"plain": self.gsnr, "corrected": self.corrected, "clustered": self.clustered}
        less = {
            "plain": self.centred,
            "corrected": self.centred * ((n - 1) / n) - 1 / n,
            "clustered": self.centred_clustered,
        }
        if estimator is not None and estimator not in raw:
            raise FitError(f"expected the estimator plain, corrected or clustered, got {estimator!r}")
        return (less if centred else raw)[estimator or "clustered"]

    @property
    def ratio(self) -> np.ndarray:
        """(8)'s right-hand side norm(E g) / lambda_max(H) (T, P, S, R): the bound on the radius at each step.

        It is not finite where the Hessian vanishes.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio: np.ndarray = self.gradient / self.lambda_max
        return ratio

    @property
    def factors(self) -> dict[str, np.ndarray]:
        """(13)'s three factors by name, each (T, P, S, R); their product is `ratio`."""
        return theorem_factors(self.trace_h, self.trace_r, self.lambda_max, self.gsnr)


QUANTITIES = (
    *("loss", "gradient", "gsnr", "corrected", "trace_h", "trace_r", "lambda_max", "residual"),
    *("clustered", "centred", "centred_clustered"),
)
LEAST_CLUSTERS = 20  # whole clusters in a subsample [choice]; with fewer, rows are drawn one by one


class Watch:
    """An observer that measures all heads of the observed lanes at once; `sweep` builds it from `Watching`.

    Args:
        problems: those of the fit.
        recipe: that of the fit.
        seeds: S, number of the fit's seeds.
        radii: R, number of the fit's radii.
        rows: training rows of each problem to measure on, drawn once by `seed` and equally for problems of one length
            and the same groups; None for all. See `watched`.
        tolerance: relative residual at which Lanczos stops, which starts from the vector of the observation before; the
            eigenvalue's own error is about its square.
        seed: of the rows.

    Raises:
        FitError: for a number of rows that a problem does not have, and for rows that are all of one group.
    """

    def __init__(
        self,
        problems: Sequence[Problem],
        recipe: HeadRecipe,
        seeds: int,
        radii: int,
        *,
        rows: int | None = None,
        tolerance: float = 1e-2,
        seed: int = 0,
    ) -> None:
        lengths = [len(p.train) for p in problems]
        if rows is not None and not 2 <= rows <= min(lengths):
            raise FitError(
                f"expected to watch 2 to {min(lengths)} training rows, got {rows}; give None for all of them"
            )
        self.recipe, self.tolerance, self.shape = recipe, tolerance, (len(problems), seeds, radii)
        self.seen: dict[int, np.ndarray] = {}  # step -> (quantities, P, S, R)
        self.vectors: dict[tuple[int, int], Tensor] = {}
        self.lock = Lock()
        self.problems = list(problems)
        self.indices = [watched(len(p.train), rows, seed, p.groups) for p in problems]
        self.clusters = [
            None if p.groups is None else clusters_of(p.groups[i]) for p, i in zip(problems, self.indices, strict=True)
        ]
        self.designs: dict[int, tuple[Design, Tensor | None]] = {}

    def __call__(self, observation: Observation) -> None:
        """Measure the heads of an observation; safe to call from several threads."""
        with self.lock:
            table = self.seen.setdefault(observation.step, np.full((len(QUANTITIES), *self.shape), np.nan))
        for problem, group in groupby(range(len(observation.lanes)), key=lambda g: int(observation.lanes[g, 0])):
            lanes = list(group)
            at = slice(lanes[0], lanes[-1] + 1)
            likelihood = self._likelihood(problem, observation, at)
            seeds = observation.lanes[at, 1]
            table[:, problem, seeds] = self._measure(likelihood, (problem, int(seeds[0])), self.clusters[problem])

    def _design(self, problem: int, like: Tensor) -> tuple[Design, Tensor | None]:
        """The watched rows, and for a perceptron that has fewer of them than features an orthonormal basis (D, n).

        What a first layer does outside the span of the rows changes nothing that is measured: rows and weights are
        then written in that basis, n numbers each instead of D. (Linear heads go through the Gram matrix.)
        """
        if problem not in self.designs:
            source, index = self.problems[problem], self.indices[problem]
            x, basis = source.train.gather(index).to(like), None
            if self.recipe.kind == "linear":
                x = torch.cat([x, x.new_ones(len(x), 1)], -1)
            elif len(x) < x.shape[1]:
                q, r = torch.linalg.qr(x.double().T)
                x, basis = r.T.to(like).contiguous(), q.to(like)
            y = torch.from_numpy(source.labels[index].astype(np.float64)).to(like)
            self.designs[problem] = Design(x, y), basis
        return self.designs[problem]

    def _likelihood(self, problem: int, observation: Observation, at: slice) -> Logistic | Perceptron:
        """Heads (S, R) of one problem on the watched rows."""
        design, basis = self._design(problem, observation.weight)
        weight, bias = observation.weight[at], observation.bias[at]
        if observation.top is None or observation.top_bias is None:
            return Logistic(design, torch.cat([weight[:, :, 0], bias], -1))
        weight = weight if basis is None else weight @ basis
        point = torch.cat([weight.flatten(-2), bias, observation.top[at], observation.top_bias[at][..., None]], -1)
        return Perceptron(design.z, design.y, point, self.recipe.units, self.recipe.activation)

    def _measure(
        self, likelihood: Logistic | Perceptron, key: tuple[int, int], clusters: Clusters | None
    ) -> np.ndarray:
        """All quantities (quantities, S, R)."""
        largest = lambda_max(likelihood.operator(), start=self.vectors.get(key), tolerance=self.tolerance, check=False)
        self.vectors[key] = largest.vector
        estimates, without_mean = moments(likelihood), moments(centred := likelihood.centred())
        values = (
            likelihood.loss(),
            estimates.signal.sqrt(),
            estimates.gsnr,
            estimates.corrected,
            *likelihood.traces(),
            largest.value,
            largest.residual,
            _by_clusters(likelihood, clusters, estimates),
            without_mean.gsnr,
            _by_clusters(centred, clusters, without_mean),
        )
        return torch.stack(values).double().cpu().numpy()

    def course(self) -> Course:
        """Return all measurements so far, in the order of the steps."""
        steps = sorted(self.seen)
        table = np.stack([self.seen[s] for s in steps], 1) if steps else np.empty((len(QUANTITIES), 0, *self.shape))
        rows = np.array([len(i) for i in self.indices])
        clusters = np.array([0 if c is None else c.count for c in self.clusters])
        named = dict(zip(QUANTITIES, table, strict=True))
        return Course(np.array(steps, dtype=np.int64), **named, rows=rows, clusters=clusters)


def _by_clusters(likelihood: Logistic | Perceptron, clusters: Clusters | None, measured: Moments) -> Tensor:
    """Each row is a cluster where these are not known."""
    if clusters is None:
        return measured.corrected
    return clustered_gsnr(likelihood, clusters, measured)


def watched(count: int, rows: int | None, seed: int, groups: np.ndarray | None = None) -> np.ndarray:
    """Draw the rows of a problem that are measured.

    Whole groups are drawn, so that a fake stays with its real picture, as many as fit into `rows`; where fewer than
    LEAST_CLUSTERS fit, or groups are not known, rows are drawn one by one.

    Args:
        count: training rows of the problem.
        rows: most rows to measure; None for all of them.
        seed: of the draw.
        groups: (count) the group of each row, or None.

    Returns:
        The rows' indices, in order.
    """
    if rows is None or rows >= count:
        return np.arange(count)
    rng = generator("watch", seed, count)
    if groups is not None:
        number = np.array(numbered(groups))
        order = rng.permutation(number.max() + 1)
        fits = order[np.cumsum(np.bincount(number)[order]) <= rows]
        if len(fits) >= LEAST_CLUSTERS:
            return np.flatnonzero(np.isin(number, fits))
    return np.sort(rng.choice(count, rows, replace=False))


def joined(courses: Sequence[Course]) -> Course:
    """Join the problems of several courses, which were observed at the same steps, in one course."""
    columns = {name: np.concatenate([getattr(c, name) for c in courses], 1) for name in QUANTITIES}
    counts = {name: np.concatenate([getattr(c, name) for c in courses]) for name in ("rows", "clusters")}
    return Course(courses[0].steps, **columns, **counts)


def every(interval: int) -> Callable[[int], bool]:
    """Observe steps 0, interval, 2 interval, ...: an `observe_at` for `fit`."""
    return lambda step: step % interval == 0
