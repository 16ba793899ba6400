"""One measurement: the sweep of a setting over SAM radii and head seeds, as numbers for the rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from corit.progress import Progress, no_progress
from corit.serialise import finite
from corit.studies.findings.hyperparameters import recipe_of
from corit.studies.findings.plan import FindingsPlan, Setting
from corit.studies.findings.stores import open_store
from corit.studies.findings.tasks import GsnrEstimates, gsnr_at_zero, identities_of, rows_of, tasks_of
from corit.theory.collapse import Radius
from corit.theory.sweep import Sweep, sweep
from corit.world.forgeries import KINDS


def measure(
    out: Path, plan: FindingsPlan, frozen: dict[str, Any], setting: Setting, progress: Progress = no_progress
) -> dict[str, Any]:
    """Sweep a setting on its test identities.

    Args:
        out: folder of the study.
        plan: its plan.
        frozen: the chosen hyperparameters, see `corit.studies.findings.hyperparameters.choose_all`.
        setting: the setting.
        progress: called with training steps done and in all.

    Returns:
        The record, see `record`.
    """
    recipe = recipe_of(frozen, setting.head, setting.scaling)
    store = open_store(out, setting.target, setting.seed, setting.store)
    tasks = tasks_of(store, setting, recipe, KINDS)
    identities: dict[str, list[str]] = {k: identities_of(store, k) for k in KINDS}
    folder = out / "sweeps" / setting.name
    result = sweep(tasks, recipe, plan.rhos, plan.heads, refine=plan.refine, folder=folder, progress=progress)
    return record(result, [gsnr_at_zero(*rows_of(t), identities[t.group]) for t in tasks])


def record(result: Sweep, gsnr: list[GsnrEstimates]) -> dict[str, Any]:
    """Return a sweep as plain numbers.

    In each cell, for each layer and manipulation type: AUCs (S, R), validation AUCs (S, R) and radii of collapse (S).
    """
    cells = [
        {
            "layer": t.layer,
            "group": t.group,
            "rows": len(t.problem.train),
            "width": t.problem.train.width,
            "gsnr": rounded(gsnr[i].clustered),
            "gsnr_independent": rounded(gsnr[i].independent),
            "gsnr_plain": rounded(gsnr[i].plain),
            "auc": rounded(result.auc[i]),
            "valid_auc": rounded(result.valid_auc[i]),
            "cor": [radius(r) for r in result.collapse[i].radius],
            "half": [radius(r) for r in result.collapse[i].halfway],
        }
        for i, t in enumerate(result.tasks)
    ]
    return {"rhos": list(result.rhos), "seeds": list(result.seeds), "steps": result.steps, "cells": cells}


def radius(value: Radius) -> dict[str, Any]:
    """Return a radius with its censoring, for JSON."""
    return {"value": rounded(value.value), "censoring": value.censoring}


def rounded(values: Any) -> Any:
    """Round numbers to five significant digits for JSON; see `corit.serialise.finite`."""
    return finite(values, 5)
