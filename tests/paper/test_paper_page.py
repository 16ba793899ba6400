"""The page of the paper says what docs/paper.csv holds: our rows of every table of one run of everything."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from corit.backbones.load import load_backbone
from corit.paper.printed import printed

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGE = (DOCS / "explanation" / "paper.md").read_text()
with (DOCS / "paper.csv").open(newline="") as file:
    HELD = {(r["table"], r["row"], r["column"]): r for r in csv.DictReader(file)}
# A value, or a value with its interval, and a comment after it that names its place: table > row > column.
NUMBERS = re.findall(r"([-\d.]+)( \[.+?\])?<!-- (table\d\d) > (.+?) > (.+?) -->", PAGE)


@pytest.mark.parametrize(("value", "interval", "table", "row", "column"), NUMBERS, ids=lambda v: v.strip())
def test_a_number_of_the_page_is_that_of_the_record(value, interval, table, row, column):
    held = HELD[table, row, column]
    texts = [value, *interval.strip(" []").split(", ")] if interval else [value]
    for text, key in zip(texts, ("value", "low", "high"), strict=False):
        if held[key].startswith(">"):
            assert text == held[key]
        else:
            assert float(text) == pytest.approx(float(held[key]), abs=0.0501)


def test_the_page_has_numbers_of_every_table():
    assert len(NUMBERS) == PAGE.count("<!-- table") > 25
    assert {t for t, _, _ in HELD} == {f"table{n:02d}" for n in range(1, 14)}


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13])  # of VI and X no columns are legible
def test_the_record_has_every_column_that_the_paper_prints(number):
    columns = {c for t, _, c in HELD if t == f"table{number:02d}"}
    assert columns >= {*printed(number).columns} > set()


def test_the_record_is_of_the_packaged_encoder():
    assert load_backbone("miniature").digest[:12] in PAGE
