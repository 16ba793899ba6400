"""docs/explanation/parts.md is what docs/parts.json says, and the record is of a run on real CLIP."""

from __future__ import annotations

import json
from pathlib import Path

from corit.report.parts import FIGURE, page_text
from corit.studies.parts.plan import BLOCK
from corit.studies.parts.verdicts import verdicts

DOCS = Path(__file__).parents[3] / "docs"
RECORD = json.loads((DOCS / "parts.json").read_text())


def test_the_page_is_that_of_the_record():
    assert (DOCS / "explanation" / "parts.md").read_text() == page_text(RECORD)


def test_the_answers_are_those_of_the_rules():
    assert json.loads(json.dumps(verdicts(RECORD))) == RECORD["verdicts"]


def test_the_record_is_of_real_clip_and_names_its_command():
    assert RECORD["plan"]["backbone"] == "clip-vit-b16"
    assert RECORD["command"].startswith("corit study parts --data DIR")


def test_a_run_that_is_not_whole_says_so():
    pairs = RECORD["proxy"]["pictures"] / 2
    planned = RECORD["plan"]["measured"] // BLOCK * BLOCK
    assert (pairs < planned) == any("test pairs behind the first" in text for text in RECORD["left_out"])


def test_no_picture_is_shown_or_named():
    text = json.dumps(RECORD).lower()
    assert not any(end in text for end in (".jpg", ".jpeg", ".png"))
    assert (DOCS / "explanation" / "parts.md").read_text().count("![") == 1
    assert (DOCS / "explanation" / FIGURE).exists()
