"""A video's drawing: seconds to the right, scores upwards, and nothing that was looked at is hidden."""

from __future__ import annotations

from dataclasses import replace

import pytest

from corit.detect.row import Row
from corit.detect.video import summary
from corit.metrics.calibration import Calibration
from corit.report.timeline import HEIGHT, LEFT, POINTS, TOP, WIDTH, timeline

LIMITS = Calibration(1.0, 0.0, 0.75, 0.25, 0.05, 10, 10)


def row(index, score, track=0, status="ok"):
    track = None if score is None else track
    return Row("v", None, score, status=status, part="frame", frame=index, start=index / 10, track=track)


def drawn(rows, count=0, scenes=None):
    report = summary("v", rows, str)
    return timeline(replace(report, scenes=tuple(scenes or [0] * len(rows)), count=count), LIMITS)


def test_a_score_lies_where_its_time_and_its_value_say():
    made = drawn([row(0, 0.0), row(10, 1.0), row(20, 0.5), row(20, 0.25, track=1)])
    first, second = made["tracks"]
    assert first["points"] == [(LEFT, TOP + HEIGHT), (LEFT + WIDTH / 2, TOP), (LEFT + WIDTH, TOP + HEIGHT / 2)]
    assert second["points"] == [(LEFT + WIDTH, TOP + HEIGHT * 0.75)]
    assert first["colour"] != second["colour"]
    assert (made["fake"], made["real"]) == pytest.approx((TOP + HEIGHT * 0.25, TOP + HEIGHT * 0.75), abs=0.06)


def test_the_highest_score_of_a_long_track_is_never_thinned_out():
    rows = [row(k, 0.9 if k == 3001 else 0.1) for k in range(9000)]
    (track,) = drawn(rows)["tracks"]
    assert len(track["points"]) == POINTS
    assert min(y for _, y in track["points"]) == pytest.approx(TOP + HEIGHT * 0.1, abs=0.06)


def test_cuts_blanks_and_what_was_not_decoded():
    rows = [
        row(0, 0.5),
        row(10, None, status="no_face"),
        row(20, 0.5, track=1),
        row(30, None, status="unreadable"),
    ]
    made = drawn(rows, count=60, scenes=[0, 0, 1, 1])  # three of six seconds
    assert made["cuts"] == [LEFT + WIDTH * 1.5 / 6]
    assert made["blank"] == [LEFT + WIDTH / 6]
    assert made["lost"] == [(LEFT + WIDTH / 2, WIDTH / 2)]
    assert made["ticks"][0] == (LEFT, "0:00")
    assert made["ticks"][-1] == (LEFT + WIDTH, "0:06")


def test_a_part_inside_that_was_not_decoded_ends_where_frames_follow():
    lost = replace(row(10, None, status="unreadable"), end=2.0)
    made = drawn([row(0, 0.5), lost, row(20, 0.5), row(40, 0.5)], count=41)
    assert made["lost"] == [(pytest.approx(LEFT + WIDTH / 4, abs=0.06), pytest.approx(WIDTH / 4, abs=0.11))]
    assert made["ticks"][-1] == (LEFT + WIDTH, "0:04")


def test_where_nobody_knows_how_much_is_missing_there_is_no_field():
    """Its label would stand beside the drawing."""
    assert drawn([row(0, 0.5), row(10, 0.5), row(11, None, status="unreadable")], count=11)["lost"] == []


def test_the_axis_ends_where_looking_ended():
    """The first frames of a long video fill the drawing."""
    (track,) = drawn([row(k, 0.5) for k in range(8)], count=60_000)["tracks"]
    assert (track["points"][0][0], track["points"][-1][0]) == (LEFT, LEFT + WIDTH)


@pytest.mark.parametrize("rows", [[], [row(0, 0.5)], [row(0, None, status="no_face")]])
def test_a_single_moment_can_be_drawn(rows):
    made = drawn(rows)
    assert len(made["tracks"]) == sum(r.score is not None for r in rows)
    assert made["ticks"][0] == (LEFT, "0:00")


@pytest.mark.parametrize("minutes", [1, 10, 90, 600])
def test_there_are_never_many_ticks(minutes):
    assert 2 <= len(drawn([row(0, 0.5), row(600 * minutes, 0.5)])["ticks"]) <= 12
