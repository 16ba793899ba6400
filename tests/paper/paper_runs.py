"""The command line of `corit paper` and settings that take seconds."""

from __future__ import annotations

import pytest

from corit import cli

SMALL = ["--seeds", "2", "--draws", "20", "--workers", "0"]
WORLD = ["--world", "miniature", "--people", "6", "--pictures", "1", *SMALL]
REAL = ["--backbone", "miniature", *SMALL]


def command(*words):
    """Exit code of `corit paper ...`."""
    with pytest.raises(SystemExit) as stop:
        cli.main(["paper", *map(str, words)])
    return stop.value.code
