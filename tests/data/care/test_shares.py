"""How much of a data set is there, against counts of the files that a test takes away."""

from __future__ import annotations

import shutil

import pytest
from trees.celebdf import celebdf
from trees.df40 import df40
from trees.faceforensics import deepfakedetection, faceforensics
from trees.forensynths import forensynths
from trees.plain import plain
from trees.write import Hand

from corit.data.care.shares import share_of
from corit.data.spec import open_spec
from corit.sources import SOURCES

HAND = Hand(frames=1)


def share(spec):
    missing = []
    source = open_spec(spec, SOURCES, on_missing=missing.append)
    assert source.samples
    return share_of(SOURCES[spec.partition(":")[0]], source, missing)


def test_a_part_of_faceforensics_counts_videos_and_types(tmp_path):
    faceforensics(tmp_path, HAND)
    assert share(f"faceforensics:{tmp_path}").text == "FaceForensics++ c23: 70 of 5,000 videos"  # as published
    shutil.rmtree(tmp_path / "manipulated_sequences" / "NeuralTextures")
    shutil.rmtree(tmp_path / "original_sequences" / "youtube" / "c23" / "frames" / "001")
    found = share(f"faceforensics:{tmp_path}")
    assert found.text == "FaceForensics++ c23: 55 of 5,000 videos, 3 of 4 manipulation types"
    assert not found.complete
    assert share(f"faceforensics:{tmp_path},splits=test,max=1").text.startswith("FaceForensics++ c23: 16 of 700 videos")


def test_a_data_set_that_only_its_list_counts_is_whole_when_the_list_is(tmp_path):
    faceforensics(tmp_path, HAND, methods={"FaceShifter": "FaceShifter"})
    assert share(f"faceshifter:{tmp_path}").text == "FaceForensics++ c23: 28 videos"
    shutil.rmtree(tmp_path / "manipulated_sequences" / "FaceShifter" / "c23" / "frames" / "001_000")
    assert share(f"faceshifter:{tmp_path}").text == "FaceForensics++ c23: 27 of 28 videos"


def test_published_totals_count_where_no_list_does(tmp_path):
    deepfakedetection(tmp_path, HAND, actors=2)
    assert share(f"deepfakedetection:{tmp_path}").text == "DeepFakeDetection c23: 8 of 3,431 videos"
    celebdf(tmp_path / "celeb", HAND)
    assert share(f"celeb-df-v2:{tmp_path}/celeb,splits=test").text == "Celeb-DF-v2: 9 of 518 videos"
    assert share(f"celeb-df-v1:{tmp_path}/celeb").text == "Celeb-DF-v1: 19 of 110 videos"  # of train nobody knows


def test_missing_folders_are_named(tmp_path):
    df40(tmp_path, HAND, methods=("uniface",), ff={}, cdf=("id0_id1_0001",), own=(), pictures=())
    found = share(f"df40:{tmp_path},names=uniface_cdf+e4s_cdf,splits=test")
    assert found.text == "DF40: 1 videos, 1 of 2 manipulation types; without e4s/"


def test_subsets_of_pictures_are_types(tmp_path):
    forensynths(tmp_path, HAND, each=2)
    shutil.rmtree(tmp_path / "test" / "san")
    found = share(f"unifd:{tmp_path}")
    assert found.unit == "pictures"
    assert found.types == (18, 19)
    assert share(f"unifd:{tmp_path},subsets=biggan").text == "UniFD: 4 of 4,000 pictures"


def test_one_s_own_folder_is_whole(tmp_path):
    plain(tmp_path, HAND)
    found = share(f"folder:{tmp_path}")
    assert found.complete
    assert found.of == 0


@pytest.mark.parametrize("kind", ["faceforensics", "df40", "unifd"])
def test_types_are_those_that_are_asked_for(kind, tmp_path):
    words = {
        "faceforensics": "manipulations=DF+DF+NT",
        "df40": "names=uniface_ff+e4s_cdf+uniface_cdf",
        "unifd": "subsets=san",
    }
    types = {"faceforensics": ("DF", "NT"), "df40": ("uniface", "e4s"), "unifd": ("san",)}
    assert open_spec(f"{kind}:{tmp_path},{words[kind]}", SOURCES).types == types[kind]
