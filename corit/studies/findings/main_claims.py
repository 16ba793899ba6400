"""The paper's six main claims: each is an effect by encoder and head seed, with thresholds that decide it."""

from __future__ import annotations

from typing import Any

import numpy as np

from corit.studies.findings.claims import Claim, Effect, Thresholds
from corit.studies.findings.measurements import Case, Measurements, cells_of, mean
from corit.studies.findings.plan import MAIN, OVERT, SUBTLE
from corit.studies.findings.rank_correlation import partial_spearman, permutation_share, spearman
from corit.studies.findings.sweeps import rounded

MODELS = ("unifd", "corit")
HEADS = {"mlp": "perceptron", "linear": "linear head"}
COLLAPSED = Thresholds(0.9, 0.1)
CORRELATED = Thresholds(0.3, 0.0)
GAIN = Thresholds(0.005, 0.0)  # AUC
KEEPS = {"AUC": 0.02, "COR": 0.05, "GSNR": 0.05}  # how much may be lost and still be kept: AUC, log10, log10
UP_TO = 0.1


def claims(data: Measurements) -> list[Claim]:
    """Return the six claims; some have several rows."""
    rows = [collapse(data, "mlp"), collapse(data, "linear")]
    rows += [bifurcation(data, q) for q in KEEPS]
    controls = [t for t in data.plan.targets if t != MAIN]
    rows += [semantics(data, controls)] if controls else []
    return [
        *rows,
        cor_rises_with_gsnr(data),
        corit_raises_cor(data),
        flatter(data),
        gains(data, "mlp"),
        gains(data, "linear"),
    ]


def setting(data: Measurements, what: str) -> str:
    """Describe world, backbone and seeds in words, then `what` is particular."""
    p = data.plan
    return (
        f"miniature, {p.train}/{p.val}/{p.test} identities x {p.pictures} pictures, encoder seeds "
        f"{', '.join(map(str, p.encoders))} each in its own world, {len(p.heads)} head seeds; {what}"
    )


def _table(data: Measurements, function: Any) -> list[Any]:
    """A row of effects for each encoder seed."""
    return [function(e) for e in data.plan.encoders]


def collapse(data: Measurements, head: str) -> Claim:
    """Claim: test AUC falls to chance above a radius."""
    share = lambda case: Effect.of(_table(data, lambda e: collapsed(data, case, e)))
    both = [
        [(a + b) / 2 for a, b in zip(*rows, strict=True)]
        for rows in zip(*(share(Case(v, head)).table for v in MODELS), strict=True)
    ]
    effects = {"share": Effect.of(both)}
    effects |= {f"{v}, {s}": share(Case(v, head, s)) for v in MODELS for s in ("standard", "whiten")}
    at = {v: {g: rounded(_median_cor(data, Case(v, head), g)) for g in (*OVERT, *SUBTLE)} for v in MODELS}
    return Claim(
        f"collapse, {HEADS[head]}",
        f"With a {HEADS[head]}, a growing SAM radius ends in an abrupt collapse to chance",
        "share of the cells (layer x type) that learned (AUC of 0.6 at some radius) whose test AUC falls below 0.55 "
        "within the grid, mean of both models: shown above 0.9, not shown up to 0.1",
        setting(data, f"UniFD and CoRIT, every layer, {HEADS[head]}, standardised"),
        effects,
        {"share": COLLAPSED},
        {"median COR at the last layer": at, "largest radius": data.plan.rhos[-1]},
    )


def collapsed(data: Measurements, case: Case, seed: int) -> np.ndarray:
    """Return the share (S) of the cells that learned whose head collapsed inside the grid or below it."""
    words = data.censoring(case, seed)
    learned = (words != "never learned").sum(0)
    fell = ((words == "") | (words == "<")).sum(0)
    return np.where(learned > 0, fell / np.maximum(learned, 1), np.nan)


def _median_cor(data: Measurements, case: Case, group: str) -> float:
    last = [data.plan.layers[-1]]
    cors = [data.cor(case, e)[cells_of(data.places(case, e), [group], last)] for e in data.plan.encoders]
    known = np.concatenate(cors, axis=None)
    known = known[~np.isnan(known)]
    return float(np.median(known)) if len(known) else float("nan")


