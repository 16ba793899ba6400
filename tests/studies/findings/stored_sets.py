"""Tiny feature stores of a made-up ViT: pairs whose fakes differ by a direction, a second set, self-blends."""

from __future__ import annotations

import csv

import numpy as np

from corit.data.sample import Sample
from corit.features.shards import StoreHeader, measured_row
from corit.features.writer import StoreWriter
from corit.recipe import Recipe

DEPTH, TOKENS, WIDTH = 4, 3, 6
CHANGES = {
    "tokens": {"model.inject": False, "model.rrm": False, "views.random_regions": 1},
    "corit": {},
    "pool": {"model.inject": False},
    "no-mask": {"model.rrm": False},
}


def samples(name, groups, *, paired=True, blends=0):
    """Reals r00.. and fakes f00.. of some groups; the first `blends` reals once more, self-blended."""
    rows = []
    for i in range(groups):
        shared = f"{name}/{i:02d}"
        rows.append(Sample(f"{name}/real/r{i:02d}.jpg", "", 0, "train", "", group=shared))
        group = shared if paired else f"{name}/fake/{i:02d}"
        rows.append(Sample(f"{name}/fake/f{i:02d}.jpg", "", 1, "train", name, group=group))
        if i < blends:
            rows.append(Sample(f"{name}/real/r{i:02d}.jpg~sbi0", "", 1, "train", "self-blended", group=shared))
    return rows


def levels(sample, shift):
    """(L+1, T, D): a common mean that grows with depth, a picture's own noise, and what its label adds."""
    rng = np.random.default_rng(sum(map(ord, sample.id.replace("fake/f", "real/r"))))
    noise = rng.normal(size=(DEPTH + 1, TOKENS, WIDTH))
    noise[..., 0] += 3 * np.arange(1, DEPTH + 2)[:, None]
    noise[..., 1] += 1.5 * (sample.label or 0) + shift
    return noise


def store(folder, rows, variant, shift=0.0):
    recipe = Recipe().replace(**CHANGES[variant])
    header = StoreHeader.of(recipe, TOKENS * WIDTH, (DEPTH + 1, TOKENS, WIDTH))
    with StoreWriter(folder, header) as writer:
        for s in rows:
            table = levels(s, shift)
            writer.append([measured_row(s, 0, (0.0, 0.0, 1.0, 1.0), table[-1].ravel(), table)])
    return folder


def pairs(path, names, alike):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["fake", "correlation_112"])
        writer.writerows(zip(names, alike, strict=True))
    return path
