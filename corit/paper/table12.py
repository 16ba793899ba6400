"""Table XII: l_m, the middle layer of the hierarchical integration (24), from one store of all layers."""

from __future__ import annotations

from corit.bench.entry import Entry, wanted
from corit.bench.lab import Lab, Need
from corit.bench.variant import CORIT
from corit.paper.grid import Made
from corit.paper.printed import printed
from corit.paper.tables import table

PROTOCOL = "cross-dataset"
DEPTH = 24  # of the paper's backbone, whose layers the rows name


def entries(lab: Lab) -> list[Entry]:
    """The paper's layers, or those at the same share of another backbone's depth."""
    depth = lab.backbone().depth
    return [_entry(int(layer), depth) for layer in printed(12).values]


def _entry(layer: int, depth: int) -> Entry:
    here = max(1, round(layer / DEPTH * depth))
    label = f"layer {layer}" if depth == DEPTH else f"layer {here} of {depth}, for {layer} of {DEPTH}"
    return Entry(label, str(layer), CORIT, layers=(here, depth))


def needs(lab: Lab) -> list[Need]:
    """The features that it reads."""
    return wanted(lab, PROTOCOL, entries(lab))


def make(lab: Lab) -> Made:
    """Heads on concat(F_l, F_L) for each l."""
    return table(lab, 12, "Fusion layer", PROTOCOL, entries(lab))
