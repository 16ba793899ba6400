"""Detectors, by name, over labelled data: as it is, and perturbed; what was scored before is not scored again."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from corit.data.perturbed import PerturbedSource
from corit.detect.video_score import TRACK, VideoScore
from corit.errors import DataError, DetectorError
from corit.evaluate import slices
from corit.evaluate.detectors import ScoringDetector, load_scoring_detector
from corit.evaluate.labelled import LabelledData
from corit.evaluate.rows import ScoredRow
from corit.evaluate.scoring import score_source
from corit.evaluate.slices import Evaluation
from corit.images.perturb import LEVEL_TEXTS
from corit.metrics.auc import auc
from corit.metrics.robustness import Robustness, robustness
from corit.progress import OpenBar, Progress, no_bar

SCORES = "scores"


def load_detectors(
    detectors: Sequence[str],
    weights: Sequence[str] = (),
    device: str = "cpu",
    head: str | Path | None = None,
) -> dict[str, ScoringDetector]:
    """Detectors under the last parts of their paths.

    weights: where backbones' weights are, "NAME=PLACE" for a detector's own, "PLACE" for all others. head: the file of
    UniFD's published head. Raises DetectorError for none, a name twice, or what is no detector.
    """
    names = [os.path.basename(os.path.abspath(d)).removesuffix(".py") for d in detectors]
    twice = [n for n, count in Counter(names).items() if count > 1]
    if twice or not names:
        raise DetectorError(f"expected detectors with names of their own, got {', '.join(detectors) or 'none'}")
    places = _places(weights, names)
    return {
        n: load_scoring_detector(d, weights=places[n], device=device, head=head)
        for n, d in zip(names, detectors, strict=True)
    }


def _places(weights: Sequence[str], names: Sequence[str]) -> dict[str, str | None]:
    """Detector -> where its backbone's weights are, None for where it says itself. Raises DetectorError."""
    own = {n: w.partition("=")[2] for w in weights if (n := w.partition("=")[0]) in names and "=" in w}
    others = [w for w in weights if "=" not in w or w.partition("=")[0] not in names]
    if len(others) > 1:
        raise DetectorError(
            f"expected weights as NAME=PLACE with one of {', '.join(names)}, and one PLACE at most for all others, "
            f"got {', '.join(others)}"
        )
    return {n: own.get(n, others[0] if others else None) for n in names}


@dataclass(frozen=True)
class Description:
    """What a page says, by word: of the data, and of each detector by its name."""

    data: Mapping[str, str] = field(default_factory=dict)
    detectors: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def describe(detectors: Mapping[str, ScoringDetector], data: LabelledData) -> Description:
    """What a page says of the data and of each detector."""
    return Description(data.about, {name: dict(d.about) for name, d in detectors.items()})


@dataclass(frozen=True)
class ScoringOptions:
    """How the scoring is done: pictures a batch, processes that prepare them, and where progress is shown."""

    batch: int = 8
    workers: int = 0
    bars: OpenBar = no_bar

    def __post_init__(self) -> None:
        if self.batch < 1 or self.workers < 0:
            raise DataError(f"expected a batch >= 1 and workers >= 0, got {self.batch} and {self.workers}")

    def score(
        self, name: str, detector: ScoringDetector, data: LabelledData, out: Path, damage: PerturbedSource | None = None
    ) -> tuple[ScoredRow, ...]:
        """The data's rows scored into OUT/scores by a detector of that name, as they are or damaged."""
        short = f"{damage.name} {damage.level}" if damage else ""
        note = f"{short}: {LEVEL_TEXTS[damage.name]}" if damage else ""
        place = out / SCORES / ".".join(filter(None, (name, short.replace(" ", "-"), "jsonl")))
        label = f"{name} under {short}" if short else f"{name} on the data"
        with self.bars(label) as progress:
            return score_source(
                detector,
                damage or data,
                place,
                batch=self.batch,
                workers=self.workers,
                data=data.key,
                note=note,
                progress=progress,
            )


