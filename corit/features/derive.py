"""A feature store of another recipe, read out of a store that keeps every layer's tokens, without a forward pass."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from corit.data.sample import Sample
from corit.data.stamp import Version
from corit.errors import StoreError
from corit.features.shards import FeatureRow, StoreHeader
from corit.features.store import Features, FeatureStore
from corit.features.writer import StoreWriter
from corit.model.corit import last_layer, middle_layer
from corit.recipe import Recipe

FREE = ("layer", "middle", "hri")  # fields of the model that select layers of one forward pass


def derive_store(store: FeatureStore, recipe: Recipe, out: str | Path) -> FeatureStore:
    """Write the store that an extraction with another recipe would write, where only its layers differ.

    Args:
        store: keeps levels, and runs every layer that the recipe reads.
        recipe: differs from the store's in nothing but the layers that it reads.
        out: folder of the new store, which keeps no levels.

    Returns:
        The new store.

    Raises:
        StoreError: when the recipes differ in more, or the store keeps no such level.
    """
    measured, features = read_levels(store, recipe)
    z = features.numpy().astype(np.float16)
    faces = zip(measured.ids, measured.column("face"), strict=True)
    places = {name_and_face: i for i, name_and_face in enumerate(faces)}
    with StoreWriter(out, StoreHeader.of(recipe, z.shape[1]), listed=True) as writer:
        rows: dict[tuple[str, str], list[FeatureRow]] = {}
        for row in store.table.to_pylist():
            place = places.get((row["id"], row["face"]))
            rows.setdefault((row["id"], row["content"]), []).append(_row(row, None if place is None else z[place]))
        for same in rows.values():
            if writer.holds(same[0].sample.id, same[0].version):
                writer.include(same[0].sample, same[0].version)
            else:
                writer.append(same)
    return FeatureStore.open(out)


def read_levels(store: FeatureStore, recipe: Recipe, **equal: object) -> tuple[Features, Tensor]:
    """Read the features of another recipe out of a store's levels; see `derive_store`.

    Args:
        store: keeps levels.
        recipe: of the features.
        **equal: values of metadata columns; see `Features.select`.

    Returns:
        The measured rows, and their features (n, Dz) float32.

    Raises:
        StoreError: as `layers_of`, or the store has no such row.
    """
    levels = [store.features(level=l, **equal) for l in layers_of(store, recipe)]
    return levels[0], torch.cat([f.to_tensor() for f in levels], 1)


def layers_of(store: FeatureStore, recipe: Recipe) -> tuple[int, ...]:
    """Return the levels of a store of which z of another recipe consists.

    Raises:
        StoreError: when z cannot be read out of the store.
    """
    own = store.recipe
    same = {f"model.{name}": getattr(own.model, name) for name in FREE}
    shape = store.header.levels
    if recipe.replace(**same) != own or recipe.model.kind not in ("corit", "unifd") or shape is None:
        raise StoreError(
            f"expected features that differ from those of {store.path} in nothing but {', '.join(FREE)}, and a store "
            "that keeps levels; extract them from the pictures"
        )
    depth = shape[0] - 1
    last = last_layer(depth, recipe.model)
    one = recipe.model.kind == "unifd" or not recipe.model.hri
    if not one and (recipe.model.fusion != "concat" or not recipe.model.middle_norm):
        raise StoreError("expected fusion by concatenation of normalised levels; extract other ones from the pictures")
    return (last,) if one else (middle_layer(depth, recipe.model), last)


def _row(row: dict[str, Any], z: np.ndarray | None) -> FeatureRow:
    sample = Sample(**{f.name: row[f.name] for f in fields(Sample) if f.name in row})
    version = Version(row["stamp"], row["content"])
    box = None if row["box"] is None else tuple(row["box"])
    return FeatureRow(sample, row["face"], box, z, None, row["status"], row["reason"], version)
