"""A row of a data set: where a picture is, what it is, and what it must not be separated from."""

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

    `id` is unique within its source and names the row in a feature store. `label` is 0 real, 1 fake, None unknown.
    `manipulation` is empty for reals. `group` names the source (identity, original picture, video pair) whose samples
    never fall on two sides of a split. `extra` tells what the picture depends on beside its file and what lies beside
    that: landmarks of a list, a perturbation, the world that draws it; where it differs, features are measured anew.
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
    """Something that lists samples and gives their pictures: a folder, a data set, the miniature world."""

    @property
    def samples(self) -> Sequence[Sample]:
        """The rows, in a stable order."""

    def load(self, sample: Sample) -> Picture:
        """The picture of one row. Raises `corit.errors.InputError` when it cannot be had."""
