"""(c) A full sweep over a ViT-L/14-shaped store: layers x forgeries x radii x seeds, linear heads, two cores."""

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

LAYERS, FORGERIES, RADII, SEEDS, STEPS, WIDTH = 24, 4, 19, 10, 2_000, 1024
ROWS: dict[Split, int] = {"train": 2_500, "val": 250, "test": 500}  # of each kind: 5,000 train a head


def atlas(
    layers: int = LAYERS, seeds: int = SEEDS, steps: int = STEPS, rows: int = ROWS["train"], width: int = WIDTH
) -> dict[str, float]:
    """Measure `atlas_seconds`, from opening the store to the finished sweep, and `atlas_peak_gb` of its process.

    Each forgery of each layer is trained against the same reals; every head is tested, and radii of collapse are
    refined. Smaller arguments make the sweep smaller.
    """
    with tempfile.TemporaryDirectory(prefix="corit-atlas-") as folder:
        write(Path(folder), layers, rows, width)
        return fresh_process.run("benchmarks.atlas", folder, layers, seeds, steps)


def write(folder: Path, layers: int, rows: int, width: int) -> None:
    """Write a store with all levels: reals, and as many fakes of each forgery, shifted along its own direction."""
    directions = generator("atlas").normal(size=(FORGERIES + 1, width)).astype(np.float32) / width**0.5
    directions[0] = 0
    recipe = Recipe().replace(**{"model.kind": "unifd"})
    with StoreWriter(folder, StoreHeader.of(recipe, width, (layers + 1, 1, width))) as store:
        for split, limit in ROWS.items():
            for kind in range(FORGERIES + 1):
                for start in range(0, min(rows, limit), 250):
                    count = min(250, rows - start, limit - start)
                    store.append(_rows(split, kind, start, count, layers, directions[kind]))


def _rows(split: Split, kind: int, start: int, count: int, layers: int, direction: np.ndarray) -> list[FeatureRow]:
    shape = (count, layers + 1, 1, len(direction))
    strength = np.linspace(0.5, 3, layers + 1, dtype=np.float32)[:, None, None]
    z = generator("atlas", split, kind, start).standard_normal(shape, dtype=np.float32)
    half = (z + strength * direction).astype(np.float16)
    names = [f"{split}-{kind}-{start + i:05d}" for i in range(count)]
    manipulation = f"forgery {kind}" if kind else ""
    samples = [Sample(n, f"{n}.png", int(kind > 0), split, manipulation=manipulation) for n in names]
    return [FeatureRow(s, z=h[-1, 0], levels=h) for s, h in zip(samples, half, strict=True)]


def measure(folder: Path, layers: int, seeds: int, steps: int) -> dict[str, float]:
    """Open the store, standardise each task and sweep; return seconds, peak memory and the best AUC."""
    from corit.features.store import FeatureStore
    from corit.heads.head import HeadRecipe
    from corit.theory.sweep import sweep, task

    started = time.perf_counter()
    store, recipe = FeatureStore.open(folder), HeadRecipe(select="last", learning_rate=0.1)
    rhos = [0.0, *np.geomspace(0.005, 20, RADII - 1).tolist()]
    tasks = []
    for layer in range(1, layers + 1):
        for forgery in range(1, FORGERIES + 1):
            kinds = ("", f"forgery {forgery}")
            parts = [store.features(level=layer, split=s, manipulation=kinds) for s in ROWS]
            train, valid, test = ((part, part.y) for part in parts)
            tasks.append(task(layer, kinds[1], train, valid, test, recipe))
    result = sweep(tasks, recipe, rhos, range(seeds), steps=steps)
    seconds, heads = time.perf_counter() - started, result.auc.size
    best = float(result.auc[-1].max())
    numbers = {
        "atlas_seconds": seconds,
        "atlas_peak_gb": fresh_process.peak_gb(),
        "atlas_heads": heads,
        "atlas_best_auc": best,
    }
    return numbers | {"atlas_head_steps_per_second": heads * steps / seconds}


if __name__ == "__main__":
    if len(sys.argv) == 5:
        fresh_process.print_numbers(measure(Path(sys.argv[1]), *map(int, sys.argv[2:])))
    else:  # python -m benchmarks.atlas [LAYERS SEEDS STEPS]: prints the numbers, writes no results
        print("\n".join(f"{k} {v:.3f}" for k, v in atlas(*map(int, sys.argv[1:4])).items()))
