"""Table VI: leave one manipulation of FaceForensics++ out of training and selection, and test on it."""

from __future__ import annotations

from corit.bench.draws import mean
from corit.bench.entry import METRICS, counted, measure, methods, wanted
from corit.bench.lab import Lab, Need
from corit.bench.stage import FORGERIES
from corit.bench.variant import CORIT, UNIFD
from corit.metrics.auc import Estimate
from corit.paper.artefact import LEFT_OUT
from corit.paper.grid import Grid, Line, Made
from corit.paper.printed import printed


def needs(lab: Lab) -> list[Need]:
    """The features that it reads."""
    return [n for p in LEFT_OUT for n in wanted(lab, p, methods(lab))]


def make(lab: Lab) -> Made:
    """Each method on each manipulation that it has not seen, and CoRIT's gain beside what the paper's text says."""
    protocols = [lab.stage.protocol(p) for p in LEFT_OUT]
    lines = []
    for entry in methods(lab):
        measured = [measure(lab, of, entry) for of in protocols]
        lines.append(Line(entry.label, entry.paper, {k: v for m in measured for k, v in m.values.items()}))
    gain = {k: _gain(lab, p, k) for p, k in zip(LEFT_OUT, FORGERIES, strict=True)}
    lines.append(Line("CoRIT less UniFD", "CoRIT less UniFD", gain))
    grid = Grid(
        "Leave one manipulation out", METRICS["auc"], FORGERIES, tuple(lines), printed(6), shown=lab.stage.shown
    )
    together = {k: n for m in measured for k, n in m.counts.items()}
    notes = (lab.stage.standing(FORGERIES), counted(together, protocols[0]), *grid.slips())
    caption = {"protocol": "faceforensics-without-*", "metric": METRICS["auc"]}
    return Made(grid, notes=tuple(filter(None, notes)), caption=caption)


def _gain(lab: Lab, protocol: str, kind: str) -> Estimate:
    of = lab.stage.protocol(protocol)
    unifd, corit = (mean({kind: lab.scored(of, v)[kind]}, "auc", lab.draws) for v in (UNIFD, CORIT))
    return corit.less(unifd)
