"""The paper's six claims, each a rule: an effect by encoder and head seed, and the bars it has to pass."""

from __future__ import annotations

from typing import Any

import numpy as np

from corit.studies.findings.atlas import plain
from corit.studies.findings.book import Book, Key, mean, of_groups
from corit.studies.findings.claims import Bars, Claim, Effect
from corit.studies.findings.plan import MAIN, OVERT, SUBTLE
from corit.studies.findings.ranks import partial, permuted, spearman

MODELS = ("unifd", "corit")
HEADS = {"mlp": "perceptron", "linear": "linear head"}
COLLAPSED = Bars(0.9, 0.1)
CORRELATED = Bars(0.3, 0.0)
GAIN = Bars(0.005, 0.0)  # AUC
KEEPS = {"AUC": 0.02, "COR": 0.05, "GSNR": 0.05}  # how much may be lost and still be kept: AUC, log10, log10
UP_TO = 0.1


def claims(book: Book) -> list[Claim]:
    """All six, some in several rows."""
    rows = [collapse(book, "mlp"), collapse(book, "linear")]
    rows += [bifurcation(book, q) for q in KEEPS]
    controls = [t for t in book.plan.targets if t != MAIN]
    rows += [semantics(book, controls)] if controls else []
    return [
        *rows,
        cor_rises_with_gsnr(book),
        corit_raises_cor(book),
        flatter(book),
        gains(book, "mlp"),
        gains(book, "linear"),
    ]


def setting(book: Book, what: str) -> str:
    """World, backbone and seeds in words, beside what is particular."""
    p = book.plan
    return (
        f"miniature, {p.train}/{p.val}/{p.test} identities x {p.pictures} pictures, encoder seeds "
        f"{', '.join(map(str, p.encoders))} each in its own world, {len(p.heads)} head seeds; {what}"
    )


def _table(book: Book, function: Any) -> list[Any]:
    """A row of effects for each encoder seed."""
    return [function(e) for e in book.plan.encoders]


def collapse(book: Book, head: str) -> Claim:
    """AUC falls to chance above a radius."""
    share = lambda key: Effect.of(_table(book, lambda e: collapsed(book, key, e)))
    both = [
        [(a + b) / 2 for a, b in zip(*rows, strict=True)]
        for rows in zip(*(share(Key(v, head)).table for v in MODELS), strict=True)
    ]
    effects = {"share": Effect.of(both)}
    effects |= {f"{v}, {s}": share(Key(v, head, s)) for v in MODELS for s in ("standard", "whiten")}
    at = {v: {g: plain(_median_cor(book, Key(v, head), g)) for g in (*OVERT, *SUBTLE)} for v in MODELS}
    return Claim(
        f"collapse, {HEADS[head]}",
        f"With a {HEADS[head]}, a growing SAM radius ends in an abrupt collapse to chance",
        "share of the cells (layer x type) that learned (AUC of 0.6 at some radius) whose test AUC falls below 0.55 "
        "within the grid, mean of both models: shown above 0.9, not shown up to 0.1",
        setting(book, f"UniFD and CoRIT, every layer, {HEADS[head]}, standardised"),
        effects,
        {"share": COLLAPSED},
        {"median COR at the last layer": at, "largest radius": book.plan.rhos[-1]},
    )


def collapsed(book: Book, key: Key, seed: int) -> np.ndarray:
    """(S): of the cells that learned, the share that collapsed inside the grid or below it."""
    words = book.censoring(key, seed)
    learned = (words != "never learned").sum(0)
    fell = ((words == "") | (words == "<")).sum(0)
    return np.where(learned > 0, fell / np.maximum(learned, 1), np.nan)


def _median_cor(book: Book, key: Key, group: str) -> float:
    last = [book.plan.layers[-1]]
    found = [book.cor(key, e)[of_groups(book.places(key, e), [group], last)] for e in book.plan.encoders]
    known = np.concatenate(found, axis=None)
    known = known[~np.isnan(known)]
    return float(np.median(known)) if len(known) else float("nan")


