"""The paper's further claims and the convexity argument, with rules as in `main_claims`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from corit.studies.findings.claims import Claim, Effect, Thresholds
from corit.studies.findings.gradient_opposition import MULTIPLES
from corit.studies.findings.main_claims import HEADS, MODELS, setting
from corit.studies.findings.measurements import GSNR_FLOOR, Case, Measurements, mean
from corit.studies.findings.rank_correlation import spearman
from corit.studies.findings.sweeps import rounded

SPREAD = Thresholds(-0.05, -0.2)
DRIFT = Thresholds(-0.1, -0.5)
ESTIMATES = Thresholds(0.3, 0.1)
RAISES = Thresholds(0.02, 0.0)  # log10
EXACT = Thresholds(-1e-9, -1e-9)
HOLDS = Thresholds(-0.001, -0.05)


def claims(data: Measurements) -> list[Claim]:
    """Return the further claims."""
    return [
        misspecification(data),
        earlier(data),
        small_drift(data),
        *proxies(data),
        pooling(data),
        masking(data),
        analytic(data),
        monotone(data),
        sufficient(data),
    ]


def _effect(data: Measurements, function: Callable[..., Any], *arguments: Any) -> Effect:
    """The effect function(data, seed, *arguments) over encoder seeds."""
    return Effect.of([function(data, e, *arguments) for e in data.plan.encoders])


def misspecification(data: Measurements) -> Claim:
    """Claim: the misspecification term does not depend on the manipulation type."""
    spread = lambda case, name: _effect(data, _evenness, case, name)
    names = ("misspecification", "statistical", "geometric")
    effects = {f"{HEADS[h]}, {n}": spread(Case(head=h), n) for h in HEADS for n in names}
    effects |= {f"corit, {n}": spread(Case("corit"), n) for n in names}
    value = {
        h: rounded(
            np.mean([data.column(Case(head=h), e, "misspecification", "courses").mean() for e in data.plan.encoders])
        )
        for h in HEADS
    }
    return Claim(
        "misspecification term",
        "The misspecification term of Theorem 1 does not depend on the forgery",
        "less the relative spread over types (largest less smallest, over the mean) of the term at the bottleneck of "
        "phase (i), mean over layers: shown above -5 %, not shown below -20 %, both heads",
        setting(data, f"UniFD, standardised, SAM rho {data.plan.watched}, full training set"),
        effects,
        {f"{HEADS[h]}, misspecification": SPREAD for h in HEADS},
        {"mean value of the term": value},
    )


def _evenness(data: Measurements, seed: int, case: Case, factor: str) -> np.ndarray:
    return -spread_over_types(data, seed, case, factor)


def spread_over_types(data: Measurements, seed: int, case: Case, factor: str) -> np.ndarray:
    """Return (largest - smallest) / mean over types of a factor at the bottleneck, mean over layers (S)."""
    places = data.places(case, seed, "courses")
    values = data.column(case, seed, factor, "courses")
    by_layer = []
    for layer in data.plan.layers:
        some = values[[l == layer for l, _ in places]]
        by_layer.append((some.max(0) - some.min(0)) / some.mean(0))
    return mean(np.stack(by_layer))


def earlier(data: Measurements) -> Claim:
    """Claim: CoRIT enters the optimisation phase earlier."""
    effects = {HEADS[h]: _effect(data, lead, h) for h in HEADS}
    never = {f"{v}, {HEADS[h]}": rounded(_never(data, v, h)) for v in MODELS for h in HEADS}
    return Claim(
        "earlier transition",
        "CoRIT enters the optimisation phase earlier than UniFD",
        "log2 (UniFD / CoRIT) of the last step of phase (i), mean over (type, layer) cells, a phase without an end "
        "counted as long as the course: above 0 with both heads",
        setting(
            data,
            f"every layer, standardised, SAM rho {data.plan.watched}; detector: broken line on log GSNR",
        ),
        effects,
        {HEADS[h]: Thresholds() for h in HEADS},
        {"share of courses without a transition": never, "observed every": data.plan.watch_every},
    )


def lead(data: Measurements, seed: int, head: str) -> np.ndarray:
    """Return log2 of UniFD's last step of phase (i) over CoRIT's, mean over cells (S)."""
    return mean(np.log2(_start(data, "unifd", head, seed) / _start(data, "corit", head, seed)))


def _start(data: Measurements, variant: str, head: str, seed: int) -> np.ndarray:
    return np.maximum(data.start(Case(variant, head), seed), data.plan.watch_every)


def _never(data: Measurements, variant: str, head: str) -> float:
    shares = [np.isnan(data.column(Case(variant, head), e, "start", "courses")).mean() for e in data.plan.encoders]
    return float(np.mean(shares))


def small_drift(data: Measurements) -> Claim:
    """Claim: curvature changes little within the ball of SAM's radius."""
    effects: dict[str, Effect] = {}
    for h in HEADS:
        radii = _drift_cells(data, Case(head=h), data.plan.encoders[0])[0][0]["radii"]
        for k, rho in enumerate(radii):
            effects[f"{HEADS[h]}, rho {rho:g}"] = _effect(data, _steadiness, h, k)
    return Claim(
        "curvature drift",
        "lambda_max(H) changes little over the ball of SAM's radius",
        "less the largest relative change of lambda_max over the directions and points of the course that were tried, "
        "mean over types and models, at rho 0.05: shown above -10 %, not shown below -50 %, both heads",
        setting(data, "UniFD and CoRIT, last layer, standardised, full training set"),
        effects,
        {f"{HEADS[h]}, rho 0.05": DRIFT for h in HEADS},
    )


