"""Part (d), the questions of the study, answered in words by rules that were written before the numbers.

A difference of two AUC is told from none where its 95 % interval by groups excludes zero and DeLong's test with groups
has p < 0.05. No correction is made for the number of comparisons: of twenty that differ in nothing, one looks as if.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from corit.studies.real.transfer import FULL, LEVEL, MIDDLE, UNIFD

ALPHA = 0.05
EQUAL = 0.02  # AUC within which two models do the same
CONVERGED = "converged standardised"

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Cell:
    """One training tested on one set.

    Attributes:
        trained: what was trained on.
        tested: the test set.
        heads: the numbers by head; see `corit.studies.real.transfer`.
    """

    trained: str
    tested: str
    heads: Record

    @property
    def inside(self) -> bool:
        """Whether the kind of forgery that is tested was trained on."""
        return self.tested in self.trained.split(" + ")

    @property
    def name(self) -> str:
        """The cell in words."""
        return self.tested if self.trained == self.tested else f"{self.trained} to {self.tested}"

    def difference(self, head: str, first: str, second: str) -> Record:
        """Return value, interval and p of a difference."""
        entry: Record = self.heads[head]["differences"][f"{first} less {second}"]
        return entry


@dataclass(frozen=True)
class Verdict:
    """A question with the answer that its rule gives.

    Attributes:
        question: in words.
        rule: in words.
        answer: in words.
        cells: by cell, what the rule says of it.
    """

    question: str
    rule: str
    answer: str
    cells: Mapping[str, str]


def cells_of(transfer: Mapping[str, Record]) -> list[Cell]:
    """List every training and test."""
    return [Cell(t, name, test["heads"]) for t, record in transfer.items() for name, test in record["tests"].items()]


def outcome(difference: Record) -> str:
    """Return "wins", "loses" or "cannot be told" for a difference (value, low, high) with its p-value."""
    _, low, high = difference["value"]
    if low is None or high is None or difference["p"] is None or difference["p"] >= ALPHA:
        return "cannot be told"
    return "wins" if low > 0 else "loses" if high < 0 else "cannot be told"


def sameness(difference: Record) -> str:
    """Return what CoRIT adds to a middle layer: "adds", "same", "worse" or "cannot be told"."""
    told = outcome(difference)
    if told != "cannot be told":
        return {"wins": "adds", "loses": "worse"}[told]
    _, low, high = difference["value"]
    return "same" if low is not None and high is not None and low >= -EQUAL and high <= EQUAL else "cannot be told"


def survival(raw: Record, centred: Record) -> str:
    """Return whether a gain on raw features is there on centred ones too."""
    if outcome(raw) != "wins":
        return "no gain on raw features" if outcome(centred) != "wins" else "only on centred features"
    if outcome(centred) == "wins":
        return "survives"
    return "vanishes" if centred["value"][0] < raw["value"][0] / 2 else "cannot be told"


def verdicts(transfer: Mapping[str, Record], rho: float) -> list[dict[str, Any]]:
    """Answer every question.

    Args:
        transfer: the records of `corit.studies.real.transfer`, by training.
        rho: the radius of the SAM head.
    """
    cells = cells_of(transfer)
    answers = [*_where(cells), *_centring(cells, rho), *_middle(cells)]
    return [asdict(a) for a in answers]


def _where(cells: Sequence[Cell]) -> Iterator[Verdict]:
    rule = (
        "CoRIT less UniFD (class token of the last layer), converged head on standardised features: CoRIT wins or "
        f"loses where the 95 % interval by groups excludes zero and DeLong's p < {ALPHA:g}."
    )
    for inside, question in ((True, "on the kinds of forgery that it was trained on"), (False, "on kinds left out")):
        chosen = [c for c in cells if c.inside == inside]
        told = {c.name: outcome(c.difference(CONVERGED, FULL, UNIFD)) for c in chosen}
        yield Verdict(f"Where does CoRIT win and lose {question}?", rule, _spoken(told, _WINS), told)


def _centring(cells: Sequence[Cell], rho: float) -> Iterator[Verdict]:
    rule = (
        f"CoRIT less UniFD, SAM head of radius {rho:g}, each set trained and tested alone. A gain on raw features "
        "survives where CoRIT also wins on centred ones, and vanishes where it does not and is less than half as large."
    )
    chosen = [c for c in cells if c.trained == c.tested]
    told = {}
    for c in chosen:
        raw, centred = (c.difference(f"sam {s} {rho:g}", FULL, UNIFD) for s in ("raw", "centred"))
        told[c.name] = survival(raw, centred)
    yield Verdict("Does CoRIT's gain survive centring?", rule, _spoken(told, _SURVIVAL), told)


def _middle(cells: Sequence[Cell]) -> Iterator[Verdict]:
    rule = (
        "CoRIT less the plain ViT's layer and tokens that are best out of fold on train and validation rows, converged "
        f"head on standardised features: same where the whole interval is within {EQUAL:g} of zero."
    )
    for first, subject in ((FULL, "CoRIT's two levels"), (LEVEL, "CoRIT's best single level")):
        for inside, place in ((True, "in-domain"), (False, "on kinds left out")):
            told = {c.name: sameness(c.difference(CONVERGED, first, MIDDLE)) for c in cells if c.inside == inside}
            question = f"Does one middle layer do the same as {subject}, {place}?"
            yield Verdict(question, rule, _spoken(told, _MIDDLE), told)


_WINS = {"wins": "CoRIT wins", "loses": "UniFD wins", "cannot be told": "the two cannot be told apart"}
_SURVIVAL = {
    "survives": "the gain survives",
    "vanishes": "the gain vanishes",
    "only on centred features": "there is a gain on centred features only",
    "no gain on raw features": "there is no gain that can be told from none",
    "cannot be told": "it cannot be told",
}
_MIDDLE = {
    "adds": "CoRIT adds to it",
    "worse": "the middle layer is better",
    "same": "they do the same",
    "cannot be told": "they cannot be told apart",
}


def _spoken(told: Mapping[str, str], words: Mapping[str, str]) -> str:
    """Sentences that say in how many cells each outcome stands, and in which."""
    if not told:
        return "Not measured."
    parts: list[str] = []
    for key, text in words.items():
        names = [n for n, o in told.items() if o == key]
        if names:
            parts.append(f"{text} in {len(names)} of {len(told)} ({', '.join(names)})")
    joined = "; ".join(parts)
    return f"{joined[0].upper()}{joined[1:]}."