def quantity(book: Book, name: str, key: Key, seed: int) -> np.ndarray:
    """AUC without SAM, log10 of COR, or log10 of the features' GSNR: (C, S) or (C, 1)."""
    if name == "AUC":
        return book.auc(key, seed)
    return np.log10(book.cor(key, seed)) if name == "COR" else book.gsnr(key, seed)


def ends(book: Book) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The first and the last third of the layers."""
    third = max(1, len(book.plan.layers) // 3)
    return book.plan.layers[:third], book.plan.layers[-third:]


def change(book: Book, name: str, key: Key, seed: int, groups: tuple[str, ...]) -> np.ndarray:
    """A quantity's mean in the last third of the layers less that in the first, over types: (S)."""
    values, places = quantity(book, name, key, seed), book.places(key, seed)
    first, last = (mean(values[of_groups(places, groups, layers)]) for layers in ends(book))
    return last - first


def bifurcation(book: Book, name: str) -> Claim:
    """Subtle types lose with depth, overt ones do not."""
    key, keep = Key(), KEEPS[name]
    subtle = Effect.of(_table(book, lambda e: -change(book, name, key, e, SUBTLE)))
    overt = Effect.of(_table(book, lambda e: change(book, name, key, e, OVERT)))
    unit = "" if name == "AUC" else " (log10)"
    return Claim(
        f"bifurcation, {name}",
        f"With depth, {name} falls for the subtle types (F2F, NT) and not for the overt ones (DF, FS)",
        f"{name}{unit} in the last third of the layers against the first: the subtle types' loss is above 0 and the "
        f"overt types' change above -{keep}; never-learned heads have no COR",
        setting(book, "UniFD, perceptron, standardised, " + ("no SAM" if name == "AUC" else "as swept")),
        {"subtle types' loss": subtle, "overt types' change": overt},
        {"subtle types' loss": Bars(), "overt types' change": Bars(-keep, -keep)},
        {"by layer": by_layer(book, name, key)},
    )


def by_layer(book: Book, name: str, key: Key) -> dict[str, list[Any]]:
    """The mean over seeds of a quantity by type, a number for each layer."""
    table: dict[str, list[Any]] = {}
    for group in (*OVERT, *SUBTLE):
        rows = [
            quantity(book, name, key, e)[of_groups(book.places(key, e), [group], book.plan.layers)]
            for e in seeds(book, key)
        ]
        table[group] = plain(mean(np.concatenate(rows, 1), 1))
    return table


def seeds(book: Book, key: Key) -> tuple[int, ...]:
    """The encoder seeds of a setting."""
    return book.plan.encoders_of(key.target)


def semantics(book: Book, controls: list[str]) -> Claim:
    """The bifurcation belongs to semantic pretraining."""
    main = np.array(_table(book, lambda e: contrast(book, Key(), e)))
    effects, numbers = {}, {}
    for target in controls:
        other = contrast(book, Key(target=target), book.plan.encoders[0])
        effects[f"above {target}"] = Effect.of(main - other)
        numbers[target] = plain(other.mean())
    return Claim(
        "bifurcation, semantic pretraining",
        "The bifurcation is owed to semantic pretraining",
        "contrast = the subtle types' loss of AUC with depth plus the overt types' gain; the semantic encoders' less "
        "that of each control (one seed each, the same world as seed 0) is above 0",
        setting(book, "UniFD, perceptron, standardised; controls: " + ", ".join(controls)),
        effects | {"semantic": Effect.of(main)},
        {k: Bars() for k in effects},
        {"contrast of controls": numbers, "AUC by layer": {t: by_layer(book, "AUC", Key(target=t)) for t in controls}},
    )


def contrast(book: Book, key: Key, seed: int) -> np.ndarray:
    """How far the types part with depth in AUC, (S)."""
    return change(book, "AUC", key, seed, OVERT) - change(book, "AUC", key, seed, SUBTLE)