def _drift_cells(data: Measurements, case: Case, seed: int) -> list[list[dict[str, Any]]]:
    return [c["drift"] for c in data.cells(case, seed, "courses") if "drift" in c]


def _steadiness(data: Measurements, seed: int, head: str, radius: int) -> np.ndarray:
    return -drifted(data, seed, head, radius)


def drifted(data: Measurements, seed: int, head: str, radius: int) -> np.ndarray:
    """Return the largest change of lambda_max over a course's points at one radius, mean over types and models (S)."""
    cells = [c for v in MODELS for c in _drift_cells(data, Case(v, head), seed)]
    return mean(np.stack([np.array([p["drift"][radius] for p in c], float).max(0) for c in cells]))


def proxies(data: Measurements) -> list[Claim]:
    """Claims: the contrastive gradient proxy agrees with the true gradient."""
    names = {
        "own": "cosine",
        "inside": "foreground tokens",
        "other": "another picture's",
        "random": "random",
        "size": "size of the cosine",
        "random_size": "size of a random one's",
        "first_order": "promised against actual rise",
    }
    effects = {name: _effect(data, _mean_proxy, field) for field, name in names.items()}
    above = Effect.of([_mean_proxy(data, e, "own") - _mean_proxy(data, e, "other") for e in data.plan.encoders])
    layers = [c["layer"] for c in data.proxy[data.plan.encoders[0]]["cells"]]
    by = {
        str(l): rounded(np.mean([_proxy(data, e, "own")[i].mean() for e in data.plan.encoders]))
        for i, l in enumerate(layers)
    }
    where = setting(
        data,
        f"CoRIT, layers {', '.join(map(str, layers))}, linear head on z, SAM rho {data.plan.watched}",
    )
    numbers = {"cosine by layer": by, "pictures": data.proxy[data.plan.encoders[0]]["pictures"]}
    return [
        Claim(
            "proxy, picture by picture",
            "The contrastive proxy V~ - V tells of the gradient of the picture it was made from",
            "cosine of the proxy with the gradient of the head's score by the patch tokens, less that of another "
            "picture's proxy: above 0",
            where,
            {"own less another's": above, **effects},
            {"own less another's": Thresholds()},
            numbers,
        ),
        Claim(
            "proxy as an estimate",
            "The contrastive proxy points along the gradient",
            "cosine of the proxy with the gradient over all patch tokens, mean over pictures and layers: shown above "
            "0.3, not shown up to 0.1",
            where,
            {"cosine": effects["cosine"]},
            {"cosine": ESTIMATES},
            numbers,
        ),
    ]


