"""Table XI: tau, the threshold of the refinement mask (20)."""

from __future__ import annotations

from corit.bench.entry import Entry, wanted
from corit.bench.lab import Lab, Need
from corit.bench.variant import CORIT, Variant
from corit.paper.grid import Made
from corit.paper.tables import table

PROTOCOL = "cross-dataset"
TAUS = ("0", "0.1", "0.5", "0.9", "1.3")
ENTRIES = tuple(
    Entry(f"tau = {t}", t, CORIT if t == "0.1" else Variant(f"tau-{t}", {"model.tau": float(t)})) for t in TAUS
)


def needs(lab: Lab) -> list[Need]:
    """The features that it reads."""
    return wanted(lab, PROTOCOL, ENTRIES)


def make(lab: Lab) -> Made:
    """The five values that the paper tries, relative to the region's mean coherence."""
    return table(lab, 11, "Threshold of the refinement mask", PROTOCOL, ENTRIES)
