"""DF40 on tiny trees: names, domains, unions, reals from elsewhere, errors."""

from __future__ import annotations

import shutil
from collections import Counter

import pytest
from trees.celebdf import celebdf
from trees.df40 import SWAPS, df40
from trees.faceforensics import faceforensics
from trees.write import Hand

from corit.data.frames import Reading
from corit.data.sets.df40 import DF40, KNOWN, METHODS, NAMES, UNKNOWN, expand_name
from corit.data.split import require_groups_apart
from corit.errors import DataError

TABLE_III = tuple(f"{m}_cdf" for m in SWAPS)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    path = tmp_path_factory.mktemp("all")
    hand = Hand(frames=2)
    df40(path / "DF40", hand)
    faceforensics(path / "FaceForensics++", hand)
    celebdf(path / "Celeb-DF-v2", hand)
    return path


@pytest.fixture
def own(world, tmp_path):
    return shutil.copytree(world, tmp_path / "own")


def counts(source):
    return Counter((s.split, s.label) for s in source.samples)


def test_thirty_one_methods_and_nine_with_reals():
    assert (len(METHODS), len(UNKNOWN), len({m.lower() for m in (*METHODS, *UNKNOWN)})) == (31, 9, 40)
    assert len(NAMES) == 2 * 31 + 6 + 9
    assert set(TABLE_III) <= set(NAMES)


def test_names_expand():
    assert expand_name("uniface_cdf") == [("uniface", "cdf")]
    assert expand_name("one_shot_free_ff") == [("one_shot_free", "ff")]
    assert expand_name("EFSAll_cdf") == [(m, "cdf") for m in KNOWN["EFS"]]
    assert expand_name("heygen") == [("heygen", "")]


def test_table_iii_has_each_real_once(world):
    # Fakes: 5 methods, 2 videos; reals: 4 test videos and a stranger of Celeb-DF-v2; two frames each.
    source = DF40(str(world / "DF40"), TABLE_III, celebdf=str(world / "Celeb-DF-v2"))
    assert counts(source) == {("test", 0): 10, ("test", 1): 20}
    assert len({s.id for s in source.samples}) == 30
    assert {s.manipulation for s in source.samples if s.label} == set(SWAPS)
    assert {s.dataset for s in source.samples if s.label} == set(TABLE_III)
    fake = next(s for s in source.samples if s.video.endswith("id0_id1_0001"))
    assert fake.group in {s.group for s in source.samples if not s.label}


def test_fakes_alone(world):
    assert counts(DF40(str(world / "DF40"), ("uniface_cdf",))) == {("test", 1): 4}
    assert counts(DF40(str(world / "DF40"), ("uniface_ff",))) == {("test", 1): 4}


def test_the_ff_domain_follows_the_official_lists(world):
    source = DF40(str(world / "DF40"), ("uniface_ff", "lia_ff"), faceforensics=str(world / "FaceForensics++"))
    # 3, 2 and 2 pairs of reals; a train and a test video faked by each method.
    assert counts(source) == {
        ("train", 0): 12,
        ("train", 1): 4,
        ("val", 0): 8,
        ("test", 0): 8,
        ("test", 1): 4,
    }
    require_groups_apart(source.samples)
    only = DF40(str(world / "DF40"), ("lia_ff",), str(world / "FaceForensics++"), reading=Reading(splits=("train",)))
    assert counts(only) == {("train", 0): 12, ("train", 1): 2}


@pytest.mark.parametrize("splits", [("train",), ("val",)])
def test_the_cdf_domain_is_for_testing_only(world, splits):
    source = DF40(str(world / "DF40"), TABLE_III, celebdf=str(world / "Celeb-DF-v2"), reading=Reading(splits=splits))
    assert source.samples == ()


def test_unions_list_every_method_of_a_kind(own):
    df40(own / "DF40", Hand(frames=1), methods=KNOWN["FS"], own=(), pictures=())
    source = DF40(str(own / "DF40"), ("FSAll_cdf", "uniface_cdf"), celebdf=str(own / "Celeb-DF-v2"))
    assert {s.manipulation for s in source.samples if s.label} == set(KNOWN["FS"])
    assert len({s.id for s in source.samples}) == len(source.samples)


