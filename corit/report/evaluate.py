"""What `corit evaluate` leaves: rows and metrics as CSV and JSON, a page with curves, and a table for the terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from rich.table import Table

from corit.evaluate.curve import Ranking
from corit.evaluate.measures import TITLES
from corit.evaluate.rows import FIELDS
from corit.evaluate.slices import Comparison, Evaluation, Level
from corit.report import page
from corit.report.text import csv_text, interval, printed
from corit.whole import write_whole

COLUMNS = (
    *("detector", "level", "slice", "name", "reals", "fakes", "unscored", "units"),
    *("metric", "value", "low", "high"),
)
BINS = 10  # of the reliability diagram
SHARES = {"found": "share of fakes called fake", "false": "share of reals called fake"}


def write(
    folder: Path,
    evaluations: Sequence[Evaluation],
    comparisons: Sequence[Comparison],
    about: Mapping[str, Mapping[str, str]],
    draws: int = 1000,
) -> None:
    """Write rows.csv, metrics.csv, metrics.json and report.html, each whole or not at all.

    about: what is known of each detector, by name and then by word, and of the data, under "data". draws: of intervals.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = ((e.detector, *(getattr(r, f) for f in FIELDS)) for e in evaluations for r in e.rows)
    write_whole(folder / "rows.csv", csv_text(chain([("detector", *FIELDS)], rows)))
    write_whole(folder / "metrics.csv", csv_text(chain([COLUMNS], *map(_lines, evaluations))))
    write_whole(folder / "metrics.json", json.dumps(record(evaluations, comparisons, about), indent=2) + "\n")
    page.write(
        "evaluate.html",
        folder / "report.html",
        evaluations=evaluations,
        comparisons=comparisons,
        about=about,
        draws=draws,
        titles={**TITLES, **SHARES},
        figures={level: page.figure(_figure(evaluations, level)) for level in evaluations[0].levels},
        interval=interval,
        kinds=("source", "manipulation", "compression", "size"),
    )


def record(
    evaluations: Sequence[Evaluation], comparisons: Sequence[Comparison], about: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """Everything measured, without the rows."""
    found = {
        e.detector: {
            "threshold": e.threshold,
            "unscored": dict(e.unscored),
            "slices": [{**asdict(s), "metrics": {m: asdict(v) for m, v in s.metrics.items()}} for s in e.slices],
        }
        for e in evaluations
    }
    known = {k: dict(v) for k, v in about.items()}
    return {"about": known, "detectors": found, "delong": [asdict(c) for c in comparisons]}


def table(evaluations: Sequence[Evaluation], comparisons: Sequence[Comparison]) -> str:
    """Every metric of every detector on all rows, what could not be scored, and DeLong's tests."""
    made = Table(box=None, pad_edge=False)
    made.add_column("")
    wholes = [(e, e.whole(level)) for e in evaluations for level in e.levels]
    for e, s in wholes:
        made.add_column(f"{e.detector}, by {s.level}")
    made.add_row("reals, fakes", *(f"{s.reals}, {s.fakes}" for _, s in wholes))
    made.add_row("videos or sources", *(f"{s.units}" for _, s in wholes))
    for metric, title in TITLES.items():
        made.add_row(title, *(interval(s.metrics[metric]) for _, s in wholes))
    lines = [printed(made)]
    for e in evaluations:
        lost = ", ".join(f"{n} {status}" for status, n in e.unscored.items())
        lines += [f"{e.detector}: not scored: {lost}"] if lost else []
    return "\n".join([*lines, *map(_compared, comparisons)])


def _compared(c: Comparison) -> str:
    if c.p is None:
        return f"DeLong by {c.level}: {c.first} and {c.second} are not compared: {c.reason}"
    first, second = f"{c.auc_first:.3f} of {c.first}", f"{c.auc_second:.3f} of {c.second}"
    return f"DeLong by {c.level}: AUC {first}, {second}, p = {c.p:.3g}, n = {c.n}"


def _lines(e: Evaluation) -> Iterator[tuple[object, ...]]:
    """A line for each slice and metric; shares at the threshold have no interval."""
    for s in e.slices:
        head = (e.detector, s.level, s.by, s.name, s.reals, s.fakes, s.unscored, s.units)
        yield from ((*head, m, *(f"{v:.6f}" for v in (x.value, x.low, x.high))) for m, x in s.metrics.items())
        yield from ((*head, m, f"{v:.6f}", "", "") for m in SHARES if (v := getattr(s, m)) is not None)


def _scores(e: Evaluation, level: Level) -> tuple[np.ndarray, np.ndarray]:
    rows = e.scored(level)
    return np.array([r.label for r in rows]), np.array([r.score for r in rows], dtype=np.float64)


def _figure(evaluations: Sequence[Evaluation], level: Level) -> Figure:
    """ROC curves and reliability of all detectors, then a histogram of the scores of each."""
    made = Figure(figsize=(10.5, 3.6 + 2.1 * len(evaluations)))
    grid = made.add_gridspec(1 + len(evaluations), 2, height_ratios=[3.2, *[1.6] * len(evaluations)])
    roc, reliability = made.add_subplot(grid[0, 0]), made.add_subplot(grid[0, 1])
    for i, e in enumerate(evaluations):
        labels, scores = _scores(e, level)
        curve = Ranking(labels, scores).curve()
        roc.plot(curve.fpr, curve.tpr, label=f"{e.detector}, AUC {curve.auc():.3f}")
        _reliability(reliability, labels, scores, e)
        _histogram(made.add_subplot(grid[1 + i, :]), labels, scores, e)
    roc.plot([0, 1], [0, 1], color="#b9c2cd", linewidth=0.8)
    roc.set(xlabel="share of reals called fake", ylabel="share of fakes called fake", title=f"ROC by {level}")
    roc.legend(loc="lower right", fontsize=8)
    reliability.plot([0, 1], [0, 1], color="#b9c2cd", linewidth=0.8)
    reliability.set(xlabel="score", ylabel="share of fakes", title="calibration", xlim=(0, 1), ylim=(-0.02, 1.02))
    reliability.legend(loc="best", fontsize=8)
    made.tight_layout()
    return made


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
