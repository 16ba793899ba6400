"""Table VII: empirical COR by layer on NeuralTextures; F_l of layer l, without HRI."""

from __future__ import annotations

from corit.bench.lab import Lab
from corit.diagnose.diagnosis import Cell, Diagnosis
from corit.diagnose.measured import FINAL
from corit.diagnose.plan import Kind
from corit.errors import DataError
from corit.paper.diagnosis import MAIN, NAMES, caption, diagnosis, needs, notes
from corit.paper.grid import Grid, Line, Made
from corit.paper.printed import printed
from corit.theory.collapse import CHANCE

__all__ = ["make", "needs"]

FORGERY = "NT"


def make(lab: Lab) -> Made:
    """COR at five layers and the half-way radius: the perceptron's beside the paper's row, then the linear head's.

    What is censored says so. Raises DataError when a detector was not diagnosed on NeuralTextures.
    """
    found, known = diagnosis(lab), printed(7)
    lines, here = [], {}
    for kind in (MAIN, *(k for k in found.plan.heads if k != MAIN)):
        for store in found.stores:
            layers = [l for l in found.layers[store] if l != FINAL]
            cells = [cell(found, store, l, kind) for l in layers]
            values = {c: x.collapse.cor for c, x in zip(known.columns, cells, strict=True)}
            here = dict(zip(known.columns, layers, strict=True))
            name = "perceptron" if kind == MAIN else "linear head"
            lines.append(Line(f"{store}, {name}", store if kind == MAIN else "", values))
            half = {c: x.collapse.half for c, x in zip(known.columns, cells, strict=True)}
            lines.append(Line(f"{store}, {name}, half-way", "", half))
    shown = dict.fromkeys(known.columns, lab.stage.shown[FORGERY]) if FORGERY in lab.stage.shown else {}
    title = f"COR by layer on {NAMES[FORGERY]} ({FORGERY})"
    grid = Grid(title, "empirical COR", known.columns, tuple(lines), known, 1.0, 2, shown)
    said = ", ".join(f"{c} is layer {l}" for c, l in here.items())
    own = (
        f"{NAMES[FORGERY]} ({FORGERY}) against the reals: the radius at which test AUC falls below {CHANCE:g}.",
        "Half-way: the radius at which it is half of the way from its best to 0.5.",
        f"Ours: medians over {len(found.plan.seeds)} head seeds, in brackets the smallest and the largest: "
        "over head seeds, not videos.",
        f"Of {lab.backbone().depth} layers: {said}.",
        "Radii are of standardised features divided by the root of their width; the paper's scale is not known.",
    )
    return Made(
        grid,
        notes=(*notes(lab, (FORGERY,)), *own, *grid.slips()),
        caption=caption(lab, found.plan.heads),
    )


def cell(found: Diagnosis, store: str, layer: int, kind: Kind) -> Cell:
    """What was found on NeuralTextures. Raises DataError where the store was not diagnosed on it."""
    cells = found.where(store=store, layer=layer, group=FORGERY, head=kind)
    if not cells:
        had = ", ".join(found.groups[store])
        why = "; ".join(found.notes)
        raise DataError(f"expected {store} to be diagnosed on {FORGERY}, got {had or 'no forgery'}. {why}".strip())
    return cells[0]
