"""README, docs and model cards say the same numbers: those of the packaged detectors' card.json.

A page marks a number with a comment behind it: `0.91<!-- card faces-b16 > metrics > dfdc > auc -->`; of a list, a key
is the place. Detectors that this checkout does not have are skipped.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGED = ROOT / "corit" / "detect" / "packaged_detectors"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
MARKED = re.compile(r"([-+]?\d[\d,]*\.?\d*|\.\d+)( %)?<!-- card ([\w-]+) > (.+?) -->")
DECIMAL = re.compile(r"(?<![\w.-])\d*\.\d{2,}(?![\w.])( %)?")


def marked(text):
    """Each marked number of a page: its text, whether it is a percentage, the detector and the keys."""
    return [(number, bool(percent), name, keys.split(" > ")) for number, percent, name, keys in MARKED.findall(text)]


def entry(card, keys):
    for key in keys:
        card = card[int(key)] if isinstance(card, list) else card[key]
    return card


def agrees(text, percent, value):
    """Whether a written number is a value, rounded to its digits."""
    digits = len(text.partition(".")[2])
    return float(text.replace(",", "")) == round(value * (100 if percent else 1), digits)


def leaves(value):
    """Every number in a card."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [leaf for part in value for leaf in leaves(part)]
    return [value] if isinstance(value, (int, float)) and not isinstance(value, bool) else []


NUMBERS = [(page.relative_to(ROOT), *number) for page in PAGES for number in marked(page.read_text())]
CARDS = sorted(PACKAGED.glob("*/card.json"))


@pytest.mark.parametrize(("page", "text", "percent", "name", "keys"), NUMBERS)
def test_a_number_of_a_page_is_that_of_the_card(page, text, percent, name, keys):
    if not (PACKAGED / name / "card.json").is_file():
        pytest.skip(f"this checkout has no {name}")
    value = entry(json.loads((PACKAGED / name / "card.json").read_text()), keys)
    assert agrees(text, percent, value), f"{page}: {text}, the card of {name} has {value}"


@pytest.mark.parametrize("path", CARDS, ids=lambda p: p.parent.name)
def test_the_decimals_of_a_readable_card_are_those_of_the_record(path):
    values = leaves(json.loads(path.read_text()))
    text = (path.parent / "card.md").read_text()
    written = [(m[0].removesuffix(" %"), bool(m[1])) for m in DECIMAL.finditer(text)]
    assert [w for w, percent in written if not any(agrees(w, percent, v) for v in values)] == []


def test_marked_numbers_are_found_and_compared():
    card = {"metrics": {"dfdc": {"auc": [0.9149, 0.89]}}, "reals": 1500}
    text = "AUC 0.91<!-- card a-b > metrics > dfdc > auc > 0 --> (91.5 %<!-- card a-b > metrics > dfdc > auc > 0 -->)"
    text += " of 1,500<!-- card a-b > reals -->, not 0.92<!-- card a-b > metrics > dfdc > auc > 0 -->"
    checks = [agrees(number, percent, entry(card, keys)) for number, percent, _, keys in marked(text)]
    assert checks == [True, True, True, False]
    assert leaves(card) == [0.9149, 0.89, 1500]
