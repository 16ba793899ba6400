"""Figure 5: the AUC over a training much longer than the paper's, epoch by epoch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

from corit.bench.benchmark import predict
from corit.bench.detectors import describe_counts
from corit.bench.protocols import Protocol
from corit.bench.rows import ProtocolRows, require_disjoint, require_recipe, select_rows
from corit.bench.runner import FeatureRequest, Runner, feature_requests
from corit.bench.variant import CORIT, UNIFD, RecipeVariant
from corit.heads.defaults import limit_batch
from corit.heads.fit import Observation, fit
from corit.heads.head import Head, HeadRecipe
from corit.heads.problem import standardised_problem
from corit.metrics.auc import auc
from corit.paper.artefact import Content, Maker

PROTOCOL = "cross-dataset"
VARIANTS = {"UniFD": UNIFD, "CoRIT": CORIT}
LONGER = 10  # times the run's epochs


def needs(runner: Runner) -> list[FeatureRequest]:
    """List the features that the figure reads."""
    return feature_requests(runner.protocol(PROTOCOL), VARIANTS.values())


def make(runner: Runner) -> Content:
    """Draw the mean AUC over the test sets after each epoch, median and range over head seeds."""
    protocol = runner.protocol(PROTOCOL)
    courses: dict[str, np.ndarray] = {}
    for name, variant in VARIANTS.items():
        courses[name], counts = auc_course(runner, protocol, variant)  # the same rows for both
    epochs = len(next(iter(courses.values())))
    numbers = [("epoch", *(f"{n} {w}" for n in courses for w in ("median", "low", "high")))]
    for e in range(epochs):
        values = (f(c[e]) for c in courses.values() for f in (np.median, np.min, np.max))
        numbers.append((str(e + 1), *(f"{v:.4f}" for v in values)))
    notes = (
        runner.testbed.describe_stand_ins(tuple(s.title for s in protocol.test)),
        describe_counts(counts, protocol),
        f"No epoch is chosen: each point is the head as it is then, {LONGER} times longer than the run's training.",
        "Lines: medians over head seeds; bands: their range, not an interval over videos.",
    )
    head = f"{runner.caption['head']} in the tables, {epochs} here"
    caption = {"protocol": PROTOCOL, "metric": "mean AUC over test sets", "head": head}
    figures = (draw(courses, runner.settings.head.epochs),)
    return Content(figures=figures, notes=tuple(filter(None, notes)), numbers=tuple(numbers), caption=caption)


def auc_course(
    runner: Runner, protocol: Protocol, variant: RecipeVariant
) -> tuple[np.ndarray, dict[str, tuple[int, int, int]]]:
    """Train heads for LONGER times the run's epochs and measure them at the end of each epoch.

    Returns:
        Mean test AUC (E, S) by epoch and head seed; and reals, fakes and rows without a score of each test set.

    Raises:
        DataError: when test rows are among the rows to train on or to select by.
    """
    stores = runner.stores(protocol, variant)
    require_recipe(protocol, stores)
    train, select = (select_rows(protocol, s, stores) for s in (protocol.train, protocol.select))
    tests = {s.title: select_rows(protocol, [s], stores) for s in protocol.test}
    for test in tests.values():
        require_disjoint(protocol, train, test, "train on")
        require_disjoint(protocol, select, test, "select by")
    own = runner.settings.head
    head = limit_batch(replace(own, epochs=LONGER * own.epochs), len(train))
    heads = heads_by_epoch(runner, train, select, head, variant.name)
    predictions = {title: predict(protocol, rows, [h.logits for h in heads]) for title, rows in tests.items()}
    aucs = [[auc(p.labels, s) for s in p.scores] for p in predictions.values()]
    counts = {
        title: (int((p.labels == 0).sum()), int((p.labels == 1).sum()), sum(tests[title].unscored.values()))
        for title, p in predictions.items()
    }
    return np.mean(aucs, axis=0).reshape(head.epochs, len(runner.settings.seeds)), counts


def heads_by_epoch(
    runner: Runner, train: ProtocolRows, select: ProtocolRows, recipe: HeadRecipe, name: str
) -> list[Head]:
    """Train heads and return those at the end of each epoch (E S), epoch by epoch, one for each seed."""
    task = standardised_problem(train.rows, train.y, select.rows, select.y, recipe)
    per_epoch = len(train) // recipe.batch
    heads: dict[tuple[int, int], Head] = {}

    def observe(observation: Observation) -> None:
        for g, (_, seed) in enumerate(observation.lanes.tolist()):
            weight, bias = observation.weight[g, 0].clone(), observation.bias[g, 0].clone()
            heads[observation.step // per_epoch, seed] = Head(weight, bias, task.standardiser, recipe)

    seeds = runner.settings.seeds
    with runner.bars(f"long training on {name}") as progress:
        steps = per_epoch * recipe.epochs + 1  # one more, to observe the last epoch's head
        at = lambda step: step > 0 and step % per_epoch == 0
        fit([task], recipe, seeds=seeds, steps=steps, observer=observe, observe_at=at, progress=progress)
    return [heads[e + 1, s] for e in range(recipe.epochs) for s in range(len(seeds))]


def draw(courses: dict[str, np.ndarray], epochs_of_run: int) -> Figure:
    """Draw the AUC (E, S) of each detector, and the epoch at which the run's own training ends."""
    figure = Figure(figsize=(7, 3.6))
    axis = figure.subplots()
    for name, values in courses.items():
        epochs = np.arange(1, len(values) + 1)
        axis.plot(epochs, np.median(values, axis=1), label=f"{name}, median of {values.shape[1]} seeds")
        axis.fill_between(epochs, values.min(1), values.max(1), alpha=0.2)
    axis.axvline(epochs_of_run, color="#7b8794", linestyle=":", label="the tables' training ends here")
    axis.axhline(0.5, color="#b9c2cd", linewidth=0.8)
    axis.set(xlabel="epoch", ylabel="mean AUC over test sets")
    axis.legend(fontsize=8)
    figure.tight_layout()
    return figure


LONG_TRAINING = Maker(needs, make)
