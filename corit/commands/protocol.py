"""`corit protocol`: which protocols there are, and chosen detectors measured under one of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cyclopts import App, Parameter

from corit.commands import exit_codes, options
from corit.commands.run_options import RUN_OPTIONS, RunOptions

if TYPE_CHECKING:
    from corit.bench.protocols import Protocol

app = App(name="protocol", help="List the protocols, and measure detectors under one.")

DETECTORS = ("corit", "unifd")
COLUMNS = ("name", "trained on", "selected on", "tested on", "level", "metrics", "in the paper")


@Parameter(name="*")
@dataclass(frozen=True)
class Changes:
    """What replaces the protocol's own values.

    Attributes:
        metrics: some of auc ap acc acc-val eer eer-interpolated tpr@1 tpr@5 ece; by default the protocol's
        level: frame or video; by default the protocol's
        grouping: path, or dfb, which merges videos of one name as DeepfakeBench does; by default the protocol's
        frames: use at most this many frames of each video, 0 uses all; by default the protocol's number
        choice: even spreads the frames over the video, first takes the first ones; by default the protocol's
    """

    metrics: options.Names | None = None
    level: Literal["frame", "video"] | None = None
    grouping: Literal["path", "dfb"] | None = None
    frames: int | None = None
    choice: options.FrameChoice | None = None

    def apply(self, protocol: Protocol) -> Protocol:
        """Return the protocol with these values."""
        metrics = self.metrics and tuple(self.metrics)
        values = {"metrics": metrics, "level": self.level, "grouping": self.grouping, "choice": self.choice}
        changes: dict[str, Any] = {name: value for name, value in values.items() if value is not None}
        if self.frames is not None:
            changes["frames"] = self.frames or None
        return protocol.replace(**changes)


@app.command(name="list")
def list_protocols() -> int:
    """List the protocols: what each trains on, selects on and tests on, its level and metrics."""
    from rich.table import Table

    from corit.bench.protocols import PROTOCOLS
    from corit.bench.scoreboard import describe_protocol
    from corit.report.text import table_text

    table = Table(box=None, pad_edge=False)
    for name in COLUMNS:
        table.add_column(name, overflow="fold", min_width=5)
    for protocol in PROTOCOLS.values():
        if not protocol.name.startswith("miniature"):
            row = describe_protocol(protocol)
            table.add_row(*(row[name] for name in COLUMNS))
    print(table_text(table))
    return exit_codes.DONE


@app.command
def run(
    name: str,
    *,
    out: Path,
    detector: options.Names | None = None,
    head: options.Head = options.HEAD,
    changes: Changes = Changes(),
    best_on_test: bool = False,
    run_options: RunOptions = RUN_OPTIONS,
) -> int:
    """Train detectors on a protocol's rows, choose on its validation rows, and measure its test sets.

    Args:
        name: a protocol that `corit protocol list` names
        out: folder for results.csv, scores.csv, results.json and the features, which `corit paper` shares
        detector: some of corit, unifd, pooled, regions, unifd-768, unifd-768-trained; by default corit and unifd
        best_on_test: add what is best on the test rows themselves, labelled so; never a result
    """
    from dataclasses import replace

    from corit.bench.scoreboard import scoreboard, table, write
    from corit.heads.defaults import experiment_head

    runner = run_options.runner(out, head=replace(experiment_head(head.head), rho=head.rho))
    protocol = changes.apply(runner.testbed.protocol(name))
    board = scoreboard(runner, protocol, detector or DETECTORS, oracle=best_on_test)
    print(table(board))
    for key, value in board.caption.items():
        print(f"{key}: {', '.join(map(str, value)) if isinstance(value, list) else value}")
    print(", ".join(map(str, write(board, out))))
    return exit_codes.DONE
