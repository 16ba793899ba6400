"""Detectors by name: what each changes in a recipe and in a head. A new detector is an entry of the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corit.errors import DetectorError
from corit.recipe import Recipe

if TYPE_CHECKING:
    from corit.backbones.stepped import Backbone
    from corit.detect.detector import Detector
    from corit.heads.head import Head, HeadRecipe


@dataclass(frozen=True)
class DetectorEntry:
    """A detector: its changes to the recipe and the head that it is compared with.

    Attributes:
        what: one line for lists.
        changes: dotted fields of Recipe.
        head: fields of HeadRecipe.
        published: the head is not trained here but UniFD's published one.
    """

    what: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    head: Mapping[str, Any] = field(default_factory=dict)
    published: bool = False


# The first is the paper's method, the others what it is measured against, from the same rows with the same head.
DETECTORS: dict[str, DetectorEntry] = {
    "corit": DetectorEntry("region tokens refined and injected, two levels (the paper's method)"),
    "regions": DetectorEntry(
        "the same regions pooled in every layer without injection", {"model.inject": False, "model.rrm": False}
    ),
    "unifd": DetectorEntry("class token of the last layer (the paper's baseline)", {"model.kind": "unifd"}),
    "pooled": DetectorEntry("mean of the last layer's patch tokens (linear probe)", {"model.kind": "pooled"}),
    "both": DetectorEntry("class token and mean patch token of the last layer", {"model.kind": "both"}),
    "unifd-768": DetectorEntry(
        "projected class token with UniFD's published head", {"model.kind": "unifd-768"}, published=True
    ),
    "unifd-768-trained": DetectorEntry("projected class token with a head trained here", {"model.kind": "unifd-768"}),
}


def detector_entry(name: str) -> DetectorEntry:
    """Return a detector of the table. Raises DetectorError for an unknown name."""
    if name not in DETECTORS:
        raise DetectorError(f"no detector {name!r}; there are {', '.join(DETECTORS)}")
    return DETECTORS[name]


def recipe_of(name: str, base: Recipe) -> Recipe:
    """Return the recipe of a detector's features: its own choices, and all others of the base."""
    usual = {"model.kind": "corit", "model.inject": True, "model.rrm": True}
    return base.replace(**{**usual, **detector_entry(name).changes})


def head_of(name: str, base: HeadRecipe, path: str | Path | None = None) -> HeadRecipe | Head:
    """Return how the head of a detector is trained, or the published head itself.

    Args:
        name: of the detector.
        base: the head recipe that the detector changes.
        path: file of the published head; by default it is downloaded.

    Raises:
        DetectorError: the name is unknown.
        WeightsError: the published head is not available.
    """
    from dataclasses import replace

    from corit.heads.published import unifd_head

    entry = detector_entry(name)
    return unifd_head(path) if entry.published else replace(base, **entry.head)


def load_detector(
    name: str,
    *,
    weights: str | None = None,
    device: str = "cpu",
    domain: str = "scene",
    head: str | Path | None = None,
    packaged: Path | None = None,
) -> Detector:
    """Load a detector by its folder, a packaged one by its name, or UniFD with its published head on CLIP ViT-L/14.

    Args:
        name: the folder, a name that `corit detectors list` prints, or "unifd-768". A folder counts first.
        weights: place of the backbone's weights, if they moved.
        device: cpu or cuda.
        domain: of unifd-768: "scene" or "face"; its pictures are cropped at the centre and not resized, as published.
        head: file of UniFD's published head; by default it is downloaded.
        packaged: folder of the packaged detectors; by default the package's.

    Returns:
        The detector.

    Raises:
        DetectorError: there is no such folder or name, the folder is damaged, or the detector has to be trained first.
        WeightsError: weights are not available.
    """
    from corit.detect.detector import Detector
    from corit.detect.packaged import known, packaged_folder, packaged_names

    if Path(name).is_dir():
        return Detector.load(name, weights=weights, device=device)
    if name in packaged_names(packaged):
        return Detector.load(packaged_folder(name, packaged), weights=weights, device=device, name=name)
    if name not in DETECTORS:
        raise DetectorError(
            f"expected a detector folder with detector.json at {name}, or the name of a packaged detector, but there "
            f"is neither ({known(packaged)}); make one with corit train"
        )
    if not detector_entry(name).published:
        raise DetectorError(
            f"expected a folder with a trained detector, but {name!r} has to be trained: corit train --model {name}"
        )
    from corit.backbones.load import load_backbone
    from corit.heads.published import unifd_head

    unifd_head(head)  # 4 kB that cannot be had end the command before 1.2 GB are fetched
    backbone = load_backbone("clip-vit-l14", weights or "")
    return published(backbone, backbone.source, domain, head, device)


def published(
    backbone: Backbone, weights: str, domain: str = "scene", head: str | Path | None = None, device: str = "cpu"
) -> Detector:
    """Return UniFD as it was published.

    Args:
        backbone: one with a projection 768 wide.
        weights: place of its weights, for the card.
        domain: "scene" or "face".
        head: file of the published head; by default it is downloaded.
        device: cpu or cuda.

    Raises:
        WeightsError: the published head is not available.
    """
    from corit.detect.detector import Card, Detector
    from corit.heads.published import RECIPE, SHA256, unifd_head
    from corit.metrics.calibration import Calibration

    trained = unifd_head(head)
    named = {"backbone.name": backbone.name, "backbone.weights": backbone.digest, "views.domain": domain}
    recipe = Recipe().replace(**named, **{"views.scene_fit": "crop", "model.kind": "unifd-768"})
    card = Card(
        recipe=recipe,
        head=RECIPE,
        calibration=Calibration(slope=1.0, intercept=0.0, fake=0.5, real=0.5, fpr=0.5, reals=0, fakes=0),
        weights=weights,
        licence=f"{backbone.licence}; head MIT (UniversalFakeDetect)",
        classes=("real", "fake"),
        data_digest=SHA256,
        domain="whole pictures: photographs and what ProGAN generates",
        note="UniFD's published head, trained by its authors on ProGAN and chosen on ProGAN's test set; its threshold "
        "0.5 was not calibrated here",
    )
    return Detector(trained, card, backbone, device)
