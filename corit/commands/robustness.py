"""`corit robustness`: how much of a detector's AUC each perturbation takes, level by level."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from corit.commands.device import Device

NOTHING_SCORED = 3


def robustness(
    *,
    detector: Annotated[list[str], Parameter(consume_multiple=True)],
    data: Annotated[list[str], Parameter(consume_multiple=True)],
    out: Path,
    perturbations: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    levels: Annotated[list[int] | None, Parameter(consume_multiple=True)] = None,
    root: str = "",
    frames: int = 32,
    choice: Literal["even", "first"] = "even",
    weights: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    unifd_head: Path | None = None,
    draws: int = 1000,
    seed: int = 0,
    batch: int = 8,
    workers: int = 0,
    device: Device = "cpu",
) -> int:
    """Measure detectors on perturbed pictures: the relative variation of the AUC, by perturbation and level.

    Exit code 3 if nothing could be scored.

    Args:
        detector: folders that `corit train` or `corit demo` wrote, Python files that define DETECTOR, or unifd-768
        data: a folder with real/ and fake/, a CSV file, or a data set as `corit data list` names them; its test split
        out: folder for robustness.csv, .json, .png and .html and the scores; run again to go on
        perturbations: some of blur blocks contrast jpeg pixelation saturation noise resize webp screenshot; all if none
        levels: some of 1 to 5; by default all
        root: where the data is, for names without a place
        frames: of each video at most so many are scored; 0 for all
        choice: even spreads the frames over the video, first takes the first ones
        weights: where the backbones' weights are now, if they moved; NAME=PLACE for those of one of several detectors
        unifd_head: file of UniFD's published head, for unifd-768; fetched where none is given
        draws: bootstrap draws of the intervals
        seed: of the draws
        batch: faces a forward pass
        workers: processes that decode and prepare
        device: cpu or cuda
    """
    from corit.errors import NothingScoredError
    from corit.evaluate import run as assess
    from corit.evaluate.labelled import labelled
    from corit.images.perturb import LEVELS, PERTURBATIONS
    from corit.progress import progress_bar
    from corit.report.data import say_passed_over
    from corit.report.robustness import table, write

    chosen = [(n, k) for n in perturbations or PERTURBATIONS for k in levels or LEVELS]
    effort = assess.Effort(batch, workers, progress_bar)
    rows = labelled(data, root, frames=frames or None, choice=choice)
    say_passed_over(rows)
    named = assess.named(detector, weights or (), device, unifd_head)
    try:
        found = assess.perturbed(named, rows, chosen, out, draws=draws, seed=seed, effort=effort)
    except NothingScoredError as err:
        print(f"corit: {err}", file=sys.stderr)
        return NOTHING_SCORED
    write(out, found, assess.about(named, rows), draws)
    print(table(found))
    print(out / "robustness.html")
    return 0
