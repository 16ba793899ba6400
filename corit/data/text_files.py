"""Text and JSON files that come with a data set, in any encoding that a byte order mark names."""

from __future__ import annotations

import codecs
import json
import os
from collections.abc import Callable
from typing import Any

from corit.errors import DataError
from corit.files import open_regular

DOWNLOAD_AGAIN = "download it again"
# The first bytes of a text that name its encoding. UTF-32's mark begins with UTF-16's, so it comes first.
BYTE_ORDER_MARKS = (
    *((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32")),
    *((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")),
)


def encoding_of(path: str | os.PathLike[str]) -> str:
    """Return the encoding that a file's byte order mark names, as Excel and PowerShell write it; UTF-8 without a mark.

    Raises:
        OSError: the file cannot be read.
    """
    with open_regular(path) as file:
        head = file.read(4)
    return next((name for mark, name in BYTE_ORDER_MARKS if head.startswith(mark)), "utf-8-sig")


def read_text(path: str | os.PathLike[str], expected: str) -> str:
    """Read a text in UTF-8, or in UTF-16 or UTF-32 with a byte order mark.

    Args:
        path: the file.
        expected: what the file should be, for the error.

    Raises:
        DataError: the file cannot be read, or is in another encoding.
    """
    try:
        with open(path, encoding=encoding_of(path)) as file:
            return file.read()
    except UnicodeError as err:
        raise DataError(f"expected {expected} at {os.fspath(path)} in UTF-8, but {err}; save it as UTF-8") from err
    except OSError as err:
        raise DataError(f"expected {expected} at {os.fspath(path)}: {err}; {DOWNLOAD_AGAIN}") from err


def read_json(
    path: str | os.PathLike[str], expected: str, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None
) -> Any:
    """Read a JSON file.

    Args:
        path: the file.
        expected: what the file should be, for the error.
        pairs: makes an object of its names and values; by default a dict, in which the last value of a name counts.

    Raises:
        DataError: the file cannot be read, is no JSON, or is nested too deep.
    """
    text = read_text(path, expected)
    try:
        return json.loads(text, object_pairs_hook=pairs)
    except (ValueError, RecursionError) as err:
        raise DataError(f"expected {expected} at {os.fspath(path)}: {err}; {DOWNLOAD_AGAIN}") from err
