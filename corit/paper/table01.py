"""Table I: frame AUC across data sets: trained on FaceForensics++'s four forgeries, tested elsewhere."""

from __future__ import annotations

from corit.bench.entry import methods, wanted
from corit.bench.lab import Lab, Need
from corit.paper.grid import Made
from corit.paper.tables import table

PROTOCOL = "cross-dataset"


def needs(lab: Lab) -> list[Need]:
    """The features that it reads."""
    return wanted(lab, PROTOCOL, methods(lab))


def make(lab: Lab) -> Made:
    """CoRIT and its baselines beside the paper's rows."""
    return table(lab, 1, "Frame AUC across data sets", PROTOCOL, methods(lab))
