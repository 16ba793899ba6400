"""Detectors under one protocol: every test set and metric, DeLong's test of each pair, and the files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from itertools import combinations, product
from pathlib import Path
from typing import Any

from rich.table import Table

from corit import __version__
from corit.bench.benchmark import BEST_ON_TEST, Benchmark, Predictions, Result, delong_test
from corit.bench.detectors import DetectorSpec, unifd_with_published_head
from corit.bench.means import AVERAGED, mean_over_test_sets
from corit.bench.parts import MARK, incomplete
from corit.bench.protocols import Protocol, Selection
from corit.bench.runner import Runner, feature_requests
from corit.bench.variant import variant_of
from corit.detect.named import detector_entry
from corit.errors import DetectorError
from corit.evaluate.slices import Comparison, Level, comparison
from corit.files import write_text
from corit.metrics.bootstrap import Estimate
from corit.metrics.measures import METRIC_TITLES
from corit.report.text import delong_text, interval_text, table_text
from corit.serialise import csv_text, json_text

COLUMNS = tuple(f.name for f in fields(Result))


@dataclass(frozen=True)
class Scoreboard:
    """Detectors under one protocol.

    Attributes:
        protocol: the protocol.
        benchmarks: the results of each detector, by name.
        tests: DeLong's test of each pair of detectors, by test set.
        caption: fields to print below, such as world, backbone, head and seeds.
        draws: bootstrap draws.
        parts: by test set, the data sets that its values hang on of which only a part is there.
        lacks: by test set that is not there, the reason.
    """

    protocol: Protocol
    benchmarks: Mapping[str, Benchmark]
    tests: Mapping[str, tuple[Comparison, ...]]
    caption: Mapping[str, Any]
    draws: int
    parts: Mapping[str, str] = field(default_factory=dict)
    lacks: Mapping[str, str] = field(default_factory=dict)

    @property
    def results(self) -> tuple[Result, ...]:
        """All results, detector by detector."""
        return tuple(r for b in self.benchmarks.values() for r in b.results)


def scoreboard(runner: Runner, protocol: Protocol, detectors: Sequence[str], *, oracle: bool = False) -> Scoreboard:
    """Measure detectors under a protocol, on the same rows with the same head.

    Args:
        runner: the run.
        protocol: the protocol.
        detectors: names that `corit.detect.named` lists.
        oracle: adds results labelled "best on test", which the test rows chose: what papers often publish, never a
            result to report.

    Raises:
        DetectorError: for a detector that needs another backbone, or is unknown.
        DataError: as `corit.bench.benchmark.benchmark`.
    """
    if not detectors or len(set(detectors)) < len(detectors):
        raise DetectorError(f"expected detectors, each once, got {', '.join(detectors) or 'none'}")
    part = runner.part(protocol)
    protocol = part.protocol
    specs = {d: _spec(runner, d) for d in detectors}
    runner.prepare(r for s in specs.values() for r in feature_requests(protocol, [s.variant]))
    benchmarks = {
        d: runner.benchmark(protocol, s.variant, learn=s.learn and s.learn(runner), name=s.name, oracle=oracle)
        for d, s in specs.items()
    }
    tests = {s.title: tuple(_tests(s.title, protocol, benchmarks)) for s in protocol.test}
    stand_ins = runner.testbed.describe_stand_ins(tuple(s.title for s in protocol.test))
    shares = runner.shares([protocol])
    data = stand_ins or "; ".join(s.text for s in shares.values())
    caption = {**runner.caption, **({"data": data} if data else {})}
    learning = [s.data for s in (*protocol.train, *protocol.select)]
    parts = {s.title: incomplete(shares, [*learning, s.data]) for s in protocol.test} if shares else {}
    return Scoreboard(protocol, benchmarks, tests, caption, runner.settings.draws, parts, part.lacks)


def _spec(runner: Runner, name: str) -> DetectorSpec:
    if detector_entry(name).published:
        specs, notes = unifd_with_published_head(runner)
        if not specs:
            width = runner.backbone().projection
            reason = " ".join(notes) or f"it needs CLIP ViT-L/14's projection, and this backbone has {width or 'none'}"
            raise DetectorError(f"no detector {name} here: {reason}")
        return specs[0]
    return DetectorSpec(name, "", variant_of(name))


def _tests(title: str, protocol: Protocol, benchmarks: Mapping[str, Benchmark]) -> Iterator[Comparison]:
    level: Level = "video" if protocol.level == "video" else "picture"
    for a, b in combinations(benchmarks, 2):
        first, second = (benchmarks[d].predictions[title] for d in (a, b))
        yield comparison(level, a, b, len(first.keys), partial(delong_test, first, second))


def describe_protocol(protocol: Protocol) -> dict[str, str]:
    """Describe a protocol in words, by field."""
    frames = "all" if protocol.frames is None else f"{protocol.frames}, {protocol.choice}"
    return {
        "name": protocol.name,
        "trained on": ", ".join(_describe_rows(s, "train") for s in protocol.train),
        "selected on": ", ".join(_describe_rows(s, "val") for s in protocol.select),
        "tested on": ", ".join(_describe_rows(s, "test") for s in protocol.test),
        "level": protocol.level,
        "grouping": protocol.grouping,
        "frames of a video": frames,
        "transform": ", ".join(f"{k} = {v}" for k, v in protocol.transform),
        "metrics": ", ".join(protocol.metrics),
        "sampling": protocol.sampling,
        "in the paper": protocol.paper_tables or "not",
    }


def _describe_rows(of: Selection, default_split: str) -> str:
    """A selection in words; its split where it is not the default."""
    kinds = "+".join(of.manipulations)
    return (
        of.title
        + (f" ({kinds})" if kinds not in ("", of.title) else "")
        + f" {of.split or 'all'}" * (of.split != default_split)
    )


def table(board: Scoreboard) -> str:
    """Return the scoreboard as text: a table for each metric, detectors as columns, then DeLong's tests."""
    labels = dict.fromkeys(r.label for r in board.results)
    parts = [_table(board, m, label) for label in labels for m in board.protocol.metrics]
    lines = [f"{t}: {delong_text(c)}" for t, tests in board.tests.items() for c in tests]
    whole = dict.fromkeys(p for p in board.parts.values() if p)
    lines += [f"{MARK} of a part of the data: {'; '.join(whole)}"] if whole else []
    return "\n".join([*(p for p in parts if p), *lines])


