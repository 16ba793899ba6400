"""When the frames of a video are shown, by the times of its packets; and where packets are missing among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

STEADY = 0.8  # of the intervals between packets; in a video of so many like ones a longer one is a hole
LATE = 0.9  # of a frame, from which on one is missing: less is the pace of videos that show fields twice
FEW = 2  # frames in a row, of which some hole has at least so many: cameras and programs leave single ones out
LEAP = 10  # times as long as all else: no hole, but a clock that was set anew


@dataclass(frozen=True)
class Timetable:
    """The frames of a video whose packets are there.

    times: (N,) int64, ascending, when they are shown, in the video's own units; empty where nobody knows. indices: (N,)
    int64, each one's index; those that are left out are of packets that are missing. timed: whether a frame is known by
    its time; else by its place in the order.
    """

    times: np.ndarray
    indices: np.ndarray
    timed: bool

    @property
    def count(self) -> int:
        """How many frames there are up to the last, with those that are missing between others."""
        return int(self.indices[-1]) + 1 if len(self.indices) else 0

    def index(self, time: int | None) -> int:
        """The index of the frame that is shown at a time, 0 where it is not known."""
        if not self.timed or time is None:
            return 0
        return int(self.indices[max(0, int(np.searchsorted(self.times, time, "right")) - 1)])

    def time(self, index: int) -> float | None:
        """When the frame of an index is or would be shown; None where nobody knows."""
        if not len(self.times):
            return None
        near = max(0, int(np.searchsorted(self.indices, index, "right")) - 1)  # the last one that is there
        return float(self.times[near]) + max(0, index - int(self.indices[near])) * self.pace

    @cached_property
    def pace(self) -> float:
        """Units from a frame to the next, as they are for most; 0 for one frame."""
        return _pace(self.times)


def timetable(times: Sequence[int], untimed: int, *, ordered: bool, lossy: bool, damaged: bool) -> Timetable:
    """The timetable of packets with their times in any order, and of so many more without.

    ordered: the times do not say which frame is meant. lossy: packets may be missing without a trace but their time.
    damaged: it is known that some are, so that a single one counts too.
    """
    known = np.unique(np.asarray(times, np.int64))
    steady = _steady(known)
    if untimed and not ordered and (untimed > len(times) or not steady):
        return Timetable(known[:0], np.arange(len(times) + untimed), timed=False)
    if ordered:  # the times are those of the packets, and not all of them need be told apart
        return Timetable(known if len(known) == len(times) else known[:0], np.arange(len(times) + untimed), timed=False)
    # Packets without a time are second fields of frames that have one.
    missing = _missing(known, 1 if damaged else FEW) if lossy and steady else np.zeros(max(0, len(known) - 1), np.int64)
    indices = np.arange(len(known)) + np.concatenate([[0], np.cumsum(missing)])[: len(known)]
    return Timetable(known, indices, timed=True)


def _missing(times: np.ndarray, few: int) -> np.ndarray:
    """How many frames are missing in each interval; none, where it is less than a few in every one."""
    steps, pace = np.diff(times), _pace(times)
    late = (steps >= (1 + LATE) * pace) & (steps <= LEAP * pace * len(times))
    missing = np.where(late, np.round(steps / pace) - 1, 0).astype(np.int64)
    return missing * (missing.max() >= few)


def _pace(times: np.ndarray) -> float:
    return float(np.median(np.diff(times))) if len(times) > 1 else 0.0


def _steady(times: np.ndarray) -> bool:
    """Whether nearly all intervals are one, but for rounding to whole units."""
    steps, pace = np.diff(times), _pace(times)
    return len(steps) > 0 and bool(np.mean(np.abs(steps - pace) <= min(1.0, 0.2 * pace) + 0.01 * pace) >= STEADY)
