"""Table III: frame AUC on manipulations of DF40 in the Celeb-DF domain."""

from __future__ import annotations

from corit.bench.entry import methods, wanted
from corit.bench.lab import Lab, Need
from corit.paper.grid import Made
from corit.paper.tables import table

PROTOCOL = "df40"


def needs(lab: Lab) -> list[Need]:
    """The features that it reads."""
    return wanted(lab, PROTOCOL, methods(lab))


def make(lab: Lab) -> Made:
    """CoRIT and its baselines beside the paper's rows."""
    return table(lab, 3, "Frame AUC on DF40's manipulations", PROTOCOL, methods(lab))
