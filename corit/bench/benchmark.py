"""Protocol x feature stores x head -> rows of a table: data set, metric, value, interval, counts, seconds, seeds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from corit.bench.parts import Part, Unit, part, require_disjoint, require_recipe
from corit.bench.protocols import Protocol, Selection
from corit.data.frames import video_key
from corit.data.sample import Sample
from corit.errors import DataError
from corit.features.store import FeatureStore
from corit.heads.fit import fit, problem
from corit.heads.head import Head, HeadRecipe
from corit.heads.rows import chunks
from corit.metrics.bootstrap import Estimate
from corit.metrics.delong import DeLong, delong
from corit.metrics.measures import HeadScores, estimates
from corit.metrics.threshold import best_on_test, best_threshold
from corit.metrics.video import Mixed, mean_by_video
from corit.progress import Progress, no_progress

BEST_ON_TEST = "best on test"
# Raw features (n, D) -> logits (n). Rows to train on, rows to select by, seeds -> one scorer a seed.
Scorer = Callable[[Tensor], Tensor]
Learner = Callable[[Part, Part, Sequence[int]], Sequence[Scorer]]


@dataclass(frozen=True)
class Result:
    """One row of a table. `label` is empty, or "best on test" where the test rows themselves chose: never the result.

    value: median over the seeds, with the percentile interval of that median over draws of sources. reals, fakes: what
    was measured, pictures or videos; unscored: rows that could not be. seconds: of the whole protocol's run.
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
class Scored:
    """The rows of one column: keys (n) of pictures or videos, labels (n), probabilities (S, n), groups (n).

    groups: what is drawn for an interval. at (n): a row of the part that each belongs to, for its metadata.
    """

    keys: tuple[str, ...]
    labels: np.ndarray
    scores: np.ndarray
    groups: np.ndarray
    at: np.ndarray


@dataclass(frozen=True)
class Benchmark:
    """The rows of one protocol and detector, and the scores behind them, by test set."""

    results: tuple[Result, ...]
    scored: Mapping[str, Scored] = field(repr=False)

    def value(self, data: str, metric: str, label: str = "") -> Result:
        """One row. Raises DataError when it was not measured."""
        for r in self.results:
            if (r.data, r.metric, r.label) == (data, metric, label):
                return r
        raise DataError(
            f"no {metric} of {data} {label}; there are {[(r.data, r.metric, r.label) for r in self.results]}"
        )

    def average(self, metric: str, label: str = "") -> float:
        """The unweighted mean of a metric over the test sets, as the field's tables have it."""
        return float(np.mean([r.value for r in self.results if (r.metric, r.label) == (metric, label)]))


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
    """Train, select, and measure each test set of a protocol once.

    stores: features of one recipe by data set. head: a recipe to train, a head that is trained already (then train rows
    are not read), or a learner of one's own. layers: see `parts.part`. oracle: add rows labelled "best on test": AUC
    and AP of the epoch, accuracy of the threshold, that are best on the very test rows. by: what the intervals draw,
    videos or sources. Probabilities are sigmoid(logit); a picture with several faces has that of its most suspicious
    one, a video the mean of its frames'. Raises DataError when rows are missing, when test rows are among those trained
    on or selected by, and when the stores are not of one recipe, or of one without the protocol's transform.
    """
    started = time.monotonic()
    require_recipe(protocol, stores)
    tests = {s.title: part(protocol, [s], stores, layers) for s in protocol.test}
    select = _chosen(protocol, protocol.select, stores, layers, tests, "select by")
    train = None if isinstance(head, Head) else _chosen(protocol, protocol.train, stores, layers, tests, "train on")
    learn = learner(head, progress) if isinstance(head, HeadRecipe) else head
    scorers = [learn.logits] if isinstance(learn, Head) else learn(_given(train), select, seeds)
    valid = score(protocol, select, scorers, by)
    thresholds = np.array([best_threshold(valid.labels, s) for s in valid.scores])
    scored = {name: score(protocol, rows, scorers, by) for name, rows in tests.items()}
    found: list[tuple[str, str, str, Estimate]] = []
    for name, of in scored.items():
        columns = HeadScores(of.labels, of.scores, thresholds, of.groups)
        found += [(name, m, "", e) for m, e in estimates(columns, protocol.metrics, draws=draws).items()]
        if oracle:
            again = None if isinstance(learn, Head) else learn(_given(train), tests[name], seeds)
            found += _best_on_test(protocol, name, tests[name], of, again, by, draws)
    seconds = time.monotonic() - started
    kept = () if isinstance(head, Head) else tuple(seeds)
    rows = [
        Result(
            protocol.name,
            detector,
            name,
            protocol.level,
            metric,
            e.value,
            e.low,
            e.high,
            int((scored[name].labels == 0).sum()),
            int((scored[name].labels == 1).sum()),
            sum(tests[name].unscored.values()),
            kept,
            round(seconds, 2),
            label,
        )
        for name, metric, label, e in found
    ]
    return Benchmark(tuple(rows), scored)


