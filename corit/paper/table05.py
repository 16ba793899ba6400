"""Table V: accuracy at 0.5 on 19 subsets of whole pictures, with foreground regions for scenes."""

from __future__ import annotations

from corit.paper.artefact import Made
from corit.paper.entry import METHODS, table, wanted
from corit.paper.lab import Lab, Need

PROTOCOL = "universal"


def needs(lab: Lab) -> list[Need]:
    """The features that it reads."""
    return wanted(lab, PROTOCOL, METHODS)


def make(lab: Lab) -> Made:
    """UniFD, pooled regions and CoRIT beside the paper's rows."""
    return table(lab, 5, "Accuracy on 19 subsets of whole pictures", PROTOCOL, METHODS, metric="acc")
