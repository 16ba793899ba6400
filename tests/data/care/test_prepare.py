"""Videos prepared on tiny videos: what lies on disk, how it is read back, and what happens when work is cut off."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from data import faces
from full import narrow
from images import video_files
from PIL import Image
from skimage.data import astronaut
from trees.celebdf import celebdf
from trees.deeperforensics import deeperforensics
from trees.dfdc import dfdc, dfdcp
from trees.faceforensics import deepfakedetection
from trees.uadfv import uadfv
from trees.write import Hand

from corit.data.care.prepare import JOURNAL, STAGED, Cropping, list_videos, prepare_videos
from corit.data.frames import Reading, choose
from corit.data.mask_video import find_mask_video
from corit.data.sets.faceforensics import FaceForensics
from corit.errors import DataError, MachineError
from corit.images.face_crop import crop_face
from corit.images.faces import align, find_faces, five_points, template
from corit.images.picture import Picture
from corit.images.video import Frame
from corit.journal import Journal, lock_folder
from corit.sources import SOURCES

FOUR = Cropping(frames=4)


def run(root, out, cropping=FOUR, paths=None, **options):
    return list(prepare_videos(paths or list_videos(root), root, out, cropping, finder=faces.find_discs, **options))


def below(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_a_video_becomes_frames_with_landmarks_beside_them(tmp_path):
    faces.video(tmp_path / "in" / "real" / "a.mp4")
    (row,) = run(tmp_path / "in", tmp_path / "out")
    assert (row.name, row.status, row.reason) == ("real/a.mp4", "ok", "")
    assert (row.frames, row.faceless, row.missing) == (4, 0, 0)
    names = [f"{i:03d}" for i in choose(12, 4, "even")]
    expected = [*(f"frames/a/{n}.png" for n in names), *(f"landmarks/a/{n}.npy" for n in names)]
    assert below(tmp_path / "out" / "real") == expected
    pixels = np.asarray(Image.open(tmp_path / "out/real/frames/a/003.png"))
    points = np.load(tmp_path / "out/real/landmarks/a/003.npy", allow_pickle=False)
    assert pixels.shape == (256, 256, 3)
    assert points.shape == (68, 2)
    assert np.abs(five_points(points) - template()).max() < 3  # in pose, and found again there
    disc = pixels[..., 1] > 150
    expected_radius = 128 / 1.3  # the disc's box is the template's whole square
    assert np.sqrt(disc.sum() / np.pi) == pytest.approx(expected_radius, rel=0.05)


@pytest.mark.parametrize(
    ("choice", "expected"), [("even", ["000", "003", "007", "011"]), ("first", ["000", "001", "002", "003"])]
)
def test_frames_are_chosen_by_index(tmp_path, choice, expected):
    faces.video(tmp_path / "in" / "a.avi")
    run(tmp_path / "in", tmp_path / "out", Cropping(frames=4, choice=choice))
    assert [p.stem for p in sorted((tmp_path / "out" / "frames" / "a").iterdir())] == expected


@pytest.mark.parametrize("workers", [0, 2])
def test_every_video_has_a_row_with_its_status(tmp_path, workers):
    root = tmp_path / "in"
    faces.video(root / "a good.mp4")
    faces.video(root / "b some.mp4", faces={0, 7})
    faces.video(root / "c none.mp4", faces=())
    video_files.cut(faces.video(root / "whole.avi"), root / "d cut.avi", share=0.7)
    os.unlink(root / "whole.avi")
    (root / "e text.mp4").write_text("hello")
    (root / "f empty.mp4").write_bytes(b"")
    video_files.damage(faces.video(tmp_path / "whole.mp4"), root / "g zero.mp4", share=0)
    found = run(root, tmp_path / "out", workers=workers)
    status = {r.name[0]: r.status for r in found}
    assert status == {
        **{"a": "ok", "b": "ok", "c": "no_face", "d": "truncated"},
        **{"e": "unsupported", "f": "unreadable", "g": "unreadable"},
    }
    rows = {r.name[0]: r for r in found}
    assert (rows["b"].frames, rows["b"].faceless) == (2, 2)
    assert rows["c"].faceless == 4
    assert 0 < rows["d"].frames == 4 - rows["d"].missing
    assert "selected frames decoded" in rows["d"].reason
    made = {p.name for p in (tmp_path / "out" / "frames").iterdir()}
    assert made == {"a good", "b some", "d cut"}
    assert all((r.folder != "") == (r.frames > 0) for r in found)
    assert not (tmp_path / "out" / STAGED).exists() or not below(tmp_path / "out" / STAGED)


def tree(root, frames=6):
    """FaceForensics++ as its script leaves it: one pair, videos, videos of masks, lists."""
    for split, pair in (("train", ("000", "001")), ("val", ("002", "003")), ("test", ("004", "005"))):
        (root / "splits").mkdir(parents=True, exist_ok=True)
        (root / "splits" / f"{split}.json").write_text(json.dumps([pair]))
        for name in pair:
            faces.video(root / f"original_sequences/youtube/c23/videos/{name}.mp4", frames)
        for name in ("_".join(pair), "_".join(pair[::-1])):
            faces.video(root / f"manipulated_sequences/Deepfakes/c23/videos/{name}.mp4", frames)
            shown = [faces.disc(k, radius=12, level=255) for k in range(frames)]
            path = root / f"manipulated_sequences/Deepfakes/masks/videos/{name}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            video_files.write(path, shown=[np.where(s == 255, 255, 0).astype(np.uint8) for s in shown])


@pytest.mark.parametrize("same", [False, True], ids=["elsewhere", "in place"])
def test_prepared_crops_are_read_as_their_data_set(tmp_path, same):
    root, out = tmp_path / "ff", tmp_path / "ff" if same else tmp_path / "out"
    tree(root)
    videos_of = FaceForensics(str(root), ("DF",), reading=Reading(media="videos"))
    assert {s.frame for s in videos_of.samples} == {-1}
    rows = run(root, out, paths=[s.path for s in videos_of.samples])
    assert {r.status for r in rows} == {"ok"}
    source = FaceForensics(str(out), ("DF",), reading=Reading(masks=True))
    assert len(source.samples) == 4 * len(videos_of.samples)
    assert {(s.video, s.label, s.split) for s in source.samples} == {
        (s.video, s.label, s.split) for s in videos_of.samples
    }
    assert {s.frame for s in source.samples} == set(choose(6, 4, "even"))
    for sample in source.samples[:: len(source.samples) // 6]:
        picture = source.load(sample)
        assert picture.aligned
        assert picture.landmarks.shape == (68, 2)
        assert (picture.mask is not None) == (sample.label == 1)
        if picture.mask is not None:  # half the disc's radius, warped with it; video codecs blur the rim
            assert np.sqrt(picture.mask.sum() / np.pi) == pytest.approx(128 / 1.3 / 2, rel=0.25)


def disc(subject):
    """A face of which every video has its own, as `faces.disc` draws it."""
    return Picture(faces.disc(subject.frame, level=200 + sum(map(ord, str(subject))) % 50))


TREES = {
    "celeb-df-v2": celebdf,
    "dfdc": dfdc,
    "dfdcp": dfdcp,
    "uadfv": uadfv,
    "deeperforensics": deeperforensics,
    "deepfakedetection": deepfakedetection,
}


@pytest.mark.parametrize("same", [False, True], ids=["elsewhere", "in place"])
@pytest.mark.parametrize("name", TREES)
def test_prepared_crops_have_the_rows_of_their_videos(tmp_path, name, same):
    root, out = tmp_path / "set", tmp_path / "set" if same else tmp_path / "out"
    TREES[name](root, Hand(disc, frames=2, media="videos"))
    listed = SOURCES[name].build(str(root)).samples
    assert {s.frame for s in listed} == {-1}
    rows = run(root, out, Cropping(frames=2), paths=[s.path for s in listed])
    assert {r.status for r in rows} == {"ok"}
    of = lambda samples: {(s.video, s.label, s.split, s.group) for s in samples}
    crops = SOURCES[name].build(str(out)).samples
    assert of(crops) == of(listed)
    assert len(crops) == 2 * len(listed)
    assert {s.frame for s in crops} == {0, 1}


FAKE = "manipulated_sequences/Deepfakes/{}/videos/000_001.mp4"


def masked(tmp_path, write):
    """The row of a fake of six frames whose masks were written anew as a video, that video, and its folder."""
    tree(tmp_path / "ff")
    video, masks = (str(tmp_path / "ff" / FAKE.format(kind)) for kind in ("c23", "masks"))
    write(Path(masks))
    assert find_mask_video(video) == masks
    (row,) = run(tmp_path / "ff", tmp_path / "out", paths=[video])
    return row, masks, tmp_path / "out" / "manipulated_sequences/Deepfakes/c23/masks/000_001"


def shown(frames, radius=12):
    discs = (faces.disc(k, radius=radius, level=255) for k in range(frames))
    return [np.where(d == 255, 255, 0).astype(np.uint8) for d in discs]


WITHOUT = {
    "another size": (lambda p: video_files.write(p), 0, "its frames are 64 x 48, those of the video 160 x 120"),
    "text": (lambda p: p.write_text("no video"), 0, "expected a video"),
    "shorter": (lambda p: video_files.write(p, shown=shown(3)), 2, "it has no frame 3 that can be decoded"),
}


@pytest.mark.parametrize("name", WITHOUT)
def test_crops_without_masks_are_kept_and_counted(tmp_path, name):
    write, masks, why = WITHOUT[name]
    row, path, folder = masked(tmp_path, write)
    assert (row.status, row.frames, row.masks, row.maskless) == ("ok", 4, masks, 4 - masks)
    assert f"{4 - masks} of 4 frames have no mask: {path}: " in row.reason
    assert why in row.reason
    assert len(list(folder.iterdir()) if folder.exists() else []) == masks


def test_a_frame_has_the_mask_of_its_own_index(tmp_path):
    row, _, folder = masked(tmp_path, lambda p: video_files.write(p, shown=shown(11)))
    assert (row.status, row.reason, row.masks, row.maskless) == ("ok", "", 4, 0)
    for index in choose(6, 4, "even"):  # the disc walks, and its crop with it: its mask stays in the middle
        _, x = np.nonzero(np.asarray(Image.open(folder / f"{index:03d}.png")))
        assert x.mean() == pytest.approx(127.5, abs=3)


def test_masks_of_any_colour_count(tmp_path):
    blue = [np.where(s == 255, np.uint8([0, 0, 255]), np.uint8(0)) for s in shown(6)]
    row, _, folder = masked(tmp_path, lambda p: video_files.write(p, shown=blue))
    assert row.masks == 4
    assert np.asarray(Image.open(folder / "000.png")).sum() > 0


def test_videos_are_listed_without_masks_and_hidden_ones(tmp_path):
    for name in ("b/videos/1.mp4", "a.avi", "b/masks/videos/1.mp4", ".c/1.mp4", "b/.2.mp4", "b/frames.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    found = [Path(p).relative_to(tmp_path).as_posix() for p in list_videos(tmp_path)]
    assert found == ["a.avi", "b/frames.mp4", "b/videos/1.mp4"]


class Count:
    """A finder that counts how often it is asked."""

    def __init__(self):
        self.calls = 0

    def __call__(self, pixels):
        self.calls += 1
        return faces.find_discs(pixels)


def test_what_is_there_is_not_done_again_and_what_failed_is(tmp_path):
    root, out, finder = tmp_path / "in", tmp_path / "out", Count()
    faces.video(root / "a.mp4")
    (root / "b.mp4").write_text("not yet downloaded")
    go = lambda: list(prepare_videos(list_videos(root), root, out, FOUR, finder=finder))
    first = go()
    assert finder.calls == 8  # each of four faces is looked for in the frame and in the crop
    faces.video(root / "b.mp4")
    second = go()
    assert finder.calls == 16
    assert [r.status for r in first] == ["ok", "unsupported"]
    assert [r.status for r in second] == ["ok", "ok"]
    assert second[0] == first[0]
    assert go() == second
    assert finder.calls == 16
    with (out / JOURNAL).open("a") as file:
        file.write('{"name": "c.mp')  # a kill while a line was written
    assert go() == second
    assert (out / JOURNAL).read_text().count("c.mp") == 0


def test_without_a_second_look_the_landmarks_move_with_the_crop(tmp_path):
    root, finder = tmp_path / "in", Count()
    faces.video(root / "a.mp4")
    list(prepare_videos(list_videos(root), root, tmp_path / "out", Cropping(frames=4, again=False), finder=finder))
    assert finder.calls == 4
    points = np.load(tmp_path / "out/landmarks/a/000.npy", allow_pickle=False)
    assert np.abs(five_points(points) - template()).max() < 0.5


def test_the_default_cropping_finds_faces_as_the_benchmark_does():
    """On the whole frame, and with what dlib itself calls a face: landmarks differ where the frame is shrunk."""
    wide = np.zeros((720, 1600, 3), np.uint8)
    wide[:, 400:1120] = cv2.resize(astronaut(), (720, 720))
    made = crop_face(Frame(0, 0.0, wide), Cropping(again=False))
    (face, *_) = find_faces(wide, longest=None, least=0.0)
    assert np.array_equal(made.landmarks, align(wide, face.landmarks)[1])
    shrunk = crop_face(Frame(0, 0.0, wide), Cropping(again=False, longest=1280))
    assert not np.allclose(shrunk.landmarks, made.landmarks, atol=0.1)
    assert face.score < 3
    assert crop_face(Frame(0, 0.0, wide), Cropping(least=3.0)) is None


def test_other_settings_are_refused(tmp_path):
    faces.video(tmp_path / "in" / "a.mp4")
    run(tmp_path / "in", tmp_path / "out")
    with pytest.raises(DataError, match="begun with frames 4 instead of 8"):
        run(tmp_path / "in", tmp_path / "out", Cropping(frames=8))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / JOURNAL).write_text("[1]\n")
    with pytest.raises(DataError, match="not of this program"):
        run(tmp_path / "in", tmp_path / "other")


def test_frames_of_others_are_left_alone(tmp_path):
    faces.video(tmp_path / "a.mp4")
    own = tmp_path / "frames" / "a" / "000.png"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"mine")
    (row,) = run(tmp_path, tmp_path)
    assert row.status == "exists"
    assert "not of this program" in row.reason
    assert own.read_bytes() == b"mine"


BAD = {
    "outside": (lambda tmp: run(tmp / "in", tmp / "out", paths=[str(tmp / "a.mp4")]), "expected videos below"),
    "no root": (lambda tmp: run(tmp / "absent", tmp / "out"), "there is none"),
    "no folder": (lambda tmp: run(tmp / "in", tmp / "file", paths=[str(tmp / "in" / "a.mp4")]), "expected to write"),
    "frames": (lambda tmp: Cropping(frames=0), "at least one frame"),
    "choice": (lambda tmp: Cropping(choice="odd"), "even or first"),
    "side": (lambda tmp: Cropping(side=8), "at least 16 px"),
    "longest": (lambda tmp: Cropping(longest=8), "at least 64 px"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_in_words(tmp_path, name):
    call, words = BAD[name]
    for one in ("a.mp4", "a.avi"):
        faces.video(tmp_path / "in" / one, 2)
    (tmp_path / "file").write_text("a file")
    with pytest.raises(DataError, match=words):
        call(tmp_path)


def test_a_video_whose_file_was_changed_is_done_again(tmp_path):
    root, out = tmp_path / "in", tmp_path / "out"
    whole = faces.video(tmp_path / "whole.avi")
    root.mkdir()
    video_files.cut(whole, root / "a.avi", share=0.7)
    (row,) = run(root, out)
    assert (row.status, run(root, out)) == ("truncated", [row])
    (root / "a.avi").write_bytes(whole.read_bytes())
    (row,) = run(root, out)
    assert (row.status, row.frames) == ("ok", 4)
    kept = below(out / "frames")
    stat = os.stat(root / "a.avi")
    os.utime(root / "a.avi", ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    before = os.stat(out / "frames/a/000.png").st_mtime_ns
    assert run(root, out) == [row]
    assert os.stat(out / "frames/a/000.png").st_mtime_ns == before  # only touched
    data = bytearray((root / "a.avi").read_bytes())
    data[-1] ^= 1
    stat = os.stat(root / "a.avi")
    (root / "a.avi").write_bytes(data)
    os.utime(root / "a.avi", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert run(root, out) == [row]
    assert os.stat(out / "frames/a/000.png").st_mtime_ns > before
    gone = list(prepare_videos([str(root / "b.avi"), str(root / "a.avi")], root, out, FOUR, finder=faces.find_discs))
    assert [r.status for r in gone] == ["unreadable", "ok"]
    (root / "a.avi").rename(tmp_path / "moved.avi")  # what was made of a file that is gone now is kept
    assert run(root, out, paths=[str(root / "a.avi")]) == [row]
    assert below(out / "frames") == kept
    faces.video(root / "a.avi", faces=())
    assert [r.status for r in run(root, out)] == ["no_face"]
    assert below(out) == [".lock", JOURNAL]  # the crops of the earlier video would pass for this one's
    assert [r.status for r in run(root, out)] == ["no_face"]


def test_a_folder_is_written_by_one_process_at_a_time(tmp_path):
    faces.video(tmp_path / "in" / "a.mp4")
    with lock_folder(str(tmp_path / "out")), pytest.raises(DataError, match="another process is writing to"):
        run(tmp_path / "in", tmp_path / "out")
    assert run(tmp_path / "in", tmp_path / "out")[0].status == "ok"


def test_files_that_vanish_before_they_are_moved_are_no_success(tmp_path):
    faces.video(tmp_path / "in" / "a.mp4")

    def finder(pixels):
        for made in (tmp_path / "out" / STAGED).glob("*/a.mp4/frames/003.png"):
            made.unlink()
        return faces.find_discs(pixels)

    with pytest.raises(DataError, match="expected 4 files in .*frames, got 3"):
        list(prepare_videos(list_videos(tmp_path / "in"), tmp_path / "in", tmp_path / "out", FOUR, finder=finder))
    assert run(tmp_path / "in", tmp_path / "out")[0].frames == 4


def test_videos_of_one_name_have_a_row_each_and_stop_nobody(tmp_path):
    for name in ("a.avi", "a.mp4", "b.mp4", "videos/c.mp4", "videos/c/d.mp4"):
        faces.video(tmp_path / "in" / name)
    found = {r.name: r for r in run(tmp_path / "in", tmp_path / "out")}
    assert {n: r.status for n, r in found.items()} == {
        **dict.fromkeys(("a.avi", "a.mp4", "videos/c.mp4", "videos/c/d.mp4"), "clash"),
        "b.mp4": "ok",
    }
    assert "its frames and those of a.avi would lie in one folder" in found["a.mp4"].reason
    (tmp_path / "in" / "a.avi").rename(tmp_path / "a.avi")
    assert run(tmp_path / "in", tmp_path / "out")[0].status == "ok"
    (tmp_path / "a.avi").rename(tmp_path / "in" / "a.avi")
    assert [r.status for r in run(tmp_path / "in", tmp_path / "out")][:2] == ["clash", "ok"]


def test_folders_that_are_not_looked_into_are_told(tmp_path, monkeypatch):
    faces.video(tmp_path / "in" / "a" / "1.mp4")
    faces.video(tmp_path / "else" / "2.mp4")
    (tmp_path / "in" / "b").symlink_to(tmp_path / "else")
    (tmp_path / "in" / "c").mkdir()
    scan = os.scandir

    def closed(path):
        if str(path).endswith("/c"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", closed)
    told = []
    assert len(list(list_videos(tmp_path / "in", told.append))) == 1
    assert [t.removeprefix(str(tmp_path / "in")) for t in told] == [
        "/b: a link to a folder, which is not followed",
        "/c: Permission denied",
    ]


def test_progress_is_told_from_the_start(tmp_path):
    for name in "ab":
        faces.video(tmp_path / "in" / f"{name}.mp4")
    told = []
    go = lambda: run(tmp_path / "in", tmp_path / "out", progress=lambda done, total: told.append((done, total)))
    go()
    assert told == [(0, 2), (1, 2), (2, 2)]
    told.clear()
    go()
    assert told == [(2, 2)]


def test_a_full_disk_is_named_and_the_work_can_resume(tmp_path, monkeypatch):
    faces.video(tmp_path / "in" / "a.mp4")

    def full(*args, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for place, name in ((np, "save"), (os, "fsync"), (Path, "write_bytes")):
        (tmp_path / "in" / "split.json").write_text("[]")
        (tmp_path / "out" / "split.json").unlink(missing_ok=True)
        with monkeypatch.context() as patch:
            patch.setattr(place, name, full)
            with pytest.raises(MachineError, match="expected to write below .* No space left on device; mend that"):
                run(tmp_path / "in", tmp_path / "out")
    assert run(tmp_path / "in", tmp_path / "out")[0].status == "ok"


def test_a_journal_has_whole_lines_even_when_the_disk_was_full(tmp_path):
    resource = pytest.importorskip("resource")
    journal = Journal(tmp_path / JOURNAL, {})
    journal.write("a", status="ok")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (journal.path.stat().st_size + 5, limits[1]))
    try:
        with pytest.raises(OSError, match=r"No space|too large"):
            journal.write("b", status="ok")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    journal.write("c", status="ok")
    assert list(Journal(tmp_path / JOURNAL, {}).entries) == ["a", "c"]


def test_what_cannot_be_written_is_known_before_the_work(tmp_path):
    faces.video(tmp_path / "in" / "real" / "a.mp4")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "real").write_text("a file")
    finder = Count()
    with pytest.raises(DataError, match="expected to make the folder .*out/real is none"):
        list(prepare_videos(list_videos(tmp_path / "in"), tmp_path / "in", tmp_path / "out", FOUR, finder=finder))
    assert finder.calls == 0


def test_lists_are_copied_whole_and_odd_files_are_passed_by(tmp_path, monkeypatch):
    root, told = tmp_path / "in", []
    faces.video(root / "a.mp4")
    (root / "lists").mkdir()
    (root / "lists" / "good.json").write_text("[1]")
    (root / "lists" / "closed.json").write_text("[2]")
    (root / "lists" / "broken.txt").symlink_to(tmp_path / "absent")
    os.mkfifo(root / "lists" / "pipe.csv")
    read = Path.read_bytes

    def closed(path):
        if path.name == "closed.json":
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", closed)
    run(root, tmp_path / "out", on_skipped=told.append)
    assert [p.name for p in (tmp_path / "out" / "lists").iterdir()] == ["good.json"]
    assert told == [f"{root}/lists/closed.json: Permission denied"]


def test_a_list_that_could_not_be_written_whole_is_not_there(tmp_path, monkeypatch):
    faces.video(tmp_path / "in" / "a.mp4")
    (tmp_path / "in" / "split.json").write_text("[1]")

    def half(path, held):
        path.write_text("[")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", half)
        with pytest.raises(MachineError, match="No space left"):
            run(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out" / "split.json").exists()
    run(tmp_path / "in", tmp_path / "out")
    assert (tmp_path / "out" / "split.json").read_text() == "[1]"


def test_lists_are_not_copied_into_themselves(tmp_path):
    faces.video(tmp_path / "a.mp4")
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "train.json").write_text("[]")
    for _ in range(3):
        run(tmp_path, tmp_path / "crops")
    found = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.json"))
    assert found == ["crops/splits/train.json", "splits/train.json"]


def waiting(tmp_path, monkeypatch, dim, finder="hang_at_dim"):
    """A process with two workers, at three videos of which those in `dim` never end; and the worker that hangs."""
    pids = tmp_path / "pids"
    pids.mkdir()
    monkeypatch.setenv("PIDS", str(pids))
    for name in "abc":
        faces.video(tmp_path / "in" / f"{name}.mp4", level=170 if name in dim else 220)
    script = f"""
        import signal, sys
        sys.path[:0] = {sys.path!r}
        from data import faces
        from corit.data.care.prepare import Cropping, list_videos, prepare_videos
        if __name__ == "__main__":  # whoever started the tests may have it ignored
            signal.signal(signal.SIGINT, signal.default_int_handler)
        root, out = {str(tmp_path / "in")!r}, {str(tmp_path / "out")!r}
        list(prepare_videos(list_videos(root), root, out, Cropping(frames=4), finder=faces.{finder}, workers=2))
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stderr=subprocess.PIPE, text=True)
    until(lambda: len(list(pids.iterdir())) == len(dim))
    return process, [int(p.name) for p in pids.iterdir()]


