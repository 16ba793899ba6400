"""Figure 5: the AUC over a training much longer than the paper's, epoch by epoch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

from corit.bench.benchmark import score
from corit.bench.entry import counted
from corit.bench.lab import Lab, Need
from corit.bench.lab import needs as needed
from corit.bench.parts import Part, part, require_disjoint, require_recipe
from corit.bench.protocols import Protocol
from corit.bench.variant import CORIT, UNIFD, Variant
from corit.heads.defaults import limit_batch
from corit.heads.fit import Observation, fit, problem
from corit.heads.head import Head, HeadRecipe
from corit.metrics.auc import auc
from corit.paper.artefact import Content, Maker

PROTOCOL = "cross-dataset"
VARIANTS = {"UniFD": UNIFD, "CoRIT": CORIT}
LONGER = 10  # times the run's epochs


def needs(lab: Lab) -> list[Need]:
    """The features that it reads."""
    return needed(lab.stage.protocol(PROTOCOL), VARIANTS.values())


def make(lab: Lab) -> Content:
    """Mean AUC over the test sets after each epoch, median and range over head seeds."""
    of = lab.stage.protocol(PROTOCOL)
    courses: dict[str, np.ndarray] = {}
    for name, variant in VARIANTS.items():
        courses[name], counts = course(lab, of, variant)  # the same rows for both
    epochs = len(next(iter(courses.values())))
    numbers = [("epoch", *(f"{n} {w}" for n in courses for w in ("median", "low", "high")))]
    for e in range(epochs):
        values = (f(c[e]) for c in courses.values() for f in (np.median, np.min, np.max))
        numbers.append((str(e + 1), *(f"{v:.4f}" for v in values)))
    notes = (
        lab.stage.standing(tuple(s.title for s in of.test)),
        counted(counts, of),
        f"No epoch is chosen: each point is the head as it is then, {LONGER} times longer than the run's training.",
        "Lines: medians over head seeds; bands: their range, not an interval over videos.",
    )
    said = f"{lab.caption['head']} in the tables, {epochs} here"
    caption = {"protocol": PROTOCOL, "metric": "mean AUC over test sets", "head": said}
    figures = (draw(courses, lab.head.epochs),)
    return Content(figures=figures, notes=tuple(filter(None, notes)), numbers=tuple(numbers), caption=caption)


def course(lab: Lab, of: Protocol, variant: Variant) -> tuple[np.ndarray, dict[str, tuple[int, int, int]]]:
    """Mean test AUC (E, S) at the end of each epoch; and reals, fakes and rows without a score of each test set.

    Raises DataError where test rows are among those trained on or validated by.
    """
    stores = lab.stores(of, variant)
    require_recipe(of, stores)
    tr, va = (part(of, s, stores) for s in (of.train, of.select))
    tests = [part(of, [s], stores) for s in of.test]
    for test in tests:
        require_disjoint(of, tr, test, "train on")
        require_disjoint(of, va, test, "select by")
    head = limit_batch(replace(lab.head, epochs=LONGER * lab.head.epochs), len(tr))
    heads = trained(lab, tr, va, head, variant.name)
    scored = [score(of, t, [h.logits for h in heads]) for t in tests]
    areas = [[auc(s.labels, p) for p in s.scores] for s in scored]
    counts = {
        of.test[k].title: (int((s.labels == 0).sum()), int((s.labels == 1).sum()), sum(tests[k].unscored.values()))
        for k, s in enumerate(scored)
    }
    return np.mean(areas, axis=0).reshape(head.epochs, len(lab.seeds)), counts


def trained(lab: Lab, tr: Part, va: Part, recipe: HeadRecipe, name: str) -> list[Head]:
    """The heads at the end of each epoch (E S), epoch by epoch, one for each seed."""
    task = problem(tr.rows, tr.y, va.rows, va.y, recipe)
    per_epoch = len(tr) // recipe.batch
    found: dict[tuple[int, int], Head] = {}

    def observe(seen: Observation) -> None:
        for g, (_, seed) in enumerate(seen.lanes.tolist()):
            weight, bias = seen.weight[g, 0].clone(), seen.bias[g, 0].clone()
            found[seen.step // per_epoch, seed] = Head(weight, bias, task.standardiser, recipe)

    with lab.bars(f"long training on {name}") as progress:
        steps = per_epoch * recipe.epochs + 1  # one more, so that the last epoch's head is seen
        at = lambda step: step > 0 and step % per_epoch == 0
        fit([task], recipe, seeds=lab.seeds, steps=steps, observer=observe, observe_at=at, progress=progress)
    return [found[e + 1, s] for e in range(recipe.epochs) for s in range(len(lab.seeds))]


def draw(courses: dict[str, np.ndarray], usual: int) -> Figure:
    """Both courses, and where the run's own training ends."""
    made = Figure(figsize=(7, 3.6))
    axis = made.subplots()
    for name, values in courses.items():
        epochs = np.arange(1, len(values) + 1)
        axis.plot(epochs, np.median(values, axis=1), label=f"{name}, median of {values.shape[1]} seeds")
        axis.fill_between(epochs, values.min(1), values.max(1), alpha=0.2)
    axis.axvline(usual, color="#7b8794", linestyle=":", label="the tables' training ends here")
    axis.axhline(0.5, color="#b9c2cd", linewidth=0.8)
    axis.set(xlabel="epoch", ylabel="mean AUC over test sets")
    axis.legend(fontsize=8)
    made.tight_layout()
    return made


LONG_TRAINING = Maker(needs, make)
