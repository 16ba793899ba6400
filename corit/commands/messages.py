"""Messages of commands on standard error."""

from __future__ import annotations

import sys
from contextlib import suppress


def say(text: str) -> None:
    """Print one line on standard error, if it can be written."""
    with suppress(OSError):
        print(f"corit: {text}", file=sys.stderr)
