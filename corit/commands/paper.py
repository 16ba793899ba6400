"""`corit paper`: the paper's tables and figures, one, some or all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from corit.commands import exit_codes, options
from corit.commands.run_options import RUN_OPTIONS, RunOptions
from corit.errors import DataError

if TYPE_CHECKING:
    from corit.bench.testbed import Testbed
    from corit.paper.artefact import Artefact
    from corit.paper.record import Record


def paper(
    what: Annotated[list[str], Parameter(negative=())],
    *,
    out: Path = Path("runs/paper"),
    again: bool = False,
    run: RunOptions = RUN_OPTIONS,
    other_weights: options.Names | None = None,
) -> int:
    """Make the paper's tables and figures, in the miniature world or from the real data sets.

    Args:
        what: table1 to table13, figure1 to figure11, all, or list
        out: folder for index.html, index.json, table01.csv ... figure11.png, and the features
        again: also make what the folder holds from a run of the same settings
        other_weights: weights of Table 10's further backbones, NAME=FILE or NAME=random:SEED; by default from the hub
    """
    from corit.paper.run import make

    chosen = _chosen([w for w in what if w != "list"])
    others = _weights_by_name(other_weights)
    if "list" in what:
        print(_listed(run.testbed(), {run.backbone_name: run.weights, **others}))
        return exit_codes.DONE
    runner = run.runner(out, other_weights=others)
    records = make(chosen, runner, out, again=again or "all" not in what)
    for record in records:
        print(_described(record))
    failed = [r.name for r in records if r.status != "ok"]
    lost = f", failed: {', '.join(failed)}" if failed else ""
    print(f"{len(records) - len(failed)} made{lost}; {out / 'index.html'}")
    return exit_codes.SOME_FAILED if failed else exit_codes.DONE


def _described(record: Record) -> str:
    """The title, the text and the notes of a table or figure, or why it could not be made."""
    title = f"{record.name}: {record.title}"
    notes = [*record.notes, record.caption_text] if record.status == "ok" else [f"{record.status}: {record.reason}"]
    return "\n".join([title, *([record.text] if record.text else []), *notes, ""])


def _chosen(what: Sequence[str]) -> list[Artefact]:
    from corit.paper.artefact import ARTEFACTS, artefact

    named = dict.fromkeys(artefact(w) for w in what if w != "all")
    return list(ARTEFACTS) if "all" in what else list(named)


def _weights_by_name(texts: Sequence[str] | None) -> dict[str, str]:
    """NAME=PLACE of several backbones' weights. Raises DataError for another form, BackboneError for another name."""
    from corit.backbones.names import record_of

    wrong = [t for t in texts or () if not all(t.partition("="))]
    if wrong:
        raise DataError(f"expected NAME=FILE or NAME=random:SEED of a backbone's weights, got {', '.join(wrong)}")
    places = {name: place for name, _, place in (t.partition("=") for t in texts or ())}
    for name in places:
        record_of(name)
    return places


def _listed(testbed: Testbed, weights: Mapping[str, str]) -> str:
    """One line for each artefact: what it needs, whether it can run here, how long; then the problems of the data."""
    from rich.table import Table

    from corit.paper.outlook import duration, outlooks
    from corit.report.text import table_text

    rows, problems = outlooks(testbed, weights)
    table = Table(box=None, pad_edge=False)
    for name in ("", "", "needs", "can run here", "from nothing"):
        table.add_column(name, overflow="fold")
    for o in rows:
        needs = ", ".join(o.needs) or "nothing"
        table.add_row(o.artefact.command, o.artefact.title, needs, o.here, duration(o.minutes))
    if testbed.kind == "miniature":
        return (
            f"{table_text(table)}\nTimes are of two idle cores, each artefact alone; together they share most features."
        )
    remark = (
        "Videos need the extra `faces`, or crops that `corit data prepare` made. Times are of CLIP ViT-L/14 on two CPU "
        "cores and each artefact alone; features are shared, and a GPU takes a small part of it (not measured)."
    )
    if problems and not testbed.partial:
        remark += " With --partial, what is there of each data set is used, and its values are marked."
    return "\n".join([table_text(table), remark, *(f"- {p}" for p in problems)])
