"""`corit calibrate`: thresholds and scores of a detector, set on the user's own pictures."""

from __future__ import annotations

from corit.commands import exit_codes, options
from corit.commands.messages import say


def calibrate(
    *,
    detector: options.OneDetector,
    pictures: options.OwnPictures,
    out: options.ChangedDetector,
    fpr: float | None = None,
    intervals: options.Intervals = options.INTERVALS,
    compute: options.Compute = options.COMPUTE,
) -> int:
    """Set a detector's thresholds, and with fakes its scores, on your own pictures; its head stays as it is.

    With --fake, the scores get a new Platt scaling, and the change is measured on held-out sources. Without it, only
    the threshold for fake is set. Exit code 3 if nothing could be measured.

    Args:
        fpr: false-positive rate to expect of new real pictures like yours; by default the detector's own, or the
            lowest that your pictures can tell, up to 0.05
    """
    from corit.commands.feature_store import measure_with
    from corit.report.own import calibration_text
    from corit.train.calibrate import calibrate_detector
    from corit.train.place import carried_files, own_store, require_place

    require_place(out, detector.folder)
    loaded, source = detector.load(compute.device), pictures.open_whole()
    store = measure_with(loaded.encoder, source, own_store(out), compute)
    result = calibrate_detector(loaded, store, fpr=fpr, draws=intervals.draws, seed=intervals.seed)
    result.detector.save(out, files=carried_files(detector.folder))
    print(calibration_text(result))
    if loaded.outside():
        say(f"these files are {loaded.outside()}; every verdict stays unsure")
    print(f"detector {out}")
    return exit_codes.DONE
