"""(a) Thousands of heads at once over a loop of the usual SAM optimiser around torch.nn, one head at a time."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import numpy as np
import torch
from pytorch_optimizer import SAM
from torch import Tensor, nn

from corit.heads.fit import BUDGET, fit
from corit.heads.head import HeadRecipe
from corit.heads.problem import Problem
from corit.heads.rows import Standardiser, TensorRows
from corit.seeding import generator

WIDTH, ROWS, VALID, HIDDEN = 1024, 5_000, 500, 32
PROBLEMS, SEEDS, RADII = 10, 10, 20  # 2,000 heads
LINEAR = HeadRecipe(select="last", learning_rate=0.1)
PERCEPTRON = HeadRecipe(kind="mlp", hidden=HIDDEN, select="last", learning_rate=0.1)


def problems(number: int, rows: int = ROWS, width: int = WIDTH) -> list[Problem]:
    """Return problems of noise with slightly shifted fakes, of mean squared norm 1 like standardised features."""
    tasks = []
    for i in range(number):
        rng = generator("heads", i)
        x = rng.standard_normal((rows + VALID, width), dtype=np.float32)
        y = np.arange(rows + VALID) % 2
        x += 2 * y[:, None].astype(np.float32) * rng.normal(size=width).astype(np.float32) / width**0.5
        z = torch.from_numpy(x / np.float32(width**0.5))
        same = Standardiser(torch.zeros(width), torch.ones(width))
        tasks.append(Problem(TensorRows(z[:rows]), y[:rows], TensorRows(z[rows:]), y[rows:], same))
    return tasks


def radii(number: int = RADII) -> list[float]:
    """Return a grid of radii."""
    return np.geomspace(0.01, 10, number).tolist()


def heads_speedup(repeats: int = 5, *, steps: int = 250, scale: int = 1) -> dict[str, float]:
    """Measure `heads_linear_speedup`, `heads_mlp_speedup`: head-steps per second over the loop's, medians in one run.

    Also the rates themselves, the share of the floor (bare products and passes over memory) that linear heads reach,
    and the share of the machine's rate of matrix products that perceptron heads reach. `scale` divides the heads.
    """
    number = max(1, PROBLEMS // scale)
    data = problems(number)
    linear = _turns(data, LINEAR, (number, SEEDS, RADII), steps, repeats)
    mlp = _turns(data[:1], PERCEPTRON, (1, max(1, SEEDS // scale), RADII), max(2, steps // 2), repeats)
    numbers = {f"heads_linear_{k}": v for k, v in linear.items()} | {f"heads_mlp_{k}": v for k, v in mlp.items()}
    return {k: v for k, v in numbers.items() if k not in ("heads_linear_gemm_share", "heads_mlp_floor_share")}


def _turns(
    data: list[Problem], recipe: HeadRecipe, grid: tuple[int, int, int], steps: int, repeats: int
) -> dict[str, float]:
    """Time ours, the loop, the floor and a large product in turns, so that other load affects all alike."""
    heads, turns = int(np.prod(grid)), []
    ours = lambda: fit(data, recipe, rhos=radii(grid[2]), seeds=range(grid[1]), steps=steps)
    ours()  # the first call allocates
    for _ in range(repeats):
        rate = heads * steps / seconds(ours)
        loop = steps / seconds(lambda: _loop(data[0], recipe, steps))
        least = floor(recipe, grid, steps)
        gflops = gemm_rate()
        turns.append(
            (rate / loop, rate, loop, least * rate / (heads * steps), flops(recipe, grid[2]) * rate / gflops / 1e9)
        )
    values = [median(column) for column in zip(*turns, strict=True)]
    return dict(zip(("speedup", "per_second", "loop_per_second", "floor_share", "gemm_share"), values, strict=True))


def _loop(p: Problem, recipe: HeadRecipe, steps: int) -> nn.Module:
    """One head, trained as the optimiser's documentation says: two backward passes a step; on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # products this small are faster so
    module = nn.Linear(WIDTH, 1) if recipe.kind == "linear" else _perceptron()
    options = {"lr": recipe.learning_rate, "momentum": recipe.momentum}
    optimiser = SAM(module.parameters(), base_optimizer=torch.optim.SGD, rho=0.05, **options)
    x, y = p.train.gather(np.arange(len(p.train))), torch.from_numpy(p.labels).float()
    order = torch.randperm(len(y))
    for step in range(steps):
        index = order.roll(-step * recipe.batch)[: recipe.batch]
        rows, labels = x[index], y[index]
        for move in (optimiser.first_step, optimiser.second_step):
            nn.functional.binary_cross_entropy_with_logits(module(rows)[:, 0], labels).backward()
            move(zero_grad=True)
    torch.set_num_threads(threads)
    return module


def _perceptron() -> nn.Module:
    return nn.Sequential(nn.Linear(WIDTH, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1))


def floor(recipe: HeadRecipe, grid: tuple[int, int, int], steps: int) -> float:
    """Seconds of what cannot be saved: z = x W', the Gram matrix, dz' x onto the momentum, and w - lr v; rows gathered.

    In the groups and on the threads that `fit` uses, and nothing else: no loss, no ascent, no Python but this loop.
    """
    threads, lanes = torch.get_num_threads(), grid[0] * grid[1]
    size = max(1, BUDGET // (grid[2] * recipe.units * WIDTH * 4) // grid[1] * grid[1] or 1)
    groups = [min(size, lanes - start) for start in range(0, lanes, size)]
    table = torch.randn(ROWS, WIDTH)
    with ThreadPoolExecutor(threads, initializer=lambda: torch.set_num_threads(1)) as pool:
        spent = seconds(
            lambda: list(pool.map(lambda g: _bare(table, g, grid[2] * recipe.units, recipe.batch, steps), groups))
        )
    torch.set_num_threads(threads)
    return spent


def _bare(table: Tensor, lanes: int, heads: int, batch: int, steps: int) -> None:
    weight, moved = torch.randn(lanes, heads, WIDTH), torch.zeros(lanes, heads, WIDTH)
    dz = torch.randn(lanes, batch, heads) / 1000
    index = torch.randint(0, ROWS, (steps, lanes * batch), generator=torch.Generator().manual_seed(0))
    for i in index:
        x = table.index_select(0, i).view(lanes, batch, WIDTH)
        torch.bmm(x, weight.mT)
        torch.bmm(x, x.mT)
        moved.baddbmm_(dz.mT, x, beta=0.9)
        weight.sub_(moved, alpha=0.1)


def flops(recipe: HeadRecipe, number: int) -> float:
    """Operations of a head's step: two products with the rows, and its share of their Gram matrix and of its use."""
    gram = 2 * recipe.batch**2 * WIDTH / number
    return 4 * recipe.batch * WIDTH * recipe.units + gram + 2 * recipe.batch**2 * recipe.units


def gemm_rate(side: int = 1024, times: int = 10) -> float:
    """10^9 operations a second of float32 matrix products on all threads."""
    a, b = torch.randn(side, side), torch.randn(side, side)
    return 2 * side**3 * times / seconds(lambda: [a @ b for _ in range(times)]) / 1e9


def seconds(call: Callable[[], object]) -> float:
    """Wall-clock seconds of a call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


if __name__ == "__main__":
    print("\n".join(f"{k} {v:.3f}" for k, v in heads_speedup(int(sys.argv[1]) if len(sys.argv) > 1 else 5).items()))
