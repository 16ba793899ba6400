"""Each rule on stores, on records made by hand: shown, not shown, mixed; and the numbers that it takes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from studies.findings.stored_records import NO, PLAN, SOME, YES, measured

from corit.errors import DataError
from corit.report.stored_findings import draw
from corit.studies.findings.claims_table import markdown_table, text_table
from corit.studies.findings.stored.claims import claims, curves
from corit.studies.findings.stored.comparing import chosen_gain
from corit.studies.findings.stored.depth import bifurcation, thirds
from corit.studies.findings.stored.plan import Case, StoredPlan, plan_of


def rows(data):
    return {c.name: c for c in claims(data)}


@pytest.fixture(scope="module")
def judged():
    """All claims where every split goes one way; GSNR turns alone, since else its correlation with COR would stay."""
    found = {}
    for name, ways in (("yes", YES), ("no", NO), ("some", SOME)):
        found[name] = rows(measured(ways)) | {"bifurcation, GSNR": bifurcation(measured(ways, gsnr=True), "GSNR")}
    return found


NAMES = list(rows(measured(YES)))
# At rho 1 centred heads lose nothing in these records, so that no centred collapse claim depends on the way of AUC.


@pytest.mark.parametrize("name", NAMES)
def test_every_claim_can_be_shown(judged, name):
    assert judged["yes"][name].verdict == "shown"


@pytest.mark.parametrize("name", NAMES)
def test_every_claim_can_fail(judged, name):
    assert judged["no"][name].verdict == "not shown"


@pytest.mark.parametrize("name", NAMES)
def test_every_claim_can_be_mixed(judged, name):
    assert judged["some"][name].verdict == "mixed"


def test_every_claim_names_rule_data_splits_and_seeds(judged):
    for claim in judged["yes"].values():
        assert claim.rule
        assert "3 of 5 splits by group, 4 head seeds" in claim.setting
        assert "DFDC close 10" in claim.setting


def test_values_are_those_of_the_cells(judged, agree):
    yes = judged["yes"]
    agree(yes["CoRIT raises COR, raw"].effects["linear head"].value, 0.2)
    agree(yes["the common mean's fall"].effects["UniFD, rho 1"].value, 0.2)
    agree(yes["gains up to rho 0.1, linear head, raw"].effects["mean"].value, 0.02)
    # The tilt goes from -1 at layer 3 to 1 at layer 12, times 0.05 of AUC.
    agree(yes["bifurcation, AUC"].effects["subtle forgeries' loss"].value, 0.1)
    agree(yes["bifurcation, AUC from the middle"].effects["subtle forgeries' loss"].value, 0.05 * 3 / 4.5)
    agree(yes["flatter landscape at equal loss"].effects["perceptron, raw, rise"].value, 0.3)


def test_layers_are_compared_in_thirds():
    assert thirds(measured(), "AUC") == ((3,), (12,))
    assert thirds(measured(), "AUC from the middle") == ((9,), (12,))


def test_perceptrons_of_corit_can_be_left_out():
    data = measured()
    data = replace(data, plan=replace(data.plan, perceptron_models=("unifd",)))
    names = [n for n in data.sweeps if not n.startswith("corit.mlp")]
    data = replace(data, sweeps={n: data.sweeps[n] for n in names})
    found = rows(data)
    assert list(found) == NAMES
    assert list(found["flatter landscape at equal loss"].bars) == [
        "linear head, raw, rise",
        "linear head, centred, rise",
    ]
    assert list(found["earlier transition"].bars) == ["linear head, raw"]
    assert list(found["misspecification term"].bars) == [
        "linear head, raw, misspecification",
        "perceptron, raw, misspecification",
    ]


def test_a_radius_is_chosen_on_validation(agree):
    agree(chosen_gain(measured(), 0, Case("unifd", "linear", "raw")), np.full(4, 0.02))
    agree(chosen_gain(measured(NO), 0, Case("unifd", "linear", "raw")), np.zeros(4))


def test_what_was_not_measured_is_named():
    with pytest.raises(DataError, match=r"expected sweeps of plain\.linear\.raw\.0"):
        measured().cells(Case("plain", "linear", "raw"), 0)


def test_tables_and_figure_of_the_record():
    data = measured()
    record = {
        "by": "split",
        "claims": [c.to_json("split") for c in claims(data)],
        "curves": curves(data),
        "plan": PLAN.to_json(),
        "backbones": ["clip-vit-b16"],
        "forgeries": {f.name: {"kind": "subtle" if f.subtle else "overt", "fakes": 10} for f in data.forgeries},
    }
    assert "by split" in markdown_table(record)
    assert "collapse, linear head, raw" in text_table(record)
    figure = draw(record)
    assert len(figure.axes) == len(PLAN.some_layers) * len(data.forgeries)
    titles = [a.get_title() for a in figure.axes]
    assert "DFDC close (subtle, 10 fakes), layer 12" in titles


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"splits": ()}, "expected head seeds and splits"),
        ({"splits": (5,)}, "expected head seeds and splits below the 5 folds"),
        ({"heads": ()}, "expected head seeds and splits"),
        ({"rhos": (0.1, 1.0)}, "radii or more that begin with 0"),
        ({"perceptron_rhos": (0.0,)}, "radii or more that begin with 0"),
    ],
)
def test_a_plan_that_cannot_be_run(changes, message):
    with pytest.raises(DataError, match=message):
        StoredPlan(**changes)


def test_the_plan_of_a_size():
    assert plan_of(splits=2, layers=[3, 12]).splits == (0, 1)
    assert plan_of(layers=[3, 12]).layers == (3, 12)
    assert plan_of(quick=True).at_depth(4).layers == (2, 4)
    with pytest.raises(DataError, match="expected increasing layers from 1 to 12"):
        plan_of(layers=[12, 3])
    with pytest.raises(DataError, match="expected perceptrons of unifd"):
        plan_of(perceptrons=["pool"])
    with pytest.raises(DataError, match="below the 3 folds"):
        plan_of(quick=True, splits=4)
