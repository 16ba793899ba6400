"""The claims as a table for the terminal."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console
from rich.table import Table


def table(found: dict[str, Any]) -> str:
    """A line for each claim of claims.json: verdict, the deciding effect, its interval."""
    rows = Table(box=None, pad_edge=False)
    for name in ("claim", "verdict", "deciding effect", "value", "95 % interval"):
        rows.add_column(name, overflow="fold")
    for claim in found["claims"]:
        deciding = next(k for k, e in claim["effects"].items() if "verdict" in e)
        low, high = (number(v) for v in claim["interval"])
        rows.add_row(claim["name"], claim["verdict"], deciding, number(claim["value"]), f"{low} to {high}")
    target = io.StringIO()
    Console(file=target, width=140).print(rows)
    return "\n".join(line.rstrip() for line in target.getvalue().splitlines())


def number(value: float | None) -> str:
    """Three significant digits, or a dash where there is none."""
    return "-" if value is None else f"{value:.3g}"
