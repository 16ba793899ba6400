"""Several recipes over the same pictures: image and twin are prepared once, each recipe brings its own regions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from corit.data.sample import Source
from corit.features.extract import Target, extract_into
from corit.progress import Progress, no_progress, part_of
from corit.recipe import ViewsRecipe
from corit.views.prepare import Crop, Preparer, Views

if TYPE_CHECKING:
    from corit.images.picture import Picture
    from corit.model.encode import Encoder


@dataclass(frozen=True)
class Shared:
    """The preparation of several recipes that differ in nothing but their regions (and in whether they need a twin).

    first: the one that makes crop, image and twins. others: the ones that add their regions (K, N), below each other.
    """

    first: Preparer
    others: tuple[Preparer, ...]

    def crops(self, picture: Picture) -> Sequence[Crop]:
        """The crops of a picture; raises as `Preparer.crops`."""
        return self.first.crops(picture)

    def views(self, crop: Crop) -> Views:
        """Image and twins once, with the regions of every recipe."""
        regions = [p.patches(crop) for p in self.others]
        return replace(self.first.views(crop), regions=np.concatenate(regions))

    def forge(self, crop: Crop, draw: int) -> Crop:
        """A self-blended fake of a crop."""
        return self.first.forge(crop, draw)


def extract_shared(
    source: Source,
    targets: Sequence[Target],
    *,
    batch: int = 8,
    workers: int = 0,
    progress: Progress = no_progress,
) -> None:
    """Measure a source by several recipes; those that can share their views are measured in one pass over the pictures.

    Targets' own `rows` are set here. Raises as `extract`.
    """
    groups, count = list(_groups([t.encoder for t in targets]).values()), len(source.samples)
    for i, members in enumerate(groups):
        part = part_of(progress, i * count, len(groups) * count)
        chosen = [targets[m] for m in members]
        shared, placed = _share(chosen)
        in_process = any(t.encoder.in_process for t in chosen)
        extract_into(source, shared, placed, batch=batch, workers=0 if in_process else workers, progress=part)


def _groups(encoders: Sequence[Encoder]) -> Mapping[Any, list[int]]:
    """Which encoders can share crops, images and twins."""
    found: dict[Any, list[int]] = {}
    for i, encoder in enumerate(encoders):
        views: ViewsRecipe = replace(encoder.recipe.views, random_regions=0)
        key = (views, encoder.backbone.side, encoder.backbone.grid, encoder.in_process and id(encoder.backbone))
        found.setdefault(key, []).append(i)
    return found


def _share(targets: Sequence[Target]) -> tuple[Shared, list[Target]]:
    """One preparation for targets that can share it, and the targets with their rows of its regions."""
    preparers = [t.encoder.preparer() for t in targets]
    first = max(preparers, key=lambda p: p.twins)
    others: list[Preparer] = []
    slices: dict[Preparer, slice] = {}
    at = 0
    for preparer, target in zip(preparers, targets, strict=True):
        bare = replace(preparer, twins=0)
        if bare not in slices:
            others.append(bare)
            slices[bare] = slice(at, at + target.encoder.regions)
            at += target.encoder.regions
    rows = [slices[replace(p, twins=0)] for p in preparers]
    return Shared(first, tuple(others)), [replace(t, rows=r) for t, r in zip(targets, rows, strict=True)]
