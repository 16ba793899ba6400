"""One unit: a setting's training followed step by step at the watched radius, and the heads that come of it.

Of each cell and head seed: the phases of GSNR, the bound (11) within phase (i) and over the whole course, Theorem 1's
factors at the bottleneck; at the last layer also the landscape of the trained head, and how lambda_max drifts over the
ball around three points of the course.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from corit.heads.fit import Fit, fit, initial
from corit.heads.head import HeadRecipe
from corit.progress import Progress, no_progress
from corit.seeding import torch_generator
from corit.studies.findings.atlas import plain
from corit.studies.findings.cells import rows_of, tasks_of
from corit.studies.findings.knobs import recipe_of
from corit.studies.findings.plan import Plan, Setting
from corit.studies.findings.stores import open_store
from corit.theory.cor import critical_radius
from corit.theory.landscape import landscape
from corit.theory.likelihood import Likelihood
from corit.theory.phases import find_phases
from corit.theory.smoothness import drift
from corit.theory.sweep import Task
from corit.theory.trained import trained
from corit.theory.watch import Course, Watch, every
from corit.world.forgeries import KINDS

# Points of the course at which the ball is looked at, as shares of it; 0 is before the first step.
POINTS = (0.0, 0.125, 1.0)
BALL = (0.05, 0.1, 0.5)  # radii of the balls


def measure(
    out: Path,
    plan: Plan,
    frozen: dict[str, Any],
    setting: Setting,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Follow a setting's training; the record has a cell for each layer and type."""
    recipe = recipe_of(frozen, setting.head, setting.scaling)
    tasks = tasks_of(open_store(out, setting.target, setting.seed, setting.store), setting, recipe, KINDS)
    problems = [t.problem for t in tasks]
    watch = Watch(problems, recipe, len(plan.heads), 1)
    done = fit(
        problems,
        recipe,
        rhos=[plan.watched],
        seeds=plan.heads,
        observer=watch,
        observe_at=every(plan.watch_every),
        progress=progress,
    )
    course = watch.course()
    record: dict[str, Any] = {"rho": plan.watched, "steps": course.steps.tolist(), "cells": cells(course, tasks)}
    last = [i for i, t in enumerate(tasks) if t.layer == setting.layers[-1]]
    for i in last:
        record["cells"][i]["landscape"] = _landscape(likelihood_of(tasks[i], done, i), plan.watched)
        record["cells"][i]["drift"] = _drift(tasks[i], recipe, plan, course)
    return record


def cells(course: Course, tasks: list[Task]) -> list[dict[str, Any]]:
    """The numbers of each task's course, by head seed (S); gsnr, corrected: the medians over seeds (T), for figures."""
    phases = find_phases(course.steps, course.gsnr)
    inside = critical_radius(course.steps, course.ratio, phases.pre)
    whole = critical_radius(course.steps, course.ratio)
    factors = course.factors
    found = []
    for i, t in enumerate(tasks):
        at = np.searchsorted(course.steps, inside.step[i, :, 0].clip(0))
        first = {k: _at(v[:, i, :, 0], at) for k, v in factors.items()}
        early = np.where(phases.pre[:, i, :, 0], course.corrected[:, i, :, 0], np.nan)
        found.append(
            {
                "layer": t.layer,
                "group": t.group,
                "start": [None if np.isinf(v) else int(v) for v in phases.start[i, :, 0]],
                "bound": plain(inside.radius[i, :, 0]),
                "bottleneck": inside.step[i, :, 0].tolist(),
                "bound_whole": plain(whole.radius[i, :, 0]),
                "gsnr_first": plain(course.corrected[0, i, :, 0]),
                "gsnr_early": plain(np.nanmean(early, 0)),
                "lemma_least": plain(np.nanmin(1 - course.trace_r[:, i] / course.trace_h[:, i])),
                **{k: plain(v) for k, v in first.items()},
                "gsnr": plain(np.median(course.gsnr[:, i, :, 0], -1)),
            }
        )
    return found


def _at(values: np.ndarray, step: np.ndarray) -> np.ndarray:
    """values (T, S) at the observation (S) of each seed."""
    return values[np.minimum(step, len(values) - 1), np.arange(values.shape[1])]


def likelihood_of(task: Task, done: Fit, index: int) -> Likelihood:
    """The heads (S) of a problem at the first radius, on its training rows."""
    parts = [t[index, :, 0] for t in (done.weight, done.bias, done.top, done.top_bias) if t is not None]
    return trained(*rows_of(task), parts, done.recipe)


def _landscape(heads: Likelihood, rho: float) -> dict[str, Any]:
    """Figures of the plane and the ball around trained heads (S); rise and relative do not depend on any scale."""
    found = landscape(heads, rhos=(rho,), points=21, tolerance=1e-3)
    return {
        "centre": plain(found.centre),
        "rise": plain(found.rise),
        "relative": plain(found.relative),
        "largest": plain(found.largest),
        "norm": plain(found.norm),
        "ascent": plain(found.sharpness.ascent[..., 0]),
    }


def _drift(task: Task, recipe: HeadRecipe, plan: Plan, course: Course) -> list[dict[str, Any]]:
    """At each point of the course the drift of lambda_max (K, S) for each radius K."""
    total, found = int(course.steps[-1]) + plan.watch_every, []
    for share in POINTS:
        heads = heads_at(task, recipe, plan, round(share * total))
        rng = torch_generator("drift", task.layer, task.group)
        seen = [drift(heads, rho, 1, rng, tolerance=1e-3) for rho in BALL]
        found.append({"share": share, "radii": list(BALL), "drift": [plain(d.value) for d in seen]})
    return found


def heads_at(task: Task, recipe: HeadRecipe, plan: Plan, steps: int) -> Likelihood:
    """A task's heads (S) after so many steps at the watched radius, on its training rows; 0 is as they are drawn."""
    x, y = rows_of(task)
    if steps:
        done = fit([task.problem], recipe, rhos=[plan.watched], seeds=plan.heads, steps=steps)
        return likelihood_of(task, done, 0)
    weight, bias, *upper = initial(plan.heads, 1, x.shape[1], recipe, x.dtype)
    return trained(x, y, [weight, bias, *(u[:, 0] for u in upper)], recipe)
