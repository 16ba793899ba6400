"""UniversalFakeDetect's subsets on tiny trees: counts, shared reals, names with dots, the cut to 100, errors."""

from __future__ import annotations

import shutil
from collections import Counter

import pytest
from trees.forensynths import both, forensynths
from trees.write import Hand

from corit.data.sets.forensynths import SUBSETS, ForenSynths, cut_subset
from corit.data.split import require_groups_apart
from corit.errors import DataError, InputError

# Folders of classes in the tiny tree; all other subsets are one folder.
CLASSES = {"progan": 3, "cyclegan": 3, "stylegan": 2}


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    # The names of the classes in the root's own path must not say anything about a picture's label.
    path = tmp_path_factory.mktemp("0_real") / "my 1_fake backup"
    forensynths(path, training=("cat", "dog"))
    return path


@pytest.fixture
def root(shared, tmp_path):
    return shutil.copytree(shared, tmp_path / "copy")


def test_the_nineteen_subsets_in_the_order_of_the_tables():
    assert " ".join(SUBSETS) == (
        "progan cyclegan biggan stylegan gaugan stargan deepfake sitd san crn imle "
        "guided ldm_200 ldm_200_cfg ldm_100 glide_100_27 glide_50_27 glide_100_10 dalle"
    )


def test_counts(shared):
    samples = ForenSynths(str(shared)).samples
    expected = {(f"UniFD/{s}", y): 3 * CLASSES.get(s, 1) for s in SUBSETS for y in (0, 1)}
    assert Counter((s.dataset, s.label) for s in samples) == expected
    assert {s.split for s in samples} == {"test"}
    assert len({s.id for s in samples}) == len(samples)
    assert list(dict.fromkeys(s.dataset for s in samples)) == [f"UniFD/{s}" for s in SUBSETS]


def test_diffusion_sets_share_their_reals(shared):
    samples = ForenSynths(str(shared), ("guided", "ldm_200", "dalle")).samples
    reals = {
        d: {s.path for s in samples if s.dataset == f"UniFD/{d}" and not s.label}
        for d in ("guided", "ldm_200", "dalle")
    }
    assert reals["ldm_200"] == reals["dalle"]
    assert reals["guided"].isdisjoint(reals["dalle"])
    assert len({s.group for s in samples if not s.label}) == 6


def test_own_reals_come_before_shared_ones(root):
    both(root / "diffusion_datasets" / "dalle", Hand(), 5, "test", "dalle")
    counts = Counter((s.dataset, s.label) for s in ForenSynths(str(root), ("dalle", "ldm_100")).samples)
    assert counts == {
        ("UniFD/dalle", 0): 5,
        ("UniFD/dalle", 1): 5,
        ("UniFD/ldm_100", 0): 3,
        ("UniFD/ldm_100", 1): 3,
    }


@pytest.mark.parametrize("name", ["biggan", "san", "gaugan", "deepfake"])
def test_dots_and_capitals_in_names_are_no_reason_to_skip(shared, name):
    source = ForenSynths(str(shared), (name,))
    assert len(source.samples) == 6
    picture = source.load(source.samples[0])
    assert (picture.pixels.shape, picture.aligned) == ((32, 32, 3), False)


def test_training_and_validation(shared, root):
    source = ForenSynths(str(shared), ("progan",), ("train", "val", "test"))
    assert Counter((s.split, s.label) for s in source.samples) == {
        **{(s, y): 2 * 3 for s in ("train", "val") for y in (0, 1)},
        **{("test", y): 3 * 3 for y in (0, 1)},
    }
    require_groups_apart(source.samples)
    one = ForenSynths(str(shared), splits=("train",), classes=("dog",)).samples
    assert {s.path.split("/")[-3] for s in one} == {"dog"}
    for folder in (root / "train" / "progan").iterdir():
        folder.rename(root / "train" / folder.name)
    (root / "train" / "progan").rmdir()
    assert len(ForenSynths(str(root), splits=("train",)).samples) == 12


