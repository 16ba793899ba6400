"""A source with perturbed pictures: same rows, same labels, damaged pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from corit.data.sample import Sample, Source
from corit.images.perturb import perturb, require
from corit.images.picture import Picture


@dataclass(frozen=True)
class PerturbedSource:
    """Another source with perturbed pictures; landmarks, masks and labels stay.

    Where the source knows a picture's landmarks, they are those before the damage; otherwise faces are found after it.

    Attributes:
        source: the other source.
        name: the perturbation; see `corit.images.perturb`.
        level: its strength, 1 to 5.

    Raises:
        DataError: an unknown name or level.
    """

    source: Source
    name: str
    level: int

    def __post_init__(self) -> None:
        require(self.name, self.level)

    @property
    def samples(self) -> Sequence[Sample]:
        """The source's rows, with the perturbation in `Sample.extra`."""
        return tuple(replace(s, extra=f"{s.extra} {self.name} {self.level}".strip()) for s in self.source.samples)

    def load(self, sample: Sample) -> Picture:
        """Return the perturbed picture of one row, without the digest of its file. Raises InputError's kinds."""
        picture = self.source.load(sample)
        return replace(picture, pixels=perturb(picture.pixels, self.name, self.level), digest="")
