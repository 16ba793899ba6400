"""Data sets written as DeepfakeBench's JSON and read back: the same rows."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from trees.celebdf import celebdf
from trees.deeperforensics import deeperforensics
from trees.df40 import df40
from trees.dfdc import dfdc, dfdcp
from trees.faceforensics import deepfakedetection, faceforensics
from trees.forensynths import forensynths
from trees.genimage import genimage
from trees.uadfv import uadfv
from trees.write import Hand

from corit.data.care.export import above_frames, benchmark_json, benchmark_label, export_json, unnumbered_paths
from corit.data.frames import Reading
from corit.data.sample import Sample
from corit.data.sets.deepfakebench import DeepfakeBench
from corit.errors import DataError
from corit.sources import SOURCES

TREES = {
    "faceforensics": (faceforensics, "FaceForensics++"),
    "deepfakedetection": (deepfakedetection, "DeepFakeDetection"),
    "celeb-df-v2": (celebdf, "Celeb-DF-v2"),
    "dfdc": (dfdc, "DFDC"),
    "dfdcp": (dfdcp, "DFDCP"),
    "uadfv": (uadfv, "UADFV"),
}


@pytest.mark.parametrize("masks", [False, True])
@pytest.mark.parametrize("name", TREES)
def test_what_is_written_is_read_back(tmp_path, name, masks):
    make, file = TREES[name]
    make(tmp_path / "data", Hand(frames=3))
    source = SOURCES[name].build(str(tmp_path / "data"), reading=Reading(masks=masks))
    path = tmp_path / "out" / f"{file}.json"
    export_json(source.samples, path, tmp_path / "data")
    back = DeepfakeBench(str(path), str(tmp_path / "data"), reading=Reading(masks=masks))
    keep = lambda s: (s.path, s.label, s.split, s.manipulation, s.frame)
    assert sorted(map(keep, back.samples)) == sorted(map(keep, source.samples))
    assert len({s.id for s in back.samples}) == len(source.samples)
    videos = lambda samples: Counter(Counter((s.video, s.label, s.split) for s in samples).values())
    assert videos(back.samples) == videos(source.samples)
    found = source.load(source.samples[-1])
    again = back.load(next(s for s in back.samples if s.path == source.samples[-1].path))
    assert (again.pixels == found.pixels).all()
    assert (again.mask is None) == (found.mask is None)


@pytest.mark.parametrize(
    ("name", "make", "options"),
    [
        ("df40", lambda r: df40(r, Hand(frames=1)), {"names": ("MidJourney",)}),
        ("genimage", lambda r: genimage(r, Hand(frames=1)), {}),
        ("unifd", lambda r: forensynths(r, Hand(frames=1)), {"subsets": ("progan",)}),
    ],
)
def test_pictures_of_no_video_stay_apart_when_they_are_read_back(tmp_path, name, make, options):
    make(tmp_path / "data")
    source = SOURCES[name].build(str(tmp_path / "data"), **options)
    export_json(source.samples, tmp_path / "mine.json", tmp_path / "data")
    back = DeepfakeBench(str(tmp_path / "mine.json"), str(tmp_path / "data"))
    assert len({s.path for s in back.samples}) == len(source.samples)
    assert len({s.video for s in back.samples}) == len(source.samples)


def test_the_export_root_lies_above_the_folder_frames():
    assert above_frames("/a/frames/b/frames/c") == "/a/frames/b"
    assert above_frames("/a/b") == "/a/b"


def test_labels_are_the_benchmarks_own(tmp_path):
    deeperforensics(tmp_path, Hand(frames=1))
    names = {benchmark_label(s) for s in SOURCES["deeperforensics"].build(str(tmp_path)).samples}
    assert names == {"DF_real", "DF_fake"}
    faceforensics(tmp_path / "ff", Hand(frames=1))
    names = {benchmark_label(s) for s in SOURCES["faceforensics"].build(str(tmp_path / "ff")).samples}
    assert names == {"FF-real", "FF-DF", "FF-F2F", "FF-FS", "FF-NT"}
    swap = Sample("a", "p", 1, dataset="DeeperForensics-1.0", manipulation="reenact_postprocess")
    assert benchmark_label(swap) == "DF_fake"
    genimage(tmp_path / "gen")
    names = {benchmark_label(s) for s in SOURCES["genimage"].build(str(tmp_path / "gen")).samples}
    assert names == {f"{g}_{k}" for g in ("adm", "biggan", "midjourney", "sdv4") for k in ("Real", "Fake")}
    assert benchmark_label(Sample("a", "p", 0, dataset="uniface_cdf")) == "uniface_Real"
    assert benchmark_label(Sample("a", "p", 1, dataset="uniface_cdf", manipulation="uniface")) == "uniface_Fake"
    assert benchmark_label(Sample("a", "p", 1)) == "set_Fake"


def test_the_two_nestings_and_masks_of_fakes_only(tmp_path):
    faceforensics(tmp_path, Hand(frames=2))
    samples = SOURCES["faceforensics"].build(str(tmp_path)).samples
    found = benchmark_json(samples, "FaceForensics++", tmp_path)["FaceForensics++"]
    fake = found["FF-DF"]["test"]["c23"]
    video = next(iter(fake.values()))
    assert [len(video[k]) for k in ("frames", "masks")] == [2, 2]
    assert video["masks"][0].split("/")[-3] == "masks"
    assert "masks" not in next(iter(found["FF-real"]["test"]["c23"].values()))
    with pytest.raises(DataError, match="expected frames of compression c40, .* got some in folders c23"):
        benchmark_json(samples, "FaceForensics++_c40", tmp_path)
    faceforensics(tmp_path / "small", Hand(frames=1), compression="c40")
    strong = SOURCES["faceforensics"].build(str(tmp_path / "small"), compression="c40").samples
    for name in ("FaceForensics++_c40", "FaceForensics++"):  # without being asked, it is that of the folders
        assert set(benchmark_json(strong, name, tmp_path)["FaceForensics++"]["FF-real"]["test"]) == {"c40"}
    with pytest.raises(DataError, match="expected frames of compression c23"):
        benchmark_json(strong, "FaceForensics++", tmp_path, "c23")
    flat = benchmark_json(samples, "mine", tmp_path)["mine"]
    assert "c23" not in flat["FF-real"]["test"]


def test_videos_of_one_name_stay_apart_in_an_export(tmp_path):
    samples = [
        Sample("1", str(tmp_path / "a/v/0.png"), 0, "test", video="a/v"),
        Sample("2", str(tmp_path / "b/v/0.png"), 0, "test", video="b/v"),
        Sample("3", str(tmp_path / "b/w/0.png"), 0, "test", video="b/w"),
        Sample("c/x.png", str(tmp_path / "c/x.png"), 1, "test", manipulation="new"),
    ]
    found = benchmark_json(samples, "mine", tmp_path)["mine"]
    assert found == {
        "set_Real": {
            "test": {
                k: {"label": "set_Real", "frames": [f"./{p}/0.png"]}
                for k, p in (("a/v", "a/v"), ("b/v", "b/v"), ("w", "b/w"))
            }
        },
        "new_Fake": {"test": {"x": {"label": "new_Fake", "frames": ["./c/x.png"]}}},
    }


def test_exported_paths_start_with_a_dot(tmp_path):
    sample = one(path=str(tmp_path / "v" / "0.png"))
    frames = lambda **how: benchmark_json([sample], "mine", tmp_path, **how)["mine"]["set_Real"]["test"]["x"]["frames"]
    assert frames() == ["./v/0.png"]
    assert frames(prefix="../rgb/") == ["../rgb/v/0.png"]
    assert frames(prefix="") == ["v/0.png"]
    with pytest.raises(DataError, match="expected a prefix of paths that ends in /"):
        frames(prefix="rgb")


def test_frames_that_are_not_called_by_a_number_are_told():
    samples = [one(path=f"/data/{name}") for name in ("000.png", "17.a.png", "n01.JPEG", "frame_3.png")]
    assert unnumbered_paths(samples) == ("/data/n01.JPEG", "/data/frame_3.png")


def one(**changes):
    return Sample(**{"id": "x", "path": "/data/a.png", "label": 0, "split": "test", **changes})


BAD = {
    "no label": ([one(label=None)], "label of every sample"),
    "no split": ([one(split="")], "split of every sample"),
    "video": ([one(path="/data/a.mp4")], "prepare the videos first"),
    "outside": ([one(path="/other/a.png")], "expected files below /data"),
    "nothing": ([], "got none"),
    "contradiction": ([one(dataset="FaceForensics++", manipulation="DF")], "would be called FF-DF"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_written_is_refused_in_words(name):
    samples, words = BAD[name]
    with pytest.raises(DataError, match=words):
        benchmark_json(samples, "mine", "/data")


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "mine.json"
    export_json([one()], path, "/data")
    before = path.read_bytes()
    assert json.loads(before)["mine"]
    with pytest.raises(DataError, match="label of every sample"):
        export_json([one(), one(label=None)], path, "/data")
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["mine.json"]
    with pytest.raises(DataError, match=r"<data set>\.json"):
        export_json([one()], tmp_path / "mine.txt", "/data")
    with pytest.raises(DataError, match="expected to write"):
        export_json([one()], path / "below" / "mine.json", "/data")
    with pytest.raises(DataError, match="expected a compression"):
        export_json([one()], path, "/data", "c99")
