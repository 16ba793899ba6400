"""The rules on made records, the averages against slow twins, and the GSNR against the theory's."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from corit.studies.parts import verdicts
from corit.studies.parts.kept import share, shares, silent
from corit.studies.parts.plan import THRESHOLDS, PartsPlan, quarters, quick_plan
from corit.studies.parts.signal import Signal, signal
from corit.studies.parts.summary import interval
from corit.theory.likelihood import logistic
from corit.theory.moments import clustered_gsnr


def rows(clusters=15, width=6, seed=0):
    """Pairs of a real and a fake that share most of their content, and one cluster of a single row."""
    rng = np.random.default_rng(seed)
    content = rng.normal(size=(clusters, width)) + 20
    x = np.concatenate([content, content + rng.normal(0, 0.3, content.shape) + np.eye(width)[0] * 0.4])
    names = np.array([f"pair {i}" for i in range(clusters)] * 2)
    names[-1] = "alone"
    return x, np.repeat([0, 1], clusters), names


def by_theory(x, y, names, mean):
    """Clustered GSNR by corit.theory, with rows centred by a given mean."""
    z = torch.from_numpy(x - mean)
    heads = logistic(z, torch.from_numpy(y), z.new_zeros(z.shape[1]), z.new_zeros(()))
    return float(clustered_gsnr(heads, names.tolist()))


def test_the_signal_is_the_clustered_gsnr_of_the_theory(agree):
    x, y, names = rows()
    found = signal(x, y, names)
    agree(found.value, by_theory(x, y, names, x.mean(0)), rtol=1e-6)
    for i, name in enumerate(np.unique(names)):
        kept = names != name
        agree(found.without[i], by_theory(x[kept], y[kept], names[kept], x.mean(0)), rtol=1e-6)


def test_the_intervals_width_is_the_jackknifes():
    value, low, high = Signal(1.0, np.array([0.9, 1.1, 1.0])).interval
    error = math.sqrt(2 / 3 * 0.02)
    assert value == 1.0
    np.testing.assert_allclose([low, high], [1 - 1.959964 * error, 1 + 1.959964 * error])


def test_the_jackknife_covers_the_truth_most_times():
    """Pure noise has a GSNR of zero."""
    covered = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        x, names = rng.normal(size=(60, 4)), np.repeat(np.arange(30), 2)
        _, low, high = signal(x, np.tile([0, 1], 30), names).interval
        covered += low <= 0 <= high
    assert covered >= 51


def test_differences_and_means_keep_clusters():
    a, b = Signal(2.0, np.array([1.0, 3.0])), Signal(1.0, np.array([1.0, 1.0]))
    assert a.less(b).without.tolist() == [0.0, 2.0]
    assert Signal.mean([a, b]).value == 1.5
    assert math.isnan(Signal.mean([]).value)


def test_a_mask_keeps_what_a_loop_counts():
    rng = torch.Generator().manual_seed(0)
    v, twin = torch.randn(2, 2, 6, 4, generator=rng)
    twin[0, 0] = v[0, 0]
    regions = torch.tensor([[[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 0]]] * 2).bool()
    kept = shares([(v, twin)], regions)
    assert set(kept) == set(THRESHOLDS)
    for b in range(2):
        for k in range(2):
            at = [i for i in range(6) if regions[b, k, i]]
            g = (twin - v)[b]
            anchor = g[at].mean(0) / g[at].mean(0).norm()
            s = {i: float(g[i] @ anchor) for i in at}
            mean = sum(s.values()) / len(s)
            expected = {
                "absolute 0.5": [s[i] > 0.5 for i in at],
                "relative 0.9": [s[i] > 0.9 * mean for i in at],
                "cosine 0.1": [float(g[i].norm()) > 0 and s[i] / float(g[i].norm()) > 0.1 for i in at],
            }
            for name, flags in expected.items():
                assert float(kept[name][b, k, 0]) == pytest.approx(sum(flags) / len(flags))
    assert silent([(v, twin)], regions)[0, 0, 0] == pytest.approx(1 / 3)


def test_an_empty_region_has_no_share():
    regions = torch.zeros(1, 1, 4, dtype=torch.bool)
    assert torch.isnan(share(regions, regions)).all()


def test_the_mean_of_groups_weighs_pairs_alike():
    assert interval(np.array([0.0, 0.0, 0.0, 3.0, np.nan]), np.array(list("aaabb")), 200) == [1.5, None, None]
    value, low, high = interval(np.arange(12.0), np.repeat(np.arange(6), 2), 200)
    assert value == 5.5
    assert low < value < high
    assert interval(np.array([np.nan]), np.array(["a"]), 10) == [None, None, None]


def test_quarters_are_layers():
    assert quarters(12) == (3, 6, 9, 12)
    assert quarters(24)[-1] == 24


@pytest.mark.parametrize(
    ("effect", "bar", "answer"),
    [
        ([0.2, 0.1, 0.3], 0.0, verdicts.HOLDS),
        ([0.2, 0.1, 0.3], 0.15, verdicts.UNTOLD),
        ([-0.2, -0.3, -0.1], 0.0, verdicts.OPPOSITE),
        ([0.2, None, None], 0.0, verdicts.UNTOLD),
    ],
)
def test_an_effect_holds_with_its_whole_interval(effect, bar, answer):
    assert verdicts.above(effect, bar) == answer


@pytest.mark.parametrize(
    ("cosine", "answer"),
    [
        ([0.4, 0.35, 0.5], verdicts.HOLDS),
        ([0.05, 0.0, 0.1], verdicts.ABSENT),
        ([0.2, 0.1, 0.3], verdicts.UNTOLD),
        ([0.2, None, None], verdicts.UNTOLD),
    ],
)
def test_a_cosine_is_an_estimates_above_its_bar(cosine, answer):
    assert verdicts.estimates(cosine) == answer


@pytest.mark.parametrize(
    ("first", "last", "answer"),
    [
        ([0.3, 0.2, 0.4], [0.2, 0.1, 0.3], verdicts.HOLDS),
        ([0.3, 0.2, 0.4], [-0.2, -0.3, -0.1], verdicts.ABSENT),
        ([0.3, 0.2, 0.4], [0.1, 0.0, 0.2], verdicts.UNTOLD),
    ],
)
def test_both_ends_must_filter(first, last, answer):
    assert verdicts.filters({"inner less first": first, "inner less last": last}) == answer


def test_nothing_measured_gives_no_verdict():
    assert verdicts.verdicts({"proxy": {}, "masks": {}, "tokens": {}, "injection": {}}) == []


def test_a_quick_plan_is_small():
    assert quick_plan().measured < PartsPlan().measured
    assert quick_plan().real.variant_pairs == quick_plan().compared
