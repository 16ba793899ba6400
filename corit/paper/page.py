"""The output of `corit paper`: figures with captions as one picture, and the page of all artefacts."""

from __future__ import annotations

import base64
import io
import textwrap
from collections.abc import Sequence
from pathlib import Path
from string import ascii_lowercase

from matplotlib.figure import Figure
from PIL import Image

from corit.files import write_bytes
from corit.paper.artefact import ARTEFACTS, artefact
from corit.paper.record import Record
from corit.report import page

DPI = 130


def save(figures: Sequence[Figure], notes: Sequence[str], target: Path) -> None:
    """Write figures and the notes below them as one PNG, atomically; several figures get letters (a), (b), ..."""
    for letter, figure in zip(ascii_lowercase, figures, strict=False):
        if len(figures) > 1:
            figure.suptitle(f"({letter})", x=0.01, ha="left", fontweight="bold")
    drawn = [_drawn(f) for f in figures]
    width = max(p.width for p in drawn)
    drawn.append(_drawn(_caption(notes, width), tight=False))
    sheet = Image.new("RGB", (max(p.width for p in drawn), sum(p.height for p in drawn)), "white")
    y = 0
    for picture in drawn:
        sheet.paste(picture, ((sheet.width - picture.width) // 2, y))
        y += picture.height
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    write_bytes(target, buffer.getvalue())


def _drawn(figure: Figure, tight: bool = True) -> Image.Image:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, bbox_inches="tight" if tight else None)
    return Image.open(buffer).convert("RGB")


def _caption(notes: Sequence[str], width: int) -> Figure:
    """The notes, wrapped to a width in pixels."""
    inches = width / DPI
    lines = [line for note in notes for line in textwrap.wrap(note, max(30, int(inches * 15.5)))]
    caption = Figure(figsize=(inches, 0.2 + 0.155 * len(lines)))
    caption.text(0.08 / inches, 0.98, "\n".join(lines), fontsize=8, va="top", color="#56616e", linespacing=1.25)
    return caption


def write_page(records: Sequence[Record], out: Path) -> None:
    """Write index.html with the table or figure of every record inside the page."""
    shown = [{"record": r, "label": artefact(r.name).label, "picture": _inside(r, out)} for r in records]
    failed = [s for s in shown if s["record"].status != "ok"]  # type: ignore[attr-defined]
    known = {r.name for r in records}
    absent = [a.label for a in ARTEFACTS if a.name not in known]
    page.write("paper.html", out / "index.html", shown=shown, failed=failed, absent=absent)


def _inside(record: Record, out: Path) -> str:
    """The figure as a data URI, or nothing."""
    files = [out / f for f in record.files if f.endswith(".png")]
    if not files or not files[0].exists():
        return ""
    return f"data:image/png;base64,{base64.b64encode(files[0].read_bytes()).decode()}"
