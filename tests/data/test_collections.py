from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from corit.data.collections import COMPOSITES, DFDC, PHOTOGRAPHS, CollectionSource, read_aligned_pairs
from corit.errors import DataError

HEADER = "real,fake,real_native_width,fake_native_width,mean_abs_diff_112,correlation_112\n"


def save(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((48, 48, 3), 90, np.uint8)).save(path)


@pytest.fixture
def root(tmp_path):
    pairs = [("r0", "f0", 9.0, 0.9), ("r1", "f1", 1.0, 0.99), ("r2", "f2", 8.0, 0.4)]
    pairs += [(f"r{i}", f"f{i}", 5.0, 0.8) for i in range(3, 10)]
    rows = [f"{r},{f},100,100,{d},{c}\n" for r, f, d, c in pairs]
    for real, fake, *_ in pairs:
        save(tmp_path / "dfdc-crops/real" / f"{real}.jpg")
        save(tmp_path / "dfdc-crops/fake" / f"{fake}.jpg")
    (tmp_path / "dfdc-crops/pairs.csv").write_text(HEADER + "".join(rows))
    for i in range(6):
        save(tmp_path / f"composited-faces/real/real_{i}.jpg")
        save(tmp_path / f"composited-faces/fake/easy_{i}_1000.jpg")
        save(tmp_path / f"photographs/n{i}_name.jpg")
    return tmp_path


def test_pairs_are_those_that_show_one_face_once_forged(root):
    pairs = read_aligned_pairs(root / "dfdc-crops/pairs.csv")
    assert pairs == [("r0", "f0"), *((f"r{i}", f"f{i}") for i in range(3, 10))]


def test_a_fake_and_its_real_picture_stay_in_one_split(root):
    samples = CollectionSource(DFDC, str(root)).samples
    assert len(samples) == 16
    splits = {}
    for s in samples:
        splits.setdefault(s.group, set()).add((s.split, s.label, s.manipulation))
    assert all(len({split for split, _, _ in rows}) == 1 and len(rows) == 2 for rows in splits.values())
    assert {s.manipulation for s in samples if s.label} == {"dfdc"}
    assert all("aligned" in s.extra for s in samples)
    assert samples[0].id.startswith("dfdc-crops/real/")


def test_a_smaller_collection_is_a_part_of_a_larger_one(root):
    several = [{s.id for s in CollectionSource(COMPOSITES, str(root), limit).samples} for limit in (3, 5, 0)]
    assert [len(ids) for ids in several] == [6, 10, 12]
    assert several[0] < several[1] < several[2]


def test_photographs_are_all_real_and_decoded_whole(root):
    source = CollectionSource(PHOTOGRAPHS, str(root))
    assert {s.label for s in source.samples} == {0}
    assert len(source.samples) == 6
    picture = source.load(source.samples[0])
    assert picture.pixels.shape == (48, 48, 3)
    assert not picture.aligned


def test_missing_folders_and_columns_are_named(root):
    (root / "composited-faces/fake").rename(root / "elsewhere")
    with pytest.raises(DataError, match="expected a folder of pictures at .*fake"):
        _ = CollectionSource(COMPOSITES, str(root)).samples
    (root / "dfdc-crops/pairs.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="with the columns real, fake"):
        _ = CollectionSource(DFDC, str(root)).samples
    with pytest.raises(DataError, match="with the columns real, fake"):
        read_aligned_pairs(root / "absent.csv")
