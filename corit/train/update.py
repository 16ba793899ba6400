"""A detector's head trained again, on its training features and on the user's own pictures."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from corit.detect.detector import Card, Detector
from corit.errors import DataError, DetectorError
from corit.features.shards import shard_numbers
from corit.features.store import FeatureStore
from corit.heads.defaults import limit_batch
from corit.heads.fit import Fit, fit
from corit.heads.head import Head, HeadRecipe
from corit.heads.problem import standardised_problem
from corit.images.picture import join_notes
from corit.metrics.auc import auc
from corit.metrics.bootstrap import Estimate
from corit.metrics.calibration import Calibration, calibrate, set_threshold
from corit.metrics.delong import delong
from corit.metrics.measures import HeadScores, estimates
from corit.metrics.threshold import Z, lowest_fpr_threshold
from corit.progress import Progress, no_progress
from corit.serialise import finite
from corit.train.calibrate import without_calibration
from corit.train.heads import LABELS, METRICS, PARTS, versions
from corit.train.rows import (
    LabelledRows,
    equal_shares,
    rows_of,
    stack,
    two_class_sources,
    weighted_index,
)
from corit.train.stand_in import FILE, StandIn, compress, read_stand_in

YOURS, EARLIER = "your pictures", "your earlier pictures"
OWN = "pictures of its user"  # in the domain of a card


@dataclass(frozen=True)
class Comparison:
    """Two heads on the same held-out rows.

    Attributes:
        before: AUC, AP and EER of the old head.
        after: of the new one.
        change: of the AUC, with the interval of DeLong's test by source; NaN where there are too few sources.
        reals: rows.
        fakes: rows.
        sources: of the rows.
    """

    before: Mapping[str, Estimate]
    after: Mapping[str, Estimate]
    change: Estimate
    reals: int
    fakes: int
    sources: int


@dataclass(frozen=True)
class UpdateResult:
    """A detector with a new head, and what the head brings and costs.

    Attributes:
        detector: the new one.
        old: both heads on the detector's own test rows.
        new: both heads on the test part of the user's pictures.
        counts: rows that the head was trained, calibrated and measured on, such as "train real".
        shares: weight of each source in the training.
        compressed: the detector's own rows come from a compressed stand-in.
        training: the rows of both, compressed, for the folder of the new detector.
    """

    detector: Detector
    old: Comparison
    new: Comparison
    counts: Mapping[str, int]
    shares: Mapping[str, float]
    compressed: bool
    training: StandIn

    @property
    def worse(self) -> bool:
        """Whether the new head lost more AUC on the old test than it gained on the user's pictures."""
        return -self.old.change.value > self.new.change.value


def training_features(
    detector: Detector, folder: str | Path, features: str | Path | None = None
) -> FeatureStore | StandIn:
    """Find the features that a detector was trained on: in a store, or compressed in its folder.

    Args:
        detector: the detector.
        folder: its folder.
        features: a store; by default that which `corit train` leaves beside the folder, and without it the stand-in.

    Returns:
        The store or the stand-in.

    Raises:
        DetectorError: there are none, or those in `features` are of another training.
        StoreError: the store is damaged.
    """
    if features is not None:
        store = FeatureStore.open(features)
        if reason := _other_training(detector, store):
            raise DetectorError(f"expected the features that the detector was trained on, but {features} {reason}")
        return store
    place = Path(folder)
    beside, file = place.with_name(f"{place.name}.features"), place / FILE
    reason = "is not there"
    if beside.is_dir() and shard_numbers(beside):
        store = FeatureStore.open(beside)
        reason = _other_training(detector, store)
        if not reason:
            return store
    if file.is_file():
        return _same_recipe(detector, read_stand_in(file), file)
    raise DetectorError(
        f"expected the training features of the detector in {file} or {beside}, but the first is not there, and the "
        f"second {reason}; name the store that corit train wrote with --features, or train the detector again"
    )


