"""What is measured on: titles, sub-folders, splits and several sources, and data on which nothing can be measured."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from corit.errors import DataError
from corit.evaluate.labelled import open_labelled


def pictures(root, *names, value=0):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), value, np.uint8)).save(root / name)
    return root


def known(found, *fields):
    return [tuple(getattr(s, f) for f in fields) for s in found.samples]


def test_a_folder_is_one_source_and_its_sub_folders_of_fakes_are_manipulations(tmp_path):
    names = ("real/a.png", "real/people/b.png", "fake/sdxl/c.png", "fake/flux/deep/d.png", "fake/e.png")
    found = open_labelled([str(pictures(tmp_path / "mine", *names))])
    assert known(found, "id", "dataset", "manipulation") == [
        ("real/a.png", "mine", ""),
        ("real/people/b.png", "mine", ""),
        ("fake/e.png", "mine", "fake"),
        ("fake/flux/deep/d.png", "mine", "flux"),
        ("fake/sdxl/c.png", "mine", "sdxl"),
    ]
    by_folder = open_labelled([f"folder:{tmp_path}/mine,by_folder=true"])
    assert {s.manipulation for s in by_folder.samples} == {"", "fake"}  # there a sub-folder is a person or a video
    assert {s.group for s in by_folder.samples} == {".", "people", "sdxl", "flux/deep"}


@pytest.mark.parametrize("side", ["", "test/"])
def test_a_fake_in_a_sub_folder_is_of_the_source_of_the_real_picture_of_its_name(side, tmp_path):
    names = ["real/a.png", "real/p/b.png", "fake/sdxl/a.jpg", "fake/flux/p/b.png", "fake/flux/c.png"]
    folders = ("train/", "val/", side) if side else ("",)
    found = open_labelled([str(pictures(tmp_path / "mine", *(f + n for f in folders for n in names)))])
    assert {s.id.removeprefix(side): s.group.removeprefix(side) for s in found.samples} == {
        "real/a.png": "a",
        "real/p/b.png": "p/b",
        "fake/sdxl/a.jpg": "a",
        "fake/flux/p/b.png": "p/b",
        "fake/flux/c.png": "flux/c",  # no real picture has its name
    }


@pytest.mark.parametrize("layout", ["{split}/{kind}/{name}", "{kind}/{split}/{name}"])
def test_only_the_test_split_is_measured_unless_others_are_asked_for(layout, tmp_path):
    names = [
        layout.format(split=s, kind=k, name=n)
        for s in ("train", "val", "test")
        for k, n in (("real", "x.png"), ("fake", "sd/y.png"))
    ]
    root = pictures(tmp_path / "mine", *names)
    found = open_labelled([str(root)])
    assert known(found, "split", "manipulation") == [("test", ""), ("test", "sd")]
    assert found.about == {"rows of": str(root), "rows": "2, split test"}
    every = open_labelled([f"folder:{root},splits=train+val+test"])
    assert len(every.samples) == 6
    assert every.about["rows"] == "6, split test and train and val"
    assert {s.split for s in open_labelled(["miniature:people=2,pictures=1"]).samples} == {"test"}


def test_several_sources_may_have_files_of_the_same_names(tmp_path):
    for k, name in enumerate(("one/a", "two/a", "b")):
        pictures(tmp_path / name, "real/x.png", "fake/x.png", value=k)
    texts = [str(tmp_path / n) for n in ("one/a", "b")]
    found = open_labelled(texts)
    assert [s.id for s in found.samples] == ["a/real/x.png", "a/fake/x.png", "b/real/x.png", "b/fake/x.png"]
    assert [s.group for s in found.samples] == ["a/x", "a/x", "b/x", "b/x"]
    assert [int(found.load(s).pixels[0, 0, 0]) for s in found.samples] == [0, 0, 2, 2]
    same = open_labelled([str(tmp_path / "one/a"), str(tmp_path / "two/a")])
    assert len({s.id for s in same.samples}) == len({s.dataset for s in same.samples}) * 2 == 4
    assert [int(same.load(s).pixels[0, 0, 0]) for s in same.samples] == [0, 0, 1, 1]
    assert found.about == {"rows of": ", ".join(texts), "rows": "4, not divided into splits"}


def test_a_csv_file_keeps_what_it_says(tmp_path):
    pictures(tmp_path, "x.png", "y.png")
    text = "path,label,dataset,manipulation,video\nx.png,real,web,,v\ny.png,fake,web,sd,w\n"
    for name in ("rows.csv", "more.csv"):
        (tmp_path / name).write_text(text)
    alone = open_labelled([str(tmp_path / "rows.csv")])
    assert known(alone, "id", "dataset", "manipulation", "video") == [
        ("x.png", "web", "", "v"),
        ("y.png", "web", "sd", "w"),
    ]
    both = open_labelled([str(tmp_path / n) for n in ("rows.csv", "more.csv")])
    assert known(both, "id", "video")[1:3] == [("rows/y.png", "rows/w"), ("more/x.png", "more/v")]
    with_root = open_labelled(["csv:rows.csv"], root=str(tmp_path))
    with pytest.raises(DataError, match=r"rows\.csv"):
        _ = with_root.samples


def test_data_on_which_nothing_can_be_measured_is_refused_before_it_is_scored(tmp_path):
    with pytest.raises(DataError, match="expected data to measure on: a folder, a CSV file"):
        open_labelled([])
    with pytest.raises(DataError, match="no data set 'nowhere'"):
        open_labelled(["nowhere"])
    (tmp_path / "rows.csv").write_text("path,label\nx.png,fake\ny.png,\n")
    with pytest.raises(DataError, match="got 0 reals, 1 fakes and 1 without a label"):
        _ = open_labelled([str(tmp_path / "rows.csv")]).samples
    pictures(tmp_path / "reals", "real/x.png")
    with pytest.raises(DataError, match="got 1 reals, 0 fakes"):
        _ = open_labelled([str(tmp_path / "reals")]).samples


def test_a_name_that_is_a_data_sets_and_a_folders_is_refused(tmp_path, monkeypatch):
    pictures(tmp_path / "miniature", "real/x.png", "fake/y.png")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"write miniature: for the data set or \./miniature for the folder"):
        open_labelled(["miniature"])
    assert known(open_labelled(["./miniature"]), "id") == [("real/x.png",), ("fake/y.png",)]
    assert len(open_labelled(["miniature:"]).samples) > 2
    assert len(open_labelled(["miniature:people=2,pictures=1"]).samples) > 2


def test_the_key_of_data_is_the_same_however_its_place_is_written(tmp_path, monkeypatch):
    root = pictures(tmp_path / "mine", "real/x.png", "fake/y.png")
    (tmp_path / "rows.csv").write_text("path,label\n")
    monkeypatch.chdir(tmp_path)
    keys = {open_labelled([t]).key for t in ("mine", "mine/", "./mine", str(root), "folder:mine", "folder:root=mine")}
    assert keys == {f"folder: root={root}"}
    assert open_labelled(["rows.csv"]).key == open_labelled(["csv:./rows.csv"]).key
    assert open_labelled(["folder"], root="mine").key == open_labelled(["mine"]).key
    assert open_labelled(["folder:mine,by_folder=true"]).key != open_labelled(["mine"]).key


@pytest.mark.parametrize("other", ["mine", "./mine/", "folder:root=mine", "link"])
def test_data_that_is_named_twice_is_refused_however_it_is_written(other, tmp_path, monkeypatch):
    pictures(tmp_path / "mine", "real/x.png", "fake/y.png")
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="expected each data once, got mine, .*; name it once"):
        open_labelled(["mine", other])
    open_labelled([f"folder:mine,manipulations={kind}" for kind in ("a", "b")])  # two parts of one place


def test_other_landmarks_in_the_same_file_are_other_data(tmp_path):
    root = pictures(tmp_path / "mine", "real/x.png", "fake/y.png")
    points = tmp_path / "points.json"
    points.write_text('{"x.png": [[1, 2]]}')
    text = f"folder:{root},landmarks={points}"
    before = open_labelled([text]).key
    assert open_labelled([text]).key == before
    points.write_text('{"x.png": [[1, 20]]}')
    assert open_labelled([text]).key != before
