"""Published sizes: a part of a data set is told by its numbers, a whole one and one cut by a protocol are not."""

from __future__ import annotations

import pytest
from trees.celebdf import celebdf
from trees.uadfv import uadfv
from trees.write import Hand

from corit.data.care.audit import audit_source
from corit.data.care.check import Count
from corit.data.care.published import published_sizes, size_differences
from corit.sources import open_source


def count(dataset, split, videos, kind=""):
    return Count(dataset, split, int(bool(kind)), kind, 32 * videos, videos, videos)


def test_a_whole_data_set_is_not_told():
    sizes = published_sizes()
    rows = [count(d, s, n.each, kind) for (d, s), n in sizes.items() if n.each for kind in ("", "DF", "NT")]
    totals = {key: n.totals[0] for key, n in sizes.items() if n.totals}
    rows += [count(d, s, n - 3, "") for (d, s), n in totals.items()]
    rows += [count(d, s, 3, "x") for d, s in totals]
    assert len(rows) == 3 * 4 + 2 * 22
    assert list(size_differences([*rows, count("mine", "test", 5)])) == []


@pytest.mark.parametrize(("name", "cut"), [("crn", 2000), ("sitd", 200), ("dalle", 2000)])
def test_the_cut_of_a_protocol_is_not_told(name, cut):
    assert list(size_differences([count(f"UniFD/{name}", "test", cut)])) == []
    assert list(size_differences([count(f"UniFD/{name}", "test", cut - 1)]))


def test_a_part_is_told_in_one_line_for_each_data_set():
    rows = [count("FaceForensics++", s, n, "DF") for s, n in (("train", 719), ("val", 140), ("test", 1))]
    assert list(size_differences(rows)) == [("FaceForensics++", "train DF 719 of 720, test DF 1 of 140")]


def test_it_is_no_fault(tmp_path):
    celebdf(tmp_path / "celeb", Hand(frames=1))
    uadfv(tmp_path / "uadfv", Hand(frames=1))
    source = open_source(f"celeb-df-v2:{tmp_path}/celeb", f"uadfv:{tmp_path}/uadfv")
    found = [f for f in audit_source(source, contents=False) if f.finding == "size"]
    assert [f.dataset for f in found] == ["Celeb-DF-v2", "UADFV"]
    assert found[0].detail == "test 9 of 518"
    assert all(f.harmless for f in found)
