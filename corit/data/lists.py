"""The lists that come with a data set, as texts and as JSON: read, or refused in words."""

from __future__ import annotations

import json
import os
from typing import Any

from corit.errors import DataError
from corit.regular import require_regular

AGAIN = "download it again"


def read_text(path: str | os.PathLike[str], expected: str) -> str:
    """A file's text in UTF-8, with or without a byte order mark; `expected` says what it should be.

    Raises DataError when it cannot be read or is in another encoding.
    """
    try:
        require_regular(path)
        with open(path, encoding="utf-8-sig") as file:
            return file.read()
    except UnicodeDecodeError as err:
        raise DataError(f"expected {expected} at {os.fspath(path)} in UTF-8, but {err}; save it as UTF-8") from err
    except OSError as err:
        raise DataError(f"expected {expected} at {os.fspath(path)}: {err}; {AGAIN}") from err


def read_json(path: str | os.PathLike[str], expected: str) -> Any:
    """What a JSON file holds. Raises DataError as `read_text` does, and for what is no JSON or nested without end."""
    text = read_text(path, expected)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as err:
        raise DataError(f"expected {expected} at {os.fspath(path)}: {err}; {AGAIN}") from err
