"""The whole control on the quick plan: what it leaves, that it goes on where it was, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from corit import cli
from corit.errors import DataError
from corit.studies.control import run as runs
from corit.studies.control.plan import ControlPlan, Knobs, quick_plan, recipe_of
from corit.studies.control.run import run
from corit.studies.findings.worlds import read_worlds

VERDICTS = {"shown", "not shown", "mixed"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("control")
    with pytest.raises(SystemExit) as stop:
        cli.main(f"findings --control --quick --out {out}".split())
    assert stop.value.code == 0
    return out


@pytest.mark.slow
def test_the_record_holds_facts_cases_and_verdicts(folder):
    record = json.loads((folder / "control" / "control.json").read_text())
    assert read_worlds(folder / "findings.json")["control"] == record
    assert {c["verdict"] for c in record["claims"]} <= VERDICTS
    assert len(record["claims"]) == 6
    assert list(record["cases"]) == [c.name for c in quick_plan().cases]
    assert [r["layer"] for r in record["facts"]["miniature"]["rows"]] == [8] * 4
    base = record["cases"]["base, raw"]["NT"]
    assert len(base["auc"]) == 3
    assert 0.8 < base["common"] < 0.95
    assert 15 < base["mean_norm"] < 21
    assert record["chosen"]["epochs"] in (1, 2)


@pytest.mark.slow
def test_a_finished_control_measures_nothing_again(folder, monkeypatch):
    before = json.loads((folder / "control" / "control.json").read_text())
    monkeypatch.setattr(runs, "measure", None)
    again = run(folder / "control", quick_plan())
    assert again["claims"] == before["claims"]
    assert again["cases"] == before["cases"]


@pytest.mark.slow
def test_another_plan_of_the_control_needs_another_folder(folder):
    with pytest.raises(DataError, match="was begun with plan"):
        run(folder / "control", replace(quick_plan(), heads=(0,)))


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"common": 1.0}, "expected 0 <= common < 1, got 1.0"),
        ({"spread": 0.0}, "expected spread > 0, got 0.0"),
        ({"decay": -1.0}, "expected decay >= 0, got -1.0"),
        ({"decay": 1.0, "low": 1.5}, "expected 0 <= low <= 1, got 1.5"),
        ({"low": 0.5}, "expected a decay where low is set, got None"),
    ],
)
def test_knobs_out_of_range_are_refused(knobs, message):
    with pytest.raises(DataError, match=message):
        Knobs(**knobs)


def test_a_plan_needs_its_far_radius_and_seeds():
    for change in ({"far": 0.3}, {"worlds": ()}, {"heads": ()}, {"rhos": (0.1, 0.5)}):
        with pytest.raises(DataError, match="expected worlds, head seeds, and radii that begin with 0"):
            replace(ControlPlan(), **change)


def test_cases_have_names_of_their_own():
    names = [c.name for c in ControlPlan().cases]
    assert len(set(names)) == len(names)
    assert names[0] == "base, raw"


def test_only_standardised_features_keep_the_default_head():
    chosen = {"learning_rate": 0.003, "epochs": 20}
    assert recipe_of("standard", "linear", chosen, 32).optimiser == "sgd"
    raw = recipe_of("raw", "mlp", chosen, 8)
    assert (raw.optimiser, raw.learning_rate, raw.hidden, raw.scaling) == ("adamw", 0.003, 8, "raw")


def test_stores_of_one_name_are_refused(tmp_path, capsys):
    words = f"findings --control --quick --out {tmp_path} --store {tmp_path}/dfdc/a {tmp_path}/dfdc/b"
    with pytest.raises(SystemExit) as stop:
        cli.main(words.split())
    assert stop.value.code not in (0, None)
    assert "got two of one name among" in " ".join(capsys.readouterr().err.split())
