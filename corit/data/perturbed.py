"""A Source whose pictures are perturbed on the way: same rows, same labels, damaged pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from corit.data.sample import Sample, Source
from corit.images.perturb import perturb, require
from corit.images.picture import Picture


@dataclass(frozen=True)
class PerturbedSource:
    """Another source, its pictures perturbed by `name` at `level` 1 to 5; landmarks, mask and pose are kept.

    Faces are found before the damage where the source knows their landmarks, and after it where it does not. Raises
    DataError for a name or level that there is not.
    """

    source: Source
    name: str
    level: int

    def __post_init__(self) -> None:
        require(self.name, self.level)

    @property
    def samples(self) -> Sequence[Sample]:
        """The source's rows, which say that they are perturbed."""
        return tuple(replace(s, extra=f"{s.extra} {self.name} {self.level}".strip()) for s in self.source.samples)

    def load(self, sample: Sample) -> Picture:
        """The perturbed picture of one row, which no longer is what a file holds. Raises InputError's kinds."""
        picture = self.source.load(sample)
        return replace(picture, pixels=perturb(picture.pixels, self.name, self.level), digest="")
