"""Every listing of folders agrees on hidden names, links and folders that cannot be opened."""

from __future__ import annotations

import os

import pytest
from PIL import Image

from corit.data.care.contents import missing_files
from corit.data.care.copies import copy_lists
from corit.data.care.prepare import list_videos
from corit.data.discovery import find_data_sets
from corit.data.folders import list_pictures, open_folders
from corit.data.frames import find_videos
from corit.data.passed_over import PassedOver
from corit.data.sample import Sample
from corit.data.sets.deepfakebench import FrameFinder
from corit.data.sets.dfdc import DFDC
from corit.data.walk import existing_names, list_names, walk
from corit.errors import DataError
from corit.sources import SOURCES


def names(root, **how):
    return [f"{folder.inside}/{e.name}".lstrip("/") for folder in walk(root, **how) for e in folder.files]


def write(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        if path.endswith(".png"):
            Image.new("RGB", (9, 9)).save(root / path)
        else:
            (root / path).write_text("x")


@pytest.fixture
def close(monkeypatch):
    """Folders of a name that cannot be opened from now on."""
    scandir = os.scandir

    def close(name):
        def refuse(folder):
            if os.path.basename(os.fspath(folder)) == name:
                raise PermissionError(13, "Permission denied", os.fspath(folder))
            return scandir(folder)

        monkeypatch.setattr(os, "scandir", refuse)

    return close


def copied(root):
    out, stage = root.parent / "out", root.parent / "stage"
    stage.mkdir()
    copy_lists(str(root), str(out), str(stage))
    return {str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()}


LISTINGS = {
    "pictures": (lambda root: [os.path.relpath(p, root) for p in list_pictures(root)], "a/1.png"),
    "videos to prepare": (lambda root: [os.path.relpath(p, root) for p in list_videos(root)], "a/1.mp4"),
    "videos of a data set": (
        lambda root: [os.path.relpath(c.path, root) for c in find_videos(root).values()],
        "a/1.mp4",
    ),
    "lists": (copied, "a/1.json"),
    "data sets": (lambda root: [os.path.relpath(p.path, root) for p in find_data_sets(root, SOURCES)], "a/real"),
}


@pytest.mark.parametrize("listing", LISTINGS)
@pytest.mark.parametrize("hidden", [".hidden", "__MACOSX"])
def test_every_listing_leaves_out_hidden_folders(tmp_path, listing, hidden):
    function, inside = LISTINGS[listing]
    root = tmp_path / "root"
    path = f"{inside}/1.png" if listing == "data sets" else inside
    write(root, path, f"{hidden}/{path}", f"{hidden}/b.json", f"{hidden}/b.mp4")
    assert list(function(root)) == ([inside] if listing != "data sets" else ["a"])


@pytest.mark.parametrize("listing", LISTINGS)
def test_no_listing_goes_in_circles(tmp_path, listing):
    function, inside = LISTINGS[listing]
    root = tmp_path / "root"
    path = f"{inside}/1.png" if listing == "data sets" else inside
    write(root, path)
    (root / "a" / "up").symlink_to(root)
    (root / "a" / "self").symlink_to(root / "a")
    (root / "loop").symlink_to(root / "loop")
    listed = [p for p in function(root) if not p.endswith("loop")]
    assert listed == ([inside] if listing != "data sets" else ["a"])


def test_a_walk_yields_each_folder_before_those_in_it(tmp_path):
    write(tmp_path, "b/2.txt", "a/c/3.txt", "a/1.txt", "0.txt", ".x/4.txt", "a/.5.txt")
    assert names(tmp_path) == ["0.txt", "a/1.txt", "a/c/3.txt", "b/2.txt"]
    assert names(tmp_path, depth=1) == ["0.txt", "a/1.txt", "b/2.txt"]
    assert [e.name for folder in walk(tmp_path) for e in folder.hidden] == [".x", ".5.txt"]


def test_links_are_followed_as_the_walk_says(tmp_path):
    root = tmp_path / "root"
    write(root, "a/1.txt")
    write(tmp_path / "far", "2.txt")
    (root / "b").symlink_to(root / "a")
    (root / "c").symlink_to(tmp_path / "far")
    (root / "d").symlink_to(tmp_path / "far")
    assert names(root, links="once") == ["a/1.txt", "c/2.txt"]
    assert names(root, links="named") == ["a/1.txt", "b/1.txt", "c/2.txt", "d/2.txt"]
    assert names(root, links="never") == ["a/1.txt"]


def test_a_closed_folder_is_an_error_or_is_reported(tmp_path, close):
    write(tmp_path, "a/1.png", "closed/2.png")
    close("closed")
    expected = f"expected to open {tmp_path}/closed, but Permission denied; change its rights or leave it out"
    for listing in (walk, find_videos):
        with pytest.raises(DataError, match=expected):
            list(listing(tmp_path))
    assert list(list_pictures(tmp_path)) == [f"{tmp_path}/a/1.png", f"{tmp_path}/closed"]
    reported = []
    assert list(list_videos(tmp_path, reported.append)) == []
    copy_lists(str(tmp_path), str(tmp_path / "out"), str(tmp_path), reported.append)
    assert reported == [f"{tmp_path}/closed: Permission denied"] * 2
    assert existing_names(tmp_path / "closed") == frozenset()
    with pytest.raises(DataError, match=expected):
        list_names(tmp_path / "closed")


@pytest.mark.parametrize(
    "listing",
    [lambda root: open_folders(str(root)), lambda root: DFDC(str(root)).samples, lambda r: find_data_sets(r, SOURCES)],
    ids=["folder", "dfdc", "data sets"],
)
def test_a_closed_root_is_an_error_that_names_it(tmp_path, close, listing):
    close(tmp_path.name)
    with pytest.raises(DataError, match=f"expected to open {tmp_path}, but Permission denied"):
        listing(tmp_path)


def test_a_link_that_leads_nowhere_is_never_lost(tmp_path):
    root = tmp_path / "root"
    write(root, "a/1.png")
    for name in ("2.png", "video", "3.mp4"):
        (root / name).symlink_to(tmp_path / "gone")
    counts = PassedOver()
    assert [os.path.basename(p) for p in list_pictures(root, accepts=counts.accepts)] == ["2.png", "1.png"]
    assert counts.summary == "passed over 2 files: 1 .mp4, 1 without a suffix"
    reported = []
    assert [os.path.basename(p) for p in list_videos(root, reported.append)] == ["3.mp4"]
    assert reported == [f"{root}/2.png: a link that leads nowhere", f"{root}/video: a link that leads nowhere"]
    assert find_videos(root)["video"].empty  # which is an error, unless the reading is partial
    rows = [Sample(n, str(root / n), 0) for n in ("2.png", "a/1.png")]
    assert missing_files(rows) == (rows[0],)
    assert FrameFinder(str(root), ["a"]).find("2.png") is None
    assert FrameFinder(str(root), ["a"]).find("a/1.png")


def test_hidden_folders_are_counted_as_passed_over(tmp_path):
    write(tmp_path, "a.png", ".git/b.png", "__MACOSX/c.png", "._a.png")
    counts = PassedOver()
    assert list(list_pictures(tmp_path, accepts=counts.accepts)) == [f"{tmp_path}/a.png"]
    assert counts.counts == {"hidden": 3}