def _chosen(
    protocol: Protocol,
    selections: Sequence[Selection],
    stores: Mapping[str, FeatureStore],
    layers: Sequence[int],
    tests: Mapping[str, Part],
    role: str,
) -> Part:
    """Rows that may decide something: checked against every test set."""
    found = part(protocol, selections, stores, layers)
    for test in tests.values():
        require_disjoint(protocol, found, test, role)
    return found


def _given(train: Part | None) -> Part:
    assert train is not None  # a learner always has rows to train on
    return train


def learner(recipe: HeadRecipe, progress: Progress = no_progress) -> Learner:
    """The learner of a head recipe: `fit`, with the epoch chosen on the rows to select by."""

    def learn(train: Part, select: Part, seeds: Sequence[int]) -> list[Scorer]:
        task = problem(train.rows, train.y, select.rows, select.y, recipe)
        done = fit([task], recipe, seeds=seeds, progress=progress)
        return [done.head(seed=s).logits for s in range(len(seeds))]

    return learn


def score(protocol: Protocol, rows: Part, scorers: Sequence[Scorer], by: Unit = "video") -> Scored:
    """The probabilities of a part's pictures, or of its videos where the protocol's level is that."""
    logits = torch.cat([torch.stack([f(c) for f in scorers]) for c in chunks(rows.rows)], dim=1)
    probabilities = torch.sigmoid(logits.double()).numpy()
    pictures = _pictures(rows, probabilities, by)
    return _videos(protocol, rows, pictures) if protocol.level == "video" else pictures


def _pictures(rows: Part, scores: np.ndarray, by: Unit) -> Scored:
    """(S, n) of faces -> of pictures: [choice] the highest of a picture's faces."""
    names = np.array([f"{d}\0{i}" for d, i in zip(rows.column("data"), rows.column("id"), strict=True)])
    keys, first, which = np.unique(names, return_index=True, return_inverse=True)
    most = np.zeros((len(scores), len(keys)))
    for out, values in zip(most, scores, strict=True):
        np.maximum.at(out, which, values)
    return Scored(tuple(rows.column("id")[first].tolist()), rows.y[first], most, rows.units(by)[first], first)


def _videos(protocol: Protocol, rows: Part, pictures: Scored) -> Scored:
    """Scores of pictures -> means over the videos of the protocol's grouping."""
    videos, ids = rows.column("video")[pictures.at], rows.column("id")[pictures.at]
    known = [Sample(i, i, None, video=v) for i, v in zip(ids.tolist(), videos.tolist(), strict=True)]
    keys = [video_key(s, protocol.grouping) for s in known]
    mixed: Mixed = "real" if protocol.grouping == "dfb" else "refuse"
    found = [mean_by_video(keys, pictures.labels, s, mixed=mixed) for s in pictures.scores]
    first = np.unique(np.array(keys), return_index=True)[1]
    scores = np.stack([f.scores for f in found])
    return Scored(found[0].keys, found[0].labels, scores, pictures.groups[first], pictures.at[first])


def _best_on_test(
    protocol: Protocol, name: str, test: Part, of: Scored, scorers: Sequence[Scorer] | None, by: Unit, draws: int
) -> list[tuple[str, str, str, Estimate]]:
    """What the field publishes: the epoch, or the threshold, that is best on the test rows themselves."""
    found = []
    ranked = [m for m in protocol.metrics if m in ("auc", "ap")]
    if ranked and scorers is not None:
        best = score(protocol, test, scorers, by)
        columns = HeadScores(best.labels, best.scores, np.zeros(len(best.scores)), best.groups)
        found += [(name, m, BEST_ON_TEST, e) for m, e in estimates(columns, ranked, draws=draws).items()]
    if "acc" in protocol.metrics:
        thresholds = np.array([best_on_test(of.labels, s).threshold for s in of.scores])
        columns = HeadScores(of.labels, of.scores, thresholds, of.groups)
        found += [(name, "acc", BEST_ON_TEST, estimates(columns, ["acc-val"], draws=draws)["acc-val"])]
    return found


def compare(first: Scored, second: Scored) -> DeLong:
    """DeLong's test of two detectors on the same rows, each by its mean probability over seeds, by video or source.

    Raises DataError when the rows are not the same.
    """
    if first.keys != second.keys or not np.array_equal(first.labels, second.labels):
        raise DataError(
            f"expected two detectors' scores of the same rows, got {len(first.keys)} and {len(second.keys)}; "
            "measure both by one protocol"
        )
    return delong(first.labels, first.scores.mean(0), second.scores.mean(0), first.groups)
