"""`corit paper`: the paper's tables and figures, one, some or all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from rich.table import Table

from corit.commands.device import Device
from corit.errors import DataError

if TYPE_CHECKING:
    from corit.bench.lab import Lab
    from corit.bench.stage import Stage
    from corit.paper.artefact import Artefact

FAILED = 1


def paper(
    what: Annotated[list[str], Parameter(negative=())],
    *,
    world: Literal["miniature"] | None = None,
    root: Path | None = None,
    out: Path = Path("runs/paper"),
    backbone: str = "",
    weights: str = "",
    other_weights: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    seeds: int = 5,
    people: int = 40,
    pictures: int = 3,
    max: int = 0,
    draws: int = 200,
    again: bool = False,
    unifd_head: Path | None = None,
    batch: int = 0,
    workers: int = 1,
    device: Device = "cpu",
) -> int:
    """Make the paper's tables and figures, in the miniature world or from the real data sets.

    Args:
        what: table1 to table13, figure1 to figure11, all, or list
        world: miniature, the default: everything offline, with stand-ins for the data sets
        root: folder of the real data sets, each in the place that `corit paper list` says
        out: folder for index.html, index.json, table01.csv ... figure11.png, and the features
        backbone: a name that `corit backbones` lists; by default the miniature's, or clip-vit-l14 with --root
        weights: hub, packaged, random:SEED or a file
        other_weights: those of Table 10's further backbones, NAME=FILE or NAME=random:SEED; by default from the hub
        seeds: heads that are trained for every value
        people: training and test identities of the miniature
        pictures: pictures of each of them
        max: with --root, at most so many rows of each data set, split, label and manipulation; 0 for all
        draws: of the bootstrap behind the intervals
        again: make also what a run of the same settings left in the folder
        unifd_head: file of UniFD's published head, for tables 4 and 5 on CLIP ViT-L/14; fetched where none is given
        batch: pictures a forward pass; by default 32, and 8 for other backbones than the miniature's
        workers: processes that decode and prepare
        device: cpu or cuda
    """
    from corit.paper.run import make

    if "list" in what:
        _chosen([w for w in what if w != "list"])
        known = {backbone or default_backbone(root): weights, **_named(other_weights)}
        print(_listed(_stage(world, root, people, pictures, max), known))
        return 0
    chosen = _chosen(what)
    lab = laboratory(
        out,
        world=world,
        root=root,
        people=people,
        pictures=pictures,
        most=max,
        backbone=backbone,
        weights=weights,
        others=_named(other_weights),
        seeds=seeds,
        draws=draws,
        unifd_head=unifd_head,
        batch=batch,
        workers=workers,
        device=device,
    )
    found = make(chosen, lab, out, again=again or "all" not in what)
    for record in found:
        print(f"{record.name}: {record.title}\n{record.text}" if record.text else f"{record.name}: {record.title}")
        under = [*record.notes, record.said] if record.status == "ok" else [f"{record.status}: {record.reason}"]
        print("\n".join([*under, ""]))
    failed = [r.name for r in found if r.status != "ok"]
    lost = f", failed: {', '.join(failed)}" if failed else ""
    print(f"{len(found) - len(failed)} made{lost}; {out / 'index.html'}")
    return FAILED if failed else 0


def laboratory(
    out: Path,
    *,
    world: str | None = None,
    root: Path | None = None,
    people: int = 40,
    pictures: int = 3,
    most: int = 0,
    backbone: str = "",
    seeds: int = 5,
    batch: int = 0,
    **options: Any,
) -> Lab:
    """The place where the miniature or the real data sets are measured, as a command's words ask for it.

    Raises DataError for a world and a root together, for a file in the place of a folder, and as `Lab` and its stages.
    """
    from corit.bench.lab import Lab
    from corit.progress import progress_bar

    if out.exists() and not out.is_dir():
        raise DataError(f"expected a folder to write into, but {out} is a file; choose another --out")
    name = backbone or default_backbone(root)
    size = batch or (32 if name == "miniature" else 8)
    stage = _stage(world, root, people, pictures, most)
    return Lab(stage, out, backbone=name, seeds=range(seeds), batch=size, bars=progress_bar, **options)


def default_backbone(root: Path | None) -> str:
    """The miniature's own in the miniature, and the paper's on real data."""
    return "miniature" if root is None else "clip-vit-l14"


def _stage(world: str | None, root: Path | None, people: int, pictures: int, most: int) -> Stage:
    from corit.bench import stage

    if world is not None and root is not None:
        raise DataError("expected --world miniature or --root DIR, got both")
    if root is None and most:
        raise DataError(f"expected --max with --root alone, got --max {most}; --people makes the miniature smaller")
    if root is not None:
        return stage.root(str(root), most=most)
    return stage.miniature(stage.Size.of(people, pictures))


def _chosen(what: Sequence[str]) -> list[Artefact]:
    from corit.paper.artefact import ARTEFACTS, artefact

    named = dict.fromkeys(artefact(w) for w in what if w != "all")
    return list(ARTEFACTS) if "all" in what else list(named)


def _named(texts: Sequence[str] | None) -> dict[str, str]:
    """NAME=PLACE of several backbones' weights. Raises DataError for another form, BackboneError for another name."""
    from corit.backbones.names import require_backbone

    wrong = [t for t in texts or () if not all(t.partition("="))]
    if wrong:
        raise DataError(f"expected NAME=FILE or NAME=random:SEED of a backbone's weights, got {', '.join(wrong)}")
    found = {name: place for name, _, place in (t.partition("=") for t in texts or ())}
    for name in found:
        require_backbone(name)
    return found


def _listed(stage: Stage, weights: Mapping[str, str]) -> str:
    """One line for each artefact: what it needs, whether it can run here, how long; then what is wrong with data."""
    from corit.paper.outlook import duration, outlooks
    from corit.report.text import printed

    found, problems = outlooks(stage, weights)
    table = Table(box=None, pad_edge=False)
    for name in ("", "", "needs", "can run here", "from nothing"):
        table.add_column(name, overflow="fold")
    for o in found:
        needs = ", ".join(o.needs) or "nothing"
        table.add_row(o.artefact.command, o.artefact.title, needs, o.here, duration(o.minutes))
    if stage.kind == "miniature":
        return f"{printed(table)}\nTimes are of two idle cores, each artefact alone; together they share most features."
    said = (
        "Videos need the extra `faces`, or crops that `corit data prepare` made. Times are of CLIP ViT-L/14 on two CPU "
        "cores and each artefact alone; features are shared, and a GPU takes a small part of it (not measured)."
    )
    return "\n".join([printed(table), said, *(f"- {p}" for p in problems)])
