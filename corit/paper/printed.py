"""The paper's own numbers as data, the official repositories' beside them, averages recomputed and slips noted."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import numpy as np

from corit.errors import DataError

FOLDER = Path(__file__).parent
FRAME_AUC = (1, 3, 8, 9, 11, 12, 13)  # tables of one metric on shared data sets: what stands in two of them compares
NOISE = 1.4  # points by which what stands in two of those differs at most: CoRIT's facedancer in Tables III and VIII
AVERAGES = ("Avg", "mAP", "mAcc")


@dataclass(frozen=True)
class Printed:
    """One table as printed: values in percent by row and column (COR in Table VII), averages recomputed.

    keys: the columns that name a row. columns: the measured ones. average: the name of the printed average, or "".
    values: row -> column -> value; the average is left out. averages: row -> (printed, recomputed), None where it is
    not printed or a value is missing. texts: row -> column -> the digits to print: the paper's own, and those of an
    average recomputed to two decimals. said: what only the text gives. official: what repositories report, with source.
    """

    number: int
    keys: tuple[str, ...]
    columns: tuple[str, ...]
    average: str
    values: Mapping[str, Mapping[str, float]]
    averages: Mapping[str, tuple[float | None, float | None]]
    texts: Mapping[str, Mapping[str, str]]
    said: tuple[Said, ...]
    official: tuple[Said, ...]
    slips: tuple[Slip, ...]

    def value(self, row: str, column: str) -> float | None:
        """The printed value, or for the average the recomputed one where all values are printed; None where none is."""
        if column == self.average and row in self.averages:
            printed, recomputed = self.averages[row]
            if recomputed is not None or printed is not None:
                return recomputed if recomputed is not None else printed
        found = self.values.get(row, {}).get(column)
        told = [s.value for s in self.said if (s.row, s.column) == (row, column)]
        return told[0] if found is None and told else found

    def repository(self, row: str, column: str) -> float | None:
        """What the row's own repository, or somebody who ran it, reports."""
        told = [s.value for s in self.official if (s.row, s.column) == (row, column)]
        return told[0] if told else None

    def text(self, row: str, column: str) -> str:
        """`value` in the digits in which it is printed; empty where there is none."""
        told = [exact(s.value) for s in self.said if (s.row, s.column) == (row, column)]
        return self.texts.get(row, {}).get(column) or (told[0] if told else "")

    def repository_text(self, row: str, column: str) -> str:
        """`repository` in its own digits; empty where there is none."""
        value = self.repository(row, column)
        return "" if value is None else exact(value)

    @property
    def differing(self) -> dict[str, tuple[str, str]]:
        """Rows whose printed average is not that of their values, rounded as printed: row -> (printed, recomputed)."""
        found = {}
        for row, (told, whole) in self.averages.items():
            if told is not None and whole is not None and abs(told - whole) > self._half(row) + 1e-9:
                found[row] = (exact(told), self.texts[row][self.average])
        return found

    def _half(self, row: str) -> float:
        """Half of the last digit of a row's values, which its average is printed with too."""
        texts = (self.texts[row][c] for c in self.columns)
        return 0.5 * 10.0 ** -max(len(t.partition(".")[2]) for t in texts)

    @property
    def told(self) -> str:
        """Where the numbers come from that stand in the paper, but not in its table's legible cells; or nothing."""
        columns: dict[tuple[str, str], list[str]] = {}
        for s in self.said:
            columns.setdefault((s.row, s.where), []).append(f"{s.column} {exact(s.value)}")
        each = [f"{row}, {' and '.join(values)} ({where})" for (row, where), values in columns.items()]
        return f"Where the paper says so. {'; '.join(each)}." if each else ""

    @property
    def sources(self) -> str:
        """Where the repositories' numbers come from, in one sentence; empty where there are none."""
        said = dict.fromkeys(f"{s.row}: {s.where}" for s in self.official)
        return f"Repositories. {'; '.join(said)}." if said else ""


@dataclass(frozen=True)
class Said:
    """A number that stands outside the paper's tables: its row, column, value and where it comes from."""

    row: str
    column: str
    value: float
    where: str


@dataclass(frozen=True)
class Slip:
    """A slip of the paper in one sentence, and the row whose average it is about, or ""."""

    text: str
    average_of: str = ""


def exact(value: float) -> str:
    """A number in the fewest digits that name it, with a decimal point: 100.0, 97.35."""
    return np.format_float_positional(value, trim="0")


def printed(number: int) -> Printed:
    """The paper's Table `number`, 1 to 13. Raises DataError for another number.

    Tables VI and X have no legible numbers: their rows are empty and `said` holds what the text claims.
    """
    if not 1 <= number <= 13:
        raise DataError(f"the paper has Tables 1 to 13, got {number}")
    found = sorted(FOLDER.glob(f"table{number:02d}_*.csv"))
    rows = _read(found[0]) if found else []
    fields = list(rows[0]) if rows else []
    keys = tuple(f for f in fields if f in KEYS)
    average = next((f for f in fields if f in AVERAGES), "")
    columns = tuple(f for f in fields if f not in KEYS and f != average)
    values = {_name(r, keys): {c: float(r[c]) for c in columns if r[c]} for r in rows}
    averages = {_name(r, keys): _averages(r, columns, average) for r in rows} if average else {}
    texts = {_name(r, keys): _texts(r, columns, average) for r in rows}
    said, official = _said("said.csv", number, "where"), _said("official.csv", number, "source")
    slips = tuple(Slip(r["slip"], r["average_of"]) for r in _read(FOLDER / "slips.csv") if int(r["table"]) == number)
    return Printed(number, keys, columns, average, values, averages, texts, said, official, slips)


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
    """The row's digits by column; the average's are recomputed where that can be done."""
    found = {c: row[c] for c in columns if row[c]}
    whole = _recomputed(row, columns) if average else None
    told = row.get(average, "") if whole is None else str(whole.quantize(Decimal("0.01"), ROUND_HALF_UP))
    return {**found, average: told} if told else found


def _said(name: str, number: int, where: str) -> tuple[Said, ...]:
    rows = (r for r in _read(FOLDER / name) if int(r["table"]) == number)
    return tuple(Said(r["row"], r["column"], float(r["value"]), r[where]) for r in rows)


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