def _mean_proxy(data: Measurements, seed: int, field: str) -> np.ndarray:
    return mean(_proxy(data, seed, field))


def _proxy(data: Measurements, seed: int, field: str) -> np.ndarray:
    """(layers, S)."""
    return np.array([c[field] for c in data.proxy[seed]["cells"]], float)


def pooling(data: Measurements) -> Claim:
    """Claim: pooling raises the regional GSNR over single patches."""
    return _regional(
        data,
        "pooling raises regional GSNR",
        "Averaging a region's patches raises the GSNR over that of a single patch",
        ("pooled", "patch"),
        Thresholds(),
        "above 0",
    )


def masking(data: Measurements) -> Claim:
    """Claim: the mask raises the regional GSNR further."""
    return _regional(
        data,
        "masking raises regional GSNR",
        "Averaging over the refinement mask raises the GSNR over the whole region's average",
        ("masked", "pooled"),
        RAISES,
        "shown above 0.02, not shown up to 0",
    )


def _regional(data: Measurements, name: str, claim: str, fields: tuple[str, str], bars: Thresholds, rule: str) -> Claim:
    regions = ("foreground", "boundary", "background")
    of = lambda r: Effect.of([_log_ratio(data, e, r, *fields) for e in data.plan.encoders])
    kept = {r: rounded(np.mean([_region(data, e, r, "kept").mean() for e in data.plan.encoders])) for r in regions}
    return Claim(
        name,
        claim,
        f"log10 ratio of GSNR at w = 0, corrected by identity, in the foreground, mean over types and the levels l_m "
        f"and L: {rule}",
        setting(data, f"CoRIT's patch tokens, training identities; GSNR below {GSNR_FLOOR:g} counts as that"),
        {r: of(r) for r in regions},
        {"foreground": bars},
        {"share of the region's patches that the mask keeps": kept},
    )


def _region(data: Measurements, seed: int, region: str, field: str) -> np.ndarray:
    cells = [c for c in data.regional[seed]["cells"] if c["region"] == region]
    return np.array([c[field] for c in cells], float)


def _log_ratio(data: Measurements, seed: int, region: str, above: str, below: str) -> float:
    logs = [np.log10(np.maximum(_region(data, seed, region, f), GSNR_FLOOR)) for f in (above, below)]
    return float(mean(logs[0] - logs[1]))


def analytic(data: Measurements) -> Claim:
    """Claim: the bound orders cells as the empirical COR does."""
    of = lambda case, field: _effect(data, bound_ranks, case, field)
    effects = {
        "UniFD": of(Case(), "bound"),
        "UniFD, whole course": of(Case(), "bound_whole"),
        "CoRIT": of(Case("corit"), "bound"),
    }
    factors = {
        f"UniFD, {f}": of(Case(), f)
        for f in ("geometric", "misspecification", "statistical", "gsnr_early", "gsnr_first")
    }
    size = _effect(data, _looseness)
    return Claim(
        "analytic COR",
        "The analytic COR, min of norm(grad) / lambda_max over phase (i), orders cells as the empirical COR does",
        "rank correlation over (type, layer) cells, same head seed: shown above 0.3 in every seed and the interval, "
        "not shown up to 0",
        setting(data, f"UniFD, perceptron, standardised; bound along SAM rho {data.plan.watched}"),
        effects | factors | {"log10 (empirical / analytic)": size},
        {"UniFD": Thresholds(0.3, 0.0)},
    )


