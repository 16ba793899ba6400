"""Figure 4: the architecture, with the shapes that the code gives for one picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from corit.bench.protocols import protocol
from corit.bench.runner import FeatureRequest, Runner
from corit.bench.variant import CORIT
from corit.model.corit import middle_layer
from corit.model.encode import Encoder
from corit.paper.artefact import Content, Maker
from corit.views.foreground import ellipse
from corit.views.prepare import Views
from corit.views.regions import patch_regions

NO_HEAD = "no head is trained, so there are no seeds"
FROZEN, FREE, TRAINED = "#dfe8f5", "#fdeecf", "#f6d5cf"


def needs(runner: Runner) -> list[FeatureRequest]:
    """List no features: the figure needs the backbone alone."""
    return []


def make(runner: Runner) -> Content:
    """Encode one picture and write the shapes into the boxes."""
    encoder = runner.encoder(CORIT, protocol("cross-dataset"))
    shapes = measure_shapes(encoder)
    numbers = (("what", "shape"), *((k, " x ".join(map(str, v))) for k, v in shapes.items()))
    note = "Blue is frozen, yellow has no parameters, red is trained: the head alone. Shapes of one drawn picture."
    return Content(
        figures=(draw(encoder, shapes),),
        notes=(note,),
        numbers=numbers,
        caption={"head": NO_HEAD, "seeds": []},
    )


def measure_shapes(encoder: Encoder) -> dict[str, tuple[int, ...]]:
    """Encode one picture and return the shapes of its values, by the method's letters."""
    b = encoder.backbone
    mask = ellipse(b.side)
    image = np.where(mask[..., None], 160, 90).repeat(3, axis=2).astype(np.uint8)
    regions = patch_regions(mask, b.grid)
    view = Views(image, 255 - image[None], regions, mask)
    encoded = encoder([view], keep_levels=True, keep_masks=True, keep_patches=True)
    assert encoded.levels is not None
    assert encoded.masks is not None
    assert encoded.patches is not None
    patches = tuple(encoded.patches.shape[2:])
    return {
        "x, x~": image.shape,
        "R": regions.shape,
        "V": patches,
        "g": patches,
        "a": (len(regions), b.width),
        "m": tuple(encoded.masks.shape[2:]),
        "r": (len(regions), b.width),
        "[C; V; T]": (b.prefix + patches[0] + len(regions), b.width),
        "F_l": tuple(encoded.levels.shape[2:]),
        "z": tuple(encoded.z.shape[1:]),
    }


def draw(encoder: Encoder, shapes: dict[str, tuple[int, ...]]) -> Figure:
    """Draw the boxes, from left to right."""
    b, middle = encoder.backbone, middle_layer(encoder.backbone.depth, encoder.recipe.model)
    texts = {k: " × ".join(map(str, v)) for k, v in shapes.items()}
    figure = Figure(figsize=(13.5, 5.8))
    axis = figure.subplots()
    axis.set(xlim=(0, 12.5), ylim=(0, 5.8))
    axis.axis("off")
    _box(axis, (0.1, 3.5), (1.8, 1.5), "#f2f2f2", f"picture x\nand self-blended x~\n{texts['x, x~']}")
    _box(axis, (0.1, 0.8), (1.8, 1.5), "#f2f2f2", f"regions R\nforeground, boundary,\nbackground\n{texts['R']}")
    _box(axis, (2.5, 3.5), (1.7, 1.5), FROZEN, f"embed\npatches of {b.patch} px\n[C; V; T]\n{texts['[C; V; T]']}")
    _box(axis, (4.8, 3.5), (1.9, 1.5), FROZEN, f"block l\nof {b.depth}, width {b.width}\n(22)")
    _box(axis, (4.8, 0.8), (1.9, 1.9), FREE, f"g = V~ - V (18)\n{texts['g']}\nanchors a (19)\n{texts['a']}")
    _box(axis, (7.3, 0.8), (1.7, 1.9), FREE, f"mask m (20)\n{texts['m']}\nregion average r (21)\n{texts['r']}")
    _box(axis, (7.3, 3.5), (1.7, 1.5), FREE, f"injection (23)\nT = T' + r(l)\n{texts['r']}")
    _box(axis, (9.5, 3.5), (1.5, 1.5), FREE, f"F_l = [C; T]\n{texts['F_l']}\nat l = {middle}, {b.depth}")
    _box(axis, (9.5, 0.8), (1.5, 1.9), FREE, f"z (24)\nconcat(F_{middle},\nF_{b.depth})\n{texts['z']}")
    _box(axis, (11.3, 0.8), (1.1, 1.9), TRAINED, "linear head,\nSAM (1), (2)\nreal or fake")
    for start, end in (
        ((1.9, 4.25), (2.5, 4.25)),
        ((4.2, 4.25), (4.8, 4.25)),
        ((6.7, 4.25), (7.3, 4.25)),
        ((5.75, 3.5), (5.75, 2.7)),
        ((6.7, 1.75), (7.3, 1.75)),
        ((8.15, 2.7), (8.15, 3.5)),
        ((9.0, 4.25), (9.5, 4.25)),
        ((10.25, 3.5), (10.25, 2.7)),
        ((11.0, 1.75), (11.3, 1.75)),
        ((1.9, 1.55), (4.8, 1.55)),
    ):
        _arrow(axis, start, end)
    _arrow(axis, (1.6, 2.3), (2.8, 3.5))
    axis.text(2.55, 2.75, "T at layer 0:\nregion averages", fontsize=8.5)
    _arrow(axis, (8.15, 5.0), (5.75, 5.0), bend=0.35)
    axis.text(6.95, 5.6, f"l = 1 ... {b.depth}", ha="center", fontsize=9)
    return figure


def _box(axis: Any, at: tuple[float, float], size: tuple[float, float], colour: str, text: str) -> None:
    axis.add_patch(FancyBboxPatch(at, *size, boxstyle="round,pad=0.02,rounding_size=0.08", fc=colour, ec="#56616e"))
    axis.text(at[0] + size[0] / 2, at[1] + size[1] / 2, text, ha="center", va="center", fontsize=8.5)


def _arrow(axis: Any, start: tuple[float, float], end: tuple[float, float], bend: float = 0.0) -> None:
    style = f"arc3,rad={bend}"
    axis.add_patch(
        FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=12, color="#1c2430", connectionstyle=style)
    )


ARCHITECTURE = Maker(needs, make)
