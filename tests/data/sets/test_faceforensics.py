"""FaceForensics++ and DeepFakeDetection on tiny trees: counts, splits, groups, frames, landmarks, errors."""

from __future__ import annotations

import json
import shutil
from collections import Counter, defaultdict

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from trees.faceforensics import deepfakedetection, faceforensics
from trees.write import Hand

from corit.data.frames import WHOLE_VIDEO, Reading, choose, find_videos, video_key
from corit.data.sample import Sample
from corit.data.sets.faceforensics import DeepFakeDetection, FaceForensics, pair_group
from corit.data.split import require_groups_apart
from corit.errors import DataError, InputError, UnreadableError, UnsupportedError


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    path = tmp_path_factory.mktemp("ff")
    faceforensics(path)
    return path


@pytest.fixture
def own(root, tmp_path):
    return shutil.copytree(root, tmp_path / "FaceForensics++")


def counts(source):
    return Counter((s.split, s.label) for s in source.samples)


def videos(source, **where):
    return {s.video for s in source.samples if all(getattr(s, k) == v for k, v in where.items())}


def test_counts_follow_the_official_pairs(root):
    # 3, 2 and 2 pairs: two reals a pair, two fakes a pair and method, four frames each.
    source = FaceForensics(str(root))
    expected = {"train": 3, "val": 2, "test": 2}
    assert counts(source) == {(s, y): n * 2 * 4 * (4 if y else 1) for s, n in expected.items() for y in (0, 1)}
    assert len({s.id for s in source.samples}) == len(source.samples)
    assert {s.manipulation for s in source.samples if s.label} == {"DF", "F2F", "FS", "NT"}
    assert {s.manipulation for s in source.samples if not s.label} == {""}


def test_groups_hold_a_pair_together_and_never_cross_a_split(root):
    samples = FaceForensics(str(root)).samples
    require_groups_apart(samples)
    assert {s.group for s in samples if s.video.endswith(("/000", "/001", "/000_001", "/001_000"))} == {"pair 000_001"}
    assert pair_group("054", "003") == pair_group("003", "054")


def test_a_row_says_everything(root):
    sample = next(s for s in FaceForensics(str(root)).samples if s.manipulation == "NT" and s.split == "test")
    number, name = sample.frame, sample.video.rpartition("/")[2]
    assert sample.path == f"{root}/manipulated_sequences/NeuralTextures/c23/frames/{name}/{number:03d}.png"
    assert (sample.dataset, sample.label, sample.video) == ("FaceForensics++", 1, f"FaceForensics++/c23/NT/{name}")


def test_grouping_as_deepfakebench_merges_the_manipulations(root):
    source = FaceForensics(str(root))
    test = [s for s in source.samples if s.split == "test"]
    assert len({video_key(s, "path") for s in test}) == 4 + 4 * 4
    assert len({video_key(s, "dfb") for s in test}) == 4 + 4
    with pytest.raises(DataError, match="path or dfb"):
        video_key(test[0], "folder")


def test_merged_videos_flatter_a_detector(root):
    """Scores of noisy frames: averaging four fakes that share a name removes noise that separate videos keep."""
    rng = np.random.default_rng(0)
    names = [(f"FF/c23/{m}/{k:03d}_{k + 1:03d}", 1) for m in ("DF", "F2F", "FS", "NT") for k in range(140)]
    names += [(f"FF/c23/real/{k:03d}", 0) for k in range(140)]
    frames = [Sample(f"{name}/000.png", "", label, video=name) for name, label in names]
    scores = [rng.normal(s.label, 1.0) for s in frames]
    result = {}
    for rule in ("path", "dfb"):
        table = defaultdict(list)
        for sample, score in zip(frames, scores, strict=True):
            table[video_key(sample, rule)].append((sample.label, score))
        means = np.array([np.mean(v, axis=0) for v in table.values()])
        result[rule] = len(table), roc_auc_score(means[:, 0], means[:, 1])
    assert (result["path"][0], result["dfb"][0]) == (700, 280)
    assert result["dfb"][1] > result["path"][1] + 0.05


@pytest.mark.parametrize(
    ("count", "wanted", "rule", "indices"),
    [
        (32, 8, "first", [0, 1, 2, 3, 4, 5, 6, 7]),
        (32, 8, "even", [0, 4, 8, 13, 17, 22, 26, 31]),
        (32, 32, "even", list(range(32))),
        (5, 8, "first", [0, 1, 2, 3, 4]),
        (5, None, "even", [0, 1, 2, 3, 4]),
        (300, 1, "even", [0]),
    ],
)
def test_frames_are_chosen_by_index(count, wanted, rule, indices):
    assert choose(count, wanted, rule) == indices


