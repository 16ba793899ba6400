"""The paper's smaller assertions and the convexity argument, each a rule as in `headline`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from corit.studies.findings.atlas import plain
from corit.studies.findings.book import FLOOR, Book, Key, mean
from corit.studies.findings.claims import Bars, Claim, Effect
from corit.studies.findings.headline import HEADS, MODELS, setting
from corit.studies.findings.opposition import MULTIPLES
from corit.studies.findings.ranks import spearman

SPREAD = Bars(-0.05, -0.2)
DRIFT = Bars(-0.1, -0.5)
ESTIMATES = Bars(0.3, 0.1)
RAISES = Bars(0.02, 0.0)  # log10
EXACT = Bars(-1e-9, -1e-9)
HOLDS = Bars(-0.001, -0.05)


def claims(book: Book) -> list[Claim]:
    """All of them."""
    return [
        misspecification(book),
        earlier(book),
        small_drift(book),
        *proxies(book),
        pooling(book),
        masking(book),
        analytic(book),
        monotone(book),
        sufficient(book),
    ]


def _effect(book: Book, function: Callable[..., Any], *given: Any) -> Effect:
    """function(book, encoder seed, *given) of every encoder seed."""
    return Effect.of([function(book, e, *given) for e in book.plan.encoders])


def misspecification(book: Book) -> Claim:
    """The misspecification term does not depend on the forgery."""
    spread = lambda key, name: _effect(book, _evenness, key, name)
    names = ("misspecification", "statistical", "geometric")
    effects = {f"{HEADS[h]}, {n}": spread(Key(head=h), n) for h in HEADS for n in names}
    effects |= {f"corit, {n}": spread(Key("corit"), n) for n in names}
    value = {
        h: plain(
            np.mean([book.column(Key(head=h), e, "misspecification", "courses").mean() for e in book.plan.encoders])
        )
        for h in HEADS
    }
    return Claim(
        "misspecification term",
        "The misspecification term of Theorem 1 does not depend on the forgery",
        "less the relative spread over types (largest less smallest, over the mean) of the term at the bottleneck of "
        "phase (i), mean over layers: shown above -5 %, not shown below -20 %, both heads",
        setting(book, f"UniFD, standardised, SAM rho {book.plan.watched}, full training set"),
        effects,
        {f"{HEADS[h]}, misspecification": SPREAD for h in HEADS},
        {"mean value of the term": value},
    )


def _evenness(book: Book, seed: int, key: Key, factor: str) -> np.ndarray:
    return -spread_over_types(book, seed, key, factor)


def spread_over_types(book: Book, seed: int, key: Key, factor: str) -> np.ndarray:
    """(largest - smallest) / mean over types of a factor at the bottleneck, mean over layers, (S)."""
    places = book.places(key, seed, "courses")
    values = book.column(key, seed, factor, "courses")
    by_layer = []
    for layer in book.plan.layers:
        some = values[[l == layer for l, _ in places]]
        by_layer.append((some.max(0) - some.min(0)) / some.mean(0))
    return mean(np.stack(by_layer))


def earlier(book: Book) -> Claim:
    """CoRIT enters the optimisation phase earlier."""
    effects = {HEADS[h]: _effect(book, lead, h) for h in HEADS}
    never = {f"{v}, {HEADS[h]}": plain(_never(book, v, h)) for v in MODELS for h in HEADS}
    return Claim(
        "earlier transition",
        "CoRIT enters the optimisation phase earlier than UniFD",
        "log2 (UniFD / CoRIT) of the last step of phase (i), mean over (type, layer) cells, a phase without an end "
        "counted as long as the course: above 0 with both heads",
        setting(book, f"every layer, standardised, SAM rho {book.plan.watched}; detector: broken line on log GSNR"),
        effects,
        {HEADS[h]: Bars() for h in HEADS},
        {"share of courses without a transition": never, "observed every": book.plan.watch_every},
    )


def lead(book: Book, seed: int, head: str) -> np.ndarray:
    """log2 of how much later UniFD's phase (i) ends than CoRIT's, mean over cells, (S)."""
    return mean(np.log2(_start(book, "unifd", head, seed) / _start(book, "corit", head, seed)))


def _start(book: Book, variant: str, head: str, seed: int) -> np.ndarray:
    return np.maximum(book.start(Key(variant, head), seed), book.plan.watch_every)


def _never(book: Book, variant: str, head: str) -> float:
    found = [np.isnan(book.column(Key(variant, head), e, "start", "courses")).mean() for e in book.plan.encoders]
    return float(np.mean(found))


def small_drift(book: Book) -> Claim:
    """Curvature changes little over the ball."""
    effects: dict[str, Effect] = {}
    for h in HEADS:
        radii = _drift_cells(book, Key(head=h), book.plan.encoders[0])[0][0]["radii"]
        for k, rho in enumerate(radii):
            effects[f"{HEADS[h]}, rho {rho:g}"] = _effect(book, _steadiness, h, k)
    return Claim(
        "curvature drift",
        "lambda_max(H) changes little over the ball of SAM's radius",
        "less the largest relative change of lambda_max over the directions and points of the course that were tried, "
        "mean over types and models, at rho 0.05: shown above -10 %, not shown below -50 %, both heads",
        setting(book, "UniFD and CoRIT, last layer, standardised, full training set"),
        effects,
        {f"{HEADS[h]}, rho 0.05": DRIFT for h in HEADS},
    )


def _drift_cells(book: Book, key: Key, seed: int) -> list[list[dict[str, Any]]]:
    return [c["drift"] for c in book.cells(key, seed, "courses") if "drift" in c]


def _steadiness(book: Book, seed: int, head: str, radius: int) -> np.ndarray:
    return -drifted(book, seed, head, radius)


def drifted(book: Book, seed: int, head: str, radius: int) -> np.ndarray:
    """The worst drift over a course's points at one radius, mean over types and models, (S)."""
    cells = [c for v in MODELS for c in _drift_cells(book, Key(v, head), seed)]
    return mean(np.stack([np.array([p["drift"][radius] for p in c], float).max(0) for c in cells]))


