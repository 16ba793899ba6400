"""`corit protocol`: which protocols there are, and detectors of one's choice measured under one of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from corit.commands.device import Device

app = App(name="protocol", help="List the protocols, and measure detectors under one.")


@app.command(name="list")
def listed() -> int:
    """List the protocols: what each trains on, selects on and tests on, its level and metrics."""
    from rich.table import Table

    from corit.bench.protocols import PROTOCOLS
    from corit.bench.scoreboard import described
    from corit.report.text import printed

    said = [described(p) for p in PROTOCOLS.values() if not p.name.startswith("miniature")]
    table = Table(box=None, pad_edge=False)
    for name in ("name", "trained on", "selected on", "tested on", "level", "metrics", "in the paper"):
        table.add_column(name, overflow="fold")
        table.columns[-1].min_width = 5
    for one in said:
        table.add_row(*(one[str(c.header)] for c in table.columns))
    print(printed(table))
    return 0


@app.command
def run(
    name: str,
    *,
    out: Path,
    world: Literal["miniature"] | None = None,
    root: Path | None = None,
    detector: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    metrics: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    level: Literal["frame", "video"] | None = None,
    grouping: Literal["path", "dfb"] | None = None,
    frames: int | None = None,
    choice: Literal["even", "first"] | None = None,
    best_on_test: bool = False,
    head: Literal["linear", "mlp"] = "linear",
    rho: float = 0.05,
    backbone: str = "",
    weights: str = "",
    seeds: int = 5,
    people: int = 40,
    pictures: int = 3,
    max: int = 0,
    draws: int = 200,
    unifd_head: Path | None = None,
    batch: int = 0,
    workers: int = 1,
    device: Device = "cpu",
) -> int:
    """Train detectors on a protocol's rows, choose on its validation rows, and measure its test sets.

    Args:
        name: a protocol that `corit protocol list` names
        out: folder for results.csv, scores.csv, results.json and the features; `corit paper` shares them
        world: miniature, the default: everything offline, with stand-ins for the data sets
        root: folder of the real data sets, each in the place that `corit paper list` says
        detector: some of corit, unifd, pooled, regions, unifd-768, unifd-768-trained; by default corit and unifd
        metrics: some of auc ap acc acc-val eer eer-interpolated tpr@1 tpr@5 ece; by default the protocol's
        level: frame or video, in place of the protocol's
        grouping: path, or dfb, which merges videos of one name as DeepfakeBench does
        frames: at most so many of each video, in place of the protocol's; 0 for all
        choice: even spreads the frames over the video, first takes the first ones
        best_on_test: add what is best on the test rows themselves, labelled so; never a result
        head: linear or mlp
        rho: SAM's radius
        backbone: a name that `corit backbones` lists; by default the miniature's, or clip-vit-l14 with --root
        weights: hub, packaged, random:SEED or a file
        seeds: heads that are trained for every value
        people: training and test identities of the miniature
        pictures: pictures of each of them
        max: with --root, at most so many rows of each data set, split, label and manipulation; 0 for all
        draws: of the bootstrap behind the intervals
        unifd_head: file of UniFD's published head; fetched where none is given
        batch: pictures a forward pass; by default 32, and 8 for other backbones than the miniature's
        workers: processes that decode and prepare
        device: cpu or cuda
    """
    from dataclasses import replace

    from corit.bench.scoreboard import scoreboard, table, write
    from corit.commands.paper import laboratory
    from corit.heads.defaults import experiment_head

    lab = laboratory(
        out,
        world=world,
        root=root,
        people=people,
        pictures=pictures,
        most=max,
        backbone=backbone,
        weights=weights,
        seeds=seeds,
        head=replace(experiment_head(head), rho=rho),
        draws=draws,
        unifd_head=unifd_head,
        batch=batch,
        workers=workers,
        device=device,
    )
    said: dict[str, Any] = {"metrics": metrics and tuple(metrics), "level": level, "grouping": grouping}
    said |= {"choice": choice} | ({} if frames is None else {"frames": frames or None})
    changes = {k: v for k, v in said.items() if v is not None or k == "frames"}
    protocol = lab.stage.protocol(name).replace(**changes)
    board = scoreboard(lab, protocol, detector or ["corit", "unifd"], oracle=best_on_test)
    print(table(board))
    for word, value in board.caption.items():
        print(f"{word}: {', '.join(map(str, value)) if isinstance(value, list) else value}")
    print(", ".join(map(str, write(board, out))))
    return 0