@pytest.mark.parametrize(
    ("reals", "fakes", "kept"),
    [
        (1000, 1000, 1000),
        (1500, 2000, 1000),
        (180, 180, 100),
        (219, 219, 100),
        (2000, 999, 100),
        (60, 80, 60),
        (999, 1000, 100),
    ],
)
def test_the_cut(reals, fakes, kept):
    first, second = [f"r{k:04d}" for k in range(reals)], [f"f{k:04d}" for k in range(fakes)]
    a, b = cut_subset(first, second, "0 x")
    assert (len(a), len(b)) == (kept, kept)
    assert len(set(a)) == kept
    assert set(a) <= set(first)
    assert a == sorted(a)
    assert cut_subset(first, second, "0 x") == (a, b)
    if kept < reals:
        assert cut_subset(first, second, "1 x")[0] != a


def test_the_cut_of_sitd_and_san_only(root):
    for folder in ("seeingdark", "san"):
        for label in ("0_real", "1_fake"):
            for k in range(110):
                (root / "test" / folder / label / f"more{k}.png").touch()
    full = ForenSynths(str(root), ("sitd", "san"))
    assert set(Counter((s.dataset, s.label) for s in full.samples).values()) == {113}
    small = ForenSynths(str(root), ("sitd", "san", "crn"), sampling="unifd-max1000")
    counts = Counter((s.dataset, s.label) for s in small.samples)
    assert counts == {(f"UniFD/{s}", y): n for s, n in (("sitd", 100), ("san", 100), ("crn", 3)) for y in (0, 1)}


def test_what_goes_missing_later_is_an_input_error(root):
    source = ForenSynths(str(root), ("crn",))
    assert len(source.samples) == 6
    (root / "test" / "crn" / "0_real" / "00000.png").unlink()
    with pytest.raises(InputError):
        source.load(source.samples[0])


@pytest.mark.parametrize(
    ("gone", "words"),
    [
        ("test/crn", "test pictures of crn, found none.*test/crn/0_real"),
        ("test/crn/1_fake", "pictures in test/crn/1_fake/"),
        ("test/stylegan/car/0_real", "pictures in test/stylegan/car/0_real/"),
        ("diffusion_datasets/laion", "test pictures of ldm_200"),
        ("diffusion_datasets/dalle", "test pictures of dalle"),
    ],
)
def test_a_half_extracted_set_is_an_error_unless_partial(root, gone, words):
    shutil.rmtree(root / gone)
    with pytest.raises(DataError, match=words):
        _ = ForenSynths(str(root)).samples
    subsets = {s.dataset for s in ForenSynths(str(root), partial=True).samples}
    assert len(subsets) >= 12


def test_wrong_roots_and_classes(root, tmp_path):
    (tmp_path / "CNN_synth_testset.zip").touch()
    with pytest.raises(DataError, match=r"Not extracted: CNN_synth_testset.zip.*PeterWang512"):
        _ = ForenSynths(str(tmp_path)).samples
    with pytest.raises(DataError, match="expected pictures of some subset"):
        _ = ForenSynths(str(tmp_path), partial=True).samples
    with pytest.raises(DataError, match=r"classes of ProGAN for train.*train/progan/yak"):
        _ = ForenSynths(str(root), splits=("train",), classes=("cat", "yak")).samples
    with pytest.raises(DataError, match="no such subset: progan2"):
        ForenSynths(str(root), ("progan2",))
    with pytest.raises(DataError, match="unifd-full or unifd-max1000"):
        ForenSynths(str(root), sampling="max1000")


def test_a_class_without_pictures_is_an_error_or_reported(tmp_path):
    forensynths(tmp_path)
    (tmp_path / "test" / "progan" / "whale").mkdir()
    (tmp_path / "test" / "progan" / "__MACOSX").mkdir()
    with pytest.raises(DataError, match="expected pictures in test/progan/whale/0_real/"):
        _ = ForenSynths(str(tmp_path), ("progan",)).samples
    lost = []
    assert ForenSynths(str(tmp_path), ("progan",), on_missing=lost.append).samples
    assert lost == ["test/progan/whale/0_real/", "test/progan/whale/1_fake/"]
