"""`corit evaluate`: detectors on labelled pictures, with every metric, by slice, and a page."""

from __future__ import annotations

from pathlib import Path

from corit.commands import exit_codes, options


def evaluate(
    *,
    out: Path,
    detectors: options.Detectors,
    pictures: options.LabelledPictures,
    video_score: options.VideoScore = "track",
    intervals: options.Intervals = options.INTERVALS,
    compute: options.ScoringCompute = options.SCORING_COMPUTE,
) -> int:
    """Measure detectors on labelled pictures: every metric with intervals, by source, manipulation, compression, size.

    Exit code 3 if nothing could be scored.

    Args:
        out: folder for rows.csv, metrics.csv, metrics.json, report.html and the scores; run the same command again to
            resume
    """
    from corit.detect.video_score import VideoScore
    from corit.evaluate.run import ScoringOptions, describe, evaluate_detectors
    from corit.evaluate.slices import compare
    from corit.progress import progress_bar
    from corit.report.evaluate import remarks, table, write
    from corit.report.text import print_text

    scoring = ScoringOptions(compute.batch, compute.workers, progress_bar)
    rows = pictures.open()
    loaded = detectors.load(compute.device)
    evaluations = evaluate_detectors(
        loaded,
        rows,
        out,
        draws=intervals.draws,
        seed=intervals.seed,
        video_score=VideoScore(video_score),
        scoring=scoring,
    )
    comparisons, warnings = compare(evaluations), remarks(evaluations)
    write(out, evaluations, comparisons, describe(loaded, rows), intervals.draws, warnings)
    print_text(table(evaluations, comparisons, warnings))
    print_text(str(out / "report.html"))
    return exit_codes.DONE
