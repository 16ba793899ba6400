"""Detectors, by name, over labelled data: as it is, and perturbed; what was scored before is not scored again."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from corit import catalog
from corit.data.perturbed import Perturbed
from corit.data.sample import Source
from corit.detect import Detector
from corit.detectors import load
from corit.errors import DataError, DetectorError
from corit.evaluate import slices
from corit.evaluate.metrics import auc
from corit.evaluate.robustness import Robustness, robustness
from corit.evaluate.rows import ScoredRow
from corit.evaluate.slices import Comparison, Evaluation
from corit.features.extract import Progress
from corit.images.perturb import require
from corit.score import score

SCORES = "scores"


class Bars(Protocol):
    """Opens a progress bar: `corit.features.extract.progress_bar`."""

    def __call__(self, label: str, /) -> AbstractContextManager[Progress]:
        """A context whose value is told of pictures done and pictures in all."""


def source(data: Sequence[str], root: str = "") -> Source:
    """The labelled data of some texts: a folder with real/ and fake/, a CSV file, or what `catalog.data` names.

    Raises DataError when there is no such data.
    """
    return catalog.data(*(_spec(text) for text in data), root=root)


def _spec(text: str) -> str:
    if text in catalog.DATA or ":" in text:
        return text
    if os.path.isdir(text):
        return f"folder:{text}"
    return f"csv:{text}" if text.lower().endswith(".csv") else text


def named(detectors: Sequence[str], weights: str | None = None, device: str = "cpu") -> dict[str, Detector]:
    """Detectors under the last parts of their paths. Raises DetectorError for none, a name twice, or what is none."""
    names = [os.path.basename(os.path.normpath(d)) for d in detectors]
    twice = [n for n, count in Counter(names).items() if count > 1]
    if twice or not names:
        raise DetectorError(f"expected detectors with names of their own, got {', '.join(detectors) or 'none'}")
    return {n: load(d, weights=weights, device=device) for n, d in zip(names, detectors, strict=True)}


def about(detectors: Mapping[str, Detector]) -> dict[str, dict[str, str]]:
    """What a page says of each detector."""
    return {name: _about(d) for name, d in detectors.items()}


def _about(detector: Detector) -> dict[str, str]:
    card, c = detector.card, detector.card.calibration
    backbone = card.recipe.backbone
    known = {
        "model": card.recipe.model.kind,
        "backbone": f"{backbone.name} {backbone.weights[:12]}",
        "head": f"{card.head.kind}, SAM rho {card.head.rho:g}, {card.head.scaling} scaling",
        "validation": f"{c.reals} reals, {c.fakes} fakes, threshold {c.fake:.3f}",
    }
    seeds = len(card.metrics.get("auc_per_seed", ()))
    best = {"seeds": f"the best of {seeds} on validation" if seeds > 1 else "one"} if seeds else {}
    return {**known, **best, **({"note": card.note} if card.note else {})}


def evaluations(
    detectors: Mapping[str, Detector],
    data: Source,
    out: str | Path,
    *,
    draws: int = 1000,
    seed: int = 0,
    batch: int = 8,
    workers: int = 0,
    bars: Bars | None = None,
) -> tuple[Evaluation, ...]:
    """Score the data with each detector into OUT/scores and measure. Raises DataError (see `slices.evaluate`)."""
    found = []
    for name, detector in detectors.items():
        place = Path(out) / SCORES / f"{name}.jsonl"
        with _bar(bars, f"{name} on the data") as progress:
            rows = score(detector, data, place, batch=batch, workers=workers, progress=progress)
        threshold = detector.card.calibration.fake
        found.append(slices.evaluate(rows, threshold, detector=name, draws=draws, seed=seed))
    return tuple(found)


def compare(found: Sequence[Evaluation]) -> tuple[Comparison, ...]:
    """DeLong's test of every two detectors; see `slices.compare`."""
    return slices.compare(found)


@dataclass(frozen=True)
class Damage:
    """One detector under one perturbation and level: (26) on the n rows with both scores, and rows lost to it."""

    detector: str
    found: Robustness
    original: float
    n: int
    lost: int


def perturbed(
    detectors: Mapping[str, Detector],
    data: Source,
    conditions: Sequence[tuple[str, int]],
    out: str | Path,
    *,
    draws: int = 1000,
    batch: int = 8,
    workers: int = 0,
    bars: Bars | None = None,
) -> tuple[Damage, ...]:
    """Each detector's AUC on the data and under each (perturbation, level), on the rows that both could score.

    Rows that the perturbation made unscorable, such as faces no longer found, are counted as lost. Raises DataError for
    an unknown perturbation before anything is scored, and when no real or no fake can be scored.
    """
    for name, level in conditions:
        require(name, level)
    made = []
    for name, detector in detectors.items():
        place = Path(out) / SCORES
        with _bar(bars, f"{name} on the data") as progress:
            plain = score(detector, data, place / f"{name}.jsonl", batch=batch, workers=workers, progress=progress)
        for kind, level in conditions:
            with _bar(bars, f"{name} under {kind} {level}") as progress:
                rows = score(
                    detector,
                    Perturbed(data, kind, level),
                    place / f"{name}.{kind}-{level}.jsonl",
                    batch=batch,
                    workers=workers,
                    note=f"{kind} {level}",
                    progress=progress,
                )
            made.append(_damage(name, kind, level, plain, rows, draws))
    return tuple(made)


def _damage(
    name: str, kind: str, level: int, plain: Sequence[ScoredRow], rows: Sequence[ScoredRow], draws: int
) -> Damage:
    both = [(a, b) for a, b in zip(plain, rows, strict=True) if a.score is not None and b.score is not None]
    labels = np.array([a.label for a, _ in both])
    if set(labels.tolist()) != {0, 1}:
        said = Counter(r.status for r in rows)
        raise DataError(f"expected reals and fakes that {name} can score under {kind} {level}, got {dict(said)}")
    before, after = (np.array([r.score for r in side], dtype=np.float64) for side in zip(*both, strict=True))
    units = np.array([a.unit for a, _ in both])
    (found,) = robustness(labels, before, {(kind, level): after}, groups=units, draws=draws)
    lost = sum(a.score is not None and b.score is None for a, b in zip(plain, rows, strict=True))
    return Damage(name, found, auc(labels, before), len(both), lost)


def _bar(bars: Bars | None, label: str) -> AbstractContextManager[Progress | None]:
    return nullcontext() if bars is None else bars(label)
