"""Follow faces through a video: boxes of each frame -> the same number for the same face."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

Alike = Callable[[tuple[int, int], tuple[int, int]], bool]


class Seen(NamedTuple):
    """Where a track was seen last: the frame, the box's number in it, and the box."""

    frame: int
    number: int
    box: np.ndarray


def overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union (n, m) of boxes a (n, 4) and b (m, 4), each x0, y0, x1, y1; 0 for empty boxes."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    union = _areas(a)[:, None] + _areas(b)[None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _areas(boxes: np.ndarray) -> np.ndarray:
    return np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None), axis=1)


def follow(
    frames: Sequence[np.ndarray], *, overlap: float = 0.3, gap: int = 2, alike: Alike | None = None
) -> tuple[tuple[int, ...], ...]:
    """The track of each box (n, 4) of each frame: numbers from 0 in the order in which faces first appear.

    Boxes are joined to the last boxes of the tracks so that the sum of overlaps is the largest; a pair that shares less
    than `overlap` of its union is never joined. A face may be unseen in `gap` frames in a row and keep its track. Take
    a lower overlap where the frames lie far apart in time. alike: says of two boxes, each its frame's number and its
    own among the frame's, whether they may be of one face.
    """
    last: dict[int, Seen] = {}
    out, started = [], 0
    for now, given in enumerate(frames):
        boxes = np.asarray(given, dtype=np.float64).reshape(-1, 4)
        last = {t: seen for t, seen in last.items() if now - seen.frame <= gap + 1}  # the others are over
        joined = _join(boxes, now, last, overlap, alike)
        ids = []
        for i, box in enumerate(boxes):
            if i not in joined:
                joined[i], started = started, started + 1
            last[joined[i]] = Seen(now, i, box)
            ids.append(joined[i])
        out.append(tuple(ids))
    return tuple(out)


def _join(boxes: np.ndarray, now: int, tracks: dict[int, Seen], least: float, alike: Alike | None) -> dict[int, int]:
    """Box number -> track, where one fits."""
    if not len(boxes) or not tracks:
        return {}
    names = list(tracks)
    shared = overlaps(boxes, np.stack([tracks[t].box for t in names]))
    for i, j in zip(*np.nonzero(shared >= least), strict=True) if alike is not None else ():
        seen = tracks[names[j]]
        if alike is not None and not alike((seen.frame, seen.number), (now, int(i))):
            shared[i, j] = 0.0
    worth = np.where(shared >= least, shared, 0.0)  # a forbidden pair must not drive a good one apart
    rows, columns = linear_sum_assignment(-worth)
    return {int(i): names[j] for i, j in zip(rows, columns, strict=True) if shared[i, j] >= max(least, 1e-9)}