@pytest.mark.parametrize(("rule", "kept"), [("even", {0, 3}), ("first", {0, 1})])
def test_a_reading_takes_the_frames_it_names(root, rule, kept):
    source = FaceForensics(str(root), reading=Reading(frames=2, choice=rule))
    assert {s.frame for s in source.samples} == kept
    assert sum(counts(source).values()) == 2 * len(videos(source))


def test_frames_come_in_the_order_of_their_numbers(tmp_path):
    for name in ("10.png", "9.png", "100.PNG", ".hidden.png", "notes.txt"):
        (tmp_path / "frames" / "v").mkdir(parents=True, exist_ok=True)
        (tmp_path / "frames" / "v" / name).touch()
    assert find_videos(tmp_path)["v"].frames == ("9.png", "10.png", "100.PNG")


def test_masks_and_landmarks_are_no_videos(tmp_path):
    faceforensics(tmp_path, pairs={"train": 1, "val": 1, "test": 1})
    folder = tmp_path / "manipulated_sequences" / "Deepfakes" / "c23"
    (folder / "frames").rename(folder.parent / "away")
    for video in (folder.parent / "away").iterdir():
        video.rename(folder / video.name)  # frames without a folder frames/, as some people keep them
    assert set(find_videos(folder)) == {"000_001", "001_000", "002_003", "003_002", "004_005", "005_004"}


def test_a_preprocessed_frame_has_landmarks_and_is_aligned(root):
    source = FaceForensics(str(root))
    fake = next(s for s in source.samples if s.label)
    picture = source.load(fake)
    assert picture.aligned
    assert picture.landmarks.shape == (81, 2)
    assert picture.mask is None  # a manipulation mask would tell the label
    assert FaceForensics(str(root), reading=Reading(masks=True)).load(fake).mask.sum() == 16 * 16
    real = next(s for s in source.samples if not s.label)
    assert FaceForensics(str(root), reading=Reading(masks=True)).load(real).mask is None


def test_whole_frames_are_not_aligned(tmp_path):
    faceforensics(tmp_path, Hand(frames=2, media="images"), pairs={"train": 1, "val": 1, "test": 1}, lists="")
    source = FaceForensics(str(tmp_path))
    assert len(source.samples) == 3 * 2 * 2 * 5
    picture = source.load(source.samples[0])
    assert (picture.aligned, picture.landmarks) == (False, None)


def test_a_video_file_has_one_row_and_is_refused_as_a_picture(tmp_path):
    methods = {"FaceShifter": "FaceShifter"}
    faceforensics(tmp_path, Hand(media="videos"), pairs={"train": 2, "val": 1, "test": 1}, methods=methods)
    source = FaceForensics(str(tmp_path), ("FaceShifter",))
    assert counts(source) == {(s, y): 2 * n for s, n in (("train", 2), ("val", 1), ("test", 1)) for y in (0, 1)}
    assert {s.frame for s in source.samples} == {WHOLE_VIDEO}
    with pytest.raises(UnsupportedError, match="corit data prepare"):
        source.load(source.samples[0])


def test_frames_are_preferred_to_videos_and_either_can_be_named(own):
    hand = Hand(media="videos")
    faceforensics(own, hand)
    assert {s.path[-4:] for s in FaceForensics(str(own)).samples} == {".png"}
    assert {s.path[-4:] for s in FaceForensics(str(own), reading=Reading(media="videos")).samples} == {".mp4"}


def test_splits_can_be_left_out_and_need_not_be_extracted(own):
    for video in ("000", "001"):  # of the first pair, a train pair
        shutil.rmtree(own / "original_sequences" / "youtube" / "c23" / "frames" / video)
    reading = Reading(splits=("test",))
    assert set(counts(FaceForensics(str(own), reading=reading))) == {("test", 0), ("test", 1)}


def test_the_error_of_a_wrong_root_says_where_to_get_the_data(tmp_path):
    (tmp_path / "FaceForensics.zip").touch()
    with pytest.raises(DataError) as caught:
        _ = FaceForensics(str(tmp_path)).samples
    for words in ("splits/train.json", "FaceForensics.zip; extract", "github.com/ondyari", "original_sequences"):
        assert words in str(caught.value)
    with pytest.raises(DataError, match="cannot be opened"):
        _ = FaceForensics(str(tmp_path / "nowhere")).samples


def test_another_compression_is_said_to_be_missing(root):
    with pytest.raises(DataError, match="original_sequences/youtube/c40/"):
        _ = FaceForensics(str(root), compression="c40").samples


