"""Scored pictures with what is known of them, and the videos that they make up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import PurePath

import numpy as np

from corit.metrics.video import mean_by_video

SIZES = (64, 128, 256, 512, 1024)  # px of the shorter side
QUALITIES = (50, 75, 90)
VIDEO_LEVELS = ("raw", "c0", "c23", "c40")  # folders of FaceForensics++'s layout: no, light and strong H.264


@dataclass(frozen=True)
class ScoredRow:
    """One labelled picture, or a video: its score, the probability of fake, or why there is none.

    score: of its most suspicious face, None unless the status is "ok". faces: how many were scored; of a video, its
    frames. width, height, kind, quality: of the file, 0 and "" where there is none; see `images.header`.
    """

    id: str
    path: str
    label: int
    split: str
    manipulation: str
    dataset: str
    group: str
    video: str
    frame: int
    status: str
    reason: str
    score: float | None
    faces: int = 0
    width: int = 0
    height: int = 0
    kind: str = ""
    quality: int = 0

    def __post_init__(self) -> None:
        if (self.status == "ok") != (self.score is not None):
            raise ValueError(f"a row has a score exactly when it is ok, got {self.status} with score {self.score}")

    @property
    def unit(self) -> str:
        """What an interval draws: the source, which a fake shares with its real, else the video, else the row."""
        return self.group or self.video or self.id

    @property
    def compression(self) -> str:
        """The file's kind, a JPEG's with its quality's range; of a frame also how its video was compressed."""
        parts = PurePath(self.path).parts if self.video else ()
        video = next((f"{p}, " for p in parts if p in VIDEO_LEVELS), "")
        if not self.quality:
            return f"{video}{self.kind or 'unknown'}"
        return f"{video}{self.kind}, quality {_range(self.quality, QUALITIES)}"

    @property
    def size(self) -> str:
        """The range in which the shorter side lies."""
        return f"{_range(min(self.width, self.height), SIZES)} px" if self.width else "unknown"


FIELDS = tuple(f.name for f in fields(ScoredRow))


def _range(value: int, bounds: Sequence[int]) -> str:
    below = [b for b in bounds if b <= value]
    above = [b for b in bounds if b > value]
    if not below:
        return f"below {above[0]}"
    return f"{below[-1]} to {above[0] - 1}" if above else f"from {below[-1]}"


def by_video(rows: Sequence[ScoredRow]) -> tuple[ScoredRow, ...]:
    """A row for each video: the mean score of its frames that have one, and the first of these for the rest.

    Pictures of no video stand for themselves. A video without a scored frame is as its first labelled frame, or else
    its first. Raises DataError when a video has real and fake frames with a score.
    """
    first: dict[str, ScoredRow] = {}
    for r in rows:
        key = r.video or r.id
        if key not in first or _known(r) > _known(first[key]):
            first[key] = r
    ok = [r for r in rows if r.score is not None]
    made = {}
    if ok:
        scores = np.array([r.score for r in ok], dtype=np.float64)
        found = mean_by_video([r.video or r.id for r in ok], np.array([r.label for r in ok]), scores)
        made = dict(zip(found.keys, zip(found.scores.tolist(), found.frames.tolist(), strict=True), strict=True))
    return tuple(_video(r, key, *made.get(key, (None, 0))) for key, r in first.items())


def _known(row: ScoredRow) -> tuple[bool, bool]:
    """How much a frame says of its video: it has a score, or at least a label."""
    return row.score is not None, row.label in (0, 1)


def _video(row: ScoredRow, key: str, score: float | None, frames: int) -> ScoredRow:
    status, reason = ("ok", "") if score is not None else (row.status, row.reason)
    return replace(row, id=key, score=score, faces=frames, status=status, reason=reason)
