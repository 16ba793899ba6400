"""Figure 2: test AUC against the radius (a), and its gain over the smallest up to 0.1 (b)."""

from __future__ import annotations

from corit.bench.lab import Lab
from corit.paper.diagnosis import AGAINST_RADIUS, areas, caption, diagnosis, needs, notes
from corit.paper.grid import Made
from corit.report import radii

__all__ = ["make", "needs"]


def make(lab: Lab) -> Made:
    """Both, for UniFD and CoRIT, linear heads and perceptrons."""
    found = diagnosis(lab)
    head = ("detector", "head", "layer", "forgery", "seed", "rho", "auc")
    gains = radii.gains(found)
    figures = (radii.against_radius(found), *([gains] if gains is not None else []))
    said = [f"(a) {AGAINST_RADIUS}"]
    if gains is not None:
        said.append(
            f"(b) The gain over rho = {found.plan.rhos[0]:g}, seed by seed, up to rho = {radii.GAINS:g}, where the "
            "paper sees gains; medians over head seeds, bands their range, dotted: no gain."
        )
    return Made(
        figures=figures,
        notes=(*notes(lab), *said),
        numbers=(head, *areas(found)),
        caption=caption(lab, found.plan.heads),
    )
