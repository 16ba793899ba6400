"""Files of `corit evaluate`: rows and metrics as CSV and JSON, a page with curves, and a table for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from rich.table import Table

from corit.evaluate.file_clues import file_clues
from corit.evaluate.rows import FIELDS
from corit.evaluate.run import Description
from corit.evaluate.slices import MAX_SLICES, MEASURED, Comparison, Evaluation, Level, Slice
from corit.files import write_text
from corit.metrics.bootstrap import Estimate
from corit.metrics.curve import Ranking
from corit.metrics.measures import METRIC_TITLES, BiasedEstimate
from corit.report import page
from corit.report.text import delong_text, escape_controls, interval_text, table_text
from corit.serialise import csv_text, json_text, number_text

COLUMNS = (
    *("detector", "level", "slice", "name", "reals", "fakes", "unscored", "units"),
    *("metric", "value", "low", "high"),
)
BINS = 10  # of the reliability diagram
APART = 0.01  # two equal error rates that are worth a remark
SHARES = {"found": "share of fakes called fake", "false": "share of reals called fake"}


def write(
    folder: Path,
    evaluations: Sequence[Evaluation],
    comparisons: Sequence[Comparison],
    about: Description,
    draws: int = 1000,
    remarks: Sequence[str] = (),
) -> None:
    """Write rows.csv, metrics.csv, metrics.json and report.html, each completely or not at all.

    Args:
        folder: for the files.
        evaluations: of the same data, at least one.
        comparisons: of these detectors.
        about: what is known about the data and each detector.
        draws: bootstrap draws behind the intervals.
        remarks: see `remarks`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = ((e.detector, *(getattr(r, f) for f in FIELDS)) for e in evaluations for r in e.rows)
    write_text(folder / "rows.csv", csv_text(chain([("detector", *FIELDS)], rows)))
    write_text(folder / "metrics.csv", csv_text(chain([COLUMNS], *map(_lines, evaluations))))
    write_text(folder / "metrics.json", json_text({**record(evaluations, comparisons, about), "remarks": [*remarks]}))
    page.write(
        "evaluate.html",
        folder / "report.html",
        evaluations=evaluations,
        comparisons=comparisons,
        about=about,
        draws=draws,
        titles={**{m: METRIC_TITLES[m] for m in MEASURED}, **SHARES},
        remarks=remarks,
        figures={level: page.figure(_figure(evaluations, level)) for level in evaluations[0].levels},
        interval=interval_text,
        kinds=("source", "manipulation", "compression", "size"),
    )


def record(evaluations: Sequence[Evaluation], comparisons: Sequence[Comparison], about: Description) -> dict[str, Any]:
    """Return everything that was measured, without the rows."""
    detectors = {
        e.detector: {
            "threshold": e.threshold,
            "video_score": e.video_score.name,
            "unscored": dict(e.unscored),
            "slices": [{**asdict(s), "metrics": {m: asdict(v) for m, v in s.metrics.items()}} for s in e.slices],
        }
        for e in evaluations
    }
    return {"about": asdict(about), "detectors": detectors, "delong": [asdict(c) for c in comparisons]}


def table(evaluations: Sequence[Evaluation], comparisons: Sequence[Comparison], remarks: Sequence[str] = ()) -> str:
    """Return a table of every metric of every detector over all rows, unscored rows, DeLong's tests, and remarks."""
    grid = Table(box=None, pad_edge=False)
    grid.add_column("", overflow="fold")
    wholes = [(e, e.overall(level)) for e in evaluations for level in e.levels]
    for e, s in wholes:
        grid.add_column(f"{e.detector}, by {s.level}", overflow="fold")
    grid.add_row("reals, fakes", *(f"{s.reals}, {s.fakes}" for _, s in wholes))
    grid.add_row("sources or videos", *(f"{s.units}" for _, s in wholes))
    for metric in MEASURED:
        grid.add_row(METRIC_TITLES[metric], *(interval_text(s.metrics[metric]) for _, s in wholes))
    lines = [table_text(grid)]
    for e in evaluations:
        lost = ", ".join(f"{n} {status}" for status, n in e.unscored.items())
        lines += [f"{e.detector}: not scored: {lost}"] if lost else []
    return "\n".join([*lines, *map(delong_text, comparisons), *map(escape_controls, remarks)])


def remarks(evaluations: Sequence[Evaluation]) -> list[str]:
    """Return what a reader must know before the numbers of all rows: what these rows, or their files, cannot tell."""
    texts: dict[tuple[Level, str], list[str]] = {}
    for e in evaluations:
        for level in e.levels:
            for text in _of(e, level):
                texts.setdefault((level, text), []).append(e.detector)
    lines = [f"{', '.join(names)}, by {level}: {text}" for (level, text), names in texts.items()]
    lines += list(dict.fromkeys(e.mixed for e in evaluations if e.mixed))
    many = {by: n for e in evaluations for by, n in e.many.items()}
    lines += [f"of {n} slices by {by} only the {MAX_SLICES} with the most rows are measured" for by, n in many.items()]
    return [*lines, *file_clues(evaluations[0].rows).warnings]


