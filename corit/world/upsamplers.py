"""Nineteen makers of whole pictures, for want of generators: what upsampling leaves, all over a picture of the world.

A fake is a real picture of another person, smoothed as a decoder smooths and crossed by the waves that its upsampling
layers leave, before the same JPEG. The makers carry the names of the 19 subsets of UniversalFakeDetect so that tables
have their columns; they imitate none of them. The first is trained on; the others share one of its periods, or none,
or are only smooth.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import get_args

import cv2
import numpy as np

from corit.data.sample import Sample, Split
from corit.errors import DataError
from corit.images.picture import Picture
from corit.seeding import generator
from corit.world.camera import jpeg
from corit.world.forgeries import Trace, pattern
from corit.world.miniature import Miniature, MiniatureSpec, SplitName


@dataclass(frozen=True)
class Upsampler:
    """A maker of pictures: how far it smooths, in pixels, and the trace that it leaves (none at amplitude 0)."""

    smooth: float
    periods: tuple[float, ...] = (8.0, 4.0)
    amplitude: float = 10.0


BOTH, FOUR, OWN = (8.0, 4.0), (4.0, 8 / 3), (16 / 3, 8 / 3)
UPSAMPLERS: dict[str, Upsampler] = {
    "ProGAN": Upsampler(0.4, BOTH, 10),
    "CycleGAN": Upsampler(0.4, BOTH, 8),
    "BigGAN": Upsampler(0.5, BOTH, 6),
    "StyleGAN": Upsampler(0.3, BOTH, 4),
    "GauGAN": Upsampler(0.5, FOUR, 10),
    "StarGAN": Upsampler(0.4, FOUR, 8),
    "Deepfakes": Upsampler(0.6, FOUR, 4),
    "SITD": Upsampler(0.0, OWN, 6),
    "SAN": Upsampler(0.7, OWN, 0),
    "CRN": Upsampler(0.6, BOTH, 8),
    "IMLE": Upsampler(0.6, BOTH, 7),
    "Guided": Upsampler(0.5, OWN, 8),
    "LDM_200": Upsampler(0.4, BOTH, 5),
    "LDM_200_cfg": Upsampler(0.4, FOUR, 6),
    "LDM_100": Upsampler(0.4, FOUR, 5),
    "Glide_100_27": Upsampler(0.5, OWN, 5),
    "Glide_50_27": Upsampler(0.5, OWN, 4),
    "Glide_100_10": Upsampler(0.6, OWN, 3),
    "DALLE": Upsampler(0.3, BOTH, 3),
}


@dataclass(frozen=True)
class Upsampled:
    """A Source: reals of a world as whole pictures without landmarks, and what each maker makes of other people.

    train, val: pictures of each label of the first maker; each: test pictures of each label of every maker. A sample's
    dataset is its maker, of a real too: no two makers share reals, and no person crosses a split.
    """

    seed: int = 0
    train: int = 120
    val: int = 40
    each: int = 20

    def __post_init__(self) -> None:
        if min(self.train, self.val, self.each) < 1:
            raise DataError(
                f"expected at least one picture of each label, got {self.train}, {self.val} and {self.each}"
            )

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """Reals and fakes of the training maker, then of every maker."""
        first = next(iter(UPSAMPLERS))
        parts: list[tuple[Split, str, int]] = [("train", first, self.train), ("val", first, self.val)]
        parts += [("test", name, self.each) for name in UPSAMPLERS]
        return tuple(self._sample(*part[:2], y, i) for part in parts for y in (0, 1) for i in range(part[2]))

    def _sample(self, split: Split, maker: str, label: int, i: int) -> Sample:
        name = f"upsampled/{self.seed}/{split}/{maker}/{'fake' if label else 'real'}/{i:04d}"
        made_by = repr((MiniatureSpec(self.seed), UPSAMPLERS[maker]))
        return Sample(name, name, label, split, maker if label else "", maker, name, extra=made_by)

    def load(self, sample: Sample) -> Picture:
        """Draw the picture of a sample. Raises DataError when it is not of this source."""
        parts = sample.id.split("/")
        if parts[:2] != ["upsampled", str(self.seed)] or parts[2] not in get_args(SplitName):
            raise DataError(f"expected a sample of the upsamplers with seed {self.seed}, got {sample.id!r}")
        pixels, quality = self._world.photograph(sample.id)
        if sample.label:
            pixels = made(UPSAMPLERS[sample.dataset], pixels, generator(sample.id))
        return Picture(jpeg(pixels, quality))

    @cached_property
    def _world(self) -> Miniature:
        return Miniature(MiniatureSpec(self.seed))


def made(by: Upsampler, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The sensor's pixels (S, S, 3) uint8 as the maker would give them."""
    content: np.ndarray = pixels.astype(np.float32)
    if by.smooth:
        content = cv2.GaussianBlur(content, (0, 0), by.smooth)
    if by.amplitude:
        trace = Trace(by.periods, (0.9 * by.amplitude, 1.1 * by.amplitude))
        content = content + pattern(trace, len(pixels), rng)[..., None]
    return np.clip(np.round(content), 0, 255).astype(np.uint8)
