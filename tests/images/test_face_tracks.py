"""Faces followed through frames: overlaps by counting pixels, matching by trying everything, videos made by hand."""

from __future__ import annotations

from itertools import permutations
from time import process_time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corit.images.face_tracks import follow, overlaps

box = st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 6), st.integers(0, 6)).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)
boxes = st.lists(box, max_size=4)


def slow_overlap(a, b):
    """Unit squares in both, of those in either."""
    cells = [{(x, y) for x in range(c[0], c[2]) for y in range(c[1], c[3])} for c in (a, b)]
    either = cells[0] | cells[1]
    return len(cells[0] & cells[1]) / len(either) if either else 0.0


@settings(max_examples=60, deadline=None)
@given(boxes, boxes)
def test_overlaps_are_counted_squares(a, b):
    found = overlaps(np.array(a, float).reshape(-1, 4), np.array(b, float).reshape(-1, 4))
    expected = [[slow_overlap(p, q) for q in b] for p in a]
    assert found.shape == (len(a), len(b))
    assert np.allclose(found, np.reshape(expected, found.shape))


def slow_total(a, b, least):
    """The largest sum of allowed overlaps over all one-to-one joins, by trying all of them."""
    short, long = (a, b) if len(a) <= len(b) else (b, a)
    worth = lambda p, q: slow_overlap(p, q) if slow_overlap(p, q) >= least else 0.0
    orders = permutations(range(len(long)), len(short))
    return max(sum(worth(short[i], long[j]) for i, j in enumerate(order)) for order in orders)


@settings(max_examples=60, deadline=None)
@given(boxes, boxes, st.sampled_from([0.1, 0.3, 0.6]))
def test_two_frames_are_joined_as_well_as_can_be(a, b, least):
    first, second = follow([np.array(a, float).reshape(-1, 4), np.array(b, float).reshape(-1, 4)], overlap=least)
    joined = [(first.index(t), j) for j, t in enumerate(second) if t in first]
    assert all(slow_overlap(a[i], b[j]) >= least for i, j in joined)
    total = sum(slow_overlap(a[i], b[j]) for i, j in joined)
    assert total == pytest.approx(slow_total(a, b, least))
    assert len(set(first) | set(second)) == len(a) + len(b) - len(joined)


def at(*places):
    """Boxes of 10 px whose left edges are at the given places."""
    return np.array([(x, 0, x + 10, 10) for x in places], float).reshape(-1, 4)


VIDEO_SUFFIXES = {
    "two faces stay": ([at(0, 50), at(1, 51), at(2, 52)], [(0, 1), (0, 1), (0, 1)]),
    "the order of boxes does not matter": ([at(0, 50), at(51, 1)], [(0, 1), (1, 0)]),
    "a face comes and goes": ([at(0), at(0, 50), at(50)], [(0,), (0, 1), (1,)]),
    "unseen for two frames": ([at(0), at(), at(), at(2)], [(0,), (), (), (0,)]),
    "unseen for three": ([at(0), at(), at(), at(), at(2)], [(0,), (), (), (), (1,)]),
    "a cut": ([at(0), at(80), at(80)], [(0,), (1,), (1,)]),
    "a slow walk": ([at(0), at(3), at(6), at(9), at(12)], [(0,)] * 5),
    "the nearer of two": ([at(0), at(4, 1)], [(0,), (1, 0)]),
    "nothing at all": ([at(), at()], [(), ()]),
    "no frames": ([], []),
}


@pytest.mark.parametrize("name", VIDEO_SUFFIXES)
def test_videos_made_by_hand(name):
    frames, expected = VIDEO_SUFFIXES[name]
    assert follow(frames) == tuple(expected)


def test_gap_and_overlap_are_the_callers():
    assert follow([at(0), at(), at(0)], gap=0) == ((0,), (), (1,))
    assert follow([at(0), at(8)], overlap=0.1) == ((0,), (0,))
    assert follow([at(0), at(8)], overlap=0.2) == ((0,), (1,))
    assert follow([at(0), at(10)], overlap=0.0) == ((0,), (1,))  # boxes that only touch are never one face


def test_a_forbidden_pair_does_not_drive_a_good_one_apart():
    """Joining both boxes would sum to more overlap, but one of the pairs is below the least."""
    a, b = at(0, 4), at(4)
    assert follow([a, b], overlap=0.5) == ((0, 1), (1,))


def test_tracks_that_are_over_cost_nothing():
    """Twice as many frames of faces that all are new take about twice the time."""

    def seconds(frames):
        shown = [at(100.0 * k, 100.0 * k + 50) for k in range(frames)]
        start = process_time()
        follow(shown)
        return process_time() - start

    seconds(100)
    assert min(seconds(8000) for _ in range(2)) < 10 * min(seconds(2000) for _ in range(2))
