from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from corit.errors import FitError
from corit.heads.head import HeadRecipe
from corit.heads.rows import SCALINGS, Standardiser, TensorRows, fit_standardiser, named_scaling, standardised
from corit.seeding import generator
from corit.theory.geometry import geometry, raw_factor, raw_radius, units
from corit.theory.sweep import sweep, task


def features(n=300, width=5, constant=False):
    rng = generator("geometry rows")
    x = rng.normal(size=(n, width)) @ rng.normal(size=(width, width)) + 4.0
    if constant:
        x[:, 1] = 3.0
    return x


def slow_geometry(x):
    """Row by row, from the definition."""
    mean = sum(row for row in x) / len(x)
    squared = sum(sum(v * v for v in row) for row in x) / len(x)
    norm = math.sqrt(sum(v * v for v in mean))
    return norm, math.sqrt(squared), norm * norm / squared


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_geometry_is_its_definition(dtype, agree):
    x = features()
    of = geometry(TensorRows(torch.tensor(x, dtype=dtype)))
    agree([of.mean_norm, of.rms_norm, of.common], slow_geometry(x), rtol=1e-6 if dtype == torch.float32 else 1e-12)
    assert (of.width, of.count) == (5, 300)


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("constant", [False, True])
def test_scaled_rows_still_tell_the_geometry_before_it(scaling, constant, agree):
    x = features(constant=constant)
    rows = TensorRows(torch.tensor(x))
    scale = fit_standardiser(rows, scaling)
    of = geometry(standardised(rows, scale), scale)
    agree([of.mean_norm, of.rms_norm, of.common], slow_geometry(x), rtol=1e-9)
    assert (of.width, of.count) == (5, 300)


def test_geometry_of_centred_and_unit_rows(agree):
    rows = TensorRows(torch.tensor(features()))
    centred, unit = (geometry(standardised(rows, fit_standardiser(rows, s))) for s in ("centre", "unit"))
    raw = geometry(rows)
    agree([centred.mean_norm, centred.common, unit.mean_norm], np.zeros(3), atol=1e-9)
    agree(unit.rms_norm, 1.0)
    agree(centred.rms_norm**2, raw.rms_norm**2 - raw.mean_norm**2)
    agree(raw.relative(0.05), 0.05 * raw.rms_norm)


def test_a_share_of_the_common_mean_is_that_of_the_population(agree):
    """Rows with a mean of a known share of the squared norm; the share of n rows exceeds it by (1 - c) / n."""
    rng = generator("common share")
    width, share = 64, 0.9
    mean = rng.normal(size=width)
    mean *= math.sqrt(share * width / (1 - share)) / np.linalg.norm(mean)
    x = rng.normal(size=(20_000, width)) + mean
    agree(geometry(TensorRows(torch.tensor(x))).common, share, atol=2e-3)


def test_rows_of_zeros_have_no_common_mean():
    of = geometry(TensorRows(torch.zeros(3, 2)))
    assert (of.mean_norm, of.rms_norm, of.common) == (0, 0, 0)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (torch.zeros(0, 2), "expected rows to measure their geometry, got none"),
        (torch.tensor([[1.0, math.inf]]), "expected finite features"),
        (torch.tensor([[math.nan, 1.0]]), "expected finite features"),
    ],
)
def test_geometry_refuses_what_it_cannot_measure(rows, message):
    with pytest.raises(FitError, match=message):
        geometry(TensorRows(rows))


@pytest.mark.parametrize("scaling", SCALINGS)
def test_a_step_on_scaled_features_is_the_raw_step_of_the_factor(scaling, agree):
    """A step e' moves the logits of scaled rows as some e does those of raw rows, and |e| / |e'| is in the range."""
    rows = TensorRows(torch.tensor(features()))
    scale = fit_standardiser(rows, scaling)
    factor = raw_factor(scale)
    centred = rows.values - scale.mean
    ratios = []
    for step in [*np.eye(5), *generator("steps").normal(size=(50, 5))]:
        moved = scale(rows.values).numpy() @ step
        raw = np.linalg.lstsq(centred.numpy(), moved, rcond=None)[0]
        ratios.append(np.linalg.norm(raw) / np.linalg.norm(step))
    assert factor.low * (1 - 1e-9) <= min(ratios) <= max(ratios) <= factor.high * (1 + 1e-9)
    agree([min(ratios), max(ratios)], [factor.low, factor.high])
    assert factor.single == (scaling in ("raw", "centre", "unit"))
    agree(np.log(factor.middle), np.log(ratios[:5]).mean())


def test_one_number_gives_the_raw_radius(agree):
    x = torch.tensor(features())
    rows = TensorRows(x)
    number = float((x - x.mean(0)).square().sum(1).mean().sqrt())
    expected = {"raw": 0.3, "centre": 0.3, "unit": 0.3 / number}
    for scaling in SCALINGS:
        agree(raw_radius(0.3, fit_standardiser(rows, scaling)), expected.get(scaling, math.nan))


def test_a_scaling_that_keeps_nothing_has_no_factor():
    factor = raw_factor(Standardiser(torch.zeros(2), torch.zeros(2)))
    assert all(map(math.isnan, (factor.low, factor.middle, factor.high)))
    assert not factor.single


def test_none_is_the_old_name_of_raw():
    assert named_scaling("none") == "raw"
    with pytest.raises(FitError, match=r"expected a scaling among raw, centre, unit, standard, whiten .* got 'zca'"):
        named_scaling("zca")


@pytest.mark.parametrize("scaling", SCALINGS)
def test_units_are_the_geometries_and_the_factor(scaling, agree):
    rows = TensorRows(torch.tensor(features()))
    scale = fit_standardiser(rows, scaling)
    x = standardised(rows, scale)
    of = units(x, scale)
    assert (of.raw, of.scaled, of.factor) == (geometry(x, scale), geometry(x), raw_factor(scale))
    assert (of.record()["mean_norm"], of.record()["raw_factor"]) == (of.raw.mean_norm, of.factor.middle)


def test_the_words_of_units_say_how_radii_compare():
    rows = TensorRows(torch.tensor(features()))
    words = {s: str(units(standardised(rows, scale), scale)) for s in SCALINGS for scale in [fit_standardiser(rows, s)]}
    norms = words["raw"].partition(";")[0]
    assert norms.startswith("||E x|| ")
    assert all(w.startswith(norms) for w in words.values())
    assert words["raw"].endswith("radii are in the units of the raw features")
    assert words["centre"] == words["raw"]
    assert "a radius is 0." in words["unit"]
    assert "by direction" not in words["unit"]
    assert "by direction, by volume" in words["standard"]


def test_a_sweep_has_the_units_of_its_tasks(agree):
    x = torch.tensor(features(80, 5))
    y = np.arange(80) % 2
    recipe = HeadRecipe(scaling="unit", select="last", batch=8)
    part = (TensorRows(x), y)
    found = sweep([task(3, "A", part, part, part, recipe)], recipe, (0.0, 0.1), (0,), steps=2, refine=0)
    (of,) = found.units
    agree([of.raw.mean_norm, of.raw.rms_norm, of.raw.common], slow_geometry(x.numpy()), rtol=1e-9)
    agree(of.factor.middle * (of.raw.rms_norm**2 - of.raw.mean_norm**2) ** 0.5, 1.0)
    agree(of.scaled.rms_norm, 1.0)
