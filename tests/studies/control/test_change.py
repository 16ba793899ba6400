"""The change of features is exact and invertible, and gives them the geometry that its knobs say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import norm
from studies.control.drawn import KINDS, WIDTH, parts, rows, signals

from corit.errors import DataError
from corit.studies.control.change import Frame, change
from corit.studies.control.plan import BASE, Knobs
from corit.studies.findings.tasks import SPLITS, reals_and_fakes
from corit.theory.floors import floors

TRAIN = rows(400, 7, signals())
FRAME = Frame.of(TRAIN)


def reals(changed):
    return changed(TRAIN[0].double())[TRAIN[2] == ""].numpy()


def test_without_knobs_nothing_changes():
    assert torch.allclose(change(FRAME, Knobs())(TRAIN[0]), TRAIN[0], atol=1e-5)


def test_its_inverse_gives_the_features_back():
    there = change(FRAME, BASE)
    x = TRAIN[0].double()
    assert torch.allclose(there.inverse()(there(x)), x, atol=1e-8)


@pytest.mark.parametrize("common", [0.0, 0.5, 0.97])
def test_the_common_mean_has_its_share(common):
    x = reals(change(FRAME, Knobs(common=common, spread=6.0)))
    mean = x.mean(0)
    assert np.isclose((mean**2).sum() / (x**2).sum(1).mean(), common)
    assert np.isclose(((x - mean) ** 2).sum(1).mean(), 36.0)


def test_the_mean_keeps_its_direction_and_centred_rows_do_not_know_it():
    little, much = reals(change(FRAME, Knobs(common=0.2))), reals(change(FRAME, Knobs(common=0.9)))
    assert np.allclose(little - little.mean(0), much - much.mean(0))
    for mean in (little.mean(0), much.mean(0)):
        assert np.allclose(mean / np.linalg.norm(mean), FRAME.mean / np.linalg.norm(FRAME.mean))


@pytest.mark.parametrize("decay", [0.0, 0.8, 1.2])
def test_the_spectrum_falls_as_a_power(decay):
    x = reals(change(FRAME, Knobs(decay=decay)))
    values = np.linalg.eigvalsh(np.cov(x.T, bias=True))[::-1]
    assert np.allclose(values / values[0], np.arange(1, WIDTH + 1.0) ** -decay)
    assert np.isclose(values.sum(), FRAME.values.sum())


@pytest.mark.parametrize("low", [0.0, 0.5, 0.9, 1.0])
def test_the_subjects_signal_lies_on_two_axes_in_its_shares(low):
    knobs = Knobs(decay=1.0, low=low)
    x, kind = change(FRAME, knobs)(TRAIN[0].double()).numpy(), TRAIN[2]
    difference = x[kind == "NT"].mean(0) - x[kind == ""].mean(0)
    scaled = (FRAME.axes.T @ difference) / np.sqrt(np.arange(1, WIDTH + 1.0) ** -1.0)
    shares = scaled**2 / (scaled**2).sum()
    assert np.isclose(shares[-1], low, atol=1e-6)
    assert np.isclose(shares[3], 1 - low, atol=1e-6)


def test_the_best_linear_classifier_keeps_its_signal():
    def ratio(x, kind, one):
        own, fake = x[kind == ""], x[kind == one]
        difference = fake.mean(0) - own.mean(0)
        return difference @ np.linalg.solve(np.cov(own.T, bias=True), difference)

    before, after = TRAIN[0].double().numpy(), change(FRAME, BASE)(TRAIN[0].double()).numpy()
    for one in KINDS:
        assert np.isclose(ratio(before, TRAIN[2], one), ratio(after, TRAIN[2], one), rtol=1e-6)


def test_the_nearest_mean_misses_the_share_that_lies_low():
    """Its ratio is delta ((1 - s) a + s b) / sqrt((1 - s) a^2 + s b^2) with a and b the variances of the two axes."""
    strong, wide, low = signals(0.15, 30), 30, 0.9
    frame = Frame.of(rows(4000, 1, strong, width=wide))
    changed = change(frame, Knobs(decay=1.5, low=low))
    ends = [rows(n, seed, strong, width=wide) for n, seed in ((4000, 2), (2000, 3), (4000, 4))]
    train, valid, test = (reals_and_fakes((changed(z), y, k), "NT") for z, y, k in ends)
    delta, (a, b) = np.linalg.norm(frame.signals["NT"]), np.array([4.0, 30.0]) ** -1.5
    share = ((1 - low) * a + low * b) / np.sqrt((1 - low) * a**2 + low * b**2)
    both = floors(*train, *test, valid)
    assert abs(both.nearest_mean - norm.cdf(share * delta / 2**0.5)) < 0.02
    assert abs(both.logistic - norm.cdf(delta / 2**0.5)) < 0.02
    assert both.gap > 0.1


def test_labels_and_types_stay():
    before, after = parts(), change(FRAME, BASE).parts(parts())
    for split in SPLITS:
        assert (before[split][1] == after[split][1]).all()
        assert (before[split][2] == after[split][2]).all()
        assert after[split][0].dtype == torch.float32


def test_a_frame_needs_the_subject_and_axes():
    z, y, kind = TRAIN
    with pytest.raises(DataError, match="expected fakes of NT"):
        Frame.of((z[kind != "NT"], y[kind != "NT"], kind[kind != "NT"]))
    with pytest.raises(DataError, match="more axes than types, got types .* and 3 axes"):
        Frame.of((z[:, :3], y, kind))
