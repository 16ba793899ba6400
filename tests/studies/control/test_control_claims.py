"""Every claim of the control goes both ways, by records written by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from corit.studies.control.claims import Sweeps, claims
from corit.studies.control.plan import CLIP, ControlPlan

PLAN = replace(ControlPlan(), worlds=(0, 1), heads=(0, 1))
NAMES = (
    "a linear head falls to its floor",
    "the common mean does it",
    "the signal's place does it",
    "radius as 1 / norm of E x",
    "a radius by depth is geometry too",
    "raw GSNR is deflated by 1 - c",
)


def cell(case, kind, way):
    """A cell of a world in which the mechanism is there (way = 1) or the opposite of it is (way = -1)."""
    knobs = case.knobs
    common = 0.4 if knobs.common is None else knobs.common
    spread = 6.0 if knobs.spread is None else knobs.spread
    norm = spread * (common / (1 - common)) ** 0.5
    low = 0.0 if knobs.low is None or knobs.decay == 0 else knobs.low
    falls = case.scaling == "raw" and case.head == "linear" and kind == "NT"
    loss = 0.12 * common * low if falls else 0.0
    if way < 0:
        loss = 0.1 * (1 - common * low) if falls else 0.1
    start = 0.7
    middle = 1.0 / max(norm, 0.1) ** (1.0 if way > 0 else 0.1)
    if way > 0 and "CLIP layer" in case.name:
        middle *= 10.0 ** (int(case.name.split()[2].rstrip(",")) / 12 - 1)
    aucs = [start - loss * r / (r + middle) for r in PLAN.rhos]
    gsnr = 0.01 * ((1 - common) * (1 if way > 0 else 2) if case.scaling == "raw" else 1.0)
    return {
        "auc": [aucs] * 2,
        "relative": [{"value": middle, "censoring": ""}] * 2,
        "nearest_mean": start - max(loss, 0.01),
        "logistic": start,
        "mean_norm": norm,
        "rms_norm": (norm**2 + spread**2) ** 0.5,
        "common": common,
        "gsnr": gsnr,
        "gsnr_plain": gsnr,
    }


def sweeps(way):
    cases = PLAN.cases
    kinds = ("DF", "FS", "F2F", "NT")
    return Sweeps(PLAN, {w: {c.name: {k: cell(c, k, way) for k in kinds} for c in cases} for w in PLAN.worlds})


@pytest.mark.parametrize(("way", "verdict"), [(1, "shown"), (-1, "not shown")])
def test_a_claim_of_the_control_goes_both_ways(way, verdict):
    found = {c.name: c for c in claims(sweeps(way))}
    assert tuple(found) == NAMES
    expected = dict.fromkeys(NAMES, verdict)
    assert {n: c.verdict for n, c in found.items()} == expected
    for claim in found.values():
        assert claim.to_json()["rule"]


def test_a_radius_needs_a_fall_inside_the_grid():
    data = sweeps(1)
    flat, early = [0.7] * len(PLAN.rhos), [0.7] + [0.6] * (len(PLAN.rhos) - 1)
    data.records[0]["base, raw"]["NT"]["auc"] = [flat, early]
    assert np.isnan(data.radii("base, raw")[0]).all()
    assert np.isfinite(data.radii("base, raw")[1]).all()


def test_half_of_a_fall_is_over_at_its_middle():
    data = sweeps(1)
    assert np.allclose(data.radii("base, raw"), 1 / 18, rtol=0.15)


def test_a_diverged_head_is_at_chance():
    data = sweeps(1)
    data.records[0]["base, raw"]["NT"]["auc"] = [[0.7] + [None] * (len(PLAN.rhos) - 1)] * 2
    assert np.allclose(data.loss(0, "base, raw", "NT"), 0.2)


def test_the_table_of_clip_names_a_share_and_a_norm_by_layer():
    assert len(CLIP) == 12
    assert all(0 < c < 1 < norm for c, norm in CLIP)
