"""Figure 6: GSNR while a head is trained, UniFD beside CoRIT."""

from __future__ import annotations

from corit.bench.lab import Lab
from corit.errors import DataError
from corit.paper.diagnosis import COURSES, MAIN, caption, diagnosis, gsnr, needs, notes
from corit.paper.grid import Made
from corit.report import courses

__all__ = ["make", "needs"]


def make(lab: Lab) -> Made:
    """A panel for each forgery. Raises DataError when the two detectors share none."""
    found = diagnosis(lab)
    drawn = courses.beside(found, MAIN)
    if drawn is None:
        raise DataError(f"expected a forgery that both detectors were diagnosed on, got {dict(found.groups)}")
    return Made(
        figures=(drawn,),
        notes=(*notes(lab), COURSES),
        numbers=tuple(gsnr(found, found.headlines(head=MAIN))),
        caption=caption(lab, (MAIN,), found.plan.reference),
    )
