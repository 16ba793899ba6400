from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from corit.errors import DataError
from corit.paper.printed import printed
from corit.seeding import generator
from corit.world.upsamplers import UPSAMPLERS, Upsampled, Upsampler, upsample

FEW = Upsampled(0, train=3, val=2, each=2)


def test_makers_carry_the_names_of_the_nineteen_subsets():
    assert tuple(UPSAMPLERS) == printed(4).columns


def test_every_generator_has_as_many_reals_as_fakes():
    found = Counter((s.split, s.dataset, s.label) for s in FEW.samples)
    assert {k: n for k, n in found.items() if k[0] != "test"} == {
        ("train", "ProGAN", 0): 3,
        ("train", "ProGAN", 1): 3,
        ("val", "ProGAN", 0): 2,
        ("val", "ProGAN", 1): 2,
    }
    assert {k[1:]: n for k, n in found.items() if k[0] == "test"} == {(m, y): 2 for m in UPSAMPLERS for y in (0, 1)}


def test_no_picture_stands_in_two_places():
    assert len({s.id for s in FEW.samples}) == len({s.group for s in FEW.samples}) == len(FEW.samples)


def test_a_picture_is_the_same_in_another_source_of_the_seed():
    sample = FEW.samples[-1]
    assert np.array_equal(FEW.load(sample).pixels, Upsampled(0, 5, 5, 5).load(sample).pixels)
    assert FEW.load(sample).landmarks is None


def test_a_generator_leaves_its_periods_and_nothing_else():
    grey = np.full((64, 64, 3), 128, np.uint8)
    assert np.array_equal(upsample(Upsampler(0.0, amplitude=0.0), grey, generator("x")), grey)
    trace = upsample(Upsampler(0.0, (8.0,), 10.0), grey, generator("x")).mean(-1) - 128
    power = np.abs(np.fft.fft2(trace)) ** 2
    power[0, 0] = 0
    rows, columns = np.nonzero(power > 0.5 * power.max())
    assert set(rows) | set(columns) <= {0, 8, 56}


def test_samples_of_others_and_empty_sources_are_refused():
    with pytest.raises(DataError, match="expected a sample of the upsamplers with seed 1"):
        Upsampled(1).load(FEW.samples[0])
    with pytest.raises(DataError, match="expected a sample of the upsamplers"):
        FEW.load(replace(FEW.samples[0], id="elsewhere/0/train"))
    with pytest.raises(DataError, match="at least one picture of each label"):
        Upsampled(0, 0, 1, 1)
