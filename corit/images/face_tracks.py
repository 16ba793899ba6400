"""Follow faces through a video: give boxes of the same face the same number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

Alike = Callable[[tuple[int, int], tuple[int, int]], bool]


class LastBox(NamedTuple):
    """The last box of a track.

    Attributes:
        frame: its frame.
        number: its place among the boxes of the frame.
        box: (4) x0, y0, x1, y1.
    """

    frame: int
    number: int
    box: np.ndarray


def overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Compute intersection over union (n, m) of boxes a (n, 4) and b (m, 4), each x0, y0, x1, y1; 0 for empty boxes."""
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
    """Assign the boxes of each frame to tracks, so that the sum of overlaps with the tracks' last boxes is the largest.

    Args:
        frames: boxes (n, 4) of each frame.
        overlap: intersection over union below which two boxes are never joined; lower it where frames lie far apart
            in time.
        gap: frames in a row in which a face may be missing and keep its track.
        alike: whether two boxes, each given as (frame, number in the frame), may be of one face.

    Returns:
        The track of each box of each frame: numbers from 0, in the order in which faces first appear.
    """
    last: dict[int, LastBox] = {}
    out, count = [], 0
    for now, listed in enumerate(frames):
        boxes = np.asarray(listed, dtype=np.float64).reshape(-1, 4)
        last = {t: box for t, box in last.items() if now - box.frame <= gap + 1}  # the others have ended
        joined = _join(boxes, now, last, overlap, alike)
        ids = []
        for i, box in enumerate(boxes):
            if i not in joined:
                joined[i], count = count, count + 1
            last[joined[i]] = LastBox(now, i, box)
            ids.append(joined[i])
        out.append(tuple(ids))
    return tuple(out)


def _join(boxes: np.ndarray, now: int, tracks: dict[int, LastBox], least: float, alike: Alike | None) -> dict[int, int]:
    """The track of each box number that fits one."""
    if not len(boxes) or not tracks:
        return {}
    names = list(tracks)
    shared = overlaps(boxes, np.stack([tracks[t].box for t in names]))
    for i, j in zip(*np.nonzero(shared >= least), strict=True) if alike is not None else ():
        other = tracks[names[j]]
        if alike is not None and not alike((other.frame, other.number), (now, int(i))):
            shared[i, j] = 0.0
    worth = np.where(shared >= least, shared, 0.0)  # a forbidden pair must not displace an allowed one
    rows, columns = linear_sum_assignment(-worth)
    return {int(i): names[j] for i, j in zip(rows, columns, strict=True) if shared[i, j] >= max(least, 1e-9)}
