"""Small features in .npz files, a quick plan, and hand-made cells and diagnoses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from corit.diagnose.diagnosis import Diagnosis, DiagnosisCell
from corit.diagnose.plan import DiagnosisPlan
from corit.seeding import generator
from corit.theory.collapse import collapses
from corit.theory.geometry import Geometry, RawFactor, Units
from corit.theory.landscape import landscape
from corit.theory.likelihood import logistic
from corit.theory.watch import QUANTITIES, Course

UNITS = Units(Geometry(20.0, 25.0, 0.64, 6, 40), Geometry(0.0, 1.0, 0.0, 6, 40), RawFactor(0.01, 0.02, 0.04))
QUICK = DiagnosisPlan(
    scaling="standard", rhos=(0.0, 0.05, 5.0), seeds=(3, 4), steps=16, batch=8, hidden=4, rows=30, refine=1
)
N, LAYERS, D = 96, 3, 5


def arrays(**changes):
    """Two forgeries in two data sets: A is plain at every layer, B only at the first. None leaves an array out."""
    rng = generator("diagnose tests")
    y = np.arange(N) % 2
    kind = np.where(y == 1, np.where(np.arange(N) // 2 % 2 == 0, "A", "B"), "")
    levels = rng.normal(size=(N, LAYERS, D)).astype(np.float32)
    levels[:, :, 0] += 3 * (kind == "A")[:, None]
    levels[:, 0, 1] += 2 * (kind == "B")
    made = {
        "y": y,
        "z": rng.normal(size=(N, 2 * D)).astype(np.float32) + 2 * (kind == "A")[:, None].astype(np.float32),
        "levels": levels,
        "manipulation": kind,
        "dataset": np.where(np.arange(N) // 4 % 2 == 0, "one", "two"),
        "split": np.array(["train", "train", "train", "val", "test", "test"])[np.arange(N) // 4 % 6],
        "caption": "a world of numbers; no backbone",
    }
    return {k: v for k, v in (made | changes).items() if v is not None}


def npz(folder, name="f", **changes):
    """A file of such arrays."""
    path = folder / f"{name}.npz"
    np.savez(path, **arrays(**changes))
    return path


def cell(group="A", auc=((0.9, 0.9, 0.5),), rhos=(0.01, 0.1, 1.0), factors=(2.0, 1.0, 0.1), **changes):
    """A cell of as many seeds as there are rows of AUC, the same factors for each of them."""
    area = np.array(auc, dtype=np.float64)
    seeds, steps = len(area), np.arange(0, 80, 10)
    table = np.ones((len(steps), 1, seeds, 1))
    each = np.tile(np.array(factors, dtype=np.float64), (seeds, 1))
    ratio = (factors[2] ** 2) / (1 - factors[2] ** 2)
    seen = dict.fromkeys(QUANTITIES, table) | {"gsnr": table * ratio, "corrected": table * ratio / 2}
    seen |= {"clustered": seen["corrected"], "centred_clustered": seen["corrected"]}
    course = Course(steps, **seen, rows=np.array([20]), clusters=np.array([0]))
    made = DiagnosisCell(
        store="S",
        layer=4,
        group=group,
        head="linear",
        auc=area,
        collapse=collapses(rhos, area[None])[0],
        course=course,
        end=np.full(seeds, np.inf),
        bound=each.prod(1),
        whole=each.prod(1),
        step=np.full(seeds, 20),
        factors=each,
        gsnr=np.full(seeds, ratio),
        corrected=np.full(seeds, ratio / 2),
        units=UNITS,
    )
    return replace(made, **changes)


def diagnosis(*cells, rhos=(0.01, 0.1, 1.0)):
    """A diagnosis that found these cells, with a landscape for each at its store's last layer."""
    stores = list(dict.fromkeys(c.store for c in cells))
    of = lambda store, name: tuple(dict.fromkeys(getattr(c, name) for c in cells if c.store == store))
    heads = tuple(dict.fromkeys(c.head for c in cells))
    plan = DiagnosisPlan(rhos=rhos, seeds=tuple(range(len(cells[0].auc))), heads=heads, steps=80)
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(30, 4, generator=rng, dtype=torch.float64)
    plane = landscape(logistic(x, (torch.arange(30) % 2).double(), torch.ones(4).double(), torch.ones(()).double()))
    return Diagnosis(
        plan,
        {s: f"world of {s}; backbone of {s}" for s in stores},
        {s: of(s, "layer") for s in stores},
        {s: of(s, "group") for s in stores},
        tuple(cells),
        {(c.store, c.group, c.head): plane for c in cells if c.layer == max(of(c.store, "layer"))},
        0.1,
        ("S: too few of C",),
        1.5,
    )
