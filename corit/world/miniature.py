"""The miniature world as a data set: people who never cross splits, real pictures and four forgeries of each."""

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
from corit.world.camera import Exposure, draw_exposure, expose, jpeg
from corit.world.faces import Face, Look, draw_face, draw_look, render
from corit.world.forgeries import KINDS, Kind, Sharing, Target, forge

SplitName = Literal["train", "val", "test"]
SPLITS: tuple[SplitName, ...] = get_args(SplitName)


@dataclass(frozen=True)
class MiniatureSpec:
    """A world's seed and size.

    Attributes:
        seed: of everything that is drawn.
        train: people in the training split.
        val: people in the validation split.
        test: people in the test split.
        pictures: real pictures of each person, each with one forgery of each kind.
        side: of a picture in pixels.
        kinds: the manipulation types.
        traces: whether the traces of the reenactments share a period ("overlapping") or not ("disjoint").

    Raises:
        DataError: too few people or pictures, or an unknown manipulation type.
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


def sized_world(people: int = 120, pictures: int = 5, seed: int = 0, kinds: tuple[Kind, ...] = KINDS) -> MiniatureSpec:
    """Return the world of so many training people: validation has a third as many, test two thirds."""
    val, test = max(2, people // 3), max(2, people * 2 // 3)
    return MiniatureSpec(seed, people, val, test, pictures, kinds=kinds)


class Miniature:
    """A source whose pictures are drawn when they are loaded, the same in any process and order.

    A fake and its real share the person, the look, the exposure and the last JPEG. Landmarks and mask are those of the
    real picture, which is what a landmark detector finds on either.

    Attributes:
        spec: the world's seed and size.
        splits: the splits to list.
    """

    def __init__(self, spec: MiniatureSpec | None = None, splits: Sequence[SplitName] = SPLITS) -> None:
        self.spec = spec or MiniatureSpec()
        self.splits = tuple(splits)

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """Reals first, then each manipulation type, split by split."""
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
        """What a picture depends on beside its name: a fake also on the number of people, of whom one is the donor."""
        drawn = f"side {self.spec.side}"
        return f"{drawn}, one of {getattr(self.spec, split)} people, {self.spec.traces} traces" if kind else drawn

    def load(self, sample: Sample) -> Picture:
        """Draw the picture of a sample. Raises DataError for a sample of another world."""
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
        """Draw a real picture of a person outside every split, for pretraining.

        Args:
            person: the person's number.
            k: the picture's number.

        Returns:
            The person, the look and the picture.
        """
        face = draw_face(generator("miniature", self.spec.seed, "pretrain", person))
        target, exposure = self._shoot(face, f"pretrain/{person}/{k}")
        return (
            face,
            target.look,
            Picture(jpeg(target.pixels, exposure.quality), target.rendered.landmarks, domain=DRAWN),
        )

    def photograph(self, name: str) -> tuple[np.ndarray, int]:
        """Draw a real picture of a person of this name, who is in no split.

        Returns:
            The sensor's pixels (S, S, 3) uint8, and the quality of the JPEG to make of them.
        """
        target, exposure = self._shoot(draw_face(generator("miniature", self.spec.seed, "stranger", name)), name)
        return target.pixels, exposure.quality

    def _parse(self, sample: Sample) -> tuple[SplitName, int, int]:
        parts = sample.id.split("/")
        known = len(parts) == 5 and parts[:2] == ["miniature", str(self.spec.seed)] and parts[2] in SPLITS
        if not known:
            raise DataError(f"expected a sample of the miniature with seed {self.spec.seed}, got {sample.id!r}")
        person, k = parts[4].split("-")
        return parts[2], int(person), int(k)  # type: ignore[return-value]

    def _face(self, split: str, person: int) -> Face:
        return draw_face(generator("miniature", self.spec.seed, split, person))

    def _donor(self, split: SplitName, person: int, draw: int) -> int:
        """Another identity of the same split."""
        return (person + 1 + draw % (getattr(self.spec, split) - 1)) % getattr(self.spec, split)

    def _target(self, split: SplitName, person: int, k: int) -> tuple[Target, Exposure]:
        return self._shoot(self._face(split, person), f"{split}/{person}/{k}")

    def _shoot(self, face: Face, name: str) -> tuple[Target, Exposure]:
        rng = generator("miniature", self.spec.seed, "picture", name)
        look, exposure = draw_look(rng), draw_exposure(rng)
        rendered = render(face, look, self.spec.side)
        return Target(expose(rendered.pixels, exposure), face, look, rendered), exposure


def _drawn_world(people: int = 120, pictures: int = 5, seed: int = 0, kinds: tuple[Kind, ...] = KINDS) -> Miniature:
    return Miniature(sized_world(people, pictures, seed, kinds))


DATASET = DataSet(
    "miniature",
    _drawn_world,
    Origin("the miniature world", "nothing: its pictures are drawn"),
    {"seed": "number", "people": "number", "pictures": "number", "kinds": "words"},
    required=(),
)
