"""(d) Peak memory of extraction with the miniature's backbone: ten times the pictures must not need more."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from benchmarks import fresh_process
from benchmarks.extraction import write
from corit.data.sample import Sample, Source
from corit.images.picture import Picture

FEW, MANY, FILES = 1_000, 10_000, 50


@dataclass(frozen=True)
class Repeated:
    """A source of `count` samples with distinct ids, which repeats the pictures of a smaller source.

    Attributes:
        source: the smaller source.
        count: the number of samples.
    """

    source: Source
    count: int

    @cached_property
    def samples(self) -> Sequence[Sample]:
        """The samples."""
        own = self.source.samples
        return [replace(own[i % len(own)], id=f"{i:06d}", group=f"{i:06d}") for i in range(self.count)]

    def load(self, sample: Sample) -> Picture:
        """Load the picture of a sample."""
        return self.source.load(sample)


def memory_growth(few: int = FEW, many: int = MANY) -> dict[str, float]:
    """Measure `memory_growth`, the peak with `many` pictures over the peak with `few`, and both peaks in GB.

    Each peak is of a fresh process that reads aligned JPEG crops, prepares them, runs the model and writes the store.
    """
    with tempfile.TemporaryDirectory(prefix="corit-memory-") as folder:
        peaks = [fresh_process.run("benchmarks.memory", folder, count)["peak_gb"] for count in (few, many)]
    return {"memory_growth": peaks[1] / peaks[0], "memory_gb_few": peaks[0], "memory_gb_many": peaks[1]}


def measure(folder: Path, count: int) -> dict[str, float]:
    """Extract `count` pictures with the miniature's backbone and its default preparation of faces."""
    from corit.backbones.load import load_backbone
    from corit.features.extract import extract
    from corit.features.targets import StoreTarget
    from corit.model.encode import Encoder
    from corit.recipe import BackboneRecipe, Recipe

    source = Repeated(write(folder / "pictures", "face", FILES), count)
    encoder = Encoder(load_backbone("miniature"), Recipe(BackboneRecipe("miniature")))
    summary = extract(source, [StoreTarget(encoder, folder / f"store-{count}")], batch=32)
    if summary.counts != {"ok": count}:
        raise ValueError(f"expected {count} measured pictures, got {dict(summary.counts)}")
    return {"peak_gb": fresh_process.peak_gb(), "pictures_per_second": summary.rate}


if __name__ == "__main__":
    fresh_process.print_numbers(measure(Path(sys.argv[1]), int(sys.argv[2])))
