"""The part of the demo's page on real photographs: scores, verdicts, regions and evidence, and the model cards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from corit.report import page
from corit.report.text import table_text
from corit.studies.photograph_demo import AS_IT_IS, OTHER, PhotographDemo, ScoredPicture
from corit.views.forge import KINDS

VERDICTS = ("fake", "unsure", "real")
COLUMNS = (AS_IT_IS, *KINDS)
OTHERS = "pictures of other kinds"  # title of the card of all that are no photographs
WIDE, NARROW = 240, 164  # pixels


def photographs_part(result: PhotographDemo, cards: Mapping[str, str]) -> dict[str, Any]:
    """Return what the template needs.

    Args:
        result: the scored photographs.
        cards: Markdown of the model cards, by detector.
    """
    tops = {name: _top(result, name) for name in result.detectors}
    groups: dict[str, list[dict[str, Any]]] = {}
    for p in result.pictures:
        groups.setdefault(OTHERS if p.kind == OTHER else p.name, []).append(_figure(p, tops[p.detector]))
    return {
        "backbones": result.backbones,
        "seconds": result.seconds,
        "notes": result.notes,
        "groups": groups,
        "summary": summary_sentences(result),
        "rows": [_count_row(kind, counts) for kind, counts in result.verdicts.items()],
        "thresholds": {name: d.card.calibration for name, d in result.detectors.items()},
        "domains": {name: d.card.recipe.views.domain for name, d in result.detectors.items()},
        "cards": {name: page.markdown(text) for name, text in cards.items()},
    }


def photographs_text(result: PhotographDemo) -> str:
    """Return scores and verdicts as a table for the terminal, one row for each photograph, and the counts by kind."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("photograph", "detector", *COLUMNS):
        table.add_column(column)
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for p in result.pictures:
        rows.setdefault((p.name, p.detector), {})[AS_IT_IS if p.kind == OTHER else p.kind] = _cell(p)
    for names, cells in rows.items():
        table.add_row(*names, *(cells.get(kind, "") for kind in COLUMNS))
    return "\n".join([table_text(table), f"called fake: {_called_fake(result)}", summary_sentences(result)])


def summary_sentences(result: PhotographDemo) -> str:
    """Say in plain words what was found and what was not."""
    forged = Counter(p.right for p in result.pictures if p.kind in KINDS)
    real = Counter(p.right for p in result.pictures if p.kind == AS_IT_IS)
    words = (
        f"Of {forged.total()} forged pictures, {forged[True]} were found, {forged[False]} were missed and "
        f"{forged[None]} got no verdict. Of {real.total()} photographs as they are, {real[True]} were called real, "
        f"{real[False]} were called fake (a false alarm) and {real[None]} got no verdict."
    )
    other = Counter(p.right for p in result.pictures if p.kind == OTHER)
    if not other:
        return words
    return f"{words} Of {other.total()} pictures of other kinds, {other[True]} got no verdict, as they should."


def _cell(p: ScoredPicture) -> str:
    return p.row.status if p.row.score is None else f"{p.row.score:.3f} {p.row.verdict}"


def _called_fake(result: PhotographDemo) -> str:
    return ", ".join(f"{kind} {c['fake']} of {c.total()}" for kind, c in result.verdicts.items())


def _count_row(kind: str, counts: Mapping[str, int]) -> dict[str, Any]:
    total = sum(counts.values())
    verdicts = {v: counts.get(v, 0) for v in VERDICTS}
    return {"kind": kind, "total": total, "unscored": total - sum(verdicts.values()), **verdicts}


def _top(result: PhotographDemo, detector: str) -> float:
    """The evidence of full colour: one scale for all pictures of a detector, so that they can be compared."""
    heats = [np.abs(e.heat).max() for p in result.pictures if p.detector == detector for e in p.report.evidence]
    return float(np.median(heats)) * 1.5 if heats else 1.0


def _figure(p: ScoredPicture, top: float) -> dict[str, Any]:
    shown = []
    scored = [r for r in p.report.rows if r.status == "ok"]
    if p.row in scored and p.report.evidence:
        e = p.report.evidence[scored.index(p.row)]
        grid: tuple[int, int] = e.heat.shape  # type: ignore[assignment]
        views = (page.tinted(e.image, e.regions, grid), page.heated(e.image, e.heat, top))
        shown = [page.picture(v, NARROW) for v in views]
    title = p.name if p.kind == OTHER else p.kind
    return {
        "title": title,
        "row": p.row,
        "outcome": p.outcome,
        "right": p.right,
        "detector": p.detector,
        "views": shown,
    } | {"picture": page.picture(p.pixels, WIDE)}