def _of(e: Evaluation, level: Level) -> Iterator[str]:
    """What all rows of a level cannot tell."""
    s = e.overall(level)
    coarse = [f"{share} %" for share, reals in ((1, 100), (5, 20)) if s.reals < reals]
    if coarse:
        yield f"TPR at {' and '.join(coarse)} FPR is TPR at no false positive, since there are only {s.reals} reals"
    error = s.metrics["ece"]
    if isinstance(error, BiasedEstimate) and error.low == 0:
        yield f"a calibrated detector would show a calibration error of about {error.noise:.3f} on these rows too"
    nearest, between = (s.metrics[m].value for m in ("eer", "eer-interpolated"))
    if s.tied and abs(nearest - between) >= APART:
        yield (
            "reals and fakes have equal scores where the error rates cross, so that no threshold is near it: the EER "
            f"of the nearest point, {nearest:.3f}, means little, the interpolated one, {between:.3f}, does"
        )


def _lines(e: Evaluation) -> Iterator[tuple[object, ...]]:
    """A line for each slice and metric, then for its shares at the threshold."""
    for s in e.slices:
        head = (e.detector, s.level, s.by, s.name, s.reals, s.fakes, s.unscored, s.units)
        yield from ((*head, m, *map(number_text, (x.value, x.low, x.high))) for m, x in _numbers(s))


def _numbers(s: Slice) -> Iterator[tuple[str, Estimate]]:
    yield from s.metrics.items()
    yield from ((m, x) for m in SHARES if (x := getattr(s, m)) is not None)


def _scores(e: Evaluation, level: Level) -> tuple[np.ndarray, np.ndarray]:
    rows = e.scored(level)
    return np.array([r.label for r in rows]), np.array([r.score for r in rows], dtype=np.float64)


def _figure(evaluations: Sequence[Evaluation], level: Level) -> Figure:
    """ROC curves and reliability of all detectors, then a histogram of the scores of each."""
    figure = Figure(figsize=(10.5, 3.6 + 2.1 * len(evaluations)))
    grid = figure.add_gridspec(1 + len(evaluations), 2, height_ratios=[3.2, *[1.6] * len(evaluations)])
    roc, reliability = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1])
    for i, e in enumerate(evaluations):
        labels, scores = _scores(e, level)
        curve = Ranking(labels, scores).curve()
        roc.plot(curve.fpr, curve.tpr, label=f"{e.detector}, AUC {curve.auc():.3f}")
        _reliability(reliability, labels, scores, e)
        _histogram(figure.add_subplot(grid[1 + i, :]), labels, scores, e)
    roc.plot([0, 1], [0, 1], color="#b9c2cd", linewidth=0.8)
    roc.set(xlabel="share of reals called fake", ylabel="share of fakes called fake", title=f"ROC by {level}")
    roc.legend(loc="lower right", fontsize=8)
    reliability.plot([0, 1], [0, 1], color="#b9c2cd", linewidth=0.8)
    reliability.set(xlabel="score", ylabel="share of fakes", title="calibration", xlim=(0, 1), ylim=(-0.02, 1.02))
    reliability.legend(loc="best", fontsize=8)
    figure.tight_layout()
    return figure


def _reliability(axis: Any, labels: np.ndarray, scores: np.ndarray, e: Evaluation) -> None:
    """The share of fakes in each tenth of the score; a marker's area is the number of rows there."""
    which = np.minimum((scores * BINS).astype(int), BINS - 1)
    count = np.bincount(which, minlength=BINS)
    at = np.flatnonzero(count)
    mean, share = (np.bincount(which, v, minlength=BINS)[at] / count[at] for v in (scores, labels))
    (line,) = axis.plot(mean, share, label=e.detector)
    axis.scatter(mean, share, s=10 + 120 * count[at] / count.sum(), color=line.get_color())


def _histogram(axis: Any, labels: np.ndarray, scores: np.ndarray, e: Evaluation) -> None:
    edges = np.linspace(0, 1, 41)
    for label, name, colour in ((0, "real", "#2e7d4f"), (1, "fake", "#c0392b")):
        axis.hist(scores[labels == label], edges, alpha=0.6, label=name, color=colour)
    axis.axvline(e.threshold, color="#1c2430", linestyle="--", linewidth=1, label="threshold")
    axis.set(xlabel="score", ylabel="rows", title=e.detector, xlim=(0, 1))
    axis.legend(fontsize=8)
