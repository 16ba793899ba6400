"""Photographs forged at full size: one fake of each real picture, with content of its own split."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from corit.data.re_encoded import ReEncodedSource
from corit.data.sample import Sample
from corit.images.picture import Picture
from corit.seeding import generator
from corit.train.forged_scenes import TYPES, ForgedScenes
from corit.views.forge import forge, scene_of


@dataclass(frozen=True)
class Photographs:
    """Real pictures in two splits, and one fake."""

    @property
    def samples(self):
        rows = [Sample(f"p{i}", f"p{i}.png", 0, "train" if i % 2 else "val", "", "p", f"p/{i}") for i in range(24)]
        return (*rows, Sample("swap", "swap.png", 1, "train", "swap", "p", "p/1"))

    def load(self, sample):
        blocks = generator("photographs", sample.id).integers(0, 255, (12, 10, 3)).astype(np.uint8)
        return Picture(blocks.repeat(8, 0).repeat(8, 1))


def fakes(source):
    return [s for s in source.samples if s.id.startswith("p") and s.label == 1]


def test_each_real_picture_gets_one_fake_with_its_group_and_split():
    source, rows = ForgedScenes(Photographs()), Photographs().samples
    assert source.samples[: len(rows)] == rows
    assert len(fakes(source)) == 24
    for real, fake in zip(rows[:24], fakes(source), strict=True):
        assert fake.id == f"{real.id}~{fake.manipulation}"
        assert replace(fake, id=real.id, label=0, manipulation="", extra="") == real
    assert {s.manipulation for s in fakes(source)} == set(TYPES)


def test_the_content_of_a_splice_comes_from_the_same_split():
    source = ForgedScenes(Photographs())
    splits = {s.id: s.split for s in source.samples}
    for fake in fakes(source):
        donor = fake.extra.removeprefix("donor ")
        assert splits[donor] == fake.split
        assert not fake.id.startswith(f"{donor}~")


def test_a_fake_is_the_picture_forged_in_its_centred_square():
    source, plain = ForgedScenes(Photographs()), {s.id: s for s in Photographs().samples}
    for fake in fakes(source):
        own, donor = (source.load(plain[i]).pixels for i in (fake.id.split("~")[0], fake.extra.removeprefix("donor ")))
        expected = forge(TYPES[fake.manipulation], scene_of(fake.id.split("~")[0], own), scene_of("donor", donor))
        pixels = source.load(fake).pixels
        assert np.array_equal(pixels, expected)
        assert (pixels != own).any()
        assert np.array_equal(pixels[:8], own[:8])
        assert np.array_equal(pixels[-8:], own[-8:])


def test_other_rows_are_loaded_as_they_are():
    source = ForgedScenes(Photographs())
    for s in Photographs().samples:
        assert np.array_equal(source.load(s).pixels, Photographs().load(s).pixels)


def test_a_fake_is_forged_before_it_is_re_encoded():
    forged = ForgedScenes(Photographs())
    source = ReEncodedSource(forged, {"p": 1})
    fake = fakes(forged)[0]
    changed = next(s for s in source.samples if s.id.startswith(f"{fake.id}~re-encoded"))
    assert changed.manipulation == fake.manipulation
    assert source.load(changed).pixels.shape == source.load(fake).pixels.shape  # too small to shrink
