"""Part (c), CoRIT against UniFD: trained on one set or on several, tested on held-out groups and on the other sets.

Layers and penalties are chosen out of fold on the train and validation rows of the training sets. A set that a head
was trained on is tested on its test groups, any other set on all its rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from corit.features.preparation import SELF_BLENDED
from corit.serialise import finite
from corit.studies.real.bank import Reading, Rows, join
from corit.studies.real.components import corit, middle_of
from corit.studies.real.intervals import DIGITS, Scored, numbers
from corit.studies.real.layers import READS, depth, out_of_fold, row_counts, unifd
from corit.studies.real.plan import BLENDED, CORIT, PAIRED, PHOTOGRAPHS, SCALINGS, RealPlan, Scaling, trainings
from corit.studies.real.probes import Coordinates, converged, cross_validate, sam_scores

# Models whose AUC is compared; the second and third are the answers to "does a middle layer alone do the same?".
UNIFD, MIDDLE, FULL, LEVEL = "UniFD", "middle layer", "CoRIT", "CoRIT, one level"
PAIRS = ((FULL, UNIFD), (FULL, MIDDLE), (LEVEL, MIDDLE))
Heads = dict[str, dict[str, np.ndarray]]  # head -> model -> logits (S, n)


def rows_of(sets: Mapping[str, Rows], name: str) -> Rows:
    """Return the rows of a set, or PAIRED's reals with their self-blends."""
    if name == BLENDED:
        return sets[PAIRED].blends()
    return sets[name] if name == PHOTOGRAPHS.name else sets[name].without_blends()


def tests(sets: Mapping[str, Rows], trained: tuple[str, ...]) -> Iterator[tuple[str, Rows]]:
    """Yield the test rows of each set: its test part where its pictures were trained on, else all of it.

    Scenes and faces are never mixed: what is trained on photographs is tested on them alone.
    """
    blends = PAIRED in sets and bool((sets[PAIRED].kind == SELF_BLENDED).any())
    names = [n for n in trainings(tuple(sets), blends=blends) if n in (*sets, BLENDED)]
    scenes = PHOTOGRAPHS.name in trained
    pictures = {PAIRED if n == BLENDED else n for n in trained}
    for name in names:
        if (name == PHOTOGRAPHS.name) == scenes:
            rows = rows_of(sets, name)
            yield name, rows.part("test") if (PAIRED if name == BLENDED else name) in pictures else rows


def measure(sets: Mapping[str, Rows], trained: tuple[str, ...], plan: RealPlan) -> dict[str, Any]:
    """Choose the knobs, train every model with every head, and measure each test set.

    Args:
        sets: the rows by set.
        trained: the sets to train on.
        plan: of the study.

    Returns:
        The choices, and by test set and head the AUC of each model and the differences of `PAIRS`.
    """
    rows = join([rows_of(sets, n) for n in trained])
    dev = rows.part("train", "val")
    choice = _choose(dev, plan)
    models = _models(depth(rows), choice)
    parts = list(tests(sets, trained))
    penalties: dict[str, Any] = {}
    scores: dict[str, Heads] = {name: {} for name, _ in parts}
    for model, reading in models.items():
        others = [p.read(reading) for _, p in parts]
        for scaling in ("raw", "standardised"):
            c, logits = _converged(dev, reading, others, scaling, plan)
            penalties[f"{model}, {scaling}"] = c
            _put(scores, parts, f"converged {scaling}", model, logits)
        for scaling in SCALINGS:
            logits = _sam(rows, reading, others, scaling, plan)
            for r, rho in enumerate(plan.rhos):
                _put(scores, parts, f"sam {scaling} {rho:g}", model, [l[:, r] for l in logits])
    return {
        "rows": row_counts(rows.part("train")),
        "choice": choice,
        "penalties": penalties,
        "tests": {name: _cell(p, scores[name], plan) for name, p in parts},
    }


def _put(
    scores: dict[str, Heads], parts: list[tuple[str, Rows]], head: str, model: str, logits: list[np.ndarray]
) -> None:
    for (name, _), values in zip(parts, logits, strict=True):
        scores[name].setdefault(head, {})[model] = values


def _choose(dev: Rows, plan: RealPlan) -> dict[str, Any]:
    """The best layer and read of the plain ViT, and the best single level of CoRIT."""
    last = depth(dev)
    plain = {(r, l): out_of_fold(dev, unifd(l, r), plan) for r in READS for l in range(1, last + 1)}
    levels = {l: out_of_fold(dev, _level(l), plan) for l in range(1, last + 1)}
    read, layer = max(plain, key=lambda k: plain[k])
    level = max(levels, key=lambda k: levels[k])
    return {
        "read": read,
        "layer": layer,
        "level": level,
        "auc": {MIDDLE: finite(plain[read, layer], DIGITS), LEVEL: finite(levels[level], DIGITS)},
    }


def _level(layer: int) -> Reading:
    return Reading(CORIT.name, (layer,), (0, 1, 2, 3))


def _models(last: int, choice: Mapping[str, Any]) -> dict[str, Reading]:
    return {
        UNIFD: unifd(last, "class"),
        MIDDLE: unifd(choice["layer"], choice["read"]),
        FULL: corit(last, middle_of(last)),
        LEVEL: _level(choice["level"]),
    }


def _converged(
    dev: Rows, reading: Reading, others: list[np.ndarray], scaling: Scaling, plan: RealPlan
) -> tuple[float, list[np.ndarray]]:
    """The penalty that is best out of fold, and the logits of other rows by the head of all train and val rows."""
    x = dev.read(reading)
    c = cross_validate(x, dev.y, dev.group, scaling, plan.penalties, plan.folds).penalty
    rows = Coordinates.of(x, others, scaling)
    head = converged(rows.train, dev.y, c)
    return c, [head.decision_function(o) for o in rows.others]


def _sam(rows: Rows, reading: Reading, others: list[np.ndarray], scaling: Scaling, plan: RealPlan) -> list[np.ndarray]:
    train, valid = rows.part("train"), rows.part("val")
    return sam_scores((train.read(reading), train.y), (valid.read(reading), valid.y), others, scaling, plan)


def _cell(rows: Rows, heads: Heads, plan: RealPlan) -> dict[str, Any]:
    """The numbers of one test set: all heads share the draws."""
    flat = {f"{head}|{model}": v for head, models in heads.items() for model, v in models.items()}
    scored = Scored.of(rows.y, rows.group, flat, plan.draws)
    record: dict[str, Any] = {"rows": row_counts(rows), "heads": {}}
    for head, models in heads.items():
        record["heads"][head] = {
            "auc": {m: numbers(scored.auc(f"{head}|{m}")) for m in models},
            "differences": {
                f"{a} less {b}": {
                    "value": numbers(scored.difference(f"{head}|{a}", f"{head}|{b}")),
                    "p": _p(scored, f"{head}|{a}", f"{head}|{b}"),
                }
                for a, b in PAIRS
            },
        }
    return record


def _p(scored: Scored, first: str, second: str) -> float | None:
    p = scored.p(first, second)
    return None if p is None else finite(p, 2)
