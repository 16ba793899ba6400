"""findings.json: the records of the real world, of the miniature and of the control, side by side in one file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from corit.errors import DataError
from corit.files import write_text
from corit.serialise import json_text

World = Literal["real", "miniature", "control"]
WORLDS: tuple[World, ...] = ("real", "miniature", "control")
RECORD = "findings.json"


def write_world(folder: Path, world: World, record: Mapping[str, Any]) -> Path:
    """Put a world's record into findings.json of a folder; what the file says of other worlds stays.

    Args:
        folder: of the study.
        world: the name of the world.
        record: its settings and claims.

    Returns:
        The file.

    Raises:
        DataError: the file is there and holds something else.
    """
    path = folder / RECORD
    worlds = read_worlds(path) if path.exists() else {}
    both = {**worlds, world: record}
    write_text(path, json_text({"worlds": {name: both[name] for name in WORLDS if name in both}}, indent=1))
    return path


def read_worlds(path: Path) -> dict[str, dict[str, Any]]:
    """Read the record of each world that a file holds.

    Raises:
        DataError: the file is no findings.json.
    """
    try:
        worlds: dict[str, dict[str, Any]] = json.loads(path.read_text())["worlds"]
    except (ValueError, KeyError, TypeError) as err:
        raise DataError(
            f'expected a JSON file with "worlds" at {path}, but: {err!r}; remove it or choose another'
        ) from err
    return worlds
