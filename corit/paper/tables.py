"""The paper's tables of detectors under one protocol: Tables I to VI and VIII to XII."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from corit.bench.draws import mean
from corit.bench.entry import METRICS, Entry, counted, measure, methods, published, wanted
from corit.bench.lab import Lab, Need
from corit.bench.lab import needs as needed
from corit.bench.stage import FORGERIES
from corit.bench.variant import CORIT, UNIFD, Variant
from corit.metrics.bootstrap import Estimate
from corit.paper.artefact import LEFT_OUT, TABLE_10, Content, Maker, artefact
from corit.paper.grid import Grid, Line
from corit.paper.printed import printed
from corit.recipe import RegionName

GAIN = "CoRIT less UniFD"
(CROSS_DATASET,) = artefact("table10").protocols


def detector_table(
    number: int,
    detectors: Callable[[Lab], Sequence[Entry]],
    metric: str = "auc",
    *,
    with_published_head: bool = False,
    note: str = "",
) -> Maker:
    """Return the maker of a table that sets each detector beside the paper's row.

    Args:
        number: the table's number. Its protocol and title are those of the artefact.
        detectors: lists the detectors of a run.
        metric: a metric of the protocol.
        with_published_head: adds UniFD with the head that its authors published, where the backbone fits it.
        note: a first note below the table.
    """
    (protocol,) = artefact(f"table{number}").protocols

    def make(lab: Lab) -> Content:
        extra, notes = published(lab) if with_published_head else ([], ())
        return _compare(lab, number, [*extra, *detectors(lab)], metric, notes, note)

    return Maker(lambda lab: wanted(lab, protocol, detectors(lab)), make)


def _compare(
    lab: Lab, number: int, detectors: Sequence[Entry], metric: str, notes: Sequence[str], first_note: str
) -> Content:
    about, known = artefact(f"table{number}"), printed(number)
    protocol = lab.stage.protocol(about.protocols[0])
    measured = [measure(lab, protocol, d, metric) for d in detectors]
    lines = [
        Line(d.label, d.paper, {**m.values, known.average: m.average}) for d, m in zip(detectors, measured, strict=True)
    ]
    columns = (*known.columns, known.average)
    grid = Grid(about.title, METRICS[metric], columns, tuple(lines), known, shown=lab.stage.shown)
    counts = counted(measured[-1].counts, protocol)
    below = (first_note, lab.stage.standing(known.columns), counts, *notes, known.sources, *grid.slips())
    caption = {"protocol": about.protocols[0], "metric": METRICS[metric]}
    return Content(grid, notes=tuple(filter(None, below)), caption=caption)


FRAME_AUC = detector_table(1, methods)
VIDEO_AUC = detector_table(2, methods)
DF40 = detector_table(3, methods)
SUBSET_AP = detector_table(4, methods, "ap", with_published_head=True)
SUBSET_ACCURACY = detector_table(5, methods, "acc", with_published_head=True)

# Regional signal injection (RSI), region refinement (RRM), hierarchical integration (HRI): the paper's combinations.
COMPONENTS = detector_table(
    8,
    lambda lab: (
        Entry("none (UniFD)", "0 0 0", UNIFD),
        Entry("RSI", "1 0 0", Variant("rsi", {"model.rrm": False, "model.hri": False})),
        Entry("RSI + RRM", "1 1 0", Variant("rsi-rrm", {"model.hri": False})),
        Entry("HRI", "0 0 1", Variant("hri", {"model.rsi": False})),
        Entry("RSI + RRM + HRI (CoRIT)", "1 1 1", CORIT),
    ),
)

REGIONS: dict[str, RegionName] = {"F": "foreground", "Bd": "boundary", "Bg": "background"}


def _regions(letters: str) -> Entry:
    chosen = letters.split("+")
    changes = {"model.regions": tuple(REGIONS[x] for x in chosen)}
    return Entry(letters, f"{letters} {len(chosen)} Avg.", Variant(f"regions-{letters}", changes))


REGIONS_AND_POOLING = detector_table(
    9,
    lambda lab: (
        Entry("random, K = 3", "Random 3 Avg.", Variant("random", {"views.random_regions": 3})),
        *(_regions(x) for x in ("F", "Bd", "Bg", "F+Bd", "F+Bg", "Bd+Bg")),
        Entry("F+Bd+Bg, maximum", "F+Bd+Bg 3 Max", Variant("max", {"model.pooling": "max"})),
        Entry("F+Bd+Bg (CoRIT)", "F+Bd+Bg 3 Avg.", CORIT),
    ),
)

# tau, the threshold of the refinement mask (20), relative to the region's mean coherence.
MASK_THRESHOLD = detector_table(
    11,
    lambda lab: tuple(
        Entry(f"tau = {t}", t, CORIT if t == "0.1" else Variant(f"tau-{t}", {"model.tau": float(t)}))
        for t in ("0", "0.1", "0.5", "0.9", "1.3")
    ),
)

PAPER_DEPTH = 24  # of the paper's backbone, whose layers Table XII names


def _fusion_layers(lab: Lab) -> list[Entry]:
    """The paper's middle layers l_m of (24), or those at the same share of another backbone's depth."""
    depth = lab.backbone().depth
    return [_fusion_layer(int(layer), depth) for layer in printed(12).values]


def _fusion_layer(layer: int, depth: int) -> Entry:
    here = max(1, round(layer / PAPER_DEPTH * depth))
    label = f"layer {layer}" if depth == PAPER_DEPTH else f"layer {here} of {depth}, for {layer} of {PAPER_DEPTH}"
    return Entry(label, str(layer), CORIT, layers=(here, depth))


FUSION_LAYER = detector_table(12, _fusion_layers)


def _leave_one_out_needs(lab: Lab) -> list[Need]:
    return [n for p in LEFT_OUT for n in wanted(lab, p, methods(lab))]


def _leave_one_out(lab: Lab) -> Content:
    """Each detector on each manipulation that it has not seen, and CoRIT's gain beside what the paper's text says."""
    protocols = [lab.stage.protocol(p) for p in LEFT_OUT]
    lines = []
    for detector in methods(lab):
        measured = [measure(lab, p, detector) for p in protocols]
        lines.append(Line(detector.label, detector.paper, {k: v for m in measured for k, v in m.values.items()}))
    lines.append(Line(GAIN, GAIN, {k: _gain(lab, p, k) for p, k in zip(LEFT_OUT, FORGERIES, strict=True)}))
    title = artefact("table6").title
    grid = Grid(title, METRICS["auc"], FORGERIES, tuple(lines), printed(6), shown=lab.stage.shown)
    counts = counted({k: n for m in measured for k, n in m.counts.items()}, protocols[0])
    notes = (lab.stage.standing(FORGERIES), counts, *grid.slips())
    caption = {"protocol": "faceforensics-without-*", "metric": METRICS["auc"]}
    return Content(grid, notes=tuple(filter(None, notes)), caption=caption)


def _gain(lab: Lab, protocol: str, manipulation: str) -> Estimate:
    of = lab.stage.protocol(protocol)
    unifd, corit = (mean({manipulation: lab.scored(of, v)[manipulation]}, "auc", lab.draws) for v in (UNIFD, CORIT))
    return corit.less(unifd)


LEAVE_ONE_OUT = Maker(_leave_one_out_needs, _leave_one_out)

RANDOM = {"random weights 0": "random:0", "random weights 1": "random:1"}  # controls: what pretraining gives
BACKBONE_TITLES = dict(zip(("CLIP ViT-L", "CLIP ViT-B", "ImageNet ViT-L"), TABLE_10, strict=True))


def _backbones(lab: Lab) -> dict[str, tuple[str, str]]:
    """Title -> name and weights: the paper's on real data, the run's own and untrained ones in the miniature."""
    if lab.stage.kind == "root":
        return {title: (name, "") for title, name in BACKBONE_TITLES.items()}
    own, weights = lab.named
    return {own: (own, weights), **{title: (own, seeded) for title, seeded in RANDOM.items()}}


def backbone_variants(lab: Lab, model: str) -> dict[str, Variant]:
    """Return the variant of a model, "unifd" or "corit", on each backbone of Table X, by the backbone's title."""
    changes = {"model.kind": "unifd"} if model == "unifd" else {}
    return {title: Variant(model, changes, *named) for title, named in _backbones(lab).items()}


