"""One measurement of the control: a case swept over SAM radii and head seeds in one world, beside its floors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from corit.features.store import FeatureStore
from corit.heads.fit import fit
from corit.heads.head import HeadRecipe
from corit.heads.problem import standardised_problem
from corit.heads.rows import Scaling
from corit.studies.control.change import Frame, change
from corit.studies.control.facts import signal
from corit.studies.control.plan import BASE, Case, ControlPlan, recipe_of
from corit.studies.findings.hyperparameters import SEEDS, choose
from corit.studies.findings.sweeps import radius, rounded
from corit.studies.findings.tasks import (
    SPLITS,
    SplitRows,
    gsnr_at_zero,
    identities_of,
    read_features,
    reals_and_fakes,
    rows_of,
)
from corit.theory.geometry import geometry
from corit.theory.sweep import Sweep, Task, sweep, task
from corit.world.forgeries import KINDS


def changed_features(store: FeatureStore, frame: FeatureStore, case: Case) -> dict[str, SplitRows]:
    """Return the features of a case by split.

    Args:
        store: class tokens of a world.
        frame: class tokens of people that are in no world, from which the change is made.
        case: its layer and its knobs.
    """
    parts = read_features(store, "unifd", case.layer)
    train = read_features(frame, "unifd", case.layer, ("train",))["train"]
    return change(Frame.of(train), case.knobs).parts(parts)


def measure(
    store: FeatureStore, frame: FeatureStore, plan: ControlPlan, chosen: dict[str, Any], case: Case
) -> dict[str, Any]:
    """Sweep a case in one world.

    Args:
        store: class tokens of the world.
        frame: those from which the change is made.
        plan: the plan.
        chosen: the chosen hyperparameters, see `choose_knobs`.
        case: the case.

    Returns:
        By manipulation type: test AUC (S, R), radii relative to the floors (S), floors, geometry and GSNR.
    """
    recipe = recipe_of(case.scaling, case.head, chosen, plan.hidden, case.rate)
    parts = changed_features(store, frame, case)
    tasks = [_task(parts, case.layer, kind, recipe) for kind in case.kinds]
    result = sweep(tasks, recipe, plan.rhos, plan.heads, refine=0)
    return {t.group: _cell(result, i, t, parts, identities_of(store, t.group)) for i, t in enumerate(tasks)}


def _task(parts: Mapping[str, SplitRows], layer: int, kind: str, recipe: HeadRecipe) -> Task:
    train, valid, test = (reals_and_fakes(parts[s], kind) for s in SPLITS)
    return task(layer, kind, train, valid, test, recipe)


def _cell(
    result: Sweep, i: int, one: Task, parts: Mapping[str, SplitRows], identities: Sequence[str]
) -> dict[str, Any]:
    """One manipulation type's numbers; the geometry is that of the rows before the head's scaling."""
    raw, y = reals_and_fakes(parts["train"], one.group)
    norms, gsnr, place = geometry(raw), gsnr_at_zero(*rows_of(one), identities), signal(raw.values.numpy(), y)
    return {
        "auc": rounded(result.auc[i]),
        "relative": [radius(r) for r in result.relative[i].relative or ()],
        "nearest_mean": rounded(one.floors.nearest_mean),
        "logistic": rounded(one.floors.logistic),
        "mean_norm": rounded(norms.mean_norm),
        "rms_norm": rounded(norms.rms_norm),
        "common": rounded(norms.common),
        "gsnr": rounded(gsnr.clustered),
        "gsnr_plain": rounded(gsnr.plain),
        "distance": rounded(place.distance),
        "low": rounded(place.low),
    }


def choose_knobs(store: FeatureStore, frame: FeatureStore, plan: ControlPlan) -> dict[str, Any]:
    """Choose AdamW's learning rate and the number of epochs on validation identities, without SAM.

    By the mean validation AUC over all types of the base's features, raw and centred; see
    `corit.studies.findings.hyperparameters.choose` for how ties are broken.

    Args:
        store: class tokens of the first world.
        frame: those from which the change is made.
        plan: the plan, with the values to try.

    Returns:
        The choice, and the mean validation AUC of every value that was tried.
    """
    cases = [Case(s, plan.layer, BASE, s) for s in ("raw", "centre")]  # type: ignore[arg-type]
    parts = changed_features(store, frame, cases[0])
    table = [np.mean([_mean_aucs(parts, plan, c.scaling, rate) for c in cases], 0) for rate in plan.rates]
    at = choose(np.array(table))
    tried = {
        f"{r:g}": dict(zip(map(str, plan.epochs), np.round(t, 4).tolist(), strict=True))
        for r, t in zip(plan.rates, table, strict=True)
    }
    return {"learning_rate": plan.rates[at[0]], "epochs": plan.epochs[at[1]], "validation_auc": tried}


def _mean_aucs(parts: Mapping[str, SplitRows], plan: ControlPlan, scaling: Scaling, rate: float) -> np.ndarray:
    """The mean validation AUC after each of the plan's epochs."""
    knobs = {"learning_rate": rate, "epochs": max(plan.epochs)}
    recipe = recipe_of(scaling, "linear", knobs, plan.hidden)
    problems = [
        standardised_problem(*reals_and_fakes(parts["train"], k), *reals_and_fakes(parts["val"], k), recipe)
        for k in KINDS
    ]
    course = fit(problems, recipe, seeds=SEEDS).trajectory.valid_auc  # (E, P, S, 1)
    chosen: np.ndarray = np.nan_to_num(course, nan=0.5)[[e - 1 for e in plan.epochs]].mean((1, 2, 3))
    return chosen
