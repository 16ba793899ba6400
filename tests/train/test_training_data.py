"""Data to train on, by name: how it is divided, what the card says of it, and what is refused."""

from __future__ import annotations

import shutil
from collections import defaultdict

import numpy as np
import pytest
from PIL import Image
from trees.celebdf import celebdf
from trees.faceforensics import faceforensics
from trees.uadfv import uadfv
from trees.write import Hand

from corit.errors import DataError
from corit.images.frame_choice import choose
from corit.train.data import Choices, open_data

HAND = Hand(frames=4)


def opened(*specs, root="", **choices):
    return open_data([str(s) for s in specs], root, Choices(**choices))


def parts(data):
    sides = defaultdict(set)
    for s in data.split.samples:
        sides[s.group].add(s.split)
    return sides


def folder(root, reals, fakes):
    for kind, names in (("real", reals), ("fake", fakes)):
        for name in names:
            (root / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((8, 8, 3), 9, np.uint8)).save(root / kind / f"{name}.png")
    return root


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    root = tmp_path_factory.mktemp("sets")
    faceforensics(root / "ff", HAND)
    celebdf(root / "celeb", HAND, people=6, videos=3)
    uadfv(root / "uadfv", HAND)
    return root


def test_official_splits_are_kept(sets):
    data = opened(f"faceforensics:{sets}/ff,manipulations=DF+NT", frames=2)
    (one,) = data.data
    assert one.name == "FaceForensics++ c23: 42 of 3,000 videos"
    assert one.parts == "its own splits"
    assert one.real == {"train": 12, "val": 8, "test": 8}
    assert one.fake == {k: 2 * n for k, n in one.real.items()}
    assert data.card[0]["name"] == one.name
    assert data.domain("faces") == "faces of FaceForensics++ c23"
    assert all(len(sides) == 1 for sides in parts(data).values())


@pytest.mark.parametrize(("words", "frames"), [("", choose(4, 3, "even")), (",frames=2,choice=first", range(2))])
def test_frames_of_the_text_win(words, frames, sets):
    data = opened(f"uadfv:{sets}/uadfv{words}", frames=3)
    assert {s.frame for s in data.split.samples} == set(frames)


def test_a_validation_part_is_cut_out_of_train(sets):
    (one,) = opened(f"celeb-df-v2:{sets}/celeb", frames=1).data
    assert one.parts == "its own splits, val cut out of train by group"
    assert set(one.real) == set(one.fake) == {"train", "val", "test"}


def test_a_set_for_testing_only_is_dealt_by_group(sets):
    data = opened("uadfv", root=str(sets / "uadfv"), frames=1)
    assert data.data[0].parts == "dealt by group"
    assert all(len(sides) == 1 for sides in parts(data).values())


def test_several_sources_are_one(sets, tmp_path):
    for side in ("a", "b"):
        folder(tmp_path / side / "mine", range(6), range(6))
    data = opened(tmp_path / "a" / "mine", tmp_path / "b" / "mine", f"uadfv:{sets}/uadfv", frames=1)
    assert [d.name.partition(":")[0] for d in data.data] == ["folder", "folder", "UADFV"]
    assert len({s.id for s in data.split.samples}) == len(data.split.samples)
    assert data.split.load(data.split.samples[0]).pixels.shape == (8, 8, 3)
    assert data.split.load(data.split.samples[-1]).pixels.ndim == 3
    assert not data.drawn


def test_rows_of_a_csv_file_are_read_by_the_same_reader(tmp_path):
    folder(tmp_path, range(12), range(12))
    lines = [
        f"{kind}/{i}.png,{kind},p{i // 2},{'sdxl' if kind == 'fake' else ''}"
        for kind in ("real", "fake")
        for i in range(12)
    ]
    (tmp_path / "rows.csv").write_text("path,label,group,manipulation\n" + "\n".join(lines))
    data = opened(tmp_path / "rows.csv")
    assert data.data[0].name == "rows"
    assert {s.manipulation for s in data.split.samples} == {"", "sdxl"}
    assert set(parts(data)) == {f"p{i}" for i in range(6)}
    assert all(len(sides) == 1 for sides in parts(data).values())


def test_a_split_of_a_csv_file_is_kept(tmp_path):
    folder(tmp_path, range(6), range(6))
    splits = ("train", "train", "val", "val", "test", "test")
    lines = [f"{kind}/{i}.png,{kind},{splits[i]}" for kind in ("real", "fake") for i in range(6)]
    (tmp_path / "rows.csv").write_text("path,label,split\n" + "\n".join(lines))
    (one,) = opened(tmp_path / "rows.csv").data
    assert (one.parts, one.real) == ("its own splits", {"train": 2, "val": 2, "test": 2})


