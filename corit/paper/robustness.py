"""Figure 8: the relative variation of the AUC (26) under four kinds of damage in five levels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from corit.bench.benchmark import Scored
from corit.bench.damage import KINDS, LEVELS, named, original
from corit.bench.lab import Lab, Need
from corit.bench.protocols import Protocol, Selection
from corit.bench.stage import DAMAGED
from corit.bench.variant import CORIT, UNIFD, Variant
from corit.errors import DataError
from corit.metrics.robustness import Robustness, robustness
from corit.paper.artefact import Content, Maker

PROTOCOL = "faceforensics"
CLEAN = "undamaged"
VARIANTS = {"UniFD": UNIFD, "CoRIT": CORIT}


def needs(lab: Lab) -> list[Need]:
    """The features that it reads: clean ones to train on, clean and damaged ones of the test pictures."""
    of = lab.stage.protocol(PROTOCOL)
    return [Need(d, v, of) for d in (*of.data, DAMAGED) for v in VARIANTS.values()]


def make(lab: Lab) -> Content:
    """Both detectors under every damage, each against itself on the same undamaged pictures."""
    of = lab.stage.protocol(PROTOCOL)
    found, counts = {}, ""
    for name, variant in VARIANTS.items():
        found[name], counts = measure(lab, of, variant)
    head = ("detector", "damage", "level", "auc", "low", "high", "variation", "variation low", "variation high")
    rows = [(n, *_row(r)) for n, rs in found.items() for r in rs]
    shown = lab.stage.standing(tuple(s.title for s in of.test))
    notes = (
        shown,
        "The first frame of each test video; DeeperForensics-1.0's levels, JPEG of qualities 90 to 10. "
        "Bars: 95 % intervals of the variation, drawn by video, the same draws for damaged and undamaged pictures. "
        "Scores are the mean probability of the heads of all seeds.",
        counts,
    )
    caption = {"protocol": PROTOCOL, "metric": "relative variation of AUC (26)"}
    return Content(figures=(draw(found),), notes=tuple(filter(None, notes)), numbers=(head, *rows), caption=caption)


def measure(lab: Lab, of: Protocol, variant: Variant) -> tuple[tuple[Robustness, ...], str]:
    """The variations of one detector, by the mean probability of its heads, and of how many pictures, in a sentence.

    The protocol trains the heads as ever. Only the first frame of each test video is looked at; a damage is compared
    on the pictures that could be measured with it and without it.
    """
    (data,) = of.data
    kinds = tuple(m for s in of.test for m in s.manipulations)
    stores = {d: lab.store(Need(d, variant, of)) for d in (data, DAMAGED)}
    damages = [(k, l) for k in KINDS for l in LEVELS]
    tests = [Selection(DAMAGED, "test", kinds, (named(*d),), named(*d)) for d in damages]
    first = of.replace(test=(Selection(data, "test", kinds, name=CLEAN), *tests), frames=1, choice="first")
    scored = lab.score(of, variant, first, stores)
    clean = {k: i for i, k in enumerate(scored[CLEAN].keys)}
    each = tuple(r for d in damages for r in _compared(d, scored[CLEAN], clean, scored[named(*d)], lab.draws))
    return each, _counted(scored)


def _counted(scored: Mapping[str, Scored]) -> str:
    labels = scored[CLEAN].labels
    clean = set(scored[CLEAN].keys)
    less = sum(len(clean - set(map(original, s.keys))) for name, s in scored.items() if name != CLEAN)
    lost = f"; {less} damaged ones could not be measured" if less else ""
    return f"Each point: {(labels == 0).sum()} real and {(labels == 1).sum()} fake pictures{lost}."


def _compared(
    damage: tuple[str, int], clean: Scored, at: Mapping[str, int], damaged: Scored, draws: int
) -> tuple[Robustness, ...]:
    """(26) of one damage, on the pictures that have both scores."""
    pairs = [(at[k], j) for j, k in enumerate(map(original, damaged.keys)) if k in at]
    if not pairs:
        raise DataError(f"no picture could be measured both without damage and under {named(*damage)}")
    before, after = (np.array(side) for side in zip(*sorted(pairs), strict=True))
    return robustness(
        clean.labels[before],
        clean.scores.mean(0)[before],
        {damage: damaged.scores.mean(0)[after]},
        groups=clean.groups[before],
        draws=draws,
    )


def _row(r: Robustness) -> tuple[str, ...]:
    values = (r.auc.value, r.auc.low, r.auc.high, r.variation.value, r.variation.low, r.variation.high)
    return (r.name, str(r.level), *(f"{v:.4f}" for v in values))


def draw(found: Mapping[str, tuple[Robustness, ...]]) -> Figure:
    """A panel for each damage."""
    made = Figure(figsize=(12, 3.2))
    axes = made.subplots(1, len(KINDS), sharey=True)
    for axis, (kind, title) in zip(axes, KINDS.items(), strict=True):
        for shift, (name, rows) in zip((-0.05, 0.05), found.items(), strict=True):
            chosen = [r for r in rows if r.name == kind]
            value = [100 * r.variation.value for r in chosen]
            bars = [
                [100 * (r.variation.value - r.variation.low) for r in chosen],
                [100 * (r.variation.high - r.variation.value) for r in chosen],
            ]
            axis.errorbar([r.level + shift for r in chosen], value, yerr=bars, marker="o", capsize=2, label=name)
        axis.axhline(0, color="#b9c2cd", linewidth=0.8)
        axis.set(title=title, xlabel="level", xticks=LEVELS)
    axes[0].set_ylabel("variation of the AUC, %")
    axes[0].legend()
    made.tight_layout()
    return made


ROBUSTNESS = Maker(needs, make)
