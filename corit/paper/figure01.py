"""Figure 1: heads collapse under SAM beyond a radius (a), and that radius by layer (b)."""

from __future__ import annotations

from corit.paper.artefact import Made
from corit.paper.diagnosis import MAIN, caption, diagnosis, needs, notes
from corit.paper.lab import Lab
from corit.report import radii

__all__ = ["make", "needs"]


def make(lab: Lab) -> Made:
    """(a) AUC against rho of both kinds of head; (b) COR by layer of the perceptron."""
    found = diagnosis(lab)
    figures = (radii.against_radius(found), radii.layerwise(found, MAIN))
    said = "Lines: medians over seeds. Open triangles: no collapse up to the largest radius. Crosses: never learned."
    return Made(figures=figures, notes=(said, *notes(lab)), caption=caption(lab, found.plan.heads))
