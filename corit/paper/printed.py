"""The paper's own numbers as data, with those of official repositories, recomputed averages and errata."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import numpy as np

from corit.errors import DataError

FOLDER = Path(__file__).parent
FRAME_AUC_TABLES = (1, 3, 8, 9, 11, 12, 13)  # of one metric on shared data sets, so that cells can be compared
NOISE = 1.4  # largest difference of equal cells of those, in points: CoRIT's facedancer in Tables III and VIII
AVERAGES = ("Avg", "mAP", "mAcc")


@dataclass(frozen=True)
class QuotedValue:
    """A number from outside the paper's tables.

    Attributes:
        row: the table row that it belongs to.
        column: the column.
        value: the number, in percent.
        where: where it comes from.
    """

    row: str
    column: str
    value: float
    where: str


@dataclass(frozen=True)
class Erratum:
    """An error of the paper.

    Attributes:
        text: the error in one sentence.
        average_of: the row whose average it is about, or "".
    """

    text: str
    average_of: str = ""


@dataclass(frozen=True)
class PrintedTable:
    """A table as the paper prints it: percent by row and column (COR in Table VII), averages recomputed.

    Attributes:
        number: the table's number.
        keys: the columns that name a row.
        columns: the measured columns.
        average: the name of the printed average, or "".
        values: row -> column -> value, without the average.
        averages: row -> (printed, recomputed), None where it is not printed or a value is missing.
        texts: row -> column -> the digits to print: the paper's own, and a recomputed average to two decimals.
        quoted: numbers of the paper's text.
        official: numbers that repositories report.
        errata: errors of the paper.
    """

    number: int
    keys: tuple[str, ...]
    columns: tuple[str, ...]
    average: str
    values: Mapping[str, Mapping[str, float]]
    averages: Mapping[str, tuple[float | None, float | None]]
    texts: Mapping[str, Mapping[str, str]]
    quoted: tuple[QuotedValue, ...]
    official: tuple[QuotedValue, ...]
    errata: tuple[Erratum, ...]

    def value(self, row: str, column: str) -> float | None:
        """Return the printed value, or None.

        For the average, it is the recomputed one where all values are printed.
        """
        if column == self.average and row in self.averages:
            printed, recomputed = self.averages[row]
            if recomputed is not None or printed is not None:
                return recomputed if recomputed is not None else printed
        value = self.values.get(row, {}).get(column)
        quoted = [q.value for q in self.quoted if (q.row, q.column) == (row, column)]
        return quoted[0] if value is None and quoted else value

    def repository(self, row: str, column: str) -> float | None:
        """Return the number that the method's repository or its users report, or None."""
        reported = [q.value for q in self.official if (q.row, q.column) == (row, column)]
        return reported[0] if reported else None

    def text(self, row: str, column: str) -> str:
        """Return `value` in its printed digits, "" for None."""
        quoted = [exact(q.value) for q in self.quoted if (q.row, q.column) == (row, column)]
        return self.texts.get(row, {}).get(column) or (quoted[0] if quoted else "")

    def repository_text(self, row: str, column: str) -> str:
        """Return `repository` in its own digits, "" for None."""
        value = self.repository(row, column)
        return "" if value is None else exact(value)

    @property
    def differing(self) -> dict[str, tuple[str, str]]:
        """Rows whose printed average differs from that of their values by more than rounding: (printed, recomputed)."""
        rows = {}
        for row, (printed, recomputed) in self.averages.items():
            if printed is not None and recomputed is not None and abs(printed - recomputed) > self._half(row) + 1e-9:
                rows[row] = (exact(printed), self.texts[row][self.average])
        return rows

    def _half(self, row: str) -> float:
        """Half of the last digit of a row's values, which its average is printed with too."""
        texts = (self.texts[row][c] for c in self.columns)
        return 0.5 * 10.0 ** -max(len(t.partition(".")[2]) for t in texts)

    @property
    def quoted_note(self) -> str:
        """A sentence on where the quoted numbers stand in the paper, "" without any."""
        columns: dict[tuple[str, str], list[str]] = {}
        for q in self.quoted:
            columns.setdefault((q.row, q.where), []).append(f"{q.column} {exact(q.value)}")
        each = [f"{row}, {' and '.join(values)} ({where})" for (row, where), values in columns.items()]
        return f"Where the paper says so. {'; '.join(each)}." if each else ""

    @property
    def official_note(self) -> str:
        """A sentence on where the repositories' numbers come from, "" without any."""
        sources = dict.fromkeys(f"{q.row}: {q.where}" for q in self.official)
        return f"Repositories. {'; '.join(sources)}." if sources else ""


