"""Known causes: each rule on cells made by hand, and the mechanism's verdict on an .npz file of raw features."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from diagnose.handmade import UNITS, cell, diagnosis

from corit.diagnose.cause import reaches_nearest_mean
from corit.diagnose.control import Control
from corit.diagnose.demo import number_features
from corit.diagnose.diagnosis import diagnose_stores
from corit.diagnose.features import FINAL
from corit.diagnose.plan import STABLE_RATE, DiagnosisPlan
from corit.diagnose.stores import read_stores
from corit.diagnose.tables import summary
from corit.diagnose.verdict import verdicts, word
from corit.theory.collapse import collapses
from corit.theory.floors import Floors
from corit.theory.geometry import Geometry

RHOS = (0.0, 0.05, 0.5, 5.0)
FALLS, HOLDS, NEVER = [0.9, 0.85, 0.72, 0.71], [0.9, 0.9, 0.9, 0.88], [0.5, 0.55, 0.52, 0.5]
FLOORS, COMMON = Floors(0.7, 0.9), replace(UNITS, raw=Geometry(30.0, 31.0, 0.93, 8, 100))


def measured(auc, centred=None, floors=FLOORS, units=COMMON, head="linear", seeds=2):
    """A cell with floors and a geometry, and with a control if the AUC on centred features is given."""
    area = np.array([auc] * seeds)
    (here,) = collapses(RHOS, area[None], floors=[floors])
    control = None
    if centred is not None:
        other = np.array([centred] * seeds)
        control = Control(other, collapses(RHOS, other[None], floors=[floors])[0])
    made = cell("G", area, RHOS, head=head)
    return replace(made, collapse=here, floors=floors, units=units, control=control)


def verdict(one):
    return verdicts(diagnosis(one, rhos=RHOS))[0]


def test_a_fall_to_the_nearest_mean_on_raw_features_names_the_common_mean():
    v = verdict(measured(FALLS, HOLDS))
    assert (v.word, v.cause.name) == ("falls to the nearest mean", "common mean")
    assert v.line == (
        "G: falls to the nearest mean; COR > 5 [> 5, > 5]; logistic 0.90, nearest mean 0.70, half of that lost at "
        "0.121 [0.121, 0.121]; falls to the nearest-mean classifier because 93 % of the features' squared norm is "
        "common: centre the features (half is lost at > 5 then)"
    )


CASES = {
    "centred features fall too": (measured(FALLS, FALLS), "falls to the nearest mean", "nearest mean"),
    "the features are centred": (measured(FALLS), "falls to the nearest mean", "nearest mean"),
    "it does not fall": (measured(HOLDS), "stable", None),
    "nothing to lose": (measured([0.72, 0.71, 0.7, 0.69], floors=Floors(0.7, 0.74)), "stable", None),
    "it ends above the nearest mean": (measured([0.9, 0.85, 0.78, 0.76]), "stable", None),
    "it ends below the nearest mean": (
        measured([0.9, 0.85, 0.72, 0.6], HOLDS),
        "falls to the nearest mean",
        "common mean",
    ),
    "four times the radius is enough": (
        measured(FALLS, [0.9, 0.9, 0.82, 0.7]),
        "falls to the nearest mean",
        "common mean",
    ),
    "to chance within the zone": (
        measured([0.9, 0.54, 0.5, 0.5], HOLDS, Floors(0.52, 0.9)),
        "in the collapse zone",
        "common mean",
    ),
    "a perceptron": (measured([0.9, 0.6, 0.5, 0.5], HOLDS, head="mlp"), "stable", "common mean"),
    "a perceptron that falls centred": (
        measured([0.9, 0.9, 0.5, 0.5], [0.9, 0.9, 0.5, 0.5], head="mlp"),
        "stable",
        None,
    ),
    "no signal": (measured(NEVER, floors=Floors(0.5, 0.52)), "never learned", "no signal"),
    "a perceptron without a linear signal": (
        measured(NEVER, floors=Floors(0.5, 0.52), head="mlp"),
        "never learned",
        None,
    ),
    "too short": (measured(NEVER), "never learned", "short training"),
    "a perceptron that is too short": (measured(NEVER, head="mlp"), "never learned", "short training"),
    "diverged at the end": (measured([0.9, 0.85, 0.72, np.nan], HOLDS), "in the collapse zone", None),
    "no floors": (replace(measured(FALLS), floors=None), "stable", None),
}


@pytest.mark.parametrize("name", CASES)
def test_each_rule_has_its_word_and_its_cause(name):
    one, expected, reason = CASES[name]
    v = verdict(one)
    if name != "diverged at the end":
        assert v.word == word(one) == expected
    assert (v.cause and v.cause.name) == reason


def test_only_linear_heads_reach_the_nearest_mean():
    assert reaches_nearest_mean(measured(FALLS))
    assert not reaches_nearest_mean(measured(FALLS, head="mlp"))


def test_lines_say_what_a_logistic_regression_reaches():
    assert (
        "a converged logistic regression reaches 0.52: no linear head can learn it here"
        in verdict(CASES["no signal"][0]).line
    )
    assert (
        "a converged logistic regression reaches 0.90: train longer, or at smaller radii"
        in verdict(CASES["too short"][0]).line
    )
    assert "falls as early as this because 93 %" in verdict(CASES["a perceptron"][0]).line
    assert verdict(CASES["centred features fall too"][0]).line.endswith(
        "and on centred features too: not for a common mean"
    )


def test_linear_heads_on_features_in_their_own_unit_are_trained_at_the_rate_of_the_centred_unit():
    plan = DiagnosisPlan()
    assert plan.scaling == "raw"
    low, high = (Geometry(0, 10.0, c, 8, 100) for c in (0.5, 0.99))
    assert plan.recipe("linear", low).learning_rate == pytest.approx(0.5 / 50)
    assert plan.recipe("linear", high).learning_rate == pytest.approx(STABLE_RATE / 101)
    assert replace(plan, scaling="centre").recipe("linear", low) == replace(
        plan.recipe("linear", low), scaling="centre"
    )
    for scaling in ("unit", "standard", "whiten"):
        assert replace(plan, scaling=scaling).recipe("linear", low).learning_rate == 0.5
    assert plan.recipe("mlp", low) == plan.recipe("mlp")
    assert "(learning rate 0.5 / E norm(x - E x)^2)" in plan.describe("linear")


PLAN = DiagnosisPlan(rhos=(0.0, 0.1, 20.0), seeds=(0, 1), heads=("linear",), steps=400, rows=60, refine=0, every=20)


def raw_features(path):
    """The demo's numbers as a user's own file."""
    numbers = number_features()
    z = numbers.layers[FINAL].values.numpy()
    np.savez(path, y=numbers.y, z=z, manipulation=numbers.manipulation)
    return path


def test_a_file_of_raw_features_has_the_mechanisms_verdict(tmp_path):
    """The whole way: a file, the default scaling, the fall, its control on centred features, the cause, the summary."""
    found = diagnose_stores(read_stores([raw_features(tmp_path / "f.npz")]), PLAN, tmp_path)
    said = {v.cell.group: v for v in verdicts(found)}
    assert {g: v.cause and v.cause.name for g, v in said.items()} == {
        "subtle": "common mean",
        "overt": None,
        "absent": "no signal",
    }
    assert "because 97 % of the features' squared norm is common: centre the features" in said["subtle"].line
    assert {g: v.cell.control is not None for g, v in said.items()} == {"subtle": True, "overt": False, "absent": False}
    held = summary(found)
    record = next(c for c in held["cells"] if c["group"] == "subtle")
    assert record["units"]["common"] == pytest.approx(0.97, abs=0.01)
    assert record["centred"]["relative"] == ["> 20", "> 20", "> 20"]
    assert record["logistic"] - record["nearest_mean"] > 0.2
    assert held["verdicts"][2]["cause"]["name"] == "common mean"
    assert json.loads(json.dumps(held["cells"][0]["centred"])) is None
