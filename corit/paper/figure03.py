"""Figure 3: GSNR while a head is trained, by forgery (a) and by layer (b)."""

from __future__ import annotations

from corit.paper.artefact import Made
from corit.paper.diagnosis import MAIN, caption, diagnosis, needs, notes
from corit.paper.lab import Lab
from corit.report import courses

__all__ = ["make", "needs"]


def make(lab: Lab) -> Made:
    """Courses of the perceptron trained by plain SGD; dots are the bottleneck steps."""
    found = diagnosis(lab)
    figures = (courses.by_group(found, MAIN), courses.by_layer(found, MAIN))
    return Made(figures=figures, notes=notes(lab), caption=caption(lab, (MAIN,)))
