"""Protocols: the paper's are there, and none in which the test set steers can be made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from corit.bench.protocols import (
    MINIATURE,
    PROTOCOLS,
    UNIVERSAL,
    Selection,
    leave_one_out,
    protocol,
)
from corit.data.sets.forensynths import SUBSETS
from corit.errors import DataError
from corit.recipe import Recipe
from corit.sources import SOURCES


def titles(name):
    return [s.title for s in protocol(name).test]


def test_the_papers_tables_have_their_protocols():
    tables = {t for p in PROTOCOLS.values() for t in p.paper_tables.split(", ") if t}
    assert tables == {"I", "II", "III", "IV", "V", "VI", "VIII", "IX", "X", "XI", "XII", "XIII"}
    assert titles("cross-dataset") == ["CDFv1", "CDFv2", "DFDCP", "DFDC", "DFD"]
    assert titles("cross-dataset-video") == ["CDFv2", "DFDC", "DFDCP"]
    assert titles("df40") == ["uniface", "e4s", "facedancer", "fsgan", "inswap"]
    assert titles("components") == ["CDFv2", "DFDC", "facedancer", "fsgan"]
    assert titles("universal") == list(SUBSETS)
    assert len(titles("universal")) == 19
    assert {p.level for p in PROTOCOLS.values() if "video" in p.name} == {"video"}
    assert all(p.frames == 32 for p in PROTOCOLS.values() if "universal" not in p.name)
    assert [PROTOCOLS[n].sampling for n in ("universal", "universal-max1000")] == ["unifd-full", "unifd-max1000"]
    assert UNIVERSAL.metrics == ("ap", "acc")


def test_every_protocol_can_be_applied_to_a_recipe_and_a_source():
    for p in PROTOCOLS.values():
        Recipe().replace(**dict(p.transform))
        assert set(p.data) <= set(SOURCES)
        assert p.reading.frames == p.frames
    assert PROTOCOLS is PROTOCOLS


def test_leave_one_out_never_trains_on_the_left_out_type():
    for p in leave_one_out(MINIATURE, ("DF", "F2F", "FS", "NT")):
        (train,), (select,), (test,) = p.train, p.select, p.test
        assert test.manipulations == (test.title,)
        assert test.title not in train.manipulations
        assert train.manipulations == select.manipulations
        assert len(train.manipulations) == 3
        assert p.name == f"miniature-without-{test.title}"


A = Selection("a", "test")
BAD = {
    "select on test": ({"select": (A,)}, "selects on and test set a may share"),
    "select on any": ({"select": (Selection("a", ""),)}, "split any"),
    "train on test": ({"train": (Selection("a", "test", ("DF",)),)}, "trains on"),
    "the reals are shared": (
        {"select": (Selection("a", "test", ("NT",)),), "test": (Selection("a", "test", ("DF",)),)},
        "share",
    ),
    "no test": ({"test": ()}, "train, select and test"),
    "twice": ({"test": (A, replace(A, datasets=("x",)))}, "named once, got a, a"),
    "metric": ({"metrics": ("f1",)}, "no metric"),
    "no metric": ({"metrics": ()}, "there are auc"),
    "level": ({"level": "pixel"}, "expected level"),
    "grouping": ({"grouping": "folder"}, "expected grouping"),
    "shared reals": (
        {"select": (Selection("faceshifter", "test"),), "test": (Selection("faceforensics", "test"),)},
        "selects on and test set faceforensics may share rows",
    ),
    "another version": (
        {"train": (Selection("celeb-df-v2", "train"),), "test": (Selection("celeb-df-v1"),)},
        "trains on",
    ),
    "reals of df40": ({"select": (Selection("celeb-df-v2"),), "test": (Selection("df40"),)}, "may share rows"),
    "sampling": ({"sampling": "half"}, "expected sampling"),
    "choice": ({"choice": "random"}, "expected choice"),
    "frames": ({"frames": 0}, "at least one frame"),
}


@pytest.mark.parametrize("name", BAD)
def test_invalid_protocols_are_refused(name):
    changes, words = BAD[name]
    base = MINIATURE.replace(train=(Selection("a", "train"),), select=(Selection("a", "val"),), test=(A,))
    with pytest.raises(DataError, match=words):
        base.replace(**changes)


def test_disjoint_parts_of_one_split_are_allowed():
    base = MINIATURE.replace(train=(Selection("a", "train"),), select=(Selection("a", "val"),), test=(A,))
    apart = base.replace(
        select=(Selection("a", "test", datasets=("x",)),), test=(Selection("a", "test", datasets=("y",)),)
    )
    assert apart.data == ("a",)
    assert base.replace(select=(Selection("b", "test"),)).data == ("a", "b")


def test_data_sets_of_the_same_videos_are_allowed_by_split():
    base = MINIATURE.replace(train=(Selection("faceforensics", "train"),), select=(Selection("faceforensics", "val"),))
    assert base.replace(test=(Selection("faceshifter"), Selection("df40"))).data[0] == "faceforensics"
    with pytest.raises(DataError, match="expected a split of a of train, val and test, or none, got 'dev'"):
        Selection("a", "dev")


def test_stand_ins_keep_the_titles_of_test_sets():
    made = protocol("cross-dataset-video").with_test_sets(
        {"CDFv2": Selection("miniature", "test", ("NT",), name="CDFv2")}
    )
    assert [s.title for s in made.test] == titles("cross-dataset-video")
    assert made.data == ("faceforensics", "miniature", "dfdc", "dfdcp")
    with pytest.raises(DataError, match="no protocol 'table 1'; there are cross-dataset"):
        protocol("table 1")


def test_no_protocol_names_a_path():
    assert not [p for p in PROTOCOLS.values() for d in p.data if Path(d).is_absolute()]
