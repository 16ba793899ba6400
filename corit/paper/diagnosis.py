"""The theory's instruments on the paper's two detectors: one diagnosis for Table VII and Figures 1, 2, 3, 6 and 7."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from corit.bench.lab import Lab, Need
from corit.bench.stage import FORGERIES
from corit.bench.variant import CORIT, UNIFD
from corit.diagnose.diagnosis import Cell, Diagnosis, diagnose
from corit.diagnose.plan import RECOMMENDED, Kind, Plan
from corit.diagnose.read import read
from corit.features.store import FeatureStore
from corit.report.radii import TITLES
from corit.theory.collapse import CHANCE, LEARNED

PROTOCOL = "faceforensics"
VARIANTS = {"UniFD": UNIFD, "CoRIT": CORIT}
MAIN: Kind = "mlp"  # a linear head is the convex case, in which SAM cannot turn a batch's own gradient round
# Fewer radii, steps and seeds than `corit diagnose` has by default, so that all artefacts take minutes.
RHOS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 1.0, 2.0, 5.0)
STEPS, SEEDS, ROWS = 400, 3, 500
NAMES = {"DF": "Deepfakes", "F2F": "Face2Face", "FS": "FaceSwap", "NT": "NeuralTextures"}
# How figures of one kind are read.
AGAINST_RADIUS = (
    f"AUC against rho: medians over head seeds, bands their range; what lies on each other is equal. Dashed: rho = "
    f"{RECOMMENDED:g}, SAM's own default. Dotted: AUC {CHANCE:g}, below which a head has collapsed."
)
BY_LAYER = (
    "COR by layer: medians over head seeds, bars from the smallest to the largest; dotted lines "
    "the half-way radius, where the AUC has fallen half of the way from its best to 0.5. Open triangles: upwards no "
    "collapse up to the largest radius, downwards collapse at the first. "
    f"Crosses: never learned, no radius reaches an AUC of {LEARNED:g}. Dashed: rho = {RECOMMENDED:g}."
)
COURSES = (
    "GSNR on training rows: medians over head seeds, bands their range. Dots: the bottleneck step, where the bound "
    "(11) on the radius is lowest within the first phase, median over head seeds; hollow where most seeds have no "
    "later phase, so that it is lowest over the whole course."
)
CAPTION = {"protocol": PROTOCOL, "metric": "by the theory's instruments"}


def needs(lab: Lab) -> list[Need]:
    """Both detectors' features of every layer."""
    of = lab.stage.protocol(PROTOCOL)
    return [Need(d, v, of, levels=True) for v in VARIANTS.values() for d in of.data]


def diagnosis(lab: Lab) -> Diagnosis:
    """UniFD's and CoRIT's diagnosis, made once a run; finished sweeps are read from the run's folder."""
    return lab.once("diagnosis", lambda: _run(lab))


def plan(lab: Lab, rows: int) -> Plan:
    """What is swept, for so many training rows of the smallest group."""
    return Plan(rhos=RHOS, seeds=lab.seeds[:SEEDS], steps=STEPS, batch=max(1, min(20, rows // 4)), rows=ROWS, refine=3)


def _run(lab: Lab) -> Diagnosis:
    lab.prepare(needs(lab))
    stores = [replace(m, name=n) for n, m in zip(VARIANTS, read([lab.folder(n) for n in needs(lab)]), strict=True)]
    counts = [int(((m.split == "train") & (m.y == 0)).sum()) for m in stores]
    out = lab.out / "theory" / f"{lab.stage.key}-{lab.backbone().digest[:10]}"
    return diagnose(stores, plan(lab, 2 * min(counts)), out, bars=lab.bars)


def notes(lab: Lab, kinds: tuple[str, ...] = FORGERIES) -> tuple[str, ...]:
    """What the heads see, in sentences, stand-ins first; how they are trained stands in the caption."""
    against = "Each forgery against the reals; nothing is chosen on the test rows."
    said = (lab.stage.standing(kinds), against, _counted(lab))
    return (*filter(None, said), *(f"Left out. {n}." for n in diagnosis(lab).notes))


def _counted(lab: Lab) -> str:
    """How many pictures were measured, in one sentence."""
    counts = FeatureStore.open(lab.folder(needs(lab)[-1])).counts()
    lost = sum(counts.values()) - counts.get("ok", 0)
    return f"{counts.get('ok', 0)} pictures of all splits{f'; {lost} could not be measured' if lost else ''}."


def caption(lab: Lab, heads: Sequence[str], rho: float | None = None) -> dict[str, Any]:
    """The caption's fields that differ from those of the tables. rho: the one radius that is shown, None for all."""
    found = diagnosis(lab)
    said = "; ".join(found.plan.describe(k, rho) for k in found.plan.heads if k in heads)
    radii = {"rho": ", ".join(f"{r:g}" for r in found.plan.rhos)} if rho is None else {}
    return {**CAPTION, "head": said, **radii, "seeds": list(found.plan.seeds)}


def areas(found: Diagnosis) -> Iterator[tuple[str, ...]]:
    """Test AUC at each store's headline layer: detector, head, layer, forgery, seed, rho, AUC."""
    for c in found.headlines():
        for s, seed in enumerate(found.plan.seeds):
            for r, rho in enumerate(found.plan.rhos):
                yield (c.store, TITLES[c.head], c.at, c.group, str(seed), f"{rho:g}", number(c.auc[s, r]))


def gsnr(found: Diagnosis, cells: Sequence[Cell]) -> list[tuple[str, ...]]:
    """GSNR along training as a figure's numbers, its head first; the bottleneck step is marked, and what it is of."""
    head = ("detector", "head", "layer", "forgery", "seed", "step", "gsnr", "bottleneck")
    lines: list[tuple[str, ...]] = [head]
    for c in cells:
        for s, seed in enumerate(found.plan.seeds):
            for t, step in enumerate(c.course.steps.tolist()):
                mark = "" if step != c.step[s] else "yes" if np.isfinite(c.end[s]) else "yes, no later phase found"
                value = number(c.course.gsnr[t, 0, s, 0])
                lines.append((c.store, TITLES[c.head], c.at, c.group, str(seed), str(step), value, mark))
    return lines


def number(value: float) -> str:
    """A number for a CSV, empty where there is none."""
    return f"{value:.6g}" if np.isfinite(value) else ""
