"""The one default of a head, and that every command and experiment trains it or names what it changes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from corit.bench.runner import RunSettings
from corit.diagnose.plan import DiagnosisPlan
from corit.heads.defaults import EXPERIMENT_EPOCHS, default_head, experiment_head
from corit.heads.head import HeadRecipe
from corit.heads.rows import SCALINGS
from corit.studies import demo
from corit.studies.findings import hyperparameters

KINDS = ("linear", "mlp")


def test_the_default_heads_are_these():
    linear = HeadRecipe("linear", optimiser="sgd", learning_rate=0.5, momentum=0.9, rho=0.05, batch=20, epochs=20)
    assert default_head() == default_head("linear") == linear
    assert default_head("mlp") == replace(linear, kind="mlp", hidden=32, optimiser="adamw", learning_rate=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_experiments_change_the_epochs_only(kind):
    assert experiment_head(kind) == replace(default_head(kind), epochs=EXPERIMENT_EPOCHS)
    assert demo.HEAD == RunSettings().head == experiment_head("linear")


@pytest.mark.parametrize("kind", KINDS)
def test_a_diagnosis_changes_what_it_names(kind):
    rate = {"linear": 0.5, "mlp": 3e-3}[kind]
    expected = replace(default_head(kind), select="last", batch=7, scaling="whiten", learning_rate=rate)
    assert DiagnosisPlan(batch=7, scaling="whiten").recipe(kind) == expected
    assert DiagnosisPlan(hidden=8).recipe("mlp").hidden == 8


@pytest.mark.parametrize("scaling", SCALINGS)
def test_heads_in_raw_units_are_all_trained_by_adamw(scaling):
    changed = {"optimiser": "adamw", "learning_rate": 1e-3} if scaling in ("raw", "centre") else {}
    assert default_head("linear", scaling) == replace(default_head(), scaling=scaling, **changed)
    assert default_head("mlp", scaling) == replace(default_head("mlp"), scaling=scaling)
    assert DiagnosisPlan(scaling=scaling).in_raw_units == bool(changed)


@pytest.mark.parametrize("kind", KINDS)
def test_findings_tune_the_learning_rate_and_epochs_only(kind):
    frozen = {kind: {"learning_rate": 0.25, "epochs": 3}}
    expected = replace(default_head(kind), scaling="whiten", select="last", rho=0.0, learning_rate=0.25, epochs=3)
    assert hyperparameters.recipe_of(frozen, kind, "whiten") == expected
