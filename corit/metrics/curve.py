"""The ROC curve as counts, sorted once: the metrics of all rows and of bootstrap draws are read from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

BINS = 15  # of the calibration error


@dataclass(frozen=True)
class Curve:
    """Counts of rows that are called fake as the threshold falls.

    Each threshold is a score that occurs, so that tied rows change both counts at once. In a bootstrap draw a row
    counts as often as it is drawn.

    Attributes:
        tp: (m + 1) fakes that are called fake, from 0 upwards.
        fp: (m + 1) reals that are called fake, from 0 upwards.
        thresholds: (m) falling.
    """

    tp: np.ndarray
    fp: np.ndarray
    thresholds: np.ndarray

    @property
    def tpr(self) -> np.ndarray:
        """(m + 1) true-positive rate: the share of the fakes that are called fake."""
        share: np.ndarray = self.tp / self.tp[-1]
        return share

    @property
    def fpr(self) -> np.ndarray:
        """(m + 1) false-positive rate: the share of the reals that are called fake."""
        share: np.ndarray = self.fp / self.fp[-1]
        return share

    def auc(self) -> float:
        """Area under the curve; a tie counts one half."""
        return float(np.sum(np.diff(self.fp) * (self.tp[1:] + self.tp[:-1])) / (2 * self.fp[-1] * self.tp[-1]))

    def average_precision(self) -> float:
        """AP with the fakes as positives: the sum of precision times recall gained, without interpolation."""
        called = np.maximum(self.tp[1:] + self.fp[1:], 1)
        return float(np.sum(np.diff(self.tp) * self.tp[1:] / called) / self.tp[-1])

    def accuracy(self, threshold: float) -> float:
        """Share of rows on the right side of the threshold; a score at the threshold counts as fake."""
        k = int(np.searchsorted(-self.thresholds, -threshold, side="right"))
        return float((self.tp[k] + self.fp[-1] - self.fp[k]) / (self.tp[-1] + self.fp[-1]))

    def equal_error_rate(self) -> float:
        """EER as DeepfakeBench reports it: the FPR of the vertex where the two error rates are nearest.

        The vertices are those that scikit-learn's `roc_curve` keeps: it drops points inside straight parts.
        """
        straight = (np.diff(self.fp[1:], 2) == 0) & (np.diff(self.tp[1:], 2) == 0)
        vertices = np.flatnonzero(np.concatenate([[True, True], ~straight, [True]]))[: len(self.fp)]
        fpr, tpr = self.fpr[vertices], self.tpr[vertices]
        return float(fpr[np.argmin(np.abs(1 - tpr - fpr))])

    def tied_at_equal_error(self) -> bool:
        """Whether reals and fakes share the score at which the error rates cross: no threshold separates them."""
        gap = self.fpr - (1 - self.tpr)
        k = int(np.argmax(gap >= 0))
        return bool(gap[k] > 0 and self.fp[k] > self.fp[k - 1] and self.tp[k] > self.tp[k - 1])

    def equal_error_rate_interpolated(self) -> float:
        """EER by interpolation: the FPR where the curve, joined by straight lines, crosses FPR = 1 - TPR."""
        fpr = self.fpr
        gap = fpr - (1 - self.tpr)  # rises from -1 to 1 along the curve
        k = int(np.argmax(gap >= 0))
        if gap[k] == 0:
            return float(fpr[k])
        t = -gap[k - 1] / (gap[k] - gap[k - 1])
        return float(fpr[k - 1] + t * (fpr[k] - fpr[k - 1]))

    def tpr_at_fpr(self, fpr: float) -> float:
        """Largest TPR of the thresholds whose FPR is at most `fpr`."""
        return float(self.tpr[self.fpr <= fpr + 1e-12].max())


@dataclass(frozen=True)
class Ranking:
    """Labels and scores, sorted once, from which the curves of many bootstrap draws are built.

    Attributes:
        labels: (n), 0 for real and 1 for fake.
        scores: (n), larger for fake; probabilities where the calibration error is read.
        bins: equal-width bins of the calibration error.
    """

    labels: np.ndarray
    scores: np.ndarray
    bins: int = BINS

    @cached_property
    def _order(self) -> np.ndarray:
        return np.argsort(-self.scores, kind="stable")

    @cached_property
    def _sorted(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Labels in falling order of score, the last place of each run of equal scores, and those scores."""
        s = self.scores[self._order]
        ends = np.flatnonzero(np.append(s[1:] != s[:-1], True))
        return self.labels[self._order], ends, s[ends]

    @cached_property
    def _bins(self) -> np.ndarray:
        bins: np.ndarray = np.clip((self.scores * self.bins).astype(int), 0, self.bins - 1)
        return bins

    def curve(self, times: np.ndarray | None = None) -> Curve:
        """Build the curve of all rows, or of a draw.

        Args:
            times: (n) floats, how often the draw holds each row; None for all rows once.
        """
        labels, ends, thresholds = self._sorted
        w = np.ones(len(labels)) if times is None else times[self._order]
        tp, called = np.cumsum(w * labels)[ends], np.cumsum(w)[ends]
        if times is not None:  # a score without a drawn row is no point of the curve
            drawn = np.diff(called, prepend=0) > 0
            tp, called, thresholds = tp[drawn], called[drawn], thresholds[drawn]
        return Curve(np.concatenate([[0.0], tp]), np.concatenate([[0.0], called - tp]), thresholds)

    def calibration_gaps(self, times: np.ndarray | None = None) -> np.ndarray:
        """Compute each bin's signed calibration gap, weighted by its share of the rows.

        Args:
            times: (n) floats, how often the draw holds each row; None for all rows once.

        Returns:
            (bins) share of fakes minus mean probability, times the bin's share of the rows.
        """
        w = np.ones(len(self.labels)) if times is None else times
        gaps: np.ndarray = np.bincount(self._bins, w * (self.labels - self.scores), minlength=self.bins) / w.sum()
        return gaps

    def calibration_error(self, times: np.ndarray | None = None) -> float:
        """Expected calibration error (ECE): the sum of the gaps' magnitudes."""
        return float(np.abs(self.calibration_gaps(times)).sum())


def average_precision(labels: np.ndarray, scores: np.ndarray) -> float:
    """AP of labels (n) and scores (n); see `Curve.average_precision`."""
    return Ranking(labels, scores).curve().average_precision()


def equal_error_rate(labels: np.ndarray, scores: np.ndarray) -> float:
    """EER of labels (n) and scores (n) at the nearest vertex; see `Curve.equal_error_rate`."""
    return Ranking(labels, scores).curve().equal_error_rate()


def equal_error_rate_interpolated(labels: np.ndarray, scores: np.ndarray) -> float:
    """EER of labels (n) and scores (n) by interpolation; see `Curve.equal_error_rate_interpolated`."""
    return Ranking(labels, scores).curve().equal_error_rate_interpolated()


def tpr_at_fpr(labels: np.ndarray, scores: np.ndarray, fpr: float) -> float:
    """Largest TPR of labels (n) and scores (n) at a false-positive rate of at most `fpr`."""
    return Ranking(labels, scores).curve().tpr_at_fpr(fpr)


def expected_calibration_error(labels: np.ndarray, probabilities: np.ndarray, bins: int = BINS) -> float:
    """ECE of labels (n) and probabilities (n) in [0, 1] over equal-width bins, weighted by the bins' rows."""
    return Ranking(labels, probabilities, bins).calibration_error()