def quantity(data: Measurements, name: str, case: Case, seed: int) -> np.ndarray:
    """Return AUC without SAM, log10 of COR, or log10 of the features' GSNR: (C, S) or (C, 1)."""
    if name == "AUC":
        return data.auc(case, seed)
    return np.log10(data.cor(case, seed)) if name == "COR" else data.gsnr(case, seed)


def ends(data: Measurements) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the first and the last third of the layers."""
    third = max(1, len(data.plan.layers) // 3)
    return data.plan.layers[:third], data.plan.layers[-third:]


def change(data: Measurements, name: str, case: Case, seed: int, groups: tuple[str, ...]) -> np.ndarray:
    """Return a quantity's mean over types in the last third of the layers minus that in the first (S)."""
    values, places = quantity(data, name, case, seed), data.places(case, seed)
    first, last = (mean(values[cells_of(places, groups, layers)]) for layers in ends(data))
    return last - first


def bifurcation(data: Measurements, name: str) -> Claim:
    """Claim: a quantity falls with depth for subtle manipulation types and not for overt ones."""
    case, keep = Case(), KEEPS[name]
    subtle = Effect.of(_table(data, lambda e: -change(data, name, case, e, SUBTLE)))
    overt = Effect.of(_table(data, lambda e: change(data, name, case, e, OVERT)))
    unit = "" if name == "AUC" else " (log10)"
    return Claim(
        f"bifurcation, {name}",
        f"With depth, {name} falls for the subtle types (F2F, NT) and not for the overt ones (DF, FS)",
        f"{name}{unit} in the last third of the layers against the first: the subtle types' loss is above 0 and the "
        f"overt types' change above -{keep}; never-learned heads have no COR",
        setting(data, "UniFD, perceptron, standardised, " + ("no SAM" if name == "AUC" else "as swept")),
        {"subtle types' loss": subtle, "overt types' change": overt},
        {"subtle types' loss": Thresholds(), "overt types' change": Thresholds(-keep, -keep)},
        {"by layer": by_layer(data, name, case)},
    )


def by_layer(data: Measurements, name: str, case: Case) -> dict[str, list[Any]]:
    """Return the mean over seeds of a quantity by type, a number for each layer."""
    table: dict[str, list[Any]] = {}
    for group in (*OVERT, *SUBTLE):
        rows = [
            quantity(data, name, case, e)[cells_of(data.places(case, e), [group], data.plan.layers)]
            for e in seeds(data, case)
        ]
        table[group] = rounded(mean(np.concatenate(rows, 1), 1))
    return table


def seeds(data: Measurements, case: Case) -> tuple[int, ...]:
    """Return the encoder seeds of a case."""
    return data.plan.encoders_of(case.target)


def semantics(data: Measurements, controls: list[str]) -> Claim:
    """Claim: the bifurcation comes from semantic pretraining."""
    main = np.array(_table(data, lambda e: contrast(data, Case(), e)))
    effects, numbers = {}, {}
    for target in controls:
        other = contrast(data, Case(target=target), data.plan.encoders[0])
        effects[f"above {target}"] = Effect.of(main - other)
        numbers[target] = rounded(other.mean())
    return Claim(
        "bifurcation, semantic pretraining",
        "The bifurcation is owed to semantic pretraining",
        "contrast = the subtle types' loss of AUC with depth plus the overt types' gain; the semantic encoders' less "
        "that of each control (one seed each, the same world as seed 0) is above 0",
        setting(data, "UniFD, perceptron, standardised; controls: " + ", ".join(controls)),
        effects | {"semantic": Effect.of(main)},
        {k: Thresholds() for k in effects},
        {
            "contrast of controls": numbers,
            "AUC by layer": {t: by_layer(data, "AUC", Case(target=t)) for t in controls},
        },
    )


def contrast(data: Measurements, case: Case, seed: int) -> np.ndarray:
    """Return how much the AUC of overt and subtle types diverges with depth (S)."""
    return change(data, "AUC", case, seed, OVERT) - change(data, "AUC", case, seed, SUBTLE)


def correlations(data: Measurements, case: Case, seed: int, field: str = "gsnr") -> np.ndarray:
    """Return the rank correlation of COR with the features' GSNR over cells, by head seed (S)."""
    return np.array([spearman(c, data.gsnr(case, seed, field)[:, 0]) for c in data.cor(case, seed).T])


