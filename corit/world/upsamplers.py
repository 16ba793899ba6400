"""Nineteen drawn generators: the trace of upsampling, all over a picture of the miniature world.

A fake is a real picture of another person, smoothed as by a decoder and crossed by the waves of upsampling layers,
before the same JPEG. The generators carry the names of the 19 subsets of UniversalFakeDetect so that tables have their
columns; they imitate none of them. The first is trained on; the others share one of its periods, or none, or only
smooth.
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
    """A drawn generator.

    Attributes:
        smooth: standard deviation of its blur in pixels.
        periods: of its trace in pixels.
        amplitude: of its trace in grey levels; 0 for no trace.
    """

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
    """A source of the world's reals as whole pictures without landmarks, and each generator's pictures of other people.

    A sample's dataset is its generator, also of a real: no two generators share reals, and no person crosses a split.

    Attributes:
        seed: of the world.
        train: training pictures of each label, of the first generator.
        val: validation pictures of each label, of the first generator.
        each: test pictures of each label of every generator.
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
        """Reals and fakes of the first generator, then of every generator."""
        first = next(iter(UPSAMPLERS))
        parts: list[tuple[Split, str, int]] = [("train", first, self.train), ("val", first, self.val)]
        parts += [("test", name, self.each) for name in UPSAMPLERS]
        return tuple(self._sample(*part[:2], y, i) for part in parts for y in (0, 1) for i in range(part[2]))

    def _sample(self, split: Split, maker: str, label: int, i: int) -> Sample:
        name = f"upsampled/{self.seed}/{split}/{maker}/{'fake' if label else 'real'}/{i:04d}"
        extra = repr((MiniatureSpec(self.seed), UPSAMPLERS[maker]))
        return Sample(name, name, label, split, maker if label else "", maker, name, extra=extra)

    def load(self, sample: Sample) -> Picture:
        """Draw the picture of a sample. Raises DataError for a sample of another source."""
        parts = sample.id.split("/")
        if parts[:2] != ["upsampled", str(self.seed)] or parts[2] not in get_args(SplitName):
            raise DataError(f"expected a sample of the upsamplers with seed {self.seed}, got {sample.id!r}")
        pixels, quality = self._world.photograph(sample.id)
        if sample.label:
            pixels = upsample(UPSAMPLERS[sample.dataset], pixels, generator(sample.id))
        return Picture(jpeg(pixels, quality))

    @cached_property
    def _world(self) -> Miniature:
        return Miniature(MiniatureSpec(self.seed))


def upsample(maker: Upsampler, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the sensor's pixels (S, S, 3) uint8 as the generator `maker` gives them."""
    content: np.ndarray = pixels.astype(np.float32)
    if maker.smooth:
        content = cv2.GaussianBlur(content, (0, 0), maker.smooth)
    if maker.amplitude:
        trace = Trace(maker.periods, (0.9 * maker.amplitude, 1.1 * maker.amplitude))
        content = content + pattern(trace, len(pixels), rng)[..., None]
    return np.clip(np.round(content), 0, 255).astype(np.uint8)
