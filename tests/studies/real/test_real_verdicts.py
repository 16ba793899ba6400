"""The rules of the verdicts on made-up numbers."""

from __future__ import annotations

import pytest

from corit.studies.real.transfer import PAIRS
from corit.studies.real.verdicts import Cell, cells_of, outcome, sameness, survival, verdicts

RHO = 0.05
HEADS = ("converged standardised", "sam raw 0.05", "sam centred 0.05")


def difference(value, low, high, p=0.001):
    return {"value": [value, low, high], "p": p}


NONE, GAIN, LOSS = difference(0.01, -0.05, 0.07, 0.7), difference(0.1, 0.05, 0.15), difference(-0.1, -0.15, -0.05)
SAME = difference(0.001, -0.01, 0.012, 0.8)
NEARLY = difference(0.06, -0.01, 0.12, 0.09)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (GAIN, "wins"),
        (LOSS, "loses"),
        (NONE, "cannot be told"),
        (difference(0.1, 0.05, 0.15, 0.06), "cannot be told"),  # the test does not agree
        (difference(0.1, 0.05, 0.15, None), "cannot be told"),  # too few to test
        (difference(0.1, None, None), "cannot be told"),  # too few groups
        (difference(0.1, -0.01, 0.2, 0.01), "cannot be told"),  # the interval does not agree
    ],
)
def test_an_outcome_needs_interval_and_test(entry, expected):
    assert outcome(entry) == expected


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (GAIN, "adds"),
        (LOSS, "worse"),
        (NONE, "cannot be told"),
        (SAME, "same"),
        (difference(0, None, None), "cannot be told"),
    ],
)
def test_two_models_do_the_same_where_the_whole_interval_is_near_zero(entry, expected):
    assert sameness(entry) == expected


@pytest.mark.parametrize(
    ("raw", "centred", "expected"),
    [
        (GAIN, GAIN, "survives"),
        (GAIN, NONE, "vanishes"),
        (GAIN, LOSS, "vanishes"),
        (GAIN, NEARLY, "cannot be told"),  # more than half as large, but not told from none
        (NONE, NONE, "no gain on raw features"),
        (LOSS, NONE, "no gain on raw features"),
        (NONE, GAIN, "only on centred features"),
    ],
)
def test_a_gain_survives_centring_where_it_is_there_on_centred_features(raw, centred, expected):
    assert survival(raw, centred) == expected


def transfer(**cells):
    """A record of trainings and tests, each with one entry for all heads and differences, or one by head."""
    record = {}
    for name, entry in cells.items():
        trained, _, tested = name.partition("_to_")
        by_head = entry if set(entry) <= set(HEADS) else dict.fromkeys(HEADS, entry)
        heads = {h: {"differences": {f"{a} less {b}": e for a, b in PAIRS}} for h, e in by_head.items()}
        record.setdefault(trained.replace("_and_", " + "), {"tests": {}})["tests"][tested or trained] = {"heads": heads}
    return record


def test_cells_are_inside_where_the_tested_kind_was_trained_on():
    record = transfer(a=NONE, a_to_b=NONE, a_and_b_to_b=NONE)
    assert [(c.name, c.inside) for c in cells_of(record)] == [("a", True), ("a to b", False), ("a + b to b", True)]
    assert Cell("a", "a", {}).name == "a"


def test_answers_count_and_name_the_cells():
    record = transfer(a=GAIN, b=LOSS, a_to_b=NONE)
    where, left_out, centring, *middle = verdicts(record, RHO)
    assert where["answer"] == "CoRIT wins in 1 of 2 (a); UniFD wins in 1 of 2 (b)."
    assert left_out["answer"] == "The two cannot be told apart in 1 of 1 (a to b)."
    assert left_out["cells"] == {"a to b": "cannot be told"}
    assert centring["cells"] == {"a": "survives", "b": "no gain on raw features"}
    assert len(middle) == 4
    assert middle[0]["answer"] == "CoRIT adds to it in 1 of 2 (a); the middle layer is better in 1 of 2 (b)."


def test_centring_reads_the_heads_of_its_rule():
    record = transfer(a={"converged standardised": LOSS, "sam raw 0.05": GAIN, "sam centred 0.05": NONE})
    assert verdicts(record, RHO)[2]["cells"] == {"a": "vanishes"}


def test_a_question_without_cells_is_not_measured():
    assert verdicts(transfer(a=GAIN), RHO)[1]["answer"] == "Not measured."
