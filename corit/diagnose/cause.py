"""Causes that are known: the common mean, a feature without a signal, and a training that is too short."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from corit.diagnose.control import fall, falls
from corit.diagnose.diagnosis import DiagnosisCell
from corit.heads.head import HeadKind
from corit.theory.collapse import LEARNED, Spread

NEAR = 0.05  # [choice] AUC by which a head at the largest radius may still be above the nearest-mean classifier
KEEPS = (
    4.0  # [choice] times the radius of the fall that a head on centred features must keep half of what it has to lose
)

CauseName = Literal["common mean", "nearest mean", "no signal", "short training"]


@dataclass(frozen=True)
class Cause:
    """Why a head falls or never learns, where that is known; see `cause`.

    Attributes:
        name: "common mean", "nearest mean" (it falls there for another reason), "no signal" or "short training".
        text: a part of a sentence for readers.
    """

    name: CauseName
    text: str


def reaches_nearest_mean(cell: DiagnosisCell) -> bool:
    """Tell whether a linear head falls to the nearest-mean classifier.

    It loses half of the difference of its floors within the radii, and at the largest radius its AUC, the median over
    seeds, is at most `NEAR` above the nearest-mean one. Adam, which scales each coordinate, can end below.
    """
    if cell.head != "linear" or cell.floors is None or not falls(cell.head, cell.collapse):
        return False
    last = cell.auc[np.isfinite(cell.auc[:, -1]), -1]
    return bool(len(last)) and float(np.median(last)) <= cell.floors.nearest_mean + NEAR


def cause(cell: DiagnosisCell, learned: bool) -> Cause | None:
    """Find the known cause of a fall or of a failure to learn.

    The rules, in their order:

    - "no signal": a linear head never learned, and the converged logistic regression has an AUC below 0.6 too.
    - "short training": a head never learned, and the logistic regression has 0.6 or more.
    - "common mean": the features are raw, the common mean has at least half of their mean squared norm, a linear head
      falls to the nearest-mean classifier or a perceptron falls half of the way to chance, and on centred features the
      same head falls beyond the radii, or at a radius at least four times as large.
    - "nearest mean": a linear head falls to the nearest-mean classifier otherwise.

    Args:
        cell: what the cause is of.
        learned: whether most of its heads learned at some radius.

    Returns:
        None where none of these rules holds, and for a cell without floors.
    """
    if cell.floors is None:
        return None
    if not learned:
        return _not_learned(cell, cell.floors.logistic)
    nearest = reaches_nearest_mean(cell)
    if cell.control is not None and (nearest or cell.head == "mlp"):
        centred = fall(cell.head, cell.control.collapse)
        if _keeps(centred, fall(cell.head, cell.collapse)):
            return Cause("common mean", _common(cell.head, cell.units.raw.common, centred))
    if not nearest:
        return None
    too = ", and on centred features too" if cell.control is not None else ""
    return Cause("nearest mean", f"falls to the nearest-mean classifier{too}: not for a common mean")


def _not_learned(cell: DiagnosisCell, logistic: float) -> Cause | None:
    reaches = f"a converged logistic regression reaches {logistic:.2f}"
    if logistic >= LEARNED:
        return Cause("short training", f"{reaches}: train longer, or at smaller radii")
    return Cause("no signal", f"{reaches}: no linear head can learn it here") if cell.head == "linear" else None


def _keeps(centred: Spread, raw: Spread) -> bool:
    """Whether the fall on centred features is at least `KEEPS` times as far as that on raw features."""
    return centred.median.censoring == ">" or centred.median.value >= KEEPS * raw.median.value


def _common(head: HeadKind, share: float, centred: Spread) -> str:
    what = "falls to the nearest-mean classifier" if head == "linear" else "falls as early as this"
    then = f"half is lost at {centred.median}" if head == "linear" else f"half-way {centred.median}"
    return (
        f"{what} because {100 * share:.0f} % of the features' squared norm is common: centre the features ({then} then)"
    )
