"""Figure 5: the AUC over a training much longer than the paper's, epoch by epoch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from matplotlib.figure import Figure

from corit.data.protocols import Protocol
from corit.evaluate.parts import part
from corit.features.extract import opened
from corit.heads.fit import Observation, fit, problem
from corit.heads.rows import standardised
from corit.heads.select import auc
from corit.paper.artefact import Made
from corit.paper.lab import Lab, Need, fitting
from corit.paper.lab import needs as needed
from corit.paper.variant import CORIT, UNIFD, Variant

PROTOCOL = "cross-dataset"
VARIANTS = {"UniFD": UNIFD, "CoRIT": CORIT}
LONGER = 10  # times the run's epochs


def needs(lab: Lab) -> list[Need]:
    """The features that it reads."""
    return needed(lab.stage.protocol(PROTOCOL), VARIANTS.values())


def make(lab: Lab) -> Made:
    """Mean AUC over the test sets after each epoch, median and range over head seeds."""
    of = lab.stage.protocol(PROTOCOL)
    courses = {name: course(lab, of, v) for name, v in VARIANTS.items()}
    epochs = len(next(iter(courses.values())))
    numbers = [("epoch", *(f"{n} {w}" for n in courses for w in ("median", "low", "high")))]
    for e in range(epochs):
        values = (f(c[e]) for c in courses.values() for f in (np.median, np.min, np.max))
        numbers.append((str(e + 1), *(f"{v:.4f}" for v in values)))
    note = f"No epoch is chosen: each point is the head as it is then, {LONGER} times longer than the run's training."
    notes = (note, lab.stage.standing(tuple(s.title for s in of.test)))
    caption = {"protocol": PROTOCOL, "metric": "mean AUC over test sets"}
    return Made(figures=(draw(courses, lab.head.epochs),), notes=notes, numbers=tuple(numbers), caption=caption)


def course(lab: Lab, of: Protocol, variant: Variant) -> np.ndarray:
    """Mean test AUC (E, S) at the end of each epoch."""
    stores = lab.stores(of, variant)
    tr, va = (part(of, s, stores) for s in (of.train, of.select))
    head = fitting(replace(lab.head, epochs=LONGER * lab.head.epochs), len(tr))
    task = problem(tr.rows, tr.y, va.rows, va.y, head)
    tests = [part(of, [s], stores) for s in of.test]
    sides = [(standardised(t.rows, task.standardiser).gather(np.arange(len(t))), torch.from_numpy(t.y)) for t in tests]
    per_epoch = len(tr) // head.batch
    found = np.full((head.epochs, len(lab.seeds)), np.nan)

    def observe(seen: Observation) -> None:
        if not seen.step:
            return
        areas = [auc(seen.weight[:, 0, 0] @ x.T + seen.bias[:, 0, :1], y) for x, y in sides]  # (G) each
        found[seen.step // per_epoch - 1, seen.lanes[:, 1]] = torch.stack(areas).mean(0).numpy()

    with opened(lab.bars, f"long training on {variant.name}") as progress:
        steps = per_epoch * head.epochs + 1  # one more, so that the last epoch's head is seen
        at = lambda step: step % per_epoch == 0
        fit([task], head, seeds=lab.seeds, steps=steps, observer=observe, observe_at=at, progress=progress)
    return found


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