def until(true, seconds=40.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.05)


def test_an_entry_without_a_stamp_is_done_again(tmp_path):
    faces.video(tmp_path / "in" / "a.mp4")
    run(tmp_path / "in", tmp_path / "out")
    path = tmp_path / "out" / JOURNAL
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps({**r, **({"stamp": None} if "stamp" in r else {})}) + "\n" for r in lines))
    (row,) = run(tmp_path / "in", tmp_path / "out")
    assert (row.status, row.frames) == ("ok", 4)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def remembered(out):
    path = out / JOURNAL
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return {r["name"] for r in rows if r.get("status") == "ok"}


linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")


@linux
def test_workers_end_when_their_parent_is_killed(tmp_path, monkeypatch):
    process, workers = waiting(tmp_path, monkeypatch, "ab")
    assert all(map(alive, workers))
    process.kill()
    process.communicate()
    until(lambda: not any(map(alive, workers)))


@linux
def test_an_interrupt_keeps_what_is_finished_and_ends_at_once(tmp_path, monkeypatch):
    process, workers = waiting(tmp_path, monkeypatch, "a")
    until(lambda: remembered(tmp_path / "out") == {"b.mp4", "c.mp4"})
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert said.rstrip().endswith("KeyboardInterrupt")
    assert not any(map(alive, workers))
    assert below(tmp_path / "out" / STAGED) == []


