"""`corit data list`: which data sets there are, and which of them a folder holds."""

from __future__ import annotations

from pathlib import Path

from corit.commands import exit_codes, options


def list_data_sets(*, root: Path | None = None, format: options.OutputFormat = "table") -> int:
    """List the data sets by name: the files that each needs, who provides it, and whether a folder holds it.

    Exit code 3 if a root is given and holds none of them.

    Args:
        root: folder to search, down to two levels of sub-folders
    """
    from corit.data.discovery import describe_data_sets
    from corit.report.data import format_rows
    from corit.report.text import print_text
    from corit.sources import SOURCES

    rows = describe_data_sets(SOURCES, root)
    print_text(format_rows(rows, format))
    return exit_codes.DONE if root is None or any(row["found"] for row in rows) else exit_codes.NOTHING_FOUND
