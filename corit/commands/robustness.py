"""`corit robustness`: how much of a detector's AUC each perturbation takes, level by level."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from corit.commands import exit_codes, options


def robustness(
    *,
    out: Path,
    detectors: options.Detectors,
    pictures: options.LabelledPictures,
    perturbations: options.Names | None = None,
    levels: Annotated[list[int] | None, Parameter(consume_multiple=True)] = None,
    intervals: options.Intervals = options.INTERVALS,
    compute: options.ScoringCompute = options.SCORING_COMPUTE,
) -> int:
    """Measure detectors on perturbed pictures: the relative variation of the AUC, by perturbation and level.

    Exit code 3 if nothing could be scored.

    Args:
        out: folder for robustness.csv, .json, .png and .html and the scores; run the same command again to resume
        perturbations: some of blur blocks contrast jpeg pixelation saturation noise resize webp screenshot; by default
            all
        levels: some of 1 to 5; by default all
    """
    from corit.evaluate.run import ScoringOptions, describe, measure_robustness
    from corit.images.perturb import LEVELS, PERTURBATIONS
    from corit.progress import progress_bar
    from corit.report.robustness import table, write

    conditions = [(n, k) for n in perturbations or PERTURBATIONS for k in levels or LEVELS]
    scoring = ScoringOptions(compute.batch, compute.workers, progress_bar)
    rows = pictures.open()
    loaded = detectors.load(compute.device)
    damages = measure_robustness(
        loaded, rows, conditions, out, draws=intervals.draws, seed=intervals.seed, scoring=scoring
    )
    write(out, damages, describe(loaded, rows), intervals.draws)
    print(table(damages))
    print(out / "robustness.html")
    return exit_codes.DONE
