"""A head trained again: it learns the user's fakes, keeps the old ones, and says what it cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from train.own_rows import detector, direction, rows, store

from corit.errors import DataError, DetectorError
from corit.metrics.auc import auc
from corit.report.own import update_text, worse_text
from corit.train.stand_in import FILE, StandIn, read_stand_in, write_stand_in
from corit.train.update import YOURS, training_features, update_detector

OLD = direction(1)
NEW = direction(2) - 0.9 * OLD  # what the old head takes for more real than the reals
FAST = {"seeds": (0,), "draws": 20}


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """A store of 100 pairs, and the detector whose training it is."""
    training = store(tmp_path_factory.mktemp("k") / "d.features", rows("k", 100, towards=OLD, dataset="old"))
    return training, detector(OLD, training.features(split="train").data_digest, domain="faces", note="made here")


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    return store(tmp_path_factory.mktemp("o") / "s", rows("o", 60, towards=NEW, dataset="mine"))


@pytest.fixture(scope="module")
def updated(known, own):
    return update_detector(known[1], known[0], own, **FAST)


def test_the_new_head_finds_the_new_fakes_and_keeps_the_old(updated):
    assert updated.new.before["auc"].value < 0.85
    assert updated.new.after["auc"].value > updated.new.before["auc"].value + 0.1
    assert updated.old.after["auc"].value > 0.8
    assert not updated.worse
    assert updated.shares == {"old": 0.5, YOURS: 0.5}
    assert not updated.compressed


@pytest.mark.parametrize(("which", "place"), [("old", 0), ("new", 1)])
def test_both_heads_are_measured_on_the_same_test_rows(updated, known, own, which, place):
    test = (known[0], own)[place].features(split="test")
    compared = getattr(updated, which)
    for head, measured in ((known[1].head, compared.before), (updated.detector.head, compared.after)):
        assert measured["auc"].value == pytest.approx(auc(test.y, head.logits(test.to_tensor()).numpy()))
    assert compared.change.value == pytest.approx(compared.after["auc"].value - compared.before["auc"].value)
    assert compared.change.low < compared.change.value < compared.change.high
    assert (compared.reals, compared.fakes, compared.sources) == ((20, 20, 20), (12, 12, 12))[place]


def test_the_card_says_what_was_done(updated, known):
    card, old = updated.detector.card, known[1].card
    assert card.note == "made here; head trained again with 60 real and 60 fake rows of its user"
    assert card.domain == "pictures of its user; faces"
    assert card.data_digest != old.data_digest
    assert (card.calibration.reals, card.calibration.fakes) == (32, 32)
    assert card.metrics["new test"]["after"]["auc"][0] == updated.new.after["auc"].value
    assert card.metrics["old test"]["counts"] == {"reals": 20, "fakes": 20, "sources": 20}


@pytest.mark.parametrize(("stated", "rate"), [(None, 0.1), (0.2, 0.2), (0.001, 1 / 33)])
def test_the_threshold_keeps_the_detector_s_own_rate_for_new_reals(known, own, stated, rate):
    training, old = known
    own_rate = old.changed(replace(old.card, calibration=replace(old.card.calibration, fpr=0.1)))
    new = update_detector(own_rate, training, own, fpr=stated, **FAST).detector
    assert new.card.calibration.fpr == pytest.approx(rate, abs=1e-4)
    called = []
    for measured in (training, own):  # both sources have the same weight
        reals = measured.features(split="val", label=0)
        scores = new.card.calibration.score(new.head.score_rows(reals).double().numpy())
        called.append((scores >= new.card.calibration.fake).mean())
    assert np.mean(called) <= rate
    assert new.card.calibration.real <= new.card.calibration.fake


def test_an_updated_detector_can_be_updated_again(updated, own, tmp_path):
    updated.detector.save(tmp_path / "u", files={FILE: updated.training.to_bytes()})
    training = training_features(updated.detector, tmp_path / "u")
    assert isinstance(training, StandIn)
    again = update_detector(updated.detector, training, own, **FAST)
    assert again.compressed
    assert again.shares == {"old": 1 / 3, "your earlier pictures": 1 / 3, YOURS: 1 / 3}
    assert again.detector.card.domain == "pictures of its user; faces"
    assert "from its compressed features" in update_text(again)


def test_a_stated_weight_counts(known, own):
    heavy, light = (update_detector(*known[::-1], own, weight_new=w, **FAST) for w in (0.95, 0.05))
    assert heavy.shares == {"old": pytest.approx(0.05), YOURS: 0.95}
    assert heavy.new.after["auc"].value > light.new.after["auc"].value
    assert heavy.old.after["auc"].value < light.old.after["auc"].value


def test_a_head_that_loses_more_than_it_gains_is_worse(known, tmp_path):
    opposite = store(tmp_path / "s", rows("q", 60, towards=-OLD, apart=0.2))
    result = update_detector(known[1], known[0], opposite, weight_new=0.98, **FAST)
    assert result.worse
    assert -result.old.change.value > result.new.change.value
    assert "nothing is written" in worse_text(result)


def test_compressed_training_features_give_nearly_the_same_head(known, own, updated, tmp_path):
    write_stand_in(known[0], known[1], tmp_path / FILE)
    small = update_detector(known[1], read_stand_in(tmp_path / FILE), own, **FAST)
    assert small.old.before["auc"].value == updated.old.before["auc"].value
    assert small.old.after["auc"].value == pytest.approx(updated.old.after["auc"].value, abs=0.05)
    assert small.new.after["auc"].value == pytest.approx(updated.new.after["auc"].value, abs=0.05)


def test_the_store_beside_a_detector_comes_before_the_compressed_one(known, tmp_path):
    training, trained = known
    folder = training.path.with_name("d")
    folder.mkdir(exist_ok=True)
    write_stand_in(training, trained, folder / FILE)
    assert training_features(trained, folder).path == training.path
    assert training_features(trained, tmp_path / "moved", training.path).path == training.path


def test_missing_training_features_are_named_with_what_to_do(known, own, tmp_path):
    trained = known[1]
    with pytest.raises(DetectorError, match=r"the second is not there; name the store .* with --features"):
        training_features(trained, tmp_path / "d")
    store(tmp_path / "d.features", rows("x", 10, towards=OLD))
    with pytest.raises(DetectorError, match="the second holds other training rows"):
        training_features(trained, tmp_path / "d")
    with pytest.raises(DetectorError, match="holds other training rows, or some that changed"):
        training_features(trained, tmp_path / "d", own.path)


def test_features_of_another_recipe_are_refused(known, own, tmp_path):
    training, trained = known
    other = trained.changed(replace(trained.card, recipe=trained.card.recipe.replace(**{"model.tau": 0.5})))
    with pytest.raises(DetectorError, match="features of another recipe"):
        training_features(other, tmp_path / "d", training.path)
    (tmp_path / "d").mkdir()
    write_stand_in(training, trained, tmp_path / "d" / FILE)
    with pytest.raises(DetectorError, match="restore the file"):
        training_features(other, tmp_path / "d")
    with pytest.raises(DetectorError, match="measure them with the detector's encoder"):
        update_detector(other, training, own, **FAST)


def test_parts_without_a_class_are_refused(known, own, tmp_path):
    training, trained = known
    reals = store(tmp_path / "s", [r for r in rows("o", 20, towards=NEW) if not r.sample.label])
    with pytest.raises(DataError, match="part of your pictures, but there are none of train fake, val fake, test fake"):
        update_detector(trained, training, reals, **FAST)
    with pytest.raises(DataError, match="part of the detector's own pictures"):
        update_detector(trained, reals, own, **FAST)


def test_too_few_test_sources_give_no_interval_of_the_change(known, tmp_path):
    few = store(tmp_path / "s", rows("o", 5, towards=NEW, each=4))
    result = update_detector(known[1], known[0], few, **FAST)
    assert np.isnan(result.new.change.low)
    assert "[too few]" in update_text(result)
