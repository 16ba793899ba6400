"""Table X: other backbones, UniFD and CoRIT on each."""

from __future__ import annotations

from corit.paper.artefact import Made
from corit.paper.draws import mean
from corit.paper.entry import METRICS
from corit.paper.grid import Grid, Line
from corit.paper.lab import Lab, Need
from corit.paper.lab import needs as needed
from corit.paper.printed import printed
from corit.paper.variant import Variant

PROTOCOL = "cross-dataset"
# Title -> name and weights of the backbone; random weights are the control for what pretraining gives.
BACKBONES = {
    "miniature": {"miniature": "", "random weights 0": "random:0", "random weights 1": "random:1"},
    "root": {"CLIP ViT-L": "clip-vit-l14", "CLIP ViT-B": "clip-vit-b16", "ImageNet ViT-L": "vit-l16-imagenet"},
}


def _variants(lab: Lab, kind: str) -> dict[str, Variant]:
    """Each backbone with a kind of feature."""
    found = {}
    for title, value in BACKBONES[lab.stage.kind].items():
        own = lab.stage.kind == "miniature"
        name, weights = (lab.named[0], value or lab.named[1]) if own else (value, "")
        changes = {"model.kind": "unifd"} if kind == "unifd" else {}
        found[title] = Variant(kind, changes, name, weights)
    return found


def needs(lab: Lab) -> list[Need]:
    """The features that it reads."""
    of = lab.stage.protocol(PROTOCOL)
    return [n for kind in ("unifd", "corit") for n in needed(of, _variants(lab, kind).values())]


def make(lab: Lab) -> Made:
    """The mean over the test sets for each backbone, and the gain with an interval of the pair."""
    of, known = lab.stage.protocol(PROTOCOL), printed(10)
    lines, draws = [], {}
    for kind, label in (("unifd", "UniFD"), ("corit", "CoRIT")):
        draws[kind] = {t: mean(lab.scored(of, v), "auc", lab.draws) for t, v in _variants(lab, kind).items()}
        lines.append(Line(label, "", {t: d.estimate for t, d in draws[kind].items()}))
    gain = {t: d.less(draws["unifd"][t]) for t, d in draws["corit"].items()}
    lines.append(Line("CoRIT less UniFD", "CoRIT less UniFD", gain))
    titles = tuple(dict.fromkeys([*draws["corit"], *(s.column for s in known.said)]))
    grid = Grid("Backbones", f"mean {METRICS['auc']}", titles, tuple(lines), known)
    notes = (
        "The paper's Table X is not legible; its text claims +6.2 with CLIP ViT-B and +10.6 with ImageNet ViT-L.",
        "Random weights are the control: what a backbone gives that nobody trained.",
        lab.stage.standing(tuple(s.title for s in of.test)),
    )
    return Made(grid, notes=tuple(filter(None, notes)), caption={"protocol": PROTOCOL})
