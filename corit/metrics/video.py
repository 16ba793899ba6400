"""Scores of frames become scores of videos: the mean over the frames of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from corit.data.frames import Grouping, video_key
from corit.data.sample import Sample
from corit.errors import DataError, examples

Mixed = Literal["refuse", "real"]


@dataclass(frozen=True)
class Videos:
    """The videos of scored frames, ordered by key: labels (V) of 0 and 1, scores (V), how many frames each had (V)."""

    keys: tuple[str, ...]
    labels: np.ndarray
    scores: np.ndarray
    frames: np.ndarray


def average(keys: Sequence[str], labels: np.ndarray, scores: np.ndarray, *, mixed: Mixed = "refuse") -> Videos:
    """The mean score of the frames (n) that share a key.

    mixed: what to do with a key that has real and fake frames: "refuse" it, or call the video "real" unless all its
    frames are fake, which is DeepfakeBench's rule. Raises DataError on mixed keys, other lengths, or labels that are
    neither 0 nor 1.
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
    return Videos(tuple(names.tolist()), (fakes == count).astype(int), np.bincount(which, scores) / count, count)


def videos(samples: Sequence[Sample], scores: np.ndarray, grouping: Grouping = "path") -> Videos:
    """The videos of labelled samples with a score each, grouped by the video's whole name or as DeepfakeBench does.

    grouping "dfb" keeps only the last folder's name: in FaceForensics++ the videos of one pair under all four
    manipulations become one, which can hide much: one set of made-up scores has an AUC of .9998 so, and .858 by video.
    Use it only beside published numbers. Raises DataError as `average` does, and for a sample without a label.
    """
    unknown = [s.id for s in samples if s.label is None]
    if unknown:
        raise DataError(f"expected a label of every sample, but {examples(unknown)} have none; leave them out")
    keys = [video_key(s, grouping) for s in samples]
    labels = np.array([s.label for s in samples], dtype=int)
    return average(keys, labels, scores, mixed="real" if grouping == "dfb" else "refuse")