def test_groups_join_sources_in_one_part(tmp_path):
    reals, fakes = [f"r{i}" for i in range(9)], [f"f{i}" for i in range(9)]
    for name, r, f in (("one", reals, fakes[:1]), ("two", reals[:1], fakes)):
        folder(tmp_path / name, r, f)
    lines = [f"{tmp_path}/one/real/r{i}.png,g{i}\n{tmp_path}/two/fake/f{i}.png,g{i}" for i in range(9)]
    (tmp_path / "groups.csv").write_text("path,group\n" + "\n".join(lines))
    data = opened(tmp_path / "one", tmp_path / "two", groups=str(tmp_path / "groups.csv"))
    assert all(len(sides) == 1 for sides in parts(data).values())
    part = {s.id: s.split for s in data.split.samples}
    assert all(part[f"one/real/r{i}.png"] == part[f"two/fake/f{i}.png"] for i in range(9))
    assert data.notes[0] == f"{tmp_path}/groups.csv names 18 of 20 pictures; the group of the other 2 is their own"


def test_a_part_of_a_set_needs_the_word_and_is_counted(sets, tmp_path):
    shutil.copytree(sets / "ff", tmp_path / "ff")
    shutil.rmtree(tmp_path / "ff" / "manipulated_sequences" / "FaceSwap")
    spec = f"faceforensics:{tmp_path}/ff"
    with pytest.raises(DataError, match=r"found none|have no file.*With --partial, what is there is used"):
        opened(spec)
    (one,) = opened(spec, partial=True, frames=1).data
    assert one.name == "FaceForensics++ c23: 56 of 5,000 videos, 3 of 4 manipulation types"
    assert one.fake["train"] == 18
    with pytest.raises(DataError, match="FaceForensics") as caught:
        opened(f"faceforensics:{tmp_path}/absent", partial=True)
    assert "--partial" not in str(caught.value)


def test_titles_tell_groups_of_several_files_apart(tmp_path):
    for name, split in (("a", "train"), ("b", "test")):
        folder(tmp_path / name, [0, 1, 2], [0, 1, 2])
        rest = [s for s in ("train", "val", "test") if s != split]
        lines = [f"{k}/{i}.png,{k},{s},{i}" for k in ("real", "fake") for i, s in enumerate((split, *rest))]
        (tmp_path / name / "rows.csv").write_text("path,label,split,group\n" + "\n".join(lines))
    data = opened(tmp_path / "a" / "rows.csv", tmp_path / "b" / "rows.csv")
    assert data.notes == ()  # groups of one's own files are told apart by their titles


def test_a_file_in_two_parts_is_refused(tmp_path):
    folder(tmp_path, range(6), range(6))
    for name, first in (("one", 0), ("two", 2)):
        splits = [("train", "val", "test")[(i + first) // 2 % 3] for i in range(6)]
        lines = [f"{kind}/{i}.png,{kind},{splits[i]}" for kind in ("real", "fake") for i in range(6)]
        (tmp_path / f"{name}.csv").write_text("path,label,split\n" + "\n".join(lines))
    with pytest.raises(DataError, match="expected each file and group in one part"):
        opened(tmp_path / "one.csv", tmp_path / "two.csv")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("path,label\nreal/0.png,\nreal/1.png,real\n", "expected a label, real or fake, of each row of"),
        ("path,label\nreal/0.png,fake\n", "expected real pictures in .*, got 1 fakes only"),
        ("path,label\nreal/0.png,real\nreal/1.png,real\n", "at least 3 sources"),
        ("label\nreal\n", "expected a header with the column path"),
    ],
)
def test_rows_that_cannot_train_are_refused(text, words, tmp_path):
    folder(tmp_path, [0, 1], [0])
    (tmp_path / "rows.csv").write_text(text)
    with pytest.raises(DataError, match=words):
        opened(tmp_path / "rows.csv")


def test_crops_belong_to_folders_and_csv_files(sets, tmp_path):
    with pytest.raises(DataError, match="expected --aligned with folders and CSV files only"):
        opened(f"uadfv:{sets}/uadfv", aligned=True)
    data = opened(folder(tmp_path, range(6), range(6)), aligned=True)
    assert all("aligned" in s.extra for s in data.split.samples)
    assert data.split.load(data.split.samples[0]).aligned


def test_only_the_miniature_is_drawn(tmp_path):
    data = opened("miniature:people=4,pictures=1")
    assert data.drawn
    assert data.domain("faces") == "drawn faces of the miniature world only"
    mixed = opened("miniature:people=4,pictures=1", folder(tmp_path, range(6), range(6)))
    assert mixed.domain("faces") == f"faces of miniature, {tmp_path.name}"
