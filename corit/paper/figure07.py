"""Figure 7: the loss around trained heads, UniFD beside CoRIT, in the same filter-normalised plane."""

from __future__ import annotations

from corit.bench.lab import Lab
from corit.paper.diagnosis import MAIN, caption, diagnosis, needs, notes
from corit.paper.grid import Made
from corit.report import planes

__all__ = ["make", "needs"]


def make(lab: Lab) -> Made:
    """Contours and surfaces of the perceptron's loss on its training rows, and the planes' curvature.

    Raises DataError when every head diverged.
    """
    found = diagnosis(lab)
    drawn = planes.of_head(found, MAIN)
    head = ("detector", "forgery", "loss", "curvature x norm squared", "largest eigenvalue")
    rows = [
        (s, g, f"{float(p.centre):.4g}", f"{float(p.relative):.4g}", f"{float(p.largest):.4g}")
        for (s, g), p in drawn.items()
    ]
    said = (
        "(a) contours, (b) surfaces: the loss of w + a u + b v on training rows; w is the head (the cross), u and v "
        "are two random directions, the same draws for every head, each output row scaled to the norm of the head's "
        "own (filter-normalised); a and b from -1 to 1.",
        f"One scale for all; losses above the {planes.CLIPPED} % quantile of all of them are drawn as that quantile.",
    )
    first = found.plan.seeds[:1]
    return Made(
        figures=(planes.contours(drawn), planes.surfaces(drawn)),
        notes=(*notes(lab), *said),
        numbers=(head, *rows),
        caption={**caption(lab, (MAIN,), found.shown), "seeds": list(first)},
    )
