"""Figure 11: the refinement mask over all layers, in the background; one region a figure is a [choice]."""

from __future__ import annotations

from corit.bench.lab import Lab
from corit.paper import masks
from corit.paper.grid import Made
from corit.paper.masks import needs

__all__ = ["make", "needs"]


def make(lab: Lab) -> Made:
    """Real and manipulated pictures, and the kept fraction by layer."""
    return masks.make(lab, "background")
