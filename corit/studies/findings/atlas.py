"""One unit: a setting's sweep over radii and head seeds, as numbers that the rules read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from corit.progress import Progress, no_progress
from corit.serialise import finite
from corit.studies.findings.cells import Ratios, gsnr_at_zero, people_of, rows_of, tasks_of
from corit.studies.findings.knobs import recipe_of
from corit.studies.findings.plan import Plan, Setting
from corit.studies.findings.stores import open_store
from corit.theory.collapse import Radius
from corit.theory.sweep import Sweep, sweep
from corit.world.forgeries import KINDS


def measure(
    out: Path, plan: Plan, frozen: dict[str, Any], setting: Setting, progress: Progress = no_progress
) -> dict[str, Any]:
    """Sweep a setting on its test identities. The record has a cell for each layer and type; see `record`."""
    recipe = recipe_of(frozen, setting.head, setting.scaling)
    store = open_store(out, setting.target, setting.seed, setting.store)
    tasks = tasks_of(store, setting, recipe, KINDS)
    people: dict[str, list[str]] = {k: people_of(store, k) for k in KINDS}
    folder = out / "sweeps" / setting.name
    found = sweep(tasks, recipe, plan.rhos, plan.heads, refine=plan.refine, folder=folder, progress=progress)
    return record(found, [gsnr_at_zero(*rows_of(t), people[t.group]) for t in tasks])


def record(found: Sweep, gsnr: list[Ratios]) -> dict[str, Any]:
    """Plain numbers of a sweep: in each cell AUCs (S, R), validation AUCs (S, R), and radii of collapse (S)."""
    cells = [
        {
            "layer": t.layer,
            "group": t.group,
            "rows": len(t.problem.train),
            "width": t.problem.train.width,
            "gsnr": plain(gsnr[i].clustered),
            "gsnr_independent": plain(gsnr[i].independent),
            "gsnr_plain": plain(gsnr[i].plain),
            "auc": plain(found.auc[i]),
            "valid_auc": plain(found.valid_auc[i]),
            "cor": [radius(r) for r in found.collapse[i].radius],
            "half": [radius(r) for r in found.collapse[i].halfway],
        }
        for i, t in enumerate(found.tasks)
    ]
    return {"rhos": list(found.rhos), "seeds": list(found.seeds), "steps": found.steps, "cells": cells}


def radius(found: Radius) -> dict[str, Any]:
    """A radius with its censoring."""
    return {"value": plain(found.value), "censoring": found.censoring}


def plain(values: Any) -> Any:
    """Round numbers to five significant digits for JSON; see `corit.serialise.finite`."""
    return finite(values, 5)
