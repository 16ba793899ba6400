"""A table of measurements beside the paper's and the official repositories': text, CSV and Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from rich.table import Table

from corit.metrics.bootstrap import Estimate
from corit.paper.printed import FRAME_AUC, NOISE, Printed
from corit.report.text import table_text as as_text
from corit.serialise import csv_text
from corit.theory.collapse import Radius, Spread

WIDE = 8  # more columns than this are written as rows
CENSORED = ("value_censored", "low_censored", "high_censored")


@dataclass(frozen=True)
class Line:
    """One row: its label, the name of the paper's row beside it (empty for none), and what was measured here.

    values: by column, the average among them under its own name; radii are spreads over head seeds, maybe censored.
    """

    label: str
    paper: str
    values: Mapping[str, Estimate | Spread]


@dataclass(frozen=True)
class Grid:
    """A whole table. scale: from measured units to printed ones, 100 for percent; digits: of ours, after the point.

    shown: by column, what our values were measured on in place of the paper's data set; such columns have a star.
    """

    title: str
    metric: str
    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    printed: Printed
    scale: float = 100.0
    digits: int = 1
    shown: Mapping[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> list[tuple[str, str, dict[str, str]]]:
        """(label, whose, column -> text): ours, the paper's and the repository's below each other, then all others."""
        found = [row for line in self.lines for row in self._sides(line)]
        named = {line.paper for line in self.lines}
        for name in dict.fromkeys([*self.printed.values, *(s.row for s in self.printed.said)]):
            if name not in named:
                found += self._theirs(name, name)
        for name in dict.fromkeys(s.row for s in self.printed.official):
            if name not in named and name not in self.printed.values:
                found += self._theirs(name, name)
        return found

    def _sides(self, line: Line) -> list[tuple[str, str, dict[str, str]]]:
        ours = {c: self._text(line.values[c]) for c in self.columns if c in line.values}
        return [(line.label, "ours", ours), *(self._theirs(line.label, line.paper) if line.paper else [])]

    def _theirs(self, label: str, name: str) -> list[tuple[str, str, dict[str, str]]]:
        sides = (("paper", self.printed.text), ("repository", self.printed.repository_text))
        return [(label, whose, cells) for whose, text in sides if (cells := self._cells(text, name))]

    def _cells(self, text: Callable[[str, str], str], name: str) -> dict[str, str]:
        return {c: said for c in self.columns if (said := text(name, c))}

    def _text(self, value: Estimate | Spread) -> str:
        if isinstance(value, Spread):
            return str(value)
        parts = (f"{self.scale * v:.{self.digits}f}" for v in (value.value, value.low, value.high))
        return "{} [{}, {}]".format(*parts)

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """Head and rows of texts; a wide table lies on its side."""
        titles = [f"{c}*" if c in self.shown else c for c in self.columns]
        head = ["", "whose", *titles]
        body = [[label, whose, *(cells.get(c, "") for c in self.columns)] for label, whose, cells in self.rows]
        if not self.wide:
            return head, body
        body = [r for r in body if r[1] != "paper" or r[0] in {line.label for line in self.lines}]
        labels = [f"{r[0]}, {r[1]}" for r in body]
        return ["", *labels], [[t, *(r[i + 2] for r in body)] for i, t in enumerate(titles)]

    @property
    def wide(self) -> bool:
        """Whether there are too many columns for a page: it lies on its side then, without the paper's other rows."""
        return len(self.columns) > WIDE

    def text(self) -> str:
        """The table for a terminal, under its title and metric."""
        head, body = self.cells()
        table = Table(box=None, pad_edge=False)
        for name in head:
            table.add_column(name, overflow="fold")
        for row in body:
            table.add_row(*row)
        return f"{self.title}: {self.metric}\n\n{as_text(table)}"

    def markdown(self) -> str:
        """The table in Markdown."""
        head, body = self.cells()
        rows = [head, ["---"] * len(head), *body]
        return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"

    def csv(self) -> str:
        """One line a number: row, whose it is, column, value, interval, stand-in; values in the paper's unit.

        Where there are radii, three more columns say of value, low and high how each is censored, as "> 5"; the number
        is left empty then.
        """
        head = ("row", "whose", "column", "value", "low", "high", "measured_on")
        return csv_text([(*head, *(CENSORED if self._radii else ())), *self._numbers()])

    @property
    def _radii(self) -> bool:
        return any(isinstance(v, Spread) for line in self.lines for v in line.values.values())

    def _numbers(self) -> Iterator[list[str]]:
        measured = {(line.label, c): v for line in self.lines for c, v in line.values.items()}
        for label, whose, cells in self.rows:
            for column, text in cells.items():
                value = measured[label, column] if whose == "ours" else None
                on = self.shown.get(column, "") if whose == "ours" else ""
                numbers, censored = [text, "", ""], ["", "", ""]
                if isinstance(value, Estimate):
                    numbers = [f"{self.scale * v:.4f}" for v in (value.value, value.low, value.high)]
                elif value is not None:
                    radii = (value.median, value.low, value.high)
                    numbers, censored = [_number(r) for r in radii], [str(r) if r.censoring else "" for r in radii]
                yield [label, whose, column, *numbers, on, *(censored if self._radii else [])]

    @property
    def reading(self) -> str:
        """How our values and intervals are to be read, in one sentence; empty for radii, whose notes say it."""
        if self._radii:
            return ""
        return (
            "Ours: medians over head seeds, with 95 % intervals by bootstrap over videos. The paper's averages are "
            "recomputed from its own values."
        )

    def slips(self) -> list[str]:
        """What is to be said of the paper's numbers: what lies in the CSV alone, what stands in the text, its slips."""
        told = {s.average_of for s in self.printed.slips}
        others = [f"{row} {a} ({b})" for row, (a, b) in self.printed.differing.items() if row not in told]
        found = [self._unseen(), self.printed.told, *(s.text for s in self.printed.slips)]
        if others:
            found.append(
                f"Printed averages that are not those of the printed values (in brackets): {', '.join(others)}."
            )
        if self.printed.number in FRAME_AUC:
            found.append(f"What the paper prints in two of its tables of frame AUC differs by up to {NOISE:g} points.")
        return [n for n in found if n]

    def _unseen(self) -> str:
        """The rows of others that a wide table leaves to its CSV, in one sentence."""
        named = {line.label for line in self.lines}
        names = [label for label, whose, _ in self.rows if whose == "paper" and label not in named]
        return f"In the CSV alone: the paper's rows of {', '.join(names)}." if self.wide and names else ""


def _number(radius: Radius) -> str:
    return "" if radius.censoring else f"{radius.value:.6g}"
