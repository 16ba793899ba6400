"""Figure 8: the relative variation of the AUC (26) under four kinds of perturbation in five levels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from corit.bench.benchmark import Predictions
from corit.bench.perturbed import KINDS, LEVELS, original_id, perturbation_name
from corit.bench.protocols import Protocol, Selection
from corit.bench.runner import FeatureRequest, Runner
from corit.bench.testbed import PERTURBED
from corit.bench.variant import CORIT, UNIFD, RecipeVariant
from corit.errors import DataError
from corit.metrics.robustness import Robustness, robustness
from corit.paper.artefact import Content, Maker

PROTOCOL = "faceforensics"
CLEAN = "undamaged"
VARIANTS = {"UniFD": UNIFD, "CoRIT": CORIT}


def needs(runner: Runner) -> list[FeatureRequest]:
    """List the features: clean ones to train on, clean and perturbed ones of the test pictures."""
    protocol = runner.protocol(PROTOCOL)
    return [FeatureRequest(d, v, protocol) for d in (*protocol.data, PERTURBED) for v in VARIANTS.values()]


def make(runner: Runner) -> Content:
    """Measure both detectors under every perturbation, each against itself on the same clean pictures."""
    protocol = runner.protocol(PROTOCOL)
    variations, counts = {}, ""
    for name, variant in VARIANTS.items():
        variations[name], counts = measure(runner, protocol, variant)
    head = ("detector", "damage", "level", "auc", "low", "high", "variation", "variation low", "variation high")
    rows = [(n, *_cells(r)) for n, rs in variations.items() for r in rs]
    notes = (
        runner.testbed.describe_stand_ins(tuple(s.title for s in protocol.test)),
        "The first frame of each test video; DeeperForensics-1.0's levels, JPEG of qualities 90 to 10. "
        "Bars: 95 % intervals of the variation, drawn by video, the same draws for damaged and undamaged pictures. "
        "Scores are the mean probability of the heads of all seeds.",
        counts,
    )
    caption = {"protocol": PROTOCOL, "metric": "relative variation of AUC (26)"}
    figures = (draw(variations),)
    return Content(figures=figures, notes=tuple(filter(None, notes)), numbers=(head, *rows), caption=caption)


def measure(runner: Runner, protocol: Protocol, variant: RecipeVariant) -> tuple[tuple[Robustness, ...], str]:
    """Measure one detector, by the mean probability of its heads, under every perturbation.

    Only the first frame of each test video counts. A perturbation is compared on the pictures that have a score with
    it and without it.

    Args:
        runner: the run.
        protocol: trains the heads, on its own rows.
        variant: the recipe of the features.

    Returns:
        The variations; and a sentence with the number of pictures.
    """
    (data,) = protocol.data
    manipulations = tuple(m for s in protocol.test for m in s.manipulations)
    stores = {d: runner.store(FeatureRequest(d, variant, protocol)) for d in (data, PERTURBED)}
    perturbations = [(k, l) for k in KINDS for l in LEVELS]
    names = [perturbation_name(*p) for p in perturbations]
    tests = [Selection(PERTURBED, "test", manipulations, (n,), n) for n in names]
    clean_test = Selection(data, "test", manipulations, name=CLEAN)
    first_frames = protocol.replace(test=(clean_test, *tests), frames=1, choice="first")
    predictions = runner.predict(protocol, variant, first_frames, stores)
    clean = predictions[CLEAN]
    index = {k: i for i, k in enumerate(clean.keys)}
    draws = runner.settings.draws
    variations = tuple(
        r for p, n in zip(perturbations, names, strict=True) for r in compare(p, clean, index, predictions[n], draws)
    )
    return variations, _counts(predictions)


def _counts(predictions: Mapping[str, Predictions]) -> str:
    labels = predictions[CLEAN].labels
    clean = set(predictions[CLEAN].keys)
    missing = sum(len(clean - set(map(original_id, p.keys))) for name, p in predictions.items() if name != CLEAN)
    lost = f"; {missing} damaged ones could not be measured" if missing else ""
    return f"Each point: {(labels == 0).sum()} real and {(labels == 1).sum()} fake pictures{lost}."


def compare(
    perturbation: tuple[str, int], clean: Predictions, index: Mapping[str, int], perturbed: Predictions, draws: int
) -> tuple[Robustness, ...]:
    """Return (26) of one perturbation, on the pictures that have both scores.

    Args:
        perturbation: kind and level.
        clean: scores of the clean pictures.
        index: id of a clean picture -> its place in `clean`.
        perturbed: scores of the perturbed pictures.
        draws: bootstrap draws.

    Raises:
        DataError: when no picture has both scores.
    """
    pairs = [(index[k], j) for j, k in enumerate(map(original_id, perturbed.keys)) if k in index]
    if not pairs:
        name = perturbation_name(*perturbation)
        raise DataError(f"no picture could be measured both without damage and under {name}")
    before, after = (np.array(side) for side in zip(*sorted(pairs), strict=True))
    return robustness(
        clean.labels[before],
        clean.scores.mean(0)[before],
        {perturbation: perturbed.scores.mean(0)[after]},
        groups=clean.groups[before],
        draws=draws,
    )


def _cells(r: Robustness) -> tuple[str, ...]:
    values = (r.auc.value, r.auc.low, r.auc.high, r.variation.value, r.variation.low, r.variation.high)
    return (r.name, str(r.level), *(f"{v:.4f}" for v in values))


def draw(variations: Mapping[str, tuple[Robustness, ...]]) -> Figure:
    """Draw a panel for each kind of perturbation, with both detectors."""
    figure = Figure(figsize=(12, 3.2))
    axes = figure.subplots(1, len(KINDS), sharey=True)
    for axis, (kind, title) in zip(axes, KINDS.items(), strict=True):
        for shift, (name, rows) in zip((-0.05, 0.05), variations.items(), strict=True):
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
    figure.tight_layout()
    return figure


ROBUSTNESS = Maker(needs, make)
