"""Claims on training courses and landscapes: flatness at equal loss, transitions, Theorem 1's terms, curvature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from corit.heads.head import HeadKind
from corit.heads.rows import Scaling
from corit.studies.findings.claims import Claim, Thresholds
from corit.studies.findings.further_claims import DRIFT, SPREAD
from corit.studies.findings.main_claims import HEADS
from corit.studies.findings.measurements import mean
from corit.studies.findings.rank_correlation import spearman
from corit.studies.findings.stored.collapsing import SCALED, setting
from corit.studies.findings.stored.measured import Measured
from corit.studies.findings.stored.plan import CORIT, UNIFD, Case
from corit.studies.findings.sweeps import rounded


def pairs(cases: Sequence[Case], variant: str = UNIFD) -> list[tuple[HeadKind, Scaling]]:
    """Return head and scaling of a variant's cases."""
    return [(c.head, c.scaling) for c in cases if c.variant == variant]


def raw(some: Sequence[tuple[HeadKind, Scaling]]) -> list[HeadKind]:
    """Return the heads whose raw features are among some pairs of head and scaling."""
    return [h for h, s in some if s == "raw"]


def named(head: HeadKind, scaling: Scaling) -> str:
    """Return head and scaling in words."""
    return f"{HEADS[head]}, {SCALED[scaling]}"


def claims(data: Measured) -> list[Claim]:
    """Return the claims."""
    both = any({UNIFD, CORIT} <= set(f.stores) for f in data.forgeries)
    compared = [flatter(data), earlier(data)] if both else []
    return [*compared, misspecification(data), steady(data), bound(data)]


def flatter(data: Measured) -> Claim:
    """Claim: at equal training loss the loss around CoRIT's heads is flatter."""
    some = pairs(data.plan.landscape_cases)
    effects = {
        f"{named(h, s)}, {words}": data.effect(flatness, Case(UNIFD, h, s), f)
        for f, words in (
            ("rise", "rise"),
            ("relative", "relative curvature"),
            ("largest", "lambda_max"),
            ("centre", "loss"),
        )
        for h, s in some
    }
    return Claim(
        "flatter landscape at equal loss",
        "At one and the same training loss, the loss around CoRIT's head is flatter than around UniFD's",
        "log10 (UniFD / CoRIT) of the highest rise of the training loss within one filter-normalised radius in a "
        "random plane, mean over forgeries, heads stopped at the loss that both models reach: above 0 with "
        "each head that was measured, on raw and centred features",
        setting(data, f"layer {data.plan.some_layers[-1]}, SAM rho {data.plan.watched}, full training set"),
        effects,
        {f"{named(h, s)}, rise": Thresholds() for h, s in some},
    )


def flatness(data: Measured, split: int, case: Case, figure: str) -> np.ndarray:
    """Return log10 of UniFD's landscape measure over CoRIT's, mean over forgeries (S)."""
    cells = data.cells(case, split, "landscapes")
    logs = [np.log10(np.maximum(np.array([c[v][figure] for c in cells], float), 1e-12)) for v in (UNIFD, CORIT)]
    return mean(logs[0] - logs[1])


def earlier(data: Measured) -> Claim:
    """Claim: CoRIT enters the optimisation phase earlier."""
    some = pairs(data.plan.course_cases, CORIT)
    never = {f"{v}, {named(h, s)}": _never(data, Case(v, h, s)) for v in (UNIFD, CORIT) for h, s in some}
    return Claim(
        "earlier transition",
        "CoRIT enters the optimisation phase earlier than UniFD",
        "log2 (UniFD / CoRIT) of the last step of phase (i), mean over (forgery, layer) cells, a phase without an end "
        "counted as long as the course: above 0 on raw features, the paper's, with each head that was measured",
        setting(data, f"SAM rho {data.plan.watched}; detector: broken line on log GSNR"),
        {named(h, s): data.effect(lead, h, s) for h, s in some},
        {named(h, "raw"): Thresholds() for h in raw(some)},
        {"share of courses without a transition": never, "observed every": data.plan.watch_every},
    )


def lead(data: Measured, split: int, head: HeadKind, scaling: Scaling) -> np.ndarray:
    """Return log2 of UniFD's last step of phase (i) over CoRIT's, mean over cells that both have (S)."""
    places = [data.places(Case(v, head, scaling), split, "courses") for v in (UNIFD, CORIT)]
    shared = [p for p in places[0] if p in places[1]]
    ends = [
        _start(data, Case(v, head, scaling), split)[[all_.index(p) for p in shared]]
        for v, all_ in zip((UNIFD, CORIT), places, strict=True)
    ]
    return mean(np.log2(ends[0] / ends[1]))


def _start(data: Measured, case: Case, split: int) -> np.ndarray:
    """The last step of phase (i) (C, S); the course's length where it never ends."""
    steps = data.column(case, split, "start", "courses")
    return np.maximum(np.where(np.isnan(steps), data.plan.steps, steps), data.plan.watch_every)


def _never(data: Measured, case: Case) -> Any:
    shares = [np.isnan(data.column(case, s, "start", "courses")).mean() for s in data.plan.splits]
    return rounded(np.mean(shares))


