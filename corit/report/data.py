"""Data sets, findings and prepared videos as tables for the terminal, and as CSV and JSON lines."""

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
TITLES = {
    "missing": "missing files",
    "unreadable": "unreadable files",
    "passed over": "kinds of files that are neither picture nor video, and have no row",
    "side file": "kinds of files beside the pictures (no problem by itself)",
    "duplicate": "pictures that come more than once in one split (no problem by itself)",
    "leak": "pictures that stand in more than one split",
    "contradiction": "pictures that are labelled both real and fake",
    "straddle": "people, source videos or videos in more than one split",
    "surprise": "labels that the path, the manipulation, the video or the split contradicts",
    "shared file": "files that both data sets list",
    "shared picture": "pictures that both data sets hold",
    "size": "data sets of another size than the published one (no problem if a part is meant)",
    "part": "data sets of which a run with --partial would use a part (no problem if a part is meant)",
    "shared group": "names of groups that both data sets use (may be chance)",
}


def format_rows(rows: Iterable[Row], format: Format, head: bool = True) -> str:
    """Format rows as CSV, as a JSON object a line, or as a table.

    Args:
        rows: rows with the same keys.
        format: of the text.
        head: whether CSV gets a header.
    """
    listed = list(rows)
    if format == "jsonl":
        return "\n".join(json.dumps(r) for r in listed)
    if format == "csv":
        return csv_text([*([listed[0]] if listed and head else []), *(r.values() for r in listed)]).rstrip("\n")
    return format_table(listed)


def format_table(rows: Sequence[Row]) -> str:
    """Format rows as a table for the terminal, without columns that are empty or 0 in every row."""
    out = Table(box=None, pad_edge=False)
    names = [n for n in (rows[0] if rows else ()) if any(r[n] not in ("", 0) for r in rows)]
    for name in names:
        out.add_column(name, overflow="fold", justify="right" if isinstance(rows[0][name], int) else "left")
    for row in rows:
        out.add_row(*(escape_controls(str(row[n])) for n in names))
    return table_text(out)


def format_findings(findings: Sequence[Finding], format: Format) -> str:
    """Format the findings of a check.

    Args:
        findings: of `corit.data.care.audit.audit_source`.
        format: "csv" and "jsonl" hold them all; "table" holds the counts, and of each other kind the number and the
            first five.
    """
    if format != "table":
        return format_rows(map(asdict, findings), format)
    kinds: dict[str, list[Finding]] = defaultdict(list)
    for f in findings:
        kinds[f.finding].append(f)
    text = [format_table([_count_row(f) for f in kinds["count"]])]
    for kind, title in TITLES.items():
        if kinds[kind]:
            text += ["", f"{len(kinds[kind])} {title}", *(f"  {_describe(f)}" for f in kinds[kind][:5])]
            text += [f"  and {len(kinds[kind]) - 5} more; --format csv lists all"] if len(kinds[kind]) > 5 else []
    problems = {k: len(v) for k, v in kinds.items() if not v[:1] or not v[0].harmless}
    summary = examples((f"{n} {k}" for k, n in problems.items() if n), len(TITLES))
    return "\n".join([*text, "", f"problems: {summary}" if summary else "no problems found"])


def print_passed_over(source: Source) -> None:
    """Print a line on standard error about the files of a source's folders that have no row, if there are any.

    Args:
        source: the source, whose rows are listed.
    """
    _ = source.samples
    if summary := summarize(count_passed_over(source).items()):
        print(f"corit: {escape_controls(summary)}", file=sys.stderr)


def _count_row(finding: Finding) -> Row:
    row = asdict(finding)
    return {f.name: row[f.name] for f in fields(Finding) if f.name not in ("finding", "name", "detail")}


def _describe(finding: Finding) -> str:
    return ", ".join(escape_controls(t) for t in (finding.name, finding.split, finding.label, finding.detail) if t)
