"""Make artefacts, one or all: files, a record of each, and an index that also says what failed and why."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from corit import __version__
from corit.bench.runner import FeatureRequest, Runner
from corit.data.frames import Reading
from corit.data.stamp import file_stamp
from corit.errors import CoritError
from corit.failures import machine_failure
from corit.files import write_text
from corit.paper.artefact import Artefact, Content, artefact
from corit.paper.comparison_table import ComparisonTable
from corit.paper.page import save, write_page
from corit.paper.parts import mark_parts
from corit.paper.record import Record, has_record, read_record, read_records, remove_files, write_record
from corit.serialise import csv_text, json_text


def make(artefacts: Sequence[Artefact], runner: Runner, out: str | Path, *, again: bool = False) -> list[Record]:
    """Make artefacts and write their index; the record of a failed one has the reason, and the others are made.

    Features that several artefacts read are extracted in one pass. An error that is not a CoritError stops the run; the
    index then names the artefacts that were not made.

    Args:
        artefacts: the artefacts.
        runner: the run.
        out: folder of their files.
        again: also makes artefacts that a run of the same settings left in the folder.
    """
    folder = Path(out)
    settings = {a.name: settings_of(runner, a) for a in artefacts}
    todo = [a for a in artefacts if again or not _reusable(folder, a, settings[a.name])]
    for a in todo:
        remove_files(folder, a.name)
        write_record(folder, Record(a.name, a.title, "not made", "the run was stopped before it"))
    write_index(folder)
    _prepare_together(todo, runner)
    for a in todo:
        write_record(folder, make_one(a, runner, folder, settings[a.name]))
        write_index(folder)
    return [read_record(folder, a.name) for a in artefacts]


def make_one(artefact: Artefact, runner: Runner, out: Path, settings: str = "") -> Record:
    """Make one artefact and its files, and return its record; a CoritError becomes the record of a failure.

    Raises:
        CoritError: when the machine failed, for example because the disk is full.
    """
    started = time.monotonic()
    try:
        runner.prepare(artefact.needs(runner))
        content = artefact.make(runner)
        content = mark_parts(content, artefact, runner)
        caption = {**runner.caption, **content.caption}
    except CoritError as err:
        if machine_failure(err):
            raise
        caption = {**runner.caption_without_weights, "seconds": _since(started)}
        return Record(artefact.name, artefact.title, "failed", f"{type(err).__name__}: {err}", caption=caption)
    record = Record(
        artefact.name,
        artefact.title,
        "ok",
        caption={**caption, "seconds": _since(started), "version": __version__},
        notes=content.notes,
        settings=settings,
    )
    if content.table is not None:
        head, body = content.table.cells()
        rows = tuple(map(tuple, body))
        record = dataclasses.replace(record, head=tuple(head), body=rows, text=content.table.text())
    return dataclasses.replace(record, files=_write_files(content, record, out))


def settings_of(runner: Runner, artefact: Artefact) -> str:
    """Return what decides an artefact's numbers as one text: the settings, and the data sets as they are now."""
    s = runner.settings
    values = [__version__, runner.testbed.key, runner.backbone().digest, s.named_backbone, s.head, s.seeds, s.draws]
    values += [sorted((name, file_stamp(place)) for name, place in s.other_weights.items()), s.unifd_head]
    listed = dict.fromkeys((d, p.reading) for p in map(runner.testbed.protocol, artefact.protocols) for d in p.data)
    return json.dumps([*map(str, values), *(_listed(runner, d, reading) for d, reading in listed)])


def _listed(runner: Runner, data: str, reading: Reading) -> str:
    try:
        return f"{data} {runner.source_digest(data, reading)}"
    except CoritError as err:
        return f"{data} {err}"


def write_index(out: str | Path) -> None:
    """Write index.json and index.html of every record of a folder."""
    folder = Path(out)
    records = read_records(folder)
    keys = ("name", "title", "status", "reason", "files", "notes")
    listed = [{**{k: getattr(r, k) for k in keys}, **r.caption} for r in records]
    write_text(folder / "index.json", json_text({"version": __version__, "artefacts": listed}))
    write_page(records, folder)


def _since(started: float) -> float:
    return round(time.monotonic() - started, 1)


def _prepare_together(artefacts: Iterable[Artefact], runner: Runner) -> None:
    """Extract the features of all artefacts, data set by data set.

    An error here occurs again when its artefact is made, and is recorded there; a failure of the machine ends the run.
    """
    by_data: dict[str, list[FeatureRequest]] = {}
    for a in artefacts:
        try:
            for request in filter(runner.has_backbone, a.needs(runner)):
                by_data.setdefault(request.data, []).append(request)
        except CoritError:
            continue
    for requests in by_data.values():
        try:
            runner.prepare(requests)
        except CoritError as err:
            if machine_failure(err):
                raise
            continue


def _reusable(folder: Path, artefact: Artefact, settings: str) -> bool:
    if not has_record(folder, artefact.name):
        return False
    record = read_record(folder, artefact.name)
    return record.status == "ok" and record.settings == settings and all((folder / f).exists() for f in record.files)


def _write_files(content: Content, record: Record, out: Path) -> tuple[str, ...]:
    texts: dict[str, str] = {}
    if content.table is not None:
        below = _notes_below(content.table, record)
        texts["csv"] = content.table.csv()
        texts["md"] = _markdown(content.table, record)
        texts["txt"] = "\n".join([f"{record.text}\n", *below]) + "\n"
    if content.numbers:
        texts["csv"] = csv_text(content.numbers)
    for suffix, text in texts.items():
        write_text(out / f"{record.name}.{suffix}", text)
    if content.figures:
        save(content.figures, [*record.notes, record.caption_text], out / f"{record.name}.png")
    return tuple(f"{record.name}.{suffix}" for suffix in (*texts, *(["png"] if content.figures else [])))


def _notes_below(table: ComparisonTable, record: Record) -> list[str]:
    """The notes below a table that stands alone; the page has the legend once for all tables."""
    return list(filter(None, (table.legend, *record.notes, record.caption_text)))


def _markdown(table: ComparisonTable, record: Record) -> str:
    below = "\n".join(f"- {n}" for n in _notes_below(table, record))
    label = artefact(record.name).label
    return f"## {label}: {record.title}, {table.metric}\n\n{table.markdown()}\n{below}\n"
