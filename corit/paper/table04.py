"""Table IV: average precision on 19 subsets of whole pictures, with foreground regions for scenes."""

from __future__ import annotations

from corit.bench.entry import methods, published, wanted
from corit.bench.lab import Lab, Need
from corit.paper.grid import Made
from corit.paper.tables import table

PROTOCOL = "universal"


def needs(lab: Lab) -> list[Need]:
    """The features that it reads."""
    return wanted(lab, PROTOCOL, methods(lab))


def make(lab: Lab) -> Made:
    """CoRIT and its baselines beside the paper's rows, UniFD's published head among them where it fits."""
    more, said = published(lab)
    rows = [*more, *methods(lab)]
    return table(lab, 4, "Average precision on 19 subsets of whole pictures", PROTOCOL, rows, "ap", said)
