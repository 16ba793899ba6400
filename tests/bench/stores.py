"""Small feature stores with rows that a test makes up."""

from __future__ import annotations

import numpy as np

from corit.data.sample import Sample
from corit.features.shards import FeatureRow, StoreHeader, measured_row
from corit.features.store import FeatureStore
from corit.features.writer import StoreWriter
from corit.recipe import BackboneRecipe, Recipe
from corit.seeding import generator

WIDTH = 6
RECIPE = Recipe(BackboneRecipe("miniature"))


def sample(name, label, split="test", kind="", video="", frame=0, group="", dataset="made"):
    kind = kind or ("DF" if label else "")
    return Sample(name, f"/{name}.png", label, split, kind, dataset, group, video, frame)


def store(folder, rows, *, levels=None, status=None, recipe=RECIPE):
    """rows: (sample, face, z). status: id -> why it has no feature."""
    header = StoreHeader.of(recipe, len(rows[0][2]), levels)
    made = []
    for s, face, z in rows:
        why = (status or {}).get(s.id)
        row = measured_row(s, face, None, np.asarray(z, np.float32), _levels(z, levels)) if why is None else None
        made.append(row or FeatureRow(s, face, status=why, reason="made up"))
    with StoreWriter(folder, header) as writer:
        writer.append(made)
    return FeatureStore.open(folder)


def _levels(z, shape):
    return None if shape is None else np.stack([np.full(shape[1:], float(z[0]) + 10 * l) for l in range(shape[0])])


def people(splits=("train", "val", "test"), kinds=("DF", "NT"), count=12, frames=2, data="made", gap=2.5):
    """Rows of real and fake videos: column 0 tells every fake, column 1 tells NT alone."""
    out = []
    for split in splits:
        for person in range(count):
            for kind in ("", *kinds):
                rng = generator("people", data, split, person, kind)
                own = rng.normal(size=WIDTH)
                for k in range(frames):
                    z = own + 0.1 * rng.normal(size=WIDTH)
                    z[0] += gap * bool(kind)
                    z[1] += gap * (kind == "NT")
                    video = f"{data}/{split}/{kind or 'real'}/{person:02d}"
                    name, group = f"{video}/{k}", f"{data} {split} {person}"
                    out.append((sample(name, int(bool(kind)), split, kind, video, k, group, data), 0, z))
    return out
