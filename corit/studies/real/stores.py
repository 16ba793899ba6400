"""Feature stores of the sets: each picture is prepared once for all recipes that share its preparation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from corit.backbones.stepped import Backbone
from corit.data.collections import CollectionSource
from corit.data.sample import Sample, Source
from corit.features.extract import Forge, extract
from corit.features.targets import StoreTarget
from corit.images.picture import Picture
from corit.model.encode import Encoder
from corit.progress import Progress, no_progress
from corit.recipe import BackboneRecipe, Recipe
from corit.studies.real.plan import PAIRED, SETS, RealPlan, Variant

SHARD_ROWS = 64  # a kill loses at most so many rows


@dataclass(frozen=True)
class VariantPairs:
    """The first pairs of a source whose rows are in train or val: what the variants are measured on.

    Attributes:
        source: the whole set.
        pairs: how many.
    """

    source: CollectionSource
    pairs: int

    @cached_property
    def samples(self) -> Sequence[Sample]:
        """The rows of the pairs. No test row is among them."""
        rows = [s for s in self.source.samples if s.split != "test"]
        groups = list(dict.fromkeys(s.group for s in rows))[: self.pairs]
        return [s for s in rows if s.group in groups]

    def load(self, sample: Sample) -> Picture:
        """Return the picture of one row. Raises InputError."""
        return self.source.load(sample)


def source_of(data: Path, plan: RealPlan, name: str) -> CollectionSource:
    """Return the source of a set, at the plan's size."""
    return CollectionSource(SETS[name], str(data), plan.limit(name))


def present(data: Path) -> tuple[str, ...]:
    """Return the sets whose folders are there."""
    return tuple(name for name, c in SETS.items() if (data / c.folder).is_dir())


def folder_of(out: Path, backbone: str, name: str, variant: Variant, *, subset: bool = False) -> Path:
    """Return the folder of a store."""
    inner = variant.name.replace(", ", "-").replace(" ", "-")
    return out / "features" / backbone / (f"{name}-variants" if subset else name) / inner


def encoder_of(backbone: Backbone, name: str, variant: Variant, device: str = "cpu") -> Encoder:
    """Build the encoder of a variant on a set."""
    base = Recipe(BackboneRecipe(backbone.name, backbone.digest))
    domain = "scene" if not SETS[name].classes else "face"
    return Encoder(backbone, base.replace(**{"views.domain": domain}).replace(**variant.changes), device)


@dataclass(frozen=True)
class Extraction:
    """How features are measured.

    Attributes:
        data: folder of the sets.
        out: folder of the run.
        plan: the sizes.
        backbone: the frozen ViT.
        device: of the forward passes.
        batch: pictures in one forward pass.
        workers: processes that prepare pictures; 0 for this one.
    """

    data: Path
    out: Path
    plan: RealPlan
    backbone: Backbone
    device: str = "cpu"
    batch: int = 8
    workers: int = 0

    def measure(self, name: str, recipes: Sequence[Variant], progress: Progress = no_progress) -> None:
        """Measure a whole set, with its self-blends, into a store of each recipe; stored rows are not repeated."""
        source = source_of(self.data, self.plan, name)
        blended = self._blended(source)
        self._extract(source, name, recipes, False, lambda s: int(s.id in blended), progress)

    def measure_subset(self, recipes: Sequence[Variant], progress: Progress = no_progress) -> None:
        """Measure the pairs of the variants into a store of each recipe."""
        pairs = VariantPairs(source_of(self.data, self.plan, PAIRED), self.plan.variant_pairs)
        self._extract(pairs, PAIRED, recipes, True, lambda s: 0, progress)

    def _blended(self, source: CollectionSource) -> frozenset[str]:
        """The reals that are self-blended: all of a set without fakes, else the first ones of the paired set."""
        reals = [s.id for s in source.samples if s.label == 0]
        if not source.collection.classes:
            return frozenset(reals)
        return frozenset(reals[: self.plan.blends]) if source.collection.name == PAIRED else frozenset()

    def _extract(
        self, source: Source, name: str, recipes: Sequence[Variant], subset: bool, forge: Forge, progress: Progress
    ) -> None:
        targets = [
            StoreTarget(
                encoder_of(self.backbone, name, v, self.device),
                folder_of(self.out, self.backbone.name, name, v, subset=subset),
                keep_levels=True,
            )
            for v in recipes
        ]
        extract(
            source,
            targets,
            batch=self.batch,
            workers=self.workers,
            shard_rows=SHARD_ROWS,
            forge=forge,
            progress=progress,
        )
