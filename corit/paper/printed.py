"""The paper's own numbers as data, the official repositories' beside them, averages recomputed and slips noted."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from corit.errors import DataError

FOLDER = Path(__file__).parent
NOISE = 1.0  # points of AUC by which the paper's own tables differ between each other
AVERAGES = ("Avg", "mAP", "mAcc")


@dataclass(frozen=True)
class Printed:
    """One table as printed: values in percent by row and column (COR in Table VII), averages recomputed.

    keys: the columns that name a row. columns: the measured ones. average: the name of the printed average, or "".
    values: row -> column -> value; the average is left out. averages: row -> (printed, recomputed), None where it is
    not printed or a value is missing. said: what only the text gives. official: what repositories report, with source.
    """

    number: int
    keys: tuple[str, ...]
    columns: tuple[str, ...]
    average: str
    values: Mapping[str, Mapping[str, float]]
    averages: Mapping[str, tuple[float | None, float | None]]
    said: tuple[Said, ...]
    official: tuple[Said, ...]
    slips: tuple[str, ...]

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
    said, official = _said("said.csv", number, "where"), _said("official.csv", number, "source")
    slips = tuple(r["slip"] for r in _read(FOLDER / "slips.csv") if int(r["table"]) == number)
    return Printed(number, keys, columns, average, values, averages, said, official, slips)


KEYS = ("method", "venue", "RSI", "RRM", "HRI", "regions", "K", "pooling", "tau", "layer", "type")


def _name(row: Mapping[str, str], keys: tuple[str, ...]) -> str:
    """A row's name: its method, or its settings one after the other."""
    return row["method"] if "method" in row else " ".join(row[k] for k in keys)


def _averages(row: Mapping[str, str], columns: tuple[str, ...], average: str) -> tuple[float | None, float | None]:
    """The printed average, and the one of the printed values where all of them are printed."""
    values = [float(row[c]) for c in columns if row[c]]
    whole = sum(values) / len(values) if len(values) == len(columns) else None
    return (float(row[average]) if row[average] else None), whole


def _said(name: str, number: int, where: str) -> tuple[Said, ...]:
    rows = (r for r in _read(FOLDER / name) if int(r["table"]) == number)
    return tuple(Said(r["row"], r["column"], float(r["value"]), r[where]) for r in rows)


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
