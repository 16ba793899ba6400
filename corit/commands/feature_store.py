"""Folders -> a feature store: what `corit extract` and `corit train` do alike."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from corit.commands.messages import say
from corit.commands.options import Compute, Encoding

if TYPE_CHECKING:
    from corit.backbones.stepped import Backbone
    from corit.data.sample import Source
    from corit.features.store import FeatureStore
    from corit.model.encode import Encoder
    from corit.recipe import Recipe
    from corit.train.heads import SplitSource


@dataclass(frozen=True)
class MeasuredFeatures:
    """A feature store with what measured it.

    Attributes:
        store: the measured features.
        backbone: the frozen ViT.
        recipe: the recipe of the features.
    """

    store: FeatureStore
    backbone: Backbone
    recipe: Recipe


def measure(
    source: SplitSource, encoding: Encoding, out: Path, compute: Compute, *, blends: int, levels: bool = False
) -> MeasuredFeatures:
    """Measure a source's pictures into the store at `out`, and report how they were read.

    Args:
        source: labelled pictures with their splits.
        encoding: the options of the backbone and the recipe.
        out: folder of the store.
        compute: the options of the forward passes.
        blends: self-blended fakes of each real picture.
        levels: store every layer's class and region tokens too.
    """
    from corit.model.encode import Encoder

    backbone = encoding.load_backbone()
    recipe = encoding.recipe_for(backbone)
    encoder = Encoder(backbone, recipe, device=compute.device)
    store = measure_with(encoder, source, out, compute, blends=blends, levels=levels)
    return MeasuredFeatures(store, backbone, recipe)


def measure_with(
    encoder: Encoder, source: Source, out: Path, compute: Compute, *, blends: int = 0, levels: bool = False
) -> FeatureStore:
    """Measure a source's pictures with an encoder into the store at `out`, and report how they were read.

    Args:
        encoder: a backbone with the recipe of the features.
        source: labelled pictures.
        out: folder of the store.
        compute: the options of the forward passes.
        blends: self-blended fakes of each real picture.
        levels: store every layer's class and region tokens too.
    """
    from corit.progress import progress_bar
    from corit.report.text import reading_notes
    from corit.train.heads import measure_features

    with progress_bar("features") as progress:
        store = measure_features(
            source,
            encoder,
            out,
            forge=blends,
            keep_levels=levels,
            batch=compute.batch,
            workers=compute.workers,
            progress=progress,
        )
    for note in reading_notes(store):
        say(note)
    return store
