"""Figures 1, 2, 3, 6 and 7 and Table VII: one diagnosis of the paper's two detectors, shown in six ways."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from corit.bench.runner import FeatureRequest, Runner
from corit.bench.testbed import FORGERIES
from corit.bench.variant import CORIT, UNIFD
from corit.diagnose.diagnosis import Diagnosis, DiagnosisCell, diagnose_stores
from corit.diagnose.features import FINAL
from corit.diagnose.plan import RECOMMENDED, DiagnosisPlan
from corit.diagnose.stores import read_stores
from corit.errors import DataError
from corit.features.store import FeatureStore
from corit.heads.head import HeadKind
from corit.heads.rows import Scaling
from corit.paper.artefact import Content, Maker
from corit.paper.comparison_table import ComparisonTable, MeasuredRow
from corit.paper.printed import printed
from corit.report import courses, planes, radii
from corit.serialise import number_text
from corit.theory.collapse import CHANCE, LEARNED, Radius

PROTOCOL = "faceforensics"
VARIANTS = {"UniFD": UNIFD, "CoRIT": CORIT}
MAIN: HeadKind = "mlp"  # a linear head is the convex case, in which SAM cannot reverse a batch's own gradient
# Fewer radii, steps and seeds than the defaults of `corit diagnose`, so that all artefacts take minutes.
RHOS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 1.0, 2.0, 5.0)
STEPS, SEEDS, ROWS = 400, 3, 500
# The paper's radii are presumably of raw features [choice]; linear heads on features of these scalings stand beside.
BESIDE: dict[Scaling, str] = {"centre": "centred", "standard": "standardised"}
NEURAL_TEXTURES = "NT"  # the manipulation of Table VII
CAPTION = {"protocol": PROTOCOL, "metric": "by the theory's instruments"}
# How to read figures of one kind.
AGAINST_RADIUS = (
    f"AUC against rho: medians over head seeds, bands their range; what lies on each other is equal. Dashed: rho = "
    f"{RECOMMENDED:g}, SAM's own default. Dotted: AUC {CHANCE:g}, below which a head has collapsed."
)
BY_LAYER = (
    "COR by layer: medians over head seeds, bars from the smallest to the largest; dotted lines "
    "the half-way radius, where the AUC has fallen half of the way from its best to 0.5. Open triangles: upwards no "
    "collapse up to the largest radius, downwards collapse at the first. "
    f"Crosses: never learned, no radius reaches an AUC of {LEARNED:g}. Dashed: rho = {RECOMMENDED:g}."
)
COURSES = (
    "GSNR on training rows: medians over head seeds, bands their range. Dots: the bottleneck step, where the bound "
    "(11) on the radius is lowest within the first phase, median over head seeds; hollow where most seeds have no "
    "later phase, so that it is lowest over the whole course."
)
PLANES = (
    "(a) contours, (b) surfaces: the loss of w + a u + b v on training rows; w is the head (the cross), u and v "
    "are two random directions, the same draws for every head, each output row scaled to the norm of the head's "
    "own (filter-normalised); a and b from -1 to 1.",
    f"One scale for all; losses above the {planes.CLIPPED} % quantile of all of them are drawn as that quantile.",
)


def needs(runner: Runner) -> list[FeatureRequest]:
    """List the features of both detectors at every layer."""
    protocol = runner.protocol(PROTOCOL)
    return [FeatureRequest(d, v, protocol, levels=True) for v in VARIANTS.values() for d in protocol.data]


def diagnosis(runner: Runner) -> Diagnosis:
    """Return the diagnosis of UniFD and CoRIT, computed once a run; finished sweeps are read from the run's folder."""
    return runner.cached("diagnosis", lambda: _diagnose(runner))


def beside(runner: Runner) -> dict[Scaling, Diagnosis]:
    """Return the diagnosis of linear heads on one forgery, NeuralTextures where it is there, in the other scalings.

    Raw features have a common mean, which centring takes away: what it changes stands beside what is raw.
    """
    each_store = list(diagnosis(runner).groups.values())
    shared = [g for g in each_store[0] if all(g in groups for groups in each_store)]
    group = NEURAL_TEXTURES if NEURAL_TEXTURES in shared else next(iter(shared), "")
    choose = partial(_diagnose, runner, heads=("linear",), groups=(group,))
    return {s: runner.cached(f"diagnosis, {s}", partial(choose, scaling=s)) for s in BESIDE if group}