def _other_training(detector: Detector, store: FeatureStore) -> str:
    """Why a store is not that of the detector's training, or ""."""
    if store.digest != detector.card.recipe.digest:
        return f"holds features of another recipe, {store.digest[:12]}"
    digest = store.features(split="train").data_digest
    return "" if digest == detector.card.data_digest else "holds other training rows, or some that changed since"


def _same_recipe(detector: Detector, stand_in: StandIn, file: Path) -> StandIn:
    if stand_in.recipe != detector.card.recipe.digest:
        raise DetectorError(
            f"expected features of the detector's recipe {detector.card.recipe.digest[:12]}, but {file} holds those of "
            f"{stand_in.recipe[:12]}; restore the file"
        )
    return stand_in


def update_detector(
    detector: Detector,
    training: FeatureStore | StandIn,
    own: FeatureStore,
    *,
    weight_new: float | None = None,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    fpr: float | None = None,
    draws: int = 1000,
    progress: Progress = no_progress,
) -> UpdateResult:
    """Train a detector's head again, on its training rows and the user's, and compare both heads on held-out rows.

    Every source weighs the same in training, selection and calibration; a source is a data set with reals and fakes.
    The test rows are only measured. Whether the new head is worth its cost says `UpdateResult.worse`.

    Args:
        detector: the detector; its head's recipe is used again.
        training: its training features; see `training_features`.
        own: the user's pictures with the splits train, val and test, measured with the detector's recipe.
        weight_new: share of the user's pictures in the training, in (0, 1); None for the same as every other source.
        seeds: one head is trained for each, and the one with the best validation AUC is kept.
        fpr: the false-positive rate to expect of new reals like those of the validation, at which the threshold is
            set, or the lowest that they can tell; by default the one at which the detector says fake now.
        draws: bootstrap draws of the intervals.
        progress: called with the number of finished training steps and of all steps.

    Returns:
        The new detector with both comparisons.

    Raises:
        DataError: a part of the user's or the old rows has no reals or no fakes, or the weight is out of range.
        DetectorError: the user's pictures were measured with another recipe.
    """
    if own.digest != detector.card.recipe.digest:
        raise DetectorError(
            f"expected your pictures measured with the detector's recipe {detector.card.recipe.digest[:12]}, but "
            f"{own.path} holds features of {own.digest[:12]}; measure them with the detector's encoder"
        )
    old_rows = training.rows if isinstance(training, StandIn) else rows_of(training)
    new_rows = rows_of(own).named(YOURS)
    for name, rows in (("the detector's own", old_rows), ("your", new_rows)):
        _require_both(rows, name)
    earlier = np.where(old_rows.sources == YOURS, EARLIER, old_rows.sources)  # of a detector that was updated before
    old_rows = replace(old_rows, sources=earlier)
    rows = stack([replace(old_rows, sources=two_class_sources(old_rows)), new_rows])
    shares = equal_shares(rows.sources, YOURS, weight_new)
    train, valid = (_weighted(rows.part(split), shares) for split in ("train", "val"))
    recipe = limit_batch(detector.card.head, len(train))
    rate = detector.card.calibration.fpr if fpr is None else fpr
    head, calibration = _trained(train, valid, recipe, seeds, rate, progress)
    calibration = replace(calibration, **_validation_counts(rows))
    old, new = (_compare(detector.head, head, r.part("test"), draws) for r in (old_rows, new_rows))
    card = _card(detector.card, recipe, calibration, own, new_rows, {"old": old, "new": new})
    compressed = compress(stack([old_rows, new_rows]), head, own.digest)
    changed = detector.changed(card, head, own.features(split=("train", "val")))
    return UpdateResult(changed, old, new, rows.counts, shares, isinstance(training, StandIn), compressed)


def _require_both(rows: LabelledRows, whose: str) -> None:
    missing = [name for name, n in rows.counts.items() if n == 0]
    if missing:
        raise DataError(
            f"expected real and fake rows in the train, val and test part of {whose} pictures, but there are none of "
            f"{', '.join(missing)}; give more pictures of more sources"
        )


