"""Files that appear whole or not at all."""

from __future__ import annotations

import pytest

from corit.errors import DataError
from corit.files import atomic_file, require_writable, write_text


def test_a_file_takes_its_place_when_it_is_whole(tmp_path):
    place = tmp_path / "a.txt"
    write_text(place, "eins ä\n")
    assert place.read_text(encoding="utf-8") == "eins ä\n"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def cut_short(place):
    with atomic_file(place) as staged:
        staged.write_text("half")
        raise KeyboardInterrupt


def test_an_error_leaves_what_was_there(tmp_path):
    place = tmp_path / "a.txt"
    write_text(place, "old")
    with pytest.raises(KeyboardInterrupt):
        cut_short(place)
    assert place.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize(("place", "words"), [("file/a.txt", "Not a directory|File exists"), ("folder", "directory")])
def test_a_place_that_cannot_be_written_is_said_before_the_work(tmp_path, place, words):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match=f"expected to write .*{place}, but .*({words})"):
        require_writable(tmp_path / place)
    require_writable(tmp_path / "new" / "deep" / "a.txt")
    assert list((tmp_path / "new" / "deep").iterdir()) == []