def misspecification(data: Measured) -> Claim:
    """Claim: the misspecification term does not depend on the forgery."""
    some = pairs(data.plan.course_cases)
    terms = ("misspecification", "statistical", "geometric")
    effects = {
        f"{named(h, s)}, {t}": data.effect(spread, Case(UNIFD, h, s), t, sign=-1) for t in terms for h, s in some
    }
    value = {
        named(h, s): rounded(
            np.nanmean([data.column(Case(UNIFD, h, s), k, "misspecification", "courses") for k in data.plan.splits])
        )
        for h, s in some
    }
    return Claim(
        "misspecification term",
        "The misspecification term of Theorem 1 does not depend on the forgery",
        "less the relative spread over forgeries (largest less smallest, over the mean) of the term at the bottleneck "
        "of phase (i), mean over layers: shown above -5 %, not shown below -20 %, both heads on raw features",
        setting(data, f"UniFD, SAM rho {data.plan.watched}, full training set"),
        effects,
        {f"{named(h, 'raw')}, misspecification": SPREAD for h in raw(some)},
        {"mean value of the term": value},
    )


def spread(data: Measured, split: int, case: Case, term: str) -> np.ndarray:
    """Return (largest - smallest) / mean over forgeries of a term at the bottleneck, mean over layers (S)."""
    places, values = data.places(case, split, "courses"), data.column(case, split, term, "courses")
    by_layer = []
    for layer in data.plan.course_layers(case):
        some = values[[l == layer for l, _ in places]]
        by_layer.append((some.max(0) - some.min(0)) / some.mean(0))
    return mean(np.stack(by_layer))


def steady(data: Measured) -> Claim:
    """Claim: curvature changes little within the ball of SAM's radius."""
    some = pairs(data.plan.course_cases)
    radii = _drifts(data, Case(UNIFD, "linear", "raw"), data.plan.splits[0])[0][0]["radii"]
    effects = {
        f"{named(h, s)}, rho {r:g}": data.effect(drifted, h, s, i, sign=-1)
        for i, r in enumerate(radii)
        for h, s in some
    }
    return Claim(
        "curvature drift",
        "lambda_max(H) changes little over the ball of SAM's radius",
        "less the largest relative change of lambda_max, before and after training, over the directions tried, mean "
        "over forgeries, at rho 0.05 in raw units: shown above -10 %, not shown below -50 %, both heads, raw",
        setting(data, f"UniFD, layer {data.plan.some_layers[-1]}, full training set"),
        effects,
        {f"{named(h, 'raw')}, rho 0.05": DRIFT for h in raw(some)},
    )


def _drifts(data: Measured, case: Case, split: int) -> list[list[dict[str, Any]]]:
    return [c["drift"] for c in data.cells(case, split, "courses") if "drift" in c]


def drifted(data: Measured, split: int, head: HeadKind, scaling: Scaling, radius: int) -> np.ndarray:
    """Return the largest change of lambda_max over the points of a course at one radius, mean over forgeries (S)."""
    cells = _drifts(data, Case(UNIFD, head, scaling), split)
    return mean(np.stack([np.array([p["drift"][radius] for p in c], float).max(0) for c in cells]))


def bound(data: Measured) -> Claim:
    """Claim: the bound orders cells as the empirical COR does, and how far below it lies."""
    some = pairs(data.plan.course_cases)
    effects = {named(h, s): data.effect(_bound_ranks, h, s) for h, s in some}
    effects |= {f"log10 (empirical / analytic), {named(h, s)}": data.effect(_looseness, h, s) for h, s in some}
    return Claim(
        "analytic COR",
        "The analytic COR, min of norm(grad) / lambda_max over phase (i), orders cells as the empirical COR does",
        "rank correlation over (forgery, layer) cells, same split and head seed (linear head: COR relative to the "
        "floor): shown above 0.3 in every split and the interval, not shown up to 0, both heads on raw features",
        setting(data, f"UniFD; bound along SAM rho {data.plan.watched}"),
        effects,
        {named(h, "raw"): Thresholds(0.3, 0.0) for h in raw(some)},
    )


def _both(data: Measured, split: int, head: HeadKind, scaling: Scaling) -> tuple[np.ndarray, np.ndarray]:
    """Empirical COR and bound (C, S) of the cells that were swept and observed."""
    case, kind = Case(UNIFD, head, scaling), "relative" if head == "linear" else "cor"
    swept, seen = data.places(case, split), data.places(case, split, "courses")
    cor = data.radii(case, split, kind)[[swept.index(p) for p in seen]][:, : len(data.plan.course_seeds)]
    return cor, data.column(case, split, "bound", "courses")


def _bound_ranks(data: Measured, split: int, head: HeadKind, scaling: Scaling) -> np.ndarray:
    cor, analytic = _both(data, split, head, scaling)
    return np.array([spearman(c, b) for c, b in zip(cor.T, analytic.T, strict=True)])


def _looseness(data: Measured, split: int, head: HeadKind, scaling: Scaling) -> np.ndarray:
    cor, analytic = _both(data, split, head, scaling)
    return mean(np.log10(cor / analytic))
