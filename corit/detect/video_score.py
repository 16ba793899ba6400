"""The score of a video: one number from the scores of the faces in its frames, by a named aggregation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np

from corit.errors import DataError

VideoScoreName = Literal["track", "frames"]


class FaceScore(NamedTuple):
    """The score of one face in one frame.

    Attributes:
        frame: number of the frame; faces of one frame share it.
        track: number of the face through the video.
        score: probability of fake.
    """

    frame: int
    track: int
    score: float


@dataclass(frozen=True)
class VideoScore:
    """A way to make the score of a video from the scores of its faces; `corit detect` and `evaluate` share it.

    "track" follows each face through the video and takes the highest mean of a face. A face counts when it is seen in
    a share of the scored frames, and in two frames if two are scored, so that a poster in the background does not
    decide; where no face is seen that long, "frames" counts, since the highest of many short means is high by chance.
    "frames" takes the highest face of each frame and the mean over frames, as DeepfakeBench does; the paper's protocols
    (`corit.bench`) use it.

    Faces are followed by their place and their colours in whole frames, on disk or decoded from a video file. Whole
    pictures, face crops (from `corit data prepare`, or with landmarks), and frames on disk that show one face each are
    one track: the score of such a video is the mean over its frames, by both names.

    Attributes:
        name: "track" or "frames".
        share: of the scored frames, in which a face must be seen to count; 0 lets every face count.
    """

    name: VideoScoreName = "track"
    share: float = 0.1

    def __post_init__(self) -> None:
        if self.name not in get_args(VideoScoreName):
            raise DataError(f"expected a video score of {' or '.join(get_args(VideoScoreName))}, got {self.name!r}")

    @property
    def description(self) -> str:
        """What the score of a video is, in words."""
        if self.name == "frames":
            return "the mean over its frames of the face with the highest score"
        return "the highest mean of its faces that are seen long enough"

    def __call__(self, faces: Sequence[FaceScore]) -> float:
        """Score a video.

        Args:
            faces: the scored faces of its frames, at least one.

        Returns:
            The probability of fake.
        """
        seen = len({face.frame for face in faces})
        least = min(seen, max(2, self.share * seen)) if self.share else 0
        tracks = by_track(faces).values() if self.name == "track" else ()
        means = [float(np.mean(scores)) for scores in tracks if len(scores) >= least]
        return max(means) if means else _mean_of_highest(faces)


TRACK, FRAMES = VideoScore("track"), VideoScore("frames")


def by_track(faces: Iterable[FaceScore]) -> dict[int, list[float]]:
    """The scores of each track, by its number."""
    scores: dict[int, list[float]] = defaultdict(list)
    for face in faces:
        scores[face.track].append(face.score)
    return scores


def _mean_of_highest(faces: Iterable[FaceScore]) -> float:
    highest: dict[int, float] = {}
    for face in faces:
        highest[face.frame] = max(face.score, highest.get(face.frame, 0.0))
    return float(np.mean(list(highest.values())))
