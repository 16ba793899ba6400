"""`corit detectors`: the detectors that come with the package, what their cards say, and where they lie."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import App, Parameter

from corit.commands import exit_codes
from corit.commands.options import OutputFormat

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
