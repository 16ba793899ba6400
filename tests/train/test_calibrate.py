"""Calibration on own pictures: what is promised holds on new ones, and the head is left as it is."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
import torch
from train.own_rows import detector, direction, lost, rows, store

from corit.detect.detector import Detector
from corit.errors import DataError, NothingScoredError
from corit.metrics.auc import auc
from corit.metrics.curve import expected_calibration_error
from corit.train.calibrate import calibrate_detector, own_pictures, without_calibration

TOWARDS = direction(1)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return store(tmp_path_factory.mktemp("p") / "s", rows("a", 60, towards=TOWARDS), [lost("x"), lost("y", 1)])


@pytest.fixture(scope="module")
def new_reals(tmp_path_factory):
    return store(tmp_path_factory.mktemp("n") / "s", rows("n", 2000, towards=TOWARDS, fakes=False))


def false_rate(calibrated, store):
    own = own_pictures(store, calibrated.head)
    return float((calibrated.card.calibration.score(own.logits) >= calibrated.card.calibration.fake).mean())


def test_a_shifted_detector_is_calibrated_and_keeps_its_head_and_ranks(pictures, new_reals):
    old = detector(TOWARDS, intercept=6.0)
    result = calibrate_detector(old, pictures, draws=50)
    assert torch.equal(result.detector.head.weight, old.head.weight)
    assert result.counts == {"real": 60, "fake": 60, "sources": 60}
    assert result.unusable == {"no_face": 2}
    assert result.held_out
    assert result.before["auc"] == result.after["auc"]
    assert result.after["ece"].value < result.before["ece"].value / 2
    assert result.before["fpr"].value > 0.5
    assert result.after["fpr"].value < 0.15
    assert false_rate(result.detector, new_reals) < 0.12
    assert false_rate(old, new_reals) > 0.5


def test_before_is_measured_with_the_old_calibration(pictures):
    old = detector(TOWARDS, intercept=1.0)
    own = own_pictures(pictures, old.head)
    scores = 1 / (1 + np.exp(-own.logits - 1.0))
    before = calibrate_detector(old, pictures, draws=20).before
    assert before["auc"].value == pytest.approx(auc(own.labels, scores))
    assert before["ece"].value == pytest.approx(expected_calibration_error(own.labels, scores))
    assert before["tpr"].value == pytest.approx((scores[own.labels == 1] >= 0.5).mean())


def test_held_out_scores_never_come_from_their_own_source(pictures, monkeypatch):
    from corit.train import calibrate as module

    fitted, real = [], module._fitted
    monkeypatch.setattr(module, "_fitted", lambda own, fpr: fitted.append(set(own.units)) or real(own, fpr))
    calibrate_detector(detector(TOWARDS), pictures, draws=20)
    whole, *parts = fitted
    assert len(parts) == 5
    assert all(len(part) < len(whole) for part in parts)
    left = [whole - part for part in parts]
    assert sorted(chain(*left)) == sorted(whole)


def test_few_sources_are_measured_on_themselves_and_that_is_told(tmp_path):
    few = store(tmp_path / "s", rows("a", 20, towards=TOWARDS))
    assert calibrate_detector(detector(TOWARDS), few, draws=20).held_out  # parts of it take the lowest rate they can
    assert not calibrate_detector(
        detector(TOWARDS), store(tmp_path / "t", rows("a", 9, towards=TOWARDS)), fpr=0.3
    ).held_out


def test_with_reals_only_scores_stay_and_the_threshold_keeps_its_promise(tmp_path, new_reals):
    old = detector(TOWARDS, slope=0.5, intercept=2.0)
    reals = store(tmp_path / "s", rows("v", 99, towards=TOWARDS, fakes=False))
    result = calibrate_detector(old, reals, fpr=0.05)
    new = result.detector.card.calibration
    assert (new.slope, new.intercept, new.fpr, new.reals, new.fakes) == (0.5, 2.0, 0.05, 99, 50)
    assert new.real == 0.3
    assert set(result.after) == {"fpr"}
    assert result.after["fpr"].low <= false_rate(result.detector, new_reals) <= result.after["fpr"].high
    assert result.after["fpr"].value == pytest.approx(0.05)
    note = result.detector.card.note
    assert note == "threshold set on 99 real pictures of 99 sources for a false-positive rate of 0.05"


def test_a_low_new_threshold_takes_the_lower_one_along(tmp_path):
    reals = store(tmp_path / "s", rows("r", 40, towards=TOWARDS, fakes=False))
    new = calibrate_detector(detector(TOWARDS, intercept=-20.0), reals).detector.card.calibration
    assert new.real == new.fake < 0.3


def test_of_several_faces_the_highest_counts(tmp_path):
    table = rows("a", 2, towards=TOWARDS)
    faces = [[table[0], replace(table[1], sample=table[0].sample, face=1)]]
    own = own_pictures(store(tmp_path / "s", faces), detector(TOWARDS).head)
    alone = own_pictures(store(tmp_path / "t", table[:2]), detector(TOWARDS).head)
    assert own.logits.tolist() == [alone.logits.max()]


def test_too_few_reals_no_reals_and_nothing_measured_are_refused(tmp_path):
    few = store(tmp_path / "few", rows("r", 18, towards=TOWARDS))
    with pytest.raises(DataError, match="at least 19 sources"):
        calibrate_detector(detector(TOWARDS), few)
    fakes = store(tmp_path / "fakes", [r for r in rows("r", 30, towards=TOWARDS) if r.sample.label])
    with pytest.raises(DataError, match="expected real pictures"):
        calibrate_detector(detector(TOWARDS), fakes)
    with pytest.raises(NothingScoredError, match="no face was found"):
        calibrate_detector(detector(TOWARDS), store(tmp_path / "none", [lost("x")]))


@pytest.mark.parametrize(("own", "sources", "rate"), [(0.01, 99, 0.01), (0.01, 49, 0.02), (0.2, 19, 0.2)])
@pytest.mark.parametrize("fakes", [True, False])
def test_the_detector_s_own_rate_stays_as_far_as_sources_can_tell_it(tmp_path, own, sources, rate, fakes):
    old = detector(TOWARDS)
    strict = old.changed(replace(old.card, calibration=replace(old.card.calibration, fpr=own)))
    pictures = store(tmp_path / "s", rows("r", sources, towards=TOWARDS, fakes=fakes))
    new = calibrate_detector(strict, pictures, draws=20).detector.card.calibration
    scores = np.sort(new.score(own_pictures(pictures, old.head).of(0).logits))
    assert new.fpr == pytest.approx(rate)
    assert (scores >= new.fake).sum() == round(rate * (sources + 1)) - 1
    with pytest.raises(DataError, match="at least 999 sources"):
        calibrate_detector(strict, pictures, fpr=0.001, draws=20)


def test_a_later_calibration_replaces_the_note_of_an_earlier_one(pictures, tmp_path):
    first = calibrate_detector(detector(TOWARDS, note="made here"), pictures, draws=20).detector
    second = calibrate_detector(first, pictures, fpr=0.1, draws=20).detector
    assert second.card.note == (
        "made here; calibrated on 60 real and 60 fake pictures of 60 sources for a false-positive rate of 0.1"
    )
    assert without_calibration(second.card.note) == "made here"
    second.save(tmp_path / "d", files={"more.txt": b"more"})
    back = Detector.load(tmp_path / "d")
    assert back.card.calibration == second.card.calibration
    assert (tmp_path / "d" / "more.txt").read_bytes() == b"more"