def beside_auc(data: Measurements, case: Case, seed: int) -> np.ndarray:
    """Return the partial rank correlation (S), given the cells' AUC without SAM."""
    gsnr, auc = data.gsnr(case, seed)[:, 0], data.auc(case, seed)
    return np.array([partial_spearman(c, gsnr, auc[:, s]) for s, c in enumerate(data.cor(case, seed).T)])


def cor_rises_with_gsnr(data: Measurements) -> Claim:
    """Claim: COR rises with GSNR, over (type, layer) cells."""
    of = lambda case: Effect.of([correlations(data, case, e) for e in seeds(data, case)])
    effects = {
        "UniFD": of(Case()),
        "UniFD, AUC held": Effect.of(_table(data, lambda e: beside_auc(data, Case(), e))),
    }
    others = [
        Case("corit"),
        Case(scaling="whiten"),
        *(Case(target=t) for t in data.plan.targets if t != MAIN),
    ]
    effects |= {f"{c.variant} {c.scaling} {c.target}": of(c) for c in others}
    effects |= {
        f"UniFD, GSNR {name}": Effect.of(_table(data, lambda e, f=field: correlations(data, Case(), e, f)))
        for name, field in (("as if rows were independent", "gsnr_independent"), ("plain", "gsnr_plain"))
    }
    with_lost = Effect.of(
        _table(
            data,
            lambda e: [spearman(np.nan_to_num(c), data.gsnr(Case(), e)[:, 0]) for c in data.cor(Case(), e).T],
        )
    )
    chance = {
        str(e): rounded(permutation_share(medians(data.cor(Case(), e)), data.gsnr(Case(), e)[:, 0]))
        for e in data.plan.encoders
    }
    lost = {str(e): rounded((data.censoring(Case(), e) == "never learned").mean()) for e in data.plan.encoders}
    return Claim(
        "COR rises with GSNR",
        "The critical radius of a forgery at a layer rises with its gradient signal-to-noise ratio there",
        "rank correlation over (type, layer) cells of empirical COR with the GSNR of the features at w = 0, corrected "
        "with identities as clusters: shown above 0.3 in every seed and the interval, not shown up to 0; never-learned "
        "heads are left out",
        setting(data, "UniFD, perceptron, standardised"),
        effects | {"never learned as COR 0": with_lost},
        {"UniFD": CORRELATED},
        {"share of permutations as large": chance, "share never learned": lost},
    )


def medians(values: np.ndarray) -> np.ndarray:
    """Return medians over head seeds of values (C, S) without NaN; NaN where a cell has none."""
    return np.array([np.median(row[~np.isnan(row)]) if (~np.isnan(row)).any() else np.nan for row in values])


def corit_raises_cor(data: Measurements) -> Claim:
    """Claim: CoRIT has a larger COR than UniFD at the same layer."""
    ratio = lambda case, layers=None: Effect.of(_table(data, lambda e: raised(data, case, e, layers)))
    last = data.plan.layers[-1:]
    effects = {"corit": ratio(Case("corit")), "corit, last layer": ratio(Case("corit"), last)}
    effects |= {
        f"{v}, some layers": ratio(Case(v), data.plan.some_layers)
        for v in ("corit", "no-mask", "pool", "plain", "corit-class", "corit-narrow")
    }
    effects |= {"corit, whitened": ratio(Case("corit", scaling="whiten"))}
    gain = [data.auc(Case("corit"), e).mean() - data.auc(Case(), e).mean() for e in data.plan.encoders]
    return Claim(
        "CoRIT raises COR",
        "CoRIT's features have a larger critical radius than UniFD's at the same layer",
        "mean over (type, layer) cells that both learned of log10 (COR of CoRIT / COR of UniFD), same head seed: above "
        "0",
        setting(
            data,
            "F_l of CoRIT (4 D numbers) against UniFD's class token (D), perceptron, standardised, / root of width",
        ),
        effects,
        {"corit": Thresholds()},
        {
            "gain of AUC without SAM": rounded(gain),
            "by type, last layer": _by_type(data, last),
            "some layers": list(data.plan.some_layers),
        },
    )


