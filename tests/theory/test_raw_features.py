"""What a linear head loses under SAM: on raw features with a common mean a subtle signal, and nothing elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from reference import heads as pairs
from reference import sweep as slow

from corit.heads.head import HeadRecipe
from corit.heads.rows import TensorRows
from corit.heads.start import initial_parameters
from corit.theory.common_mean import Synthetic, synthetic_features
from corit.theory.sweep import sweep, task

NORM, SHARE = 60.0, 0.97
SUBTLE = Synthetic(width=256, mean_norm=NORM, common=SHARE, distance=3.0, signal="low")
OVERT = replace(SUBTLE, width=64, signal="high")
RECIPE = HeadRecipe(optimiser="sgd", learning_rate=8 / NORM**2, batch=20, select="last", scaling="none")
RHOS, SEEDS, STEPS = (0.0, 0.05, 0.1, 20.0), (0, 1, 2), 600


def made(world, centred, recipe=RECIPE):
    """A task on features as they are or without the mean of the training rows."""
    parts = [synthetic_features(n, world, part=p) for p, n in (("train", 600), ("valid", 200), ("test", 1000))]
    mean = parts[0][0].mean(0) if centred else torch.zeros(world.width)
    return task(1, "centred" if centred else "raw", *((TensorRows(x - mean), y.numpy()) for x, y in parts), recipe)


@pytest.fixture(scope="module")
def swept():
    """AUC (S, R) by world and whether the features are centred, and the sweep of each."""
    names = {(w, c): made(world, c) for w, world in (("subtle", SUBTLE), ("overt", OVERT)) for c in (False, True)}
    result = sweep(list(names.values()), RECIPE, RHOS, SEEDS, steps=STEPS, refine=0, dtype=torch.float64)
    return result, {name: result.auc[k] for k, name in enumerate(names)}


def losses(auc):
    """What each seed loses at rho .05 and .1 (S, 2)."""
    return auc[:, :1] - auc[:, 1:3]


def test_the_features_have_a_large_common_mean_and_a_subtle_signal(swept):
    result, _ = swept
    x = result.tasks[0].problem.train.values
    assert float(x.mean(0).square().sum() / x.square().sum(1).mean()) == pytest.approx(SHARE, abs=0.01)
    raw, centred, overt, _ = result.floors
    assert raw == centred  # neither classifier sees the common mean
    assert raw.nearest_mean < 0.6
    assert raw.logistic > 0.9
    assert overt.nearest_mean > 0.9


def test_a_linear_head_on_raw_features_loses_a_subtle_signal(swept):
    assert (losses(swept[1]["subtle", False]) >= 0.10).all()


def test_on_centred_features_it_keeps_the_signal(swept):
    assert (losses(swept[1]["subtle", True]) <= 0.02).all()


def test_an_overt_signal_does_not_fall(swept):
    assert (losses(swept[1]["overt", False]) <= 0.02).all()
    assert (losses(swept[1]["overt", True]) <= 0.02).all()


def test_at_large_radii_the_head_is_the_nearest_mean_classifier(swept):
    result, auc = swept
    np.testing.assert_allclose(auc["subtle", False][:, -1], result.floors[0].nearest_mean, atol=0.05)
    np.testing.assert_allclose(auc["overt", False][:, -1], result.floors[2].nearest_mean, atol=0.05)


def test_only_the_raw_subtle_features_have_a_radius_relative_to_the_floors(swept):
    raw, centred, *_ = swept[0].relative
    assert all(r.censoring in ("", "<") for r in raw.relative)
    assert raw.lost.high.value <= 0.1
    assert all(r.censoring == ">" for r in centred.relative)


def looped(t, rho, steps):
    """Test AUC of the first seed's head, by one plain loop in torch."""
    y = torch.from_numpy(t.problem.labels).double()
    start = [p[0] for p in initial_parameters([SEEDS[0]], 1, t.problem.train.width, RECIPE, torch.float64)]
    module = slow.network("linear", start)
    index = slow.batches(SEEDS[0], len(y), RECIPE.batch, steps)
    slow.train(module, t.problem.train.values, y, index, rho, RECIPE.learning_rate, RECIPE.momentum)
    return pairs.auc(t.test_labels, module(t.test.values)[:, 0].detach().numpy())


@pytest.mark.parametrize("centred", [False, True])
def test_a_plain_loop_in_torch_has_the_same_auc(centred, agree):
    """For 60 steps. Later a batch comes whose residuals cancel, and the last digit of their sum turns it either way."""
    t = made(SUBTLE, centred)
    result = sweep([t], RECIPE, RHOS, SEEDS[:1], steps=60, refine=0, dtype=torch.float64)
    agree(result.auc[0, 0], [looped(t, rho, 60) for rho in RHOS], atol=1e-9)


def test_a_plain_loop_in_torch_loses_the_signal_too(swept):
    plain, sharp = (looped(made(SUBTLE, False), rho, STEPS) for rho in (0.0, 0.1))
    assert plain - sharp >= 0.10
    assert plain == pytest.approx(swept[1]["subtle", False][0, 0], abs=0.02)
