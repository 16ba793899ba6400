"""The stores that an extraction writes, and which of them share a pass over the pictures."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from corit.errors import WeightsError
from corit.features.preparation import Preparation
from corit.features.shards import StoreHeader
from corit.recipe import Recipe
from corit.views.prepare import Crop, Preparer, Views

if TYPE_CHECKING:
    from corit.images.picture import Picture
    from corit.model.encode import Encoder


@dataclass(frozen=True)
class StoreTarget:
    """One store that an extraction writes.

    Attributes:
        encoder: whose features it holds.
        out: its folder.
        keep_levels: store every layer's class and region tokens too.
        preparer: what prepares the pictures; None for the encoder's own. Targets with the encoder's own preparation
            share a pass over the pictures where their recipes differ in nothing but regions.
    """

    encoder: Encoder
    out: str | Path
    keep_levels: bool = False
    preparer: Preparation | None = None

    @property
    def header(self) -> StoreHeader:
        """What the store's shards share. Raises WeightsError when the recipe names other weights."""
        encoder = self.encoder
        return StoreHeader.of(recipe_of(encoder), encoder.width, encoder.level_shape if self.keep_levels else None)


class Output(NamedTuple):
    """A target of a pass, and which of the prepared regions (K', N) are its encoder's; None for all."""

    target: StoreTarget
    regions: slice | None = None

    def views(self, views: Views) -> Views:
        """What this encoder sees of prepared views."""
        return views if self.regions is None else replace(views, regions=views.regions[self.regions])


@dataclass(frozen=True)
class Pass:
    """One pass over the pictures: each is prepared once and measured for every output."""

    preparer: Preparation
    outputs: tuple[Output, ...]

    @property
    def in_process(self) -> bool:
        """Whether the pictures have to be prepared in the process of the model."""
        return any(o.target.encoder.in_process for o in self.outputs)


def recipe_of(encoder: Encoder) -> Recipe:
    """The encoder's recipe with its weights' digest. Raises WeightsError when the recipe names other weights."""
    recipe, digest = encoder.recipe, encoder.backbone.digest
    if recipe.backbone.weights not in ("", digest):
        raise WeightsError(
            f"the recipe is for {recipe.backbone.name} weights {recipe.backbone.weights[:12]}, but the backbone holds "
            f"{digest[:12]}; load the right file, or clear the recipe's backbone.weights"
        )
    return recipe.replace(**{"backbone.weights": digest})


def passes(targets: Sequence[StoreTarget]) -> list[Pass]:
    """Group targets into as few passes over the pictures as their preparations allow.

    Args:
        targets: the stores to write.

    Returns:
        The passes, in the order of their first targets.
    """
    groups: dict[Hashable, list[StoreTarget]] = {}
    for i, target in enumerate(targets):
        groups.setdefault(_shared_views(target.encoder) if target.preparer is None else i, []).append(target)
    return [_pass(group) for group in groups.values()]


def _shared_views(encoder: Encoder) -> Hashable:
    """What encoders have in common that can share crops, images and twins."""
    views, backbone = replace(encoder.recipe.views, random_regions=0), encoder.backbone
    return views, backbone.side, backbone.grid, encoder.in_process and id(backbone)


def _pass(targets: Sequence[StoreTarget]) -> Pass:
    if len(targets) == 1:
        (target,) = targets
        return Pass(target.preparer or target.encoder.preparer(), (Output(target),))
    preparers = [t.encoder.preparer() for t in targets]
    slices = _slices((replace(p, twins=0), t.encoder.regions) for p, t in zip(preparers, targets, strict=True))
    first = max(preparers, key=lambda p: p.twins)
    outputs = [Output(t, slices[replace(p, twins=0)]) for p, t in zip(preparers, targets, strict=True)]
    return Pass(SharedPreparation(first, tuple(slices)), tuple(outputs))


def _slices(regions: Iterable[tuple[Preparer, int]]) -> dict[Preparer, slice]:
    """Where the regions of each preparer lie when those of all are put below each other, each preparer once."""
    slices: dict[Preparer, slice] = {}
    at = 0
    for preparer, count in regions:
        if preparer not in slices:
            slices[preparer] = slice(at, at + count)
            at += count
    return slices


@dataclass(frozen=True)
class SharedPreparation:
    """The preparation of several recipes that differ in nothing but their regions and whether they need a twin.

    Attributes:
        first: makes crops, images and twins.
        others: each adds its regions (K, N), below each other.
    """

    first: Preparer
    others: tuple[Preparer, ...]

    def crops(self, picture: Picture) -> Sequence[Crop]:
        """The crops of a picture. Raises InputError; see `Preparer.crops`."""
        return self.first.crops(picture)

    def views(self, crop: Crop) -> Views:
        """Image and twins once, with the regions of every recipe."""
        regions = [p.patches(crop) for p in self.others]
        return replace(self.first.views(crop), regions=np.concatenate(regions))

    def forge(self, crop: Crop, draw: int) -> Crop:
        """A self-blended fake of a crop."""
        return self.first.forge(crop, draw)
