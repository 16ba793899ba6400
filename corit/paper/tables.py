"""The paper's tables of detectors under one protocol: Tables I to VI and VIII to XII."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from corit.bench.detectors import (
    DetectorSpec,
    corit_and_baselines,
    describe_counts,
    measure,
    requests_of,
    unifd_with_published_head,
)
from corit.bench.means import mean_over_test_sets
from corit.bench.runner import FeatureRequest, Runner, feature_requests
from corit.bench.testbed import FORGERIES
from corit.bench.variant import CORIT, UNIFD, RecipeVariant
from corit.errors import DataError
from corit.metrics.bootstrap import Estimate
from corit.paper.artefact import LEFT_OUT, TABLE_10, Content, Maker, artefact
from corit.paper.comparison_table import ComparisonTable, MeasuredRow
from corit.paper.printed import printed
from corit.recipe import RegionName

METRICS = {"auc": "AUC, %", "ap": "average precision, %", "acc": "accuracy at 0.5, %"}
GAIN = "CoRIT less UniFD"
(CROSS_DATASET,) = artefact("table10").protocols


def detector_table(
    number: int,
    detectors: Callable[[Runner], Sequence[DetectorSpec]],
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

    def make(runner: Runner) -> Content:
        extra, notes = unifd_with_published_head(runner) if with_published_head else ([], ())
        return _compare(runner, number, [*extra, *detectors(runner)], metric, notes, note)

    return Maker(lambda runner: requests_of(runner, protocol, detectors(runner)), make)


def _compare(
    runner: Runner, number: int, detectors: Sequence[DetectorSpec], metric: str, notes: Sequence[str], first_note: str
) -> Content:
    about, known = artefact(f"table{number}"), printed(number)
    protocol = runner.protocol(about.protocols[0])
    summaries = [measure(runner, protocol, d, metric) for d in detectors]
    rows = [
        MeasuredRow(d.label, d.published, {**s.values, known.average: s.average})
        for d, s in zip(detectors, summaries, strict=True)
    ]
    columns, stand_ins = (*known.columns, known.average), runner.testbed.stand_ins
    table = ComparisonTable(about.title, METRICS[metric], columns, tuple(rows), known, stand_ins=stand_ins)
    stood_in = runner.testbed.describe_stand_ins(known.columns)
    counts = describe_counts(summaries[-1].counts, protocol)
    below = (first_note, stood_in, counts, *notes, known.official_note, *table.notes())
    caption = {"protocol": about.protocols[0], "metric": METRICS[metric]}
    return Content(table, notes=tuple(filter(None, below)), caption=caption)


FRAME_AUC = detector_table(1, corit_and_baselines)
VIDEO_AUC = detector_table(2, corit_and_baselines)
DF40 = detector_table(3, corit_and_baselines)
SUBSET_AP = detector_table(4, corit_and_baselines, "ap", with_published_head=True)
SUBSET_ACCURACY = detector_table(5, corit_and_baselines, "acc", with_published_head=True)

# Regional signal injection (RSI), region refinement (RRM), hierarchical integration (HRI): the paper's combinations.
COMPONENTS = detector_table(
    8,
    lambda runner: (
        DetectorSpec("none (UniFD)", "0 0 0", UNIFD),
        DetectorSpec("RSI", "1 0 0", RecipeVariant("rsi", {"model.rrm": False, "model.hri": False})),
        DetectorSpec("RSI + RRM", "1 1 0", RecipeVariant("rsi-rrm", {"model.hri": False})),
        DetectorSpec("HRI", "0 0 1", RecipeVariant("hri", {"model.rsi": False})),
        DetectorSpec("RSI + RRM + HRI (CoRIT)", "1 1 1", CORIT),
    ),
)

REGIONS: dict[str, RegionName] = {"F": "foreground", "Bd": "boundary", "Bg": "background"}


def _regions(letters: str) -> DetectorSpec:
    chosen = letters.split("+")
    changes = {"model.regions": tuple(REGIONS[x] for x in chosen)}
    return DetectorSpec(letters, f"{letters} {len(chosen)} Avg.", RecipeVariant(f"regions-{letters}", changes))


REGIONS_AND_POOLING = detector_table(
    9,
    lambda runner: (
        DetectorSpec("random, K = 3", "Random 3 Avg.", RecipeVariant("random", {"views.random_regions": 3})),
        *(_regions(x) for x in ("F", "Bd", "Bg", "F+Bd", "F+Bg", "Bd+Bg")),
        DetectorSpec("F+Bd+Bg, maximum", "F+Bd+Bg 3 Max", RecipeVariant("max", {"model.pooling": "max"})),
        DetectorSpec("F+Bd+Bg (CoRIT)", "F+Bd+Bg 3 Avg.", CORIT),
    ),
)

# tau, the threshold of the refinement mask (20), relative to the region's mean coherence.
MASK_THRESHOLD = detector_table(
    11,
    lambda runner: tuple(
        DetectorSpec(f"tau = {t}", t, CORIT if t == "0.1" else RecipeVariant(f"tau-{t}", {"model.tau": float(t)}))
        for t in ("0", "0.1", "0.5", "0.9", "1.3")
    ),
)

PAPER_DEPTH = 24  # of the paper's backbone, whose layers Table XII names


def _fusion_layers(runner: Runner) -> list[DetectorSpec]:
    """The paper's middle layers l_m of (24), or those at the same share of another backbone's depth."""
    depth = runner.backbone().depth
    return [_fusion_layer(int(layer), depth) for layer in printed(12).values]


def _fusion_layer(layer: int, depth: int) -> DetectorSpec:
    here = max(1, round(layer / PAPER_DEPTH * depth))
    label = f"layer {layer}" if depth == PAPER_DEPTH else f"layer {here} of {depth}, for {layer} of {PAPER_DEPTH}"
    return DetectorSpec(label, str(layer), CORIT, layers=(here, depth))


FUSION_LAYER = detector_table(12, _fusion_layers)


def _leave_one_out_needs(runner: Runner) -> list[FeatureRequest]:
    return [n for p in _left_out(runner) for n in requests_of(runner, p, corit_and_baselines(runner))]


def _left_out(runner: Runner) -> dict[str, str]:
    """Protocol -> the manipulation type that it leaves out, where both can be measured. Raises DataError for none."""
    names, problem = {}, None
    for name, kind in zip(LEFT_OUT, FORGERIES, strict=True):
        try:
            runner.protocol(name)
            names[name] = kind
        except DataError as err:
            problem = err
    if problem is not None and (not names or not runner.testbed.partial):
        raise problem
    return names


def _leave_one_out(runner: Runner) -> Content:
    """Each detector on each manipulation that it has not seen, and CoRIT's gain beside what the paper's text says."""
    left_out = _left_out(runner)
    protocols = [runner.protocol(p) for p in left_out]
    rows = []
    for detector in corit_and_baselines(runner):
        summaries = [measure(runner, p, detector) for p in protocols]
        values = {k: v for s in summaries for k, v in s.values.items()}
        rows.append(MeasuredRow(detector.label, detector.published, values))
    rows.append(MeasuredRow(GAIN, GAIN, {k: _gain(runner, p, k) for p, k in left_out.items()}))
    title, stand_ins = artefact("table6").title, runner.testbed.stand_ins
    table = ComparisonTable(title, METRICS["auc"], FORGERIES, tuple(rows), printed(6), stand_ins=stand_ins)
    counts = describe_counts({k: n for s in summaries for k, n in s.counts.items()}, protocols[0])
    notes = (runner.testbed.describe_stand_ins(FORGERIES), counts, *table.notes())
    caption = {"protocol": "faceforensics-without-*", "metric": METRICS["auc"]}
    return Content(table, notes=tuple(filter(None, notes)), caption=caption)


def _gain(runner: Runner, protocol: str, manipulation: str) -> Estimate:
    of, draws = runner.protocol(protocol), runner.settings.draws
    predictions = ({manipulation: runner.predictions(of, v)[manipulation]} for v in (UNIFD, CORIT))
    unifd, corit = (mean_over_test_sets(p, "auc", draws) for p in predictions)
    return corit.minus(unifd)


LEAVE_ONE_OUT = Maker(_leave_one_out_needs, _leave_one_out)

RANDOM = {"random weights 0": "random:0", "random weights 1": "random:1"}  # controls: what pretraining gives
BACKBONE_TITLES = dict(zip(("CLIP ViT-L", "CLIP ViT-B", "ImageNet ViT-L"), TABLE_10, strict=True))


def _backbones(runner: Runner) -> dict[str, tuple[str, str]]:
    """Title -> name and weights: the paper's on real data, the run's own and untrained ones in the miniature."""
    if runner.testbed.kind == "root":
        return {title: (name, "") for title, name in BACKBONE_TITLES.items()}
    own, weights = runner.settings.named_backbone
    return {own: (own, weights), **{title: (own, seeded) for title, seeded in RANDOM.items()}}


def backbone_variants(runner: Runner, model: str) -> dict[str, RecipeVariant]:
    """Return the variant of a model, "unifd" or "corit", on each backbone of Table X, by the backbone's title."""
    changes = {"model.kind": "unifd"} if model == "unifd" else {}
    return {title: RecipeVariant(model, changes, *named) for title, named in _backbones(runner).items()}


