"""docs/real.md is what docs/real.json says, and the record is of a run on real CLIP."""

from __future__ import annotations

import json
from pathlib import Path

from corit.report.real import page_text
from corit.studies.real.transfer import UNIFD

DOCS = Path(__file__).parents[3] / "docs"
RECORD = json.loads((DOCS / "real.json").read_text())


def test_the_page_is_that_of_the_record():
    assert (DOCS / "real.md").read_text() == page_text(RECORD)


def test_the_record_is_of_real_clip_and_names_its_command():
    assert "clip-vit-b16" in RECORD["backbones"]
    assert RECORD["command"].startswith("corit study real --data DIR")


def test_every_set_that_was_measured_has_counts_and_a_baseline():
    for part in RECORD["transfer"].values():
        for test in part["tests"].values():
            assert test["rows"]["real"] > 0 < test["rows"]["fake"]
            assert all(UNIFD in head["auc"] for head in test["heads"].values())


def test_no_picture_is_named():
    text = json.dumps(RECORD)
    assert not any(end in text.lower() for end in (".jpg", ".jpeg", ".png"))