def _looseness(data: Measurements, seed: int) -> np.ndarray:
    return mean(np.log10(data.cor(Case(), seed) / data.column(Case(), seed, "bound", "courses")))


def bound_ranks(data: Measurements, seed: int, case: Case, field: str) -> np.ndarray:
    """Return the rank correlation of empirical COR with a field of the courses, over cells (S)."""
    bound, cor = data.column(case, seed, field, "courses"), data.cor(case, seed)
    return np.array([spearman(c, b) for c, b in zip(cor.T, bound.T, strict=True)])


def _seen(data: Measurements, seed: int, head: str, field: str) -> np.ndarray:
    """A field of the opposition record: (cells, S, K)."""
    return np.array([c[field] for c in data.opposition[seed]["cells"] if c["head"] == head], float)


def monotone(data: Measurements) -> Claim:
    """Claim: on its own batch, SAM never opposes the gradient of a linear head."""
    effects = {HEADS[h]: _effect(data, _margin, h) for h in HEADS}
    turned = {
        HEADS[h]: rounded(np.mean([(_seen(data, e, h, "own_least") < 0).mean((0, 1)) for e in data.plan.encoders], 0))
        for h in HEADS
    }
    return Claim(
        "convexity",
        "For a linear logistic head the perturbed gradient never opposes its own batch's gradient, or the full set's",
        "the least <g_B(w+e), g_B(w)> / norm(g_B)^2 over batches, batch sizes, points, types and radii, less 1: at "
        "least -1e-9 (rounding). The perceptron stands beside it and does not decide",
        setting(data, "UniFD, last layer, radii from a quarter to 50 times the bound (8)"),
        effects,
        {HEADS["linear"]: EXACT},
        {"share of cases with an opposed batch, by multiple of (8)": turned, "multiples": list(MULTIPLES)},
    )


def _margin(data: Measurements, seed: int, head: str) -> np.ndarray:
    return _seen(data, seed, head, "own_least").min((0, 2)) - 1


def sufficient(data: Measurements) -> Claim:
    """Claim: (8) with lambda_max(H) is sufficient for (3)."""
    effects = {HEADS[h]: _effect(data, _kept, h) for h in HEADS}
    beyond = {HEADS[h]: _positive(data, h) for h in HEADS}
    return Claim(
        "sufficiency of (8)",
        "Below norm(grad) / lambda_max(H), SAM's expected step does not oppose the full gradient (3)",
        "less the share of (type, point, batch size) at which the expectation over mini-batches is not positive at a "
        "quarter or a half of the bound: shown above -0.1 %, not shown below -5 %, both heads",
        setting(data, "UniFD, last layer, standardised; mini-batches of 1, 5, 20 and all rows, each row once"),
        effects,
        {HEADS[h]: HOLDS for h in HEADS},
        {"share of cases with a positive expectation": beyond, "multiples of the bound": list(MULTIPLES)},
    )


def _kept(data: Measurements, seed: int, head: str) -> np.ndarray:
    return -violated(data, seed, head)


def violated(data: Measurements, seed: int, head: str) -> np.ndarray:
    """Return the share of cases (S) in which (3) fails below the bound."""
    radii = [m < 1 for m in MULTIPLES]
    return (_seen(data, seed, head, "expectation")[:, :, radii] <= 0).mean((0, 2))


def _positive(data: Measurements, head: str) -> dict[str, Any]:
    """By batch size: the share of cases with a positive expectation at each multiple of the bound."""
    table: dict[str, Any] = {}
    for size in dict.fromkeys(str(c["batch"]) for c in data.opposition[data.plan.encoders[0]]["cells"]):
        cells = [
            np.array(c["expectation"], float)
            for e in data.plan.encoders
            for c in data.opposition[e]["cells"]
            if c["head"] == head and str(c["batch"]) == size
        ]
        table[size] = rounded((np.concatenate(cells) > 0).mean(0))
    return table