def correlations(book: Book, key: Key, seed: int, field: str = "gsnr") -> np.ndarray:
    """Rank correlation of COR with the features' GSNR over cells, by head seed (S)."""
    return np.array([spearman(c, book.gsnr(key, seed, field)[:, 0]) for c in book.cor(key, seed).T])


def beside_auc(book: Book, key: Key, seed: int) -> np.ndarray:
    """The same with the cells' AUC without SAM held (S)."""
    gsnr, auc = book.gsnr(key, seed)[:, 0], book.auc(key, seed)
    return np.array([partial(c, gsnr, auc[:, s]) for s, c in enumerate(book.cor(key, seed).T)])


def cor_rises_with_gsnr(book: Book) -> Claim:
    """COR rises with GSNR, over (type, layer) cells."""
    of = lambda key: Effect.of([correlations(book, key, e) for e in seeds(book, key)])
    effects = {"UniFD": of(Key()), "UniFD, AUC held": Effect.of(_table(book, lambda e: beside_auc(book, Key(), e)))}
    others = [Key("corit"), Key(scaling="whiten"), *(Key(target=t) for t in book.plan.targets if t != MAIN)]
    effects |= {f"{k.variant} {k.scaling} {k.target}": of(k) for k in others}
    effects |= {
        f"UniFD, GSNR {name}": Effect.of(_table(book, lambda e, f=field: correlations(book, Key(), e, f)))
        for name, field in (("as if rows were independent", "gsnr_independent"), ("plain", "gsnr_plain"))
    }
    with_lost = Effect.of(
        _table(book, lambda e: [spearman(np.nan_to_num(c), book.gsnr(Key(), e)[:, 0]) for c in book.cor(Key(), e).T])
    )
    chance = {
        str(e): plain(permuted(medians(book.cor(Key(), e)), book.gsnr(Key(), e)[:, 0])) for e in book.plan.encoders
    }
    lost = {str(e): plain((book.censoring(Key(), e) == "never learned").mean()) for e in book.plan.encoders}
    return Claim(
        "COR rises with GSNR",
        "The critical radius of a forgery at a layer rises with its gradient signal-to-noise ratio there",
        "rank correlation over (type, layer) cells of empirical COR with the GSNR of the features at w = 0, corrected "
        "with identities as clusters: shown above 0.3 in every seed and the interval, not shown up to 0; never-learned "
        "heads are left out",
        setting(book, "UniFD, perceptron, standardised"),
        effects | {"never learned as COR 0": with_lost},
        {"UniFD": CORRELATED},
        {"share of permutations as large": chance, "share never learned": lost},
    )


def medians(values: np.ndarray) -> np.ndarray:
    """Medians over head seeds of values (C, S) without NaN, NaN where a cell has none."""
    return np.array([np.median(row[~np.isnan(row)]) if (~np.isnan(row)).any() else np.nan for row in values])


def corit_raises_cor(book: Book) -> Claim:
    """CoRIT raises COR over UniFD at the matched layer."""
    ratio = lambda key, layers=None: Effect.of(_table(book, lambda e: raised(book, key, e, layers)))
    last = book.plan.layers[-1:]
    effects = {"corit": ratio(Key("corit")), "corit, last layer": ratio(Key("corit"), last)}
    effects |= {
        f"{v}, some layers": ratio(Key(v), book.plan.some_layers)
        for v in ("corit", "no-mask", "pool", "plain", "corit-class", "corit-narrow")
    }
    effects |= {"corit, whitened": ratio(Key("corit", scaling="whiten"))}
    gain = [book.auc(Key("corit"), e).mean() - book.auc(Key(), e).mean() for e in book.plan.encoders]
    return Claim(
        "CoRIT raises COR",
        "CoRIT's features have a larger critical radius than UniFD's at the same layer",
        "mean over (type, layer) cells that both learned of log10 (COR of CoRIT / COR of UniFD), same head seed: above "
        "0",
        setting(
            book,
            "F_l of CoRIT (4 D numbers) against UniFD's class token (D), perceptron, standardised, / root of width",
        ),
        effects,
        {"corit": Bars()},
        {
            "gain of AUC without SAM": plain(gain),
            "by type, last layer": _by_type(book, last),
            "some layers": list(book.plan.some_layers),
        },
    )


