"""`corit evaluate`: detectors on labelled pictures, with every metric, by slice, and a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter


def evaluate(
    *,
    detector: Annotated[list[str], Parameter(consume_multiple=True)],
    data: Annotated[list[str], Parameter(consume_multiple=True)],
    out: Path,
    root: str = "",
    frames: int = 32,
    choice: Literal["even", "first"] = "even",
    weights: str | None = None,
    draws: int = 1000,
    seed: int = 0,
    batch: int = 8,
    workers: int = 0,
    device: str = "cpu",
) -> int:
    """Measure detectors on labelled pictures: every metric with intervals, by source, manipulation, compression, size.

    Args:
        detector: folders that `corit train` or `corit demo` wrote, Python files that define DETECTOR, or unifd-768
        data: a folder with real/ and fake/, a CSV file, or a data set as `corit data list` names them; its test split
        out: folder for rows.csv, metrics.csv, metrics.json, report.html and the scores; run again to go on
        root: where the data is, for names without a place
        frames: of each film at most so many are scored; 0 for all
        choice: even spreads the frames over the film, first takes the first ones
        weights: where the backbone's weights are now, if they moved
        draws: bootstrap draws of the intervals
        seed: of the draws
        batch: faces a forward pass
        workers: processes that decode and prepare
        device: cpu or cuda
    """
    from corit import assess
    from corit.evaluate.slices import compare
    from corit.features.extract import progress_bar
    from corit.labelled import labelled
    from corit.report.evaluate import table, write

    rows, named = labelled(data, root, frames=frames or None, choice=choice), assess.named(detector, weights, device)
    effort = assess.Effort(batch, workers, progress_bar)
    found = assess.evaluations(named, rows, out, draws=draws, seed=seed, effort=effort)
    compared = compare(found)
    write(out, found, compared, assess.about(named, rows), draws)
    print(table(found, compared))
    print(out / "report.html")
    return 0