def exact(value: float) -> str:
    """Return a number in its fewest digits, with a decimal point: 100.0, 97.35."""
    return np.format_float_positional(value, trim="0")


def printed(number: int) -> PrintedTable:
    """Return the paper's table of a number, 1 to 13.

    Tables VI and X have no legible numbers: their rows are empty, and `quoted` holds the claims of the text.

    Raises:
        DataError: for another number.
    """
    if not 1 <= number <= 13:
        raise DataError(f"the paper has Tables 1 to 13, got {number}")
    files = sorted(FOLDER.glob(f"table{number:02d}_*.csv"))
    rows = _read(files[0]) if files else []
    fields = list(rows[0]) if rows else []
    keys = tuple(f for f in fields if f in KEYS)
    average = next((f for f in fields if f in AVERAGES), "")
    columns = tuple(f for f in fields if f not in KEYS and f != average)
    values = {_name(r, keys): {c: float(r[c]) for c in columns if r[c]} for r in rows}
    averages = {_name(r, keys): _averages(r, columns, average) for r in rows} if average else {}
    texts = {_name(r, keys): _texts(r, columns, average) for r in rows}
    quoted, official = _quoted("quoted.csv", number, "where"), _quoted("repositories.csv", number, "source")
    errata = (r for r in _read(FOLDER / "errata.csv") if int(r["table"]) == number)
    errors = tuple(Erratum(r["erratum"], r["average_of"]) for r in errata)
    return PrintedTable(number, keys, columns, average, values, averages, texts, quoted, official, errors)


KEYS = ("method", "venue", "RSI", "RRM", "HRI", "regions", "K", "pooling", "tau", "layer", "type")


def _name(row: Mapping[str, str], keys: tuple[str, ...]) -> str:
    """A row's name: its method, or its settings one after the other."""
    return row["method"] if "method" in row else " ".join(row[k] for k in keys)


def _averages(row: Mapping[str, str], columns: tuple[str, ...], average: str) -> tuple[float | None, float | None]:
    """The printed average, and the one of the printed values where all of them are printed."""
    whole = _recomputed(row, columns)
    return (float(row[average]) if row[average] else None), None if whole is None else float(whole)


def _recomputed(row: Mapping[str, str], columns: tuple[str, ...]) -> Decimal | None:
    """The average of the printed digits; None where one is missing."""
    values = [Decimal(row[c]) for c in columns if row[c]]
    return sum(values, Decimal()) / len(values) if values and len(values) == len(columns) else None


def _texts(row: Mapping[str, str], columns: tuple[str, ...], average: str) -> dict[str, str]:
    """The row's digits by column; the average is recomputed where no value is missing."""
    texts = {c: row[c] for c in columns if row[c]}
    whole = _recomputed(row, columns) if average else None
    printed = row.get(average, "") if whole is None else str(whole.quantize(Decimal("0.01"), ROUND_HALF_UP))
    return {**texts, average: printed} if printed else texts


def _quoted(name: str, number: int, where: str) -> tuple[QuotedValue, ...]:
    rows = (r for r in _read(FOLDER / name) if int(r["table"]) == number)
    return tuple(QuotedValue(r["row"], r["column"], float(r["value"]), r[where]) for r in rows)


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
