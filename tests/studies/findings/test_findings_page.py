"""The page of the findings says what docs/findings.json holds: its table, and every number with its place there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from corit.studies.findings.claims_table import markdown_table
from corit.studies.findings.worlds import read_worlds

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "explanation" / "findings.md").read_text()
WORLDS = read_worlds(DOCS / "findings.json")
# A number, with a comment after it: world > claim > key > ... > key | how it is shown.
NUMBERS = re.findall(r"([-+]?\d[\d.]*)( %)?<!-- (real|miniature|control) > (.+?) > (.+?) \| ([a-z0-9 ]*) -->", PAGE)


def held(world, claim, path):
    (value,) = [c for c in WORLDS[world]["claims"] if c["name"] == claim]
    for key in path.split(" > "):
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value


@pytest.mark.parametrize(
    ("text", "percent", "world", "claim", "path", "how"), NUMBERS, ids=["-".join(n[2:5]) for n in NUMBERS]
)
def test_a_number_of_the_page_is_that_of_the_record(text, percent, world, claim, path, how):
    value = held(world, claim, path) * (-1 if "neg" in how else 1) * (100 if percent else 1)
    value = 10**value if "pow10" in how else value
    assert ("percent" in how) == bool(percent)
    digits = len(text.partition(".")[2])
    assert float(text) == round(value, digits)


def test_numbers_are_found():
    assert len(NUMBERS) == PAGE.count("|  -->") + len(re.findall(r"\| [a-z0-9 ]+ -->", PAGE)) > 30


@pytest.mark.parametrize("world", [w for w in WORLDS if w != "control"])  # the control's is on the miniature's page
def test_the_table_is_that_of_the_record(world):
    assert f"<!-- table {world} -->\n{markdown_table(WORLDS[world])}" in PAGE


def test_the_miniature_is_of_the_whole_plan():
    plan = WORLDS["miniature"]["plan"]
    assert len(plan["encoders"]) >= 3
    assert len(plan["heads"]) >= 5
    assert {"random", "attributes", "pixels"} < set(plan["targets"])
