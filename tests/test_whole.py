"""Files that appear whole or not at all."""

from __future__ import annotations

import pytest

from corit.whole import whole, write_whole


def test_a_file_takes_its_place_when_it_is_whole(tmp_path):
    place = tmp_path / "a.txt"
    write_whole(place, "eins ä\n")
    assert place.read_text(encoding="utf-8") == "eins ä\n"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def cut_short(place):
    with whole(place) as staged:
        staged.write_text("half")
        raise KeyboardInterrupt


def test_an_error_leaves_what_was_there(tmp_path):
    place = tmp_path / "a.txt"
    write_whole(place, "old")
    with pytest.raises(KeyboardInterrupt):
        cut_short(place)
    assert place.read_text() == "old"
