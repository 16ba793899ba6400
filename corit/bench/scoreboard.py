"""Detectors under one protocol: every test set and metric, DeLong's test of each two, and the files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

from rich.table import Table

from corit import __version__
from corit.bench.benchmark import BEST_ON_TEST, Benchmark, Result, Scored, compare
from corit.bench.draws import METRICS, mean
from corit.bench.entry import Entry, published
from corit.bench.lab import Lab, needs
from corit.bench.protocols import Protocol, Selection
from corit.bench.variant import of
from corit.detect.named import entry
from corit.errors import DetectorError
from corit.evaluate.slices import Comparison, Level, comparison
from corit.files import write_text
from corit.metrics.bootstrap import Estimate
from corit.metrics.measures import METRIC_TITLES
from corit.report.text import compared, interval, printed
from corit.serialise import csv_text, json_text

COLUMNS = tuple(f.name for f in fields(Result))


@dataclass(frozen=True)
class Scoreboard:
    """What a protocol gave: a benchmark by detector; by test set DeLong's tests; and what to say under it all."""

    protocol: Protocol
    found: Mapping[str, Benchmark]
    compared: Mapping[str, tuple[Comparison, ...]]
    caption: Mapping[str, Any]
    draws: int

    @property
    def results(self) -> tuple[Result, ...]:
        """All rows, detector by detector."""
        return tuple(r for b in self.found.values() for r in b.results)


def scoreboard(lab: Lab, protocol: Protocol, detectors: Sequence[str], *, oracle: bool = False) -> Scoreboard:
    """Measure detectors of `corit.detect.named` under a protocol, from the same rows with the same head.

    oracle: add rows labelled "best on test", which the test rows chose: what the field publishes, never a result.
    Raises DetectorError for a detector that cannot be had on the run's backbone, and as `benchmark`.
    """
    if not detectors or len(set(detectors)) < len(detectors):
        raise DetectorError(f"expected detectors, each once, got {', '.join(detectors) or 'none'}")
    entries = {d: _entry(lab, d) for d in detectors}
    lab.prepare(n for e in entries.values() for n in needs(protocol, [e.variant]))
    found = {
        d: lab.benchmark(protocol, e.variant, learn=e.learn and e.learn(lab), name=e.name, oracle=oracle)
        for d, e in entries.items()
    }
    tests = {s.title: tuple(_tests(s.title, protocol, found)) for s in protocol.test}
    stand_ins = lab.stage.standing(tuple(s.title for s in protocol.test))
    caption = {**lab.caption, **({"data": stand_ins} if stand_ins else {})}
    return Scoreboard(protocol, found, tests, caption, lab.draws)


def _entry(lab: Lab, name: str) -> Entry:
    if entry(name).published:
        rows, said = published(lab)
        if not rows:
            width = lab.backbone().projection
            reason = " ".join(said) or f"it needs CLIP ViT-L/14's projection, and this backbone has {width or 'none'}"
            raise DetectorError(f"no detector {name} here: {reason}")
        return rows[0]
    return Entry(name, "", of(name))


def _tests(title: str, protocol: Protocol, found: Mapping[str, Benchmark]) -> Iterator[Comparison]:
    level: Level = "video" if protocol.level == "video" else "picture"
    for a, b in combinations(found, 2):
        first, second = (found[d].scored[title] for d in (a, b))
        yield comparison(level, a, b, len(first.keys), partial(compare, first, second))


def described(protocol: Protocol) -> dict[str, str]:
    """What a protocol says, in words, by field."""
    frames = "all" if protocol.frames is None else f"{protocol.frames}, {protocol.choice}"
    return {
        "name": protocol.name,
        "trained on": ", ".join(_rows(s, "train") for s in protocol.train),
        "selected on": ", ".join(_rows(s, "val") for s in protocol.select),
        "tested on": ", ".join(_rows(s, "test") for s in protocol.test),
        "level": protocol.level,
        "grouping": protocol.grouping,
        "frames of a video": frames,
        "transform": ", ".join(f"{k} = {v}" for k, v in protocol.transform),
        "metrics": ", ".join(protocol.metrics),
        "sampling": protocol.sampling,
        "in the paper": protocol.table or "not",
    }


