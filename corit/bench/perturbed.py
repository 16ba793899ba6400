"""A source of test pictures under every perturbation: one list, so that one pass measures them all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from corit.data.perturbed import PerturbedSource
from corit.data.sample import Sample, Source
from corit.errors import DataError
from corit.images.picture import Picture

KINDS = {"blur": "Gaussian blur", "blocks": "block-wise distortion", "contrast": "contrast", "jpeg": "JPEG compression"}
LEVELS = (1, 2, 3, 4, 5)
MARK = "~"  # between the id of a picture and its perturbation


def perturbation_name(kind: str, level: int) -> str:
    """Return the name of a perturbation, which is the data set of its rows."""
    return f"{kind} {level}"


@dataclass(frozen=True)
class PerturbedFirstFrames:
    """The first frame of each test video of a source, under each kind and level of perturbation.

    The id of a sample is that of the original, then MARK and the name of the perturbation; its `dataset` is that name.

    Attributes:
        source: the source of the originals.
    """

    source: Source

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """Every perturbation of every first frame; a picture without a video counts as a video."""
        first: dict[str, Sample] = {}
        for s in self.source.samples:
            name = s.video or s.id
            if s.split == "test" and (name not in first or s.frame < first[name].frame):
                first[name] = s
        names = [perturbation_name(k, l) for k in KINDS for l in LEVELS]
        return tuple(
            replace(s, id=f"{s.id}{MARK}{name}", dataset=name, extra=f"{s.extra} {name}".strip())
            for name in names
            for s in first.values()
        )

    def load(self, sample: Sample) -> Picture:
        """Load a picture and perturb it.

        Raises:
            InputError: when the picture cannot be read.
            DataError: for a sample that is not of this source.
        """
        before, mark, perturbation = sample.id.rpartition(MARK)
        kind, _, level = perturbation.rpartition(" ")
        if not mark or kind not in KINDS or not level.isdigit():
            raise DataError(f"expected a sample of a perturbed source, ID{MARK}KIND LEVEL, got {sample.id!r}")
        return PerturbedSource(self.source, kind, int(level)).load(replace(sample, id=before))


def original_id(key: str) -> str:
    """Return the id of the original, from that of a perturbed picture."""
    return key.rpartition(MARK)[0]
