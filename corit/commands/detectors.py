"""`corit detectors`: the detectors that come with the package, what their cards say, and where they lie."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from corit.commands import exit_codes
from corit.commands.options import COMPUTE, Compute, OutputFormat, Weights

app = App(name="detectors", help="List, show and find the detectors that come with the package.")

PackagedName = Annotated[str, Parameter(help="a name that `corit detectors list` prints")]
CardFormat = Literal["markdown", "json"]


@app.command(name="list")
def listed(*, format: OutputFormat = "table") -> int:
    """List the packaged detectors: what each scores, its model, backbone and licence; exit code 3 if there are none."""
    from corit.commands.messages import say
    from corit.detect.packaged import known, packaged_rows
    from corit.report.data import format_rows
    from corit.report.text import print_text

    rows = packaged_rows()
    if not rows:
        say(f"no packaged detectors; {known()}")
        return exit_codes.NOTHING_FOUND
    print_text(format_rows(rows, format))
    return exit_codes.DONE


@app.command
def show(name: PackagedName, *, format: CardFormat = "markdown") -> int:
    """Print the card of a packaged detector: what it was trained on, how good it is on what, and where it fails.

    Args:
        format: print the card as Markdown or as JSON
    """
    from corit.detect.packaged import card_text, read_card
    from corit.report.text import print_text
    from corit.serialise import json_text

    text = json_text(read_card(name)) if format == "json" else card_text(name)
    print_text(text.rstrip("\n"))
    return exit_codes.DONE


@app.command
def path(name: PackagedName) -> int:
    """Print the folder of a packaged detector."""
    from corit.detect.packaged import packaged_folder

    print(packaged_folder(name))
    return exit_codes.DONE


@app.command
def make(
    name: PackagedName,
    *,
    data: Path,
    out: Path,
    features: Path | None = None,
    backbone: str = "",
    weights: Weights = "",
    limit: int = 0,
    compute: Compute = COMPUTE,
) -> int:
    """Make a packaged detector again from its collections of pictures, with its card; it takes an hour or more.

    Args:
        data: folder that holds the folders of the collections
        out: folder to write: the detector, its card and its compressed training features
        features: where measured features are kept, so that an interrupted run goes on; by default OUT.features
        backbone: another backbone than the plan's, for a trial
        limit: use at most this many pairs, or pictures of each class, of each collection; 0 uses all
    """
    from corit.backbones.load import load_backbone
    from corit.detect.detector import require_detector_place
    from corit.progress import progress_bar
    from corit.train.card import card_markdown, make_card
    from corit.train.packaged import make_detector, plan_of, save_packaged

    plan = plan_of(name)
    require_detector_place(out)
    frozen = load_backbone(backbone or plan.backbone, weights)
    with progress_bar("features") as progress:
        making = make_detector(
            plan,
            str(data),
            features or out.with_name(out.name + ".features"),
            frozen,
            limit=limit,
            batch=compute.batch,
            workers=compute.workers,
            device=compute.device,
            progress=progress,
        )
    trial = "".join(f" --{k} {v}" for k, v in {"backbone": backbone, "limit": limit or ""}.items() if v)
    card = make_card(making, f"corit detectors make {name} --data DIR --out DIR{trial}")
    save_packaged(making, card, card_markdown(card), out)
    print(card_markdown(card).rstrip("\n"))
    print(f"detector {out}")
    return exit_codes.DONE
