"""DFDC and its preview on tiny trees: counts, sides, groups, both layouts, errors."""

from __future__ import annotations

import json
import shutil
from collections import Counter

import pytest
from trees.dfdc import dfdc, dfdcp
from trees.write import Hand

from corit.data.frames import Reading
from corit.data.sets.dfdc import DFDC, DFDCP
from corit.data.split import require_groups_apart
from corit.errors import DataError


@pytest.fixture
def root(tmp_path):
    dfdc(tmp_path, Hand(frames=2))
    return tmp_path


@pytest.fixture
def preview(tmp_path):
    dfdcp(tmp_path, Hand(frames=2))
    return tmp_path


def counts(source):
    return Counter((s.split, s.label) for s in source.samples)


def test_counts(root):
    # Two parts of two originals with two fakes each; three reals and three fakes for testing; two frames each.
    source = DFDC(str(root))
    assert counts(source) == {("train", 0): 8, ("train", 1): 16, ("test", 0): 6, ("test", 1): 6}
    assert len({s.id for s in source.samples}) == 36
    assert source.load(source.samples[0]).aligned


def test_a_fake_shares_the_group_of_its_original(root):
    train = [s for s in DFDC(str(root)).samples if s.split == "train"]
    assert all(sum(s.group == g and s.label for s in train) == 4 for g in {s.group for s in train})
    assert {s.group for s in train} == {s.video.rpartition("/")[2] for s in train if not s.label}
    require_groups_apart(DFDC(str(root)).samples)


@pytest.mark.parametrize(("gone", "left"), [("train", {"test"}), ("test", {"train"})])
def test_either_side_may_be_absent(root, gone, left):
    shutil.rmtree(root / gone)
    assert {s.split for s in DFDC(str(root)).samples} == left


@pytest.mark.parametrize("name", ["test/labels.csv", "train/dfdc_train_part_01/metadata.json"])
def test_a_folder_without_its_list_is_an_error_and_missed(root, name):
    whole = len(DFDC(str(root)).samples)
    (root / name).unlink()
    with pytest.raises(DataError, match=f"expected {name}, which names the videos"):
        _ = DFDC(str(root)).samples
    lost = []
    assert len(DFDC(str(root), Reading(on_missing=lost.append)).samples) == whole - 12
    assert lost == [name]
    assert len(DFDC(str(root), Reading(partial=True)).samples) == whole - 12
    other = ("train",) if name.startswith("test") else ("test",)
    assert DFDC(str(root), Reading(splits=other)).samples


def test_one_file_under_both_labels_is_an_error(root):
    path = root / "test" / "labels.csv"
    lines = path.read_text().splitlines()
    video, label = lines[1].split(",")
    path.write_text("\n".join([*lines, f"{video},{label}"]))
    assert len(DFDC(str(root)).samples) == 36
    path.write_text("\n".join([*lines, f"{video},{1 - int(label)}"]))
    with pytest.raises(DataError, match=f"expected one label of each video in .*{video[:-4]} has both"):
        _ = DFDC(str(root)).samples


def test_a_preview_without_videos_in_its_list_is_an_error(preview):
    (preview / "dataset.json").write_text("{}")
    with pytest.raises(DataError, match=r"dataset.json, got something else; download it again"):
        _ = DFDCP(str(preview)).samples


def test_neither_side_is_an_error(root):
    shutil.rmtree(root / "train")
    with pytest.raises(DataError, match=r"test/labels.csv, dfdc_train_part_.*ai.meta.com"):
        _ = DFDC(str(root), reading=Reading(splits=("train",))).samples


def test_parts_may_lie_in_the_root_and_hold_bare_videos(tmp_path):
    dfdc(tmp_path, Hand(frames=1, media="videos"), parts=1)
    part = tmp_path / "train" / "dfdc_train_part_00"
    for video in (part / "videos").iterdir():
        video.rename(part / video.name)
    (part / "videos").rmdir()
    part.rename(tmp_path / part.name)
    assert counts(DFDC(str(tmp_path))) == {("train", 0): 2, ("train", 1): 4, ("test", 0): 3, ("test", 1): 3}


def test_a_missing_listed_video_is_an_error_unless_partial(root):
    video = next((root / "test" / "frames").iterdir())
    shutil.rmtree(video)
    with pytest.raises(DataError, match=f"6 videos named in labels.csv in test/, but 1 .*{video.name}"):
        _ = DFDC(str(root)).samples
    assert len(DFDC(str(root), reading=Reading(partial=True)).samples) == 34


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("test/labels.csv", "filename,label\nabc.mp4,2\n", "with 0 or 1"),
        ("test/labels.csv", "filename,label\n", "no rows"),
        ("test/labels.csv", "name;what\na;b\n", "filename,label"),
        ("train/dfdc_train_part_00/metadata.json", "[", "JSON object"),
        ("train/dfdc_train_part_00/metadata.json", '["a"]', "got something else"),
        ("train/dfdc_train_part_00/metadata.json", None, "to be real or fake, got maybe"),
    ],
)
def test_damaged_tables_are_named(root, file, content, words):
    if content is None:
        table = json.loads((root / file).read_text())
        content = json.dumps({k: {"label": "MAYBE"} for k in table})
    (root / file).write_text(content)
    with pytest.raises(DataError, match=words) as caught:
        _ = DFDC(str(root)).samples
    assert file.split("/")[1] in str(caught.value)


def test_preview_counts(preview):
    # Four actors, two on each side, with two originals and a swap by each method; two frames each.
    source = DFDCP(str(preview))
    assert counts(source) == {(s, y): 8 for s in ("train", "test") for y in (0, 1)}
    assert {s.manipulation for s in source.samples if s.label} == {"method_A", "method_B"}
    require_groups_apart(source.samples)
    assert source.load(source.samples[-1]).aligned


def test_preview_videos_lie_in_actors_folders(tmp_path):
    dfdcp(tmp_path, Hand(frames=1, media="videos"))
    assert counts(DFDCP(str(tmp_path))) == {(s, y): 4 for s in ("train", "test") for y in (0, 1)}


def test_preview_has_no_validation_split(preview):
    assert DFDCP(str(preview), reading=Reading(splits=("val",))).samples == ()
    assert counts(DFDCP(str(preview), reading=Reading(splits=("test",)))) == {("test", 0): 8, ("test", 1): 8}


def test_preview_errors(preview):
    table = json.loads((preview / "dataset.json").read_text())
    key = "method_A/1000000/1000000_1000001_A.mp4"
    for change, words in (({"set": "dev"}, "train or test, got 'dev'"), ({"label": "?"}, "real or fake")):
        (preview / "dataset.json").write_text(json.dumps(table | {key: table[key] | change}))
        with pytest.raises(DataError, match=words):
            _ = DFDCP(str(preview)).samples
    (preview / "dataset.json").write_text(json.dumps(table | {"method_A/1/lost.mp4": table[key]}))
    with pytest.raises(DataError, match=r"named in dataset.json in method_A/, but 1 .*lost"):
        _ = DFDCP(str(preview)).samples
    (preview / "dataset.json").write_text(json.dumps(table | {"method_A/1/1000000_1000001_A.mp4": table[key]}))
    with pytest.raises(DataError, match="different names"):
        _ = DFDCP(str(preview)).samples
    (preview / "dataset.json").unlink()
    with pytest.raises(DataError, match=r"expected dataset.json.*preview release"):
        _ = DFDCP(str(preview)).samples
