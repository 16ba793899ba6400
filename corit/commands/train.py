"""`corit train`: a detector trained on folders of pictures and videos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from corit.commands import exit_codes, options
from corit.commands.training_pictures import TRAINING_PICTURES, TrainingPictures
from corit.errors import DataError

if TYPE_CHECKING:
    from corit.train.data import TrainingData

# What the card of a detector says about the pictures that it was trained on, by the recipe's domain.
DOMAINS = {"face": "faces in the pictures given to corit train", "scene": "whole pictures given to corit train"}
KINDS = {"face": "faces", "scene": "whole pictures"}  # ... where the pictures are of data sets with names


def train(
    *,
    out: Path,
    pictures: TrainingPictures = TRAINING_PICTURES,
    encoding: options.Encoding = options.ENCODING,
    head: options.TrainedHead = options.TRAINED_HEAD,
    features: Path | None = None,
    blends: int | None = None,
    compute: options.Compute = options.COMPUTE,
) -> int:
    """Train a detector on folders of pictures and videos, or on data sets. Without fakes, self-blends take their place.

    Args:
        out: folder of the detector to write
        features: folder that keeps the measured features; by default OUT.features
        blends: self-blended fakes of each real picture; by default 1 without fakes, else 0
    """
    from corit.commands.feature_store import measure
    from corit.progress import progress_bar
    from corit.report import text
    from corit.train.heads import train_detector

    recipe = head.recipe  # raises before anything is measured
    opened = pictures.divide()
    forged = not opened.has_fakes
    count = int(forged) if blends is None else blends
    if forged and count < 1:
        raise DataError(f"expected fakes or at least one self-blend of each real picture, got --blends {count}")
    store_folder = features or out.with_name(out.name + ".features")
    measured = measure(opened.split, encoding, store_folder, compute, blends=count)
    with progress_bar("heads") as progress:
        result = train_detector(
            measured.store,
            measured.backbone,
            recipe,
            weights=measured.backbone.source,
            domain=_domain(opened, measured.recipe.views.domain, by_name=bool(pictures.data)),
            note="trained on self-blended fakes of the real pictures only" if forged else "",
            data=opened.card,
            seeds=range(head.seeds),
            fpr=head.fpr,
            progress=progress,
        )
    result.detector.save(out)
    print(text.training_text(result))
    for trained in opened.data if pictures.data else ():
        print(f"data: {trained.text}")
    print(f"detector {out}")
    return exit_codes.DONE


def _domain(opened: TrainingData, domain: str, by_name: bool) -> str:
    """What the pictures show, in words."""
    return opened.domain(KINDS[domain]) if by_name else DOMAINS[domain]
