"""What became of an artefact: its record, kept beside its files."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from corit.files import write_text
from corit.paper.artefact import ARTEFACTS
from corit.serialise import json_text

RECORDS = "records"
Status = Literal["ok", "failed", "not made"]


@dataclass(frozen=True)
class Record:
    """What became of an artefact.

    reason: why it failed. files: what it left in the folder. caption: world, backbone, head, seeds, metric, seconds.
    head, body: the table's cells; text: the table for a terminal. settings: what another run must share to reuse it.
    """

    name: str
    title: str
    status: Status
    reason: str = ""
    files: tuple[str, ...] = ()
    caption: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    body: tuple[tuple[str, ...], ...] = ()
    text: str = ""
    settings: str = ""

    @property
    def said(self) -> str:
        """The caption as one line."""
        c = {k: v for k, v in self.caption.items() if k not in ("seconds", "version")}
        seeds = ", ".join(map(str, c.pop("seeds", [])))
        parts = [f"{k}: {v}" for k, v in c.items()] + ([f"seeds: {seeds}"] if seeds else [])
        return ". ".join(part[0].upper() + part[1:] for part in parts) + f". {self.caption.get('seconds', 0):.0f} s."


def keep(folder: Path, record: Record) -> None:
    """Write a record into a folder of artefacts."""
    (folder / RECORDS).mkdir(parents=True, exist_ok=True)
    write_text(folder / RECORDS / f"{record.name}.json", json_text(asdict(record), indent=1))


def clear(folder: Path, name: str) -> None:
    """Remove the files that an earlier run left of an artefact, so that none outlives its record."""
    if there(folder, name):
        for file in read(folder, name).files:
            (folder / file).unlink(missing_ok=True)


def there(folder: Path, name: str) -> bool:
    """Whether a folder has a record of an artefact."""
    return (folder / RECORDS / f"{name}.json").exists()


def read(folder: Path, name: str) -> Record:
    """The record of an artefact."""
    held = json.loads((folder / RECORDS / f"{name}.json").read_text())
    tuples = {k: tuple(held[k]) for k in ("files", "notes", "head")}
    return Record(**{**held, **tuples, "body": tuple(map(tuple, held["body"]))})


def records(folder: Path) -> list[Record]:
    """All records of a folder, in the paper's order."""
    return [read(folder, a.name) for a in ARTEFACTS if there(folder, a.name)]
