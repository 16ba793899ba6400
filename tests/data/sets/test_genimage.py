"""GenImage on tiny trees."""

from __future__ import annotations

import shutil
from collections import Counter

import pytest
from trees.genimage import genimage

from corit.data.sets.genimage import GenImage
from corit.data.split import require_groups_apart
from corit.errors import DataError


@pytest.fixture
def root(tmp_path):
    genimage(tmp_path)
    return tmp_path


def counts(source):
    return Counter((s.split, s.label) for s in source.samples)


def test_counts(root):
    source = GenImage(str(root))
    assert counts(source) == {("train", 0): 16, ("train", 1): 16, ("test", 0): 8, ("test", 1): 8}
    assert {s.dataset for s in source.samples} == {
        f"GenImage/{g}" for g in ("ADM", "BigGAN", "Midjourney", "stable_diffusion_v_1_4")
    }
    assert {s.manipulation for s in source.samples if s.dataset == "GenImage/ADM"} == {"", "ADM"}
    assert len({s.id for s in source.samples}) == 48
    require_groups_apart(source.samples)
    assert source.load(source.samples[0]).pixels.shape == (32, 32, 3)


def test_generators_and_splits_are_chosen(root):
    source = GenImage(str(root), ("biggan",), ("test",))
    assert counts(source) == {("test", 0): 2, ("test", 1): 2}
    assert {s.dataset for s in source.samples} == {"GenImage/BigGAN"}


def test_a_photograph_keeps_its_group_under_two_generators(root):
    photo = next((root / "ADM").rglob("nature/*.JPEG"))
    shutil.copy(photo, root / "BigGAN" / "imagenet_ai_0419_biggan" / "train" / "nature" / photo.name)
    groups = Counter(s.group for s in GenImage(str(root)).samples)
    assert [g for g, n in groups.items() if n == 2] == [photo.stem]


def test_the_inner_folder_may_be_absent(root):
    (root / "ADM" / "imagenet_ai_0508_adm" / "train").rename(root / "ADM" / "train")
    (root / "ADM" / "imagenet_ai_0508_adm" / "val").rename(root / "ADM" / "val")
    assert len(GenImage(str(root), ("ADM",)).samples) == 12


def test_two_inner_folders_are_refused_but_not_hidden_ones(root):
    (root / "__MACOSX" / "imagenet" / "val" / "ai").mkdir(parents=True)
    assert len(GenImage(str(root)).samples) == 48
    shutil.copytree(root / "ADM" / "imagenet_ai_0508_adm", root / "ADM" / "part2")
    with pytest.raises(DataError, match=r"expected one folder with train/ and val/ in ADM/, .* ADM/part2"):
        _ = GenImage(str(root)).samples


def test_errors(root, tmp_path):
    shutil.rmtree(root / "ADM" / "imagenet_ai_0508_adm" / "val" / "ai")
    with pytest.raises(DataError, match=r"ADM/imagenet_ai_0508_adm/val/ai/, found none.*GenImage-Dataset"):
        _ = GenImage(str(root)).samples
    assert counts(GenImage(str(root), partial=True))["test", 1] == 6
    with pytest.raises(DataError, match="Looked for: wukong"):
        _ = GenImage(str(root), ("wukong", "ADM")).samples
    with pytest.raises(DataError, match="folders of generators"):
        _ = GenImage(str(root / "nowhere")).samples
    with pytest.raises(DataError, match="train and test"):
        GenImage(str(root), splits=("val",))
    for photo in root.rglob("*.*"):
        if photo.is_file():
            photo.unlink()
    with pytest.raises(DataError, match="expected pictures, found none"):
        _ = GenImage(str(root), partial=True).samples


def test_a_generator_of_archives_only_is_an_error_and_missed(tmp_path):
    genimage(tmp_path)
    whole = len(GenImage(str(tmp_path)).samples)
    (tmp_path / "VQDM").mkdir()
    (tmp_path / "VQDM" / "imagenet_ai_0419_vqdm.z07").touch()
    with pytest.raises(DataError, match="expected pictures of VQDM, but nobody extracted the archives there"):
        _ = GenImage(str(tmp_path)).samples
    lost = []
    assert len(GenImage(str(tmp_path), on_missing=lost.append).samples) == whole
    assert lost == ["VQDM/ (not extracted)"]
    assert len(GenImage(str(tmp_path), partial=True).samples) == whole
