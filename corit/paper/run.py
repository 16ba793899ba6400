"""Make artefacts, one or all: files, a record of each, and an index that also says what failed and why."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from corit import __version__
from corit.bench.lab import Lab, Need
from corit.data.frames import Reading
from corit.data.stamp import file_stamp
from corit.errors import CoritError
from corit.failures import words
from corit.files import write_text
from corit.paper.artefact import Artefact, Content, artefact
from corit.paper.page import save, write_page
from corit.paper.record import Record, clear, keep, read, records, there
from corit.serialise import csv_text, json_text


def make(what: Sequence[Artefact], lab: Lab, out: str | Path, *, again: bool = False) -> list[Record]:
    """Make artefacts into a folder and write its index; what fails is recorded with its reason and the rest goes on.

    again: also those whose files a run of the same settings left. Features that several of them read are extracted in
    one pass. Any error that is not a CoritError stops the run; the index then says what was not made.
    """
    folder = Path(out)
    settings = {a.name: settings_of(lab, a) for a in what}
    todo = [a for a in what if again or not _reusable(folder, a, settings[a.name])]
    for a in todo:
        clear(folder, a.name)
        keep(folder, Record(a.name, a.title, "not made", "the run was stopped before it"))
    write_index(folder)
    _prepare_together(todo, lab)
    for a in todo:
        keep(folder, one(a, lab, folder, settings[a.name]))
        write_index(folder)
    return [read(folder, a.name) for a in what]


def one(what: Artefact, lab: Lab, out: Path, settings: str = "") -> Record:
    """Make one artefact and its files; a CoritError becomes a record of the failure, unless the machine failed."""
    started = time.monotonic()
    try:
        lab.prepare(what.needs(lab))
        made = what.make(lab)
        caption = {**lab.caption, **made.caption}
    except CoritError as err:
        if words(err):
            raise
        reason = f"{type(err).__name__}: {err}"
        return Record(what.name, what.title, "failed", reason, caption={**lab.asked, "seconds": _since(started)})
    caption = {**caption, "seconds": _since(started), "version": __version__}
    grid = made.grid
    head, body = ([], []) if grid is None else grid.cells()
    text = "" if grid is None else grid.text()
    cells = tuple(tuple(row) for row in body)
    record = Record(what.name, what.title, "ok", "", (), caption, made.notes, tuple(head), cells, text, settings)
    return dataclasses.replace(record, files=_write(made, record, out))


def settings_of(lab: Lab, what: Artefact) -> str:
    """What decides an artefact's numbers, as one text: the run's settings, and its data sets as they are now."""
    said = [__version__, lab.stage.key, lab.backbone().digest, lab.named, lab.head, lab.seeds, lab.draws]
    said += [sorted((name, file_stamp(place)) for name, place in lab.others.items()), lab.unifd_head]
    listed = dict.fromkeys((d, p.reading) for p in map(lab.stage.protocol, what.protocols) for d in p.data)
    return json.dumps([*map(str, said), *(_listed(lab, d, reading) for d, reading in listed)])


def _listed(lab: Lab, data: str, reading: Reading) -> str:
    try:
        return f"{data} {lab.listing(data, reading)}"
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


def _prepare_together(what: Iterable[Artefact], lab: Lab) -> None:
    """Extract what all of them read, data set by data set.

    What fails here fails again when its artefact is made, and is recorded there; what the machine does ends the run.
    """
    by_data: dict[str, list[Need]] = {}
    for a in what:
        try:
            for need in filter(lab.can, a.needs(lab)):
                by_data.setdefault(need.data, []).append(need)
        except CoritError:
            continue
    for wanted in by_data.values():
        try:
            lab.prepare(wanted)
        except CoritError as err:
            if words(err):
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
