"""(a) CoRIT's forward pass over two plain forward passes of the same timm ViT-L/14, measured in one run."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from statistics import median

import torch

from corit.backbones.load import load_backbone
from corit.backbones.stepped import Backbone
from corit.model import corit
from corit.recipe import ModelRecipe
from corit.seeding import generator


def forward_ratio(repeats: int = 5, *, batch: int = 4, threads: int = 2) -> float:
    """Return the median ratio of CoRIT's seconds (image and twin in lockstep) to timm's (one, then the other).

    Both run on random weights in turns, so that other load of the machine affects both alike.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        ours, theirs = passes(load_backbone("clip-vit-l14", "random:0"), batch)
        with torch.inference_mode():
            ours(), theirs()  # the first calls allocate
            return median(_ratio(ours, theirs, swap=bool(i % 2)) for i in range(repeats))
    finally:
        torch.set_num_threads(before)


def passes(backbone: Backbone, batch: int) -> tuple[Callable[[], object], Callable[[], object]]:
    """Return CoRIT's pass over a batch of images with twins, and timm's over the images and then the twins."""
    rng = generator("forward_ratio")
    shape = (batch, backbone.side, backbone.side, 3)
    x, twin = (backbone.normalise(rng.integers(0, 256, shape).astype("uint8")) for _ in range(2))
    patches = backbone.grid[0] * backbone.grid[1]
    parts = torch.arange(patches) * 3 // patches
    regions = (parts == torch.arange(3)[:, None]).expand(batch, -1, -1)
    plain = backbone.model.forward_features

    def ours() -> object:
        return corit.forward(backbone, x, twin, regions, ModelRecipe())

    def theirs() -> object:
        return plain(x), plain(twin)  # type: ignore[operator]

    return ours, theirs


def _ratio(ours: Callable[[], object], theirs: Callable[[], object], swap: bool) -> float:
    if swap:
        below = _seconds(theirs)
        return _seconds(ours) / below
    return _seconds(ours) / _seconds(theirs)


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


if __name__ == "__main__":
    print(f"forward_ratio {forward_ratio(int(sys.argv[1]) if len(sys.argv) > 1 else 5):.3f}")
