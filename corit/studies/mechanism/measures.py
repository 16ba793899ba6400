"""The mechanism measured: remedies, curves, half-way radii, condition and bound, and what perceptrons do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from corit.heads.fit import fit
from corit.heads.head import HeadRecipe
from corit.heads.problem import Problem
from corit.heads.rows import Standardiser, TensorRows
from corit.heads.select import auc
from corit.heads.start import initial_parameters
from corit.seeding import torch_generator
from corit.studies.mechanism.training import Training, train
from corit.studies.mechanism.worlds import World, synthetic
from corit.theory.collapse import collapses
from corit.theory.common_mean import Synthetic, bound_at_start, early_direction, first_steps
from corit.theory.cor import step_radius
from corit.theory.curvature import lambda_max
from corit.theory.likelihood import logistic
from corit.theory.moments import balanced_batches
from corit.theory.stability import stability

RHOS = (0.0, 0.05, 0.1, 0.5, 5.0)
BASE = Training()
SGD = Training(optimiser="sgd", rate=1.6)
GRID = (0.0, *np.geomspace(0.2, 200, 19).tolist())  # radii times norm(m)
# Remedy -> scaling, and the training that differs from BASE; None stands for a bias rate of E norm(x)^2.
REMEDIES: Mapping[str, tuple[str, Training]] = {
    "as it is": ("raw", BASE),
    "centre": ("centre", BASE),
    "standardise": ("standard", BASE),
    "ascent without the common mean": ("raw", replace(BASE, ascent="rest")),
    "ascent along the common mean only": ("raw", replace(BASE, ascent="common")),
    "balanced batches": ("raw", replace(BASE, balanced=True)),
    "bias rate x E norm(x)^2": ("raw", replace(BASE, bias_rate=0.0)),
    "batches of 100": ("raw", replace(BASE, batch=100)),
    "4 times the steps": ("raw", replace(BASE, steps=4 * BASE.steps)),
    "4 times the learning rate": ("raw", replace(BASE, rate=4 * BASE.rate)),
    "SGD": ("raw", SGD),
    "SGD, centre": ("centre", SGD),
    "SGD, balanced batches": ("raw", replace(SGD, balanced=True)),
    "SGD, bias rate x E norm(x)^2": ("raw", replace(SGD, bias_rate=0.0)),
    "SGD, 4 times the steps": ("raw", replace(SGD, steps=4 * SGD.steps)),
}


def remedy(world: World, name: str, seeds: Sequence[int], steps: int = BASE.steps) -> dict[str, Any]:
    """Measure one row of the table of remedies: test AUC at `RHOS`, the median and the range over seeds."""
    scaling, training = REMEDIES[name]
    training = replace(training, steps=training.steps * steps // BASE.steps)
    return {"name": name, **_curve(world, scaling, training, RHOS, seeds)}


def curves(world: World, seeds: Sequence[int], rhos: Sequence[float], steps: int = BASE.steps) -> dict[str, Any]:
    """Measure test AUC against the radius, raw, centred and with balanced batches, beside what is predicted for raw."""
    adam, sgd = (replace(t, steps=steps) for t in (BASE, SGD))
    return {
        "rhos": list(rhos),
        "raw": _curve(world, "raw", adam, rhos, seeds),
        "centre": _curve(world, "centre", adam, rhos, seeds),
        "balanced": _curve(world, "raw", replace(adam, balanced=True), rhos, seeds),
        "predicted": predicted(world, adam, rhos),
        "sgd": _curve(world, "raw", sgd, rhos, seeds),
        "sgd_predicted": predicted(world, sgd, rhos),
    }


def _curve(
    world: World, scaling: str, training: Training, rhos: Sequence[float], seeds: Sequence[int]
) -> dict[str, list[float]]:
    here = world.scaled(scaling)
    squared = _squared_norm(world)
    training = replace(training, bias_rate=training.bias_rate or squared)
    if training.optimiser == "sgd":  # the same steps in every scaling
        training = replace(training, rate=training.rate * _squared_norm(here) / squared)
    table = _areas(here, training, rhos, seeds)
    return {"auc": np.median(table, 0).tolist(), "low": table.min(0).tolist(), "high": table.max(0).tolist()}


def _areas(world: World, training: Training, rhos: Sequence[float], seeds: Sequence[int]) -> np.ndarray:
    """Test AUC (S, R) of heads that are trained in float32."""
    parts, _ = train(world.x["train"].float(), world.y["train"], training, rhos, seeds)
    return world.area(parts[..., :-1].double())


def _squared_norm(world: World) -> float:
    return float(world.x["train"].square().sum(-1).mean())


def predicted(world: World, training: Training, rhos: Sequence[float]) -> list[float]:
    """Compute the test AUC at each radius without training, by `early_direction` from the first steps at w = 0."""
    x, y = world.x["train"], world.y["train"]
    batches = _drawn(len(x), training.batch, 500)
    steps = first_steps(x, y, batches, torch.tensor(rhos, dtype=torch.float64))
    start = initial_parameters([0], 1, x.shape[1], HeadRecipe(), torch.float64)[0][0, 0]
    sgd = training.optimiser == "sgd"
    time = training.steps * training.rate / (_squared_norm(world) if sgd else 1.0)
    directions = [
        early_direction(x, y, time, float(k), None if sgd else scale, start)
        for k, scale in zip(steps.curvature, steps.scale, strict=True)
    ]
    return world.area(torch.stack(directions)).tolist()


def halfway(world: World, training: Training, seeds: Sequence[int]) -> dict[str, float]:
    """Measure the radius at which half of the fall from rho = 0 to the largest radius of `GRID` is done.

    Args:
        world: raw rows.
        training: the knobs.
        seeds: of the heads.

    Returns:
        norm(m), the steps, the AUC at both ends, the radius, the radius times norm(m), and that as predicted.
    """
    mean_norm = float(world.mean.norm())
    rhos = [k / mean_norm for k in GRID]
    area = np.median(_areas(world, training, rhos, seeds), 0)
    radius, expected = (_crossing(np.array(rhos), np.array(a)) for a in (area, predicted(world, training, rhos)))
    return {
        "mean_norm": mean_norm,
        "steps": training.steps,
        "auc": float(area[0]),
        "limit": float(area[-1]),
        "radius": radius,
        "constant": radius * mean_norm,
        "predicted": expected * mean_norm,
    }


def halfway_over_norms(training: Training, norms: Sequence[float], seeds: Sequence[int]) -> list[dict[str, float]]:
    """Measure the half-way radius for common means of several norms, around which the rows vary all alike.

    SGD's learning rate is the same at all of them: `Training.rate` counts at the largest.
    """
    noise = Synthetic().mean_norm ** 2 * (1 / Synthetic().common - 1)
    largest = norms[-1] ** 2 + noise
    found = []
    for norm in norms:
        squared = norm**2 + noise
        world = synthetic("synthetic", Synthetic(mean_norm=norm, common=norm**2 / squared))
        rate = training.rate * (squared / largest if training.optimiser == "sgd" else 1)
        found.append(halfway(world, replace(training, rate=rate), seeds))
    return found


def _crossing(rhos: np.ndarray, area: np.ndarray) -> float:
    """The first radius at which half of the fall is done, interpolated in log rho."""
    half = (area[0] + area[-1]) / 2
    k = max(2, int(np.argmax(area <= half)))
    share = (area[k - 1] - half) / (area[k - 1] - area[k])
    return float(rhos[k - 1] * (rhos[k] / rhos[k - 1]) ** share)


def condition_and_bound(world: World, training: Training, rho: float, seeds: Sequence[int]) -> dict[str, Any]:
    """Measure (3) at SAM's own radius and the bound (8) along a training at that radius.

    Args:
        world: raw rows.
        training: the knobs.
        rho: of the training, and of (3).
        seeds: of the heads.

    Returns:
        For each of some steps the least over seeds of (3) over norm(grad Loss)^2, the share of mini-batches that oppose
        the gradient, and the median of (8); the least of these bounds; and the bound at w = 0.
    """
    x, y = world.x["train"], world.y["train"]
    steps = sorted({*(s for s in (0, 10, 30, 100, 300) if s < training.steps), training.steps - 1})
    _, kept = train(x, y, training, [rho], seeds, keep=steps)
    batches = balanced_batches(len(x), training.batch, 5, torch_generator("mechanism condition"))
    rows = []
    for step in steps:
        w = kept[step][:, 0]
        head = logistic(x, y.double(), w[:, :-1], w[:, -1])
        inner = stability(head, batches, torch.tensor([rho], dtype=torch.float64))
        squared = head.squared_gradient()
        bound = step_radius(squared.sqrt(), lambda_max(head.operator(), tolerance=1e-4).value)
        rows.append(
            {
                "step": step,
                "loss": float(head.loss().median()),
                "relative": float((inner.inner[:, 0] / squared).min()),
                "opposed": float(inner.opposed.median()),
                "bound": float(bound.median()),
            }
        )
    z = torch.cat([x, x.new_ones(len(x), 1)], 1)
    return {
        "rho": rho,
        "rows": rows,
        "least": min(r["bound"] for r in rows),
        "at_zero": float(bound_at_start(world.difference, z.T @ z / len(z))),
    }


def perceptrons(world: World, seeds: Sequence[int], rhos: Sequence[float], steps: int = BASE.steps) -> dict[str, Any]:
    """Train perceptrons on raw and on centred rows, and measure how much of the collapse centring removes.

    Args:
        world: raw rows.
        seeds: of the heads.
        rhos: radii, increasing, from 0.
        steps: of the optimiser.
    """
    recipe = HeadRecipe(kind="mlp", optimiser="adamw", learning_rate=1e-3, select="last", scaling="raw")
    out: dict[str, Any] = {"rhos": list(rhos)}
    for scaling in ("raw", "centre"):
        here = world.scaled(scaling)
        rows = TensorRows(here.x["train"].float())
        scale = Standardiser(torch.zeros(rows.width), torch.ones(rows.width))
        labels = here.y["train"].numpy()
        problem = Problem(rows, labels, TensorRows(here.x["val"].float()), here.y["val"].numpy(), scale)
        trained = fit([problem], recipe, rhos=rhos, seeds=seeds, steps=steps)
        logits = trained.logits(0, TensorRows(here.x["test"].float()))
        table = auc(logits, here.y["test"]).numpy()
        found = collapses(rhos, table[None])[0]
        out[scaling] = {
            "auc": np.median(table, 0).tolist(),
            "cor": str(found.cor.median),
            "halfway": str(found.half.median),
            "norm": float(here.x["train"].square().sum(-1).mean().sqrt()),
        }
    return out


def _drawn(count: int, size: int, batches: int) -> Tensor:
    """Mini-batches (m, B) that are drawn at random without replacement."""
    rng = torch_generator("mechanism batches")
    return torch.stack([torch.randperm(count, generator=rng)[:size] for _ in range(batches)])