def evaluate_detectors(
    detectors: Mapping[str, ScoringDetector],
    data: LabelledData,
    out: str | Path,
    *,
    draws: int = 1000,
    seed: int = 0,
    video_score: VideoScore = TRACK,
    scoring: ScoringOptions = ScoringOptions(),
) -> tuple[Evaluation, ...]:
    """Score the data with each detector into OUT/scores and measure.

    video_score: how the scores of faces become that of a video. What is kept in OUT/scores serves every such score.

    Raises DataError for less than two draws, and see `slices.evaluate_rows`.
    """
    _require_draws(draws)
    found = []
    for name, detector in detectors.items():
        rows = scoring.score(name, detector, data, Path(out))
        with scoring.bars(f"intervals of {name}") as progress:
            options = {"draws": draws, "seed": seed, "video_score": video_score, "progress": progress}
            found.append(slices.evaluate_rows(rows, detector.threshold, detector=name, **options))  # type: ignore[arg-type]
    return tuple(found)


def _require_draws(draws: int) -> None:
    if draws < 2:
        raise DataError(f"expected at least two bootstrap draws for an interval, got {draws}; a thousand is usual")


@dataclass(frozen=True)
class RobustnessResult:
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


def measure_robustness(
    detectors: Mapping[str, ScoringDetector],
    data: LabelledData,
    conditions: Sequence[tuple[str, int]],
    out: str | Path,
    *,
    draws: int = 1000,
    seed: int = 0,
    scoring: ScoringOptions = ScoringOptions(),
) -> tuple[RobustnessResult, ...]:
    """Each detector's AUC on the data and under each (perturbation, level), on the rows that both could score.

    Rows that the perturbation made unscorable, such as faces no longer found, are counted as lost. A condition that is
    named twice counts once. Raises DataError for an unknown perturbation and less than two draws before anything is
    scored, and when no real or no fake of the data can be scored.
    """
    _require_draws(draws)
    damages = [PerturbedSource(data, kind, level) for kind, level in dict.fromkeys(conditions)]
    made = []
    for name, detector in detectors.items():
        plain = scoring.score(name, detector, data, Path(out))
        slices.require_both(plain)
        scored = [(damage, scoring.score(name, detector, data, Path(out), damage)) for damage in damages]
        with scoring.bars(f"intervals of {name}") as progress:
            made += _damages(name, plain, scored, draws, seed, progress)
    return tuple(made)


Scored = Sequence[tuple[PerturbedSource, Sequence[ScoredRow]]]


def _damages(
    name: str, plain: Sequence[ScoredRow], scored: Scored, draws: int, seed: int, progress: Progress
) -> list[RobustnessResult]:
    """(26) of each damage; those that left the same rows share their draws, and the unperturbed AUC of each."""
    before = np.array([np.nan if r.score is None else r.score for r in plain], dtype=np.float64)
    after = [np.array([np.nan if r.score is None else r.score for r in rows], dtype=np.float64) for _, rows in scored]
    both = [np.isfinite(before) & np.isfinite(scores) for scores in after]
    labels, units = np.array([r.label for r in plain]), np.array([r.unit for r in plain])
    found: dict[int, Robustness] = {}
    for kept in {b.tobytes(): b for b in both}.values():
        alike = [i for i, b in enumerate(both) if np.array_equal(b, kept)]
        if len(set(labels[kept].tolist())) < 2:
            continue
        perturbed = {(scored[i][0].name, scored[i][0].level): after[i][kept] for i in alike}
        options = {"groups": units[kept], "draws": draws, "seed": seed, "progress": progress}
        measured = robustness(labels[kept], before[kept], perturbed, **options)  # type: ignore[arg-type]
        found |= dict(zip(alike, measured, strict=True))
    lost = [int((np.isfinite(before) & ~b).sum()) for b in both]
    originals = [auc(labels[b], before[b]) if i in found else None for i, b in enumerate(both)]
    return [
        RobustnessResult(name, damage.name, damage.level, originals[i], found.get(i), int(both[i].sum()), lost[i])
        for i, (damage, _) in enumerate(scored)
    ]
