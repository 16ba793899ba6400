"""A result of a detector: one row, whatever it is of, and the fields that `corit detect` writes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from corit.views.prepare import Box

Part = Literal["picture", "video", "track", "frame"]
SCORED = ("ok", "truncated")  # statuses of rows that may have a score
OUTSIDE = "outside what this detector was trained on"  # how the reason of such a row begins


@dataclass(frozen=True)
class Row:
    """One score, or the reason why there is none.

    A row is about a picture, a face in it, a video, a track or a frame.
    `corit detect --format jsonl` writes these fields, in this order.

    Attributes:
        path: the file.
        face: (x0, y0, x1, y1) of the face in pixels; None for a whole picture, a face crop, a video or a track.
        score: probability of fake, in [0, 1]; None where nothing could be scored.
        spread: standard deviation of the score over several self-blended twins, where several are used.
        verdict: "fake", "real" or "unsure"; None without a score. The thresholds were set on single pictures.
        status: "ok", "no_face", "too_small", "unreadable" or "unsupported"; of a video also "truncated", where frames
            could not be decoded and the score is of the others.
        reason: why there is no score; beside a score, what its reader must know of how it was made, or nothing.
        part: what the row is of: "picture" (or a face in one), "video", "track" or "frame".
        frame: index of the frame.
        start: seconds of a frame, or of a track's first frame, to the millisecond.
        end: seconds of a track's last frame; for frames that could not be decoded, of the frame that follows them.
        track: number of the face through the video.
        frames: number of frames with a score, of a video or a track.
        detector: name of the packaged detector that scored it; None without a score, and for a detector from a folder.
    """

    path: str
    face: Box | None = None
    score: float | None = None
    spread: float | None = None
    verdict: str | None = None
    status: str = "ok"
    reason: str = ""
    part: Part = "picture"
    frame: int | None = None
    start: float | None = None
    end: float | None = None
    track: int | None = None
    frames: int | None = None
    detector: str | None = None

    def __post_init__(self) -> None:
        if (self.score is None) if self.status == "ok" else (self.score is not None and self.status not in SCORED):
            raise ValueError(f"a row has a score exactly when it is ok, got {self.status} with score {self.score}")

    @property
    def outside(self) -> bool:
        """Whether the row is outside what the detector was trained on, which its reason says first."""
        return self.reason.startswith(OUTSIDE)


FIELDS = tuple(field.name for field in fields(Row))