@pytest.mark.parametrize("empty", [True, False], ids=["empty folder", "no folder"])
def test_a_half_extracted_set_is_an_error_unless_asked_for(own, empty):
    folder = own / "manipulated_sequences" / "FaceSwap" / "c23" / "frames" / "000_001"
    shutil.rmtree(folder)
    if empty:
        folder.mkdir()
    with pytest.raises(DataError, match=r"14 videos named in the official splits.*FaceSwap.*1 have no.*000_001"):
        _ = FaceForensics(str(own)).samples
    partial = FaceForensics(str(own), reading=Reading(partial=True))
    assert len(videos(partial, manipulation="FS")) == 13
    assert len(videos(partial, manipulation="DF")) == 14


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "list of pairs"),
        ('[["000"]]', "list of pairs"),
        ("[[0, 1]]", "is a text"),
        ("[3]", "list of pairs"),
        ("[]", "it is empty"),
        ('["ab", "cd"]', "got 'ab'"),
        ('{"ab": 1}', "list of pairs"),
    ],
)
def test_a_damaged_list_is_named(own, content, words):
    (own / "splits" / "val.json").write_text(content)
    with pytest.raises(DataError, match=words) as caught:
        _ = FaceForensics(str(own)).samples
    assert "val.json" in str(caught.value)


def test_a_video_in_two_lists_is_refused(own):
    train = json.loads((own / "splits" / "train.json").read_text())
    (own / "splits" / "test.json").write_text(json.dumps(train))
    with pytest.raises(DataError, match="is in two"):
        _ = FaceForensics(str(own)).samples


def test_raw_is_also_called_c0(tmp_path):
    faceforensics(tmp_path, Hand(frames=1), compression="raw")
    raw, alias = (FaceForensics(str(tmp_path), compression=c).samples for c in ("raw", "c0"))
    assert raw == alias


def test_what_goes_missing_later_is_an_input_error(own):
    source = FaceForensics(str(own))
    lost, blind, damaged = source.samples[0], source.samples[1], source.samples[2]
    (own / lost.path).unlink()
    marks = own / "original_sequences" / "youtube" / "c23" / "landmarks"
    video = blind.video.rpartition("/")[2]
    (marks / video / "001.npy").unlink()
    (marks / video / "002.npy").write_bytes(b"no array")
    with pytest.raises(InputError):
        source.load(lost)
    for sample in (blind, damaged):
        with pytest.raises(UnreadableError, match="landmarks"):
            source.load(sample)


def test_pickled_landmarks_are_never_loaded(own):
    source = FaceForensics(str(own))
    sample = source.samples[0]
    path = sample.path.replace("/frames/", "/landmarks/").replace(".png", ".npy")
    np.save(path, np.array([{"x": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(UnreadableError, match="landmarks"):
        source.load(sample)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"manipulations": ("DeepFakes",)}, "no such manipulation: DeepFakes"),
        ({"compression": "c41"}, "compression of raw, c23, c40"),
    ],
)
def test_unknown_choices_are_refused(arguments, words):
    with pytest.raises(DataError, match=words):
        FaceForensics("root", **arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"frames": 0}, "at least one frame"),
        ({"choice": "random"}, "even, first"),
        ({"media": "lmdb"}, "auto, frames, videos"),
        ({"splits": ("dev",)}, "train, val, test"),
        ({"splits": ()}, "train, val, test"),
    ],
)
def test_unknown_readings_are_refused(arguments, words):
    with pytest.raises(DataError, match=words):
        Reading(**arguments)


def test_deepfakedetection_is_all_test_and_grouped_by_actor(tmp_path):
    deepfakedetection(tmp_path)
    source = DeepFakeDetection(str(tmp_path))
    assert counts(source) == {("test", 0): 3 * 2 * 4, ("test", 1): 3 * 2 * 4}
    assert {s.manipulation for s in source.samples if s.label} == {"DFD"}
    assert {s.label for s in source.samples if s.group == "actor 01"} == {0, 1}
    assert DeepFakeDetection(str(tmp_path), reading=Reading(splits=("train",))).samples == ()
    assert source.load(source.samples[-1]).aligned


def test_deepfakedetection_without_reals_says_so(tmp_path):
    deepfakedetection(tmp_path)
    shutil.rmtree(tmp_path / "original_sequences")
    with pytest.raises(DataError, match=r"original_sequences/actors/c23/, found none.*DeepFakeDetection_original"):
        _ = DeepFakeDetection(str(tmp_path)).samples
    with pytest.raises(DataError, match="compression"):
        DeepFakeDetection(str(tmp_path), compression="c99")
