"""The page of the findings says what docs/findings.json holds: its table, and every number with its place there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from corit.studies.findings.claims_table import markdown_table

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "explanation" / "findings.md").read_text()
FOUND = json.loads((DOCS / "findings.json").read_text())
# A number, with a comment after it: claim > key > ... > key | how it is shown.
NUMBERS = re.findall(r"([-+]?\d[\d.]*)( %)?<!-- (.+?) > (.+?) \| ([a-z0-9 ]*) -->", PAGE)


def held(claim, path):
    (value,) = [c for c in FOUND["claims"] if c["name"] == claim]
    for key in path.split(" > "):
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value


@pytest.mark.parametrize(("text", "percent", "claim", "path", "how"), NUMBERS, ids=[f"{n[2]}-{n[3]}" for n in NUMBERS])
def test_a_number_of_the_page_is_that_of_the_record(text, percent, claim, path, how):
    value = held(claim, path) * (-1 if "neg" in how else 1) * (100 if percent else 1)
    value = 10**value if "pow10" in how else value
    assert ("percent" in how) == bool(percent)
    digits = len(text.partition(".")[2])
    assert float(text) == round(value, digits)


def test_numbers_are_found():
    assert len(NUMBERS) == PAGE.count("|  -->") + len(re.findall(r"\| [a-z0-9 ]+ -->", PAGE)) > 30


def test_the_table_is_that_of_the_record():
    assert markdown_table(FOUND) in PAGE


def test_the_record_is_of_the_whole_plan():
    plan = FOUND["plan"]
    assert len(plan["encoders"]) >= 3
    assert len(plan["heads"]) >= 5
    assert {"random", "attributes", "pixels"} < set(plan["targets"])
