"""`corit update`: a detector's head trained again, on its training features and the user's own pictures."""

from __future__ import annotations

from pathlib import Path

from corit.commands import exit_codes, options
from corit.commands.messages import say


def update(
    *,
    detector: options.OneDetector,
    pictures: options.OwnRealsAndFakes,
    out: options.ChangedDetector,
    features: Path | None = None,
    weight_new: float | None = None,
    force: bool = False,
    seeds: options.Seeds = 5,
    fpr: float | None = None,
    draws: options.Draws = 1000,
    compute: options.Compute = options.COMPUTE,
) -> int:
    """Train a detector's head again, on its training features and your own pictures, and compare both heads.

    Both heads are measured on held-out sources of your pictures and on the detector's own test rows. Exit code 3, and
    nothing is written, if the new head lost more AUC on the old test than it gained on your pictures.

    Args:
        features: store of the training features; by default that which `corit train` left beside the detector, else
            the compressed ones in its folder
        weight_new: share of your pictures in the training, between 0 and 1; by default every source has the same
        force: write the detector although it lost more than it gained
        fpr: false-positive rate to expect of new real pictures at the threshold; by default the detector's own
    """
    from corit.commands.feature_store import measure_with
    from corit.progress import progress_bar
    from corit.report.own import update_text, worse_text
    from corit.train.place import own_store, require_place
    from corit.train.stand_in import FILE
    from corit.train.update import training_features, update_detector

    require_place(out, detector.folder)
    loaded, source = detector.load(compute.device), pictures.open()
    training = training_features(loaded, detector.folder, features)
    store = measure_with(loaded.encoder, source, own_store(out), compute)
    with progress_bar("heads") as progress:
        result = update_detector(
            loaded,
            training,
            store,
            weight_new=weight_new,
            seeds=range(seeds),
            fpr=fpr,
            draws=draws,
            progress=progress,
        )
    print(update_text(result))
    if result.worse and not force:
        say(worse_text(result))
        return exit_codes.MADE_WORSE
    result.detector.save(out, files={FILE: result.training.to_bytes()})
    print(f"detector {out}")
    return exit_codes.DONE
