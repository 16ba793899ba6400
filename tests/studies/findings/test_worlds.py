"""findings.json holds both worlds: each run writes its own and keeps the other."""

from __future__ import annotations

import pytest

from corit.errors import DataError
from corit.studies.findings.worlds import read_worlds, write_world


def test_a_world_is_added_and_the_other_kept(tmp_path):
    write_world(tmp_path, "miniature", {"claims": [1]})
    path = write_world(tmp_path, "real", {"claims": [2]})
    assert read_worlds(path) == {"real": {"claims": [2]}, "miniature": {"claims": [1]}}
    assert list(read_worlds(path)) == ["real", "miniature"]
    write_world(tmp_path, "miniature", {"claims": [3]})
    assert read_worlds(path) == {"real": {"claims": [2]}, "miniature": {"claims": [3]}}


@pytest.mark.parametrize("text", ["{", "[]", '{"claims": []}'])
def test_another_file_is_refused(tmp_path, text):
    (tmp_path / "findings.json").write_text(text)
    with pytest.raises(DataError, match="expected a JSON file with"):
        write_world(tmp_path, "real", {})
    assert (tmp_path / "findings.json").read_text() == text
