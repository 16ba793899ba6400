"""Self-contained HTML pages: templates filled in, pictures and figures inside the file."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import cv2
import jinja2
import numpy as np
from markupsafe import Markup
from matplotlib import colormaps
from matplotlib.figure import Figure
from PIL import Image

from corit.files import write_bytes, write_text

DPI = 110
COLOURS = np.array([[230, 80, 60], [250, 200, 40], [60, 120, 220], [60, 180, 110], [170, 90, 200], [120, 120, 120]])


def write(template: str, target: Path, **values: Any) -> None:
    """Fill in a template of this folder and write the page atomically."""
    loader = jinja2.PackageLoader("corit", "report")
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    text = environment.get_template(template).render(**values)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_text(target, text.encode(errors="backslashreplace").decode())  # file names need not be text


def save(figure: Figure, target: Path, **options: Any) -> None:
    """Write a matplotlib figure as a PNG atomically."""
    buffer = io.BytesIO()  # matplotlib may ignore a full disk; corit.files does not
    figure.savefig(buffer, format="png", dpi=DPI, **options)
    write_bytes(target, buffer.getvalue())


def markdown(text: str) -> Markup:
    """Return Markdown with tables as HTML; HTML in it is shown and not run."""
    from markdown_it import MarkdownIt

    return Markup(MarkdownIt("commonmark", {"html": False}).enable("table").render(text))


def picture(pixels: np.ndarray, side: int = 128) -> str:
    """Return pixels (H, W, 3) uint8 as a data URI; small pictures are enlarged without smoothing."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    method = cv2.INTER_NEAREST if scale > 1 else cv2.INTER_AREA
    shown = cv2.resize(pixels, (round(width * scale), round(height * scale)), interpolation=method)
    buffer = io.BytesIO()
    Image.fromarray(shown).save(buffer, "PNG" if side <= 160 else "JPEG", quality=90)
    kind = "png" if side <= 160 else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def figure(drawing: Figure) -> str:
    """Return a matplotlib figure as a data URI."""
    buffer = io.BytesIO()
    drawing.savefig(buffer, format="png", dpi=DPI, bbox_inches="tight")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def tinted(pixels: np.ndarray, regions: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Return a crop (S, S, 3) with each patch region (K, N) bool in its own colour."""
    shown = pixels.astype(np.float32)
    for row, colour in zip(regions, COLOURS, strict=False):
        chosen = _enlarged(row.reshape(grid).astype(np.float32), pixels.shape[:2], cv2.INTER_NEAREST)[..., None]
        shown += chosen * 0.45 * (colour - shown)
    return shown.astype(np.uint8)


def heated(pixels: np.ndarray, heat: np.ndarray, top: float) -> np.ndarray:
    """Return a crop (S, S, 3) under its patch evidence (h, w): red raises the score, blue lowers it.

    Args:
        pixels: the crop.
        heat: the evidence.
        top: the evidence of full colour.
    """
    wide = _enlarged(heat.astype(np.float32), pixels.shape[:2], cv2.INTER_CUBIC)
    level = np.clip(wide / (top or 1.0), -1, 1)
    colour = colormaps["coolwarm"]((level + 1) / 2)[..., :3] * 255
    grey = np.repeat(pixels.mean(-1, keepdims=True), 3, axis=2)
    share = (0.15 + 0.6 * np.abs(level))[..., None]
    return (grey * (1 - share) + colour * share).astype(np.uint8)


def _enlarged(values: np.ndarray, shape: tuple[int, int], method: int) -> np.ndarray:
    return cv2.resize(values, shape[::-1], interpolation=method)


def resized(pixels: np.ndarray, side: int) -> np.ndarray:
    """Resize a square crop to another side."""
    return cv2.resize(np.ascontiguousarray(pixels), (side, side), interpolation=cv2.INTER_AREA)


def outlined(pixels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return a crop that is dark outside a mask (S, S) bool, with the mask's outline."""
    shown = np.where(mask[..., None], pixels, (pixels * 0.35).astype(np.uint8))
    edges, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(np.ascontiguousarray(shown), edges, -1, (250, 200, 40), 2))
