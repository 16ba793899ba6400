"""The claims as a table, for the terminal and in Markdown."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

from corit import serialise

HEAD = ("claim", "verdict", "deciding effect", "value", "95 % interval")


def text_table(record: dict[str, Any]) -> str:
    """Return the claims of a world's record as a table for the terminal: verdict, deciding effect, interval."""
    rows = Table(box=None, pad_edge=False)
    for name in HEAD:
        rows.add_column(name, overflow="fold")
    for row in _rows(record):
        rows.add_row(*row)
    target = io.StringIO()
    Console(file=target, width=140).print(rows)
    return "\n".join(line.rstrip() for line in target.getvalue().splitlines())


def markdown_table(record: dict[str, Any]) -> str:
    """Return the claims as a Markdown table, a row for each deciding effect with its value in each seed or split."""
    rows, by = [], "split" if record.get("by") == "split" else "encoder"
    for claim in record["claims"]:
        deciding = {k: e for k, e in claim["effects"].items() if "verdict" in e}
        for i, (name, e) in enumerate(deciding.items()):
            first = [claim["name"], f"**{claim['verdict']}**"] if i == 0 else ["", ""]
            seeds = ", ".join(_number(v) for v in e[f"by_{by}"])
            rows.append([*first, name, _number(e["value"]), _interval(e), seeds])
    return serialise.markdown_table([*HEAD, "by split" if by == "split" else "by encoder seed"], rows)


def _rows(record: dict[str, Any]) -> Iterator[list[str]]:
    """The cells of each claim."""
    for claim in record["claims"]:
        deciding = next(k for k, e in claim["effects"].items() if "verdict" in e)
        yield [claim["name"], claim["verdict"], deciding, _number(claim["value"]), _interval(claim)]


def _interval(row: dict[str, Any]) -> str:
    low, high = (_number(v) for v in row["interval"])
    return f"{low} to {high}"


def _number(value: float | None) -> str:
    """Three significant digits, or a dash for None."""
    return "-" if value is None else f"{value:.3g}"
