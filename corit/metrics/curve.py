"""The ROC curve as counts, sorted once: what every metric is read from, also of rows that were drawn several times."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

BINS = 15  # of the calibration error


@dataclass(frozen=True)
class Curve:
    """Fakes and reals called fake as the threshold falls: tp, fp (m + 1) from 0; thresholds (m), falling.

    A threshold is a score that occurs, so that ties move both counts at once. Where rows were drawn, draws are counted.
    """

    tp: np.ndarray
    fp: np.ndarray
    thresholds: np.ndarray

    @property
    def tpr(self) -> np.ndarray:
        """Share of the fakes found, (m + 1)."""
        share: np.ndarray = self.tp / self.tp[-1]
        return share

    @property
    def fpr(self) -> np.ndarray:
        """Share of the reals called fake, (m + 1)."""
        share: np.ndarray = self.fp / self.fp[-1]
        return share

    def auc(self) -> float:
        """The area under it; a tie counts one half."""
        return float(np.sum(np.diff(self.fp) * (self.tp[1:] + self.tp[:-1])) / (2 * self.fp[-1] * self.tp[-1]))

    def average_precision(self) -> float:
        """Sum of precision times recall gained, no interpolation."""
        called = np.maximum(self.tp[1:] + self.fp[1:], 1)
        return float(np.sum(np.diff(self.tp) * self.tp[1:] / called) / self.tp[-1])

    def accuracy(self, threshold: float) -> float:
        """Share on the right side of a threshold; a score at it counts as fake."""
        k = int(np.searchsorted(-self.thresholds, -threshold, side="right"))
        return float((self.tp[k] + self.fp[-1] - self.fp[k]) / (self.tp[-1] + self.fp[-1]))

    def equal_error_rate(self) -> float:
        """The FPR at the vertex where the two error rates are nearest, of those that scikit-learn's roc_curve keeps.

        It leaves out the points between which the curve is straight, and the benchmark reads its EER from the rest.
        """
        straight = (np.diff(self.fp[1:], 2) == 0) & (np.diff(self.tp[1:], 2) == 0)
        kept = np.flatnonzero(np.concatenate([[True, True], ~straight, [True]]))[: len(self.fp)]
        fpr, tpr = self.fpr[kept], self.tpr[kept]
        return float(fpr[np.argmin(np.abs(1 - tpr - fpr))])

    def tied_at_equal_error(self) -> bool:
        """Whether reals and fakes tie in the scores between which the error rates cross: no threshold is near it."""
        gap = self.fpr - (1 - self.tpr)
        k = int(np.argmax(gap >= 0))
        return bool(gap[k] > 0 and self.fp[k] > self.fp[k - 1] and self.tp[k] > self.tp[k - 1])

    def equal_error_rate_interpolated(self) -> float:
        """The FPR where the curve, joined by straight lines, crosses FPR = 1 - TPR."""
        fpr = self.fpr
        gap = fpr - (1 - self.tpr)  # rises from -1 to 1 along the curve
        k = int(np.argmax(gap >= 0))
        if gap[k] == 0:
            return float(fpr[k])
        t = -gap[k - 1] / (gap[k] - gap[k - 1])
        return float(fpr[k - 1] + t * (fpr[k] - fpr[k - 1]))

    def tpr_at_fpr(self, fpr: float) -> float:
        """The largest TPR with an FPR of at most `fpr`."""
        return float(self.tpr[self.fpr <= fpr + 1e-12].max())


@dataclass(frozen=True)
class Ranking:
    """Labels (n) and scores (n) of rows, from which curves of draws of them are made without sorting again."""

    labels: np.ndarray
    scores: np.ndarray

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
        bins: np.ndarray = np.clip((self.scores * BINS).astype(int), 0, BINS - 1)
        return bins

    def curve(self, times: np.ndarray | None = None) -> Curve:
        """The curve of all rows, or of each row so many times (n)."""
        labels, ends, thresholds = self._sorted
        w = np.ones(len(labels)) if times is None else times[self._order]
        tp, called = np.cumsum(w * labels)[ends], np.cumsum(w)[ends]
        if times is not None:  # scores of which no row was drawn are no points of its curve
            drawn = np.diff(called, prepend=0) > 0
            tp, called, thresholds = tp[drawn], called[drawn], thresholds[drawn]
        return Curve(np.concatenate([[0.0], tp]), np.concatenate([[0.0], called - tp]), thresholds)

    def calibration_gaps(self, times: np.ndarray | None = None) -> np.ndarray:
        """(BINS) of equal-width bins the share of fakes less the mean probability, by the bin's share of the rows."""
        w = np.ones(len(self.labels)) if times is None else times
        gaps: np.ndarray = np.bincount(self._bins, w * (self.labels - self.scores), minlength=BINS) / w.sum()
        return gaps

    def calibration_error(self, times: np.ndarray | None = None) -> float:
        """The sum of the gaps' sizes."""
        return float(np.abs(self.calibration_gaps(times)).sum())
