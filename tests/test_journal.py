"""What a journal keeps, drops, and forces to the disk."""

from __future__ import annotations

import os

import pytest

from corit import journal
from corit.errors import DataError
from corit.journal import Journal


def test_lines_that_are_cut_short_or_have_no_name_are_dropped(tmp_path):
    kept = Journal(tmp_path / "j", {"a": 1})
    kept.write("x", score=0.5)
    kept.close()
    with open(tmp_path / "j", "a") as file:
        file.write('{"score": 0.1}\n[1]\n{"name": "y", "sco')
    again = Journal(tmp_path / "j", {"a": 1})
    assert again.entries == {"x": {"name": "x", "score": 0.5}}
    with pytest.raises(DataError, match="begun with a 1 instead of 2"):
        Journal(tmp_path / "j", {"a": 2})


def test_a_line_is_written_at_once_and_forced_to_the_disk_now_and_then(tmp_path, monkeypatch):
    forced, clock = [], [0.0]
    monkeypatch.setattr(os, "fsync", forced.append)
    monkeypatch.setattr(journal.time, "monotonic", lambda: clock[0])
    kept = Journal(tmp_path / "j", {})
    for k in range(30):
        clock[0] = k / 10  # three seconds
        kept.write(f"{k}", score=k)
        assert len((tmp_path / "j").read_text().splitlines()) == k + 2
    assert len(forced) == 2
    kept.close()
    assert len(forced) == 3
