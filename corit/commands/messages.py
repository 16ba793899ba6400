"""Messages of commands on standard error."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress


def say(text: str) -> None:
    """Print one line on standard error, if it can be written."""
    with suppress(OSError):
        print(f"corit: {text}", file=sys.stderr)


class _SayingHandler(logging.Handler):
    """Prints each record as a message."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())


def say_what_is_logged() -> None:
    """Print what the package logs, from information up, as messages; a second call changes nothing."""
    log = logging.getLogger("corit")
    log.setLevel(logging.INFO)
    if not any(isinstance(handler, _SayingHandler) for handler in log.handlers):
        log.addHandler(_SayingHandler())
