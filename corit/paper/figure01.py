"""Figure 1: heads collapse under SAM beyond a radius (a), and that radius by layer (b)."""

from __future__ import annotations

from collections.abc import Iterator

from corit.bench.lab import Lab
from corit.diagnose.diagnosis import Diagnosis
from corit.paper.diagnosis import AGAINST_RADIUS, BY_LAYER, MAIN, areas, caption, diagnosis, needs, notes
from corit.paper.grid import Made
from corit.report import radii
from corit.theory.collapse import Radius

__all__ = ["make", "needs"]


def make(lab: Lab) -> Made:
    """(a) AUC against rho of both kinds of head; (b) COR by layer of the perceptron."""
    found = diagnosis(lab)
    figures = (radii.against_radius(found), radii.layerwise(found, MAIN))
    said = (f"(a) {AGAINST_RADIUS}", f"(b) {BY_LAYER}")
    head = ("panel", "detector", "head", "layer", "forgery", "seed", "rho", "auc", *RADII)
    rows = [("a", *row, *[""] * len(RADII)) for row in areas(found)]
    return Made(
        figures=figures,
        notes=(*notes(lab), *said),
        numbers=(head, *rows, *_by_layer(found)),
        caption=caption(lab, found.plan.heads),
    )


RADII = ("cor", "cor_censored", "halfway", "halfway_censored")


def _by_layer(found: Diagnosis) -> Iterator[tuple[str, ...]]:
    """(b)'s numbers, seed by seed; a radius is empty where it is censored, and the next column says how."""
    for c in found.where(head=MAIN):
        for seed, cor, half in zip(found.plan.seeds, c.collapse.radius, c.collapse.halfway, strict=True):
            named = ("b", c.store, radii.TITLES[c.head], c.at, c.group, str(seed), "", "")
            yield (*named, *_radius(cor), *_radius(half))


def _radius(found: Radius) -> tuple[str, str]:
    return ("", str(found)) if found.censoring else (f"{found.value:.6g}", "")
