"""When the frames of a video are shown, and where some are missing, by the times of its packets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

STEADY_SHARE = 0.8  # of equal intervals, from which on a longer interval is a hole
MISSING_FRAME = 0.9  # frames of delay, from which on one is missing: videos that show fields twice have less
MIN_HOLE = 2  # missing frames in a row that prove a loss: cameras and programs leave out single ones
CLOCK_RESET_FACTOR = 10  # an interval so many times as long as the video is a clock reset, not a hole


@dataclass(frozen=True)
class FrameTimes:
    """The times and indices of the frames whose packets are in the file.

    Attributes:
        times: (N,) int64, ascending, when each frame is shown, in the video's own units; empty where it is unknown.
        indices: (N,) int64, the index of each frame; indices between them belong to missing packets.
        timed: whether a frame is identified by its time; otherwise by its place in the order.
    """

    times: np.ndarray
    indices: np.ndarray
    timed: bool

    @property
    def count(self) -> int:
        """The number of frames up to the last one, with missing ones between others."""
        return int(self.indices[-1]) + 1 if len(self.indices) else 0

    def index(self, time: int | None) -> int:
        """Return the index of the frame that is shown at a time; 0 where it is unknown."""
        if not self.timed or time is None:
            return 0
        return int(self.indices[max(0, int(np.searchsorted(self.times, time, "right")) - 1)])

    def time(self, index: int) -> float | None:
        """Return when the frame of an index is or would be shown; None where it is unknown."""
        if not len(self.times):
            return None
        near = max(0, int(np.searchsorted(self.indices, index, "right")) - 1)  # the last frame at or before the index
        return float(self.times[near]) + max(0, index - int(self.indices[near])) * self.pace

    @cached_property
    def pace(self) -> float:
        """The median number of units between frames; 0 for one frame."""
        return _pace(self.times)


def frame_times(times: Sequence[int], untimed: int, *, ordered: bool, lossy: bool, damaged: bool) -> FrameTimes:
    """Work out the frames of a video from the times of its packets.

    Args:
        times: of the packets that have one, in any order.
        untimed: the number of packets without a time.
        ordered: identify frames by their order, since the times do not tell which frame is meant.
        lossy: packets may be missing without another trace than a longer interval.
        damaged: packets are known to be missing, so that a hole of one frame counts too.

    Returns:
        The times and indices of the frames.
    """
    known = np.unique(np.asarray(times, np.int64))
    steady = _steady(known)
    if untimed and not ordered and (untimed > len(times) or not steady):
        return FrameTimes(known[:0], np.arange(len(times) + untimed), timed=False)
    if ordered:  # the times are of packets, and several may share one
        return FrameTimes(
            known if len(known) == len(times) else known[:0], np.arange(len(times) + untimed), timed=False
        )
    # Packets without a time are second fields of frames that have one.
    missing = (
        _missing(known, 1 if damaged else MIN_HOLE) if lossy and steady else np.zeros(max(0, len(known) - 1), np.int64)
    )
    indices = np.arange(len(known)) + np.concatenate([[0], np.cumsum(missing)])[: len(known)]
    return FrameTimes(known, indices, timed=True)


def _missing(times: np.ndarray, min_hole: int) -> np.ndarray:
    """The number of frames missing in each interval; 0 in all when no hole is as long as `min_hole`."""
    steps, pace = np.diff(times), _pace(times)
    late = (steps >= (1 + MISSING_FRAME) * pace) & (steps <= CLOCK_RESET_FACTOR * pace * len(times))
    missing = np.where(late, np.round(steps / pace) - 1, 0).astype(np.int64)
    return missing * (missing.max() >= min_hole)


def _pace(times: np.ndarray) -> float:
    return float(np.median(np.diff(times))) if len(times) > 1 else 0.0


def _steady(times: np.ndarray) -> bool:
    """Whether nearly all intervals are equal, up to rounding to whole units."""
    steps, pace = np.diff(times), _pace(times)
    return len(steps) > 0 and bool(np.mean(np.abs(steps - pace) <= min(1.0, 0.2 * pace) + 0.01 * pace) >= STEADY_SHARE)