def raised(
    book: Book, key: Key, seed: int, layers: Any = None, groups: tuple[str, ...] = (*OVERT, *SUBTLE)
) -> np.ndarray:
    """Mean log10 ratio of COR to UniFD's with the same head and scaling over shared cells, (S)."""
    reference = Key(head=key.head, scaling=key.scaling, target=key.target)
    a, b = book.matched(key, reference, seed)
    rows = of_groups([book.places(key, seed)[i] for i in a], groups, layers or book.plan.layers)
    return mean(np.log10(book.cor(key, seed)[a[rows]] / book.cor(reference, seed)[b[rows]]))


def _by_type(book: Book, layers: Any) -> dict[str, Any]:
    of = lambda g: Effect.of(_table(book, lambda e: raised(book, Key("corit"), e, layers, (g,))))
    return {g: plain(of(g).value) for g in (*OVERT, *SUBTLE)}


def flatter(book: Book) -> Claim:
    """CoRIT's heads sit in a flatter landscape."""
    effects = {
        f"{HEADS[h]}, {name}": Effect.of(_table(book, lambda e, h=h, f=f: flatness(book, h, f, e)))
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
        setting(book, f"last layer, SAM rho {book.plan.watched}, standardised, full training set"),
        effects,
        {f"{HEADS[h]}, rise": Bars() for h in HEADS},
    )


def flatness(book: Book, head: str, figure: str, seed: int) -> np.ndarray:
    """log10 of a landscape figure of UniFD over CoRIT's, mean over types, (S)."""
    logs = []
    for variant in MODELS:
        cells = [c for c in book.cells(Key(variant, head), seed, "courses") if "landscape" in c]
        logs.append(np.log10(np.maximum(np.array([c["landscape"][figure] for c in cells], float), 1e-12)))
    return mean(logs[0] - logs[1])


def gains(book: Book, head: str) -> Claim:
    """Radii up to 0.1 generalise better."""
    radii = [i for i, r in enumerate(book.plan.rhos) if 0 < r <= UP_TO]
    of = lambda v, rs: Effect.of(_table(book, lambda e: mean(np.stack([gain(book, Key(v, head), e, r) for r in rs]))))
    both = (of("unifd", radii).table + of("corit", radii).table) / 2
    effects = {"mean": Effect.of(both)}
    effects |= {f"{v}, rho {book.plan.rhos[r]:g}": of(v, [r]) for v in MODELS for r in radii}
    chosen = {
        f"{v}, chosen on validation": Effect.of(_table(book, lambda e, v=v: chosen_gain(book, Key(v, head), e, radii)))
        for v in MODELS
    }
    return Claim(
        f"gains up to rho 0.1, {HEADS[head]}",
        f"SAM radii up to 0.1 raise the test AUC of a {HEADS[head]}",
        "test AUC at a radius above 0 and up to 0.1 less that without SAM, mean over those radii, cells and both "
        "models: shown above half a point of AUC, not shown up to 0",
        setting(book, f"UniFD and CoRIT, every layer, {HEADS[head]}, standardised"),
        effects | chosen,
        {"mean": GAIN},
    )


def gain(book: Book, key: Key, seed: int, radius: int) -> np.ndarray:
    """Mean over cells of AUC at a radius less AUC without SAM, (S)."""
    return mean(book.auc(key, seed, radius) - book.auc(key, seed))


def chosen_gain(book: Book, key: Key, seed: int, radii: list[int]) -> np.ndarray:
    """The gain at each head's radius of best validation AUC among 0 and `radii`, (S)."""
    among = [0, *radii]
    valid, test = (book.column(key, seed, f)[:, :, among] for f in ("valid_auc", "auc"))
    best = np.nan_to_num(valid, nan=0.0).argmax(-1)
    return mean(np.take_along_axis(test, best[..., None], -1)[..., 0] - test[..., 0])
