"""Table I: frame AUC across data sets: trained on FaceForensics++'s four forgeries, tested elsewhere."""

from __future__ import annotations

from corit.paper.artefact import Made
from corit.paper.entry import METHODS, table, wanted
from corit.paper.lab import Lab, Need

PROTOCOL = "cross-dataset"


def needs(lab: Lab) -> list[Need]:
    """The features that it reads."""
    return wanted(lab, PROTOCOL, METHODS)


def make(lab: Lab) -> Made:
    """UniFD, pooled regions and CoRIT beside the paper's rows."""
    return table(lab, 1, "Frame AUC across data sets", PROTOCOL, METHODS)
