"""How a claim is decided: effects by encoder and head seed against bars."""

from __future__ import annotations

import json

import numpy as np
import pytest

from corit.studies.findings.claims import Claim, Effect, Thresholds, decide, join_verdicts

NAN = float("nan")


@pytest.mark.parametrize(
    ("table", "bars", "verdict"),
    [
        ([[1, 2], [1, 1], [3, 2]], Thresholds(), "shown"),
        ([[-1, -2], [-1, 0], [0, 0]], Thresholds(), "not shown"),
        ([[1, 2], [-1, -1], [3, 2]], Thresholds(), "mixed"),
        # Above zero in every encoder seed by its mean, but the head seeds disagree so much that the interval does not.
        ([[9, -8], [9, -8], [9, -8]], Thresholds(), "mixed"),
        ([[0.5], [0.6], [0.7]], Thresholds(0.9, 0.1), "mixed"),
        ([[0.05], [0.06], [0.1]], Thresholds(0.9, 0.1), "not shown"),
        ([[0.95], [1.0], [1.0]], Thresholds(0.9, 0.1), "shown"),
        ([[1.0], [NAN], [1.0]], Thresholds(), "mixed"),
        ([[NAN], [NAN], [NAN]], Thresholds(), "not shown"),
    ],
)
def test_a_verdict_needs_every_encoder_seed_and_the_interval(table, bars, verdict):
    assert decide(Effect.of(table), bars) == verdict


def test_a_claim_in_parts_is_mixed_unless_its_parts_agree():
    assert join_verdicts(["shown", "shown"]) == "shown"
    assert join_verdicts(["not shown"]) == "not shown"
    assert join_verdicts(["shown", "not shown"]) == "mixed"


def test_an_effect_is_the_mean_over_encoders_of_means_over_heads():
    found = Effect.of([[1.0, 3.0], [5.0, NAN], [NAN, NAN]])
    np.testing.assert_array_equal(found.by_encoder, [2.0, 5.0, NAN])
    assert found.value == 3.5
    assert 1.0 <= found.low <= found.value <= found.high <= 5.0


def test_only_equal_numbers_have_a_point_interval():
    same, other = Effect.of([[2.0, 2.0]] * 3), Effect.of([1.0, 2.0, 3.0])
    assert (same.low, same.high) == (2.0, 2.0)
    assert 1.0 <= other.low < 2.0 < other.high <= 3.0


def test_the_interval_covers_the_mean_often_enough():
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(60):
        found = Effect.of(rng.normal(size=(8, 1)) + rng.normal(size=(8, 5)))
        inside += found.low <= 0 <= found.high
    assert 45 <= inside <= 60


def test_a_row_holds_verdict_numbers_and_interval_and_is_json():
    effects = {"a": Effect.of([1.0, 2.0]), "beside": Effect.of([NAN, NAN])}
    row = Claim("n", "c", "r", "s", effects, {"a": Thresholds()}, {"k": [1]}).to_json()
    assert json.loads(json.dumps(row)) == row
    assert (row["verdict"], row["value"]) == ("shown", 1.5)
    assert row["interval"] == row["effects"]["a"]["interval"]
    assert row["effects"]["a"]["bars"] == [0.0, 0.0]
    assert row["effects"]["beside"]["value"] is None
    assert "verdict" not in row["effects"]["beside"]
