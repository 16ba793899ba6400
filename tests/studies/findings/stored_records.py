"""Records by hand for the claims on stores: what real pictures would have to show for each claim to hold or not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from corit.studies.findings.stored.measured import Measured
from corit.studies.findings.stored.plan import StoredPlan
from corit.studies.findings.stored.rows import Forgery

PLAN = replace(
    StoredPlan(),
    splits=(0, 1, 2),
    heads=(0, 1, 2, 3),
    perceptrons=2,
    watched_heads=2,
    layers=(3, 6, 9, 12),
    some_layers=(9, 12),
    rhos=(0.0, 0.05, 0.1, 1.0, 5.0),
    perceptron_rhos=(0.0, 0.05, 0.1, 0.5),
)
STORES = {v: Path(v) for v in ("unifd", "corit", "pool", "no-mask")}
NAMES = ("DFDC close", "self-blended", "DFDC loose", "StyleGAN")


def forgery(name, number):
    """A forgery of ten pairs; nothing is read from its stores."""
    group = np.repeat([f"g{i}" for i in range(10)], 2)
    return Forgery(name, number, STORES, group, np.tile([0, 1], 10), group)


FORGERIES = tuple(forgery(n, int(n == "StyleGAN")) for n in NAMES)
# Which way the claims go on each split.
YES, NO, SOME = {0: 1, 1: 1, 2: 1}, {0: -1, 1: -1, 2: -1}, {0: 1, 1: -1, 2: 1}


def tilt(name, layer):
    """From -1 to 1: falls with depth for the subtle forgeries, and rises for the overt ones."""
    subtle = name in ("DFDC close", "self-blended")
    return (layer - 7.5) / 4.5 * (-1 if subtle else 1)


def sweep_record(case, way, gsnr):
    rhos, seeds = PLAN.rhos_of(case), len(PLAN.seeds_of(case))
    cells = []
    for layer in PLAN.layers_of(case):
        for f in FORGERIES:
            t = way * tilt(f.name, layer)
            small = way * 0.02
            falls = (0.2 if case.scaling == "raw" else 0.0) * (way > 0)
            auc = [0.8 + 0.05 * t + small * (0 < r <= 0.1) - falls * (r >= 1) for r in rhos]
            cor = 10 ** (-0.5 + 0.3 * t + 0.2 * way * (case.variant == "corit"))
            radii = [{"value": cor, "censoring": "" if way > 0 else ">"}] * seeds
            cells.append(
                {
                    "layer": layer,
                    "group": f.name,
                    "mean_norm": 20.0,
                    "rms_norm": 25.0,
                    "common": 0.64 + 0.001 * layer,
                    "nearest_mean": auc[-1] - (0 if way > 0 else 0.2),
                    "logistic": 0.9,
                    "gsnr": 10 ** (-3 + 0.5 * (way if gsnr else 1) * tilt(f.name, layer)),
                    "gsnr_plain": 10 ** (-2 + 0.5 * tilt(f.name, layer)),
                    "gsnr_independent": -1e-4,
                    "gsnr_centred": 10 ** (-2.5 + 0.5 * way * tilt(f.name, layer)),
                    "auc": [auc] * seeds,
                    "valid_auc": [auc] * seeds,
                    "cor": radii,
                    "relative": radii,
                    "across": {o.name: [auc] * seeds for o in FORGERIES if o.set != f.set},
                }
            )
    return {"cells": cells}


def course_record(case, way):
    seeds, cells = len(PLAN.course_seeds), []
    for layer in PLAN.course_layers(case):
        for f in FORGERIES:
            t, corit = tilt(f.name, layer), case.variant == "corit"
            uneven = 0.0 if way > 0 else 0.3
            cells.append(
                {
                    "layer": layer,
                    "group": f.name,
                    "start": [None if way * (1 if corit else -1) < 0 else 40] * seeds,
                    "bound": [10 ** (-1 + t)] * seeds,
                    "misspecification": [1 + uneven * (f.name == "StyleGAN")] * seeds,
                    "statistical": [0.1 + 0.05 * t] * seeds,
                    "geometric": [1 + 0.5 * t] * seeds,
                }
            )
            if layer == PLAN.some_layers[-1]:
                size = 0.01 if way > 0 else 0.9
                cells[-1]["drift"] = [{"share": 1.0, "radii": [0.05, 0.1], "drift": [[size] * seeds] * 2}]
    return {"cells": cells}


def landscape_record(way):
    seeds = len(PLAN.course_seeds)
    of = lambda figure: {k: [figure] * seeds for k in ("centre", "rise", "relative", "largest")}
    return {"cells": [{"group": f.name, "unifd": of(1.0), "corit": of(10 ** (-0.3 * way))} for f in FORGERIES]}


def measured(ways=YES, *, gsnr=False):
    """Everything of the plan; `ways` says for each split which way it goes, `gsnr` whether raw GSNR goes with it."""
    pairs = [(c, s) for c in PLAN.cases if c.variant in STORES for s in PLAN.splits]
    return Measured(
        PLAN,
        FORGERIES,
        {c.name(s): sweep_record(c, ways[s], gsnr) for c, s in pairs},
        {c.name(s): course_record(c, ways[s]) for c in PLAN.course_cases for s in PLAN.splits},
        {c.name(s): landscape_record(ways[s]) for c in PLAN.landscape_cases for s in PLAN.splits},
    )