def _diagnose(runner: Runner, **choices: Any) -> Diagnosis:
    runner.prepare(needs(runner))
    stores = [
        replace(m, name=n)
        for n, m in zip(VARIANTS, read_stores([runner.folder(n) for n in needs(runner)]), strict=True)
    ]
    reals = [int(((m.split == "train") & (m.y == 0)).sum()) for m in stores]
    out = runner.out / "theory" / f"{runner.testbed.key}-{runner.backbone().digest[:10]}"
    plan = replace(sweep_plan(runner, 2 * min(reals)), **choices)
    return diagnose_stores(stores, plan, out, bars=runner.bars)


def sweep_plan(runner: Runner, rows: int) -> DiagnosisPlan:
    """Return the plan of the sweeps, given the number of training rows of the smallest group."""
    return DiagnosisPlan(
        rhos=RHOS,
        scaling="raw",
        seeds=runner.settings.seeds[:SEEDS],
        steps=STEPS,
        batch=max(1, min(20, rows // 4)),
        rows=ROWS,
        refine=3,
    )


def notes(runner: Runner, manipulations: tuple[str, ...] = FORGERIES) -> tuple[str, ...]:
    """Return the notes on the measured rows, stand-ins first; the caption says how the heads are trained."""
    rows = "Each forgery against the reals; nothing is chosen on the test rows."
    below = (runner.testbed.describe_stand_ins(manipulations), rows, _counts(runner))
    units = (f"Units. {line}." for line in diagnosis(runner).unit_lines())
    return (*filter(None, below), *units, *(f"Left out. {n}." for n in diagnosis(runner).notes))


def _counts(runner: Runner) -> str:
    counts = FeatureStore.open(runner.folder(needs(runner)[-1])).counts()
    lost = sum(counts.values()) - counts.get("ok", 0)
    return f"{counts.get('ok', 0)} pictures of all splits{f'; {lost} could not be measured' if lost else ''}."


def caption(runner: Runner, heads: Sequence[str], rho: float | None = None) -> dict[str, Any]:
    """Return the caption fields that differ from those of the tables.

    Args:
        runner: the run.
        heads: the kinds of head that are shown.
        rho: the only radius that is shown, None where all are.
    """
    plan = diagnosis(runner).plan
    described = "; ".join(plan.describe(k, rho) for k in plan.heads if k in heads)
    rhos = {"rho": ", ".join(f"{r:g}" for r in plan.rhos)} if rho is None else {}
    return {**CAPTION, "head": described, **rhos, "seeds": list(plan.seeds)}


# Figure 1.
CENSORED_RADII = ("cor", "cor_censored", "halfway", "halfway_censored")


def _collapse(runner: Runner) -> Content:
    """(a) AUC against rho of both kinds of head; (b) COR by layer of the perceptron."""
    result = diagnosis(runner)
    head = ("panel", "detector", "head", "layer", "forgery", "seed", "rho", "auc", *CENSORED_RADII)
    rows = [("a", *row, *[""] * len(CENSORED_RADII)) for row in _auc_rows(result)]
    return Content(
        figures=(radii.against_radius(result), radii.layerwise(result, MAIN)),
        notes=(*notes(runner), f"(a) {AGAINST_RADIUS}", f"(b) {BY_LAYER}"),
        numbers=(head, *rows, *_radius_rows(result)),
        caption=caption(runner, result.plan.heads),
    )


def _auc_rows(result: Diagnosis) -> Iterator[tuple[str, ...]]:
    """Test AUC at each store's headline layer: detector, head, layer, forgery, seed, rho, AUC."""
    for c in result.headlines():
        for s, seed in enumerate(result.plan.seeds):
            for r, rho in enumerate(result.plan.rhos):
                yield (
                    c.store,
                    radii.TITLES[c.head],
                    c.at,
                    c.group,
                    str(seed),
                    f"{rho:g}",
                    number_text(c.auc[s, r], ".6g"),
                )


def _radius_rows(result: Diagnosis) -> Iterator[tuple[str, ...]]:
    """The radii of each seed; a censored one is empty, and the next column says how it is censored."""
    for c in result.where(head=MAIN):
        for seed, cor, half in zip(result.plan.seeds, c.collapse.radius, c.collapse.halfway, strict=True):
            cells = ("b", c.store, radii.TITLES[c.head], c.at, c.group, str(seed), "", "")
            yield (*cells, *_radius(cor), *_radius(half))


def _radius(radius: Radius) -> tuple[str, str]:
    return ("", str(radius)) if radius.censoring else (f"{radius.value:.6g}", "")


# Figure 2.
def _auc_by_radius(runner: Runner) -> Content:
    """(a) Test AUC against the radius, of linear heads and perceptrons; (b) its gain over the smallest radius."""
    result, others = diagnosis(runner), beside(runner)
    head = ("detector", "head", "layer", "forgery", "seed", "rho", "auc", "scaling")
    gains = radii.gains(result)
    legend = [f"(a) {AGAINST_RADIUS}"]
    if gains is not None:
        legend.append(
            f"(b) The gain over rho = {result.plan.rhos[0]:g}, seed by seed, up to rho = {radii.GAINS:g}, where the "
            "paper sees gains; medians over head seeds, bands their range, dotted: no gain."
        )
    if others:
        named = ", then ".join(BESIDE[s] for s in others)
        legend.append(f"Below: linear heads on {named} features, whose radii are in other units where that is said.")
    return Content(
        figures=(
            radii.against_radius(result),
            *([gains] if gains is not None else []),
            *map(radii.against_radius, others.values()),
        ),
        notes=(*notes(runner), *legend, *_unit_notes(others)),
        numbers=(head, *((*row, d.plan.scaling) for d in (result, *others.values()) for row in _auc_rows(d))),
        caption=caption(runner, result.plan.heads),
    )


def _unit_notes(others: Mapping[Scaling, Diagnosis]) -> tuple[str, ...]:
    return tuple(f"Units, {BESIDE[s]}. {line}." for s, d in others.items() for line in d.unit_lines())


# Figures 3 and 6.
def _gsnr(runner: Runner) -> Content:
    """Courses of the perceptron, trained without SAM; dots are the bottleneck steps."""
    result = diagnosis(runner)
    legend = f"(a) By forgery, at the last feature of each detector; (b) by layer, without bands. {COURSES}"
    return Content(
        figures=(courses.by_group(result, MAIN), courses.by_layer(result, MAIN)),
        notes=(*notes(runner), legend),
        numbers=tuple(_gsnr_rows(result, result.where(head=MAIN))),
        caption=caption(runner, (MAIN,), result.plan.reference),
    )


def _gsnr_comparison(runner: Runner) -> Content:
    """A panel for each forgery. Raises DataError when the two detectors share none."""
    result = diagnosis(runner)
    figure = courses.beside(result, MAIN)
    if figure is None:
        raise DataError(f"expected a forgery that both detectors were diagnosed on, got {dict(result.groups)}")
    return Content(
        figures=(figure,),
        notes=(*notes(runner), COURSES),
        numbers=tuple(_gsnr_rows(result, result.headlines(head=MAIN))),
        caption=caption(runner, (MAIN,), result.plan.reference),
    )


def _gsnr_rows(result: Diagnosis, cells: Sequence[DiagnosisCell]) -> list[tuple[str, ...]]:
    """GSNR along training, the column names first; the bottleneck step is marked."""
    head = ("detector", "head", "layer", "forgery", "seed", "step", "gsnr", "bottleneck")
    rows: list[tuple[str, ...]] = [head]
    for c in cells:
        for s, seed in enumerate(result.plan.seeds):
            for t, step in enumerate(c.course.steps.tolist()):
                mark = "" if step != c.step[s] else "yes" if np.isfinite(c.end[s]) else "yes, no later phase found"
                value = number_text(c.course.gsnr[t, 0, s, 0], ".6g")
                rows.append((c.store, radii.TITLES[c.head], c.at, c.group, str(seed), str(step), value, mark))
    return rows


# Figure 7.
def _landscapes(runner: Runner) -> Content:
    """Contours and surfaces of the perceptron's training loss, and the planes' curvature.

    Raises DataError when every head diverged.
    """
    result = diagnosis(runner)
    landscapes = planes.of_head(result, MAIN)
    head = ("detector", "forgery", "loss", "curvature x norm squared", "largest eigenvalue")
    rows = [
        (s, g, f"{float(p.centre):.4g}", f"{float(p.relative):.4g}", f"{float(p.largest):.4g}")
        for (s, g), p in landscapes.items()
    ]
    return Content(
        figures=(planes.contours(landscapes), planes.surfaces(landscapes)),
        notes=(*notes(runner), *PLANES),
        numbers=(head, *rows),
        caption={**caption(runner, (MAIN,), result.shown), "seeds": list(result.plan.seeds[:1])},
    )


# Table VII.
def _cor_by_layer(runner: Runner) -> Content:
    """COR and half-way radius at five layers: the perceptron's beside the paper's row, then the linear head's."""
    result, others, known = diagnosis(runner), beside(runner), printed(7)
    rows = [
        row for kind in (MAIN, *(k for k in result.plan.heads if k != MAIN)) for row in _measured_rows(result, kind)
    ]
    rows += [row for s, d in others.items() for row in _measured_rows(d, "linear", f", {BESIDE[s]}")]
    stood_for = runner.testbed.stand_ins.get(NEURAL_TEXTURES)
    shown = dict.fromkeys(known.columns, stood_for) if stood_for is not None else {}
    title = f"COR by layer on NeuralTextures ({NEURAL_TEXTURES})"
    table = ComparisonTable(title, "empirical COR", known.columns, tuple(rows), known, 1.0, 2, shown)
    return Content(
        table,
        notes=(
            *notes(runner, (NEURAL_TEXTURES,)),
            *_table_notes(runner, result),
            *_unit_notes(others),
            *table.notes(),
        ),
        caption=caption(runner, result.plan.heads),
    )


def _layers(result: Diagnosis, store: str) -> dict[str, int]:
    """The paper's columns -> the layers of a store, without the integrated feature."""
    return dict(zip(printed(7).columns, (l for l in result.layers[store] if l != FINAL), strict=True))


def _measured_rows(result: Diagnosis, kind: HeadKind, scaled: str = "") -> Iterator[MeasuredRow]:
    name = ("perceptron" if kind == MAIN else "linear head") + scaled
    for store in result.stores:
        cells = {c: cell(result, store, l, kind) for c, l in _layers(result, store).items()}
        paper = store if kind == MAIN else ""
        yield MeasuredRow(f"{store}, {name}", paper, {c: x.collapse.cor for c, x in cells.items()})
        yield MeasuredRow(f"{store}, {name}, half-way", "", {c: x.collapse.half for c, x in cells.items()})


def cell(result: Diagnosis, store: str, layer: int, kind: HeadKind) -> DiagnosisCell:
    """Return the cell of a store on NeuralTextures.

    Raises:
        DataError: when the store was not diagnosed on NeuralTextures.
    """
    cells = result.where(store=store, layer=layer, group=NEURAL_TEXTURES, head=kind)
    if not cells:
        groups = ", ".join(result.groups[store]) or "no forgery"
        why = "; ".join(result.notes)
        raise DataError(f"expected {store} to be diagnosed on {NEURAL_TEXTURES}, got {groups}. {why}".strip())
    return cells[0]


def _table_notes(runner: Runner, result: Diagnosis) -> tuple[str, ...]:
    layers = ", ".join(f"{c} is layer {l}" for c, l in _layers(result, result.stores[-1]).items())
    return (
        f"NeuralTextures ({NEURAL_TEXTURES}) against the reals: the radius at which test AUC falls below {CHANCE:g}.",
        "Half-way: the radius at which it is half of the way from its best to 0.5.",
        f"Ours: medians over {len(result.plan.seeds)} head seeds, in brackets the smallest and the largest: "
        "over head seeds, not videos.",
        f"Of {runner.backbone().depth} layers: {layers}.",
        "Radii are of raw features, as the paper's presumably are, but for the rows that name another scaling: these "
        "do not compare where their unit is another.",
    )


COLLAPSE = Maker(needs, _collapse)
AUC_BY_RADIUS = Maker(needs, _auc_by_radius)
GSNR = Maker(needs, _gsnr)
GSNR_COMPARISON = Maker(needs, _gsnr_comparison)
LANDSCAPES = Maker(needs, _landscapes)
COR_BY_LAYER = Maker(needs, _cor_by_layer)
