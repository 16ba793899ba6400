"""Sources named by a text: what it says reaches the constructor, and what it cannot say is refused."""

from __future__ import annotations

import pytest

from corit.data.dataset import DataSet
from corit.data.frames import Reading
from corit.data.origin import Origin
from corit.data.sample import Sample
from corit.data.selected import JoinedSources, SelectedRows, limit_per_class
from corit.data.spec import open_spec
from corit.errors import DataError


class Listed:
    """A source that remembers how it was built."""

    def __init__(self, rows=(), **options):
        self.samples, self.options = tuple(rows), options

    def load(self, sample):
        return sample.id


ROWS = tuple(
    Sample(f"{split}/{label}/{i}", "", label, split, "DF" if label and i % 2 else "FS" if label else "", "set")
    for split in ("train", "test")
    for label in (0, 1)
    for i in range(6)
)
ORIGIN = Origin("a set", "files")


def listed(**options):
    return Listed(ROWS, **options)


TABLE = {
    "videos": DataSet("videos", listed, ORIGIN, {"root": "text", "names": "words"}, video=True),
    "files": DataSet("files", listed, ORIGIN, {"real": "texts", "seed": "number", "deep": "flag"}, required=()),
}


def options(spec, root=""):
    return open_spec(spec, TABLE, root).options


def test_the_text_before_the_first_option_is_the_place():
    assert options("videos:/data/ff++") == {"root": "/data/ff++"}
    assert options("videos:C:/a b,c/d=e") == {"root": "C:/a b,c/d=e"}
    assert options("videos:root=/x") == {"root": "/x"}
    assert options("videos", root="/y") == {"root": "/y"}
    assert options("videos:/x", root="/y") == {"root": "/x"}


def test_values_are_read_as_what_they_are():
    assert options("files:real=a,b,real=c,seed=-3,deep=Yes") == {"real": ("a,b", "c"), "seed": -3, "deep": True}
    assert options("videos:/x,names=a+b,names=c") == {"root": "/x", "names": ("a", "b", "c")}


def test_a_video_data_set_takes_a_reading():
    expected = Reading(8, "first", "videos", ("val", "test"), True, True)
    spec = "videos:/x,frames=8,choice=first,media=videos,splits=val+test,masks=true,partial=1"
    assert options(spec) == {"root": "/x", "reading": expected}
    with pytest.raises(DataError, match="expected choice to be one of even, first, got 'odd'"):
        options("videos:/x,choice=odd")


def test_options_a_source_does_not_take_select_its_rows():
    found = open_spec("files:splits=test,manipulations=DF,max=2", TABLE)
    assert isinstance(found, SelectedRows)
    assert {(s.split, s.manipulation) for s in found.samples} == {("test", ""), ("test", "DF")}
    assert [s.label for s in found.samples] == [0, 0, 1, 1]
    assert found.load(found.samples[0]) == found.samples[0].id
    assert {s.label for s in open_spec("videos:/x,max=1", TABLE).samples} == {0, 1}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("", "no data set '' in ''; expected NAME:PLACE,option=value with one of videos, files"),
        ("foo:/x", "no data set 'foo'"),
        ("videos", "expected root of videos, got 'videos'; write videos:ROOT"),
        ("videos:/x,foo=1", "videos takes no option 'foo'; it takes splits, manipulations, max, frames"),
        ("videos:/x,root=/y", "expected root once, got /x, /y"),
        ("videos:/x,frames=many", "expected a whole number for frames, got 'many'"),
        ("videos:/x,frames=0", "expected at least one frame"),
        ("files:deep=perhaps", "expected true or false for deep, got 'perhaps'"),
        ("videos:root=", "expected a text for root, got ''"),
        ("files:max=0", "expected a max of at least one row of each class, got 0"),
    ],
)
def test_a_text_that_cannot_be_meant_is_refused(spec, words):
    with pytest.raises(DataError) as caught:
        open_spec(spec, TABLE)
    assert words in str(caught.value)


def test_usage_says_what_is_needed_and_what_may_be_said():
    assert TABLE["videos"].usage.startswith("videos:ROOT [splits, manipulations, max, frames, choice")
    assert TABLE["files"].usage == "files [splits, manipulations, max, real, seed, deep]"


def test_few_rows_are_among_the_more_rows_and_keep_their_order():
    few_ids, more_ids = ([s.id for s in limit_per_class(ROWS, n)] for n in (2, 4))
    assert set(few_ids) < set(more_ids)
    assert more_ids == [s.id for s in ROWS if s.id in more_ids]
    assert limit_per_class(ROWS, 6) == ROWS
    kinds = [Sample(f"{k}{i}", f"{k}{i}", 1, "test", k) for k in ("DF", "NT") for i in range(3)]
    # No manipulation is left out because another one has many samples.
    assert [s.manipulation for s in limit_per_class(kinds, 1)] == ["DF", "NT"]
    assert [s.id for s in limit_per_class(ROWS, 2, key=1)] != few_ids
    with pytest.raises(DataError, match="at least one sample"):
        limit_per_class(ROWS, 0)


def test_a_choice_of_what_is_not_there_is_refused():
    with pytest.raises(DataError, match="no row has the split val; there are test, train"):
        _ = SelectedRows(Listed(ROWS), splits=("val",)).samples
    with pytest.raises(DataError, match="no row has the manipulation F2F; there are DF, FS"):
        _ = SelectedRows(Listed(ROWS), manipulations=("F2F",)).samples
    with pytest.raises(DataError, match="none of 0 is of the splits"):
        _ = SelectedRows(Listed()).samples


def test_several_sources_are_one_and_each_loads_its_own():
    other = Listed([Sample("other", "", 0)])
    both = JoinedSources((Listed(ROWS), other))
    assert both.samples == (*ROWS, *other.samples)
    assert both.load(other.samples[0]) == "other"
    with pytest.raises(DataError, match="rows of the same id"):
        _ = JoinedSources((other, other)).samples
