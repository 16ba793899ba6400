"""The callbacks of progress: parts of a whole, no progress, and the bar on standard error."""

from __future__ import annotations

from corit.progress import no_bar, no_progress, part_of, progress_bar


def test_a_part_counts_on_from_the_steps_before_it():
    calls = []
    part = part_of(lambda done, total: calls.append((done, total)), 10, 14)
    part(1, 4)
    part(4, None)
    assert calls == [(11, 14), (14, 14)]


def test_no_bar_writes_nothing(capsys):
    with no_bar("features") as progress:
        assert progress is no_progress
        progress(1, 2)
    assert capsys.readouterr() == ("", "")


def test_a_bar_goes_to_standard_error_with_and_without_a_total(capsys):
    with progress_bar("features") as progress:
        progress(3, None)
        progress(2, 4)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "features" in captured.err
    assert "2/4" in captured.err