def test_a_worker_that_is_killed_is_told_in_words(tmp_path):
    faces.video(tmp_path / "in" / "a.mp4")
    faces.video(tmp_path / "in" / "b.mp4", level=170)
    videos_of = list(list_videos(tmp_path / "in"))
    with pytest.raises(MachineError, match="a worker process was killed"):
        list(prepare_videos(videos_of, tmp_path / "in", tmp_path / "out", FOUR, finder=faces.die_at_dim, workers=1))
    assert remembered(tmp_path / "out") == {"a.mp4"}


@pytest.mark.parametrize("workers", [0, 1])
def test_a_full_disk_leaves_no_half_of_a_video(tmp_path, workers):
    faces.video(tmp_path / "in" / "a.mp4")
    videos_of, out = list(list_videos(tmp_path / "in")), tmp_path / "out"
    with narrow(3000), pytest.raises(MachineError, match="expected to write below .*File too large"):
        list(prepare_videos(videos_of, tmp_path / "in", out, FOUR, finder=faces.find_discs, workers=workers))
    assert sorted(p.name for p in out.iterdir()) == [".lock", JOURNAL]
    (row,) = prepare_videos(videos_of, tmp_path / "in", out, FOUR, finder=faces.find_discs, workers=0)
    assert (row.status, row.frames) == ("ok", 4)


