"""The table of data sets: every name builds its source from a text, and lists nothing before it is asked."""

from __future__ import annotations

from functools import partial

import pytest
from trees import celebdf, deeperforensics, df40, faceforensics, forensynths, genimage, uadfv
from trees.write import Hand

from corit.errors import DataError
from corit.sources import SOURCES, open_source

MORE = {"df40": ",names=heygen"}
TREES = {
    "faceforensics": faceforensics.faceforensics,
    "deeperforensics": deeperforensics.deeperforensics,
    "unifd": partial(forensynths.forensynths, training=("cat",)),
    "df40": df40.df40,
    "genimage": genimage.genimage,
}


@pytest.mark.parametrize("name", [n for n in SOURCES if n not in ("folder", "miniature")])
def test_opening_reads_nothing_and_listing_names_what_is_missing(name):
    source = open_source(f"{name}:/nowhere/at all{MORE.get(name, '')}")
    with pytest.raises(DataError, match="/nowhere/at all"):
        _ = source.samples


def test_options_reach_the_constructor(tmp_path):
    celebdf.celebdf(tmp_path, Hand(frames=3))
    source = open_source("celeb-df-v1:frames=2,splits=test", root=str(tmp_path))
    assert {s.dataset for s in source.samples} == {"Celeb-DF-v1"}
    assert {s.split for s in source.samples} == {"test"}
    assert {s.frame for s in source.samples} == {0, 2}


def test_the_miniature_is_named_like_any_other():
    source = open_source("miniature:seed=3,people=4,pictures=1,kinds=DF,splits=val")
    assert [s.manipulation for s in source.samples] == ["", "", "DF", "DF"]
    assert source.load(source.samples[0]).aligned


def test_several_texts_are_one_source(tmp_path):
    uadfv.uadfv(tmp_path, Hand(frames=1), videos=1)
    source = open_source(f"uadfv:{tmp_path}", "miniature:people=2,pictures=1")
    assert {s.dataset for s in source.samples} == {"UADFV", "miniature"}
    assert source.load(source.samples[0]).pixels.shape == (32, 32, 3)
    with pytest.raises(DataError, match="expected a data set, one of faceforensics"):
        open_source()


@pytest.mark.parametrize(
    ("name", "options", "once"),
    [
        ("faceforensics", "manipulations=DF+DF", "manipulations=DF"),
        ("deeperforensics", "versions=end_to_end+end_to_end", "versions=end_to_end"),
        ("unifd", "subsets=crn+crn", "subsets=crn"),
        ("unifd", "splits=train,classes=cat+cat", "splits=train,classes=cat"),
        ("df40", "names=uniface_cdf+uniface_cdf", "names=uniface_cdf"),
        ("genimage", "generators=ADM+adm", "generators=ADM"),
    ],
)
def test_a_word_that_is_said_twice_counts_once(name, options, once, tmp_path):
    TREES[name](tmp_path)
    twice = open_source(f"{name}:{tmp_path},{options}").samples
    assert twice == open_source(f"{name}:{tmp_path},{once}").samples
    assert len({s.id for s in twice}) == len(twice) > 0
