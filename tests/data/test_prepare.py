"""Videos prepared on tiny films: what lies on disk, how it is read back, and what happens when work is cut off."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import cv2
import numpy as np
import pytest
from data import faces
from images import films
from PIL import Image
from skimage.data import astronaut

from corit.data.faceforensics import FaceForensics
from corit.data.frames import Reading, choose
from corit.data.prepare import JOURNAL, STAGED, Cropping, list_films, mask_film, prepare
from corit.errors import DataError
from corit.images.crop import crop
from corit.images.faces import align, find_faces, five_points, template
from corit.images.video import Frame

FOUR = Cropping(frames=4)


def run(root, out, cropping=FOUR, paths=None, **options):
    return list(prepare(paths or list_films(root), root, out, cropping, finder=faces.find_discs, **options))


def below(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_a_video_becomes_frames_with_landmarks_beside_them(tmp_path):
    faces.film(tmp_path / "in" / "real" / "a.mp4")
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
    faces.film(tmp_path / "in" / "a.avi")
    run(tmp_path / "in", tmp_path / "out", Cropping(frames=4, choice=choice))
    assert [p.stem for p in sorted((tmp_path / "out" / "frames" / "a").iterdir())] == expected


@pytest.mark.parametrize("workers", [0, 2])
def test_every_video_has_a_row_with_its_status(tmp_path, workers):
    root = tmp_path / "in"
    faces.film(root / "a good.mp4")
    faces.film(root / "b some.mp4", faces={0, 7})
    faces.film(root / "c none.mp4", faces=())
    films.cut(faces.film(root / "whole.avi"), root / "d cut.avi", share=0.7)
    os.unlink(root / "whole.avi")
    (root / "e text.mp4").write_text("hello")
    (root / "f empty.mp4").write_bytes(b"")
    films.damage(faces.film(tmp_path / "whole.mp4"), root / "g zero.mp4", share=0)
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
    assert "chosen frames were had" in rows["d"].reason
    made = {p.name for p in (tmp_path / "out" / "frames").iterdir()}
    assert made == {"a good", "b some", "d cut"}
    assert all((r.folder != "") == (r.frames > 0) for r in found)
    assert not (tmp_path / "out" / STAGED).exists() or not below(tmp_path / "out" / STAGED)


def tree(root, frames=6):
    """FaceForensics++ as its script leaves it: one pair, films, films of masks, lists."""
    for split, pair in (("train", ("000", "001")), ("val", ("002", "003")), ("test", ("004", "005"))):
        (root / "splits").mkdir(parents=True, exist_ok=True)
        (root / "splits" / f"{split}.json").write_text(json.dumps([pair]))
        for name in pair:
            faces.film(root / f"original_sequences/youtube/c23/videos/{name}.mp4", frames)
        for name in ("_".join(pair), "_".join(pair[::-1])):
            faces.film(root / f"manipulated_sequences/Deepfakes/c23/videos/{name}.mp4", frames)
            shown = [faces.disc(k, radius=12, level=255) for k in range(frames)]
            path = root / f"manipulated_sequences/Deepfakes/masks/videos/{name}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            films.write(path, shown=[np.where(s == 255, 255, 0).astype(np.uint8) for s in shown])


@pytest.mark.parametrize("same", [False, True], ids=["elsewhere", "in place"])
def test_what_was_prepared_is_read_by_the_data_sets_adapter(tmp_path, same):
    root, out = tmp_path / "ff", tmp_path / "ff" if same else tmp_path / "out"
    tree(root)
    films_of = FaceForensics(str(root), ("DF",), reading=Reading(media="videos"))
    assert {s.frame for s in films_of.samples} == {-1}
    rows = run(root, out, paths=[s.path for s in films_of.samples])
    assert {r.status for r in rows} == {"ok"}
    source = FaceForensics(str(out), ("DF",), reading=Reading(masks=True))
    assert len(source.samples) == 4 * len(films_of.samples)
    assert {(s.video, s.label, s.split) for s in source.samples} == {
        (s.video, s.label, s.split) for s in films_of.samples
    }
    assert {s.frame for s in source.samples} == set(choose(6, 4, "even"))
    for sample in source.samples[:: len(source.samples) // 6]:
        picture = source.load(sample)
        assert picture.aligned
        assert picture.landmarks.shape == (68, 2)
        assert (picture.mask is not None) == (sample.label == 1)
        if picture.mask is not None:  # half the disc's radius, warped with it; video codecs blur the rim
            assert np.sqrt(picture.mask.sum() / np.pi) == pytest.approx(128 / 1.3 / 2, rel=0.25)


def test_masks_of_another_size_are_refused(tmp_path):
    tree(tmp_path / "ff")
    name = "manipulated_sequences/Deepfakes/masks/videos/000_001.mp4"
    films.write(tmp_path / "ff" / name)
    video = str(tmp_path / "ff/manipulated_sequences/Deepfakes/c23/videos/000_001.mp4")
    assert mask_film(video) == str(tmp_path / "ff" / name)
    (row,) = run(tmp_path / "ff", tmp_path / "out", paths=[video])
    assert row.status == "unreadable"
    assert "expected masks of (120, 160)" in row.reason


def test_films_are_listed_without_masks_and_hidden_ones(tmp_path):
    for name in ("b/videos/1.mp4", "a.avi", "b/masks/videos/1.mp4", ".c/1.mp4", "b/.2.mp4", "b/frames.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    found = [Path(p).relative_to(tmp_path).as_posix() for p in list_films(tmp_path)]
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
    faces.film(root / "a.mp4")
    (root / "b.mp4").write_text("not yet downloaded")
    go = lambda: list(prepare(list_films(root), root, out, FOUR, finder=finder))
    first = go()
    assert finder.calls == 8  # each of four faces is looked for in the frame and in the crop
    faces.film(root / "b.mp4")
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
    faces.film(root / "a.mp4")
    list(prepare(list_films(root), root, tmp_path / "out", Cropping(frames=4, again=False), finder=finder))
    assert finder.calls == 4
    points = np.load(tmp_path / "out/landmarks/a/000.npy", allow_pickle=False)
    assert np.abs(five_points(points) - template()).max() < 0.5


def test_the_usual_cropping_looks_for_faces_as_the_benchmark_does():
    """On the whole frame, and with what dlib itself calls a face: landmarks differ where the frame is shrunk."""
    wide = np.zeros((720, 1600, 3), np.uint8)
    wide[:, 400:1120] = cv2.resize(astronaut(), (720, 720))
    made = crop(Frame(0, 0.0, wide), Cropping(again=False))
    (face, *_) = find_faces(wide, longest=None, least=0.0)
    assert np.array_equal(made.landmarks, align(wide, face.landmarks)[1])
    shrunk = crop(Frame(0, 0.0, wide), Cropping(again=False, longest=1280))
    assert not np.allclose(shrunk.landmarks, made.landmarks, atol=0.1)
    assert face.score < 3
    assert crop(Frame(0, 0.0, wide), Cropping(least=3.0)) is None


def test_other_settings_are_refused(tmp_path):
    faces.film(tmp_path / "in" / "a.mp4")
    run(tmp_path / "in", tmp_path / "out")
    with pytest.raises(DataError, match="begun with frames 4 instead of 8"):
        run(tmp_path / "in", tmp_path / "out", Cropping(frames=8))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / JOURNAL).write_text("[1]\n")
    with pytest.raises(DataError, match="not of this program"):
        run(tmp_path / "in", tmp_path / "other")


def test_frames_of_others_are_left_alone(tmp_path):
    faces.film(tmp_path / "a.mp4")
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
    "two names": (lambda tmp: run(tmp / "in", tmp / "out"), "would be mixed"),
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
        faces.film(tmp_path / "in" / one, 2)
    (tmp_path / "file").write_text("a file")
    with pytest.raises(DataError, match=words):
        call(tmp_path)


def test_a_kill_leaves_no_half_of_a_video(tmp_path):
    """Killed while the second video is worked on, then gone on with: the same files as without a kill."""
    root = tmp_path / "in"
    for name in "abc":
        faces.film(root / f"{name}.mp4")
    script = f"""
        import os, signal, sys
        sys.path[:0] = {sys.path!r}
        from data import faces
        from corit.data.prepare import Cropping, list_films, prepare
        seen = []
        def finder(pixels):
            seen.append(0)
            if len(seen) == 12:
                os.kill(os.getpid(), signal.SIGKILL)
            return faces.find_discs(pixels)
        root, out = {str(root)!r}, {str(tmp_path / "out")!r}
        list(prepare(list_films(root), root, out, Cropping(frames=4), finder=finder))
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
    faces.film(root / "a.mp4")
    run(root, out)
    lines = (out / JOURNAL).read_text().splitlines()[:2]
    assert json.loads(lines[1])["status"] == "moving"
    (out / JOURNAL).write_text("".join(f"{line}\n" for line in lines))
    (out / "frames/a/000.png").write_bytes(b"half")
    (row,) = run(root, out)
    assert row.status == "ok"
    assert Image.open(out / "frames/a/000.png").size == (256, 256)
