"""Accuracy and shares at a threshold, and thresholds: the most accurate one, and one for a false-positive rate."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from corit.errors import DataError
from corit.metrics.bootstrap import Estimate, check_scores

LEVEL = 0.95  # of the intervals
Z = 1.959964  # of 95 %


def accuracy(labels: np.ndarray, scores: np.ndarray, threshold: float = 0.5) -> float:
    """Compute the share of rows on the right side of the threshold.

    Args:
        labels: (n), 0 for real and 1 for fake.
        scores: (n).
        threshold: a score at the threshold counts as fake.
    """
    return float(np.mean((scores >= threshold) == labels))


def best_threshold(labels: np.ndarray, scores: np.ndarray) -> float:
    """Find the threshold with the highest accuracy on validation rows.

    It lies halfway between the two scores that it separates. Of equally good thresholds it is the highest, which calls
    the fewest reals fake. A score at the threshold counts as fake.

    Args:
        labels: (n), 0 for real and 1 for fake.
        scores: (n).

    Raises:
        DataError: when a class is missing or a score is not finite.
    """
    check_scores(labels, scores)
    order = np.argsort(-scores, kind="stable")
    s, y = scores[order], labels[order]
    # Correct rows when the first k rows are called fake; a cut is possible only between different scores.
    correct = (1 - y).sum() + np.concatenate([[0], np.cumsum(2 * y - 1)])
    possible = np.concatenate([[True], s[1:] < s[:-1], [True]])
    k = int(np.argmax(np.where(possible, correct, -1)))
    if k == 0:
        return float(np.nextafter(s[0], np.inf))
    if k == len(s):
        return float(s[-1])
    middle = s[k] + (s[k - 1] - s[k]) / 2
    return float(middle if middle > s[k] else s[k - 1])  # neighbouring floats have no middle


@dataclass(frozen=True)
class BestOnTest:
    """The highest accuracy that any threshold reaches on the test rows; no detector has it before it sees them.

    Published tables of the field hold such numbers. They may stand beside others under `label`, never without it.

    Attributes:
        accuracy: in [0, 1].
        threshold: the one that reaches it.
        label: the words that a table shows with the number.
    """

    accuracy: float
    threshold: float
    label: str = "best on test"


def best_on_test(labels: np.ndarray, scores: np.ndarray) -> BestOnTest:
    """Compute the oracle accuracy of test rows (n) and its threshold.

    Raises:
        DataError: as `best_threshold`.
    """
    threshold = best_threshold(labels, scores)
    return BestOnTest(accuracy(labels, scores, threshold), threshold)


def share(called: np.ndarray, units: np.ndarray) -> Estimate | None:
    """The share of rows that are called fake, with Wilson's interval.

    It has a width also where all or none are called fake; a bootstrap would give no width there.

    Args:
        called: (n) bool.
        units: (n) the source or video of each row; the interval is for as many rows as there are units.

    Returns:
        The share; None for no rows.
    """
    if not len(called):
        return None
    n, value = len(np.unique(units)), float(called.mean())
    middle = (value + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * math.sqrt(value * (1 - value) / n + Z**2 / (4 * n**2))
    return Estimate(value, max(0.0, min(value, middle - half)), min(1.0, max(value, middle + half)))


@dataclass(frozen=True)
class FprThreshold:
    """A threshold for a false-positive rate, set on reals alone.

    Attributes:
        threshold: scores from here up are called fake.
        fpr: the rate to expect of new reals of this kind, with the interval that holds it in 95 of 100 draws of reals.
    """

    threshold: float
    fpr: Estimate


def fpr_threshold(scores: np.ndarray, fpr: float, units: np.ndarray | None = None) -> FprThreshold:
    """Set the lowest threshold whose expected false-positive rate on new reals is at most `fpr`.

    Just above the (k + 1)-th highest of n independent scores, the true rate has the distribution Beta(k + 1, n - k),
    whatever the distribution of the scores: its mean is (k + 1) / (n + 1), and its quantiles are the interval. Pictures
    of one source are not independent; with u sources, n rows count as u, the most cautious case. [choice]

    Args:
        scores: (n) of real pictures.
        fpr: the rate, in (0, 1).
        units: (n) the source of each picture; None where they are independent.

    Raises:
        DataError: the rate is out of range, a score is not finite, or there are fewer sources than `sources_needed`.
    """
    n, sources = len(scores), len(scores) if units is None else len(np.unique(units))
    require_sources(sources, fpr)
    if not np.isfinite(scores).all():
        raise DataError("expected finite scores, got NaN or infinity; leave out the rows that could not be scored")
    above = max(0.0, fpr * (sources + 1) - 1)  # sources that may lie above the threshold
    k = int(above * n / sources + 1e-9)
    cut = np.sort(scores)[n - 1 - k]
    inside = k * sources / n
    low, high = beta.ppf([(1 - LEVEL) / 2, (1 + LEVEL) / 2], inside + 1, sources - inside)
    return FprThreshold(
        float(np.nextafter(cut, np.inf)), Estimate((inside + 1) / (sources + 1), float(low), float(high))
    )


def require_sources(sources: int, fpr: float) -> None:
    """Raise DataError where so many sources of reals are too few for a false-positive rate, or it is out of range."""
    if not 0 < fpr < 1:
        raise DataError(f"expected a false-positive rate between 0 and 1, got {fpr}; 0.05 is one in twenty")
    if sources < sources_needed(fpr):
        raise DataError(
            f"expected at least {sources_needed(fpr)} sources of real pictures for a false-positive rate of {fpr:.3g}, "
            f"got {sources}; give more, or a rate of at least {lowest_fpr(sources):.3g}"
        )


def lowest_fpr_threshold(scores: np.ndarray, fpr: float, units: np.ndarray) -> FprThreshold:
    """Set a threshold as `fpr_threshold`; where the sources are too few for the rate, at the lowest that they can tell.

    Args:
        scores: (n) of real pictures.
        fpr: the rate, in (0, 1).
        units: (n) the source of each picture.

    Raises:
        DataError: see `fpr_threshold`; never for too few sources.
    """
    return fpr_threshold(scores, max(fpr, lowest_fpr(len(np.unique(units)))), units)


def lowest_fpr(sources: int) -> float:
    """Return the lowest false-positive rate that so many independent reals can tell: 1 / (sources + 1)."""
    return 1 / (sources + 1)


def sources_needed(fpr: float) -> int:
    """Return how many independent reals a threshold needs, such that a rate of `fpr` can be expected: 1 / fpr - 1."""
    return max(1, math.ceil(1 / fpr - 1 - 1e-9))
