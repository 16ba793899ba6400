"""Features of every encoder and variant with all levels kept; the pictures of a world are drawn and prepared once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from corit.backbones.load import load_backbone
from corit.backbones.stepped import Backbone
from corit.data.sample import Sample
from corit.features.extract import extract
from corit.features.store import FeatureStore
from corit.features.targets import StoreTarget
from corit.model.encode import Encoder
from corit.progress import Progress, no_progress
from corit.studies.findings.encoders import weights_of
from corit.studies.findings.plan import Plan, recipe
from corit.views.prepare import Preparer, Views
from corit.world.miniature import Miniature

BATCH = 64


@dataclass(frozen=True)
class Album:
    """A source whose "pictures" are views already, each made when it is first asked for.

    All variants and encoders of a world see the same image, twin and regions, since they share the recipe's views.
    """

    world: Miniature
    preparer: Preparer
    kept: dict[str, Views] = field(default_factory=dict, repr=False)

    @property
    def samples(self) -> Sequence[Sample]:
        """Those of the world."""
        return self.world.samples

    def load(self, sample: Sample) -> Any:
        """The views of a sample, in place of its picture."""
        if sample.id not in self.kept:
            (self.kept[sample.id],) = self.preparer(self.world.load(sample))
        return self.kept[sample.id]


class AsTheyAre:
    """The preparation of views that are prepared."""

    def crops(self, views: Any) -> Sequence[Any]:
        """The views themselves."""
        return (views,)

    def views(self, crop: Any) -> Views:
        """The views themselves."""
        return crop

    def forge(self, crop: Any, draw: int) -> Any:
        """Nothing is forged from views."""
        raise NotImplementedError(f"no self-blended fake {draw} is made of prepared views")


def backbone_of(out: Path, target: str, seed: int) -> Backbone:
    """The frozen encoder."""
    return load_backbone("miniature", weights_of(out, target, seed))


def encoder_of(backbone: Backbone, variant: str) -> Encoder:
    """An encoder with a variant's recipe."""
    return Encoder(backbone, recipe(variant, backbone.name, backbone.digest))


def album(plan: Plan, seed: int, backbone: Backbone, splits: Sequence[Any] = ("train", "val", "test")) -> Album:
    """The pictures of an encoder seed's world."""
    return Album(Miniature(plan.world(seed), splits), encoder_of(backbone, "corit").preparer())


def folder_of(out: Path, target: str, seed: int, variant: str) -> Path:
    """Where a store lies."""
    return out / "features" / f"{target}-{seed}" / variant


def open_store(out: Path, target: str, seed: int, variant: str) -> FeatureStore:
    """A store that was extracted."""
    return FeatureStore.open(folder_of(out, target, seed, variant))


def extract_world(out: Path, plan: Plan, seed: int, progress: Progress = no_progress) -> None:
    """Every store of a world: all encoders that are measured in it, all variants. Finishes stores that were begun."""
    shared: Album | None = None
    for target in (t for t, s in plan.all_encoders if s == seed):
        backbone = backbone_of(out, target, seed)
        for variant in plan.variants_of(target):
            shared = shared or album(plan, seed, backbone)
            encoder, folder = encoder_of(backbone, variant), folder_of(out, target, seed, variant)
            extract(shared, [StoreTarget(encoder, folder, True, AsTheyAre())], batch=BATCH, progress=progress)
