"""Sweeps every store, layer, group and head, and gathers AUC, empirical COR, bounds and landscapes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import numpy as np
import torch

from corit.diagnose.control import Control, controls
from corit.diagnose.features import LayerFeatures, default_layers, headline, layer_name, require_finite, require_layers
from corit.diagnose.groups import tasks_of, usable_groups
from corit.diagnose.plan import DiagnosisPlan
from corit.errors import DataError
from corit.heads.head import Head, HeadKind, HeadRecipe
from corit.progress import OpenBar, no_bar
from corit.seeding import generator
from corit.theory.collapse import Collapse
from corit.theory.cor import critical_radius
from corit.theory.floors import Floors
from corit.theory.geometry import Units
from corit.theory.landscape import Landscape, landscape
from corit.theory.likelihood import Likelihood
from corit.theory.moments import Estimator
from corit.theory.phases import course_phases
from corit.theory.sweep import Sweep, Task, Watching, sweep
from corit.theory.trained import trained
from corit.theory.watch import Course


@dataclass(frozen=True)
class DiagnosisCell:
    """One store, layer, group and head over S seeds and R radii.

    Attributes:
        store: name of the store.
        layer: layer number, `FINAL` for z.
        group: group of fakes.
        head: kind of head.
        auc: (S, R) on test rows, NaN where a head diverged.
        collapse: the empirical COR, with the radii relative to the floors.
        course: the quantities measured along training at the plan's reference radius, each (T, 1, S, 1).
        end: (S) last step of phase (i), infinite where no later phase was found.
        bound: (S) COR (11) within phase (i).
        whole: (S) COR (11) over the whole course.
        step: (S) bottleneck step (12) within phase (i).
        factors: (S, 3) the factors of (13) at that step, in the order of `FACTORS`.
        gsnr: (S) plain GSNR (4) at that step.
        corrected: (S) bias-corrected GSNR (4) at that step, as if rows were independent.
        estimator: of the phases, of `estimate`, `centred` and `early`; see `Course.estimate`.
        units: geometry of the features, and what a radius is on the raw ones.
        floors: nearest-mean and logistic AUC of the same rows; None in a record made without them.
        control: heads on centred features, where heads on raw features fall that have a large common mean.
    """

    store: str
    layer: int
    group: str
    head: HeadKind
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
    units: Units
    estimator: Estimator | None = None
    floors: Floors | None = None
    control: Control | None = field(default=None, repr=False)

    @property
    def estimate(self) -> np.ndarray:
        """GSNR (S) at the bottleneck step, by the cell's estimator."""
        return self._at_bottleneck(self.course.estimate(self.estimator))

    @property
    def centred(self) -> np.ndarray:
        """The same (S) of the rows less their common mean."""
        return self._at_bottleneck(self.course.estimate(self.estimator, centred=True))

    def _at_bottleneck(self, values: np.ndarray) -> np.ndarray:
        step = np.searchsorted(self.course.steps, self.step.clip(0)).clip(max=len(self.course.steps) - 1)
        at: np.ndarray = values[step, 0, np.arange(len(step)), 0]
        return at

    @property
    def at(self) -> str:
        """The layer as tables show it."""
        return layer_name(self.layer)

    @property
    def early(self) -> np.ndarray:
        """GSNR (S) by the cell's estimator, the mean over the first tenth of the observed steps.

        [choice] The steps are the same for every cell, whatever its phases, so that groups can be ranked by it.
        """
        return self._early(self.course.estimate(self.estimator))

    @property
    def early_centred(self) -> np.ndarray:
        """The same (S) of the rows less their common mean."""
        return self._early(self.course.estimate(self.estimator, centred=True))

    def _early(self, values: np.ndarray) -> np.ndarray:
        mean: np.ndarray = values[: max(1, len(self.course.steps) // 10), 0, :, 0].mean(0)
        return mean


@dataclass(frozen=True)
class Diagnosis:
    """The results of `diagnose_stores`.

    Attributes:
        plan: what was measured.
        captions: store -> its world, backbone and model.
        layers: store -> its layer numbers.
        groups: store -> its groups of fakes.
        cells: one record for each store, layer, group and head.
        landscapes: (store, group, head) -> landscape at the store's headline layer, of the first seed's head at the
            radius `shown`; absent where that head diverged.
        shown: the radius of the plan's that is nearest to `plan.shown`.
        notes: the groups that are left out, and why.
        seconds: how long the diagnosis took.
    """

    plan: DiagnosisPlan
    captions: Mapping[str, str]
    layers: Mapping[str, tuple[int, ...]]
    groups: Mapping[str, tuple[str, ...]]
    cells: tuple[DiagnosisCell, ...] = field(repr=False)
    landscapes: Mapping[tuple[str, str, HeadKind], Landscape] = field(repr=False)
    shown: float
    notes: tuple[str, ...]
    seconds: float

    @property
    def stores(self) -> tuple[str, ...]:
        """Names of the stores."""
        return tuple(self.captions)

    def headline(self, store: str) -> int:
        """Return the layer whose results stand for a store; see `corit.diagnose.features.headline`."""
        return headline(self.layers[store])

    def where(self, **equal: object) -> tuple[DiagnosisCell, ...]:
        """Select the cells whose fields have these values."""
        return tuple(c for c in self.cells if all(getattr(c, k) == v for k, v in equal.items()))

    def unit_lines(self) -> tuple[str, ...]:
        """Say the units of radii for each store: those of its headline layer's first group."""
        cells = {c.store: c for c in reversed(self.headlines())}
        places = {name: f"{name}, layer {c.at}, {c.group} and reals" for name, c in cells.items()}
        return tuple(f"{places[s]}: {cells[s].units}" for s in self.stores if s in cells)

    def headlines(self, **equal: object) -> tuple[DiagnosisCell, ...]:
        """Select cells as `where` does, at each store's headline layer."""
        return tuple(c for c in self.where(**equal) if c.layer == self.headline(c.store))


def diagnose_stores(
    stores: Sequence[LayerFeatures], plan: DiagnosisPlan, out: str | Path, *, bars: OpenBar = no_bar
) -> Diagnosis:
    """Find the radius, the layer and the step at which heads on stored features collapse under SAM.

    The whole input is checked before the first head is trained. `out`/sweeps keeps finished sweeps, so that an
    interrupted diagnosis resumes.

    Args:
        stores: labelled features, such as `corit.diagnose.stores.read_stores` reads.
        plan: what to measure.
        out: folder of the sweeps.
        bars: opens progress bars.

    Returns:
        One record for each store, layer, group and head, and landscapes.

    Raises:
        DataError: for no store, features that are not finite, and groups that are absent or too small.
        StoreError: for a layer that a store does not have.
        FitError: when heads cannot be trained on the rows.
    """
    started, folder = time.monotonic(), Path(out) / "sweeps"
    tasks, notes = _tasks(stores, plan)
    layers = {s.name: tuple(dict.fromkeys(t.layer for t in tasks[s.name])) for s in stores}
    groups = {s.name: tuple(dict.fromkeys(t.group for t in tasks[s.name])) for s in stores}
    cells: list[DiagnosisCell] = []
    planes: dict[tuple[str, str, HeadKind], Landscape] = {}
    for number, store in enumerate(stores):
        for kind in plan.heads:
            for recipe, some in _blocks(tasks[store.name], plan, kind):
                place = folder / f"{number}-{kind}"
                grid, path = _sweeps(some, plan, recipe, place, store.name, bars)
                centred = controls(grid, place / "centred", store.name, bars)
                cells += _cells(store.name, kind, grid, path, centred, plan.estimator)
                planes |= _planes(store.name, kind, grid, plan, layers[store.name])
    captions = {s.name: s.caption for s in stores}
    shown = plan.rhos[_nearest(plan.rhos, plan.shown)]
    return Diagnosis(
        plan, captions, layers, groups, tuple(cells), planes, shown, tuple(notes), time.monotonic() - started
    )


def _tasks(stores: Sequence[LayerFeatures], plan: DiagnosisPlan) -> tuple[dict[str, list[Task]], list[str]]:
    if not stores:
        raise DataError("expected at least one store to diagnose, got none")
    selected: list[tuple[LayerFeatures, tuple[int, ...], tuple[str, ...]]] = []
    notes: list[str] = []
    for store in stores:
        layers = plan.layers or default_layers(store)
        require_layers(store, layers)
        require_finite(store, layers)
        groups, left_out = usable_groups(store, plan.by, plan.groups, plan.batch)
        selected.append((store, layers, groups))
        notes += [f"{store.name}: {reason}" for reason in left_out]
    recipe = plan.recipe(plan.heads[0])
    return {s.name: list(tasks_of(s, plan.by, groups, layers, recipe)) for s, layers, groups in selected}, notes


_Block = tuple[HeadRecipe, list[Task]]


def _blocks(tasks: Sequence[Task], plan: DiagnosisPlan, kind: HeadKind) -> Iterator[_Block]:
    """Tasks that are trained by one recipe: all, or those of a layer where the rate follows the features' norm."""
    names = [t.layer if plan.unscaled(kind) else 0 for t in tasks]
    for name in dict.fromkeys(names):
        chosen = [t for t, other in zip(tasks, names, strict=True) if other == name]
        yield plan.recipe(kind, chosen[0].units.raw), chosen


def _sweeps(
    tasks: Sequence[Task], plan: DiagnosisPlan, recipe: HeadRecipe, folder: Path, name: str, bars: OpenBar
) -> tuple[Sweep, Sweep]:
    """The sweep over all radii, and the one at the reference radius with its course."""
    kind = recipe.kind
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


def _cells(
    store: str,
    kind: HeadKind,
    grid: Sweep,
    path: Sweep,
    centred: Mapping[int, Control],
    estimator: Estimator | None,
) -> Iterator[DiagnosisCell]:
    assert path.course is not None
    for p, task in enumerate(grid.tasks):
        course = _one(path.course, p)
        ratio, phases = course.ratio[:, 0, :, 0], course_phases(course, estimator)
        within = critical_radius(course.steps, ratio, phases.pre[:, 0, :, 0])
        whole = critical_radius(course.steps, ratio)
        bottleneck = np.searchsorted(course.steps, within.step.clip(0)), np.arange(ratio.shape[1])
        at = {k: getattr(course, k)[:, 0, :, 0][bottleneck] for k in ("gsnr", "corrected")}
        yield DiagnosisCell(
            store,
            task.layer,
            task.group,
            kind,
            grid.auc[p],
            grid.relative[p],
            course,
            phases.start[0, :, 0],
            within.radius,
            whole.radius,
            within.step,
            np.stack([f[:, 0, :, 0][bottleneck] for f in course.factors.values()], -1),
            **at,
            estimator=estimator,
            units=task.units,
            floors=task.floors,
            control=centred.get(p),
        )


def _one(course: Course, p: int) -> Course:
    """One problem of a course."""
    parts = {f.name: getattr(course, f.name) for f in fields(course)}
    quantities = {k: v[:, p : p + 1] for k, v in parts.items() if np.ndim(v) == 4}
    return replace(course, **quantities, rows=course.rows[p : p + 1], clusters=course.clusters[p : p + 1])


def _planes(
    store: str, kind: HeadKind, grid: Sweep, plan: DiagnosisPlan, layers: Sequence[int]
) -> dict[tuple[str, str, HeadKind], Landscape]:
    layer, radius = headline(layers), _nearest(grid.rhos, plan.shown)
    landscapes = {}
    for p, task in enumerate(grid.tasks):
        head = grid.head(p, 0, radius)
        if task.layer == layer and all(bool(torch.isfinite(t).all()) for t in head.state().values()):
            likelihood = _likelihood(task, head, plan.rows)
            landscapes[store, task.group, kind] = landscape(likelihood, rhos=(plan.shown or 0.05,))
    return landscapes


def _likelihood(task: Task, head: Head, limit: int) -> Likelihood:
    """The head on at most `limit` of its training rows, drawn by a fixed seed; in float64."""
    count = len(task.problem.train)
    index = np.sort(generator("landscape rows", count).permutation(count)[:limit])
    x, y = task.problem.train.gather(index), torch.from_numpy(task.problem.labels[index])
    parts = [t for t in (head.weight, head.bias, head.top, head.top_bias) if t is not None]
    return trained(x, y, parts, head.recipe)


def _nearest(rhos: Sequence[float], wanted: float) -> int:
    return int(np.abs(np.array(rhos) - wanted).argmin())