def _weighted(rows: LabelledRows, shares: Mapping[str, float]) -> LabelledRows:
    """Rows of one split, repeated such that each source has its share."""
    present = {name: share for name, share in shares.items() if (rows.sources == name).any()}
    return rows.take(weighted_index(rows.sources, present, "update"))


def _trained(
    train: LabelledRows, valid: LabelledRows, recipe: HeadRecipe, seeds: Sequence[int], fpr: float, progress: Progress
) -> tuple[Head, Calibration]:
    """The head of the seed with the best validation AUC, and its calibration there."""
    problem = standardised_problem(train.z, train.labels, valid.z, valid.labels, recipe)
    fits: Fit = fit([problem], recipe, seeds=seeds, progress=progress)
    logits = fits.logits(0, problem.valid)[:, 0].double().numpy()  # (S, n)
    best = int(np.argmax([auc(valid.labels, one) for one in logits]))
    return fits.head(seed=best), _calibrated(logits[best], valid, fpr)


def _calibrated(logits: np.ndarray, valid: LabelledRows, fpr: float) -> Calibration:
    """Platt scaling on validation rows, and the threshold of fake for what to expect of new reals, as a calibration."""
    platt, real = calibrate(logits, valid.labels, fpr), valid.labels == 0
    threshold = lowest_fpr_threshold(platt.score(logits[real]), fpr, valid.groups[real])
    return set_threshold(platt, threshold, round(threshold.fpr.value, 4) if threshold.fpr.value > fpr else fpr)


def _validation_counts(rows: LabelledRows) -> dict[str, int]:
    """The number of different validation rows, of which the calibration has seen some several times."""
    return {f"{kind}s": rows.counts[f"val {kind}"] for kind, _ in LABELS}


def _compare(before: Head, after: Head, rows: LabelledRows, draws: int) -> Comparison:
    logits = [head.score_rows(rows.z).double().numpy() for head in (before, after)]
    old, new = (
        estimates(HeadScores(rows.labels, one[None], np.zeros(1), rows.groups), METRICS, draws=draws) for one in logits
    )
    change = new["auc"].value - old["auc"].value
    half = _half_width(rows, *logits)
    reals, fakes = (int((rows.labels == y).sum()) for _, y in LABELS)
    interval = Estimate(change, change - half, change + half)
    return Comparison(old, new, interval, reals, fakes, len(np.unique(rows.groups)))


def _half_width(rows: LabelledRows, before: np.ndarray, after: np.ndarray) -> float:
    """Half the interval of the AUC's change; NaN where too few sources tell nothing."""
    try:
        test = delong(rows.labels, after, before, rows.groups)
    except DataError:
        return math.nan
    return math.nan if test.p is None else Z * test.error


def _card(
    card: Card,
    recipe: HeadRecipe,
    calibration: Calibration,
    own: FeatureStore,
    rows: LabelledRows,
    compared: Mapping[str, Comparison],
) -> Card:
    digest = own.features(split="train").data_digest
    reals, fakes = (sum(rows.counts[f"{part} {kind}"] for part in PARTS) for kind, _ in LABELS)
    note = f"head trained again with {reals} real and {fakes} fake rows of its user"
    return replace(
        card,
        head=recipe,
        calibration=calibration,
        data_digest=hashlib.sha256(f"{card.data_digest} {digest}".encode()).hexdigest(),
        metrics={f"{name} test": _json(c) for name, c in compared.items()},
        versions=versions(),
        note=join_notes(without_calibration(card.note), note),
        domain=card.domain if card.domain.startswith(OWN) else join_notes(OWN, card.domain),
        units={},  # of other training rows
    )


def _json(compared: Comparison) -> dict[str, Any]:
    def table(measured: Mapping[str, Estimate]) -> dict[str, Any]:
        return {name: finite((e.value, e.low, e.high)) for name, e in measured.items()}

    counts = {"reals": compared.reals, "fakes": compared.fakes, "sources": compared.sources}
    change = {"auc change": compared.change}
    return {"before": table(compared.before), "after": {**table(compared.after), **table(change)}, "counts": counts}
