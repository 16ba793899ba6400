"""Table II: video AUC across data sets: the mean score of a video's frames."""

from __future__ import annotations

from corit.bench.entry import methods, wanted
from corit.bench.lab import Lab, Need
from corit.paper.grid import Made
from corit.paper.tables import table

PROTOCOL = "cross-dataset-video"


def needs(lab: Lab) -> list[Need]:
    """The features that it reads."""
    return wanted(lab, PROTOCOL, methods(lab))


def make(lab: Lab) -> Made:
    """CoRIT and its baselines beside the paper's rows."""
    return table(lab, 2, "Video AUC across data sets", PROTOCOL, methods(lab))
