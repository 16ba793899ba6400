"""Runs on parts of data sets: what is there, which test sets can be measured, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from corit.bench.protocols import Protocol, Selection
from corit.data.care.shares import Share
from corit.data.sample import Sample
from corit.errors import DataError
from corit.sources import SOURCES

MARK = "†"  # of a value that a part of some data set gave
ADVICE = "--partial uses what is there of each data set"


@dataclass(frozen=True)
class ProtocolPart:
    """A protocol without the test sets that cannot be measured.

    Attributes:
        protocol: the protocol with the other test sets.
        lacks: why not, by the title of each that is left out.
    """

    protocol: Protocol
    lacks: Mapping[str, str] = field(default_factory=dict)


def available(protocol: Protocol, rows: Callable[[str], Sequence[Sample]]) -> ProtocolPart:
    """Leave out the test sets of a protocol of which there are no reals or no fakes.

    Args:
        protocol: the protocol.
        rows: lists a data set; raises DataError where there is nothing of it.

    Raises:
        DataError: rows to train on or to select by lack a class, or no test set is left.
    """
    for role, selections in (("train on", protocol.train), ("select by", protocol.select)):
        problems = [p for s in selections if (p := _problem(s, rows))]
        if problems:
            raise DataError(f"protocol {protocol.name}: expected rows to {role}, but {'; '.join(problems)}")
    lacks = {s.title: p for s in protocol.test if (p := _problem(s, rows))}
    tests = tuple(s for s in protocol.test if s.title not in lacks)
    if not tests:
        reasons = "; ".join(f"{title}: {reason}" for title, reason in lacks.items())
        raise DataError(f"protocol {protocol.name}: expected a test set with reals and fakes, but {reasons}")
    return ProtocolPart(replace(protocol, test=tests), lacks)


def _problem(selection: Selection, rows: Callable[[str], Sequence[Sample]]) -> str:
    """Why a selection has no reals or no fakes, or nothing."""
    try:
        labels = {s.label for s in rows(selection.data) if _selects(selection, s)}
    except DataError as err:
        return first_sentence(str(err))
    absent = [name for name, label in (("real", 0), ("fake", 1)) if label not in labels]
    kinds = f" of {'+'.join(selection.manipulations)}" if selection.manipulations and absent == ["fake"] else ""
    split = f" in its {selection.split} split" if selection.split else ""
    return f"{selection.data} has no {' and no '.join(absent)} rows{kinds}{split}" if absent else ""


def _selects(selection: Selection, s: Sample) -> bool:
    """Whether a selection takes a row, as `corit.bench.rows.select_rows` does."""
    return (
        (not selection.split or s.split == selection.split)
        and (not selection.datasets or s.dataset in selection.datasets)
        and (not selection.manipulations or s.label == 0 or s.manipulation in selection.manipulations)
    )


def first_sentence(text: str) -> str:
    """Return the first sentence of an error."""
    return text.partition(". ")[0].rstrip(".")


def absent_share(name: str) -> Share:
    """Return the share of a data set of which nothing is there."""
    return Share(SOURCES[name].origin.title if name in SOURCES else name, 0, lost=("all of it",))


def incomplete(shares: Mapping[str, Share], data: Sequence[str]) -> str:
    """Describe the data sets among some that are incomplete; empty where all are complete."""
    return "; ".join(shares[d].text for d in dict.fromkeys(data) if d in shares and not shares[d].complete)
