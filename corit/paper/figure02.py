"""Figure 2: test AUC against the radius (a), and its gain over the smallest up to 0.1 (b)."""

from __future__ import annotations

from corit.paper.artefact import Made
from corit.paper.diagnosis import caption, diagnosis, needs, notes
from corit.paper.lab import Lab
from corit.report import radii

__all__ = ["make", "needs"]


def make(lab: Lab) -> Made:
    """Both, for UniFD and CoRIT, linear heads and perceptrons."""
    found = diagnosis(lab)
    head = ("detector", "head", "forgery", "rho", "seed", "auc")
    rows = [
        (c.store, c.head, c.group, f"{rho:g}", str(seed), f"{c.auc[s, r]:.4f}")
        for c in found.headlines()
        for s, seed in enumerate(found.plan.seeds)
        for r, rho in enumerate(found.plan.rhos)
    ]
    gains = radii.gains(found)
    figures = (radii.against_radius(found), *([gains] if gains is not None else []))
    return Made(figures=figures, notes=notes(lab), numbers=(head, *rows), caption=caption(lab, found.plan.heads))