def _backbone_needs(lab: Lab) -> list[Need]:
    protocol = lab.stage.protocol(CROSS_DATASET)
    return [n for model in ("unifd", "corit") for n in needed(protocol, backbone_variants(lab, model).values())]


def _backbone_table(lab: Lab) -> Content:
    """The mean over the test sets for each backbone, and the gain with an interval of the pair."""
    protocol, known = lab.stage.protocol(CROSS_DATASET), printed(10)
    lines, draws = [], {}
    for model, label in (("unifd", "UniFD"), ("corit", "CoRIT")):
        variants = backbone_variants(lab, model)
        draws[model] = {t: mean(lab.scored(protocol, v), "auc", lab.draws) for t, v in variants.items()}
        lines.append(Line(label, "", {t: d.estimate for t, d in draws[model].items()}))
    lines.append(Line(GAIN, GAIN, {t: d.less(draws["unifd"][t]) for t, d in draws["corit"].items()}))
    titles = tuple(dict.fromkeys([*draws["corit"], *(s.column for s in known.said)]))
    grid = Grid(artefact("table10").title, f"mean {METRICS['auc']}", titles, tuple(lines), known)
    variants = backbone_variants(lab, "corit")
    notes = (
        "The paper's Table X is not legible; its text claims +6.2 with CLIP ViT-B and +10.6 with ImageNet ViT-L.",
        "Random weights are the control: what a backbone gives that nobody trained.",
        lab.stage.standing(tuple(s.title for s in protocol.test)),
        counted(lab.measure(protocol, variants[titles[0]]).counts, protocol),
    )
    used = "; ".join(map(lab.described, variants.values()))  # in the order of the columns
    caption = {"backbone": used, "protocol": CROSS_DATASET, "metric": grid.metric}
    return Content(grid, notes=tuple(filter(None, notes)), caption=caption)


BACKBONES = Maker(_backbone_needs, _backbone_table)
