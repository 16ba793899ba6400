"""The page on collapse says what docs/mechanism.json holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[3] / "docs"
RECORD = json.loads((DOCS / "mechanism.json").read_text())
PAGE = (DOCS / "explanation" / "theory" / "collapse.md").read_text()
TEXT = " ".join(PAGE.split())
SYNTHETIC, NINE, TWELVE = (RECORD["worlds"][name] for name in ("subtle", "layer 9", "layer 12"))


def short(value, digits=3):
    return f"{value:.{digits}f}".removeprefix("0")


def page_rows():
    """The rows of the table of remedies, by their first cell."""
    lines = PAGE[PAGE.index("| remedy |") :].split("\n\n")[0].splitlines()[2:]
    return {cells[0]: cells[1:] for cells in ([c.strip() for c in line.strip("|").split("|")] for line in lines)}


@pytest.mark.parametrize("remedy", sorted(page_rows()))
def test_a_row_of_the_table_is_that_of_the_record(remedy):
    expected = [short(v) for world in (SYNTHETIC, NINE, TWELVE) for v in world["remedies"][remedy]["auc"]]
    assert page_rows()[remedy] == expected


def test_every_remedy_of_the_record_is_on_the_page():
    assert set(page_rows()) == set(NINE["remedies"])


def test_floors_predictions_and_radii_are_those_of_the_record():
    for world in (SYNTHETIC, NINE, TWELVE):
        assert short(world["nearest_mean"]) in TEXT
        assert short(world["logistic"]) in TEXT
    curves = NINE["curves"]
    at = [curves["rhos"].index(rho) for rho in RECORD["rhos"]]
    for values in (curves["predicted"], curves["raw"]["auc"]):
        assert ", ".join(short(values[i], 2) for i in at) in TEXT
    halves = [world["halfway"] for world in (NINE, TWELVE)]
    assert "{:.1f} (layer 9) and {:.1f} (layer 12".format(*(h["constant"] for h in halves)) in TEXT
    assert "as predicted ({:.1f} and {:.1f})".format(*(h["predicted"] for h in halves)) in TEXT


def test_the_bound_and_condition_3_are_those_of_the_record():
    conditions = [world["condition"] for world in (NINE, TWELVE)]
    zero, least = ([c[key] for c in conditions] for key in ("at_zero", "least"))
    assert f"is {zero[0]:.4f} in layer 9 and {zero[1]:.4f} in layer 12" in TEXT
    ratios = [w["halfway"]["radius"] / c["at_zero"] for w, c in zip((NINE, TWELVE), conditions, strict=True)]
    assert f"is {ratios[0]:.0f} and {ratios[1]:.0f} times that" in TEXT
    assert f"the least bound is {least[0]:.3f} and {least[1]:.3f}" in TEXT
    lowest = [min(row["relative"] for row in w["condition"]["rows"]) for w in (SYNTHETIC, NINE, TWELVE)]
    assert lowest[0] >= 0.95
    assert min(lowest[1:]) >= 1.85