def _backbone_needs(runner: Runner) -> list[FeatureRequest]:
    protocol = runner.protocol(CROSS_DATASET)
    return [
        n for model in ("unifd", "corit") for n in feature_requests(protocol, backbone_variants(runner, model).values())
    ]


def _backbone_table(runner: Runner) -> Content:
    """The mean over the test sets for each backbone, and the gain with an interval of the pair."""
    protocol, known = runner.protocol(CROSS_DATASET), printed(10)
    rows, means = [], {}
    for model, label in (("unifd", "UniFD"), ("corit", "CoRIT")):
        predictions = {t: runner.predictions(protocol, v) for t, v in backbone_variants(runner, model).items()}
        means[model] = {t: mean_over_test_sets(p, "auc", runner.settings.draws) for t, p in predictions.items()}
        rows.append(MeasuredRow(label, "", {t: m.estimate for t, m in means[model].items()}))
    rows.append(MeasuredRow(GAIN, GAIN, {t: m.minus(means["unifd"][t]) for t, m in means["corit"].items()}))
    titles = tuple(dict.fromkeys([*means["corit"], *(q.column for q in known.quoted)]))
    table = ComparisonTable(artefact("table10").title, f"mean {METRICS['auc']}", titles, tuple(rows), known)
    variants = backbone_variants(runner, "corit")
    notes = (
        "The paper's Table X is not legible; its text claims +6.2 with CLIP ViT-B and +10.6 with ImageNet ViT-L.",
        "Random weights are the control: what a backbone gives that nobody trained.",
        runner.testbed.describe_stand_ins(tuple(s.title for s in protocol.test)),
        describe_counts(runner.summary(protocol, variants[titles[0]]).counts, protocol),
    )
    used = "; ".join(map(runner.describe_backbone, variants.values()))  # in the order of the columns
    caption = {"backbone": used, "protocol": CROSS_DATASET, "metric": table.metric}
    return Content(table, notes=tuple(filter(None, notes)), caption=caption)


BACKBONES = Maker(_backbone_needs, _backbone_table)
