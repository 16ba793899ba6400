"""Table X: other backbones, UniFD and CoRIT on each."""

from __future__ import annotations

from collections.abc import Sequence

from corit.bench.draws import mean
from corit.bench.entry import METRICS, Entry, counted, measure
from corit.bench.lab import Lab, Need
from corit.bench.lab import needs as needed
from corit.bench.variant import Variant
from corit.paper.artefact import artefact
from corit.paper.grid import Grid, Line, Made
from corit.paper.printed import printed

PROTOCOL = "cross-dataset"
RANDOM = {"random weights 0": "random:0", "random weights 1": "random:1"}  # the control for what pretraining gives
ROOT = dict(zip(("CLIP ViT-L", "CLIP ViT-B", "ImageNet ViT-L"), artefact("table10").backbones, strict=True))


def _backbones(lab: Lab) -> dict[str, tuple[str, str]]:
    """Title -> name and weights: the paper's on real data, the run's own trained and untrained in the miniature."""
    if lab.stage.kind == "root":
        return {title: (name, "") for title, name in ROOT.items()}
    own, weights = lab.named
    return {own: (own, weights), **{title: (own, seeded) for title, seeded in RANDOM.items()}}


def _variants(lab: Lab, kind: str) -> dict[str, Variant]:
    """Each backbone with a kind of feature."""
    changes = {"model.kind": "unifd"} if kind == "unifd" else {}
    return {title: Variant(kind, changes, *named) for title, named in _backbones(lab).items()}


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
        counted(lab.measure(of, _variants(lab, "corit")[titles[0]]).counts, of),
    )
    used = "; ".join(map(lab.described, _variants(lab, "corit").values()))  # in the order of the columns
    caption = {"backbone": used, "protocol": PROTOCOL, "metric": grid.metric}
    return Made(grid, notes=tuple(filter(None, notes)), caption=caption)


def table(
    lab: Lab,
    number: int,
    title: str,
    protocol: str,
    entries: Sequence[Entry],
    metric: str = "auc",
    said: tuple[str, ...] = (),
) -> Made:
    """Measure every row and set it beside the paper's Table `number`. said: further notes."""
    of, known = lab.stage.protocol(protocol), printed(number)
    measured = [measure(lab, of, e, metric) for e in entries]
    lines = [
        Line(e.label, e.paper, {**m.values, known.average: m.average}) for e, m in zip(entries, measured, strict=True)
    ]
    columns = (*known.columns, known.average)
    grid = Grid(title, METRICS[metric], columns, tuple(lines), known, shown=lab.stage.shown)
    notes = (lab.stage.standing(known.columns), counted(measured[-1].counts, of), *said, known.sources, *grid.slips())
    return Made(grid, notes=tuple(filter(None, notes)), caption={"protocol": protocol, "metric": METRICS[metric]})
