"""Data sets, findings and prepared videos as tables for the terminal and as lines for programs."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from typing import Any, Literal

from rich.table import Table

from corit.data.care.audit import Finding
from corit.data.care.check import count_passed_over
from corit.data.passed_over import summarize
from corit.data.sample import Source
from corit.errors import examples
from corit.report.text import escape_controls, table_text
from corit.serialise import csv_text

Format = Literal["table", "jsonl", "csv"]
Row = dict[str, Any]
SAYS = {
    "missing": "missing files",
    "unreadable": "unreadable files",
    "passed over": "kinds of files that are neither picture nor video, and have no row",
    "side file": "kinds of files beside the pictures (no fault by itself)",
    "duplicate": "pictures that come more than once in one split (no fault by itself)",
    "leak": "pictures that stand in more than one split",
    "contradiction": "pictures that are labelled both real and fake",
    "straddle": "identities, sources or videos on more than one side of the split",
    "surprise": "labels that something speaks against",
    "shared file": "files that both data sets list",
    "shared picture": "pictures that both data sets hold",
    "size": "data sets of another size than the published one (no fault if a part was asked for)",
    "shared group": "names of groups that both data sets use (may be chance)",
}


def lines(rows: Iterable[Row], format: Format, head: bool = True) -> str:
    """Rows as CSV with a header if `head`, as a JSON object a line, or as a table."""
    listed = list(rows)
    if format == "jsonl":
        return "\n".join(json.dumps(r) for r in listed)
    if format == "csv":
        return csv_text([*([listed[0]] if listed and head else []), *(r.values() for r in listed)]).rstrip("\n")
    return table(listed)


def table(rows: Sequence[Row]) -> str:
    """Rows as a table, without columns in which nothing is said."""
    out = Table(box=None, pad_edge=False)
    names = [n for n in (rows[0] if rows else ()) if any(r[n] not in ("", 0) for r in rows)]
    for name in names:
        out.add_column(name, overflow="fold", justify="right" if isinstance(rows[0][name], int) else "left")
    for row in rows:
        out.add_row(*(escape_controls(str(row[n])) for n in names))
    return table_text(out)


def findings(found: Sequence[Finding], format: Format) -> str:
    """All findings; for the screen a table of counts, and of each other kind the number and a few of them."""
    if format != "table":
        return lines(map(asdict, found), format)
    said = [table([_shown(f) for f in found if f.finding == "count"])]
    kinds: dict[str, list[Finding]] = defaultdict(list)
    for f in found:
        kinds[f.finding].append(f)
    for kind, title in SAYS.items():
        if kinds[kind]:
            said += ["", f"{len(kinds[kind])} {title}", *(f"  {_say(f)}" for f in kinds[kind][:5])]
            said += [f"  and {len(kinds[kind]) - 5} more; --format csv lists all"] if len(kinds[kind]) > 5 else []
    faults = {k: len(v) for k, v in kinds.items() if not v[:1] or not v[0].harmless}
    summary = examples((f"{n} {k}" for k, n in faults.items() if n), len(SAYS))
    return "\n".join([*said, "", f"to mend: {summary}" if summary else "nothing to mend"])


def say_passed_over(source: Source) -> None:
    """One line on standard error on the files of a source's folders that are neither picture nor video, if any are.

    Args:
        source: whose rows are listed for it.
    """
    _ = source.samples
    if words := summarize(count_passed_over(source).items()):
        print(f"corit: {escape_controls(words)}", file=sys.stderr)


def _shown(found: Finding) -> Row:
    row = asdict(found)
    return {f.name: row[f.name] for f in fields(Finding) if f.name not in ("finding", "name", "detail")}


def _say(found: Finding) -> str:
    return ", ".join(escape_controls(t) for t in (found.name, found.split, found.label, found.detail) if t)
