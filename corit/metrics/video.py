"""Scores of frames become scores of videos: the mean over the frames of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from corit.errors import DataError, examples

Mixed = Literal["refuse", "real"]


@dataclass(frozen=True)
class VideoScores:
    """Scores of V videos, in the order of their keys.

    Attributes:
        keys: (V) names.
        labels: (V), 0 for real and 1 for fake.
        scores: (V) mean score of the frames.
        frames: (V) number of frames.
    """

    keys: tuple[str, ...]
    labels: np.ndarray
    scores: np.ndarray
    frames: np.ndarray


def mean_by_video(
    keys: Sequence[str], labels: np.ndarray, scores: np.ndarray, *, mixed: Mixed = "refuse"
) -> VideoScores:
    """Average the scores of the frames that share a key.

    Args:
        keys: (n) video of each frame, such as `corit.data.frames.video_key`. DeepfakeBench's grouping keeps only the
            last folder's name: in FaceForensics++ the videos of one pair under all four manipulations become one, which
            can hide much (one set of made-up scores has a video-level AUC of .9998 so, and .858 by video). Use it only
            beside published numbers.
        labels: (n), 0 for real and 1 for fake.
        scores: (n).
        mixed: what to do with a key that has real and fake frames: "refuse" it, or call the video "real" unless all its
            frames are fake, which is DeepfakeBench's rule.

    Raises:
        DataError: for mixed keys that are refused, different lengths, no frames, labels other than 0 and 1, and scores
            that are not finite.
    """
    labels, scores = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    if not len(keys) == len(labels) == len(scores) > 0:
        raise DataError(f"expected a key, label and score of each frame, got {len(keys)}, {len(labels)}, {len(scores)}")
    if not np.isin(labels, (0, 1)).all() or not np.isfinite(scores).all():
        raise DataError("expected labels 0 and 1 and finite scores; leave out the frames that could not be scored")
    names, which, count = np.unique(np.asarray(keys, dtype=str), return_inverse=True, return_counts=True)
    fakes = np.bincount(which, labels)
    both = names[(fakes > 0) & (fakes < count)].tolist()
    if both and mixed == "refuse":
        raise DataError(
            f"expected one label of each video, but {len(both)} have real and fake frames: {examples(both)}; group by "
            'the whole path, or accept "real" for such videos, as the benchmark does'
        )
    return VideoScores(tuple(names.tolist()), (fakes == count).astype(int), np.bincount(which, scores) / count, count)
