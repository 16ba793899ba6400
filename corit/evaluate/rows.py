"""Scored pictures with what is known about them, and the videos that they make up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import PurePath

from corit.detect.video_score import TRACK, FaceScore, VideoScore
from corit.errors import DataError, examples

SIZES = (64, 128, 256, 512, 1024)  # px of the shorter side
QUALITIES = (50, 75, 90)
VIDEO_LEVELS = ("raw", "c0", "c23", "c40")  # folders of FaceForensics++'s layout: no, light and strong H.264


@dataclass(frozen=True)
class ScoredRow:
    """One labelled picture or frame, or a video: its score, or why there is none.

    Attributes:
        id: unique within the data.
        path: of the file.
        label: 0 real, 1 fake, -1 unknown.
        split: train, val, test, or "".
        manipulation: manipulation type of a fake.
        dataset: the data set.
        group: the source that a fake shares with its real.
        video: the video of a frame, or "".
        frame: index of a frame.
        status: "ok", or why there is no score.
        reason: the same in words; beside a score, what its reader must know.
        score: probability of fake of the face with the highest score; of a video see `VideoScore`. None unless "ok".
        faces: faces with a score; of a video, frames with a score.
        width: of the file in pixels, 0 where it is unknown.
        height: as `width`.
        kind: of the file, or "".
        quality: of a JPEG file, or 0; see `corit.images.header`.
        tracks: (track, score) of each face; empty where only the score is known.
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
    tracks: tuple[tuple[int, float], ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if (self.status == "ok") != (self.score is not None):
            raise ValueError(f"a row has a score exactly when it is ok, got {self.status} with score {self.score}")

    @property
    def unit(self) -> str:
        """What the bootstrap draws: the source, else the video, else the row."""
        return self.group or self.video or self.id

    @property
    def compression(self) -> str:
        """The kind of the file, of a JPEG with a range of quality; of a frame also the compression of its video."""
        parts = PurePath(self.path).parts if self.video else ()
        video = next((f"{p}, " for p in parts if p in VIDEO_LEVELS), "")
        if not self.quality:
            return f"{video}{self.kind or 'unknown'}"
        return f"{video}{self.kind}, quality {_range(self.quality, QUALITIES)}"

    @property
    def size(self) -> str:
        """The range that the shorter side lies in."""
        return f"{_range(min(self.width, self.height), SIZES)} px" if self.width else "unknown"


FIELDS = tuple(f.name for f in fields(ScoredRow) if f.name != "tracks")  # of rows.csv


def _range(value: int, bounds: Sequence[int]) -> str:
    below = [b for b in bounds if b <= value]
    above = [b for b in bounds if b > value]
    if not below:
        return f"below {above[0]}"
    return f"{below[-1]} to {above[0] - 1}" if above else f"from {below[-1]}"


def by_video(rows: Sequence[ScoredRow], video_score: VideoScore = TRACK) -> tuple[ScoredRow, ...]:
    """A row for each video: its score from its frames, and for the rest the first frame that has a score.

    Args:
        rows: pictures and frames; those of no video stand for themselves.
        video_score: how the scores of the faces become that of the video; its frames are in the order of the rows.

    Returns:
        The videos in the order of their first frames. One without a scored frame is as its first labelled frame, or
        else its first.

    Raises:
        DataError: a video has real and fake frames with a score.
    """
    frames: dict[str, list[ScoredRow]] = {}
    for r in rows:
        frames.setdefault(r.video or r.id, []).append(r)
    scored = {key: [r for r in of if r.score is not None] for key, of in frames.items()}
    mixed = sorted(key for key, of in scored.items() if len({r.label for r in of}) > 1)
    if mixed:
        raise DataError(
            f"expected one label of each video, but {len(mixed)} have real and fake frames: {examples(mixed)}; "
            "name the videos apart"
        )
    return tuple(_video(max(of, key=_known), key, scored[key], video_score) for key, of in frames.items())


def _faces(frames: Sequence[ScoredRow]) -> list[FaceScore]:
    """The faces of a video's scored frames; a frame of which only the score is known is of one face."""
    return [
        FaceScore(i, track, score)
        for i, r in enumerate(frames)
        if r.score is not None
        for track, score in r.tracks or ((0, r.score),)
    ]


def _known(row: ScoredRow) -> tuple[bool, bool]:
    """How much a frame tells about its video: it has a score, or at least a label."""
    return row.score is not None, row.label in (0, 1)


def _video(row: ScoredRow, key: str, scored: Sequence[ScoredRow], video_score: VideoScore) -> ScoredRow:
    if not scored:
        return replace(row, id=key, faces=0)
    return replace(row, id=key, score=video_score(_faces(scored)), faces=len(scored), status="ok", reason="", tracks=())
