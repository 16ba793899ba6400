"""What a journal keeps, drops, and forces to the disk."""

from __future__ import annotations

import os

import pytest

from corit import journal
from corit.errors import DataError, StoreError
from corit.journal import Journal, lock_folder, require_same_settings


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


def test_a_line_is_written_at_once_and_synced_at_intervals(tmp_path, monkeypatch):
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


def test_other_settings_are_refused_by_name_with_both_values():
    require_same_settings("x", {"a": 1, "b": None}, {"a": 1})
    with pytest.raises(DataError, match=r"^x was begun with a 1 instead of 2, b 'c' instead of None; use the same .*$"):
        require_same_settings("x", {"a": 1, "b": "c"}, {"a": 2})
    with pytest.raises(StoreError, match="begun with a 1 instead of 2; remove x"):
        require_same_settings("x", {"a": 1}, {"a": 2}, advice="remove x", error=StoreError)


def test_a_folder_is_held_by_one_process_at_a_time(tmp_path):
    refused = pytest.raises(StoreError, match="another process is writing to .*d; wait")
    with lock_folder(tmp_path / "d"), refused, lock_folder(tmp_path / "d", StoreError):
        pass
    with lock_folder(tmp_path / "d", StoreError):
        pass


def test_a_journal_begins_anew_when_its_output_is_empty(tmp_path):
    output = tmp_path / "rows"
    output.write_text("a row")
    with Journal(tmp_path / "j", {"a": 1}, output=output) as journal:
        journal.write("x")
    assert set(Journal(tmp_path / "j", {"a": 1}, output=output).entries) == {"x"}
    with pytest.raises(DataError, match="rows was begun with a 1 instead of 2; remove it"):
        Journal(tmp_path / "j", {"a": 2}, output=output, advice="remove it")
    output.write_text("")
    assert Journal(tmp_path / "j", {"a": 2}, output=output).entries == {}


def test_a_journal_may_hold_nothing_of_what_it_writes(tmp_path):
    with Journal(tmp_path / "j", {}, keep=False) as journal:
        journal.write("x", score=1)
        assert journal.entries == {}
    assert set(Journal(tmp_path / "j", {}).entries) == {"x"}
