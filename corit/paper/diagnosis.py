"""The theory's instruments on the paper's two detectors: one diagnosis for Table VII and Figures 1, 2, 3, 6 and 7."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from corit.diagnose.diagnosis import Diagnosis, diagnose
from corit.diagnose.plan import Kind, Plan
from corit.diagnose.read import read
from corit.paper.lab import Lab, Need
from corit.paper.variant import CORIT, UNIFD

PROTOCOL = "faceforensics"
VARIANTS = {"UniFD": UNIFD, "CoRIT": CORIT}
MAIN: Kind = "mlp"  # a linear head is the convex case, in which SAM cannot turn a batch's own gradient round
# Fewer radii, steps and seeds than `corit diagnose` has by default, so that all artefacts take minutes.
RHOS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 1.0, 2.0, 5.0)
STEPS, SEEDS, ROWS = 400, 3, 500
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


def notes(lab: Lab) -> tuple[str, ...]:
    """What the heads see, in sentences; how they are trained stands in the caption."""
    return ("Each forgery against the reals; nothing is chosen on the test rows.", *diagnosis(lab).notes)


def caption(lab: Lab, heads: Sequence[str]) -> dict[str, Any]:
    """The caption's fields that differ from those of the tables."""
    found = diagnosis(lab)
    said = "; ".join(found.plan.describe(k) for k in found.plan.heads if k in heads)
    return {**CAPTION, "head": said, "seeds": list(found.plan.seeds)}
