"""The rows of one picture, with what a page shows of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from corit.detect.row import Row
from corit.errors import InputError


@dataclass(frozen=True)
class Evidence:
    """What a page shows of one face.

    Attributes:
        image: the crop (S, S, 3) uint8.
        regions: patches of each region (K, N) bool.
        heat: evidence of each patch (h, w) in logits.
    """

    image: np.ndarray
    regions: np.ndarray
    heat: np.ndarray


class Reading(NamedTuple):
    """What a detector reads off one view.

    Attributes:
        logits: (W) of its twins, or of the view itself where features need no twin.
        distance: of its features, with the first twin, from the training features; None where it is not known.
        variants: the verdicts on mild re-encodings, by name; empty where there are none, or none can turn the verdict.
    """

    logits: np.ndarray
    distance: float | None = None
    variants: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Report:
    """The rows of one picture.

    Attributes:
        path: of the file.
        rows: one for each face, or one for the picture.
        evidence: of each row with a score, if asked for.
        colours: colours (512,) of a frame of a video, by which cuts are found; None for pictures and for face crops.
        looks: colours (512,) of the face of each row, by which faces are followed; None as above.
    """

    path: str
    rows: tuple[Row, ...]
    evidence: tuple[Evidence, ...] = ()
    colours: np.ndarray | None = field(default=None, compare=False, repr=False)
    looks: tuple[np.ndarray | None, ...] = field(default=(), compare=False, repr=False)

    @property
    def score(self) -> float | None:
        """The highest score of the picture's faces; None when nothing could be scored."""
        return max((r.score for r in self.rows if r.score is not None), default=None)


def failed_report(path: str, error: InputError) -> Report:
    """Return the report of a picture that cannot be scored: one row with a status and a reason."""
    return Report(path, (Row(path, status=error.status, reason=str(error)),))
