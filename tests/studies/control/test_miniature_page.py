"""The page of the miniature says of its raw features and of the control what docs/findings.json holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from corit.studies.control.plan import CLIP, ControlPlan
from corit.studies.control.tables import cases_table, claims_table, facts_table, shown_cases
from corit.studies.findings.worlds import read_worlds

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "explanation" / "miniature.md").read_text()
CONTROL = read_worlds(DOCS / "findings.json")["control"]
# A number, with a comment after it: control: key > ... > key | how it is shown.
NUMBERS = re.findall(r"([-+]?\d[\d.]*)( %)?<!-- control: (.+?) \| ([a-z0-9 ]*) -->", PAGE)


def held(path):
    value = CONTROL
    for key in path.split(" > "):
        if isinstance(value, list):
            value = value[int(key)] if key.isdigit() else next(v for v in value if v["name"] == key)
        else:
            value = value[key]
    return value


@pytest.mark.parametrize(("text", "percent", "path", "how"), NUMBERS, ids=[n[2] for n in NUMBERS])
def test_a_number_of_the_miniatures_page_is_that_of_the_record(text, percent, path, how):
    value = held(path) * (100 if percent else 1) * (-1 if "neg" in how else 1)
    value = 10**value if "pow10" in how else value
    assert float(text) == round(value, len(text.partition(".")[2]))


def test_the_numbers_of_the_miniatures_page_are_seen():
    assert len(NUMBERS) == PAGE.count("<!-- control: ") > 10


def test_the_tables_of_the_miniatures_page_are_those_of_the_record():
    assert facts_table(CONTROL["facts"]) in PAGE
    assert cases_table(CONTROL, shown_cases(ControlPlan())) in PAGE
    assert claims_table(CONTROL) in PAGE


def test_the_plans_geometry_of_clip_is_that_of_the_record():
    rows = {r["layer"]: r for r in CONTROL["facts"]["dfdc"]["rows"]}
    for layer, (common, norm) in enumerate(CLIP, start=1):
        assert abs(rows[layer]["common"] - common) < 0.01
        assert abs(rows[layer]["rms_norm"] - norm) < 0.1


def test_the_record_of_the_control_is_of_the_whole_plan():
    plan = ControlPlan()
    assert list(CONTROL["cases"]) == [c.name for c in plan.cases]
    assert CONTROL["plan"]["worlds"] == list(plan.worlds)
    assert CONTROL["plan"]["heads"] == list(plan.heads)
