"""Parts of data to train on: official splits stay, what they lack is cut out of train, and no source straddles."""

from __future__ import annotations

from collections import Counter

import pytest

from corit.data.parts import assign_parts
from corit.data.sample import Sample
from corit.errors import DataError


def rows(*splits, groups=10):
    return [
        Sample(f"{split}{g}{y}", f"/{split}{g}{y}", y, split, group=f"{split}{g}")
        for split in splits
        for g in range(groups)
        for y in (0, 1)
    ]


def test_a_complete_split_stays():
    samples = rows("train", "val", "test")
    parts = assign_parts(samples, official=True)
    assert (parts.samples, parts.how) == (tuple(samples), "its own splits")


@pytest.mark.parametrize(("held", "how"), [(("",), "dealt by group"), (("test",), "dealt by group")])
def test_rows_without_a_training_split_are_dealt(held, how):
    parts = assign_parts(rows(*held), official=True)
    assert parts.how == how
    assert Counter(s.split for s in parts.samples) == {"train": 12, "val": 4, "test": 4}


@pytest.mark.parametrize(
    ("held", "lacking", "counts"),
    [
        (("train", "test"), "val", {"train": 16, "val": 4, "test": 20}),
        (("train", "val"), "test", {"train": 16, "val": 20, "test": 4}),
        (("train",), "val and test", {"train": 12, "val": 4, "test": 4}),
    ],
)
def test_what_a_split_lacks_is_cut_out_of_train(held, lacking, counts):
    samples = rows(*held)
    parts = assign_parts(samples, official=True)
    assert parts.how == f"its own splits, {lacking} cut out of train by group"
    assert [s.id for s in parts.samples] == [s.id for s in samples]
    assert Counter(s.split for s in parts.samples) == counts
    assert {s.id for s in parts.samples if s.split == "test"} >= {s.id for s in samples if s.split == "test"}


def test_official_rows_to_train_on_leave_when_their_source_is_tested():
    samples = [*rows("train", "val", "test"), Sample("x", "/x", 0, "train", group="test0")]
    samples.append(Sample("y", "/y", 0, "val", group="test1"))
    parts = assign_parts(samples, official=True)
    assert [s.id for s in samples if s not in parts.samples] == ["x", "y"]
    assert parts.how == "its own splits, 2 rows left out whose source also stands in a later part"
    with pytest.raises(DataError, match="on one side, but 'test0' is in"):
        assign_parts(samples)


def test_half_a_split_is_refused():
    with pytest.raises(DataError, match="expected all pictures split by their folders or none"):
        assign_parts([*rows("train"), *rows("")])
