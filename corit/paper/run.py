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
from corit.paper.page import save, write_page
from corit.paper.record import Record, clear, keep, read, records, there
from corit.serialise import csv_text, json_text


def make(what: Sequence[Artefact], runner: Runner, out: str | Path, *, again: bool = False) -> list[Record]:
    """Make artefacts into a folder and write its index; what fails is recorded with its reason and the rest goes on.

    again: also those whose files a run of the same settings left. Features that several of them read are extracted in
    one pass. Any error that is not a CoritError stops the run; the index then says what was not made.
    """
    folder = Path(out)
    settings = {a.name: settings_of(runner, a) for a in what}
    todo = [a for a in what if again or not _reusable(folder, a, settings[a.name])]
    for a in todo:
        clear(folder, a.name)
        keep(folder, Record(a.name, a.title, "not made", "the run was stopped before it"))
    write_index(folder)
    _prepare_together(todo, runner)
    for a in todo:
        keep(folder, one(a, runner, folder, settings[a.name]))
        write_index(folder)
    return [read(folder, a.name) for a in what]


def one(what: Artefact, runner: Runner, out: Path, settings: str = "") -> Record:
    """Make one artefact and its files; a CoritError becomes a record of the failure, unless the machine failed."""
    started = time.monotonic()
    try:
        runner.prepare(what.needs(runner))
        made = what.make(runner)
        caption = {**runner.caption, **made.caption}
    except CoritError as err:
        if machine_failure(err):
            raise
        reason = f"{type(err).__name__}: {err}"
        return Record(
            what.name,
            what.title,
            "failed",
            reason,
            caption={**runner.caption_without_weights, "seconds": _since(started)},
        )
    caption = {**caption, "seconds": _since(started), "version": __version__}
    grid = made.grid
    head, body = ([], []) if grid is None else grid.cells()
    text = "" if grid is None else grid.text()
    cells = tuple(tuple(row) for row in body)
    record = Record(what.name, what.title, "ok", "", (), caption, made.notes, tuple(head), cells, text, settings)
    return dataclasses.replace(record, files=_write(made, record, out))


def settings_of(runner: Runner, what: Artefact) -> str:
    """Return what decides an artefact's numbers as one text: the settings, and the data sets as they are now."""
    s = runner.settings
    values = [__version__, runner.testbed.key, runner.backbone().digest, s.named_backbone, s.head, s.seeds, s.draws]
    values += [sorted((name, file_stamp(place)) for name, place in s.other_weights.items()), s.unifd_head]
    listed = dict.fromkeys((d, p.reading) for p in map(runner.testbed.protocol, what.protocols) for d in p.data)
    return json.dumps([*map(str, values), *(_listed(runner, d, reading) for d, reading in listed)])


def _listed(runner: Runner, data: str, reading: Reading) -> str:
    try:
        return f"{data} {runner.source_digest(data, reading)}"
    except CoritError as err:
        return f"{data} {err}"


def write_index(out: str | Path) -> None:
    """index.json and index.html of everything that a folder records."""
    folder = Path(out)
    found = records(folder)
    keys = ("name", "title", "status", "reason", "files", "notes")
    listed = [{**{k: getattr(r, k) for k in keys}, **r.caption} for r in found]
    write_text(folder / "index.json", json_text({"version": __version__, "artefacts": listed}))
    write_page(found, folder)


def _since(started: float) -> float:
    return round(time.monotonic() - started, 1)


def _prepare_together(what: Iterable[Artefact], runner: Runner) -> None:
    """Extract what all of them read, data set by data set.

    What fails here fails again when its artefact is made, and is recorded there; what the machine does ends the run.
    """
    by_data: dict[str, list[FeatureRequest]] = {}
    for a in what:
        try:
            for need in filter(runner.has_backbone, a.needs(runner)):
                by_data.setdefault(need.data, []).append(need)
        except CoritError:
            continue
    for requests in by_data.values():
        try:
            runner.prepare(requests)
        except CoritError as err:
            if machine_failure(err):
                raise
            continue


def _reusable(folder: Path, what: Artefact, settings: str) -> bool:
    if not there(folder, what.name):
        return False
    held = read(folder, what.name)
    return held.status == "ok" and held.settings == settings and all((folder / f).exists() for f in held.files)


def _write(made: Content, record: Record, out: Path) -> tuple[str, ...]:
    """The files of an artefact."""
    files: list[str] = []
    if made.grid is not None:
        under = "\n".join(_under(made, record))
        texts = {"csv": made.grid.csv(), "md": _markdown(made, record), "txt": f"{record.text}\n\n{under}\n"}
        for suffix, text in texts.items():
            write_text(out / f"{record.name}.{suffix}", text)
            files.append(f"{record.name}.{suffix}")
    if made.numbers:
        write_text(out / f"{record.name}.csv", csv_text(made.numbers))
        files.append(f"{record.name}.csv")
    if made.figures:
        save(made.figures, [*record.notes, record.said], out / f"{record.name}.png")
        files.append(f"{record.name}.png")
    return tuple(files)


def _under(made: Content, record: Record) -> list[str]:
    """What is said under a table that stands alone; the page says how to read all of them once."""
    assert made.grid is not None
    return list(filter(None, (made.grid.reading, *record.notes, record.said)))


def _markdown(made: Content, record: Record) -> str:
    assert made.grid is not None
    under = "\n".join(f"- {n}" for n in _under(made, record))
    return f"## {artefact(record.name).label}: {record.title}, {made.grid.metric}\n\n{made.grid.markdown()}\n{under}\n"
