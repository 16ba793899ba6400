"""A row of a data set, and what lists such rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from corit.images.picture import Picture

Split = Literal["", "train", "val", "test"]


@dataclass(frozen=True)
class Sample:
    """One picture or frame of a data set.

    Attributes:
        id: unique within its source; names the row in a feature store.
        path: the picture's file; of a drawn picture, its name.
        label: 0 real, 1 fake, None unknown.
        split: "train", "val" or "test"; empty for none.
        manipulation: the manipulation type; empty for reals.
        dataset: the data set's name, as published tables write it.
        group: the person, original picture or pair of videos that it shows. Samples of one group never stand in two
            splits.
        video: the video that a frame belongs to; empty for a picture of no video.
        frame: the frame's number; `corit.data.frames.WHOLE_VIDEO` for a row that is a video file.
        extra: everything that the picture depends on beside its file and what lies beside that: landmarks of a list, a
            perturbation, the world that draws it. Where it differs, features are measured again.
    """

    id: str
    path: str
    label: int | None
    split: Split = ""
    manipulation: str = ""
    dataset: str = ""
    group: str = ""
    video: str = ""
    frame: int = 0
    extra: str = ""

    def __post_init__(self) -> None:
        if not self.id:
            raise ValueError("a Sample needs a non-empty id")
        if self.label not in (0, 1, None):
            raise ValueError(f"a Sample's label is 0 (real), 1 (fake) or None (unknown), got {self.label!r}")


class Source(Protocol):
    """Something that lists samples and loads their pictures: a folder, a data set, the miniature world."""

    @property
    def samples(self) -> Sequence[Sample]:
        """The rows, in a stable order."""

    def load(self, sample: Sample) -> Picture:
        """Return the picture of one row. Raises `corit.errors.InputError` when it cannot be read."""
