"""(b) Training with GSNR and the COR bound observed at every 20th step, over training alone."""

from __future__ import annotations

import sys
from statistics import median

from benchmarks.heads import LINEAR, PERCEPTRON, RADII, SEEDS, problems, radii, seconds
from corit.heads.fit import fit
from corit.heads.head import HeadRecipe
from corit.theory.watch import Watch, every

ROWS, MLP_ROWS, INTERVAL = 256, 128, 20


def observe_ratio(repeats: int = 5, *, steps: int = 240, number: int = 4) -> dict[str, float]:
    """Measure `observe_ratio` of linear heads, the median over turns, and `observe_mlp_ratio` of perceptrons D-32-1.

    Everything in a `Course` is measured, on `observe_rows` and `observe_mlp_rows` training rows of each problem.
    """
    linear = _ratio(number, LINEAR, steps, ROWS, repeats)
    mlp = _ratio(1, PERCEPTRON, steps, MLP_ROWS, repeats)
    numbers = {"observe_ratio": linear, "observe_mlp_ratio": mlp}
    return numbers | {"observe_rows": ROWS, "observe_mlp_rows": MLP_ROWS}


def _ratio(number: int, recipe: HeadRecipe, steps: int, rows: int, repeats: int) -> float:
    data = problems(number)
    seeds = range(SEEDS if recipe.kind == "linear" else 2)

    def train(watch: Watch | None) -> None:
        fit(data, recipe, rhos=radii(), seeds=seeds, steps=steps, observer=watch, observe_at=every(INTERVAL))

    watched = lambda: train(Watch(data, recipe, len(seeds), RADII, rows=rows))
    train(None), watched()  # the first calls allocate
    ratios = []
    for i in range(repeats):
        if i % 2:
            below = seconds(lambda: train(None))
            ratios.append(seconds(watched) / below)
        else:
            ratios.append(seconds(watched) / seconds(lambda: train(None)))
    return median(ratios)


if __name__ == "__main__":
    print("\n".join(f"{k} {v:.3f}" for k, v in observe_ratio(int(sys.argv[1]) if len(sys.argv) > 1 else 5).items()))
