"""Data sets found below a folder by their marks, each in the tree that its own generator makes."""

from __future__ import annotations

import os

import pytest
from data.test_data_sets import TREES, plain, plant
from trees import genimage, uadfv
from trees.df40 import df40
from trees.write import Hand

from corit.data.discovery import FoundDataSet, describe_data_sets, find_data_sets
from corit.errors import DataError
from corit.sources import SOURCES, open_source

SAME = {"celeb-df-v1": {"celeb-df-v2"}, "celeb-df-v2": {"celeb-df-v1"}, "faceshifter": {"faceforensics"}}


PICTURES = ("df40", "unifd", "genimage")  # are distributed without videos
CASES = [(n, m) for n in TREES if n != "folder" for m in ("frames", "videos") if m == "frames" or n not in PICTURES]


@pytest.mark.parametrize(("name", "media"), CASES)
def test_every_tree_is_told_from_all_others(name, media, tmp_path):
    plant(name, tmp_path / "some" / "place", Hand(frames=1, media=media))
    found = find_data_sets(tmp_path, SOURCES)
    assert {p.name for p in found} == {name} | SAME.get(name, set())
    assert {p.path for p in found} == {str(tmp_path / "some" / "place")}


def test_files_are_told_by_what_they_hold(tmp_path):
    plant("deepfakebench", tmp_path, Hand(frames=1))
    plain(tmp_path / "pictures", Hand(frames=1))
    (tmp_path / "other.json").write_text('{"some": 1}')
    (tmp_path / "other.csv").write_text("name,label\n")
    (tmp_path / "empty.csv").touch()
    found = {p.name: p.path for p in find_data_sets(tmp_path, SOURCES)}
    assert found["deepfakebench"] == str(tmp_path / "UADFV.json")
    assert found["csv"] == str(tmp_path / "pictures" / "rows.csv")
    assert found["folder"] == str(tmp_path / "pictures")
    assert found["uadfv"] == str(tmp_path / "UADFV")
    assert len(found) == 4


def test_a_quoted_header_of_a_csv_file_is_understood(tmp_path):
    (tmp_path / "quoted.csv").write_bytes(b'\xef\xbb\xbf"label","path"\r\n"0","a.png"\r\n')
    assert [p.spec for p in find_data_sets(tmp_path, SOURCES)] == [f"csv:{tmp_path}/quoted.csv"]


@pytest.mark.parametrize("deep", [True, False])
def test_parts_of_a_data_set_are_not_that_data_set_again(tmp_path, deep):
    genimage.genimage(tmp_path / "some" / "gen")
    for generator in (tmp_path / "some" / "gen").iterdir():
        (inner,) = generator.iterdir()
        for side in inner.iterdir() if not deep else ():
            side.rename(generator / side.name)
    for root in (tmp_path, tmp_path / "some", tmp_path / "some" / "gen"):
        assert [p.spec for p in find_data_sets(root, SOURCES)] == [f"genimage:{tmp_path}/some/gen"]


def test_what_was_found_can_be_named(tmp_path):
    uadfv.uadfv(tmp_path, Hand(frames=1))
    (place,) = find_data_sets(tmp_path, SOURCES)
    assert place == FoundDataSet("uadfv", str(tmp_path))
    assert open_source(place.spec).samples
    (row,) = (r for r in describe_data_sets(SOURCES, tmp_path) if r["found"])
    assert row["found"] == f"uadfv:{tmp_path}"


def test_what_has_to_be_said_besides_is_said(tmp_path):
    df40(tmp_path, Hand(frames=1))
    (row,) = (r for r in describe_data_sets(SOURCES, tmp_path) if r["name"] == "df40")
    assert row["found"] == f"df40:{tmp_path},names=..."
    assert open_source(row["found"].replace("...", "heygen")).samples


def test_folders_that_cannot_be_opened_are_passed_over(tmp_path, monkeypatch):
    uadfv.uadfv(tmp_path / "set", Hand(frames=1))
    (tmp_path / "lost+found").mkdir()
    scandir = os.scandir

    def refuse(folder):
        if str(folder).endswith("lost+found"):
            raise PermissionError(13, "Permission denied", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    assert [p.spec for p in find_data_sets(tmp_path, SOURCES)] == [f"uadfv:{tmp_path / 'set'}"]


def test_a_root_has_to_be_a_folder(tmp_path):
    with pytest.raises(DataError, match="expected a folder at"):
        find_data_sets(tmp_path / "none", SOURCES)
