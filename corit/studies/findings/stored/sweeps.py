"""One measurement: the sweep of a case over radii and head seeds on one split, as numbers for the rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from corit.heads.fit import logits_of
from corit.heads.rows import Rows, TensorRows, standardised
from corit.heads.select import auc
from corit.progress import Progress, no_progress
from corit.studies.findings.stored.plan import Case, StoredPlan
from corit.studies.findings.stored.rows import Forgery, index_of, mask_of
from corit.studies.findings.sweeps import radius, rounded
from corit.studies.findings.tasks import gsnr_at_zero, rows_of
from corit.theory.geometry import geometry
from corit.theory.sweep import Sweep, Task, sweep, task


@dataclass(frozen=True)
class SplitTask:
    """A forgery at a layer, trained on one split.

    Attributes:
        forgery: the fakes and their reals.
        task: its rows.
        groups: (n) the group of each training row.
        test: (n') the places of the test rows among the forgery's.
        common: ||E x||, root-mean-square norm and share c of the common mean of the raw training rows.
    """

    forgery: Forgery
    task: Task
    groups: list[str]
    test: np.ndarray
    common: tuple[float, float, float]


def split_task(forgery: Forgery, plan: StoredPlan, case: Case, layer: int, split: int) -> SplitTask:
    """Read a forgery's features and cut them; nothing but the test AUC is taken from test rows."""
    z, folds = forgery.read(case.variant, layer), forgery.folds(plan.folds)
    masks = [mask_of(folds, split, part, plan.folds) for part in ("train", "val", "test")]
    train, valid, test = ((TensorRows(z[index_of(m)]), forgery.y[m]) for m in masks)
    raw = geometry(train[0])
    groups = [str(g) for g in forgery.group[masks[0]]]
    one = task(layer, forgery.name, train, valid, test, plan.recipe(case), groups=np.array(groups))
    return SplitTask(forgery, one, groups, np.flatnonzero(masks[2]), (raw.mean_norm, raw.rms_norm, raw.common))


def tasks_of(
    forgeries: Sequence[Forgery], plan: StoredPlan, case: Case, split: int, layers: Sequence[int]
) -> list[SplitTask]:
    """Return a task for each layer and each forgery that the variant's stores hold."""
    held = [f for f in forgeries if case.variant in f.stores]
    return [split_task(f, plan, case, l, split) for l in layers for f in held]


def measure(
    forgeries: Sequence[Forgery], plan: StoredPlan, case: Case, split: int, progress: Progress = no_progress
) -> dict[str, Any]:
    """Sweep a case on a split.

    Args:
        forgeries: all of them; those that the variant's stores hold are trained on.
        plan: of the study.
        case: what is trained on what.
        split: the fold that is tested.
        progress: called with training steps done and in all.

    Returns:
        A cell for each layer and forgery: floors, geometry, GSNR at w = 0, AUCs (S, R) on the split's test rows, on
        slices of them and on other sets, and radii of collapse (S), absolute and relative to the floors.
    """
    tasks = tasks_of(forgeries, plan, case, split, plan.layers_of(case))
    result = sweep(
        [t.task for t in tasks],
        plan.recipe(case),
        plan.rhos_of(case),
        plan.seeds_of(case),
        steps=plan.steps,
        refine=plan.refine,
        progress=progress,
    )
    rows = _Elsewhere(forgeries, case)
    cells = [
        {**_cell(result, i, t), "across": rows.areas(result, i, t), **_slices(result, i, t)}
        for i, t in enumerate(tasks)
    ]
    return {"rhos": list(result.rhos), "seeds": list(result.seeds), "steps": result.steps, "cells": cells}


def _cell(result: Sweep, i: int, t: SplitTask) -> dict[str, Any]:
    x, y = rows_of(t.task)
    raw, centred = gsnr_at_zero(x, y, t.groups), gsnr_at_zero(x - x.mean(0), y, t.groups)
    relative = result.relative[i].relative or ()
    norm, size, common = t.common
    return {
        "layer": t.task.layer,
        "group": t.forgery.name,
        "rows": len(y),
        "test_rows": len(t.test),
        "width": t.task.problem.train.width,
        "mean_norm": rounded(norm),
        "rms_norm": rounded(size),
        "common": rounded(common),
        "nearest_mean": rounded(t.task.floors.nearest_mean),
        "logistic": rounded(t.task.floors.logistic),
        "gsnr": rounded(raw.clustered),
        "gsnr_plain": rounded(raw.plain),
        "gsnr_independent": rounded(raw.independent),
        "gsnr_centred": rounded(centred.clustered),
        "auc": rounded(result.auc[i]),
        "valid_auc": rounded(result.valid_auc[i]),
        "cor": [radius(r) for r in result.collapse[i].radius],
        "relative": [radius(r) for r in relative],
    }


def _areas(result: Sweep, i: int, rows: Rows, labels: np.ndarray) -> Any:
    """AUC (S, R) of a task's heads on rows that are scaled already."""
    heads = result.heads[i]
    parts = [p for p in (heads.weight, heads.bias, heads.top, heads.top_bias) if p is not None]
    return rounded(auc(logits_of(rows, parts, result.recipe), torch.from_numpy(labels)).numpy())


def _slices(result: Sweep, i: int, t: SplitTask) -> dict[str, Any]:
    slices = {k: np.intersect1d(np.flatnonzero(m), t.test) for k, m in t.forgery.slices().items()}
    known = {k: index for k, index in slices.items() if (t.forgery.y[index] == 1).any()}
    if not known:
        return {}
    places = {int(p): k for k, p in enumerate(t.test)}
    areas = {}
    for name, index in known.items():
        rows = t.task.test.gather(np.array([places[int(p)] for p in index]))
        areas[name] = _areas(result, i, TensorRows(rows), t.forgery.y[index])
    return {"slices": areas}


class _Elsewhere:
    """The rows of other sets, on which heads are tested that were trained on one."""

    def __init__(self, forgeries: Sequence[Forgery], case: Case) -> None:
        self.forgeries = [f for f in forgeries if case.variant in f.stores]
        self.case = case
        self.rows: dict[tuple[str, int], TensorRows] = {}

    def areas(self, result: Sweep, i: int, t: SplitTask) -> dict[str, Any]:
        """AUC (S, R) of a task's heads on all rows of the forgeries of other sets."""
        layer = t.task.layer
        others = [f for f in self.forgeries if f.set != t.forgery.set]
        scale = result.tasks[i].problem.standardiser
        return {f.name: _areas(result, i, standardised(self._read(f, layer), scale), f.y) for f in others}

    def _read(self, forgery: Forgery, layer: int) -> TensorRows:
        key = (forgery.name, layer)
        if key not in self.rows:
            self.rows[key] = TensorRows(forgery.read(self.case.variant, layer))
        return self.rows[key]
