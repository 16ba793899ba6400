"""A table of measurements beside the paper's and the official repositories': text, CSV and Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from rich.table import Table

from corit.evaluate.metrics import Estimate
from corit.paper.printed import NOISE, Printed
from corit.report.text import csv_text
from corit.report.text import printed as as_text

WIDE = 8  # more columns than this are written as rows


@dataclass(frozen=True)
class Line:
    """One row: its label, the name of the paper's row beside it (empty for none), and what was measured here.

    values: by column, the average among them under its own name; a text stands as it is (a censored radius).
    """

    label: str
    paper: str
    values: Mapping[str, Estimate | str]


@dataclass(frozen=True)
class Grid:
    """A whole table. scale: from measured units to printed ones, 100 for percent; digits: after the point.

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
        sides = (("paper", self.printed.value), ("repository", self.printed.repository))
        return [(label, whose, cells) for whose, value in sides if (cells := self._cells(value, name))]

    def _cells(self, value: object, name: str) -> dict[str, str]:
        found = {c: value(name, c) for c in self.columns}  # type: ignore[operator]
        return {c: f"{v:.{max(self.digits, 1)}f}" for c, v in found.items() if v is not None}

    def _text(self, value: Estimate | str) -> str:
        if isinstance(value, str):
            return value
        parts = (f"{self.scale * v:.{self.digits}f}" for v in (value.value, value.low, value.high))
        return "{} [{}, {}]".format(*parts)

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """Head and rows of texts; a wide table lies on its side."""
        titles = [f"{c}*" if c in self.shown else c for c in self.columns]
        head = ["", "whose", *titles]
        body = [[label, whose, *(cells.get(c, "") for c in self.columns)] for label, whose, cells in self.rows]
        if len(self.columns) <= WIDE:
            return head, body
        body = [r for r in body if r[1] != "paper" or r[0] in {line.label for line in self.lines}]
        labels = [f"{r[0]}, {r[1]}" for r in body]
        return ["", *labels], [[t, *(r[i + 2] for r in body)] for i, t in enumerate(titles)]

    def text(self) -> str:
        """The table for a terminal."""
        head, body = self.cells()
        table = Table(box=None, pad_edge=False)
        for name in head:
            table.add_column(name, overflow="fold")
        for row in body:
            table.add_row(*row)
        return as_text(table)

    def markdown(self) -> str:
        """The table in Markdown."""
        head, body = self.cells()
        rows = [head, ["---"] * len(head), *body]
        return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"

    def csv(self) -> str:
        """One line a number: row, whose it is, column, value, interval, stand-in; values in the paper's unit."""
        return csv_text([("row", "whose", "column", "value", "low", "high", "measured_on"), *self._numbers()])

    def _numbers(self) -> Iterator[list[str]]:
        measured = {(line.label, c): v for line in self.lines for c, v in line.values.items()}
        for label, whose, cells in self.rows:
            for column, text in cells.items():
                value = measured.get((label, column)) if whose == "ours" else None
                on = self.shown.get(column, "") if whose == "ours" else ""
                numbers = [text, "", ""]
                if isinstance(value, Estimate):
                    numbers = [f"{self.scale * v:.4f}" for v in (value.value, value.low, value.high)]
                yield [label, whose, column, *numbers, on]

    def slips(self) -> list[str]:
        """The paper's slips in this table: averages that are not those of its values, and what is known otherwise."""
        found = list(self.printed.slips)
        for name, (told, whole) in self.printed.averages.items():
            if told is not None and whole is not None and abs(told - whole) > 0.06 and not found:
                found.append(f"{name}'s printed average is {told:g}; its values average {whole:.2f}.")
        noise = f"The paper's own tables differ from each other by up to {NOISE:g} point or so."
        return [*found, noise] if self.printed.values else found
