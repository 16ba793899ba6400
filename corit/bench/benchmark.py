"""One protocol run: feature stores and a head -> data set, metric, value, interval, counts, seconds, seeds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from corit.bench.protocols import Protocol, Selection
from corit.bench.rows import ProtocolRows, Unit, require_disjoint, require_recipe, select_rows
from corit.data.frames import video_key
from corit.data.sample import Sample
from corit.errors import DataError
from corit.features.store import FeatureStore
from corit.heads.fit import fit
from corit.heads.head import Head, HeadRecipe
from corit.heads.problem import standardised_problem
from corit.heads.rows import chunks
from corit.metrics.bootstrap import Estimate
from corit.metrics.delong import DeLong, delong
from corit.metrics.measures import HeadScores, estimates
from corit.metrics.threshold import best_on_test, best_threshold
from corit.metrics.video import Mixed, mean_by_video
from corit.progress import Progress, no_progress

BEST_ON_TEST = "best on test"
# Raw features (n, D) -> logits (n).
Scorer = Callable[[Tensor], Tensor]
# Rows to train on, rows to select by, head seeds -> one scorer a seed.
Learner = Callable[[ProtocolRows, ProtocolRows, Sequence[int]], Sequence[Scorer]]


@dataclass(frozen=True)
class Result:
    """One metric of one detector on one test set.

    Attributes:
        protocol: the protocol's name.
        detector: the detector's name.
        data: the test set's title.
        level: "frame" or "video".
        metric: the metric's name.
        value: median over the head seeds.
        low: lower end of the 95 % percentile interval of that median, over bootstrap draws of videos, or of sources
            with `by="source"`.
        high: its upper end.
        reals: real pictures or videos that were measured.
        fakes: fake pictures or videos that were measured.
        unscored: rows that could not be measured.
        seeds: the head seeds, empty for a head that was trained before.
        seconds: duration of the whole protocol run.
        label: empty, or "best on test" where the test rows themselves chose: never a result to report.
    """

    protocol: str
    detector: str
    data: str
    level: str
    metric: str
    value: float
    low: float
    high: float
    reals: int
    fakes: int
    unscored: int
    seeds: tuple[int, ...]
    seconds: float
    label: str = ""

    @property
    def n(self) -> int:
        """Pictures or videos measured."""
        return self.reals + self.fakes


@dataclass(frozen=True)
class Predictions:
    """Scores of n pictures or videos by S heads.

    Attributes:
        keys: names of the pictures or videos, n.
        labels: (n), 0 real, 1 fake.
        scores: probabilities (S, n).
        groups: (n), what an interval draws: the video or source of each.
        rows: (n), a row of the `ProtocolRows` that each belongs to, for its metadata.
    """

    keys: tuple[str, ...]
    labels: np.ndarray
    scores: np.ndarray
    groups: np.ndarray
    rows: np.ndarray


@dataclass(frozen=True)
class Benchmark:
    """The results of one detector under one protocol.

    Attributes:
        results: one for each test set, metric and label.
        predictions: the scores behind them, by test set.
    """

    results: tuple[Result, ...]
    predictions: Mapping[str, Predictions] = field(repr=False)

    def value(self, data: str, metric: str, label: str = "") -> Result:
        """Return one result.

        Raises:
            DataError: when it was not measured.
        """
        for r in self.results:
            if (r.data, r.metric, r.label) == (data, metric, label):
                return r
        raise DataError(
            f"no {metric} of {data} {label}; there are {[(r.data, r.metric, r.label) for r in self.results]}"
        )

    def average(self, metric: str, label: str = "") -> float:
        """Return the unweighted mean of a metric over the test sets, as tables of the field do."""
        return float(np.mean([r.value for r in self.results if (r.metric, r.label) == (metric, label)]))


@dataclass(frozen=True)
class _Run:
    """The rows of a protocol run, and what it draws and trains."""

    protocol: Protocol
    train: ProtocolRows | None  # None for a head that is trained already
    select: ProtocolRows
    tests: Mapping[str, ProtocolRows]
    seeds: tuple[int, ...]
    by: Unit
    draws: int

    def predict(self, rows: ProtocolRows, scorers: Sequence[Scorer]) -> Predictions:
        return predict(self.protocol, rows, scorers, self.by)

    def train_heads(self, learn: Learner, select: ProtocolRows) -> Sequence[Scorer]:
        assert self.train is not None  # a learner always has rows to train on
        return learn(self.train, select, self.seeds)


_Measurement = tuple[str, str, str, Estimate]  # test set, metric, label, estimate


def benchmark(
    protocol: Protocol,
    stores: Mapping[str, FeatureStore],
    head: HeadRecipe | Head | Learner,
    *,
    detector: str = "",
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    layers: Sequence[int] = (),
    oracle: bool = False,
    by: Unit = "video",
    draws: int = 1000,
    progress: Progress = no_progress,
) -> Benchmark:
    """Train on a protocol's rows, select on its validation rows, and measure each test set once.

    The score of a picture or video is sigmoid(logit). A picture with several faces takes the score of its most
    suspicious face, a video the mean over its frames.

    Args:
        protocol: the protocol.
        stores: feature stores of one recipe, by the data set's name.
        head: a recipe to train; a trained head, for which train rows are not read; or a learner of your own.
        detector: the detector's name in the results.
        seeds: head seeds.
        layers: layers in place of the integrated feature z, see `corit.bench.rows.select_rows`.
        oracle: adds results labelled "best on test": AUC and AP of the epoch, and accuracy of the threshold, that are
            best on the test rows themselves.
        by: what the intervals draw, videos or sources.
        draws: bootstrap draws.
        progress: called with training steps done and in all.

    Raises:
        DataError: when rows are missing; when test rows are among the rows to train on or to select by; when the
            stores are not of one recipe, or their recipe lacks the protocol's transform.
    """
    started = time.monotonic()
    require_recipe(protocol, stores)
    tests = {s.title: select_rows(protocol, [s], stores, layers) for s in protocol.test}
    select = _choosing_rows(protocol, protocol.select, stores, layers, tests, "select by")
    trained = isinstance(head, Head)
    train = None if trained else _choosing_rows(protocol, protocol.train, stores, layers, tests, "train on")
    run = _Run(protocol, train, select, tests, tuple(seeds), by, draws)
    learn = head_learner(head, progress) if isinstance(head, HeadRecipe) else head
    scorers = [learn.logits] if isinstance(learn, Head) else run.train_heads(learn, select)
    predictions = {title: run.predict(rows, scorers) for title, rows in tests.items()}
    measurements = list(_measure(run, scorers, predictions, None if isinstance(learn, Head) else learn, oracle))
    seconds = time.monotonic() - started
    own = () if trained else run.seeds
    return Benchmark(tuple(_result(run, detector, predictions, m, own, seconds) for m in measurements), predictions)


def _choosing_rows(
    protocol: Protocol,
    selections: Sequence[Selection],
    stores: Mapping[str, FeatureStore],
    layers: Sequence[int],
    tests: Mapping[str, ProtocolRows],
    role: str,
) -> ProtocolRows:
    """Rows that decide something: checked against every test set."""
    rows = select_rows(protocol, selections, stores, layers)
    for test in tests.values():
        require_disjoint(protocol, rows, test, role)
    return rows


def _measure(
    run: _Run,
    scorers: Sequence[Scorer],
    predictions: Mapping[str, Predictions],
    learn: Learner | None,
    oracle: bool,
) -> Iterator[_Measurement]:
    """Every metric of each test set at the validation threshold, then what is best on it where that is wanted."""
    valid = run.predict(run.select, scorers)
    thresholds = np.array([best_threshold(valid.labels, s) for s in valid.scores])
    for title, of in predictions.items():
        columns = HeadScores(of.labels, of.scores, thresholds, of.groups)
        for metric, e in estimates(columns, run.protocol.metrics, draws=run.draws).items():
            yield title, metric, "", e
        if oracle:
            yield from _best_on_test(run, title, of, learn)


def _best_on_test(run: _Run, title: str, of: Predictions, learn: Learner | None) -> Iterator[_Measurement]:
    """What papers often publish: the epoch, or the threshold, that is best on the test rows themselves."""
    ranked = [m for m in run.protocol.metrics if m in ("auc", "ap")]
    if ranked and learn is not None:
        test = run.tests[title]
        best = run.predict(test, run.train_heads(learn, test))
        columns = HeadScores(best.labels, best.scores, np.zeros(len(best.scores)), best.groups)
        for metric, e in estimates(columns, ranked, draws=run.draws).items():
            yield title, metric, BEST_ON_TEST, e
    if "acc" in run.protocol.metrics:
        thresholds = np.array([best_on_test(of.labels, s).threshold for s in of.scores])
        columns = HeadScores(of.labels, of.scores, thresholds, of.groups)
        yield title, "acc", BEST_ON_TEST, estimates(columns, ["acc-val"], draws=run.draws)["acc-val"]


def _result(
    run: _Run,
    detector: str,
    predictions: Mapping[str, Predictions],
    measurement: _Measurement,
    seeds: tuple[int, ...],
    seconds: float,
) -> Result:
    title, metric, label, e = measurement
    labels = predictions[title].labels
    return Result(
        run.protocol.name,
        detector,
        title,
        run.protocol.level,
        metric,
        e.value,
        e.low,
        e.high,
        reals=int((labels == 0).sum()),
        fakes=int((labels == 1).sum()),
        unscored=sum(run.tests[title].unscored.values()),
        seeds=seeds,
        seconds=round(seconds, 2),
        label=label,
    )


def head_learner(recipe: HeadRecipe, progress: Progress = no_progress) -> Learner:
    """Return the learner of a head recipe: it fits heads and chooses the epoch on the rows to select by."""

    def learn(train: ProtocolRows, select: ProtocolRows, seeds: Sequence[int]) -> list[Scorer]:
        task = standardised_problem(train.rows, train.y, select.rows, select.y, recipe)
        heads = fit([task], recipe, seeds=seeds, progress=progress)
        return [heads.head(seed=s).logits for s in range(len(seeds))]

    return learn


def predict(protocol: Protocol, rows: ProtocolRows, scorers: Sequence[Scorer], by: Unit = "video") -> Predictions:
    """Score pictures, or videos where the protocol's level is "video".

    Args:
        protocol: gives the level and the grouping of videos.
        rows: features of faces or pictures.
        scorers: the heads, S.
        by: what the intervals draw.
    """
    logits = torch.cat([torch.stack([f(c) for f in scorers]) for c in chunks(rows.rows)], dim=1)
    probabilities = torch.sigmoid(logits.double()).numpy()
    pictures = _pictures(rows, probabilities, by)
    return _videos(protocol, rows, pictures) if protocol.level == "video" else pictures


def _pictures(rows: ProtocolRows, scores: np.ndarray, by: Unit) -> Predictions:
    """(S, n) of faces -> of pictures: [choice] the highest of a picture's faces."""
    names = np.array([f"{d}\0{i}" for d, i in zip(rows.column("data"), rows.column("id"), strict=True)])
    keys, first, which = np.unique(names, return_index=True, return_inverse=True)
    highest = np.zeros((len(scores), len(keys)))
    for out, values in zip(highest, scores, strict=True):
        np.maximum.at(out, which, values)
    return Predictions(tuple(rows.column("id")[first].tolist()), rows.y[first], highest, rows.units(by)[first], first)


