"""The hyperparameters of the heads, chosen on the validation identities of one world before any test row is read.

Chosen: the learning rate of each head and the number of epochs, by the mean validation AUC without SAM over both
models, both kinds of scaling, a shallow, a middle and the last layer, and all types. Of the epochs within half a point
of the best mean AUC the fewest are taken, since sweeps are slower with each. Fixed in `plan`, not tuned: the grid of
radii, the radius at which courses are watched, the bounds 0.55 and 0.6 of collapse, and the detector of phases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from corit.heads.defaults import default_head
from corit.heads.fit import fit
from corit.heads.head import HeadRecipe
from corit.heads.problem import Problem, standardised_problem
from corit.studies.findings.plan import MAIN, FindingsPlan
from corit.studies.findings.stores import open_store
from corit.studies.findings.tasks import read_features, reals_and_fakes
from corit.world.forgeries import KINDS

AUC_TOLERANCE = 0.005  # of the best AUC
SEEDS = (100, 101)  # of heads; the measurements use others


def base(head: str, scaling: str) -> HeadRecipe:
    """Return the untuned part of a head's recipe: optimiser of its kind, no SAM, the last epoch's head."""
    return replace(default_head(head), scaling=scaling, select="last", rho=0.0)  # type: ignore[arg-type]


def choose_all(out: Path, plan: FindingsPlan) -> dict[str, Any]:
    """Choose learning rate and epochs of each head.

    Args:
        out: folder of the study, with the features.
        plan: its plan, with the values to try.

    Returns:
        By head: the choice, and the mean validation AUC of every value that was tried.
    """
    return {head: _choose(out, plan, head) for head in ("linear", "mlp")}


def _choose(out: Path, plan: FindingsPlan, head: str) -> dict[str, Any]:
    rates = plan.linear_rates if head == "linear" else plan.perceptron_rates
    table = [_mean_aucs(out, plan, head, rate) for rate in rates]
    at = choose(np.array(table))
    tried = {
        f"{r:g}": dict(zip(map(str, plan.epochs), np.round(t, 4).tolist(), strict=True))
        for r, t in zip(rates, table, strict=True)
    }
    return {"learning_rate": rates[at[0]], "epochs": plan.epochs[at[1]], "validation_auc": tried}


def choose(table: np.ndarray) -> tuple[int, int]:
    """Return the indices of learning rate and epochs in a table of mean AUCs (rates, epochs).

    Of the entries within AUC_TOLERANCE of the best: fewest epochs first, then the best rate.
    """
    good = table >= np.nanmax(table) - AUC_TOLERANCE
    epoch = int(np.flatnonzero(good.any(0))[0])
    return int(np.nanargmax(np.where(good[:, epoch], table[:, epoch], -np.inf))), epoch


def _mean_aucs(out: Path, plan: FindingsPlan, head: str, rate: float) -> list[float]:
    """The mean validation AUC after each of the plan's epochs."""
    aucs = []
    for scaling in ("standard", "whiten"):
        recipe = replace(base(head, scaling), learning_rate=rate, epochs=max(plan.epochs))
        for variant in ("unifd", "corit"):
            problems = _problems(out, plan, variant, recipe)
            course = fit(problems, recipe, seeds=SEEDS).trajectory.valid_auc  # (E, P, S, 1)
            aucs.append(np.nan_to_num(course, nan=0.5)[[e - 1 for e in plan.epochs]].mean((1, 2, 3)))
    return np.mean(aucs, 0).tolist()


def _problems(out: Path, plan: FindingsPlan, variant: str, recipe: HeadRecipe) -> list[Problem]:
    store = open_store(out, MAIN, plan.encoders[0], variant)
    layers = sorted({plan.layers[0], plan.layers[len(plan.layers) // 2], plan.layers[-1]})
    return [
        standardised_problem(*reals_and_fakes(parts["train"], k), *reals_and_fakes(parts["val"], k), recipe)
        for parts in (read_features(store, variant, layer, ("train", "val")) for layer in layers)
        for k in KINDS
    ]


def recipe_of(frozen: dict[str, Any], head: str, scaling: str) -> HeadRecipe:
    """Return a head's recipe with the chosen hyperparameters."""
    chosen = frozen[head]
    return replace(base(head, scaling), learning_rate=chosen["learning_rate"], epochs=chosen["epochs"])


def recipes(frozen: dict[str, Any], heads: Sequence[str] = ("linear", "mlp")) -> dict[str, Any]:
    """Return the recipes as claims.json holds them."""
    return {h: asdict(recipe_of(frozen, h, "standard")) for h in heads}
