"""Platt scaling of logits and thresholds for verdicts, fitted on validation rows only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log
from typing import Literal

import numpy as np
from sklearn.linear_model import LogisticRegression

from corit.errors import FitError
from corit.metrics.bootstrap import check_scores
from corit.metrics.threshold import FprThreshold

Verdict = Literal["real", "unsure", "fake"]


@dataclass(frozen=True)
class Calibration:
    """Platt scaling and the two thresholds of a detector.

    A score is sigmoid(slope * logit + intercept). Scores between the two thresholds are unsure.

    Attributes:
        slope: of the logit, never negative.
        intercept: added to the scaled logit.
        fake: scores from here up are called fake; at most a share `fpr` of the validation reals reach it, or is
            expected of new reals where `set_threshold` set it.
        real: scores below are called real; at most a share `fpr` of the validation fakes stay below it.
        fpr: that share, in (0, 1).
        reals: number of real validation rows.
        fakes: number of fake validation rows.

    Raises:
        FitError: when the thresholds are not 0 <= real <= fake.
    """

    slope: float
    intercept: float
    fake: float
    real: float
    fpr: float
    reals: int
    fakes: int

    def __post_init__(self) -> None:
        if not 0 <= self.real <= self.fake:
            raise FitError(f"expected thresholds 0 <= real <= fake, got {self.real} and {self.fake}")

    def score(self, logits: np.ndarray) -> np.ndarray:
        """Convert logits of any shape to probabilities in [0, 1], in float64."""
        return _sigmoid(self.slope * np.asarray(logits, dtype=np.float64) + self.intercept)

    def verdict(self, score: float) -> Verdict:
        """Call a score fake or real, or unsure between the thresholds."""
        return "fake" if score >= self.fake else "real" if score < self.real else "unsure"


def set_threshold(calibration: Calibration, threshold: FprThreshold, fpr: float) -> Calibration:
    """Return a calibration that says fake from a threshold up, and real never above it.

    Args:
        calibration: scores stay as it makes them.
        threshold: of scores of reals.
        fpr: the false-positive rate that it stands for.
    """
    return replace(calibration, fake=threshold.threshold, real=min(calibration.real, threshold.threshold), fpr=fpr)


def _sigmoid(t: np.ndarray) -> np.ndarray:
    probabilities: np.ndarray = 1 / (1 + np.exp(-np.clip(t, -500, 500)))
    return probabilities


def calibrate(logits: np.ndarray, labels: np.ndarray, fpr: float = 0.05) -> Calibration:
    """Fit slope, intercept and thresholds on validation rows.

    Platt's smoothed targets keep the slope finite when the validation rows are perfectly separated. A head that ranks
    fakes below reals, or that gives every row the same logit, gets slope 0: each score then is the share of fakes.

    Args:
        logits: (n) of validation rows.
        labels: (n), 0 for real and 1 for fake.
        fpr: largest share of the reals that the upper threshold may call fake, and of the fakes that the lower one may
            call real.

    Raises:
        DataError: when a class is missing or a logit is not finite.
        FitError: when `fpr` is not in (0, 1).
    """
    check_scores(labels, logits)
    if not 0 < fpr < 1:
        raise FitError(f"expected a false-positive rate between 0 and 1, got {fpr}")
    logits = np.asarray(logits, dtype=np.float64)
    slope, intercept = _platt(logits, labels)
    scores = _sigmoid(slope * logits + intercept)
    reals, fakes = np.sort(scores[labels == 0]), np.sort(scores[labels == 1])
    fake = float(np.nextafter(reals[len(reals) - 1 - int(fpr * len(reals))], 2))
    real = float(fakes[int(fpr * len(fakes))])
    return Calibration(slope, intercept, fake, min(real, fake), fpr, len(reals), len(fakes))


def _platt(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Maximum likelihood of sigmoid(a t + b) with targets (n1 + 1)/(n1 + 2) and 1/(n0 + 2) (Platt, 1999).

    Calibration must not turn a head that ranks the wrong way round on validation into a good one: where a <= 0 the
    maximum with a = 0 is taken, and b is the log odds of the labels. It needs no smoothing, which only keeps a finite.
    """
    n1, n0 = int(labels.sum()), int((1 - labels).sum())
    target = np.where(labels == 1, (n1 + 1) / (n1 + 2), 1 / (n0 + 2))
    centre, spread = float(logits.mean()), float(logits.std()) or 1.0
    x = (np.concatenate([logits, logits])[:, None] - centre) / spread  # else the optimiser stops early on an offset
    y = np.repeat([1, 0], len(logits))
    model = LogisticRegression(C=1e9, tol=1e-8).fit(x, y, sample_weight=np.concatenate([target, 1 - target]))
    slope = float(model.coef_[0, 0]) / spread
    if slope <= 0:
        return 0.0, log(n1 / n0)
    return slope, float(model.intercept_[0]) - slope * centre
