"""The claims as a table, for the terminal and in Markdown."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

HEAD = ("claim", "verdict", "deciding effect", "value", "95 % interval")


def table(found: dict[str, Any]) -> str:
    """A line for each claim of claims.json: verdict, the deciding effect, its interval."""
    rows = Table(box=None, pad_edge=False)
    for name in HEAD:
        rows.add_column(name, overflow="fold")
    for line in lines(found):
        rows.add_row(*line)
    target = io.StringIO()
    Console(file=target, width=140).print(rows)
    return "\n".join(line.rstrip() for line in target.getvalue().splitlines())


def markdown(found: dict[str, Any]) -> str:
    """The same as a Markdown table, every deciding effect on a line of its own with its value in each encoder seed."""
    head = [*HEAD, "by encoder seed"]
    rows = [head, ["---"] * len(head)]
    for claim in found["claims"]:
        deciding = {k: e for k, e in claim["effects"].items() if "verdict" in e}
        for i, (name, e) in enumerate(deciding.items()):
            first = [claim["name"], f"**{claim['verdict']}**"] if i == 0 else ["", ""]
            seeds = ", ".join(number(v) for v in e["by_encoder"])
            rows.append([*first, name, number(e["value"]), _interval(e), seeds])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def lines(found: dict[str, Any]) -> Iterator[list[str]]:
    """The cells of each claim's line."""
    for claim in found["claims"]:
        deciding = next(k for k, e in claim["effects"].items() if "verdict" in e)
        yield [claim["name"], claim["verdict"], deciding, number(claim["value"]), _interval(claim)]


def _interval(row: dict[str, Any]) -> str:
    low, high = (number(v) for v in row["interval"])
    return f"{low} to {high}"


def number(value: float | None) -> str:
    """Three significant digits, or a dash where there is none."""
    return "-" if value is None else f"{value:.3g}"
