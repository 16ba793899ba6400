"""The page on unsure shows the counts of docs/unsure.json, which are of the detectors that come with the package."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

from corit.detect.packaged import packaged_folder

ROOT = Path(__file__).parent.parent
KEPT = json.loads((ROOT / "docs" / "unsure.json").read_text())


def test_the_page_shows_the_record(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    unsure = importlib.import_module("benchmarks.unsure")
    page = unsure.PAGE.read_text(encoding="utf-8")
    assert unsure.replaced(page, unsure.tables(KEPT)) == page
    assert page.index(unsure.BEGIN) < page.index("| faces-b16 |") < page.index(unsure.END)


@pytest.mark.parametrize("name", ["faces-b16", "scenes-b16"])
def test_the_counts_are_of_the_packaged_detector(name):
    card = json.loads((packaged_folder(name) / "card.json").read_text())
    assert KEPT["detectors"][name] == card["digest"], "python -m benchmarks.unsure measures the new detector"


def test_every_picture_has_one_outcome():
    for row in KEPT["kinds"]:
        outcomes = ("real", "fake", "outside", "between", "flipped", "not scored")
        assert sum(row[name] for name in outcomes) == row["pictures"]