def test_methods_with_reals_of_their_own(world):
    source = DF40(str(world / "DF40"), ("heygen", "MidJourney"))
    assert Counter((s.dataset, s.label) for s in source.samples) == {
        ("heygen", 0): 4,
        ("heygen", 1): 4,
        ("MidJourney", 0): 3,
        ("MidJourney", 1): 3,
    }
    pictures = [s for s in source.samples if s.dataset == "MidJourney"]
    assert len({s.video for s in pictures}) == 6  # pictures are no frames of one video
    assert len(DF40(str(world / "DF40"), ("MidJourney",), reading=Reading(frames=1)).samples) == 6


def test_capitals_of_folders_do_not_matter(own):
    (own / "DF40" / "uniface").rename(own / "DF40" / "UniFace")
    assert counts(DF40(str(own / "DF40"), ("uniface_cdf",))) == {("test", 1): 4}


def moved(root, old, new):
    (root / new).parent.mkdir(parents=True, exist_ok=True)
    (root / old).rename(root / new)


def test_packages_differ_in_their_folders(world, own):
    names = ("heygen", "MidJourney", "uniface_ff")
    before = DF40(str(world / "DF40"), names).samples
    root = own / "DF40"
    for part in ("real", "fake"):
        moved(root, f"heygen/{part}", f"heygen/heygen_new/{part}")
        moved(root, f"MidJourney/{part}", f"all/{part}")
        moved(root, f"all/{part}", f"MidJourney/{part}/{part}")
    shutil.rmtree(root / "uniface" / "cdf")
    for kind in ("frames", "landmarks"):
        moved(root, f"uniface/ff/{kind}", f"uniface/{kind}")
    (root / "uniface" / "ff").rmdir()
    keep = lambda s: (s.id, s.label, s.split, s.group, s.video, s.frame)
    assert list(map(keep, DF40(str(root), names).samples)) == list(map(keep, before))


def test_whichisreal_lies_in_the_folder_of_the_release(own):
    (own / "DF40" / "MidJourney").rename(own / "DF40" / "whichfaceisreal")
    source = DF40(str(own / "DF40"), ("whichisreal",))
    assert counts(source) == {("test", 0): 3, ("test", 1): 3}
    assert {s.dataset for s in source.samples} == {"whichisreal"}


def test_methods_of_a_union_that_are_not_there_are_missed(world):
    lost = []
    source = DF40(str(world / "DF40"), ("FSAll_cdf",), reading=Reading(on_missing=lost.append))
    assert {s.manipulation for s in source.samples} == set(SWAPS)
    assert lost == [f"{m}/" for m in KNOWN["FS"] if m not in SWAPS]
    with pytest.raises(DataError, match="expected a folder of faceswap"):
        _ = DF40(str(world / "DF40"), ("FSAll_cdf",)).samples


def test_fakes_that_no_official_list_names_are_not_for_testing(own):
    for kind in ("frames", "landmarks"):
        for name in ("id0_0001", "998_999"):
            shutil.copytree(own / "DF40/lia/ff" / kind / "000_001", own / "DF40/lia/ff" / kind / name)
    make = lambda **how: DF40(
        str(own / "DF40"), ("lia_ff",), str(own / "FaceForensics++"), reading=Reading(splits=("test",), **how)
    )
    with pytest.raises(DataError, match=r"but 2 have none.*lia/ff/998_999, lia/ff/id0_0001"):
        _ = make().samples
    lost = []
    for how in ({"partial": True}, {"on_missing": lost.append}):
        assert {s.video for s in make(**how).samples if s.label} == {"DF40/lia_ff/ff/010_011"}
    assert lost == [f"lia/ff/{n} (in no official list)" for n in ("998_999", "id0_0001")]


def test_errors(own):
    root = str(own / "DF40")
    with pytest.raises(DataError, match=r"expected a folder of simswap.*github.com/YZY-stack/DF40"):
        _ = DF40(root, ("simswap_ff",)).samples
    with pytest.raises(DataError, match="no such set of DF40: uniface; there are fsgan"):
        DF40(root, ("uniface",))
    with pytest.raises(DataError, match="none was named"):
        DF40(root, ())
    shutil.rmtree(own / "DF40" / "e4s" / "cdf")
    with pytest.raises(DataError, match="e4s/cdf/, found none"):
        _ = DF40(root, ("e4s_cdf",)).samples
    with pytest.raises(DataError, match="official split lists"):
        _ = DF40(root, ("e4s_ff",), faceforensics=root).samples
