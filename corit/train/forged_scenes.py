"""Photographs with fakes that are made of them at full size: what a scene detector is trained on beside self-blends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from corit.data.sample import Sample, Source
from corit.images.picture import Picture
from corit.seeding import seed
from corit.views.forge import SELF_BLEND, SPLICE, UPSAMPLED, Scene, forge, scene_of

# Manipulation type -> kind of forgery. Self-blended fakes of extractions are made at the side of the backbone's input.
TYPES = {"full-size self-blend": SELF_BLEND, "splice": SPLICE, "upsampled patch": UPSAMPLED}


@dataclass(frozen=True)
class ForgedScenes:
    """The rows of a source, and behind them a fake of each real picture, in the same group and split.

    The kind of a fake is one of `TYPES`, by a hash of its group. A splice takes its content from another real picture
    of the same split.

    Attributes:
        source: the source.
    """

    source: Source

    @cached_property
    def samples(self) -> Sequence[Sample]:
        """The source's rows, then the fakes in the order of their real pictures."""
        rows = tuple(self.source.samples)
        return rows + tuple(self._fake(s) for s in rows if s.label == 0)

    def load(self, sample: Sample) -> Picture:
        """Return the picture of one row. Raises InputError."""
        name = sample.id.removesuffix(f"~{sample.manipulation}")
        if not sample.manipulation or name not in self._donors:
            return self.source.load(sample)
        kind, picture = TYPES[sample.manipulation], self.source.load(self._originals[name])
        scene = scene_of(name, picture.pixels)
        donor = self._donor_scene(name) if kind == SPLICE else scene  # other kinds take nothing from it
        return replace(picture, pixels=forge(kind, scene, donor))

    def _donor_scene(self, name: str) -> Scene:
        donor = self._donors[name]
        return scene_of(donor.id, self.source.load(donor).pixels)

    def _fake(self, sample: Sample) -> Sample:
        kind = list(TYPES)[seed("forged scenes", sample.group) % len(TYPES)]
        extra = f"{sample.extra}; donor {self._donors[sample.id].id}".removeprefix("; ")
        return replace(sample, id=f"{sample.id}~{kind}", label=1, manipulation=kind, extra=extra)

    @cached_property
    def _originals(self) -> dict[str, Sample]:
        return {s.id: s for s in self.source.samples if s.label == 0}

    @cached_property
    def _donors(self) -> dict[str, Sample]:
        """The next real picture of the same split, by the id of each."""
        splits: dict[str, list[Sample]] = {}
        for s in self._originals.values():
            splits.setdefault(s.split, []).append(s)
        return {s.id: rows[(i + 1) % len(rows)] for rows in splits.values() for i, s in enumerate(rows)}
