"""Condition (3) and the convexity argument: when SAM's gradient opposes the loss gradient, by mini-batches.

For a convex loss L_B the gradient is monotone: <g_B(w + e) - g_B(w), e> >= 0 for every e. With e = rho g_B(w) /
norm(g_B(w)) that is <g_B(w + e), g_B(w)> >= norm(g_B(w))^2: for a linear logistic head, SAM's gradient never opposes
the gradient of its own batch, or of the full set, whatever rho. It says nothing about the population's gradient, which
differs from the batch's, or about a perceptron, whose loss is not convex.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from corit.seeding import torch_generator
from corit.studies.findings.courses import heads_at
from corit.studies.findings.hyperparameters import recipe_of
from corit.studies.findings.plan import MAIN, FindingsPlan, Setting
from corit.studies.findings.stores import open_store
from corit.studies.findings.sweeps import rounded
from corit.studies.findings.tasks import tasks_of
from corit.theory.cor import step_radius
from corit.theory.curvature import lambda_max
from corit.theory.likelihood import Likelihood
from corit.theory.moments import balanced_batches
from corit.theory.stability import stability
from corit.world.forgeries import KINDS

MULTIPLES = (0.25, 0.5, 1.0, 2.0, 10.0, 50.0)  # of (8)'s radius, norm(gbar) / lambda_max(H)
SIZES = (1, 5, 20)
POINTS = (0.0, 0.25, 1.0)


def measure_heads(heads: Likelihood, sizes: Sequence[int] = SIZES) -> list[dict[str, Any]]:
    """Measure condition (3) for each batch size and the full set, at K multiples of (8)'s radius.

    Args:
        heads: heads (S) on their training rows.
        sizes: batch sizes.

    Returns:
        For each size, (S, K) each: "own_least", the least <g_B(w+e), g_B(w)> / norm(g_B(w))^2; "expectation", (3) over
        norm(gbar)^2; "opposed", the share of mini-batches that step against the full gradient.
    """
    squared = heads.squared_gradient()
    bound = step_radius(squared.sqrt(), lambda_max(heads.operator(), tolerance=1e-3).value)
    radii, rows = bound[:, None] * torch.tensor(MULTIPLES).to(bound), []
    for size in (*(s for s in sizes if s < heads.count), heads.count):
        # Each row once: without e_B the mean over mini-batches is the full gradient exactly, and no sign is chance.
        signs = stability(heads, balanced_batches(heads.count, size, 1, torch_generator("opposition", size)), radii)
        rows.append(
            {
                "batch": "all" if size == heads.count else size,
                "own_least": rounded(signs.own),
                "expectation": rounded(signs.inner / squared[:, None]),
                "opposed": rounded(signs.opposed),
            }
        )
    return rows


def measure(out: Path, plan: FindingsPlan, frozen: dict[str, Any], seed: int) -> dict[str, Any]:
    """Measure UniFD's last layer, both heads, at three points of their training courses.

    Returns:
        The record, with a cell for each head, manipulation type, point and batch size.
    """
    cells = []
    for head in ("linear", "mlp"):
        recipe = recipe_of(frozen, head, "standard")
        setting = Setting(MAIN, seed, "unifd", head, "standard", plan.layers[-1:])
        for t in tasks_of(open_store(out, MAIN, seed, "unifd"), setting, recipe, KINDS):
            total = recipe.epochs * (len(t.problem.train) // recipe.batch)
            for share in POINTS:
                rows = measure_heads(heads_at(t, recipe, plan, round(share * total)))
                cells += [{"head": head, "group": t.group, "share": share, **row} for row in rows]
    return {"multiples": list(MULTIPLES), "cells": cells}
