"""One measurement: the training course of a case on one split, observed step by step; and landscapes at equal loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from corit.heads.fit import Fit, fit
from corit.heads.head import HeadRecipe
from corit.heads.start import initial_parameters
from corit.seeding import torch_generator
from corit.studies.findings.courses import BALL_RADII, course_cells, landscape_around, likelihood_of
from corit.studies.findings.stored.plan import CORIT, UNIFD, Case, StoredPlan
from corit.studies.findings.stored.rows import Forgery
from corit.studies.findings.stored.sweeps import tasks_of
from corit.studies.findings.sweeps import rounded
from corit.studies.findings.tasks import rows_of
from corit.theory.likelihood import Likelihood
from corit.theory.smoothness import drift
from corit.theory.sweep import Task
from corit.theory.trained import trained
from corit.theory.watch import Watch, every

TOLERANCE = 1e-2  # relative residual of the largest curvature of a landscape
POINTS = (0.0, 1.0)  # shares of the course at which curvature is followed through a ball


def measure(forgeries: Sequence[Forgery], plan: StoredPlan, case: Case, split: int) -> dict[str, Any]:
    """Train a case's heads at the watched radius and observe them.

    Returns:
        A cell for each layer and forgery, as in `corit.studies.findings.courses`; at the last layer also the change of
        lambda_max within balls.
    """
    recipe = plan.recipe(case)
    tasks = [t.task for t in tasks_of(forgeries, plan, case, split, plan.course_layers(case))]
    problems = [t.problem for t in tasks]
    watch = Watch(problems, recipe, len(plan.course_seeds), 1)
    result = fit(
        problems,
        recipe,
        rhos=[plan.watched],
        seeds=plan.course_seeds,
        steps=plan.steps,
        observer=watch,
        observe_at=every(plan.watch_every),
    )
    course = watch.course()
    cells = course_cells(course, tasks)
    for i, t in enumerate(tasks):
        if t.layer == plan.some_layers[-1]:
            cells[i]["drift"] = _drift(t, likelihood_of(t, result, i), recipe, plan)
    return {"rho": plan.watched, "steps": course.steps.tolist(), "cells": cells}


def _drift(task: Task, heads: Likelihood, recipe: HeadRecipe, plan: StoredPlan) -> list[dict[str, Any]]:
    """Before and after training, the change of lambda_max within K balls (K, S)."""
    x, y = rows_of(task)
    weight, bias, *upper = initial_parameters(plan.course_seeds, 1, x.shape[1], recipe, x.dtype)
    start = trained(x, y, [weight, bias, *(u[:, 0] for u in upper)], recipe)
    points = []
    for share, place in zip(POINTS, (start, heads), strict=True):
        rng = torch_generator("drift", task.layer, task.group)
        drifts = [drift(place, rho, 1, rng, tolerance=1e-2) for rho in BALL_RADII]
        points.append({"share": share, "radii": list(BALL_RADII), "drift": [rounded(d.value) for d in drifts]})
    return points


def measure_landscapes(forgeries: Sequence[Forgery], plan: StoredPlan, case: Case, split: int) -> dict[str, Any]:
    """Compare the landscape around UniFD's and CoRIT's heads at the training loss that both reach.

    Each forgery's heads of both variants are trained; the larger of the two last losses (medians over seeds) is the
    level, and each variant's heads are trained anew to the first epoch at which their median is at or below it.

    Args:
        forgeries: all of them; those with both variants are compared.
        plan: of the study.
        case: one of UniFD's cases; CoRIT's is the one with the same head and scaling.
        split: the fold that is left out.

    Returns:
        A cell for each forgery: by variant the steps, the loss and the landscape of its heads (S).
    """
    both = [f for f in forgeries if {UNIFD, CORIT} <= set(f.stores)]
    cases = {v: Case(v, case.head, case.scaling) for v in (UNIFD, CORIT)}
    cells = []
    for forgery in both:
        tasks = {v: tasks_of([forgery], plan, c, split, plan.some_layers[-1:])[0].task for v, c in cases.items()}
        ends = {v: _trained(t, plan, cases[v], plan.steps) for v, t in tasks.items()}
        losses = {v: np.median(r.trajectory.loss[:, 0, :, 0], -1) for v, r in ends.items()}  # (E)
        level = max(float(l[-1]) for l in losses.values())
        cell: dict[str, Any] = {"layer": plan.some_layers[-1], "group": forgery.name, "level": rounded(level)}
        for v, t in tasks.items():
            epoch = len(t.problem.train) // plan.batch
            first = int(np.flatnonzero(losses[v] <= level)[0])
            steps = min(plan.steps, (first + 1) * epoch)
            heads = likelihood_of(t, ends[v] if steps == plan.steps else _trained(t, plan, cases[v], steps), 0)
            cell[v] = {"steps": steps, **landscape_around(heads, plan.watched, TOLERANCE)}
        cells.append(cell)
    return {"cells": cells}


def _trained(task: Task, plan: StoredPlan, case: Case, steps: int) -> Fit:
    return fit([task.problem], plan.recipe(case), rhos=[plan.watched], seeds=plan.course_seeds, steps=steps)
