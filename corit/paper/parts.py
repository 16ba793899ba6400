"""Artefacts of a run on parts of data sets: which values are of a part, what is empty and why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from corit.bench.parts import MARK, incomplete
from corit.bench.runner import Runner
from corit.errors import DataError
from corit.paper.artefact import Artefact, Content


def mark_parts(content: Content, artefact: Artefact, runner: Runner) -> Content:
    """Mark each value that a part of a data set gave, and say how much of each set there was.

    Args:
        content: the artefact's content.
        artefact: the artefact.
        runner: the run; of whole data sets, the content stays as it is.
    """
    protocols = [runner.testbed.protocol(p) for p in artefact.protocols]
    shares = runner.shares(protocols)
    if not shares:
        return content
    lacks = _lacks(artefact, runner)
    whole = "; ".join(filter(None, (incomplete(shares, tuple(shares)), _without(lacks))))
    parts: dict[str, str] = {}
    for protocol in protocols:
        learning = [s.data for s in (*protocol.train, *protocol.select)]
        parts |= {s.title: incomplete(shares, [*learning, s.data]) for s in protocol.test}
    notes = []
    if content.table is not None:
        marked = {c: text for c in content.table.columns if (text := parts.get(c, whole))}
        content = replace(content, table=replace(content.table, parts=marked))
        notes += [f"{MARK} Of a part of the data, not comparable with the paper's number. {whole}."] if marked else []
    notes += [f"Empty. {title}: {reason}." for title, reason in lacks.items()]
    caption: dict[str, Any] = {"data": "; ".join(s.text for s in shares.values())}
    return replace(content, notes=(*notes, *content.notes), caption={**content.caption, **caption})


def _lacks(artefact: Artefact, runner: Runner) -> dict[str, str]:
    """The test sets that are not there, with the reason."""
    lacks: dict[str, str] = {}
    for protocol in map(runner.testbed.protocol, artefact.protocols):
        try:
            lacks |= runner.part(protocol).lacks
        except DataError as err:
            lacks |= {s.title: str(err) for s in protocol.test}
    return lacks


def _without(lacks: dict[str, str]) -> str:
    return f"without {', '.join(lacks)}" if lacks else ""
