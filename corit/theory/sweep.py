"""Heads x radii x seeds x layers x forgeries in batches of matrix products: AUC, collapse and courses of each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save
from torch import Tensor

from corit.errors import FitError
from corit.files import write_bytes
from corit.heads.fit import BUDGET, Fit, fit, fit_each, logits_of
from corit.heads.head import Head, HeadRecipe
from corit.heads.problem import Problem, standardised_problem
from corit.heads.rows import Rows, chunks, standardised
from corit.heads.select import auc
from corit.progress import Progress, no_progress
from corit.theory.clusters import numbered
from corit.theory.collapse import Collapse, Place, against_floors, check_radii, collapses, refined
from corit.theory.floors import Floors, floors
from corit.theory.geometry import Units, units
from corit.theory.watch import QUANTITIES, Course, Watch, every, joined

FORMAT = 2  # of the kept parts: another number makes them anew
CHUNK = 8 * BUDGET  # bytes of first layers that are trained, and kept in a folder, together


@dataclass(frozen=True)
class Task:
    """One feature set to train on.

    Attributes:
        layer: layer number.
        group: manipulation or data set of the fakes.
        problem: standardised training and validation rows.
        test: (n, D) test rows, standardised likewise; nothing is chosen by them.
        test_labels: (n), 0 for real and 1 for fake.

    Raises:
        FitError: for test rows whose labels or width do not fit.
    """

    layer: int
    group: str
    problem: Problem
    test: Rows
    test_labels: np.ndarray

    def __post_init__(self) -> None:
        if len(self.test) != len(self.test_labels):
            counts = f"{len(self.test_labels)} labels and {len(self.test)} rows"
            raise FitError(f"{self.name}: expected one label for each test row, got {counts}")
        classes = np.unique(self.test_labels).tolist()
        if set(classes) != {0, 1}:
            raise FitError(f"{self.name}: expected reals (0) and fakes (1) among the test rows, got labels {classes}")
        if self.test.width != self.problem.train.width:
            raise FitError(
                f"{self.name}: expected test rows of width {self.problem.train.width}, got {self.test.width}"
            )

    @property
    def name(self) -> str:
        """Layer and group, for messages."""
        return f"layer {self.layer}, {self.group}"

    @cached_property
    def floors(self) -> Floors:
        """Nearest-mean and logistic AUC of these rows, computed when first read; see `corit.theory.floors.floors`."""
        p = self.problem
        return floors(p.train, p.labels, self.test, self.test_labels, (p.valid, p.valid_labels))

    @cached_property
    def units(self) -> Units:
        """What radii on these training rows are on the raw ones, computed when first read."""
        return units(self.problem.train, self.problem.standardiser)


def task(
    layer: int,
    group: str,
    train: tuple[Rows, np.ndarray],
    valid: tuple[Rows, np.ndarray],
    test: tuple[Rows, np.ndarray],
    recipe: HeadRecipe,
    limit: int = 2**29,
    groups: np.ndarray | None = None,
) -> Task:
    """Build a task from raw rows; the recipe's standardiser is fitted on the training rows.

    Args:
        layer: layer number.
        group: manipulation or data set of the fakes.
        train: rows (n, D) and labels (n).
        valid: likewise.
        test: likewise.
        recipe: names the scaling.
        limit: bytes of standardised rows to hold in memory, for each part; see `standardised`.
        groups: (n) the group of each training row, for GSNR by clusters; None where it is not known.

    Raises:
        FitError: for rows that cannot be standardised, and labels or groups that do not fit.
    """
    problem = standardised_problem(*train, *valid, recipe, limit, groups)
    return Task(layer, group, problem, standardised(test[0], problem.standardiser, limit), test[1])


@dataclass(frozen=True)
class Watching:
    """What a sweep measures along training; see `Watch`.

    Attributes:
        every: steps between two measurements.
        rows: training rows of each problem to measure on, drawn by a seed; None for all.
        tolerance: relative residual of lambda_max.
    """

    every: int = 20
    rows: int | None = None
    tolerance: float = 1e-2


@dataclass(frozen=True)
class Heads:
    """One task's heads at their kept epochs.

    Attributes:
        weight: (S, R, M, D).
        bias: (S, R, M).
        top: (S, R, M) of perceptrons, else None.
        top_bias: (S, R) of perceptrons, else None.
    """

    weight: Tensor
    bias: Tensor
    top: Tensor | None = None
    top_bias: Tensor | None = None


@dataclass(frozen=True)
class Sweep:
    """The results of a sweep over P tasks, S seeds and R radii.

    Attributes:
        tasks: (P).
        recipe: how heads were trained.
        rhos: (R) radii.
        seeds: (S).
        steps: optimiser steps of each head.
        auc: (P, S, R) on test rows, NaN where a head diverged.
        valid_auc: (P, S, R) on validation rows, likewise.
        collapse: (P) empirical COR of each task; `relative` adds the radii relative to the floors.
        course: the quantities measured along training, its problems in the order of the tasks; None without `watch`.
        heads: (P) the trained heads.
    """

    tasks: tuple[Task, ...]
    recipe: HeadRecipe
    rhos: tuple[float, ...]
    seeds: tuple[int, ...]
    steps: int
    auc: np.ndarray
    valid_auc: np.ndarray
    collapse: tuple[Collapse, ...]
    course: Course | None
    heads: tuple[Heads, ...]

    @cached_property
    def floors(self) -> tuple[Floors, ...]:
        """The floors (P) of the tasks, computed when first read."""
        return tuple(t.floors for t in self.tasks)

    @property
    def units(self) -> tuple[Units, ...]:
        """The units (P) of each task's radii: the features' geometry, and the factor to radii on raw features."""
        return tuple(t.units for t in self.tasks)

    @cached_property
    def relative(self) -> tuple[Collapse, ...]:
        """The collapse (P) of each task with its radii relative to the floors, computed when first read."""
        each = zip(self.auc, self.collapse, self.floors, strict=True)
        return tuple(against_floors(self.rhos, auc, c, f) for auc, c, f in each)

    def head(self, task: int, seed: int, radius: int) -> Head:
        """Return one head by its indices, with its standardiser."""
        tensors, at = self.heads[task], (seed, radius)
        top = None if tensors.top is None else tensors.top[at].clone()
        top_bias = None if tensors.top_bias is None else tensors.top_bias[at].clone()
        scale = self.tasks[task].problem.standardiser
        return Head(tensors.weight[at].clone(), tensors.bias[at].clone(), scale, self.recipe, top, top_bias)


def sweep(
    tasks: Sequence[Task],
    recipe: HeadRecipe,
    rhos: Sequence[float],
    seeds: Sequence[int],
    *,
    steps: int | None = None,
    watch: Watching | None = None,
    refine: int = 4,
    folder: str | Path | None = None,
    progress: Progress = no_progress,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Sweep:
    """Train and measure a head for every task, seed and radius, and refine each collapse by bisection in log rho.

    A seed has the same start at every task and radius, and the same mini-batches at every radius and at every task
    with as many training rows; two seeds share nothing. Give a recipe with select = "last" [choice]: the best epoch on
    validation would hide a collapse. rho = 0 alone, the base optimiser without SAM, can be swept with refine = 0.

    Args:
        tasks: P; they may differ in feature width.
        recipe: how heads are trained.
        rhos: R radii, increasing.
        seeds: S, distinct.
        steps: optimiser steps; None for the recipe's epochs of the longest task.
        watch: what to measure along training; None for nothing.
        refine: rounds of bisection.
        folder: where finished parts are stored under a digest of all that decides them, so that an interrupted sweep
            resumes; None to store nothing.
        progress: called with steps of tasks done and in all.
        device: of the training.
        dtype: of parameters and rows.

    Returns:
        The AUC of each head, the empirical COR of each task, the course if there is a `watch`, and the heads.

    Raises:
        FitError: before any work, when the input cannot be swept.
    """
    settings = _Settings(
        recipe,
        check_radii(rhos, positive=refine > 0),
        tuple(seeds),
        _steps(tasks, recipe) if steps is None else steps,
        watch,
        refine,
        str(dtype)[6:],
    )
    _check(tasks, settings)
    place = None if folder is None else Path(folder)
    parts: dict[int, _Part] = {}
    done, total = 0, settings.steps * len(tasks)
    for chosen in _chunks(tasks, settings):
        some = [tasks[i] for i in chosen]
        share = len(some) / len(tasks)
        part = _load_or_train(some, settings, place, _share_of(progress, done, share * total, total), device)
        parts |= {i: _of(part, k) for k, i in enumerate(chosen)}
        done += settings.steps * len(some)
        progress(done, total)
    return _assemble(tasks, settings, [parts[i] for i in range(len(tasks))])


def _share_of(progress: Progress, before: int, share: float, whole: int) -> Progress:
    return lambda done, total: progress(before + int(share * done / total) if total else before, whole)


@dataclass(frozen=True)
class _Settings:
    """All that decides a sweep's numbers besides the rows."""

    recipe: HeadRecipe
    rhos: tuple[float, ...]
    seeds: tuple[int, ...]
    steps: int
    watch: Watching | None
    refine: int
    dtype: str


