"""The times of packets: which index each frame has, and what is taken for a hole."""

from __future__ import annotations

import numpy as np
import pytest

from corit.images.frame_times import frame_times


def made(times, untimed=0, *, ordered=False, lossy=True, damaged=False):
    return frame_times(times, untimed, ordered=ordered, lossy=lossy, damaged=damaged)


def test_packets_are_in_decoding_order_and_frames_in_display_order():
    table = made([0, 120, 40, 80, 240, 160, 200])
    assert [table.index(t) for t in (0, 40, 80, 120, 160, 200, 240)] == list(range(7))
    assert (table.count, table.time(3), table.time(9)) == (7, 120, 360)
    assert table.index(-5) == table.index(None) == 0


GAPS = {  # intervals -> indices, of a container that loses packets
    "none": ([40] * 9, range(10)),
    "two frames": ([40] * 5 + [120] + [40] * 4, [*range(6), *range(8, 13)]),
    "one frame beside many": ([40] * 5 + [80] + [40] * 4 + [400], [*range(6), *range(7, 12), 21]),
    "single frames left out": ([40] * 5 + [80] + [40] * 7 + [80], range(15)),
    "many frames": ([3600] * 5 + [36000] + [3600] * 4, [*range(6), *range(15, 20)]),
    "rounded": ([33, 34, 33, 33, 34, 100, 33, 33, 34, 33], [*range(6), *range(8, 13)]),
    "fields shown twice": ([3003] * 8 + [4505] * 2, range(11)),
    "video shown as video": ([33, 50] * 5, range(11)),
    "every third is long": ([40, 40, 80] * 4, range(13)),
    "a clock set anew": ([40] * 5 + [40_000_000] + [40] * 4, range(11)),
    "units as long as frames": ([1] * 9 + [3] * 2, [*range(10), 12, 15]),
}


@pytest.mark.parametrize("name", GAPS)
def test_a_longer_interval_is_a_hole_among_like_ones_only(name):
    steps, expected = GAPS[name]
    times = np.cumsum([7, *steps]).tolist()
    table = made(times)
    assert [table.index(t) for t in times] == list(expected)
    assert [table.time(i) for i in expected] == times
    assert made(times, lossy=False).count == len(times)


def test_of_a_damaged_file_a_single_frame_counts():
    times = [40 * k for k in range(20) if k != 7]
    assert made(times).count == 19
    assert made(times, damaged=True).index(800 - 40) == 19


def test_the_second_field_of_a_frame_has_no_time():
    table = made([3600 * k for k in range(10)], untimed=10)
    assert (table.timed, table.count, table.index(3600)) == (True, 10, 1)


@pytest.mark.parametrize("known", [[52, 66, 73, 117], [0, 1, 4, 5, 9, 12]])
def test_where_few_packets_have_times_all_are_frames(known):
    table = made(known, untimed=6)
    assert (table.timed, table.count, table.time(2)) == (False, len(known) + 6, None)


def test_times_that_do_not_tell_frames_are_those_of_their_order():
    table = made([1, 2, 3, 4], ordered=True)
    assert (table.timed, table.count, table.index(3), table.time(2)) == (False, 4, 0, 3)
    twice = made([1, 2, 1, 2], ordered=True)
    assert (twice.count, twice.time(1)) == (4, None)


@pytest.mark.parametrize("times", [[], [5]])
def test_few_packets(times):
    table = made(times)
    assert (table.count, table.time(0)) == (len(times), times[0] if times else None)
