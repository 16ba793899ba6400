"""Figure 3: GSNR while a head is trained, by forgery (a) and by layer (b)."""

from __future__ import annotations

from corit.bench.lab import Lab
from corit.paper.diagnosis import COURSES, MAIN, caption, diagnosis, gsnr, needs, notes
from corit.paper.grid import Made
from corit.report import courses

__all__ = ["make", "needs"]


def make(lab: Lab) -> Made:
    """Courses of the perceptron, trained without SAM; dots are the bottleneck steps."""
    found = diagnosis(lab)
    figures = (courses.by_group(found, MAIN), courses.by_layer(found, MAIN))
    said = f"(a) By forgery, at the last feature of each detector; (b) by layer, without bands. {COURSES}"
    return Made(
        figures=figures,
        notes=(*notes(lab), said),
        numbers=tuple(gsnr(found, found.where(head=MAIN))),
        caption=caption(lab, (MAIN,), found.plan.reference),
    )