def proxies(book: Book) -> list[Claim]:
    """The contrastive gradient proxy against the true gradient."""
    names = {
        "own": "cosine",
        "inside": "foreground tokens",
        "other": "another picture's",
        "random": "random",
        "size": "size of the cosine",
        "random_size": "size of a random one's",
        "first_order": "promised against actual rise",
    }
    effects = {name: _effect(book, _mean_proxy, field) for field, name in names.items()}
    above = Effect.of([_mean_proxy(book, e, "own") - _mean_proxy(book, e, "other") for e in book.plan.encoders])
    layers = [c["layer"] for c in book.proxy[book.plan.encoders[0]]["cells"]]
    by = {
        str(l): plain(np.mean([_proxy(book, e, "own")[i].mean() for e in book.plan.encoders]))
        for i, l in enumerate(layers)
    }
    where = setting(book, f"CoRIT, layers {', '.join(map(str, layers))}, linear head on z, SAM rho {book.plan.watched}")
    numbers = {"cosine by layer": by, "pictures": book.proxy[book.plan.encoders[0]]["pictures"]}
    return [
        Claim(
            "proxy, picture by picture",
            "The contrastive proxy V~ - V tells of the gradient of the picture it was made from",
            "cosine of the proxy with the gradient of the head's score by the patch tokens, less that of another "
            "picture's proxy: above 0",
            where,
            {"own less another's": above, **effects},
            {"own less another's": Bars()},
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


def _mean_proxy(book: Book, seed: int, field: str) -> np.ndarray:
    return mean(_proxy(book, seed, field))


def _proxy(book: Book, seed: int, field: str) -> np.ndarray:
    """(layers, S)."""
    return np.array([c[field] for c in book.proxy[seed]["cells"]], float)


def pooling(book: Book) -> Claim:
    """Pooling raises the regional GSNR over single patches."""
    return _regional(
        book,
        "pooling raises regional GSNR",
        "Averaging a region's patches raises the GSNR over that of a single patch",
        ("pooled", "patch"),
        Bars(),
        "above 0",
    )


def masking(book: Book) -> Claim:
    """The mask raises the regional GSNR further."""
    return _regional(
        book,
        "masking raises regional GSNR",
        "Averaging over the refinement mask raises the GSNR over the whole region's average",
        ("masked", "pooled"),
        RAISES,
        "shown above 0.02, not shown up to 0",
    )


def _regional(book: Book, name: str, claim: str, fields: tuple[str, str], bars: Bars, rule: str) -> Claim:
    regions = ("foreground", "boundary", "background")
    of = lambda r: Effect.of([_log_ratio(book, e, r, *fields) for e in book.plan.encoders])
    kept = {r: plain(np.mean([_region(book, e, r, "kept").mean() for e in book.plan.encoders])) for r in regions}
    return Claim(
        name,
        claim,
        f"log10 ratio of GSNR at w = 0, corrected by identity, in the foreground, mean over types and the levels l_m "
        f"and L: {rule}",
        setting(book, f"CoRIT's patch tokens, training identities; GSNR below {FLOOR:g} counts as that"),
        {r: of(r) for r in regions},
        {"foreground": bars},
        {"share of the region's patches that the mask keeps": kept},
    )


def _region(book: Book, seed: int, region: str, field: str) -> np.ndarray:
    cells = [c for c in book.regional[seed]["cells"] if c["region"] == region]
    return np.array([c[field] for c in cells], float)


def _log_ratio(book: Book, seed: int, region: str, above: str, below: str) -> float:
    logs = [np.log10(np.maximum(_region(book, seed, region, f), FLOOR)) for f in (above, below)]
    return float(mean(logs[0] - logs[1]))


def analytic(book: Book) -> Claim:
    """The bound's order is that of the empirical COR."""
    of = lambda key, field: _effect(book, bound_ranks, key, field)
    effects = {
        "UniFD": of(Key(), "bound"),
        "UniFD, whole course": of(Key(), "bound_whole"),
        "CoRIT": of(Key("corit"), "bound"),
    }
    factors = {
        f"UniFD, {f}": of(Key(), f)
        for f in ("geometric", "misspecification", "statistical", "gsnr_early", "gsnr_first")
    }
    size = _effect(book, _looseness)
    return Claim(
        "analytic COR",
        "The analytic COR, min of norm(grad) / lambda_max over phase (i), orders cells as the empirical COR does",
        "rank correlation over (type, layer) cells, same head seed: shown above 0.3 in every seed and the interval, "
        "not shown up to 0",
        setting(book, f"UniFD, perceptron, standardised; bound along SAM rho {book.plan.watched}"),
        effects | factors | {"log10 (empirical / analytic)": size},
        {"UniFD": Bars(0.3, 0.0)},
    )


def _looseness(book: Book, seed: int) -> np.ndarray:
    return mean(np.log10(book.cor(Key(), seed) / book.column(Key(), seed, "bound", "courses")))


def bound_ranks(book: Book, seed: int, key: Key, field: str) -> np.ndarray:
    """Rank correlation of empirical COR with a field of the courses, over cells, (S)."""
    bound, cor = book.column(key, seed, field, "courses"), book.cor(key, seed)
    return np.array([spearman(c, b) for c, b in zip(cor.T, bound.T, strict=True)])


def _seen(book: Book, seed: int, head: str, field: str) -> np.ndarray:
    """A field of the opposition record: (cells, S, K)."""
    return np.array([c[field] for c in book.opposition[seed]["cells"] if c["head"] == head], float)


def monotone(book: Book) -> Claim:
    """On its own batch SAM never opposes a linear head's gradient."""
    effects = {HEADS[h]: _effect(book, _margin, h) for h in HEADS}
    turned = {
        HEADS[h]: plain(np.mean([(_seen(book, e, h, "own_least") < 0).mean((0, 1)) for e in book.plan.encoders], 0))
        for h in HEADS
    }
    return Claim(
        "convexity",
        "For a linear logistic head the perturbed gradient never opposes its own batch's gradient, or the full set's",
        "the least <g_B(w+e), g_B(w)> / norm(g_B)^2 over batches, batch sizes, points, types and radii, less 1: at "
        "least -1e-9 (rounding). The perceptron stands beside it and does not decide",
        setting(book, "UniFD, last layer, radii from a quarter to 50 times the bound (8)"),
        effects,
        {HEADS["linear"]: EXACT},
        {"share of cases with an opposed batch, by multiple of (8)": turned, "multiples": list(MULTIPLES)},
    )


def _margin(book: Book, seed: int, head: str) -> np.ndarray:
    return _seen(book, seed, head, "own_least").min((0, 2)) - 1


def sufficient(book: Book) -> Claim:
    """(8) with lambda_max(H) is enough for (3)."""
    effects = {HEADS[h]: _effect(book, _kept, h) for h in HEADS}
    beyond = {HEADS[h]: _positive(book, h) for h in HEADS}
    return Claim(
        "sufficiency of (8)",
        "Below norm(grad) / lambda_max(H), SAM's expected step does not oppose the full gradient (3)",
        "less the share of (type, point, batch size) at which the expectation over mini-batches is not positive at a "
        "quarter or a half of the bound: shown above -0.1 %, not shown below -5 %, both heads",
        setting(book, "UniFD, last layer, standardised; mini-batches of 1, 5, 20 and all rows, each row once"),
        effects,
        {HEADS[h]: HOLDS for h in HEADS},
        {"share of cases with a positive expectation": beyond, "multiples of the bound": list(MULTIPLES)},
    )


def _kept(book: Book, seed: int, head: str) -> np.ndarray:
    return -violated(book, seed, head)


def violated(book: Book, seed: int, head: str) -> np.ndarray:
    """The share of cases in which (3) fails below the bound, (S)."""
    radii = [m < 1 for m in MULTIPLES]
    return (_seen(book, seed, head, "expectation")[:, :, radii] <= 0).mean((0, 2))


def _positive(book: Book, head: str) -> dict[str, Any]:
    """By batch size: the share of cases with a positive expectation at each multiple of the bound."""
    table: dict[str, Any] = {}
    for size in dict.fromkeys(str(c["batch"]) for c in book.opposition[book.plan.encoders[0]]["cells"]):
        cells = [
            np.array(c["expectation"], float)
            for e in book.plan.encoders
            for c in book.opposition[e]["cells"]
            if c["head"] == head and str(c["batch"]) == size
        ]
        table[size] = plain((np.concatenate(cells) > 0).mean(0))
    return table
