"""The record of an artefact, kept beside its files: its status, caption and notes."""

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
    """The outcome of making an artefact. Field names are keys of its JSON file.

    Attributes:
        name: table01 to figure11.
        title: its title.
        status: "ok", "failed" or "not made".
        reason: why it failed.
        files: names of its files.
        caption: world, backbone, head, seeds, metric, seconds.
        notes: sentences below the table or figure.
        head: the table's column names.
        body: the table's rows.
        text: the table for a terminal.
        settings: what another run must share to reuse it, see `corit.paper.run.settings_of`.
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
    def caption_text(self) -> str:
        """The caption as one line."""
        c = {k: v for k, v in self.caption.items() if k not in ("seconds", "version")}
        seeds = ", ".join(map(str, c.pop("seeds", [])))
        parts = [f"{k}: {v}" for k, v in c.items()] + ([f"seeds: {seeds}"] if seeds else [])
        return ". ".join(part[0].upper() + part[1:] for part in parts) + f". {self.caption.get('seconds', 0):.0f} s."


def write_record(folder: Path, record: Record) -> None:
    """Write a record into a folder of artefacts."""
    (folder / RECORDS).mkdir(parents=True, exist_ok=True)
    write_text(folder / RECORDS / f"{record.name}.json", json_text(asdict(record), indent=1))


def remove_files(folder: Path, name: str) -> None:
    """Remove the files of an artefact's earlier run, so that none outlives its record."""
    if has_record(folder, name):
        for file in read_record(folder, name).files:
            (folder / file).unlink(missing_ok=True)


def has_record(folder: Path, name: str) -> bool:
    """Tell whether a folder has a record of an artefact."""
    return (folder / RECORDS / f"{name}.json").exists()


def read_record(folder: Path, name: str) -> Record:
    """Read the record of an artefact."""
    stored = json.loads((folder / RECORDS / f"{name}.json").read_text())
    tuples = {k: tuple(stored[k]) for k in ("files", "notes", "head")}
    return Record(**{**stored, **tuples, "body": tuple(map(tuple, stored["body"]))})


def read_records(folder: Path) -> list[Record]:
    """Read all records of a folder, in the paper's order."""
    return [read_record(folder, a.name) for a in ARTEFACTS if has_record(folder, a.name)]