def _steps(tasks: Sequence[Task], recipe: HeadRecipe) -> int:
    return recipe.epochs * max((len(t.problem.train) // recipe.batch or 1 for t in tasks), default=1)


def _check(tasks: Sequence[Task], settings: _Settings) -> None:
    """Raise FitError for anything that would stop the sweep later on."""
    if not tasks or not settings.seeds:
        counts = f"{len(tasks)} tasks and {len(settings.seeds)} seeds"
        raise FitError(f"expected tasks and seeds to sweep over, got {counts}")
    if len(set(settings.seeds)) < len(settings.seeds):
        raise FitError(f"expected distinct seeds, got {list(settings.seeds)}")
    if settings.steps < 1 or settings.refine < 0:
        raise FitError(f"expected steps >= 1 and refine >= 0, got {settings.steps} and {settings.refine}")
    for t in tasks:
        rows, batch = len(t.problem.train), settings.recipe.batch
        if rows < batch:
            raise FitError(f"{t.name}: expected at least one mini-batch of {batch} rows, got {rows} rows")
        if settings.watch is not None:
            _check_watch(t, settings.watch)
        for part, table in (("training", t.problem.train), ("validation", t.problem.valid), ("test", t.test)):
            if not all(bool(torch.isfinite(c).all()) for c in chunks(table)):
                what = f"{t.name}: expected finite {part} features, got NaN or infinity"
                raise FitError(f"{what}; extract them again or drop those rows")


def _check_watch(t: Task, watch: Watching) -> None:
    rows = len(t.problem.train)
    if watch.every < 1 or (watch.rows is not None and not 2 <= watch.rows <= rows):
        raise FitError(
            f"{t.name}: expected to watch at every >= 1 steps on 2 to {rows} training rows, got every {watch.every} "
            f"on {watch.rows}; give rows = None for all of them"
        )


def _chunks(tasks: Sequence[Task], settings: _Settings) -> Iterator[list[int]]:
    """Indices of tasks of one width that are trained together, in their order within a width."""
    for width in dict.fromkeys(t.problem.train.width for t in tasks):
        same = [i for i, t in enumerate(tasks) if t.problem.train.width == width]
        size = max(1, CHUNK // (4 * width * settings.recipe.units * len(settings.rhos) * len(settings.seeds)))
        yield from (same[k : k + size] for k in range(0, len(same), size))


_Part = dict[str, np.ndarray]  # the first axis is that of the tasks (the second of what was watched)


def _of(part: _Part, k: int) -> _Part:
    """One task's."""

    def pick(name: str, values: np.ndarray) -> np.ndarray:
        if name == "steps":
            return values
        return values[:, k : k + 1] if name in QUANTITIES else values[k : k + 1]

    return {name: pick(name, values) for name, values in part.items()}


def _load_or_train(
    tasks: Sequence[Task], settings: _Settings, folder: Path | None, progress: Progress, device: str
) -> _Part:
    if folder is None:
        return _train_chunk(tasks, settings, progress, device)
    path = folder / f"{_digest(tasks, settings)}.safetensors"
    if path.exists():
        return load_file(path)
    part = _train_chunk(tasks, settings, progress, device)
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(path, save({name: np.ascontiguousarray(a) for name, a in part.items()}))
    return part


def _digest(tasks: Sequence[Task], settings: _Settings) -> str:
    """SHA-256 of the rows, their labels and the settings; of the groups where they are given and something is watched.

    Nothing else depends on the groups, so that parts kept without them stay valid.
    """
    values = asdict(settings)
    if settings.recipe.scaling == "raw":
        values["recipe"]["scaling"] = "none"  # its name when the first parts were kept
    digest = hashlib.sha256(json.dumps([FORMAT, values], sort_keys=True).encode())
    for t in tasks:
        p = t.problem
        for rows, y in ((p.train, p.labels), (p.valid, p.valid_labels), (t.test, t.test_labels)):
            digest.update(f"{len(rows)} {rows.width} ".encode() + np.asarray(y, dtype=np.int8).tobytes())
            for chunk in chunks(rows):
                digest.update(chunk.cpu().numpy().tobytes())
        if settings.watch is not None and p.groups is not None:
            digest.update(b"groups " + np.array(numbered(p.groups), dtype=np.int64).tobytes())
    return digest.hexdigest()


def _train_chunk(tasks: Sequence[Task], settings: _Settings, progress: Progress, device: str) -> _Part:
    """Train, measure and refine one chunk."""
    problems, recipe, dtype = [t.problem for t in tasks], settings.recipe, getattr(torch, settings.dtype)
    observer = None
    if (watch := settings.watch) is not None:
        grid = (len(settings.seeds), len(settings.rhos))
        observer = Watch(problems, recipe, *grid, rows=watch.rows, tolerance=watch.tolerance)
    done = fit(
        problems,
        recipe,
        rhos=settings.rhos,
        seeds=settings.seeds,
        steps=settings.steps,
        observer=observer,
        observe_at=every(watch.every if watch is not None else 1),
        progress=progress,
        device=device,
        dtype=dtype,
    )
    area = np.stack([_areas(done.logits(p, t.test), t) for p, t in enumerate(tasks)])

    def retrain(heads: Sequence[tuple[Place, float]]) -> list[float]:
        chosen = [(p, settings.seeds[s], rho) for (p, s), rho in heads]
        parts = fit_each(problems, recipe, chosen, steps=settings.steps, device=device, dtype=dtype)
        return [_single(parts, i, tasks[p], recipe) for i, (p, _, _) in enumerate(chosen)]

    radius = refined(settings.rhos, area, retrain, settings.refine)
    parts = {"auc": area, "valid_auc": _best_valid_auc(done), "radius": radius} | _weights(done)
    if observer is not None:
        course = observer.course()
        parts |= {name: getattr(course, name) for name in ("steps", "rows", "clusters", *QUANTITIES)}
    return parts


def _areas(logits: Tensor, t: Task) -> np.ndarray:
    """Test AUC (S, R) of logits (S, R, n); the sort needs room, so that it is done seed by seed."""
    labels = torch.tensor(t.test_labels)
    return torch.stack([auc(of_seed.cpu(), labels) for of_seed in logits]).numpy()


def _single(parts: Sequence[Tensor], i: int, t: Task, recipe: HeadRecipe) -> float:
    """Test AUC of the i-th of N heads."""
    return float(_areas(logits_of(t.test, [part[i][None, None] for part in parts], recipe), t)[0, 0])


def _best_valid_auc(done: Fit) -> np.ndarray:
    """Validation AUC (P, S, R) at the kept epochs."""
    trajectory = done.trajectory
    area: np.ndarray = np.take_along_axis(trajectory.valid_auc, trajectory.best[None], 0)[0]
    return area


def _weights(done: Fit) -> _Part:
    named = {f.name: getattr(done, f.name) for f in fields(Heads)}
    return {name: t.numpy() for name, t in named.items() if t is not None}


def _course(part: _Part) -> Course:
    """The course of a part; parts of earlier versions knew no groups and did not remove the common mean."""
    unknown = np.full_like(part["gsnr"], np.nan)
    absent = {
        "clustered": part["corrected"],
        "centred": unknown,
        "centred_clustered": unknown,
        "clusters": 0 * part["rows"],
    }
    known = absent | part
    return Course(**{name: known[name] for name in ("steps", "rows", "clusters", *QUANTITIES)})


def _assemble(tasks: Sequence[Task], settings: _Settings, parts: Sequence[_Part]) -> Sweep:
    """Put the tasks' parts together."""
    area, valid, radius = (np.concatenate([p[name] for p in parts]) for name in ("auc", "valid_auc", "radius"))
    named = [{f.name: torch.from_numpy(p[f.name][0]) for f in fields(Heads) if f.name in p} for p in parts]
    course = None
    if settings.watch is not None:
        course = joined([_course(p) for p in parts])
    return Sweep(
        tuple(tasks),
        settings.recipe,
        settings.rhos,
        settings.seeds,
        settings.steps,
        area,
        valid,
        collapses(settings.rhos, area, radius),
        course,
        tuple(Heads(**tensors) for tensors in named),
    )
