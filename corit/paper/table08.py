"""Table VIII: regional signal injection (RSI), region refinement (RRM), hierarchical integration (HRI), one by one."""

from __future__ import annotations

from corit.bench.entry import Entry, wanted
from corit.bench.lab import Lab, Need
from corit.bench.variant import CORIT, UNIFD, Variant
from corit.paper.grid import Made
from corit.paper.tables import table

PROTOCOL = "components"
ENTRIES = (
    Entry("none (UniFD)", "0 0 0", UNIFD),
    Entry("RSI", "1 0 0", Variant("rsi", {"model.rrm": False, "model.hri": False})),
    Entry("RSI + RRM", "1 1 0", Variant("rsi-rrm", {"model.hri": False})),
    Entry("HRI", "0 0 1", Variant("hri", {"model.rsi": False})),
    Entry("RSI + RRM + HRI (CoRIT)", "1 1 1", CORIT),
)


def needs(lab: Lab) -> list[Need]:
    """The features that it reads."""
    return wanted(lab, PROTOCOL, ENTRIES)


def make(lab: Lab) -> Made:
    """The five combinations that the paper tries."""
    return table(lab, 8, "Components", PROTOCOL, ENTRIES)
