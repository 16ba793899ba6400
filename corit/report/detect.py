"""The page of `corit detect --html`: every picture with its regions, evidence and verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from corit.detect import Evidence, Report, Row
from corit.report import page


def write_page(reports: Sequence[Report], target: Path) -> None:
    """Write the page of some reports made with evidence, whole or not at all."""
    rows = [r for report in reports for r in report.rows]
    counts = {v: sum(r.verdict == v for r in rows) for v in ("fake", "unsure", "real")}
    page.write("detect.html", target, cards=list(_cards(reports)), counts=counts, rows=len(rows))


def _cards(reports: Sequence[Report]) -> Iterator[dict[str, Any]]:
    """Evidence is shown on one scale for the whole page, so that two pictures can be compared."""
    heats = [np.abs(e.heat).max() for r in reports for e in r.evidence]
    top = float(np.median(heats)) * 1.5 if heats else 1.0
    for report in reports:
        shown = iter(report.evidence)
        for row in report.rows:
            yield _card(row, next(shown, None) if row.status == "ok" else None, top)


def _card(row: Row, evidence: Evidence | None, top: float) -> dict[str, Any]:
    pictures = []
    if evidence is not None:
        grid = evidence.heat.shape
        crop = evidence.image
        views = (crop, page.tinted(crop, evidence.regions, grid), page.heated(crop, evidence.heat, top))  # type: ignore[arg-type]
        pictures = [page.picture(v, 200) for v in views]
    return {"row": row, "name": Path(row.path).name, "pictures": pictures}
