"""GSNR at w = 0 is the nearest-mean classifier's signal-to-noise ratio, exactly."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from corit.errors import FitError
from corit.seeding import generator
from corit.theory.likelihood import logistic
from corit.theory.moments import moments
from corit.theory.nearest_mean import nearest_mean


def clouds(common, n=60, width=7, shift=0.7):
    rng, y = generator("nearest mean", f"{common}"), np.arange(n) % 2
    x = rng.normal(size=(n, width)) * np.linspace(0.5, 2, width)
    x[:, 1] += shift * y
    return x + common, y


@pytest.mark.parametrize("common", [0.0, 1.0, 10.0])
def test_gsnr_at_zero_is_the_nearest_mean_ratio(common, agree):
    x, y = clouds(common)
    rows = torch.tensor(x)
    heads = logistic(rows, torch.tensor(y).double(), torch.zeros(7).double())
    one = nearest_mean(x, y)
    agree(moments(heads).gsnr, one.gsnr, rtol=1e-9)
    agree(moments(heads.centred()).gsnr, one.centred_gsnr, rtol=1e-9)
    u = heads.gradient().numpy() / np.linalg.norm(heads.gradient().numpy())
    scores = x @ (-u)
    gap = scores[y == 1].mean() - scores[y == 0].mean()
    agree(one.separation, gap**2 / ((scores[y == 1].var() + scores[y == 0].var()) / 2), rtol=1e-9)


def test_the_common_mean_deflates_raw_gsnr_by_one_minus_c(agree):
    one = nearest_mean(*clouds(10.0))
    assert one.common > 0.9
    share = lambda r: r / (1 + r)
    agree(share(one.gsnr), (1 - one.common) * share(one.centred_gsnr), rtol=1e-12)
    assert one.centred_gsnr / one.gsnr > 0.9 / (1 - one.common)


def test_classes_of_different_sizes_are_refused():
    x, y = clouds(0.0)
    with pytest.raises(FitError, match="expected as many reals as fakes, got 30 and 29"):
        nearest_mean(x[:-1], y[:-1])
