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
from corit.studies.findings.plan import FindingsPlan, recipe
from corit.views.prepare import Preparer, Views
from corit.world.miniature import Miniature

BATCH = 64


@dataclass(frozen=True)
class PreparedSource:
    """A source of prepared views in place of pictures; each is prepared once, at its first use.

    All variants and encoders of a world share the same image, twin and regions, since their recipes share the views.

    Attributes:
        world: the source of the pictures.
        preparer: the preparation.
        views: the prepared views, by the sample's id.
    """

    world: Miniature
    preparer: Preparer
    views: dict[str, Views] = field(default_factory=dict, repr=False)

    @property
    def samples(self) -> Sequence[Sample]:
        """The samples of the world."""
        return self.world.samples

    def load(self, sample: Sample) -> Any:
        """Return the views of a sample in place of its picture."""
        if sample.id not in self.views:
            (self.views[sample.id],) = self.preparer(self.world.load(sample))
        return self.views[sample.id]


class NoPreparation:
    """The preparation of a `PreparedSource`: none."""

    def crops(self, views: Any) -> Sequence[Any]:
        """Return the views as the only crop."""
        return (views,)

    def views(self, crop: Any) -> Views:
        """Return the views."""
        return crop

    def forge(self, crop: Any, draw: int) -> Any:
        """Refuse: no self-blended fake can be made of prepared views."""
        raise NotImplementedError(f"expected a picture to make self-blended fake {draw} of, got prepared views")


def backbone_of(out: Path, target: str, seed: int) -> Backbone:
    """Load an encoder as a frozen backbone."""
    return load_backbone("miniature", weights_of(out, target, seed))


def encoder_of(backbone: Backbone, variant: str) -> Encoder:
    """Make the model of a variant on a backbone."""
    return Encoder(backbone, recipe(variant, backbone.name, backbone.digest))


def prepared_source(
    plan: FindingsPlan, seed: int, backbone: Backbone, splits: Sequence[Any] = ("train", "val", "test")
) -> PreparedSource:
    """Return the prepared views of an encoder seed's world."""
    return PreparedSource(Miniature(plan.world(seed), splits), encoder_of(backbone, "corit").preparer())


def folder_of(out: Path, target: str, seed: int, variant: str) -> Path:
    """Return the folder of a store."""
    return out / "features" / f"{target}-{seed}" / variant


def open_store(out: Path, target: str, seed: int, variant: str) -> FeatureStore:
    """Open the store of an encoder and a variant."""
    return FeatureStore.open(folder_of(out, target, seed, variant))


def extract_world(out: Path, plan: FindingsPlan, seed: int, progress: Progress = no_progress) -> None:
    """Extract every store of a world, of all its encoders and variants; an interrupted extraction resumes."""
    shared: PreparedSource | None = None
    for target in (t for t, s in plan.all_encoders if s == seed):
        backbone = backbone_of(out, target, seed)
        for variant in plan.variants_of(target):
            shared = shared or prepared_source(plan, seed, backbone)
            encoder, folder = encoder_of(backbone, variant), folder_of(out, target, seed, variant)
            extract(shared, [StoreTarget(encoder, folder, True, NoPreparation())], batch=BATCH, progress=progress)
