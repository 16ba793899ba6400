"""Stores -> tasks -> sweeps -> what was found for every store, layer, group and head."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import numpy as np
import torch

from corit.diagnose.groups import groups_of, tasks_of
from corit.diagnose.measured import Measured, headline, layer_name, require_finite, require_layers, usual_layers
from corit.diagnose.plan import Kind, Plan
from corit.errors import DataError
from corit.heads.head import Head
from corit.progress import OpenBar, no_bar
from corit.seeding import generator
from corit.theory.collapse import Collapse
from corit.theory.cor import critical_radius
from corit.theory.landscape import Landscape, landscape
from corit.theory.likelihood import Likelihood
from corit.theory.phases import find_phases
from corit.theory.sweep import Sweep, Task, Watching, sweep
from corit.theory.trained import trained
from corit.theory.watch import Course


@dataclass(frozen=True)
class Cell:
    """One store, layer, group and head over S seeds and R radii.

    auc (S, R) on test rows. collapse: the empirical COR. course: what was seen along training at the plan's reference
    radius, each quantity (T, 1, S, 1). end (S): the last step of phase (i), infinite where no later phase was found.
    bound, step (S): (11) and (12) within phase (i); whole (S): (11) over everything. factors (S, 3): (13)'s at that
    step. gsnr, corrected (S): (4) there, plain and bias-corrected.
    """

    store: str
    layer: int
    group: str
    head: Kind
    auc: np.ndarray
    collapse: Collapse
    course: Course = field(repr=False)
    end: np.ndarray
    bound: np.ndarray
    whole: np.ndarray
    step: np.ndarray
    factors: np.ndarray
    gsnr: np.ndarray
    corrected: np.ndarray

    @property
    def at(self) -> str:
        """The layer as tables show it."""
        return layer_name(self.layer)

    @property
    def early(self) -> np.ndarray:
        """Bias-corrected GSNR (S), averaged over the first tenth of the looks.

        [choice] The steps are the same for every cell, whatever its phases, so that groups can be ranked by it.
        """
        return self.course.corrected[: max(1, len(self.course.steps) // 10), 0, :, 0].mean(0)


@dataclass(frozen=True)
class Diagnosis:
    """What `diagnose` found. captions: by store, its world, backbone and model. layers, groups: those of each store.

    landscapes: by store, group and head, at the store's last layer (see `headline`), of the first seed's head at the
    plan's shown radius; none where that head diverged. notes: groups that were left out, and why.
    """

    plan: Plan
    captions: Mapping[str, str]
    layers: Mapping[str, tuple[int, ...]]
    groups: Mapping[str, tuple[str, ...]]
    cells: tuple[Cell, ...] = field(repr=False)
    landscapes: Mapping[tuple[str, str, Kind], Landscape] = field(repr=False)
    shown: float
    notes: tuple[str, ...]
    seconds: float

    @property
    def stores(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self.captions)

    def headline(self, store: str) -> int:
        """The layer that speaks for a store."""
        return headline(self.layers[store])

    def where(self, **equal: object) -> tuple[Cell, ...]:
        """The cells whose fields have these values."""
        return tuple(c for c in self.cells if all(getattr(c, k) == v for k, v in equal.items()))

    def headlines(self, **equal: object) -> tuple[Cell, ...]:
        """`where`, at each store's headline layer."""
        return tuple(c for c in self.where(**equal) if c.layer == self.headline(c.store))


def diagnose(stores: Sequence[Measured], plan: Plan, out: str | Path, *, bars: OpenBar = no_bar) -> Diagnosis:
    """Sweep every store, layer and group with every head; `out`/sweeps keeps what is finished, to go on after a stop.

    Everything that can be wrong with the input is looked for before the first head is trained: raises DataError,
    StoreError or FitError.
    """
    started, folder = time.monotonic(), Path(out) / "sweeps"
    tasks, notes = _tasks(stores, plan)
    layers = {s.name: tuple(dict.fromkeys(t.layer for t in tasks[s.name])) for s in stores}
    groups = {s.name: tuple(dict.fromkeys(t.group for t in tasks[s.name])) for s in stores}
    cells: list[Cell] = []
    planes: dict[tuple[str, str, Kind], Landscape] = {}
    for number, store in enumerate(stores):
        for kind in plan.heads:
            grid, path = _sweeps(tasks[store.name], plan, kind, folder / f"{number}-{kind}", store.name, bars)
            cells += _cells(store.name, kind, grid, path)
            planes |= _planes(store.name, kind, grid, plan, layers[store.name])
    captions = {s.name: s.caption for s in stores}
    shown = plan.rhos[_nearest(plan.rhos, plan.shown)]
    return Diagnosis(
        plan, captions, layers, groups, tuple(cells), planes, shown, tuple(notes), time.monotonic() - started
    )


