"""Rows of several sources: stacked, weighed, and selected without mixing what belongs together."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from train.own_rows import direction, lost, rows, store

from corit.errors import DataError, FitError, StoreError
from corit.heads.rows import TensorRows
from corit.train.rows import LabelledRows, equal_shares, rows_of, stack, two_class_sources, weighted_index


def table(n, width=2, source="a", start=0):
    z = TensorRows(torch.arange(start, start + n * width).float().view(n, width))
    y = np.arange(n) % 2
    return LabelledRows(z, y, np.full(n, "train"), np.full(n, source), np.where(y == 1, "DF", ""), np.arange(n) // 2)


def test_stacked_rows_are_gathered_from_their_part_and_groups_stay_apart():
    both = stack([table(4), table(6, source="b", start=100)])
    assert both.z.gather(np.array([9, 0, 4, 3])).tolist() == [[110, 111], [0, 1], [100, 101], [6, 7]]
    assert both.groups.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert both.take(np.array([5, 5, 1])).z.gather(np.arange(3)).tolist() == [[102, 103], [102, 103], [2, 3]]
    assert both.counts["train real"] == 5


def test_rows_of_different_widths_or_lengths_are_refused():
    with pytest.raises(FitError, match="one width, got 2, 3"):
        stack([table(4), table(4, width=3)])
    with pytest.raises(FitError, match="one length"):
        LabelledRows(TensorRows(torch.zeros(3, 2)), *[np.zeros(4, int)] * 5)


def test_a_store_gives_its_measured_rows_of_a_split(tmp_path):
    known = store(
        tmp_path / "s", rows("a", 10, towards=direction(1)), [lost("x")], rows("b", 4, towards=0, split=False)
    )
    assert len(rows_of(known)) == 20
    with pytest.raises(StoreError, match="no measured row"):
        rows_of(store(tmp_path / "t", rows("b", 4, towards=0 * direction(1), split=False)))


def test_data_sets_of_one_class_make_up_one_source():
    merged = stack([table(4, source="dfdc"), table(4, source="real"), table(4, source="fake")])
    labels = np.array([0, 1, 0, 1, 0, 0, 0, 0, 1, 1, 1, 1])
    one = LabelledRows(merged.z, labels, merged.splits, merged.sources, merged.kinds, merged.groups)
    assert two_class_sources(one).tolist() == ["dfdc"] * 4 + [""] * 8


def test_every_source_has_the_same_share_or_the_stated_one():
    sources = np.array(["a", "b", "mine"])
    assert equal_shares(sources, "mine") == dict.fromkeys(["a", "b", "mine"], 1 / 3)
    assert equal_shares(sources, "mine", 0.5) == {"a": 0.25, "b": 0.25, "mine": 0.5}
    for wrong in (0.0, 1.0, 7.0):
        with pytest.raises(DataError, match="between 0 and 1"):
            equal_shares(sources, "mine", wrong)


def test_repeated_rows_have_the_shares_and_differ_by_one_at_most():
    sources = np.array(["a"] * 100 + ["mine"] * 30)
    index = weighted_index(sources, {"a": 0.5, "mine": 0.5}, "k")
    times = np.bincount(index, minlength=130)
    assert times[:100].tolist() == [1] * 100
    assert times[100:].sum() == 100
    assert set(times[100:].tolist()) == {3, 4}
    assert np.array_equal(index, weighted_index(sources, {"a": 0.5, "mine": 0.5}, "k"))


def test_a_large_source_of_small_share_is_drawn_from():
    sources = np.array(["a"] * 990 + ["mine"] * 10)
    times = np.bincount(weighted_index(sources, {"a": 0.01, "mine": 0.99}, "k"), minlength=1000)
    assert times[:990].sum() == 40
    assert times[:990].max() == 1
    assert times[990:].sum() == 3960
