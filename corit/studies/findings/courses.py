"""One measurement: the training course of a setting at one SAM radius, observed step by step, and its trained heads.

For each cell and head seed: the phases of GSNR, the bound (11) within phase (i) and over the whole course, Theorem 1's
factors at the bottleneck; at the last layer also the landscape of the trained head, and how lambda_max changes within
a ball around three points of the course.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from corit.heads.fit import Fit, fit
from corit.heads.head import HeadRecipe
from corit.heads.start import initial_parameters
from corit.progress import Progress, no_progress
from corit.seeding import torch_generator
from corit.studies.findings.hyperparameters import recipe_of
from corit.studies.findings.plan import FindingsPlan, Setting
from corit.studies.findings.stores import open_store
from corit.studies.findings.sweeps import rounded
from corit.studies.findings.tasks import rows_of, tasks_of
from corit.theory.cor import critical_radius
from corit.theory.landscape import landscape
from corit.theory.likelihood import Likelihood
from corit.theory.phases import course_phases
from corit.theory.smoothness import drift
from corit.theory.sweep import Task
from corit.theory.trained import trained
from corit.theory.watch import Course, Watch, every
from corit.world.forgeries import KINDS

# Points of the course, as shares of its steps; 0 is before the first step.
POINTS = (0.0, 0.125, 1.0)
BALL_RADII = (0.05, 0.1, 0.5)


def measure(
    out: Path,
    plan: FindingsPlan,
    frozen: dict[str, Any],
    setting: Setting,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Train the heads of a setting and observe them.

    Returns:
        The record, with a cell for each layer and manipulation type.
    """
    recipe = recipe_of(frozen, setting.head, setting.scaling)
    tasks = tasks_of(open_store(out, setting.target, setting.seed, setting.store), setting, recipe, KINDS)
    problems = [t.problem for t in tasks]
    watch = Watch(problems, recipe, len(plan.heads), 1)
    result = fit(
        problems,
        recipe,
        rhos=[plan.watched],
        seeds=plan.heads,
        observer=watch,
        observe_at=every(plan.watch_every),
        progress=progress,
    )
    course = watch.course()
    record: dict[str, Any] = {"rho": plan.watched, "steps": course.steps.tolist(), "cells": course_cells(course, tasks)}
    last = [i for i, t in enumerate(tasks) if t.layer == setting.layers[-1]]
    for i in last:
        record["cells"][i]["landscape"] = landscape_around(likelihood_of(tasks[i], result, i), plan.watched)
        record["cells"][i]["drift"] = _drift(tasks[i], recipe, plan, course)
    return record


def course_cells(course: Course, tasks: list[Task]) -> list[dict[str, Any]]:
    """Return the numbers of each task's course.

    Lists are by head seed (S); "gsnr" is the median over seeds at each observation (T), for figures.
    """
    phases, gsnr = course_phases(course), course.estimate()
    inside = critical_radius(course.steps, course.ratio, phases.pre)
    whole = critical_radius(course.steps, course.ratio)
    factors = course.factors
    cells = []
    for i, t in enumerate(tasks):
        at = np.searchsorted(course.steps, inside.step[i, :, 0].clip(0))
        first = {k: _at(v[:, i, :, 0], at) for k, v in factors.items()}
        early = np.where(phases.pre[:, i, :, 0], gsnr[:, i, :, 0], np.nan)
        cells.append(
            {
                "layer": t.layer,
                "group": t.group,
                "start": [None if np.isinf(v) else int(v) for v in phases.start[i, :, 0]],
                "bound": rounded(inside.radius[i, :, 0]),
                "bottleneck": inside.step[i, :, 0].tolist(),
                "bound_whole": rounded(whole.radius[i, :, 0]),
                "gsnr_first": rounded(gsnr[0, i, :, 0]),
                "gsnr_early": rounded(np.nanmean(early, 0)),
                "lemma_least": rounded(np.nanmin(1 - course.trace_r[:, i] / course.trace_h[:, i])),
                **{k: rounded(v) for k, v in first.items()},
                "gsnr": rounded(np.median(course.gsnr[:, i, :, 0], -1)),
            }
        )
    return cells


def _at(values: np.ndarray, step: np.ndarray) -> np.ndarray:
    """values (T, S) at the observation (S) of each seed."""
    return values[np.minimum(step, len(values) - 1), np.arange(values.shape[1])]


def likelihood_of(task: Task, result: Fit, index: int) -> Likelihood:
    """Return the heads (S) of a problem at the first radius, on its training rows."""
    parts = [t[index, :, 0] for t in (result.weight, result.bias, result.top, result.top_bias) if t is not None]
    return trained(*rows_of(task), parts, result.recipe)


def landscape_around(heads: Likelihood, rho: float, tolerance: float = 1e-3) -> dict[str, Any]:
    """Measure the landscape around trained heads (S) in the direction of SAM's ascent.

    Rise and relative curvature do not depend on the scale of the features.

    Args:
        heads: the heads on their training rows.
        rho: the radius of the ascent.
        tolerance: relative residual of the largest curvature.
    """
    plane = landscape(heads, rhos=(rho,), points=21, tolerance=tolerance)
    return {
        "centre": rounded(plane.centre),
        "rise": rounded(plane.rise),
        "relative": rounded(plane.relative),
        "largest": rounded(plane.largest),
        "norm": rounded(plane.norm),
        "ascent": rounded(plane.sharpness.ascent[..., 0]),
    }


def _drift(task: Task, recipe: HeadRecipe, plan: FindingsPlan, course: Course) -> list[dict[str, Any]]:
    """At each point of the course, the change of lambda_max within K balls (K, S)."""
    total, points = int(course.steps[-1]) + plan.watch_every, []
    for share in POINTS:
        heads = heads_at(task, recipe, plan, round(share * total))
        rng = torch_generator("drift", task.layer, task.group)
        drifts = [drift(heads, rho, 1, rng, tolerance=1e-3) for rho in BALL_RADII]
        points.append({"share": share, "radii": list(BALL_RADII), "drift": [rounded(d.value) for d in drifts]})
    return points


def heads_at(task: Task, recipe: HeadRecipe, plan: FindingsPlan, steps: int) -> Likelihood:
    """Return a task's heads (S) after a number of steps at the plan's radius, on its training rows; 0 is untrained."""
    x, y = rows_of(task)
    if steps:
        result = fit([task.problem], recipe, rhos=[plan.watched], seeds=plan.heads, steps=steps)
        return likelihood_of(task, result, 0)
    weight, bias, *upper = initial_parameters(plan.heads, 1, x.shape[1], recipe, x.dtype)
    return trained(x, y, [weight, bias, *(u[:, 0] for u in upper)], recipe)
