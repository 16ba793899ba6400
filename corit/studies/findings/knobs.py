"""The knobs, frozen on the validation identities of one world before any test row is read.

Frozen: the learning rate of each head and the number of epochs, by the mean validation AUC without SAM over both
models, both kinds of scaling, a shallow, a middle and the last layer, and all types. Of the epochs within half a point
of the best mean AUC the fewest are taken, since sweeps pay for each. Stated in `plan`, and not tuned: the grid of
radii, the radius at which courses are watched, the bounds 0.55 and 0.6 of collapse, and the detector of phases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from corit.heads.defaults import default_head
from corit.heads.fit import Problem, fit, problem
from corit.heads.head import HeadRecipe
from corit.studies.findings.cells import against_reals as cell
from corit.studies.findings.cells import read
from corit.studies.findings.plan import MAIN, Plan
from corit.studies.findings.stores import open_store
from corit.world.forgeries import KINDS

NEAR = 0.005
TRIED_SEEDS = (100, 101)  # of heads; not those that are measured


def base(head: str, scaling: str) -> HeadRecipe:
    """What is not tuned: SGD with momentum for the linear head, AdamW for the perceptron, the last epoch's head."""
    return replace(default_head(head), scaling=scaling, select="last", rho=0.0)  # type: ignore[arg-type]


def freeze(out: Path, plan: Plan) -> dict[str, Any]:
    """The frozen choice of each head, with what was tried: mean validation AUC by learning rate and epochs."""
    return {head: _choose(out, plan, head) for head in ("linear", "mlp")}


def _choose(out: Path, plan: Plan, head: str) -> dict[str, Any]:
    rates = plan.linear_rates if head == "linear" else plan.perceptron_rates
    table = [_areas(out, plan, head, rate) for rate in rates]
    at = choose(np.array(table))
    tried = {
        f"{r:g}": dict(zip(map(str, plan.epochs), np.round(t, 4).tolist(), strict=True))
        for r, t in zip(rates, table, strict=True)
    }
    return {"learning_rate": rates[at[0]], "epochs": plan.epochs[at[1]], "validation_auc": tried}


def choose(table: np.ndarray) -> tuple[int, int]:
    """Indices of the choice in mean AUCs (rates, epochs): of those within NEAR of the best, the first epochs' best."""
    good = table >= np.nanmax(table) - NEAR
    epoch = int(np.flatnonzero(good.any(0))[0])
    return int(np.nanargmax(np.where(good[:, epoch], table[:, epoch], -np.inf))), epoch


def _areas(out: Path, plan: Plan, head: str, rate: float) -> list[float]:
    """The mean validation AUC after each of the plan's epochs."""
    found = []
    for scaling in ("standard", "whiten"):
        recipe = replace(base(head, scaling), learning_rate=rate, epochs=max(plan.epochs))
        for variant in ("unifd", "corit"):
            problems = _problems(out, plan, variant, recipe)
            course = fit(problems, recipe, seeds=TRIED_SEEDS).trajectory.valid_auc  # (E, P, S, 1)
            found.append(np.nan_to_num(course, nan=0.5)[[e - 1 for e in plan.epochs]].mean((1, 2, 3)))
    return np.mean(found, 0).tolist()


def _problems(out: Path, plan: Plan, variant: str, recipe: HeadRecipe) -> list[Problem]:
    store = open_store(out, MAIN, plan.encoders[0], variant)
    layers = sorted({plan.layers[0], plan.layers[len(plan.layers) // 2], plan.layers[-1]})
    return [
        problem(*cell(parts["train"], k), *cell(parts["val"], k), recipe)
        for parts in (read(store, variant, layer, ("train", "val")) for layer in layers)
        for k in KINDS
    ]


def recipe_of(frozen: dict[str, Any], head: str, scaling: str) -> HeadRecipe:
    """A head's recipe with the frozen choice."""
    chosen = frozen[head]
    return replace(base(head, scaling), learning_rate=chosen["learning_rate"], epochs=chosen["epochs"])


def recipes(frozen: dict[str, Any], heads: Sequence[str] = ("linear", "mlp")) -> dict[str, Any]:
    """The recipes as they are written into claims.json."""
    return {h: asdict(recipe_of(frozen, h, "standard")) for h in heads}
