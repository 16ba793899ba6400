"""The whole study: its measurements, each kept in a file, and mechanism.json."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from corit.features.store import FeatureStore
from corit.files import write_text
from corit.journal import require_same_settings
from corit.progress import Progress, no_progress
from corit.serialise import json_text
from corit.studies.mechanism import measures
from corit.studies.mechanism.measures import BASE, REMEDIES, RHOS, SGD
from corit.studies.mechanism.worlds import World, stored, synthetic
from corit.theory.common_mean import Synthetic
from corit.train.heads import versions

CURVE = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
SYNTHETIC = {
    "subtle": Synthetic(),
    "overt": Synthetic(signal="high"),
}


@dataclass(frozen=True)
class MechanismPlan:
    """How much is measured.

    Attributes:
        layers: of the store whose class tokens are measured.
        seeds: heads of remedies and curves.
        few: heads of perceptrons, of half-way radii, and of courses.
        length: steps of the optimiser, but for the half-way radius.
        norms: of the common mean, for the half-way radius.
        steps: of the optimiser, for the half-way radius.
    """

    layers: tuple[int, ...] = (9, 12)
    seeds: int = 10
    few: int = 3
    length: int = BASE.steps
    norms: tuple[float, ...] = (3.75, 7.5, 15.0, 30.0, 60.0, 120.0)
    steps: tuple[int, ...] = (250, 1000, 4000)


def quick_plan(layers: tuple[int, ...] = MechanismPlan.layers) -> MechanismPlan:
    """Return a plan that shows that the command runs, and nothing about the mechanism."""
    return MechanismPlan(layers, seeds=1, few=1, length=40, norms=(15.0, 30.0), steps=(50,))


def run(
    out: Path,
    plan: MechanismPlan,
    *,
    store: FeatureStore | None = None,
    name: str = "store",
    command: str = "",
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Measure what is not measured yet, and write OUT/mechanism.json.

    Args:
        out: folder of the study; an interrupted run goes on in it.
        plan: how much is measured.
        store: features that keep their levels; None for synthetic features alone.
        name: of the store's data, backbone and recipe, for the record.
        command: that remakes the record.
        progress: called with measurements done and in all.

    Returns:
        The record.

    Raises:
        DataError: a folder with a study of another plan, or a store that does not fit.
    """
    asked = {**asdict(plan), "name": name if store is not None else None}
    settings = json.loads(json_text(asked))
    (out / "measured").mkdir(parents=True, exist_ok=True)
    held = out / "settings.json"
    if held.exists():
        require_same_settings(out, json.loads(held.read_text()), settings)
    write_text(held, json_text(settings))
    worlds = {k: synthetic(k, knobs) for k, knobs in SYNTHETIC.items()}
    if store is not None:
        worlds |= {f"layer {layer}": stored(f"{name}, layer {layer}", store, layer) for layer in plan.layers}
    jobs = _jobs(worlds, plan)
    done: dict[str, Any] = {}
    for i, (key, measure) in enumerate(jobs.items()):
        progress(i, len(jobs))
        done[key] = _kept(out / "measured" / f"{key}.json", measure)
    progress(len(jobs), len(jobs))
    result = _record(done, worlds, plan, command)
    write_text(out / "mechanism.json", json_text(result))
    return result


def _jobs(worlds: Mapping[str, World], plan: MechanismPlan) -> dict[str, Callable[[], Any]]:
    """Every measurement by its name, "kind of world" or "kind of world, part"."""
    seeds, few, base = range(plan.seeds), range(plan.few), replace(BASE, steps=plan.length)
    jobs: dict[str, Callable[[], Any]] = {}
    for key, world in worlds.items():
        jobs[f"world of {key}"] = world.described
        for i, remedy in enumerate(REMEDIES):
            jobs[f"remedy of {key}, {i}"] = partial(measures.remedy, world, remedy, seeds, plan.length)
        jobs[f"curves of {key}"] = partial(measures.curves, world, seeds, CURVE, plan.length)
        jobs[f"halfway of {key}"] = partial(measures.halfway, world, base, few)
        jobs[f"condition of {key}"] = partial(measures.condition_and_bound, world, base, RHOS[2], few)
        jobs[f"perceptrons of {key}"] = partial(measures.perceptrons, world, few, CURVE, plan.length)
    for steps, kind in product(plan.steps, (BASE, SGD)):
        training = replace(kind, steps=steps)
        key = f"halfway of {kind.optimiser}, {steps} steps"
        jobs[key] = partial(measures.halfway_over_norms, training, plan.norms, few)
    return jobs


def _kept(path: Path, measure: Callable[[], Any]) -> Any:
    """What is in the file, or else is measured and written to it."""
    if not path.exists():
        write_text(path, json_text(measure()))
    return json.loads(path.read_text())


def _record(done: Mapping[str, Any], worlds: Mapping[str, World], plan: MechanismPlan, command: str) -> dict[str, Any]:
    def of(kind: str, key: str) -> Any:
        return done[f"{kind} of {key}"]

    return {
        "command": command,
        "plan": asdict(plan),
        "training": {"adam": asdict(BASE), "sgd": asdict(SGD)},
        "rhos": list(RHOS),
        "versions": versions(),
        "worlds": {
            key: {
                **of("world", key),
                "remedies": {r: of("remedy", f"{key}, {i}") for i, r in enumerate(REMEDIES)},
                **{kind: of(kind, key) for kind in ("curves", "halfway", "condition", "perceptrons")},
            }
            for key in worlds
        },
        "halfway": {
            f"{base.optimiser}, {steps} steps": of("halfway", f"{base.optimiser}, {steps} steps")
            for steps, base in product(plan.steps, (BASE, SGD))
        },
    }


def remedies_table(record: Mapping[str, Any], worlds: Sequence[str]) -> str:
    """Return the table of remedies as Markdown: a row for each remedy, a column for each world and radius."""
    rhos = record["rhos"]
    head = ["remedy", *(f"{_short(rho)}" for _ in worlds for rho in rhos)]
    lines = [" | ".join(head), " | ".join(["---"] * len(head))]
    for remedy in REMEDIES:
        cells = [_auc(a) for w in worlds for a in record["worlds"][w]["remedies"][remedy]["auc"]]
        lines.append(" | ".join([remedy, *cells]))
    return "\n".join(f"| {line} |" for line in lines)


def _auc(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")


def _short(rho: float) -> str:
    return f"{rho:g}".removeprefix("0") or "0"
