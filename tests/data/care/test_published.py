"""Published sizes: a part of a data set is told by its numbers, a whole one and one cut by a protocol are not."""

from __future__ import annotations

import pytest
from trees.celebdf import celebdf
from trees.uadfv import uadfv
from trees.write import Hand

from corit.data.care.audit import audit
from corit.data.care.check import Count
from corit.data.care.published import EACH, TOTAL, sizes
from corit.sources import open_source


def count(dataset, split, videos, kind=""):
    return Count(dataset, split, int(bool(kind)), kind, 32 * videos, videos, videos)


def test_a_whole_data_set_is_not_told():
    rows = [count(d, s, n, kind) for (d, s), n in EACH.items() for kind in ("", "DF", "NT")]
    rows += [count(d, s, n[0] - 3, k) if not k else count(d, s, 3, k) for (d, s), n in TOTAL.items() for k in ("", "x")]
    assert list(sizes([*rows, count("mine", "test", 5)])) == []


@pytest.mark.parametrize(("name", "cut"), [("crn", 2000), ("sitd", 200), ("dalle", 2000)])
def test_the_cut_of_a_protocol_is_not_told(name, cut):
    assert list(sizes([count(f"UniFD/{name}", "test", cut)])) == []
    assert list(sizes([count(f"UniFD/{name}", "test", cut - 1)]))


def test_a_part_is_told_in_one_line_for_each_data_set():
    rows = [count("FaceForensics++", s, n, "DF") for s, n in (("train", 719), ("val", 140), ("test", 1))]
    assert list(sizes(rows)) == [("FaceForensics++", "train DF 719 of 720, test DF 1 of 140")]


def test_it_is_no_fault(tmp_path):
    celebdf(tmp_path / "celeb", Hand(frames=1))
    uadfv(tmp_path / "uadfv", Hand(frames=1))
    source = open_source(f"celeb-df-v2:{tmp_path}/celeb", f"uadfv:{tmp_path}/uadfv")
    found = [f for f in audit(source, contents=False) if f.finding == "size"]
    assert [f.dataset for f in found] == ["Celeb-DF-v2", "UADFV"]
    assert found[0].detail == "test 9 of 518"
    assert all(f.harmless for f in found)
