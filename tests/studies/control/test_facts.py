"""Geometry, signal and floors of raw features, against numbers that are known by hand."""

from __future__ import annotations

import numpy as np
import pytest
from studies.control.drawn import KINDS, parts, rows, signals

from corit.studies.control.facts import facts, signal


def test_the_signal_of_known_rows():
    """Two axes of variance 1 and one of 1/100; the fakes are moved by 0.3 along the first and 0.4 along the last."""
    reals = np.array([[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-0.1, 0.1)], float)
    x = np.concatenate([reals + 5, reals + 5 + [0.3, 0, 0.4]])
    y = np.repeat([0, 1], 8)
    of = signal(x, y)
    assert np.isclose(of.participation, 2.01**2 / (2 + 0.01**2))
    assert of.most == 2
    assert np.isclose(of.largest, 1 / 2.01)
    assert np.isclose(of.distance, 0.5 / 2.01**0.5)
    assert np.isclose(of.low, 0.16 / 0.25)


def test_facts_name_geometry_signal_and_floors():
    of = facts(parts(), "NT")
    x = parts()["train"]
    chosen = x[0].numpy()[(x[2] == "") | (x[2] == "NT")]
    assert np.isclose(of["mean_norm"], np.linalg.norm(chosen.mean(0)), rtol=1e-3)
    assert np.isclose(of["rms_norm"], np.sqrt((chosen**2).sum(1).mean()), rtol=1e-3)
    assert np.isclose(of["common"], of["mean_norm"] ** 2 / of["rms_norm"] ** 2, rtol=1e-2)
    assert min(of["logistic"], of["nearest_mean"]) > 0.55
    assert (of["train"], of["test"], of["width"]) == (120, 120, 12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_signal_of_low_variance_is_seen_as_such(kind):
    assert (facts(parts(), kind)["low"] > 0.4) == (kind == "NT")


def test_an_empty_kind_takes_every_type():
    drawn = {s: rows(20, i, signals()) for i, s in enumerate(("train", "val", "test"))}
    assert facts(drawn, "")["train"] == 100
