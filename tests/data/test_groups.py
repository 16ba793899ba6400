"""Files of groups: who is joined, who is never divided, and what is said of files that name nobody."""

from __future__ import annotations

from collections import defaultdict

import pytest

from corit.data.groups import group_samples, read_groups
from corit.data.sample import Sample
from corit.data.split import split_by_group
from corit.errors import DataError


def rows(*names):
    return [Sample(n, f"/data/{n}", int(n.startswith("fake")), group=n.partition("/")[2][:-4]) for n in names]


def grouped(tmp_path, text, samples):
    file = tmp_path / "groups.csv"
    file.write_text(text)
    found = group_samples(samples, read_groups(file), file)
    return {s.id: s.group for s in found.samples}, found


@pytest.mark.parametrize("name", ["/data/real/a.jpg", "real/a.jpg", "a.jpg", "a"])
def test_a_picture_is_named_by_its_path_id_name_or_stem(name, tmp_path):
    groups, found = grouped(tmp_path, f"path,group\n{name},one\nx,one\n", rows("real/a.jpg", "fake/x.jpg"))
    assert groups == {"real/a.jpg": "one", "fake/x.jpg": "one"}
    assert (found.named, found.unused) == (2, 0)


def test_a_path_starts_from_the_folder_of_the_file(tmp_path):
    own = [Sample("a", str(tmp_path / "a.jpg"), 0, group="a"), Sample("b", "/else/a.jpg", 1, group="b")]
    assert grouped(tmp_path, "path,group\na.jpg,g\n", own)[0] == {"a": "g", "b": "b"}  # the nearer one alone


def test_pairs_name_reals_and_fakes_apart(tmp_path):
    text = "real,fake,note\na,b,\nb,a,\nabsent,neither,\n"
    groups, found = grouped(tmp_path, text, rows("real/a.jpg", "real/b.jpg", "fake/a.jpg", "fake/b.jpg"))
    assert len(set(groups.values())) == 1  # real a - fake b, and real a - fake a by their own name
    assert found.unused == 2


def test_groups_are_joined_and_never_divided(tmp_path):
    text = "path,group\nreal/a.jpg,one\nreal/b.jpg,two\nfake/c.jpg,one\nfake/c.jpg,two\n"
    groups, found = grouped(tmp_path, text, rows("real/a.jpg", "fake/a.jpg", "real/b.jpg", "fake/c.jpg", "real/d.jpg"))
    assert groups.pop("real/d.jpg") == "d"
    assert set(groups.values()) == {"one"}
    assert found.named == 3


def components(samples, pairs):
    """Groups by repeated relabelling: slow, and without a graph."""
    label = {s.id: s.group for s in samples}
    for _ in samples:
        for real, fake in pairs:
            a, b = label[f"real/{real}.jpg"], label[f"fake/{fake}.jpg"]
            label = {i: min(a, b) if g in (a, b) else g for i, g in label.items()}
    sets = defaultdict(set)
    for i, g in label.items():
        sets[g].add(i)
    return {frozenset(s) for s in sets.values()}


def test_no_pair_straddles_and_groups_are_the_components(tmp_path):
    reals, fakes = [f"r{i}" for i in range(12)], [f"f{i}" for i in range(20)]
    pairs = [(reals[i % 9], f) for i, f in enumerate(fakes)] + [("r9", "f3")]
    samples = rows(*(f"real/{r}.jpg" for r in reals), *(f"fake/{f}.jpg" for f in fakes))
    text = "real,fake\n" + "".join(f"{a},{b}\n" for a, b in pairs)
    groups, found = grouped(tmp_path, text, samples)
    sets = defaultdict(set)
    for i, g in groups.items():
        sets[g].add(i)
    assert {frozenset(s) for s in sets.values()} == components(samples, pairs)
    for key in range(5):
        part = {s.id: s.split for s in split_by_group(found.samples, key=key)}
        assert all(part[f"real/{a}.jpg"] == part[f"fake/{b}.jpg"] for a, b in pairs)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name,group\na,b\n", "columns path and group, or real and fake.*got name, group"),
        ("", "got no header"),
        ("path,group\n", "there are no rows"),
        ("path,group\na,\n", "row 1 below the header lacks one"),
        ("path,group\nzebra,g\n", "no entry names one of 1 pictures; the entries are such as zebra"),
    ],
)
def test_a_file_that_names_nobody_is_refused(text, words, tmp_path):
    with pytest.raises(DataError, match=words):
        grouped(tmp_path, text, rows("real/a.jpg"))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="expected a CSV file with the columns"):
        read_groups(tmp_path / "absent.csv")
