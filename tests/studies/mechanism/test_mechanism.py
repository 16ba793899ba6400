"""`corit study mechanism`: its loop is that of the heads, and its record holds every measurement."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from corit.errors import DataError, FitError
from corit.heads.fit import fit
from corit.heads.head import HeadRecipe
from corit.heads.problem import Problem
from corit.heads.rows import TensorRows, fit_standardiser
from corit.report.mechanism import save
from corit.studies.mechanism import measures
from corit.studies.mechanism import run as running
from corit.studies.mechanism.measures import BASE, REMEDIES, RHOS, SGD
from corit.studies.mechanism.run import MechanismPlan, quick_plan, remedies_table, run
from corit.studies.mechanism.training import Training, _batches, train
from corit.studies.mechanism.worlds import synthetic
from corit.theory.common_mean import Synthetic, synthetic_features

SMALL = Synthetic(width=12)


def rows(n=80):
    return synthetic_features(n, SMALL)


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_the_plain_loop_equals_the_fit_of_heads(optimiser, agree):
    x, y = rows()
    squared = float(x.square().sum(-1).mean())
    training = {
        "sgd": Training(optimiser="sgd", rate=0.8, steps=40, batch=8),
        "adamw": Training(rate=1e-3, steps=40, batch=8),
    }[optimiser]
    rate = 0.8 / squared if optimiser == "sgd" else 1e-3
    recipe = HeadRecipe(
        scaling="raw", optimiser=optimiser, learning_rate=rate, momentum=0.0, batch=8, select="last", weight_decay=0.0
    )
    scale = fit_standardiser(TensorRows(x), "raw")
    problem = Problem(TensorRows(x), y.numpy(), TensorRows(x), y.numpy(), scale)
    expected = fit([problem], recipe, rhos=(0.0, 0.1), seeds=(0, 3), steps=40, dtype=torch.float64)
    parts, kept = train(x, y, training, (0.0, 0.1), (0, 3), keep=(0,))
    agree(parts[..., :-1], expected.weight[0, :, :, 0])
    agree(parts[..., -1], expected.bias[0, :, :, 0])
    assert float(kept[0][..., -1].abs().max()) == 0  # biases start at 0


def test_balanced_batches_hold_as_many_fakes_as_reals():
    y = np.arange(50) % 2
    y[:5] = 0  # 27 reals, 23 fakes
    stream = _batches(y, Training(batch=8, balanced=True), 0)
    drawn = [next(stream) for _ in range(20)]
    assert {int(y[rows].sum()) for rows in drawn} == {4}
    assert len(set(np.concatenate(drawn[:5]).tolist())) == 40  # no row twice in an epoch


@pytest.mark.parametrize(
    ("training", "message"),
    [
        (Training(batch=200), "at most 80 rows"),
        (Training(batch=9, balanced=True), "even ones where balanced, got 9"),
    ],
)
def test_batches_that_cannot_be_filled_are_refused(training, message):
    with pytest.raises(FitError, match=message):
        train(*rows(), training, (0.0,), (0,))


def test_the_bias_alone_learns_faster():
    x, y = rows()
    one = Training(optimiser="sgd", rate=0.01, steps=1, batch=20)
    start = train(x, y, one, (0.0,), (0,), keep=(0,))[1][0]
    slow, fast = (train(x, y, t, (0.0,), (0,))[0] - start for t in (one, replace(one, bias_rate=5.0)))
    torch.testing.assert_close(fast[..., -1], 5 * slow[..., -1])
    torch.testing.assert_close(fast[..., :-1], slow[..., :-1])


def test_the_ascent_is_cut_into_its_two_parts():
    x, y = rows()
    w = {a: train(x, y, Training(steps=1, batch=20, ascent=a), (0.0,), (0,))[0] for a in ("all", "common", "rest")}
    torch.testing.assert_close(w["all"], w["common"])  # without a radius the ascent does not matter
    torch.testing.assert_close(w["all"], w["rest"])
    far = [train(x, y, Training(steps=30, batch=20, ascent=a), (0.3,), (0,))[0] for a in ("all", "common", "rest")]
    near, other = ((far[0] - f)[..., :-1].norm() for f in far[1:])
    assert near < other  # the common part is what moves the head


def test_collapse_comes_of_the_ascent_along_the_common_mean():
    world = synthetic("subtle", Synthetic(), test=1000)
    names = ("as it is", "ascent along the common mean only", "ascent without the common mean", "centre")
    auc = {n: measures.remedy(world, n, range(2))["auc"] for n in names}
    lost = {n: a[0] - a[RHOS.index(0.1)] for n, a in auc.items()}
    assert lost["as it is"] > 0.1
    assert lost["ascent along the common mean only"] > 0.1
    assert lost["ascent without the common mean"] < 0.03
    assert lost["centre"] < 0.02


@pytest.mark.parametrize("training", [BASE, SGD], ids=["adam", "sgd"])
def test_the_curve_is_predicted_without_training(training):
    world = synthetic("subtle", Synthetic(distance=2.0), test=1000)
    curve = measures._curve(world, "raw", training, RHOS, range(3))["auc"]
    np.testing.assert_allclose(measures.predicted(world, training, RHOS), curve, atol=0.06)


def test_the_condition_holds_along_a_training_that_collapses():
    world = synthetic("subtle", Synthetic(), test=200)
    found = measures.condition_and_bound(world, replace(BASE, steps=200), 0.1, range(2))
    assert [r["step"] for r in found["rows"]] == [0, 10, 30, 100, 199]
    assert all(r["relative"] > 0 for r in found["rows"])
    assert found["at_zero"] < found["least"] * 10


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(running, "SYNTHETIC", {"subtle": SMALL})
    monkeypatch.setattr(running, "CURVE", (0.0, 0.1, 5.0))
    return replace(quick_plan(), norms=(15.0,), steps=(20,), length=20)


def test_a_run_keeps_its_measurements_and_draws_its_figure(tmp_path, small, monkeypatch):
    steps = []
    record = run(tmp_path, small, command="corit study mechanism", progress=lambda done, total: steps.append(done))
    assert steps == list(range(steps[-1] + 1))
    assert json.loads((tmp_path / "mechanism.json").read_text()) == json.loads(json.dumps(record))
    world = record["worlds"]["subtle"]
    assert list(world["remedies"]) == list(REMEDIES)
    assert len(remedies_table(record, ["subtle"]).splitlines()) == len(REMEDIES) + 2
    save(record, tmp_path / "mechanism.png")
    assert Image.open(tmp_path / "mechanism.png").width > 300
    monkeypatch.setattr(measures, "train", None)  # a second run measures nothing
    assert run(tmp_path, small, command="corit study mechanism") == record


def test_a_folder_of_another_plan_is_refused(tmp_path):
    (tmp_path / "settings.json").write_text('{"seeds": 3}')
    with pytest.raises(DataError, match="was begun with"):
        run(tmp_path, MechanismPlan())
