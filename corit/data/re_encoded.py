"""Pictures once more as platforms and programs pass them on: shrunk, compressed again, or both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import ceil

from corit.data.sample import Sample, Source
from corit.images.perturb import encoded, shrunk
from corit.images.picture import Picture
from corit.seeding import generator

MARK = "~re-encoded"  # in the id of a changed picture, and of what is made of it
SCALES = (0.5, 0.75)
SMALLEST = 160  # px of the shorter side, below which nothing is shrunk
QUALITIES = (60, 96)  # from the first to below the second


@dataclass(frozen=True)
class Change:
    """How a picture is passed on.

    Attributes:
        scale: of its sides, at most 1.
        codec: "JPEG" or "WEBP"; "" for pixels as they are, as in a PNG file.
        quality: of the codec, 1 to 100.
    """

    scale: float = 1.0
    codec: str = ""
    quality: int = 0

    def __str__(self) -> str:
        size = f"scale {self.scale:g}, at least {SMALLEST} px"
        return f"{size}, {self.codec} {self.quality}" if self.codec else size

    def __call__(self, picture: Picture) -> Picture:
        """Change the pixels of a picture, and its landmarks with them."""
        height, width = picture.pixels.shape[:2]
        scale = min(1.0, max(self.scale, SMALLEST / min(height, width)))
        pixels = shrunk(picture.pixels, scale) if scale < 1 else picture.pixels
        if self.codec:
            pixels = encoded(pixels, self.codec, self.quality)
        points = picture.landmarks
        return replace(picture, pixels=pixels, landmarks=None if points is None else points * points.dtype.type(scale))


def change_of(group: str, version: int) -> Change:
    """Draw the change of a group's pictures: a real picture and the fake of it are changed alike.

    Half of the versions are shrunk and not compressed, a quarter is compressed, a quarter is both.

    Args:
        group: the pictures' group.
        version: a number from 0.
    """
    rng = generator("re-encoded", group, version)
    kind, scale = rng.integers(4), float(rng.choice(SCALES))
    codec, quality = str(rng.choice(("JPEG", "JPEG", "WEBP"))), int(rng.integers(*QUALITIES))
    if kind < 2:
        return Change(scale)
    return Change(scale if kind == 2 else 1.0, codec, quality)


def is_re_encoded(sample_id: str) -> bool:
    """Tell whether a row is a changed picture, or made of one."""
    return MARK in sample_id


@dataclass(frozen=True)
class ReEncodedSource:
    """The rows of a source, and behind them changed versions of some, in the same group and split.

    Attributes:
        source: the source.
        versions: by data set, how many changed versions a picture gets on average; 0.25 changes one group in four.
    """

    source: Source
    versions: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def samples(self) -> Sequence[Sample]:
        """The source's rows, then the changed ones in the same order."""
        rows = tuple(self.source.samples)
        return rows + tuple(self._changed(s, n) for s in rows for n in self._numbers(s))

    def load(self, sample: Sample) -> Picture:
        """Return the picture of one row. Raises InputError."""
        name, mark, version = sample.id.partition(MARK)
        if not mark:
            return self.source.load(sample)
        return change_of(sample.group, int(version))(self.source.load(self._originals[name]))

    @cached_property
    def _originals(self) -> dict[str, Sample]:
        return {s.id: s for s in self.source.samples}

    def _numbers(self, sample: Sample) -> list[int]:
        """The versions that a row gets; all rows of a group get the same."""
        mean = self.versions.get(sample.dataset, 0.0)
        draws = generator("re-encoded versions", sample.group).random(ceil(mean))
        return [n for n, draw in enumerate(draws) if draw < mean - n]

    def _changed(self, sample: Sample, number: int) -> Sample:
        extra = f"{sample.extra}; {change_of(sample.group, number)}".removeprefix("; ")
        return replace(sample, id=f"{sample.id}{MARK}{number}", extra=extra)
