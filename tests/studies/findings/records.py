"""Records by hand: what a world would have to measure for each claim to be shown, not shown, or mixed."""

from __future__ import annotations

from dataclasses import replace

from corit.studies.findings.gradient_opposition import MULTIPLES
from corit.studies.findings.measurements import Measurements
from corit.studies.findings.plan import OVERT, SUBTLE, FindingsPlan

PLAN = replace(
    FindingsPlan(),
    encoders=(0, 1, 2),
    targets=("semantic", "random"),
    heads=(0, 1),
    layers=(1, 2, 3, 4, 5, 6),
    some_layers=(4, 6),
    rhos=(0.0, 0.05, 0.1, 1.0, 20.0),
)
KINDS = (*OVERT, *SUBTLE)

# Which way the claims go in the world of each encoder seed.
YES = {0: 1, 1: 1, 2: 1}
NO = {0: -1, 1: -1, 2: -1}
SOME = {0: 1, 1: -1, 2: 1}


def tilt(group, layer):
    """From -1 to 1: falls with depth for the subtle types and rises for the overt ones."""
    depth = (layer - 3.5) / 2.5
    return -depth if group in SUBTLE else depth


def sweep_record(setting, way, gsnr):
    semantic = setting.target == "semantic"
    cells = []
    for layer in setting.layers:
        for group in KINDS:
            t = way * tilt(group, layer) if semantic else 0.0
            model = way * 0.2 * (setting.variant == "corit")
            cor = 10 ** (-0.5 + 0.3 * t + model)
            collapsed = way > 0
            cells.append(
                {
                    "layer": layer,
                    "group": group,
                    "gsnr": 10 ** (-3 + gsnr * tilt(group, layer)),
                    "gsnr_independent": -1e-4,
                    "gsnr_plain": 10 ** (-2 + gsnr * tilt(group, layer)),
                    "auc": [[0.8 + 0.1 * t + way * 0.02 * (0 < r <= 0.1) for r in PLAN.rhos]] * 2,
                    "valid_auc": [[0.8 + 0.1 * t + way * 0.02 * (0 < r <= 0.1) for r in PLAN.rhos]] * 2,
                    "cor": [{"value": cor, "censoring": "" if collapsed else ">"}] * 2,
                }
            )
    return {"cells": cells}


def course_record(setting, way):
    cells = []
    for layer in setting.layers:
        for group in KINDS:
            t = tilt(group, layer)
            corit = setting.variant == "corit"
            uneven = 0.0 if way > 0 else 0.3
            cells.append(
                {
                    "layer": layer,
                    "group": group,
                    "start": [None if way * (1 if corit else -1) < 0 else 40] * 2,
                    "bound": [10 ** (-1 + t)] * 2,
                    "bound_whole": [10 ** (-2 + t)] * 2,
                    "gsnr_first": [10**t] * 2,
                    "gsnr_early": [10**t] * 2,
                    "geometric": [1 + 0.5 * t] * 2,
                    "misspecification": [1 + uneven * (group == "NT")] * 2,
                    "statistical": [0.1 + 0.05 * t] * 2,
                }
            )
            if layer == setting.layers[-1]:
                figure = 10 ** (-way * 0.3 * corit)
                cells[-1]["landscape"] = {
                    k: [figure] * 2 for k in ("centre", "rise", "relative", "largest", "norm", "ascent")
                }
                size = 0.01 if way > 0 else 0.9
                cells[-1]["drift"] = [{"share": 1.0, "radii": [0.05, 0.1], "drift": [[size] * 2, [2 * size] * 2]}]
    return {"steps": [0, 20, 40, 60], "cells": cells}


def proxy_record(way):
    one = 0.4 if way > 0 else 0.0
    fields = {"own": one, "other": 0.01, "random": 0.0, "inside": one, "size": 0.4, "random_size": 0.01}
    cells = [{"layer": l, **{k: [v] * 2 for k, v in fields.items()}, "first_order": [0.9] * 2} for l in (2, 4)]
    return {"pictures": 10, "cells": cells}


def regional_record(way):
    more = 1 + 0.5 * way
    cells = [
        {
            "layer": l,
            "group": g,
            "region": r,
            "patch": 1e-3,
            "pooled": 1e-3 * more,
            "masked": 1e-3 * more**2,
            "kept": 0.9,
        }
        for l in (4, 6)
        for g in KINDS
        for r in ("foreground", "boundary", "background")
    ]
    return {"cells": cells}


def opposition_record(way):
    cells = [
        {
            "head": head,
            "group": g,
            "share": 1.0,
            "batch": size,
            "own_least": [[1 + way * 0.1] * len(MULTIPLES)] * 2,
            "expectation": [[float(way)] * len(MULTIPLES)] * 2,
            "opposed": [[0.0] * len(MULTIPLES)] * 2,
        }
        for head in ("linear", "mlp")
        for g in KINDS
        for size in (1, "all")
    ]
    return {"cells": cells}


def measurements(ways=YES, plan=PLAN, gsnr=YES):
    """Everything of a plan; `ways` says for each encoder seed which way its world goes, `gsnr` which way its GSNR."""
    return Measurements(
        plan,
        {s.name: sweep_record(s, ways[s.seed], gsnr[s.seed]) for s in plan.settings},
        {s.name: course_record(s, ways[s.seed]) for s in plan.course_settings},
        {e: proxy_record(ways[e]) for e in plan.encoders},
        {e: regional_record(ways[e]) for e in plan.encoders},
        {e: opposition_record(ways[e]) for e in plan.encoders},
    )
