"""Cuts: photographs that have nothing to do with each other are two scenes, a moving camera's frames are one."""

from __future__ import annotations

from itertools import combinations, pairwise

import cv2
import numpy as np
import pytest

from corit.detect.following import DEFAULT
from corit.images.scenes import colour_histogram, face_histogram, histogram_overlap

NAMES = ("astronaut", "chelsea", "coffee", "rocket", "camera", "coins", "moon", "page", "brick", "grass", "gravel")


@pytest.fixture(scope="module")
def photographs():
    data = pytest.importorskip("skimage.data")
    found = [getattr(data, name)() for name in NAMES]
    found = [p if p.ndim == 3 else np.repeat(p[..., None], 3, axis=2) for p in found]
    return [cv2.resize(np.ascontiguousarray(p), (480, 360), interpolation=cv2.INTER_AREA) for p in found]


def test_unlike_photographs_are_scenes_of_their_own(photographs):
    pairs = [histogram_overlap(colour_histogram(a), colour_histogram(b)) for a, b in combinations(photographs, 2)]
    assert np.mean(np.array(pairs) < DEFAULT.scene) > 0.85


@pytest.mark.parametrize("step", [8, 32, 64])
def test_a_pan_is_one_scene(photographs, step):
    for photograph in photographs:
        shown = [colour_histogram(photograph[60:300, x : x + 320]) for x in range(0, 160, step)]
        assert min(histogram_overlap(a, b) for a, b in pairwise(shown)) >= DEFAULT.scene


def test_frames_are_compared_by_the_share_of_their_colours():
    halves = np.zeros((32, 32, 3), np.uint8)
    halves[:16] = 255
    assert histogram_overlap(colour_histogram(halves), colour_histogram(halves)) == 1.0
    assert histogram_overlap(colour_histogram(halves), colour_histogram(np.zeros_like(halves))) == pytest.approx(0.5)


def test_a_look_is_of_what_lies_inside_the_box():
    frame = np.zeros((40, 40, 3), np.uint8)
    frame[:20, :20] = 200
    assert np.count_nonzero(face_histogram(frame, (0, 0, 20, 20))) == 1
    assert np.count_nonzero(face_histogram(frame, (0, 0, 40, 40))) == 2
    np.testing.assert_array_equal(face_histogram(frame, (-10, -10, 20, 20)), face_histogram(frame, (0, 0, 20, 20)))
    assert face_histogram(frame, (0, 0, 20, 20)).sum() == 1024
    assert face_histogram(frame, (50, 0, 60, 20)).size == 0
