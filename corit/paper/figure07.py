"""Figure 7: the loss around trained heads, UniFD beside CoRIT, in the same filter-normalised plane."""

from __future__ import annotations

from corit.paper.artefact import Made
from corit.paper.diagnosis import MAIN, caption, diagnosis, needs, notes
from corit.paper.lab import Lab
from corit.report import planes

__all__ = ["make", "needs"]


def make(lab: Lab) -> Made:
    """Contours and surfaces of the perceptron's loss on its training rows, and the planes' curvature."""
    found = diagnosis(lab)
    drawn = planes.of_head(found, MAIN)
    head = ("detector", "forgery", "loss", "curvature x norm squared", "largest eigenvalue")
    rows = [
        (s, g, f"{float(p.centre):.4g}", f"{float(p.relative):.4g}", f"{float(p.largest):.4g}")
        for (s, g), p in drawn.items()
    ]
    said = f"Heads of the first seed, trained with rho = {found.shown:g}."
    figures = (planes.contours(drawn), planes.surfaces(drawn))
    return Made(figures=figures, notes=(said, *notes(lab)), numbers=(head, *rows), caption=caption(lab, (MAIN,)))
