"""A source whose test pictures come damaged in every way of Figure 8: one list, so that one pass measures them all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from corit.data.perturbed import PerturbedSource
from corit.data.sample import Sample, Source
from corit.errors import DataError
from corit.images.picture import Picture

KINDS = {"blur": "Gaussian blur", "blocks": "block-wise distortion", "contrast": "contrast", "jpeg": "JPEG compression"}
LEVELS = (1, 2, 3, 4, 5)
MARK = "~"


def named(kind: str, level: int) -> str:
    """The data set that rows of a damage belong to."""
    return f"{kind} {level}"


@dataclass(frozen=True)
class Damaged:
    """The first frame of each of a source's test videos, under each kind and level of damage.

    A sample's id is the original's with the damage behind MARK, its dataset the damage (see `named`).
    """

    source: Source

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """Every damage of every first frame; a row without a video stands for itself."""
        first: dict[str, Sample] = {}
        for s in self.source.samples:
            name = s.video or s.id
            if s.split == "test" and (name not in first or s.frame < first[name].frame):
                first[name] = s
        damages = [named(k, l) for k in KINDS for l in LEVELS]
        return tuple(
            replace(s, id=f"{s.id}{MARK}{d}", dataset=d, extra=f"{s.extra} {d}".strip())
            for d in damages
            for s in first.values()
        )

    def load(self, sample: Sample) -> Picture:
        """The damaged picture. Raises InputError, or DataError for a sample that is not of this source."""
        before, mark, damage = sample.id.rpartition(MARK)
        kind, _, level = damage.rpartition(" ")
        if not mark or kind not in KINDS or not level.isdigit():
            raise DataError(f"expected a sample of a damaged source, ID{MARK}KIND LEVEL, got {sample.id!r}")
        return PerturbedSource(self.source, kind, int(level)).load(replace(sample, id=before))


def original(key: str) -> str:
    """The id of the undamaged row, from that of a damaged one."""
    return key.rpartition(MARK)[0]