def test_a_kill_leaves_no_half_of_a_video(tmp_path):
    """Killed while the second video is worked on, then gone on with: the same files as without a kill."""
    root = tmp_path / "in"
    for name in "abc":
        faces.video(root / f"{name}.mp4")
    script = f"""
        import os, signal, sys
        sys.path[:0] = {sys.path!r}
        from data import faces
        from corit.data.care.prepare import Cropping, list_videos, prepare_videos
        seen = []
        def finder(pixels):
            seen.append(0)
            if len(seen) == 12:
                os.kill(os.getpid(), signal.SIGKILL)
            return faces.find_discs(pixels)
        root, out = {str(root)!r}, {str(tmp_path / "out")!r}
        list(prepare_videos(list_videos(root), root, out, Cropping(frames=4), finder=finder))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert [p.name for p in (tmp_path / "out" / "frames").iterdir()] == ["a"]
    assert {r.status for r in run(root, tmp_path / "out")} == {"ok"}
    run(root, tmp_path / "whole")
    keep = lambda folder: [(n, (folder / n).read_bytes()) for n in below(folder) if n != JOURNAL]
    assert keep(tmp_path / "out") == keep(tmp_path / "whole")


def test_a_kill_between_two_moves_is_mended(tmp_path):
    """The journal says that moving had begun: what lies there is this program's, and is done again."""
    root, out = tmp_path / "in", tmp_path / "out"
    faces.video(root / "a.mp4")
    run(root, out)
    lines = (out / JOURNAL).read_text().splitlines()[:2]
    assert json.loads(lines[1])["status"] == "moving"
    (out / JOURNAL).write_text("".join(f"{line}\n" for line in lines))
    (out / "frames/a/000.png").write_bytes(b"half")
    (row,) = run(root, out)
    assert row.status == "ok"
    assert Image.open(out / "frames/a/000.png").size == (256, 256)
