"""Changed versions of pictures: which, how, and that a real picture and its fake are changed alike."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest

from corit.data.re_encoded import SMALLEST, Change, ReEncodedSource, change_of, is_re_encoded
from corit.data.sample import Sample
from corit.features.preparation import forged_sample
from corit.images.picture import Picture
from corit.seeding import generator


@dataclass(frozen=True)
class Pairs:
    """Pairs of pictures of 400 x 320 px."""

    count: int = 40
    extra: str = ""

    @property
    def samples(self):
        rows = [
            Sample(f"{c}{i}", "", y, dataset=d, group=f"{d}/{i}", extra=self.extra)
            for d in "ab"
            for i in range(self.count)
            for y, c in enumerate((f"{d}-real", f"{d}-fake"))
        ]
        return tuple(rows)

    def load(self, sample):
        pixels = (
            generator("pairs", sample.id).integers(0, 255, (40, 32, 3)).astype(np.uint8).repeat(10, 0).repeat(10, 1)
        )
        return Picture(pixels, landmarks=np.array([[10.0, 20.0], [300.0, 380.0]], np.float32))


def test_the_source_comes_first_and_changed_rows_keep_everything_but_id_and_extra():
    source = ReEncodedSource(Pairs(), {"a": 1, "b": 0.25})
    own = Pairs().samples
    assert source.samples[: len(own)] == own
    originals = {s.id: s for s in own}
    for s in source.samples[len(own) :]:
        first = originals[s.id.partition("~")[0]]
        assert replace(s, id=first.id, extra=first.extra) == first
        assert is_re_encoded(s.id)
        assert is_re_encoded(forged_sample(s, 0).id)
        assert s.extra == str(change_of(s.group, int(s.id[-1])))
    assert not any(is_re_encoded(s.id) for s in own)


def test_versions_are_a_mean_by_data_set_and_whole_groups_get_them():
    source = ReEncodedSource(Pairs(400), {"a": 2, "b": 0.25})
    changed = [s for s in source.samples if is_re_encoded(s.id)]
    assert Counter(s.dataset for s in changed)["a"] == 1600
    groups = Counter((s.group, s.id[-1]) for s in changed)
    assert set(groups.values()) == {2}
    share = sum(g.startswith("b") for g, _ in groups) / 400
    assert 0.18 < share < 0.32
    assert not any(is_re_encoded(s.id) for s in ReEncodedSource(Pairs()).samples)


def test_real_and_fake_are_changed_alike_and_the_same_again():
    source = ReEncodedSource(Pairs(), {"a": 1})
    changed = {s.id: s for s in source.samples if is_re_encoded(s.id)}
    for i in range(40):
        real, fake = (changed[f"a-{c}{i}~re-encoded0"] for c in ("real", "fake"))
        assert real.extra == fake.extra
        assert source.load(real).pixels.shape == source.load(fake).pixels.shape
        assert np.array_equal(source.load(real).pixels, source.load(real).pixels)


def test_an_original_is_loaded_as_it_is():
    source = ReEncodedSource(Pairs(), {"a": 1})
    assert np.array_equal(source.load(Pairs().samples[0]).pixels, Pairs().load(Pairs().samples[0]).pixels)


def test_half_of_the_versions_are_not_compressed():
    changes = [change_of(f"g{i}", 0) for i in range(2000)]
    plain = [c for c in changes if not c.codec]
    assert 0.46 < len(plain) / 2000 < 0.54
    assert all(c.scale < 1 for c in plain)
    assert 0.2 < sum(c.codec != "" and c.scale < 1 for c in changes) / 2000 < 0.3
    assert {c.codec for c in changes} == {"", "JPEG", "WEBP"}


@pytest.mark.parametrize("scale", [0.5, 0.75, 1.0])
def test_pixels_and_landmarks_shrink_together(scale):
    picture = Pairs().load(Pairs().samples[0])
    out = Change(scale)(picture)
    height, width = round(400 * scale), round(320 * scale)
    assert out.pixels.shape == (height, width, 3)
    assert np.allclose(out.landmarks, picture.landmarks * scale)
    expected = cv2.resize(picture.pixels, (width, height), interpolation=cv2.INTER_AREA)
    assert np.array_equal(out.pixels, expected)


def test_nothing_shrinks_below_the_smallest_side():
    small = Picture(np.zeros((200, 300, 3), np.uint8))
    assert Change(0.5)(small).pixels.shape == (SMALLEST, 240, 3)
    tiny = Picture(np.zeros((90, 100, 3), np.uint8))
    assert Change(0.5)(tiny).pixels.shape == (90, 100, 3)
    assert Change(0.5)(tiny).landmarks is None


def test_a_codec_changes_pixels_and_keeps_the_shape():
    picture = Pairs().load(Pairs().samples[0])
    for codec in ("JPEG", "WEBP"):
        rough, fine = (Change(1.0, codec, q)(picture).pixels.astype(int) for q in (60, 95))
        assert rough.shape == picture.pixels.shape
        assert abs(rough - picture.pixels).mean() > abs(fine - picture.pixels).mean() > 0


def test_the_text_of_a_change_names_all_of_it():
    assert str(Change(0.5)) == "scale 0.5, at least 160 px"
    assert str(Change(1.0, "JPEG", 80)) == "scale 1, at least 160 px, JPEG 80"
    source = ReEncodedSource(Pairs(1, extra="aligned"), {"a": 1})
    assert source.samples[-1].extra == f"aligned; {change_of('a/0', 0)}"
