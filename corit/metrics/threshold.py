"""Accuracy at a threshold, and the threshold with the best accuracy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from corit.metrics.bootstrap import check_scores


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
