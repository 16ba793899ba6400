"""The miniature world as a data set: identities that never cross splits, reals and their four forgeries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np

from corit.data.dataset import DataSet
from corit.data.origin import Origin
from corit.data.sample import Sample
from corit.errors import DataError
from corit.images.picture import DRAWN, Picture
from corit.seeding import generator
from corit.world.camera import Shot, jpeg, shoot, shot
from corit.world.faces import Face, Look, identity, look, render
from corit.world.forgeries import KINDS, Kind, Sharing, Target, forge

SplitName = Literal["train", "val", "test"]
SPLITS: tuple[SplitName, ...] = get_args(SplitName)


@dataclass(frozen=True)
class MiniatureSpec:
    """A world's seed and size: identities in each split, pictures of each identity, side in pixels.

    traces: whether the reenactments' fingerprints share a period ("overlapping") or not ("disjoint").
    """

    seed: int = 0
    train: int = 120
    val: int = 40
    test: int = 80
    pictures: int = 5
    side: int = 64
    kinds: tuple[Kind, ...] = KINDS
    traces: Sharing = "overlapping"

    def __post_init__(self) -> None:
        if min(self.train, self.val, self.test) < 2 or self.pictures < 1:
            raise DataError(
                "expected at least two identities in every split (a swap needs a donor) and one picture each, got "
                f"train {self.train}, val {self.val}, test {self.test}, pictures {self.pictures}"
            )
        unknown = sorted(set(self.kinds) - set(KINDS))
        if unknown:
            raise DataError(f"no such forgery: {', '.join(unknown)}; the world has {', '.join(KINDS)}")


def world_of(people: int = 120, pictures: int = 5, seed: int = 0, kinds: tuple[Kind, ...] = KINDS) -> MiniatureSpec:
    """A world by its training identities: validation has a third as many, test two thirds."""
    val, test = max(2, people // 3), max(2, people * 2 // 3)
    return MiniatureSpec(seed, people, val, test, pictures, kinds=kinds)


class Miniature:
    """A Source: every picture is drawn when it is asked for, the same in any process and order.

    A fake and its real share the person, the look, the exposure and the last JPEG. Landmarks and mask are those of the
    real picture, which is what a landmark detector would find on either.
    """

    def __init__(self, spec: MiniatureSpec | None = None, splits: Sequence[SplitName] = SPLITS) -> None:
        self.spec = spec or MiniatureSpec()
        self.splits = tuple(splits)

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """Reals first, then each forgery, split by split."""
        return tuple(
            self._sample(split, kind, person, k)
            for split in self.splits
            for kind in ("", *self.spec.kinds)
            for person in range(getattr(self.spec, split))
            for k in range(self.spec.pictures)
        )

    def _sample(self, split: SplitName, kind: str, person: int, k: int) -> Sample:
        group = f"{split}-{person:04d}"
        name = f"miniature/{self.spec.seed}/{split}/{kind or 'real'}/{person:04d}-{k:02d}"
        video = f"{group}-{kind or 'real'}"
        return Sample(name, name, int(bool(kind)), split, kind, "miniature", group, video, k, self._extra(split, kind))

    def _extra(self, split: SplitName, kind: str) -> str:
        """What a picture depends on beside its name; a fake on the number of people, of whom one is the donor."""
        drawn = f"side {self.spec.side}"
        return f"{drawn}, one of {getattr(self.spec, split)} people, {self.spec.traces} traces" if kind else drawn

    def load(self, sample: Sample) -> Picture:
        """Draw the picture of a sample. Raises DataError when the sample is not of this world."""
        split, person, k = self._parse(sample)
        target, exposure = self._target(split, person, k)
        pixels = target.pixels
        if sample.manipulation:
            rng = generator(sample.id)
            donor = self._face(split, self._donor(split, person, int(rng.integers(2**31))))
            pixels, _ = forge(sample.manipulation, target, donor, rng, self.spec.traces)  # type: ignore[arg-type]
        rendered = target.rendered
        return Picture(jpeg(pixels, exposure.quality), rendered.landmarks, rendered.mask, True, domain=DRAWN)

    def portrait(self, person: int, k: int) -> tuple[Face, Look, Picture]:
        """A real picture of somebody outside every split, with what it shows: for pretraining."""
        face = identity(generator("miniature", self.spec.seed, "pretrain", person))
        target, exposure = self._shoot(face, f"pretrain/{person}/{k}")
        return (
            face,
            target.look,
            Picture(jpeg(target.pixels, exposure.quality), target.rendered.landmarks, domain=DRAWN),
        )

    def photograph(self, name: str) -> tuple[np.ndarray, int]:
        """A real picture of somebody of this name, of no split: the sensor's pixels, and the quality of its JPEG."""
        target, exposure = self._shoot(identity(generator("miniature", self.spec.seed, "stranger", name)), name)
        return target.pixels, exposure.quality

    def _parse(self, sample: Sample) -> tuple[SplitName, int, int]:
        parts = sample.id.split("/")
        known = len(parts) == 5 and parts[:2] == ["miniature", str(self.spec.seed)] and parts[2] in SPLITS
        if not known:
            raise DataError(f"expected a sample of the miniature with seed {self.spec.seed}, got {sample.id!r}")
        person, k = parts[4].split("-")
        return parts[2], int(person), int(k)  # type: ignore[return-value]

    def _face(self, split: str, person: int) -> Face:
        return identity(generator("miniature", self.spec.seed, split, person))

    def _donor(self, split: SplitName, person: int, draw: int) -> int:
        """Another identity of the same split."""
        return (person + 1 + draw % (getattr(self.spec, split) - 1)) % getattr(self.spec, split)

    def _target(self, split: SplitName, person: int, k: int) -> tuple[Target, Shot]:
        return self._shoot(self._face(split, person), f"{split}/{person}/{k}")

    def _shoot(self, face: Face, name: str) -> tuple[Target, Shot]:
        rng = generator("miniature", self.spec.seed, "picture", name)
        seen, exposure = look(rng), shot(rng)
        rendered = render(face, seen, self.spec.side)
        return Target(shoot(rendered.pixels, exposure), face, seen, rendered), exposure


def _drawn_world(people: int = 120, pictures: int = 5, seed: int = 0, kinds: tuple[Kind, ...] = KINDS) -> Miniature:
    return Miniature(world_of(people, pictures, seed, kinds))


DATASET = DataSet(
    "miniature",
    _drawn_world,
    Origin("the miniature world", "nothing: its pictures are drawn"),
    {"seed": "number", "people": "number", "pictures": "number", "kinds": "words"},
    required=(),
)
