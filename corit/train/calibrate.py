"""A detector's calibration on the user's own pictures: new thresholds, and new scores where there are fakes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from corit.detect.detector import Detector
from corit.errors import DataError, NothingScoredError
from corit.features.store import FeatureStore
from corit.heads.head import Head
from corit.images.picture import join_notes
from corit.metrics.bootstrap import Estimate
from corit.metrics.calibration import Calibration, calibrate, set_threshold
from corit.metrics.measures import HeadScores, estimates
from corit.metrics.threshold import fpr_threshold, lowest_fpr, lowest_fpr_threshold, require_sources, share
from corit.serialise import finite

FOLDS = 5
USUAL_FPR = 0.05  # up to which a rate that nobody stated follows the number of sources
CALIBRATED = ("calibrated on", "threshold set on")  # in the note of a card
LEAST_SOURCES = 10  # with reals, and as many with fakes, to measure on held-out ones


@dataclass(frozen=True)
class OwnPictures:
    """The head's outputs on the user's pictures; of several faces in a picture, the highest.

    Attributes:
        logits: (n) of the head.
        labels: (n), 0 for real and 1 for fake.
        units: (n) the source of each picture.
    """

    logits: np.ndarray
    labels: np.ndarray
    units: np.ndarray

    def of(self, label: int) -> OwnPictures:
        """Return the pictures of one label."""
        return self.take(self.labels == label)

    def take(self, rows: np.ndarray) -> OwnPictures:
        """Return some pictures, by index or as (n) bool."""
        return OwnPictures(self.logits[rows], self.labels[rows], self.units[rows])

    @property
    def sources(self) -> int:
        """The number of sources."""
        return len(np.unique(self.units))

    def __len__(self) -> int:
        return len(self.logits)


@dataclass(frozen=True)
class CalibrationResult:
    """A detector with a new calibration, and what was measured on the user's pictures.

    Attributes:
        detector: the new one; its head is the old one's.
        before: with the old calibration: "fpr", the share of reals called fake, and, where there are fakes, "tpr",
            "auc" and "ece", the calibration error.
        after: the same with the new one; with reals only, "fpr" is what to expect of new reals.
        counts: pictures and sources: "real", "fake", "sources".
        unusable: rows that could not be measured, by status.
        held_out: "ece", "tpr" and "fpr" of `after` were measured on sources that the calibration had not seen.
    """

    detector: Detector
    before: Mapping[str, Estimate]
    after: Mapping[str, Estimate]
    counts: Mapping[str, int]
    unusable: Mapping[str, int]
    held_out: bool


def calibrate_detector(
    detector: Detector, store: FeatureStore, *, fpr: float | None = None, draws: int = 1000, seed: int = 0
) -> CalibrationResult:
    """Calibrate a detector on pictures of one's own; its head stays as it is.

    With reals and fakes, scores get a new Platt scaling, and both thresholds are set anew; what that brings is measured
    on held-out sources where there are at least `LEAST_SOURCES` of each class. With reals only, the scores stay, and
    the threshold for "fake" is set for a false-positive rate.

    Args:
        detector: the detector.
        store: the pictures, measured with the detector's recipe; their splits do not matter.
        fpr: the false-positive rate to expect of new reals at the new threshold; by default the one at which the
            detector says fake now, or, where the sources are too few to tell it, the lowest that they can, up to 0.05.
        draws: bootstrap draws of the intervals.
        seed: of the draws and of the held-out parts.

    Returns:
        The new detector with what was measured.

    Raises:
        DataError: there are no reals, or too few sources of them for the rate.
        NothingScoredError: no picture could be measured.
    """
    own = own_pictures(store, detector.head)
    if not len(own.of(0)):
        raise DataError("expected real pictures to calibrate on, but none could be measured; give --real with reals")
    old = detector.card.calibration
    fpr = _own_rate(old, own) if fpr is None else fpr
    require_sources(own.of(0).sources, fpr)
    if len(own.of(1)):
        new = _fitted(own, fpr)
        before = _measured(own, old.score(own.logits), _called(own, old), draws, seed)
        scores, called, held_out = _held_out(own, new, fpr, seed)
        after = _measured(own, scores, called, draws, seed)
        # The order of the scores, and with it the AUC, needs no held-out part, and parts must not be mixed in it.
        after |= {"auc": _ranked(own, new.score(own.logits), ("auc",), draws, seed)["auc"]}
    else:
        limit = fpr_threshold(old.score(own.logits), fpr, own.units)
        new = replace(set_threshold(old, limit, fpr), reals=len(own))
        before, after, held_out = {"fpr": _share(_called(own, old), own)}, {"fpr": limit.fpr}, True
    counts = {"real": len(own.of(0)), "fake": len(own.of(1)), "sources": own.sources}
    unusable = {status: n for status, n in store.counts().items() if status != "ok"}
    record = {"counts": counts, "held_out": held_out, "before": _json(before), "after": _json(after)}
    card = replace(
        detector.card,
        calibration=new,
        metrics={**detector.card.metrics, "calibrated": record},
        note=join_notes(without_calibration(detector.card.note), _note(counts, fpr)),
    )
    changed = detector.changed(card, own=store.features(label=(0, 1)))
    return CalibrationResult(changed, before, after, counts, unusable, held_out)


def _own_rate(calibration: Calibration, own: OwnPictures) -> float:
    """The rate at which a detector says fake, as far as the sources can tell it; at most the usual one is given up."""
    return max(calibration.fpr, min(lowest_fpr(own.of(0).sources), USUAL_FPR))


def own_pictures(store: FeatureStore, head: Head) -> OwnPictures:
    """Score a store's labelled pictures.

    Raises:
        NothingScoredError: no picture could be measured.
    """
    if not store.counts().get("ok"):
        reasons = sorted({r["reason"] for r in store.table.select(["reason"]).to_pylist()})
        raise NothingScoredError(f"expected pictures that can be measured, got none: {'; '.join(reasons[:3])}")
    rows = store.features(label=(0, 1))
    names, first, inverse = np.unique(rows.ids.astype(str), return_index=True, return_inverse=True)
    logits = np.full(len(names), -np.inf)
    np.maximum.at(logits, inverse, head.score_rows(rows).double().numpy())
    columns = [rows.column(name).astype(str)[first] for name in ("group", "video", "id")]
    units = np.where(columns[0] != "", columns[0], np.where(columns[1] != "", columns[1], columns[2]))
    return OwnPictures(logits, rows.y[first].astype(np.int64), units)


def _fitted(own: OwnPictures, fpr: float) -> Calibration:
    """Platt scaling, and the thresholds on its scores: that of fake by what to expect of new reals."""
    platt, reals = calibrate(own.logits, own.labels, fpr), own.of(0)
    return set_threshold(platt, lowest_fpr_threshold(platt.score(reals.logits), fpr, reals.units), fpr)


def _held_out(own: OwnPictures, fitted: Calibration, fpr: float, seed: int) -> tuple[np.ndarray, np.ndarray, bool]:
    """Scores and calls (n) of pictures whose sources the calibration has not seen, and whether that could be done."""
    if min(own.of(0).sources, own.of(1).sources) < LEAST_SOURCES:
        return fitted.score(own.logits), _called(own, fitted), False
    parts = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    folds = list(parts.split(own.logits[:, None], own.labels, own.units))
    if not all(len(own.take(rest).of(1)) for rest, _ in folds):
        return fitted.score(own.logits), _called(own, fitted), False
    scores, called = np.empty(len(own)), np.empty(len(own), bool)
    for rest, held in folds:
        calibration = _fitted(own.take(rest), fpr)
        scores[held] = calibration.score(own.logits[held])
        called[held] = scores[held] >= calibration.fake
    return scores, called, True


def _called(own: OwnPictures, calibration: Calibration) -> np.ndarray:
    """(n) whether a calibration calls each picture fake."""
    called: np.ndarray = calibration.score(own.logits) >= calibration.fake
    return called


def _share(called: np.ndarray, of: OwnPictures) -> Estimate:
    estimate = share(called, of.units)
    assert estimate is not None  # there is a picture
    return estimate


def _measured(own: OwnPictures, scores: np.ndarray, called: np.ndarray, draws: int, seed: int) -> dict[str, Estimate]:
    """AUC and calibration error of scores (n), and the shares of each class that are called fake."""
    ranked = _ranked(own, scores, ("auc", "ece"), draws, seed)
    shares = {name: _share(called[own.labels == y], own.of(y)) for name, y in (("tpr", 1), ("fpr", 0))}
    return {**ranked, **shares}


def _ranked(own: OwnPictures, scores: np.ndarray, names: tuple[str, ...], draws: int, seed: int) -> dict[str, Estimate]:
    columns = HeadScores(own.labels, scores[None], np.array([0.5]), own.units)
    return estimates(columns, names, draws=draws, seed=seed)


def _json(measured: Mapping[str, Estimate]) -> dict[str, Any]:
    return {name: finite((e.value, e.low, e.high)) for name, e in measured.items()}


def _note(counts: Mapping[str, int], fpr: float) -> str:
    fakes = f" and {counts['fake']} fake" if counts["fake"] else ""
    start = CALIBRATED[0 if fakes else 1]
    pictures = f"{counts['real']} real{fakes} pictures of {counts['sources']} sources"
    return f"{start} {pictures} for a false-positive rate of {fpr:.3g}"


def without_calibration(note: str) -> str:
    """Return a card's note without what it says of earlier calibrations, which no longer hold."""
    return join_notes(*(part for part in note.split("; ") if not part.startswith(CALIBRATED)))