def raised(
    data: Measurements,
    case: Case,
    seed: int,
    layers: Any = None,
    groups: tuple[str, ...] = (*OVERT, *SUBTLE),
) -> np.ndarray:
    """Return the mean log10 ratio of COR to UniFD's with the same head and scaling, over shared cells (S)."""
    reference = Case(head=case.head, scaling=case.scaling, target=case.target)
    a, b = data.matched(case, reference, seed)
    rows = cells_of([data.places(case, seed)[i] for i in a], groups, layers or data.plan.layers)
    return mean(np.log10(data.cor(case, seed)[a[rows]] / data.cor(reference, seed)[b[rows]]))


def _by_type(data: Measurements, layers: Any) -> dict[str, Any]:
    of = lambda g: Effect.of(_table(data, lambda e: raised(data, Case("corit"), e, layers, (g,))))
    return {g: rounded(of(g).value) for g in (*OVERT, *SUBTLE)}


def flatter(data: Measurements) -> Claim:
    """Claim: the loss landscape around CoRIT's heads is flatter."""
    effects = {
        f"{HEADS[h]}, {name}": Effect.of(_table(data, lambda e, h=h, f=f: flatness(data, h, f, e)))
        for h in HEADS
        for f, name in (
            ("rise", "rise"),
            ("relative", "relative curvature"),
            ("largest", "lambda_max"),
            ("ascent", "rise in the ball"),
            ("centre", "loss"),
        )
    }
    return Claim(
        "flatter landscape",
        "The loss around CoRIT's trained head is flatter than around UniFD's",
        "log10 (UniFD / CoRIT) of the highest rise of the training loss within one filter-normalised radius in a "
        "random plane, last layer, mean over types: above 0 with both heads. The rise and the relative curvature do "
        "not change when features are rescaled; lambda_max and the rise in the ball of the watched radius do",
        setting(data, f"last layer, SAM rho {data.plan.watched}, standardised, full training set"),
        effects,
        {f"{HEADS[h]}, rise": Thresholds() for h in HEADS},
    )


def flatness(data: Measurements, head: str, figure: str, seed: int) -> np.ndarray:
    """Return log10 of UniFD's landscape measure over CoRIT's, mean over types (S)."""
    logs = []
    for variant in MODELS:
        cells = [c for c in data.cells(Case(variant, head), seed, "courses") if "landscape" in c]
        logs.append(np.log10(np.maximum(np.array([c["landscape"][figure] for c in cells], float), 1e-12)))
    return mean(logs[0] - logs[1])


def gains(data: Measurements, head: str) -> Claim:
    """Claim: radii up to 0.1 generalise better."""
    radii = [i for i, r in enumerate(data.plan.rhos) if 0 < r <= UP_TO]
    of = lambda v, rs: Effect.of(_table(data, lambda e: mean(np.stack([gain(data, Case(v, head), e, r) for r in rs]))))
    both = (of("unifd", radii).table + of("corit", radii).table) / 2
    effects = {"mean": Effect.of(both)}
    effects |= {f"{v}, rho {data.plan.rhos[r]:g}": of(v, [r]) for v in MODELS for r in radii}
    chosen = {
        f"{v}, chosen on validation": Effect.of(_table(data, lambda e, v=v: chosen_gain(data, Case(v, head), e, radii)))
        for v in MODELS
    }
    return Claim(
        f"gains up to rho 0.1, {HEADS[head]}",
        f"SAM radii up to 0.1 raise the test AUC of a {HEADS[head]}",
        "test AUC at a radius above 0 and up to 0.1 less that without SAM, mean over those radii, cells and both "
        "models: shown above half a point of AUC, not shown up to 0",
        setting(data, f"UniFD and CoRIT, every layer, {HEADS[head]}, standardised"),
        effects | chosen,
        {"mean": GAIN},
    )


def gain(data: Measurements, case: Case, seed: int, radius: int) -> np.ndarray:
    """Return the mean over cells of AUC at a radius minus AUC without SAM (S)."""
    return mean(data.auc(case, seed, radius) - data.auc(case, seed))


def chosen_gain(data: Measurements, case: Case, seed: int, radii: list[int]) -> np.ndarray:
    """Return the gain (S) at each head's radius of best validation AUC among 0 and `radii`."""
    among = [0, *radii]
    valid, test = (data.column(case, seed, f)[:, :, among] for f in ("valid_auc", "auc"))
    best = np.nan_to_num(valid, nan=0.0).argmax(-1)
    return mean(np.take_along_axis(test, best[..., None], -1)[..., 0] - test[..., 0])