def _table(board: Scoreboard, metric: str, label: str) -> str:
    rows = [r for r in board.results if (r.metric, r.label) == (metric, label)]
    if not rows:
        return ""
    text = Table(box=None, pad_edge=False)
    for name in ("", "reals, fakes", *dict.fromkeys(r.detector for r in rows)):
        text.add_column(name, overflow="fold")
    for title in dict.fromkeys(r.data for r in rows):
        of = [r for r in rows if r.data == title]
        lost = f", {of[0].unscored} without a score" if of[0].unscored else ""
        values = (interval_text(Estimate(r.value, r.low, r.high)) for r in of)
        mark = f" {MARK}" * bool(board.parts.get(title))
        text.add_row(title + mark, f"{of[0].reals}, {of[0].fakes}{lost}", *values)
    for title, reason in board.lacks.items():
        text.add_row(title, f"not measured: {reason}")
    if len(board.protocol.test) > 1:
        marked = bool(board.lacks) or any(board.parts.values())
        text.add_row(
            "mean" + f" {MARK}" * marked,
            "",
            *(_mean(board, d, metric, label) for d in dict.fromkeys(r.detector for r in rows)),
        )
    unit = "video" if board.protocol.level == "video" else "frame"
    warning = f", {label}: chosen on the test rows themselves, not a result" if label else ""
    return f"{METRIC_TITLES[metric]}, by {unit}{warning}\n{table_text(text)}\n"


def _mean(board: Scoreboard, detector: str, metric: str, label: str) -> str:
    """The mean over the test sets, with an interval where there is one of means."""
    bench = board.benchmarks[detector]
    if label or metric not in AVERAGED:
        return f"{bench.average(metric, label):.3f}"
    return interval_text(mean_over_test_sets(bench.predictions, metric, board.draws).estimate)


def write(board: Scoreboard, out: Path) -> tuple[Path, ...]:
    """Write results.csv, scores.csv and results.json into a folder, each atomically, and return their paths."""
    files = {
        "results.csv": csv_text(_results(board)),
        "scores.csv": csv_text([("detector", "data", "id", "label", "group", "score"), *_scores(board)]),
        "results.json": json_text(_record(board)),
    }
    for name, text in files.items():
        write_text(out / name, text)
    return tuple(out / name for name in files)


def _results(board: Scoreboard) -> Iterator[Sequence[object]]:
    """The lines of results.csv; of a run on parts, each says what was there, and what is not there follows."""
    partial = bool(board.parts or board.lacks)
    yield (*COLUMNS, *(["part"] if partial else []))
    for r in board.results:
        yield (*(_text(getattr(r, c)) for c in COLUMNS), *([board.parts.get(r.data, "")] if partial else []))
    empty = {"protocol": board.protocol.name, "level": board.protocol.level}
    for (detector, title), metric in product(product(board.benchmarks, board.lacks), board.protocol.metrics):
        cells = {**empty, "detector": detector, "data": title, "metric": metric}
        yield (*(cells.get(c, "") for c in COLUMNS), f"not measured: {board.lacks[title]}")


def _text(value: object) -> object:
    return "+".join(map(str, value)) if isinstance(value, tuple) else value


def _scores(board: Scoreboard) -> Iterator[tuple[object, ...]]:
    """Each picture or video with the mean probability of the heads, the one that DeLong's test compares."""
    for detector, bench in board.benchmarks.items():
        for title, predictions in bench.predictions.items():
            yield from ((detector, title, *row) for row in _lines(predictions))


def _lines(of: Predictions) -> Iterator[tuple[object, ...]]:
    for key, label, group, score in zip(of.keys, of.labels, of.groups, of.scores.mean(0), strict=True):
        yield key, int(label), str(group).replace("\0", " "), f"{score:.6f}"


def _record(board: Scoreboard) -> dict[str, Any]:
    return {
        "version": __version__,
        "protocol": describe_protocol(board.protocol),
        **board.caption,
        "best on test": f"rows labelled {BEST_ON_TEST!r} were chosen on the test rows and are not results",
        **({"part": {**board.parts}, "not measured": {**board.lacks}} if board.parts or board.lacks else {}),
        "results": [asdict(r) for r in board.results],
        "delong": {title: [asdict(c) for c in tests] for title, tests in board.tests.items()},
    }
