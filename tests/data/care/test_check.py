"""Checks on sources with planted faults: each is found, and a source without faults is clean."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from images import video_files
from PIL import Image
from trees.celebdf import celebdf
from trees.dfdc import dfdc
from trees.faceforensics import faceforensics
from trees.forensynths import forensynths
from trees.uadfv import uadfv
from trees.write import Hand

from corit.data.care.check import (
    check_source,
    count_samples,
    find_overlap,
    find_straddles,
    find_surprises,
    shared_pictures,
)
from corit.data.care.contents import find_duplicates, missing_files, read_contents
from corit.data.frames import Reading, read_frame
from corit.data.index import open_index
from corit.data.sample import Sample
from corit.data.selected import JoinedSources
from corit.errors import DataError
from corit.seeding import generator
from corit.sources import SOURCES

TREES = {"faceforensics": faceforensics, "dfdc": dfdc, "uadfv": uadfv, "celeb-df-v2": celebdf}


@dataclass(frozen=True)
class Rows:
    """A source of given rows, whose pictures lie on disk."""

    samples: tuple[Sample, ...]

    def load(self, sample):
        return read_frame(sample, Reading())


def picture(path, key):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(generator(key).integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)
    return str(path)


@pytest.fixture
def rows(tmp_path):
    """Two train and two test pictures, one of each label, in folders that say so."""
    out = []
    for split in ("train", "test"):
        for label, folder in ((0, "real"), (1, "fake")):
            path = picture(tmp_path / split / folder / "0.png", f"{split} {label}")
            out.append(Sample(f"{split}/{label}", path, label, split, "m" * label, "mine", f"{split} {label}"))
    return out


@pytest.mark.parametrize("workers", [0, 3])
@pytest.mark.parametrize("name", TREES)
def test_a_tiny_data_set_is_clean(tmp_path, name, workers):
    TREES[name](tmp_path, Hand(frames=2))
    source = SOURCES[name].build(str(tmp_path))
    found = check_source(source, workers=workers)
    assert found.clean, found
    assert sum(c.samples for c in found.counts) == len(source.samples)


def test_counts_by_split_label_and_manipulation(tmp_path):
    faceforensics(tmp_path, Hand(frames=3))
    found = count_samples(SOURCES["faceforensics"].build(str(tmp_path)).samples)
    assert [c.split for c in found] == ["train"] * 5 + ["val"] * 5 + ["test"] * 5
    train = {c.manipulation: (c.label, c.samples, c.videos, c.groups) for c in found if c.split == "train"}
    assert train == {k: (int(bool(k)), 18, 6, 3) for k in ("", "DF", "F2F", "FS", "NT")}


def test_missing_and_unreadable_files_are_told_apart(rows, tmp_path):
    gone = replace(rows[0], id="gone", path=str(tmp_path / "train" / "real" / "9.png"))
    nowhere = replace(rows[0], id="nowhere", path=str(tmp_path / "absent" / "9.png"))
    text = replace(rows[0], id="text", path=str(tmp_path / "train" / "real" / "text.png"))
    (tmp_path / "train" / "real" / "text.png").write_text("hello")
    made = replace(rows[0], id="made", path="world/0")  # nothing on disk stands behind it
    samples = (*rows, gone, nowhere, text)
    assert [s.id for s in missing_files((*samples, made))] == ["gone", "nowhere"]
    read = read_contents(Rows(samples))
    assert [(p.id, p.status) for p in read.problems] == [(i, "unreadable") for i in ("gone", "nowhere", "text")]
    assert "bytes are not one" in read.problems[2].reason
    assert [s.id for s in read.samples] == [s.id for s in rows]
    assert not check_source(Rows(samples)).clean
    assert check_source(Rows(tuple(rows))).clean


def test_damaged_pictures_are_reported_in_the_decoders_words(rows, tmp_path):
    made = []
    for name, kind in (("hurt", "JPEG"), ("cut", "PNG"), ("whole", "JPEG")):
        path = tmp_path / "train" / "real" / f"{name}.{kind.lower()}"
        Image.fromarray(generator(name).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path, kind)
        made.append(replace(rows[0], id=name, path=str(path)))
    hurt, cut = (made[k].path for k in (0, 1))
    data = Path(hurt).read_bytes()
    Path(hurt).write_bytes(data[: len(data) // 2] + b"\xff\xd9")
    data = Path(cut).read_bytes()
    Path(cut).write_bytes(data[:-1])
    read = read_contents(Rows(tuple(made)))
    assert [s.id for s in read.samples] == ["whole"]
    assert [(p.id, p.status) for p in read.problems] == [("hurt", "unreadable"), ("cut", "unreadable")]
    assert read.problems[0].reason == (
        "hurt.jpeg is damaged or cut short: Corrupt JPEG data: premature end of data segment"
    )
    assert read.problems[1].reason == "cut.png is damaged or cut short: it has no end"


def test_duplicates_are_the_same_pixels_whatever_the_file(rows, tmp_path):
    copy = str(tmp_path / "test" / "real" / "copy.bmp")
    Image.open(rows[0].path).save(copy)  # the train real, as another kind of file, among the test reals
    twin = replace(rows[2], id="twin", path=shutil.copy(rows[2].path, tmp_path / "test" / "real" / "twin.png"))
    other = replace(rows[3], id="other", path=shutil.copy(rows[2].path, tmp_path / "test" / "fake" / "other.png"))
    leak = replace(rows[2], id="leak", path=copy)
    found = check_source(Rows((*rows, twin, leak, other)))
    assert [[s.id for s in d.samples] for d in found.duplicates] == [["train/0", "leak"], ["test/0", "twin", "other"]]
    assert [d.splits for d in found.duplicates] == [("test", "train"), ("test",)]
    assert [d.labels for d in found.duplicates] == [(0,), (0, 1)]
    assert [d.samples[0].id for d in found.leaks] == ["train/0"]
    within = check_source(Rows((*rows, twin)))
    assert (len(within.duplicates), within.leaks, within.clean) == (1, (), True)
    assert not check_source(Rows((*rows, other))).clean
    assert not check_source(Rows((*rows, leak))).clean


def test_a_picture_turned_is_another_picture(tmp_path):
    pixels = np.zeros((4, 6, 3), np.uint8)
    paths = [str(tmp_path / f"{i}.png") for i in range(2)]
    Image.fromarray(pixels).save(paths[0])
    Image.fromarray(pixels.transpose(1, 0, 2).copy()).save(paths[1])
    assert find_duplicates(read_contents(Rows(tuple(Sample(p, p, 0) for p in paths)))) == ()


def test_groups_and_videos_on_both_sides(rows):
    straddling = [replace(s, group="somebody", video="v" if s.label else "") for s in rows]
    found = find_straddles([*straddling, replace(rows[0], id="free", split="", group="train 0")])
    assert [(s.kind, s.name, s.splits) for s in found] == [
        ("group", "somebody", ("test", "train")),
        ("video", "v", ("test", "train")),
    ]
    assert find_straddles(rows) == ()


def changed(**by_id):
    return lambda rows: [replace(s, **by_id.get(s.id.replace("/", "_"), {})) for s in rows]


SURPRISES = {
    "path": (
        changed(train_1={"label": 0, "manipulation": ""}),
        "1 samples in .*train/fake are labelled real",
        ["train/1"],
    ),
    "no label": (changed(train_0={"label": None}), "1 samples have no label", ["train/0"]),
    "manipulated real": (changed(train_0={"manipulation": "m"}), "1 real samples name a manip", ["train/0"]),
    "fake of nothing": (changed(test_1={"manipulation": ""}), "1 fake samples name no manip", ["test/1"]),
    "mixed video": (changed(train_0={"video": "v"}, train_1={"video": "v"}), "both labels: v", ["train/0", "train/1"]),
    "one side": (lambda rows: rows[:3], "test holds real samples only", []),
}


@pytest.mark.parametrize("name", SURPRISES)
def test_labels_that_something_speaks_against(rows, name):
    import re

    change, words, ids = SURPRISES[name]
    assert find_surprises(rows) == ()
    found = [s for s in find_surprises(change(rows)) if re.search(words, s.what)]
    assert [list(s.ids) for s in found] == [ids]


FOLDERS = {
    "unreal": ("/d/unreal/0.png", 1, True),
    "deepfake set": ("/d/deepfake/0_real/0.png", 0, True),
    "innermost wins": ("/d/fake/real/0.png", 0, True),
    "both words": ("/d/real_and_fake/0.png", 1, True),
    "capitals": ("/d/Celeb-Real/0.png", 1, False),
    "numbered": ("/d/1_fake/x/0.png", 0, False),
    "nothing said": ("/d/method_A/0.png", 1, True),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_whole_words_of_the_innermost_folder_count(name):
    path, label, fine = FOLDERS[name]
    samples = [
        Sample("a", path, label, manipulation="m" * label),
        Sample("b", "/d/x.png", 1 - label, manipulation="m" * (1 - label)),
    ]
    assert (find_surprises(samples) == ()) == fine


def test_what_all_paths_share_says_nothing():
    samples = [Sample(str(k), f"/home/fake/set/{k}/0.png", k, manipulation="m" * k) for k in (0, 1)]
    assert find_surprises(samples) == ()
    assert find_surprises([]) == ()


def test_two_sources_overlap_in_paths_groups_and_pixels(rows, tmp_path):
    train, test = [s for s in rows if s.split == "train"], [s for s in rows if s.split == "test"]
    assert find_overlap(train, test).empty
    (tmp_path / "link").symlink_to(tmp_path / "train")
    same = replace(train[0], id="linked", path=str(tmp_path / "link" / "real" / "0.png"), group="other")
    copied = replace(train[1], id="copied", path=shutil.copy(train[1].path, tmp_path / "copied.png"), group="train 0")
    tests = [*test, same, copied]
    found = find_overlap(train, tests, (read_contents(Rows(()), train), read_contents(Rows(()), tests)))
    assert found.paths == (train[0].path,)
    assert found.groups == ("train 0",)
    assert [[s.id for s in d.samples] for d in found.pixels] == [["train/0", "linked"], ["train/1", "copied"]]
    assert not found.empty
    assert shared_pictures(read_contents(Rows(()), train), read_contents(Rows(()), test)) == ()


def test_reals_that_subsets_share_are_no_leak_but_are_shown(tmp_path):
    """The diffusion sets of UniversalFakeDetect share their reals: duplicates within the test split."""
    forensynths(tmp_path)
    source = SOURCES["unifd"].build(str(tmp_path), subsets=("ldm_200", "dalle"))
    found = check_source(source)
    assert found.duplicates
    assert found.leaks == ()
    assert all(d.labels == (0,) for d in found.duplicates)


def test_videos_are_opened_and_told_apart_by_their_bytes(tmp_path):
    first = video_files.write(tmp_path / "a.mp4", frames=3)
    names = {
        "a": first,
        "b": tmp_path / "b.mp4",
        "c": video_files.write(tmp_path / "c.mp4", frames=4),
        "d": tmp_path / "d.mp4",
    }
    shutil.copy(first, names["b"])
    names["d"].write_text("hello")
    samples = tuple(Sample(k, str(p), 0, frame=-1) for k, p in names.items())
    read = read_contents(Rows(samples))
    assert [(p.id, p.status) for p in read.problems] == [("d", "unsupported")]
    assert [[s.id for s in d.samples] for d in find_duplicates(read)] == [["a", "b"]]


def test_frames_of_one_video_are_pictures_of_their_own(tmp_path):
    video_files.write(tmp_path / "a.avi", frames=6)
    lines = [
        f"{frame},a.avi,{label},test,{frame}" for frame, label in ((0, "real"), (3, "fake"), (5, "real"), (99, "fake"))
    ]
    (tmp_path / "rows.csv").write_text("\n".join(["id,path,label,split,frame", *lines]))
    for workers in (0, 2):
        found = check_source(open_index(str(tmp_path / "rows.csv")), workers=workers)
        assert found.duplicates == ()
        assert [(p.id, p.status) for p in found.problems] == [(found.problems[0].id, "unreadable")]
        assert "frame 99 of a.avi cannot be decoded" in found.problems[0].reason


def test_videos_that_end_early_or_show_nothing_are_problems(tmp_path):
    whole = video_files.write(tmp_path / "whole.avi", frames=12)
    last = video_files.write(tmp_path / "whole.mp4", frames=12)
    video_files.cut(whole, tmp_path / "cut.avi", share=0.8)
    video_files.damage(last, tmp_path / "damaged.mp4", share=0.5)
    video_files.damage(last, tmp_path / "zeros.mp4", share=0)
    video_files.hole(video_files.encode(tmp_path / "a.mkv", "mjpeg", "yuvj420p"), tmp_path / "hole.mkv", share=0.1)
    names = ("whole.avi", "whole.mp4", "cut.avi", "damaged.mp4", "zeros.mp4", "hole.mkv")
    samples = tuple(Sample(n, str(tmp_path / n), 0, frame=-1) for n in names)
    read = read_contents(Rows(samples), workers=2)
    assert [s.id for s in read.samples] == ["whole.avi", "whole.mp4"]
    assert [(p.id, p.status) for p in read.problems] == [
        ("cut.avi", "truncated"),
        ("damaged.mp4", "truncated"),
        ("zeros.mp4", "unreadable"),
        ("hole.mkv", "truncated"),
    ]
    assert "of 12 frames of cut.avi can be decoded" in read.problems[0].reason


def test_a_duplicate_of_a_row_without_a_split_is_no_leak(rows, tmp_path):
    free = replace(rows[0], id="free", split="", path=shutil.copy(rows[0].path, tmp_path / "train" / "real" / "1.png"))
    found = check_source(Rows((*rows, free)))
    assert [d.splits for d in found.duplicates] == [("train",)]
    assert found.leaks == ()


def test_groups_of_one_name_in_several_sources_are_shared(rows):
    alike = [replace(s, group="g") if s.id in ("train/0", "test/0") else s for s in rows]
    sides = (Rows(tuple(s for s in alike if s.split == split)) for split in ("train", "test"))
    found = check_source(JoinedSources(tuple(sides)), contents=False)
    assert found.straddles == ()
    assert [(s.name, s.splits) for s in found.shared_groups] == [("g", ("test", "train"))]
    assert check_source(Rows(tuple(alike)), contents=False).shared_groups == ()
    assert [s.name for s in check_source(Rows(tuple(alike)), contents=False).straddles] == ["g"]
    more = tuple(replace(s, id=f"more/{s.id}") for s in alike)
    both = JoinedSources((Rows(tuple(alike)), Rows(more)))
    assert check_source(both, contents=False).shared_groups == ()  # a straddle is named once


def test_surprises_are_of_one_source_each(rows):
    train = tuple(s for s in rows if s.split == "train")
    real = Rows(tuple(replace(s, id=f"more/{s.id}") for s in train if s.label == 0))
    found = check_source(JoinedSources((Rows(train), real)), contents=False)
    assert [s.what for s in found.surprises] == ["train holds real samples only"]


def test_an_id_of_several_samples_is_a_surprise(rows):
    (found,) = find_surprises([*rows, rows[0]])
    assert (found.what, found.ids) == (f"1 ids are of several samples: {rows[0].id}", (rows[0].id,))


def test_a_link_that_leads_nowhere_is_absent(rows):
    os.remove(rows[0].path)
    os.symlink("nowhere", rows[0].path)
    assert missing_files(rows) == (rows[0],)


def test_less_than_no_workers_are_refused_in_words(rows):
    with pytest.raises(DataError, match="expected a number of workers, or 0 for none, got -1"):
        check_source(Rows(tuple(rows)), workers=-1)


def test_progress_is_told_and_contents_are_optional(rows):
    told = []
    check_source(Rows(tuple(rows)), progress=lambda done, total: told.append((done, total)))
    assert told == [(n + 1, len(rows)) for n in range(len(rows))]
    quick = check_source(Rows(tuple(rows)), contents=False)
    assert (quick.problems, quick.duplicates, quick.leaks) == (None, None, ())


def test_a_hundred_thousand_rows_are_checked_by_name_alone():
    """Work in proportion to rows and folders: a row is touched a few times, a folder is listed once."""
    samples = [
        Sample(str(k), f"/absent/real/{k // 50}/{k}.png", 0, "train", group=str(k // 50)) for k in range(100_000)
    ]
    assert len(missing_files(samples)) == 100_000
    assert find_straddles(samples) == ()
    assert count_samples(samples)[0].groups == 2000