def _tasks(stores: Sequence[Measured], plan: Plan) -> tuple[dict[str, list[Task]], list[str]]:
    if not stores:
        raise DataError("expected at least one store to diagnose, got none")
    chosen: list[tuple[Measured, tuple[int, ...], tuple[str, ...]]] = []
    notes: list[str] = []
    for store in stores:
        layers = plan.layers or usual_layers(store)
        require_layers(store, layers)
        require_finite(store, layers)
        groups, left_out = groups_of(store, plan.by, plan.groups, plan.batch)
        chosen.append((store, layers, groups))
        notes += [f"{store.name}: {why}" for why in left_out]
    recipe = plan.recipe(plan.heads[0])
    return {s.name: list(tasks_of(s, plan.by, groups, layers, recipe)) for s, layers, groups in chosen}, notes


def _sweeps(
    tasks: Sequence[Task], plan: Plan, kind: Kind, folder: Path, name: str, bars: OpenBar
) -> tuple[Sweep, Sweep]:
    """All radii, measured; and the reference radius, watched."""
    recipe = plan.recipe(kind)
    shortest = min(len(t.problem.train) for t in tasks)
    watch = Watching(plan.interval, min(plan.rows, shortest))
    with bars(f"{kind} heads on {name}") as progress:
        grid = sweep(
            tasks,
            recipe,
            plan.rhos,
            plan.seeds,
            steps=plan.steps,
            refine=plan.refine,
            folder=folder / "grid",
            progress=progress,
        )
    with bars(f"{kind} courses on {name}") as progress:
        path = sweep(
            tasks,
            recipe,
            (plan.reference,),
            plan.seeds,
            steps=plan.steps,
            watch=watch,
            refine=0,
            folder=folder / "course",
            progress=progress,
        )
    return grid, path


def _cells(store: str, kind: Kind, grid: Sweep, path: Sweep) -> Iterator[Cell]:
    assert path.course is not None
    for p, task in enumerate(grid.tasks):
        course = _one(path.course, p)
        ratio, found = course.ratio[:, 0, :, 0], find_phases(course.steps, course.gsnr[:, 0, :, 0])
        within = critical_radius(course.steps, ratio, found.pre)
        whole = critical_radius(course.steps, ratio)
        there = np.searchsorted(course.steps, within.step.clip(0)), np.arange(ratio.shape[1])
        at = {k: getattr(course, k)[:, 0, :, 0][there] for k in ("gsnr", "corrected")}
        yield Cell(
            store,
            task.layer,
            task.group,
            kind,
            grid.auc[p],
            grid.collapse[p],
            course,
            found.start,
            within.radius,
            whole.radius,
            within.step,
            np.stack([f[:, 0, :, 0][there] for f in course.factors.values()], -1),
            **at,
        )


def _one(course: Course, p: int) -> Course:
    """One problem of a course."""
    parts = {f.name: getattr(course, f.name) for f in fields(course)}
    return replace(course, **{k: v[:, p : p + 1] for k, v in parts.items() if np.ndim(v) == 4})


def _planes(
    store: str, kind: Kind, grid: Sweep, plan: Plan, layers: Sequence[int]
) -> dict[tuple[str, str, Kind], Landscape]:
    layer, radius = headline(layers), _nearest(grid.rhos, plan.shown)
    found = {}
    for p, task in enumerate(grid.tasks):
        head = grid.head(p, 0, radius)
        if task.layer == layer and all(bool(torch.isfinite(t).all()) for t in head.state().values()):
            found[store, task.group, kind] = landscape(_likelihood(task, head, plan.rows), rhos=(plan.shown or 0.05,))
    return found


def _likelihood(task: Task, head: Head, limit: int) -> Likelihood:
    """The head on its training rows, or on as many of them, drawn by a seed, as the limit says; in float64."""
    count = len(task.problem.train)
    index = np.sort(generator("landscape rows", count).permutation(count)[:limit])
    x, y = task.problem.train.gather(index), torch.from_numpy(task.problem.labels[index])
    parts = [t for t in (head.weight, head.bias, head.top, head.top_bias) if t is not None]
    return trained(x, y, parts, head.recipe)


def _nearest(rhos: Sequence[float], wanted: float) -> int:
    return int(np.abs(np.array(rhos) - wanted).argmin())
