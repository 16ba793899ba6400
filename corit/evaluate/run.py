"""Measure detectors on labelled data, as it is and perturbed; kept scores are used again."""

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
    """Load detectors to measure, each under the last part of its path.

    Args:
        detectors: as `corit.evaluate.detectors.load_scoring_detector` takes them.
        weights: new places of the backbones' weights, if they moved: "NAME=PLACE" for one detector, "PLACE" for all
            others.
        device: cpu or cuda.
        head: file of UniFD's published head.

    Returns:
        The detectors by name.

    Raises:
        DetectorError: there are none, two have one name, or one cannot be loaded.
        WeightsError: the published head is not available.
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
    """Detector -> place of its backbone's weights, None for the one that it names. Raises DetectorError."""
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
    """What a page says about an evaluation, as texts by word.

    Attributes:
        data: about the data.
        detectors: about each detector, by its name.
    """

    data: Mapping[str, str] = field(default_factory=dict)
    detectors: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def describe(detectors: Mapping[str, ScoringDetector], data: LabelledData) -> Description:
    """Return what a page says about the data and about each detector."""
    return Description(data.about, {name: dict(d.about) for name, d in detectors.items()})


@dataclass(frozen=True)
class ScoringOptions:
    """How pictures are scored.

    Attributes:
        batch: pictures or faces in one forward pass.
        workers: processes that decode and prepare pictures; 0 uses this process.
        bars: opens a progress bar.
    """

    batch: int = 8
    workers: int = 0
    bars: OpenBar = no_bar

    def __post_init__(self) -> None:
        if self.batch < 1 or self.workers < 0:
            raise DataError(f"expected a batch >= 1 and workers >= 0, got {self.batch} and {self.workers}")

    def score(
        self, name: str, detector: ScoringDetector, data: LabelledData, out: Path, damage: PerturbedSource | None = None
    ) -> tuple[ScoredRow, ...]:
        """Score the data into OUT/scores, or read the scores that are kept there.

        Args:
            name: of the detector; files of scores are called by it.
            detector: the detector.
            data: the labelled data.
            out: the folder OUT.
            damage: the same data, perturbed; by default it is scored as it is.

        Returns:
            The scored rows, in the order of the data.
        """
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
    """Score labelled data with each detector, and measure the scores.

    Args:
        detectors: the detectors, by name; see `load_detectors`.
        data: the labelled data; see `open_labelled`.
        out: folder in which scores are kept; the next run uses them, whatever its `video_score`.
        draws: bootstrap draws behind each interval.
        seed: of the draws.
        video_score: how the scores of the faces become the score of the video: VideoScore("track") or
            VideoScore("frames"); a plain text is not accepted.
        scoring: how pictures are scored.

    Returns:
        An evaluation for each detector.

    Raises:
        DataError: there are less than two draws, no reals or no fakes could be scored, or `out` holds scores of other
            data or another detector.
        NothingScoredError: no row has a score.
    """
    _require_draws(draws)
    evaluations = []
    for name, detector in detectors.items():
        rows = scoring.score(name, detector, data, Path(out))
        with scoring.bars(f"intervals of {name}") as progress:
            options = {"draws": draws, "seed": seed, "video_score": video_score, "progress": progress}
            evaluations.append(slices.evaluate_rows(rows, detector.threshold, detector=name, **options))  # type: ignore[arg-type]
    return tuple(evaluations)


def _require_draws(draws: int) -> None:
    if draws < 2:
        raise DataError(f"expected at least two bootstrap draws for an interval, got {draws}; a thousand is usual")


@dataclass(frozen=True)
class RobustnessResult:
    """One detector under one perturbation and level.

    Attributes:
        detector: its name.
        name: of the perturbation.
        level: 1 to 5.
        original: AUC on unperturbed pictures, on the rows with both scores; None where these are of one class.
        found: the relative variation of the AUC, equation (26), on these rows; None as above.
        n: rows with both scores.
        lost: rows that have a score only without the perturbation.
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
    """Measure each detector's AUC on the data and under each perturbation, on the rows that both could score.

    Rows that only the perturbation makes unscorable, such as faces that are no longer found, count as lost.

    Args:
        detectors: the detectors, by name; see `load_detectors`.
        data: the labelled data; see `open_labelled`.
        conditions: perturbations and levels; one that occurs twice counts once.
        out: folder in which scores are kept; the next run uses them.
        draws: bootstrap draws behind each interval.
        seed: of the draws.
        scoring: how pictures are scored.

    Returns:
        A result for each detector and condition.

    Raises:
        DataError: a perturbation is unknown, there are less than two draws, or no reals or no fakes could be scored.
        NothingScoredError: no row has a score.
    """
    _require_draws(draws)
    damages = [PerturbedSource(data, kind, level) for kind, level in dict.fromkeys(conditions)]
    results = []
    for name, detector in detectors.items():
        plain = scoring.score(name, detector, data, Path(out))
        slices.require_both(plain)
        scored = [(damage, scoring.score(name, detector, data, Path(out), damage)) for damage in damages]
        with scoring.bars(f"intervals of {name}") as progress:
            results += _damages(name, plain, scored, draws, seed, progress)
    return tuple(results)


Scored = Sequence[tuple[PerturbedSource, Sequence[ScoredRow]]]


def _damages(
    name: str, plain: Sequence[ScoredRow], scored: Scored, draws: int, seed: int, progress: Progress
) -> list[RobustnessResult]:
    """The results of each perturbation; those that leave the same rows share their draws and the unperturbed AUC."""
    before = np.array([np.nan if r.score is None else r.score for r in plain], dtype=np.float64)
    after = [np.array([np.nan if r.score is None else r.score for r in rows], dtype=np.float64) for _, rows in scored]
    both = [np.isfinite(before) & np.isfinite(scores) for scores in after]
    labels, units = np.array([r.label for r in plain]), np.array([r.unit for r in plain])
    variations: dict[int, Robustness] = {}
    for kept in {b.tobytes(): b for b in both}.values():
        alike = [i for i, b in enumerate(both) if np.array_equal(b, kept)]
        if len(set(labels[kept].tolist())) < 2:
            continue
        perturbed = {(scored[i][0].name, scored[i][0].level): after[i][kept] for i in alike}
        options = {"groups": units[kept], "draws": draws, "seed": seed, "progress": progress}
        measured = robustness(labels[kept], before[kept], perturbed, **options)  # type: ignore[arg-type]
        variations |= dict(zip(alike, measured, strict=True))
    lost = [int((np.isfinite(before) & ~b).sum()) for b in both]
    originals = [auc(labels[b], before[b]) if i in variations else None for i, b in enumerate(both)]
    return [
        RobustnessResult(name, damage.name, damage.level, originals[i], variations.get(i), int(both[i].sum()), lost[i])
        for i, (damage, _) in enumerate(scored)
    ]
