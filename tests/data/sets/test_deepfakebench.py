"""DeepfakeBench's JSON on tiny trees: nestings, separators, other machines' roots, labels, what is missing."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from trees.celebdf import celebdf
from trees.deeperforensics import deeperforensics
from trees.deepfakebench import entry, faceforensics_json, flat_json, posix, windows
from trees.dfdc import dfdcp
from trees.faceforensics import deepfakedetection, faceforensics
from trees.paint import Subject
from trees.uadfv import uadfv
from trees.write import Hand

from corit.data.care.export import export_json
from corit.data.frames import WHOLE_VIDEO, Reading, video_key
from corit.data.sets.deepfakebench import DeepfakeBench, label_of, plain_path
from corit.data.sets.faceforensics import FaceForensics
from corit.errors import DataError, InputError
from corit.sources import SOURCES, open_source

STYLES = {
    "plain": posix(),
    "dot": posix("./"),
    "elsewhere": posix("/home/somebody/datasets/rgb/"),
    "up": posix("../datasets/rgb/"),
    "windows": windows(),
    "drive": windows("F:\\data\\rgb\\"),
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    data = tmp_path_factory.mktemp("rgb")
    faceforensics(data / "FaceForensics++", Hand(frames=12))
    celebdf(data / "Celeb-DF-v2", Hand(frames=2))
    return data


def ff_json(data, folder, style="plain", name="FaceForensics++"):
    splits = ("train", "val", "test")
    pairs = {s: json.loads((data / "FaceForensics++" / "splits" / f"{s}.json").read_text()) for s in splits}
    path = folder / f"{name}.json"
    faceforensics_json(path, data, pairs, STYLES[style])
    return str(path)


def celeb_json(data, folder, style="plain"):
    base = "Celeb-DF-v2"
    path = folder / f"{base}.json"
    real = {"test": [f"{base}/Celeb-real/frames/id0_0001"], "val": [f"{base}/Celeb-real/frames/id0_0001"]}
    fake = {s: [f"{base}/Celeb-synthesis/frames/id0_id1_0001"] for s in ("test", "val")}
    flat_json(path, data, {"CelebDFv2_real": real, "CelebDFv2_fake": fake}, STYLES[style])
    return str(path)


def edit(path, change):
    with open(path) as file:
        table = json.load(file)
    change(next(iter(table.values())))
    with open(path, "w") as file:
        json.dump(table, file)


def counts(source):
    return Counter((s.split, s.label) for s in source.samples)


@pytest.mark.parametrize("style", STYLES)
def test_the_faceforensics_nesting_lists_what_the_folders_hold(shared, tmp_path, style):
    source = DeepfakeBench(ff_json(shared, tmp_path, style), str(shared))
    folders = FaceForensics(str(shared / "FaceForensics++"))
    keep = lambda s: (s.path, s.label, s.split, s.manipulation, s.group, s.frame)
    assert sorted(map(keep, source.samples)) == sorted(map(keep, folders.samples))
    assert len({s.id for s in source.samples}) == len(source.samples)
    assert source.absent == ()


@pytest.mark.parametrize("style", STYLES)
def test_the_other_nesting(shared, tmp_path, style):
    source = DeepfakeBench(celeb_json(shared, tmp_path, style), str(shared))
    assert counts(source) == {(s, y): 2 for s in ("test", "val") for y in (0, 1)}
    assert {s.manipulation for s in source.samples} == {"", "Celeb-synthesis"}
    assert {s.group for s in source.samples} == {"id0_0001"}
    # val is test in this file: the rows say so by their paths, and have ids of their own.
    paths = {s: {x.path for x in source.samples if x.split == s} for s in ("test", "val")}
    assert paths["test"] == paths["val"]
    assert len({s.id for s in source.samples}) == 8


def test_the_root_may_be_the_data_sets_own_folder(shared, tmp_path):
    source = DeepfakeBench(celeb_json(shared, tmp_path, "windows"), str(shared / "Celeb-DF-v2"))
    assert len(source.samples) == 8


def test_frames_are_sorted_before_they_are_chosen(shared, tmp_path):
    path = ff_json(shared, tmp_path)
    for rule, frames in (("first", [0, 1, 2, 3]), ("even", [0, 3, 7, 11])):
        source = DeepfakeBench(path, str(shared), reading=Reading(frames=4, choice=rule, splits=("val",)))
        one = [s.frame for s in source.samples if s.video == source.samples[0].video]
        assert one == frames


def test_videos_are_told_apart_by_their_paths(shared, tmp_path):
    source = DeepfakeBench(ff_json(shared, tmp_path), str(shared), reading=Reading(splits=("test",), frames=1))
    assert len({video_key(s) for s in source.samples}) == 4 + 16
    assert len({video_key(s, "dfb") for s in source.samples}) == 4 + 4


def test_landmarks_and_masks_lie_beside_the_frames(shared, tmp_path):
    path = ff_json(shared, tmp_path, "windows")
    source = DeepfakeBench(path, str(shared), reading=Reading(frames=1, masks=True))
    fake, real = (next(s for s in source.samples if s.label == y) for y in (1, 0))
    assert source.load(fake).mask.any()
    assert source.load(fake).landmarks.shape == (81, 2)
    assert source.load(real).mask is None
    assert DeepfakeBench(path, str(shared)).load(fake).mask is None


def test_a_parent_called_frames_does_not_mislead(tmp_path):
    data = tmp_path / "frames" / "rgb"
    celebdf(data / "Celeb-DF-v2", Hand(frames=2))
    source = DeepfakeBench(celeb_json(data, tmp_path), str(data))
    assert source.load(source.samples[0]).aligned


def test_compressions(shared, tmp_path):
    faceforensics(tmp_path / "FaceForensics++", Hand(frames=1), compression="c40")
    name = "FaceForensics++_c40"
    path = ff_json(shared, tmp_path, name=name)
    with pytest.raises(DataError, match="expected compression c40 of FF-real.*got c23"):
        _ = DeepfakeBench(path, str(shared)).samples
    assert len(DeepfakeBench(path, str(shared), "c23").samples) > 0
    with pytest.raises(DataError, match="raw, c23, c40"):
        DeepfakeBench(path, str(shared), "c41")


def test_an_alias_file_is_read_at_c40(tmp_path):
    data = tmp_path / "rgb"
    faceforensics(data / "FaceForensics++", Hand(frames=1), compression="c40")
    pairs = {s: json.loads((data / "FaceForensics++" / "splits" / f"{s}.json").read_text()) for s in ("train", "test")}
    faceforensics_json(tmp_path / "FF_c40.json", data, pairs, posix(), "c40")
    assert {"/c40/" in s.path for s in DeepfakeBench(str(tmp_path / "FF_c40.json"), str(data)).samples} == {True}


def test_missing_frames_are_an_error_and_named_when_partial(shared, tmp_path):
    path = celeb_json(shared, tmp_path)
    lost = "Celeb-DF-v2/Celeb-real/frames/id0_0001/777.png"
    edit(path, lambda top: top["CelebDFv2_real"]["test"]["id0_0001"]["frames"].append(lost))
    with pytest.raises(DataError, match=r"1 of 9 frames that .* names are not there.*777.png"):
        _ = DeepfakeBench(path, str(shared)).samples
    partial = DeepfakeBench(path, str(shared), reading=Reading(partial=True))
    assert partial.absent == (lost,)
    assert len(partial.samples) == 8


def test_a_frame_named_twice_is_one_and_two_folders_stay_apart(shared, tmp_path):
    path = celeb_json(shared, tmp_path)

    def more(top):
        entry = top["CelebDFv2_real"]["test"]["id0_0001"]
        entry["frames"] += [*entry["frames"], "Celeb-DF-v2/Celeb-real/frames/id0_0000/000.png"]

    edit(path, more)
    samples = [s for s in DeepfakeBench(path, str(shared)).samples if (s.split, s.label) == ("test", 0)]
    assert len(samples) == len({s.id for s in samples}) == len({s.path for s in samples}) == 3


def test_a_video_of_no_frames_is_named(shared, tmp_path):
    path = celeb_json(shared, tmp_path)
    edit(path, lambda top: top["CelebDFv2_real"]["val"]["id0_0001"].update(frames=[]))
    with pytest.raises(DataError, match=r"CelebDFv2_real/val/id0_0001 \(no frames\)"):
        _ = DeepfakeBench(path, str(shared)).samples
    assert len(DeepfakeBench(path, str(shared), reading=Reading(partial=True)).samples) == 6


def test_a_wrong_root_is_an_error_even_when_partial(shared, tmp_path):
    for partial in (False, True):
        with pytest.raises(DataError, match=r"8 of 8 frames.*SCLBD/DeepfakeBench"):
            _ = DeepfakeBench(celeb_json(shared, tmp_path), str(tmp_path), reading=Reading(partial=partial)).samples


def test_the_splits_wanted_may_be_absent(shared, tmp_path):
    with pytest.raises(DataError, match="videos of train"):
        _ = DeepfakeBench(celeb_json(shared, tmp_path), str(shared), reading=Reading(splits=("train",))).samples


def test_a_val_of_one_videos_entry_is_passed_over(shared, tmp_path):
    # As the benchmark writes DFDC: in val the label and frames of its last test video, and train videos beside them.
    path = celeb_json(shared, tmp_path)
    for label in ("CelebDFv2_real", "CelebDFv2_fake"):
        edit(path, lambda top, label=label: top[label]["val"].update(label=label, frames=["a/frames/b/0.png"]))
    assert counts(DeepfakeBench(path, str(shared))) == {(s, y): 2 for s in ("test", "val") for y in (0, 1)}
    for label in ("CelebDFv2_real", "CelebDFv2_fake"):
        edit(path, lambda top, label=label: top[label].update(val={"label": label, "frames": ["a/frames/b/0.png"]}))
    for splits in (("test",), ("train", "val", "test")):
        source = DeepfakeBench(path, str(shared), reading=Reading(splits=splits))
        assert counts(source) == {("test", 0): 2, ("test", 1): 2}


def test_splits_that_are_not_wanted_are_not_looked_at(shared, tmp_path):
    path = celeb_json(shared, tmp_path)
    edit(path, lambda top: top["CelebDFv2_real"].update(train=["?"]))
    with pytest.raises(DataError, match="JSON object at CelebDFv2_real/train"):
        _ = DeepfakeBench(path, str(shared)).samples
    assert len(DeepfakeBench(path, str(shared), reading=Reading(splits=("test",))).samples) == 4


def test_a_root_that_lies_too_deep_gives_no_other_methods_frames(tmp_path):
    data = tmp_path / "rgb"
    for method in ("uniface", "simswap"):
        Hand(frames=1).video(data / "DF40" / method / "cdf", "id0_id1_0001", Subject("test", "id0_0001", method))
    folders = {f"{m}_Fake": {"test": [f"DF40/{m}/cdf/frames/id0_id1_0001"]} for m in ("uniface", "simswap")}
    path = tmp_path / "FSAll_cdf.json"
    flat_json(path, data, folders, posix())
    source = DeepfakeBench(str(path), str(data / "DF40"))
    assert {(s.manipulation, s.path.split("/")[-5]) for s in source.samples} == {(m, m) for m in ("uniface", "simswap")}
    for partial in (False, True):
        with pytest.raises(DataError, match="2 of 2 frames"):
            _ = DeepfakeBench(str(path), str(data / "DF40" / "simswap"), reading=Reading(partial=partial)).samples


def test_several_roots(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    fake, real = "DF40/uniface/cdf", "Celeb-DF-v2/Celeb-real"
    Hand(frames=2).video(one / fake, "id0_id1_0001", Subject("test", "id0_0001", "uniface"))
    Hand(frames=2).video(other / real, "id0_0001", Subject("test", "id0_0001"))
    entries = {
        "uniface_Fake": {"test": {"id0_id1_0001": entry(one, one / fake, "id0_id1_0001", "uniface_Fake", posix("d/"))}},
        "uniface_Real": {"test": {"id0_0001": entry(other, other / real, "id0_0001", "uniface_Real", posix("d/"))}},
    }
    path = tmp_path / "uniface_cdf.json"
    path.write_text(json.dumps({"uniface_cdf": entries}))
    with pytest.raises(DataError, match="2 of 4 frames"):
        _ = DeepfakeBench(str(path), str(one)).samples
    source = open_source(f"deepfakebench:{path},root={one},root={other}")
    assert counts(source) == {("test", 0): 2, ("test", 1): 2}
    assert {s.group for s in source.samples} == {"id0_0001"}
    assert all(source.load(s).aligned for s in source.samples)


SETS = {
    "uadfv": (uadfv, "UADFV"),
    "dfdcp": (dfdcp, "DFDCP"),
    "deepfakedetection": (deepfakedetection, "DeepFakeDetection"),
    "deeperforensics": (deeperforensics, "DeeperForensics-1.0"),
    "celeb-df-v2": (celebdf, "Celeb-DF-v2"),
    "faceforensics": (faceforensics, "FaceForensics++"),
}


@pytest.mark.parametrize("name", SETS)
def test_groups_are_those_of_the_data_sets_own_adapter(tmp_path, name):
    make, file = SETS[name]
    make(tmp_path / "data", Hand(frames=1))
    source = SOURCES[name].build(str(tmp_path / "data"))
    export_json(source.samples, tmp_path / f"{file}.json", tmp_path / "data")
    back = DeepfakeBench(str(tmp_path / f"{file}.json"), str(tmp_path / "data"))
    assert {s.path: s.group for s in back.samples} == {s.path: s.group for s in source.samples}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda top: top["CelebDFv2_real"].update(test=[1]), "JSON object at CelebDFv2_real/test"),
        (lambda top: top["CelebDFv2_real"].update(dev={}), "splits train, val, test.*'dev'"),
        (lambda top: top.update(CelebDFv2_real=3), "got a int"),
        (lambda top: top["CelebDFv2_real"]["test"].update(x={"label": "a"}), "CelebDFv2_real/test/x"),
        (lambda top: top["CelebDFv2_real"]["test"].update(x={"frames": [1]}), "CelebDFv2_real/test/x"),
        (
            lambda top: top["CelebDFv2_real"]["test"]["id0_0001"].update(label="FF-DF"),
            "lies under CelebDFv2_real and says",
        ),
        (lambda top: top.update(strange=top.pop("CelebDFv2_fake")), "'strange'; say which"),
    ],
)
def test_files_of_another_form_are_refused(shared, tmp_path, change, words):
    path = celeb_json(shared, tmp_path)
    edit(path, change)
    with pytest.raises(DataError, match=words):
        _ = DeepfakeBench(path, str(shared)).samples


@pytest.mark.parametrize("content", ["{", "[]", '{"Other": {}}', "{}"])
def test_files_that_are_no_benchmark_are_refused(tmp_path, content):
    path = tmp_path / "UADFV.json"
    path.write_text(content)
    with pytest.raises(DataError, match="expected") as caught:
        _ = DeepfakeBench(str(path), str(tmp_path)).samples
    assert "UADFV.json" in str(caught.value)
    path.unlink()
    with pytest.raises(DataError, match="No such file"):
        _ = DeepfakeBench(str(path), str(tmp_path)).samples


@pytest.mark.parametrize(
    ("name", "label", "kind"),
    [
        *(
            (n, 0, "")
            for n in ("DFD_real", "FF-real", "CelebDFv1_real", "DFDCP_Real", "DF_real", "UADFV_Real", "roop_Real")
        ),
        *(
            ("FF-SH", 1, "FaceShifter"),
            ("FF-FH", 1, "FaceShifter"),
            ("FF-DF", 1, "DF"),
            ("DF_fake", 1, "DeeperForensics"),
        ),
        *(
            ("DFDCP_FakeA", 1, "method_A"),
            ("DFDC_Fake", 1, "DFDC"),
            ("uniface_Fake", 1, "uniface"),
            ("DFD_fake", 1, "DFD"),
        ),
    ],
)
def test_labels_of_the_benchmark(name, label, kind):
    assert label_of(name) == (label, kind)


def test_labels_can_be_said(shared, tmp_path):
    path = celeb_json(shared, tmp_path)
    edit(path, lambda top: top.update(other=top.pop("CelebDFv2_fake"), unreal=top.pop("CelebDFv2_real")))
    edit(path, lambda top: top["other"]["test"]["id0_id1_0001"].update(label="DF_fake"))  # another name, the same class
    source = DeepfakeBench(path, str(shared), labels={"other": 1, "unreal": 0})
    assert counts(source) == {(s, y): 2 for s in ("test", "val") for y in (0, 1)}
    with pytest.raises(DataError, match="'unreal'"):
        label_of("unreal")


def test_names_are_made_plain():
    assert (
        plain_path("F:\\a\\frames\\v\\0.png")
        == plain_path("/a/frames/v/0.png")
        == plain_path("../.\\a//frames/v/0.png")
        == "a/frames/v/0.png"
    )


def test_video_files_in_a_json(tmp_path):
    data = tmp_path / "rgb"
    celebdf(data / "Celeb-DF-v2", Hand(frames=1, media="videos"))
    path = tmp_path / "X.json"
    names = [f"Celeb-DF-v2/Celeb-real/videos/id{k}_0000.mp4" for k in (0, 1)]
    entries = {f"id{k}_0000": {"label": "CelebDFv2_real", "frames": [n]} for k, n in enumerate(names)}
    path.write_text(json.dumps({"X": {"CelebDFv2_real": {"test": entries}}}))
    source = DeepfakeBench(str(path), str(data))
    assert [s.frame for s in source.samples] == [WHOLE_VIDEO, WHOLE_VIDEO]
    assert len({video_key(s) for s in source.samples}) == 2
    with pytest.raises(InputError, match="is a video"):
        source.load(source.samples[0])