def _videos(protocol: Protocol, rows: ProtocolRows, pictures: Predictions) -> Predictions:
    """Scores of pictures -> means over the videos of the protocol's grouping."""
    videos, ids = rows.column("video")[pictures.rows], rows.column("id")[pictures.rows]
    samples = [Sample(i, i, None, video=v) for i, v in zip(ids.tolist(), videos.tolist(), strict=True)]
    keys = [video_key(s, protocol.grouping) for s in samples]
    mixed: Mixed = "real" if protocol.grouping == "dfb" else "refuse"
    means = [mean_by_video(keys, pictures.labels, s, mixed=mixed) for s in pictures.scores]
    first = np.unique(np.array(keys), return_index=True)[1]
    scores = np.stack([m.scores for m in means])
    return Predictions(means[0].keys, means[0].labels, scores, pictures.groups[first], pictures.rows[first])


def delong_test(first: Predictions, second: Predictions) -> DeLong:
    """Compare two detectors by DeLong's test, each by its mean probability over seeds, by video or source.

    Raises:
        DataError: when the rows are not the same.
    """
    if first.keys != second.keys or not np.array_equal(first.labels, second.labels):
        raise DataError(
            f"expected two detectors' scores of the same rows, got {len(first.keys)} and {len(second.keys)}; "
            "measure both by one protocol"
        )
    return delong(first.labels, first.scores.mean(0), second.scores.mean(0), first.groups)
