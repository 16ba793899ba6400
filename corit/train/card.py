"""The card of a packaged detector: what it was trained on, how good it is on what, and where it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from corit.data.frames import SPLITS
from corit.features.preparation import SELF_BLENDED
from corit.features.store import Features
from corit.heads.defaults import limit_batch
from corit.heads.fit import fit
from corit.heads.problem import standardised_problem
from corit.metrics.auc import auc
from corit.metrics.bootstrap import bootstrap
from corit.metrics.measures import HeadScores, estimates
from corit.metrics.threshold import share
from corit.serialise import finite, markdown_table
from corit.train.packaged import Making, ScoredRows, lowest_threshold, re_encoded, rows_by_kind, score_rows

METRICS = ("auc", "ap", "tpr@1", "ece")
RATES = (0.01, 0.05)  # false-positive rates with a threshold
RE_ENCODED = ", re-encoded"
WEAK = 0.8  # a kind with a smaller AUC is one on which the detector fails
LICENCE = (
    "The head is for non-commercial research only, as are the pictures that it was trained on. CLIP's weights: MIT."
)


def make_card(making: Making, command: str, *, draws: int = 1000) -> dict[str, Any]:
    """Measure a made detector on its test rows, and return its card.

    Args:
        making: the detector with its features.
        command: remakes it.
        draws: bootstrap draws of the intervals.

    Returns:
        A JSON object with name, backbone, features, head, training, selection, metrics, re_encoded, left_out,
        false_fakes, thresholds, fails_on, limits, licence, digest and remake.
    """
    plan, detector = making.plan, making.result.detector
    card, every = detector.card, score_rows(detector, making.store.features(split="test"))
    changed = re_encoded(every.rows)
    test = every.take(np.flatnonzero(~changed))
    thresholds = _thresholds(making)
    metrics = _metrics(test, card.calibration.fake, draws)
    left_out = _left_out(making, draws)
    return {
        "name": plan.name,
        "backbone": {
            "name": card.recipe.backbone.name,
            "weights": detector.backbone.label,
            "digest": card.recipe.backbone.weights,
        },
        "features": making.features,
        "head": making.head,
        "training": {"about": plan.about, "rows": _counts(making), "seeds": list(plan.seeds)},
        "selection": {
            "by": "mean validation AUC over the kinds of forgery",
            "groups": plan.compared,
            "on a part": _named(making.compared),
            "on all": _named(making.validation),
        },
        "metrics": metrics,
        "re_encoded": _metrics(every.take(np.flatnonzero(changed)), card.calibration.fake, draws),
        "left_out": left_out,
        "false_fakes": {_rate(rate): _false_fakes(every, thresholds[_rate(rate)]) for rate in RATES},
        "thresholds": thresholds,
        "fails_on": _failures(metrics, left_out),
        "limits": plan.limits,
        "licence": LICENCE,
        "digest": detector.identity,
        "remake": command,
    }


def _named(validation: Mapping[tuple[str, str], float]) -> dict[str, float]:
    return {f"{features}, {head}": round(value, 4) for (features, head), value in validation.items()}


def _thresholds(making: Making) -> dict[str, float]:
    """The scores from which a picture is called fake at each expected false-positive rate, by the validation reals."""
    detector = making.result.detector
    reals = score_rows(detector, making.store.features(split="val", label=0))
    at = {_rate(rate): lowest_threshold(reals, rate).threshold for rate in RATES}
    return {**at, "fake from": detector.card.calibration.fake, "real below": detector.card.calibration.real}


def _rate(rate: float) -> str:
    return f"fpr {round(100 * rate)} %"


def _counts(making: Making) -> dict[str, dict[str, int]]:
    """Rows by split, of the reals of each collection and of each kind of forgery."""
    counts: dict[str, dict[str, int]] = {}
    for split in SPLITS:
        rows = making.store.features(split=split)
        sets, kinds = rows.column("dataset"), rows.column("manipulation")
        names = np.where(rows.y == 0, np.char.add("real ", sets.astype(str)), kinds.astype(str))
        names = _marked(names, rows)
        values, numbers = np.unique(names, return_counts=True)
        counts[split] = {str(v): int(n) for v, n in zip(values, numbers, strict=True)}
    return counts


def _marked(names: np.ndarray, rows: Features) -> np.ndarray:
    """Names (n) of rows, told apart where a row is of a changed picture."""
    return np.where(re_encoded(rows), np.char.add(names.astype(str), RE_ENCODED), names)


def _metrics(test: ScoredRows, threshold: float, draws: int) -> dict[str, dict[str, Any]]:
    """AUC, AP, TPR at 1 % FPR and calibration error with 95 % intervals by group, of all rows and by kind."""
    if not len(test.rows):
        return {}
    chosen = {"all": np.arange(len(test.rows)), **rows_by_kind(test.rows)}
    table = {}
    for kind, index in chosen.items():
        y, groups = test.rows.y[index], test.rows.column("group")[index]
        scores = HeadScores(y, test.scores[index][None], np.array([threshold]), groups)
        values = estimates(scores, METRICS, draws=draws)
        numbers = {m: [_rounded(v) for v in (e.value, e.low, e.high)] for m, e in values.items()}
        table[kind] = {**numbers, "real": int((y == 0).sum()), "fake": int((y == 1).sum())}
    return table


def _rounded(value: float) -> float | None:
    kept: float | None = finite((value,))[0]
    return None if kept is None else round(kept, 4)


def _left_out(making: Making, draws: int) -> dict[str, list[float | None]]:
    """The test AUC of each kind by a head that was trained without it, with a 95 % interval by group.

    Where the kind is a collection, its real pictures are left out too.
    """
    train, valid, test = (making.store.features(split=s) for s in SPLITS)
    test = test.take(np.flatnonzero(~re_encoded(test)))
    kinds = {k: index for k, index in rows_by_kind(test).items() if k != SELF_BLENDED}
    if len(kinds) < 2:
        return {}
    table = {}
    for kind, index in kinds.items():
        own, other = _without(train, kind), _without(valid, kind)
        recipe = limit_batch(making.plan.heads[making.head], len(own))
        problem = standardised_problem(own, own.y, other, other.y, recipe)
        rows = test.take(index)
        logits = fit([problem], recipe, seeds=making.plan.seeds[:1]).head().score_rows(rows).numpy()
        e = bootstrap(auc, rows.y, logits, groups=rows.column("group"), draws=draws)
        table[kind] = [_rounded(v) for v in (e.value, e.low, e.high)]
    return table


def _without(rows: Features, kind: str) -> Features:
    return rows.take(np.flatnonzero((rows.column("dataset") != kind) & (rows.column("manipulation") != kind)))


def _false_fakes(test: ScoredRows, threshold: float) -> dict[str, dict[str, Any]]:
    """The share of test reals at or above a threshold, by collection, as they are and re-encoded; 95 % by group."""
    sets, groups, real = _marked(test.rows.column("dataset"), test.rows), test.rows.column("group"), test.rows.y == 0
    chosen = {str(name): real & (sets == name) for name in sorted(set(sets))}
    shares = {name: share(test.scores[rows] >= threshold, groups[rows]) for name, rows in chosen.items()}
    return {
        name: {"share": e.value, "low": e.low, "high": e.high, "pictures": int(chosen[name].sum())}
        for name, e in shares.items()
        if e is not None
    }


def _failures(metrics: Mapping[str, Any], left_out: Mapping[str, Sequence[float | None]]) -> list[str]:
    """In words, the kinds of forgery on which the detector fails by its own numbers."""
    weak = [f"{k}: AUC {v['auc'][0]:.2f}" for k, v in metrics.items() if v["auc"][0] < WEAK]
    unseen = [
        f"{k}, where it is left out of training: AUC {v[0]:.2f}"
        for k, v in left_out.items()
        if v[0] is not None and v[0] < WEAK
    ]
    return weak + unseen


def card_markdown(card: Mapping[str, Any]) -> str:
    """Write a card as Markdown.

    Args:
        card: of `make_card`.
    """
    lines = [
        f"# {card['name']}",
        "",
        f"{card['features']} on {card['backbone']['weights']}, with a {card['head']}. It knows "
        f"{card['training']['about']}.",
        "",
        card["limits"],
        "",
        "## How good it is",
        "",
        "On test pictures of its own collections, with 95 % intervals by group:",
        "",
        *_measured(card["metrics"]),
        "",
    ]
    if card["re_encoded"]:
        lines += [
            "On changed versions of some of them, shrunk or compressed again:",
            "",
            *_measured(card["re_encoded"]),
            "",
        ]
    if card["left_out"]:
        rows = [(k, _interval(v)) for k, v in card["left_out"].items()]
        lines += ["Trained without a kind of forgery, tested on it:", "", *_lines(("left out", "AUC"), rows), ""]
    lines += [
        "Real test pictures at or above the threshold for 1 % and for 5 % false positives:",
        "",
        *_lines(("collection", *card["false_fakes"], "pictures"), _share_rows(card["false_fakes"])),
        "",
        "## Where it fails",
        "",
        *([f"- {text}" for text in card["fails_on"]] or ["On no kind that was measured; on others it may."]),
        "",
        "## Thresholds",
        "",
        "The verdict is fake from the score `fake from`, real below `real below`, and unsure between. The threshold of "
        "a rate has that expected share of new reals above it, or the lowest share that the validation reals can tell; "
        "at most 5 % of the validation fakes lie below `real below`.",
        "",
        *_lines(("threshold", "score"), [(k, f"{v:.4f}") for k, v in card["thresholds"].items()]),
        "",
        "## Training",
        "",
        *_lines(
            ("split", "pictures"),
            [(k, ", ".join(f"{n} {name}" for name, n in v.items())) for k, v in card["training"]["rows"].items()],
        ),
        "",
        f"Features and head were chosen by {card['selection']['by']}: the model by heads that were trained on at most "
        f"{card['selection']['groups']} pairs, or pictures of each class, of each collection; its layers and its head "
        "by heads that were trained on all.",
        "",
        *_lines(("features, head", "on a part", "on all"), _selection(card["selection"])),
        "",
        f"Remake it: `{card['remake']}`. Digest: `{card['digest'][:16]}`.",
        "",
        f"Licence: {card['licence']}",
        "",
    ]
    return "\n".join(lines)


def _measured(metrics: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The lines of a table of metrics by kind."""
    return _lines(
        ("kind of forgery", "AUC", "AP", "TPR at 1 % FPR", "calibration error", "real", "fake"),
        [(k, *(_interval(v[m]) for m in METRICS), v["real"], v["fake"]) for k, v in metrics.items()],
    )


def _share_rows(false_fakes: Mapping[str, Mapping[str, Any]]) -> list[tuple[object, ...]]:
    texts = {
        rate: {k: f"{v['share']:.1%} [{v['low']:.1%}, {v['high']:.1%}]" for k, v in shares.items()}
        for rate, shares in false_fakes.items()
    }
    first = next(iter(false_fakes.values()))
    return [(k, *(texts[rate][k] for rate in texts), v["pictures"]) for k, v in first.items()]


def _selection(selection: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    whole = selection["on all"]
    return [(k, f"{v:.3f}", f"{whole[k]:.3f}" if k in whole else "") for k, v in selection["on a part"].items()]


def _interval(values: Sequence[float | None]) -> str:
    value, low, high = values
    return f"{value:.3f}" + (f" [{low:.3f}, {high:.3f}]" if low is not None and high is not None else "")


def _lines(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    return markdown_table(head, [[str(c) for c in row] for row in rows]).splitlines()
