"""(c) A SAM fit of one linear head on 100,000 stored features of width 8,192: seconds and peak memory."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import fresh_process
from corit.data.sample import Sample, Split
from corit.features.shards import FeatureRow, StoreHeader
from corit.features.writer import StoreWriter
from corit.recipe import Recipe
from corit.seeding import generator

ROWS, WIDTH, EPOCHS, VALID = 100_000, 8192, 10, 2_000
CHUNK = 1000


def fit_cost(rows: int = ROWS, width: int = WIDTH, epochs: int = EPOCHS) -> dict[str, float]:
    """Measure `fit_seconds`, from opening the store to the trained head, and `fit_peak_gb` of its process."""
    with tempfile.TemporaryDirectory(prefix="corit-fit-") as folder:
        write(Path(folder), rows, width)
        return fresh_process.run("benchmarks.fit", folder, epochs)


def write(folder: Path, rows: int, width: int) -> None:
    """Write a store of `rows` training rows and VALID validation rows; half of them are slightly shifted fakes."""
    direction = generator("fit", "direction").normal(size=width).astype(np.float32) / width**0.5
    with StoreWriter(folder, StoreHeader.of(Recipe(), width)) as store:
        for start in range(0, rows + VALID, CHUNK):
            n = min(CHUNK, rows + VALID - start)
            z = generator("fit", start).standard_normal((n, width), dtype=np.float32)
            z += 2 * (np.arange(start, start + n) % 2)[:, None].astype(np.float32) * direction
            half = z.astype(np.float16)
            store.append([FeatureRow(_sample(start + i, rows), z=half[i]) for i in range(n)])


def _sample(i: int, rows: int) -> Sample:
    split: Split = "train" if i < rows else "val"
    return Sample(f"{i:06d}", f"{i:06d}.png", i % 2, split)


def measure(folder: Path, epochs: int) -> dict[str, float]:
    """Open the store, standardise and train with the default head recipe; return seconds and peak memory."""
    from corit.features.store import FeatureStore
    from corit.heads.fit import fit
    from corit.heads.head import HeadRecipe
    from corit.heads.problem import standardised_problem

    started = time.perf_counter()
    store, recipe = FeatureStore.open(folder), HeadRecipe(epochs=epochs)
    train, valid = store.features(split="train"), store.features(split="val")
    result = fit([standardised_problem(train, train.y, valid, valid.y, recipe)], recipe)
    seconds = time.perf_counter() - started
    best = float(result.trajectory.valid_auc.max())
    return {"fit_seconds": seconds, "fit_peak_gb": fresh_process.peak_gb(), "fit_valid_auc": best}


if __name__ == "__main__":
    fresh_process.print_numbers(measure(Path(sys.argv[1]), int(sys.argv[2])))