def _rows(of: Selection, usual: str) -> str:
    """A selection in words; its split where it is not the usual one."""
    kinds = "+".join(of.manipulations)
    return (
        of.title
        + (f" ({kinds})" if kinds not in ("", of.title) else "")
        + f" {of.split or 'all'}" * (of.split != usual)
    )


def table(board: Scoreboard) -> str:
    """Each metric with a column for each detector and a row for each test set, then their mean, then the tests."""
    labels = dict.fromkeys(r.label for r in board.results)
    parts = [_table(board, m, label) for label in labels for m in board.protocol.metrics]
    said = [f"{t}: {compared(c)}" for t, tests in board.compared.items() for c in tests]
    return "\n".join([*(p for p in parts if p), *said])


def _table(board: Scoreboard, metric: str, label: str) -> str:
    rows = [r for r in board.results if (r.metric, r.label) == (metric, label)]
    if not rows:
        return ""
    made = Table(box=None, pad_edge=False)
    for name in ("", "reals, fakes", *dict.fromkeys(r.detector for r in rows)):
        made.add_column(name, overflow="fold")
    for title in dict.fromkeys(r.data for r in rows):
        of = [r for r in rows if r.data == title]
        lost = f", {of[0].unscored} without a score" if of[0].unscored else ""
        values = (interval(Estimate(r.value, r.low, r.high)) for r in of)
        made.add_row(title, f"{of[0].reals}, {of[0].fakes}{lost}", *values)
    if len(board.protocol.test) > 1:
        made.add_row("mean", "", *(_mean(board, d, metric, label) for d in dict.fromkeys(r.detector for r in rows)))
    unit = "video" if board.protocol.level == "video" else "frame"
    warning = f", {label}: chosen on the test rows themselves, not a result" if label else ""
    return f"{METRIC_TITLES[metric]}, by {unit}{warning}\n{printed(made)}\n"


def _mean(board: Scoreboard, detector: str, metric: str, label: str) -> str:
    """The mean over the test sets, with an interval where there is one of means."""
    bench = board.found[detector]
    if label or metric not in METRICS:
        return f"{bench.average(metric, label):.3f}"
    return interval(mean(bench.scored, metric, board.draws).estimate)


def write(board: Scoreboard, out: Path) -> tuple[Path, ...]:
    """results.csv, scores.csv and results.json in a folder, each whole or not at all."""
    results = [[_text(getattr(r, c)) for c in COLUMNS] for r in board.results]
    files = {
        "results.csv": csv_text([COLUMNS, *results]),
        "scores.csv": csv_text([("detector", "data", "id", "label", "group", "score"), *_scores(board)]),
        "results.json": json_text(_record(board)),
    }
    for name, text in files.items():
        write_text(out / name, text)
    return tuple(out / name for name in files)


def _text(value: object) -> object:
    return "+".join(map(str, value)) if isinstance(value, tuple) else value


def _scores(board: Scoreboard) -> Iterator[tuple[object, ...]]:
    """Each picture or video with the mean probability of the heads, the one that DeLong's test compares."""
    for detector, bench in board.found.items():
        for title, scored in bench.scored.items():
            yield from ((detector, title, *row) for row in _lines(scored))


def _lines(of: Scored) -> Iterator[tuple[object, ...]]:
    for key, label, group, score in zip(of.keys, of.labels, of.groups, of.scores.mean(0), strict=True):
        yield key, int(label), str(group).replace("\0", " "), f"{score:.6f}"


def _record(board: Scoreboard) -> dict[str, Any]:
    return {
        "version": __version__,
        "protocol": described(board.protocol),
        **board.caption,
        "best on test": f"rows labelled {BEST_ON_TEST!r} were chosen on the test rows and are not results",
        "results": [asdict(r) for r in board.results],
        "delong": {title: [asdict(c) for c in tests] for title, tests in board.compared.items()},
    }
