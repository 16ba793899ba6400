"""Each claim's rule on records made by hand: shown, not shown, mixed; and the numbers it takes them from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from studies.findings.records import NO, PLAN, SOME, YES, measurements

from corit.errors import DataError
from corit.studies.findings import further_claims, main_claims
from corit.studies.findings.main_claims import medians
from corit.studies.findings.measurements import Case, Measurements


def rows(found):
    return {c.name: c for c in [*main_claims.claims(found), *further_claims.claims(found)]}


@pytest.fixture(scope="module")
def judged():
    """All claims in worlds that go each way; GSNR turns alone, since else its correlation with COR would stay."""
    found = {name: rows(measurements(ways)) for name, ways in (("yes", YES), ("no", NO), ("some", SOME))}
    for name, ways in (("yes", YES), ("no", NO), ("some", SOME)):
        found[name]["bifurcation, GSNR"] = main_claims.bifurcation(measurements(YES, gsnr=ways), "GSNR")
    return found


NAMES = list(rows(measurements(YES)))


@pytest.mark.parametrize("name", NAMES)
def test_every_claim_can_be_shown(judged, name):
    assert judged["yes"][name].verdict == "shown"


@pytest.mark.parametrize("name", NAMES)
def test_every_claim_can_fail(judged, name):
    assert judged["no"][name].verdict == "not shown"


@pytest.mark.parametrize("name", NAMES)
def test_every_claim_can_be_mixed(judged, name):
    assert judged["some"][name].verdict == "mixed"


def test_every_claim_names_rule_world_heads_and_seeds(judged):
    for claim in judged["yes"].values():
        assert claim.rule
        assert "miniature" in claim.setting
        assert "3 encoder seeds" in claim.setting or "encoder seeds 0, 1, 2" in claim.setting
        assert "2 head seeds" in claim.setting


def test_values_are_those_of_the_cells(agree):
    found = rows(measurements(YES))
    # COR of CoRIT stands 0.2 in log10 above UniFD's in every cell.
    agree(found["CoRIT raises COR"].effects["corit"].value, 0.2)
    # The tilt runs over the first and last third, (-1 -0.6)/2 to (0.6 + 1)/2, times 0.1 of AUC.
    agree(found["bifurcation, AUC"].effects["subtle types' loss"].value, 0.16)
    agree(found["bifurcation, AUC"].effects["overt types' change"].value, 0.16)
    agree(found["gains up to rho 0.1, perceptron"].effects["mean"].value, 0.02)
    agree(found["flatter landscape"].effects["perceptron, rise"].value, 0.3)
    agree(found["curvature drift"].effects["perceptron, rho 0.1"].value, -0.02)


def test_censored_radii_take_the_grids_end_and_lost_heads_nan():
    made = measurements(YES)
    key = Case()
    cells = made.sweeps[key.name(0)]["cells"]
    cells[0]["cor"] = [{"value": 20.0, "censoring": ">"}, {"value": None, "censoring": "never learned"}]
    assert made.cor(key, 0)[0, 0] == 20.0
    assert np.isnan(made.cor(key, 0)[0, 1])
    share = main_claims.collapsed(made, key, 0)
    assert share.tolist() == [23 / 24, 1.0]


def test_cells_are_compared_at_shared_layers():
    made = measurements(YES)
    a, b = made.matched(Case("pool"), Case(), 1)
    assert [made.places(Case("pool"), 1)[i] for i in a] == [made.places(Case(), 1)[i] for i in b]
    assert len(a) == 2 * 4


def test_a_phase_without_an_end_counts_as_long_as_the_course():
    assert set(measurements(YES).start(Case("unifd"), 0).flatten()) == {80.0}
    assert set(measurements(YES).start(Case("corit"), 0).flatten()) == {40.0}


def test_an_unmeasured_setting_is_an_error():
    empty = Measurements(PLAN, {}, {}, {}, {}, {})
    with pytest.raises(DataError, match=r"semantic-0\.unifd\.mlp\.standard, but it was not measured"):
        empty.cor(Case(), 0)


def test_without_controls_their_claim_is_absent():
    plan = replace(PLAN, targets=("semantic",))
    assert "bifurcation, semantic pretraining" not in rows(measurements(YES, plan))


def test_a_cell_that_never_learned_has_no_median():
    values = np.array([[1.0, 2.0, np.nan], [np.nan, np.nan, np.nan]])
    np.testing.assert_array_equal(medians(values), [1.5, np.nan])
