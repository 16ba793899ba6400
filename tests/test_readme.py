"""The output of `corit detect` that README shows is what the command prints, with the packaged detectors."""

from __future__ import annotations

import pytest
from page_inputs import photo
from test_docs import ROOT, blocks

from corit import cli

COMMAND = "$ corit detect photo.jpg"


def shown():
    """The lines below the command in README."""
    (code,) = (b.code for b in blocks((ROOT / "README.md").read_text()) if COMMAND in b.code.splitlines())
    rest = code.splitlines()[code.splitlines().index(COMMAND) + 1 :]
    return rest[: next(i for i, line in enumerate(rest) if line.startswith("$ "))]


def test_readme_shows_a_row():
    head, row = shown()
    assert head.split()[:3] == ["path", "face", "score"]
    assert row.startswith("photo.jpg")


@pytest.mark.clip
def test_readme_shows_what_the_command_prints(tmp_path, monkeypatch, capsys):
    pytest.importorskip("dlib")
    photo(tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        cli.main(COMMAND.split()[2:])
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert end.value.code == 0
    assert printed == shown(), "write what the command prints into README"
