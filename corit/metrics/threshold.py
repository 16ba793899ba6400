"""Thresholds of the score: chosen on validation rows, or, as an extra that must carry its label, on the test itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from corit.metrics.auc import accuracy, check


def best_threshold(labels: np.ndarray, scores: np.ndarray) -> float:
    """The threshold with the highest accuracy on validation rows, halfway between the two scores that it parts.

    Scores at the threshold count as fake. Of equally good thresholds the highest, which calls the fewest reals fake.
    Raises DataError on one class or non-finite scores.
    """
    check(labels, scores)
    order = np.argsort(-scores, kind="stable")
    s, y = scores[order], labels[order]
    # Right answers when the first k rows are called fake; only cuts between different scores can be made.
    right = (1 - y).sum() + np.concatenate([[0], np.cumsum(2 * y - 1)])
    possible = np.concatenate([[True], s[1:] < s[:-1], [True]])
    k = int(np.argmax(np.where(possible, right, -1)))
    if k == 0:
        return float(np.nextafter(s[0], np.inf))
    if k == len(s):
        return float(s[-1])
    middle = s[k] + (s[k - 1] - s[k]) / 2
    return float(middle if middle > s[k] else s[k - 1])  # neighbouring floats have no middle


@dataclass(frozen=True)
class BestOnTest:
    """The highest accuracy that any threshold reaches on these very rows: no detector has it before seeing them.

    Published tables of the field hold such numbers, so they may stand beside others under `label`, never without it.
    """

    accuracy: float
    threshold: float
    label: str = "best on test"


def best_on_test(labels: np.ndarray, scores: np.ndarray) -> BestOnTest:
    """The oracle accuracy of test rows and its threshold. Raises DataError as `best_threshold`."""
    threshold = best_threshold(labels, scores)
    return BestOnTest(accuracy(labels, scores, threshold), threshold)
