"""A table of measurements beside the paper's and the official repositories': text, CSV and Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from rich.table import Table

from corit.bench.parts import MARK
from corit.metrics.bootstrap import Estimate
from corit.paper.printed import FRAME_AUC_TABLES, NOISE, PrintedTable
from corit.report.text import table_text
from corit.serialise import csv_text, markdown_table
from corit.theory.collapse import Radius, Spread

MAX_COLUMNS = 8  # a table with more is transposed
CENSORED = ("value_censored", "low_censored", "high_censored")


@dataclass(frozen=True)
class MeasuredRow:
    """One measured row.

    Attributes:
        label: its label.
        paper: the name of the paper's row beside it, "" for none.
        values: estimates by column, the average under its own name; radii are spreads over head seeds, maybe censored.
    """

    label: str
    paper: str
    values: Mapping[str, Estimate | Spread]


@dataclass(frozen=True)
class ComparisonTable:
    """Measured rows beside those of the paper and of official repositories.

    Attributes:
        title: the title.
        metric: the metric and its unit.
        columns: the columns.
        measured: the measured rows.
        printed: the paper's table.
        scale: from measured units to printed ones, 100 for percent.
        digits: decimals of measured values.
        stand_ins: by column, the data set that stands in for the paper's; such columns have a star.
        parts: by column, the data sets of which only a part was measured; our values there have a dagger.
    """

    title: str
    metric: str
    columns: tuple[str, ...]
    measured: tuple[MeasuredRow, ...]
    printed: PrintedTable
    scale: float = 100.0
    digits: int = 1
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> list[tuple[str, str, dict[str, str]]]:
        """(label, whose, column -> text): ours, the paper's and the repository's below each other, then all others."""
        rows = [cells for row in self.measured for cells in self._sides(row)]
        paired = {row.paper for row in self.measured}
        for name in dict.fromkeys([*self.printed.values, *(q.row for q in self.printed.quoted)]):
            if name not in paired:
                rows += self._theirs(name, name)
        for name in dict.fromkeys(q.row for q in self.printed.official):
            if name not in paired and name not in self.printed.values:
                rows += self._theirs(name, name)
        return rows

    def _sides(self, row: MeasuredRow) -> list[tuple[str, str, dict[str, str]]]:
        ours = {c: self._text(row.values[c]) + f" {MARK}" * (c in self.parts) for c in self.columns if c in row.values}
        return [(row.label, "ours", ours), *(self._theirs(row.label, row.paper) if row.paper else [])]

    def _theirs(self, label: str, name: str) -> list[tuple[str, str, dict[str, str]]]:
        sides = (("paper", self.printed.text), ("repository", self.printed.repository_text))
        return [(label, whose, cells) for whose, text in sides if (cells := self._cells(text, name))]

    def _cells(self, text: Callable[[str, str], str], name: str) -> dict[str, str]:
        return {c: digits for c in self.columns if (digits := text(name, c))}

    def _text(self, value: Estimate | Spread) -> str:
        if isinstance(value, Spread):
            return str(value)
        parts = (f"{self.scale * v:.{self.digits}f}" for v in (value.value, value.low, value.high))
        return "{} [{}, {}]".format(*parts)

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """Return the column names and the rows of texts; a wide table is transposed."""
        titles = [f"{c}*" if c in self.stand_ins else c for c in self.columns]
        head = ["", "whose", *titles]
        body = [[label, whose, *(cells.get(c, "") for c in self.columns)] for label, whose, cells in self.rows]
        if not self.wide:
            return head, body
        body = [r for r in body if r[1] != "paper" or r[0] in {m.label for m in self.measured}]
        labels = [f"{r[0]}, {r[1]}" for r in body]
        return ["", *labels], [[t, *(r[i + 2] for r in body)] for i, t in enumerate(titles)]

    @property
    def wide(self) -> bool:
        """Whether it has too many columns for a page; then it is transposed, without the paper's other rows."""
        return len(self.columns) > MAX_COLUMNS

    def text(self) -> str:
        """Return the table for a terminal, under its title and metric."""
        head, body = self.cells()
        table = Table(box=None, pad_edge=False)
        for name in head:
            table.add_column(name, overflow="fold")
        for row in body:
            table.add_row(*row)
        return f"{self.title}: {self.metric}\n\n{table_text(table)}"

    def markdown(self) -> str:
        """Return the table in Markdown."""
        return markdown_table(*self.cells())

    def csv(self) -> str:
        """Return the table as CSV, a line for each number: row, whose, column, value, interval, stand-in.

        Values are in the paper's unit. With radii, three more columns hold the censoring of value, low and high, such
        as "> 5"; a censored number is empty.
        """
        head = ("row", "whose", "column", "value", "low", "high", "measured_on")
        return csv_text([(*head, *(CENSORED if self._radii else ())), *self._numbers()])

    @property
    def _radii(self) -> bool:
        return any(isinstance(v, Spread) for m in self.measured for v in m.values.values())

    def _numbers(self) -> Iterator[list[str]]:
        measured = {(m.label, c): v for m in self.measured for c, v in m.values.items()}
        for label, whose, cells in self.rows:
            for column, text in cells.items():
                value = measured[label, column] if whose == "ours" else None
                on = self._measured_on(column) if whose == "ours" else ""
                numbers, censored = [text, "", ""], ["", "", ""]
                if isinstance(value, Estimate):
                    numbers = [f"{self.scale * v:.4f}" for v in (value.value, value.low, value.high)]
                elif value is not None:
                    radii = (value.median, value.low, value.high)
                    numbers, censored = [_number(r) for r in radii], [str(r) if r.censoring else "" for r in radii]
                yield [label, whose, column, *numbers, on, *(censored if self._radii else [])]

    def _measured_on(self, column: str) -> str:
        part = self.parts.get(column, "")
        return self.stand_ins.get(column, "") or (f"a part of the data: {part}" if part else "")

    @property
    def legend(self) -> str:
        """A sentence on our values and intervals, "" for radii, whose notes have it."""
        if self._radii:
            return ""
        return (
            "Ours: medians over head seeds, with 95 % intervals by bootstrap over videos. The paper's averages are "
            "recomputed from its own values."
        )

    def notes(self) -> list[str]:
        """Return notes on the paper's numbers: rows of the CSV alone, quoted numbers, errata, differing averages."""
        explained = {e.average_of for e in self.printed.errata}
        others = [f"{row} {a} ({b})" for row, (a, b) in self.printed.differing.items() if row not in explained]
        notes = [self._csv_note(), self.printed.quoted_note, *(e.text for e in self.printed.errata)]
        if others:
            notes.append(
                f"Printed averages that are not those of the printed values (in brackets): {', '.join(others)}."
            )
        if self.printed.number in FRAME_AUC_TABLES:
            notes.append(f"What the paper prints in two of its tables of frame AUC differs by up to {NOISE:g} points.")
        return [n for n in notes if n]

    def _csv_note(self) -> str:
        """The paper's rows that a wide table has in its CSV alone."""
        labels = {m.label for m in self.measured}
        names = [label for label, whose, _ in self.rows if whose == "paper" and label not in labels]
        return f"In the CSV alone: the paper's rows of {', '.join(names)}." if self.wide and names else ""


def _number(radius: Radius) -> str:
    return "" if radius.censoring else f"{radius.value:.6g}"
