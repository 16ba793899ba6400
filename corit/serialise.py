"""Text of JSON and CSV files, in which numbers that are not finite become null or an empty cell, and of tables."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np


def json_text(value: Any, *, indent: int = 2) -> str:
    """Write a record as JSON, with a line end.

    Args:
        value: dicts, lists, tuples, texts, numbers and numpy scalars. NaN and infinity become null.
        indent: spaces for each level.

    Returns:
        The text of the file.
    """
    return json.dumps(_without_infinities(value), indent=indent, allow_nan=False) + "\n"


def _without_infinities(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_infinities(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_without_infinities(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def finite(value: Any, digits: int | None = None) -> Any:
    """Make numbers fit for JSON.

    Args:
        value: a number, or an array of any shape.
        digits: significant digits to round to; None keeps all.

    Returns:
        A float, or None for NaN and infinity; nested lists of these for an array.
    """
    if np.ndim(value):
        return [finite(v, digits) for v in value]
    number = float(value)
    if not math.isfinite(number):
        return None
    return number if digits is None else float(f"{number:.{digits}g}")


def number_text(value: float, form: str = ".6f") -> str:
    """Format a number for a CSV cell; NaN and infinity give an empty cell."""
    return format(value, form) if math.isfinite(value) else ""


def csv_text(rows: Iterable[Iterable[object]], *, line_end: str = "\n") -> str:
    r"""Write rows as CSV.

    Args:
        rows: cells of each row; None gives an empty cell. Cells with a comma, a quote, "\r" or "\n" are quoted.
        line_end: what ends each row.

    Returns:
        The text of the file.
    """
    lines = _Lines(line_end)
    csv.writer(lines).writerows(rows)
    return lines.getvalue()


class _Lines(io.StringIO):
    r"""Replaces the ends of rows: the writer quotes "\r" and "\n" only where it ends rows with both."""

    def __init__(self, line_end: str) -> None:
        super().__init__(newline="")
        self._end = line_end

    def write(self, line: str) -> int:
        return super().write(line.removesuffix("\r\n") + self._end)


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table in Markdown, with a line end.

    Args:
        head: names of the columns.
        rows: cells, as many in each row as there are columns.
    """
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in lines)
