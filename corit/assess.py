"""Detectors, by name, over labelled data: as it is, and perturbed; what was scored before is not scored again."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from corit import judge
from corit.data.perturbed import Perturbed
from corit.errors import DetectorError
from corit.evaluate import slices
from corit.evaluate.metrics import auc
from corit.evaluate.robustness import Robustness, robustness
from corit.evaluate.rows import ScoredRow
from corit.evaluate.slices import Evaluation
from corit.features.extract import Bars, opened
from corit.judge import Judge
from corit.labelled import Labelled
from corit.score import score

SCORES = "scores"


def named(detectors: Sequence[str], weights: str | None = None, device: str = "cpu") -> dict[str, Judge]:
    """Detectors under the last parts of their paths. Raises DetectorError for none, a name twice, or what is none."""
    names = [os.path.basename(os.path.normpath(d)).removesuffix(".py") for d in detectors]
    twice = [n for n, count in Counter(names).items() if count > 1]
    if twice or not names:
        raise DetectorError(f"expected detectors with names of their own, got {', '.join(detectors) or 'none'}")
    return {n: judge.load(d, weights=weights, device=device) for n, d in zip(names, detectors, strict=True)}


def about(detectors: Mapping[str, Judge], data: Labelled) -> dict[str, dict[str, str]]:
    """What a page says of the data and of each detector."""
    return {"data": data.about, **{name: dict(d.about) for name, d in detectors.items()}}


@dataclass(frozen=True)
class Effort:
    """How the scoring is done: pictures a batch, processes that prepare them, and where progress is shown."""

    batch: int = 8
    workers: int = 0
    bars: Bars | None = None

    def score(
        self, name: str, detector: Judge, data: Labelled, out: Path, damage: Perturbed | None = None
    ) -> tuple[ScoredRow, ...]:
        """The data's rows scored into OUT/scores by a detector of that name, as they are or damaged."""
        note = f"{damage.name} {damage.level}" if damage else ""
        place = out / SCORES / ".".join(filter(None, (name, note.replace(" ", "-"), "jsonl")))
        label = f"{name} under {note}" if note else f"{name} on the data"
        with opened(self.bars, label) as progress:
            return score(
                detector,
                damage or data,
                place,
                batch=self.batch,
                workers=self.workers,
                data=data.name,
                note=note,
                progress=progress,
            )


def evaluations(
    detectors: Mapping[str, Judge],
    data: Labelled,
    out: str | Path,
    *,
    draws: int = 1000,
    seed: int = 0,
    effort: Effort = Effort(),
) -> tuple[Evaluation, ...]:
    """Score the data with each detector into OUT/scores and measure. Raises DataError (see `slices.evaluate`)."""
    found = []
    for name, detector in detectors.items():
        rows = effort.score(name, detector, data, Path(out))
        found.append(slices.evaluate(rows, detector.threshold, detector=name, draws=draws, seed=seed))
    return tuple(found)


@dataclass(frozen=True)
class Damage:
    """One detector under one perturbation and level: (26) on the n rows with both scores, and rows lost to it.

    original, found: None where the rows with both scores are not of both classes.
    """

    detector: str
    name: str
    level: int
    original: float | None
    found: Robustness | None
    n: int
    lost: int


def perturbed(
    detectors: Mapping[str, Judge],
    data: Labelled,
    conditions: Sequence[tuple[str, int]],
    out: str | Path,
    *,
    draws: int = 1000,
    seed: int = 0,
    effort: Effort = Effort(),
) -> tuple[Damage, ...]:
    """Each detector's AUC on the data and under each (perturbation, level), on the rows that both could score.

    Rows that the perturbation made unscorable, such as faces no longer found, are counted as lost. Raises DataError for
    an unknown perturbation before anything is scored, and when no real or no fake of the data can be scored.
    """
    damages = [Perturbed(data, kind, level) for kind, level in conditions]
    made = []
    for name, detector in detectors.items():
        plain = effort.score(name, detector, data, Path(out))
        slices.require_both(plain)
        for damage in damages:
            rows = effort.score(name, detector, data, Path(out), damage)
            made.append(_damage(name, damage, plain, rows, draws, seed))
    return tuple(made)


def _damage(
    name: str, damage: Perturbed, plain: Sequence[ScoredRow], rows: Sequence[ScoredRow], draws: int, seed: int
) -> Damage:
    lost = sum(a.score is not None and b.score is None for a, b in zip(plain, rows, strict=True))
    both = [(a, b) for a, b in zip(plain, rows, strict=True) if a.score is not None and b.score is not None]
    labels = np.array([a.label for a, _ in both])
    if len(set(labels.tolist())) < 2:
        return Damage(name, damage.name, damage.level, None, None, len(both), lost)
    before, after = (np.array([r.score for r in side], dtype=np.float64) for side in zip(*both, strict=True))
    units, named = np.array([a.unit for a, _ in both]), (damage.name, damage.level)
    (found,) = robustness(labels, before, {named: after}, groups=units, draws=draws, seed=seed)
    return Damage(name, *named, auc(labels, before), found, len(both), lost)
