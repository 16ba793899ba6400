"""`corit train`: a detector trained on folders of pictures and videos."""

from __future__ import annotations

from pathlib import Path

from corit.commands import exit_codes, options

# What the card of a detector says about the pictures that it was trained on, by the recipe's domain.
DOMAINS = {"face": "faces in the pictures given to corit train", "scene": "whole pictures given to corit train"}


def train(
    *,
    out: Path,
    folders: options.LabelledFolders,
    encoding: options.Encoding = options.ENCODING,
    head: options.TrainedHead = options.TRAINED_HEAD,
    features: Path | None = None,
    blends: int = 1,
    compute: options.Compute = options.COMPUTE,
) -> int:
    """Train a detector on folders of pictures and videos. Without --fake, self-blends of the real ones are the fakes.

    Args:
        out: folder of the detector to write
        features: folder that keeps the measured features; by default OUT.features
        blends: without --fake, make this many self-blended fakes of each real picture
    """
    from corit.commands.feature_store import measure
    from corit.progress import progress_bar
    from corit.report import text
    from corit.train.heads import train_detector

    recipe = head.recipe  # raises before anything is measured
    source, forged = folders.open(), not folders.fake
    store_folder = features or out.with_name(out.name + ".features")
    measured = measure(source, encoding, store_folder, compute, blends=blends if forged else 0)
    with progress_bar("heads") as progress:
        result = train_detector(
            measured.store,
            measured.backbone,
            recipe,
            weights=measured.backbone.source,
            domain=DOMAINS[measured.recipe.views.domain],
            note="trained on self-blended fakes of the real pictures only" if forged else "",
            seeds=range(head.seeds),
            fpr=head.fpr,
            progress=progress,
        )
    result.detector.save(out)
    print(text.training_text(result))
    print(f"detector {out}")
    return exit_codes.DONE
