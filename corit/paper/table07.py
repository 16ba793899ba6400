"""Table VII: empirical COR by layer on NeuralTextures; F_l of layer l, without HRI."""

from __future__ import annotations

from corit.diagnose.measured import FINAL
from corit.paper.artefact import Made
from corit.paper.diagnosis import MAIN, caption, diagnosis, needs, notes
from corit.paper.grid import Grid, Line
from corit.paper.lab import Lab
from corit.paper.printed import printed

__all__ = ["make", "needs"]

FORGERY = "NT"


def make(lab: Lab) -> Made:
    """COR at five layers: the perceptron beside the paper's row, the linear head below it; what is censored says so."""
    found, known = diagnosis(lab), printed(7)
    lines, here = [], {}
    for kind in (MAIN, *(k for k in found.plan.heads if k != MAIN)):
        for store in found.stores:
            layers = [l for l in found.layers[store] if l != FINAL]
            cells = [found.where(store=store, layer=l, group=FORGERY, head=kind)[0] for l in layers]
            values = {c: str(x.collapse.cor) for c, x in zip(known.columns, cells, strict=True)}
            here = dict(zip(known.columns, layers, strict=True))
            name = "perceptron" if kind == MAIN else "linear head"
            lines.append(Line(f"{store}, {name}", store if kind == MAIN else "", values))
    grid = Grid("COR by layer, NeuralTextures", "empirical COR", known.columns, tuple(lines), known, 1.0, 2)
    said = ", ".join(f"{c} is layer {l}" for c, l in here.items())
    scale = "Radii are of standardised features divided by the root of their width; the paper's scale is not known."
    return Made(
        grid,
        notes=(f"Of {lab.backbone().depth} layers: {said}.", scale, *notes(lab)),
        caption=caption(lab, found.plan.heads),
    )
