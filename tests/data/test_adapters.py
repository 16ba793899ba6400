"""What all adapters have in common: the table of names, laziness, stable order, text of missing data, tiny trees."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from trees import celebdf, deeperforensics, df40, dfdc, faceforensics, forensynths, genimage, uadfv
from trees.deepfakebench import flat_json, windows
from trees.paint import Subject, miniature, squares
from trees.plain import plain
from trees.write import Hand

from corit.data.adapters import ADAPTERS, adapter
from corit.data.missing import ORIGINS, examples, missing
from corit.data.sample import Sample
from corit.errors import DataError, InputError
from corit.world.miniature import Miniature, MiniatureSpec

SMALL = {"pairs": {"train": 1, "val": 1, "test": 1}}
TREES = {
    "faceforensics": lambda r, h: faceforensics.faceforensics(r, h, **SMALL),
    "faceshifter": lambda r, h: faceforensics.faceforensics(r, h, methods={"FaceShifter": "FaceShifter"}, **SMALL),
    "deepfakedetection": lambda r, h: faceforensics.deepfakedetection(r, h),
    "celeb-df-v1": lambda r, h: celebdf.celebdf(r, h),
    "celeb-df-v2": lambda r, h: celebdf.celebdf(r, h),
    "dfdc": lambda r, h: dfdc.dfdc(r, h),
    "dfdcp": lambda r, h: dfdc.dfdcp(r, h),
    "df40": lambda r, h: df40.df40(r, h),
    "uadfv": lambda r, h: uadfv.uadfv(r, h),
    "deeperforensics": lambda r, h: deeperforensics.deeperforensics(r, h),
    "unifd": lambda r, h: forensynths.forensynths(r, h),
    "genimage": lambda r, h: genimage.genimage(r, h),
    "folder": lambda r, h: plain(r, h),
}
PLAIN = ("folder", "csv", "deepfakebench")  # nobody distributes them, or a file is given and not a folder


def plant(name, root, hand):
    """A tiny tree and the adapter's arguments for it."""
    if name == "csv":
        plain(root, hand)
        return (str(root / "rows.csv"),)
    if name != "deepfakebench":
        TREES[name](root, hand)
        return (str(root), *((("uniface_cdf", "heygen"),) if name == "df40" else ()))
    uadfv.uadfv(root / "UADFV", hand, videos=2)
    sides = {
        f"UADFV_{k.title()}": {"test": [f"UADFV/{k}/frames/0000{s}"]} for k, s in (("real", ""), ("fake", "_fake"))
    }
    flat_json(root / "UADFV.json", root, sides, windows())
    return str(root / "UADFV.json"), str(root)


@pytest.mark.parametrize("name", ADAPTERS)
def test_every_adapter_lists_and_loads_its_tree(name, tmp_path):
    arguments = plant(name, tmp_path, Hand(frames=1))
    source = adapter(name, *arguments)
    assert {s.label for s in source.samples} == {0, 1}
    assert len({s.id for s in source.samples}) == len(source.samples)
    assert all(s.dataset and s.split and s.group and bool(s.manipulation) == bool(s.label) for s in source.samples)
    assert source.samples == adapter(name, *arguments).samples
    for sample in (source.samples[0], source.samples[-1]):
        assert source.load(sample).pixels.shape == (32, 32, 3)


@pytest.mark.parametrize("name", ADAPTERS)
def test_every_adapter_names_a_file_that_is_not_what_it_says(name, tmp_path):
    arguments = plant(name, tmp_path, Hand(frames=1))
    source = adapter(name, *arguments)
    sample = source.samples[0]
    with open(sample.path, "wb") as file:
        file.write(b"no picture")
    with pytest.raises(InputError, match="bytes are not"):
        source.load(sample)


@pytest.mark.parametrize("name", ADAPTERS)
def test_every_adapter_refuses_an_empty_folder(name, tmp_path):
    more = {"df40": (("heygen",),), "deepfakebench": (str(tmp_path),)}.get(name, ())
    with pytest.raises(DataError) as caught:
        _ = adapter(name, str(tmp_path), *more).samples
    if name not in PLAIN:
        assert "The folder is empty" in str(caught.value)
        assert "Where to get it" in str(caught.value)


def test_names_are_imported_when_they_are_asked_for():
    code = "import sys, corit.data.adapters; print([m for m in sys.modules if m.startswith('corit.data.')])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "celebdf" not in out
    assert "faceforensics" not in out
    with pytest.raises(DataError, match="no data set 'celebdf'; there are faceforensics"):
        adapter("celebdf", "root")


@pytest.mark.parametrize("family", ORIGINS)
def test_missing_data_says_everything(family, tmp_path):
    (tmp_path / "part.7z").touch()
    (tmp_path / "notes.txt").touch()
    text = str(missing(family, tmp_path, "expected x, found y", ["a", "b"]))
    for words in (
        str(tmp_path),
        "expected x, found y.",
        "Looked for: a, b.",
        "notes.txt, part.7z",
        "Not extracted: part.7z",
    ):
        assert words in text
    assert ORIGINS[family].layout in text
    assert "http" in text


def test_missing_data_in_a_folder_that_is_not_there_or_empty(tmp_path):
    assert "cannot be opened: No such file" in str(missing("uadfv", tmp_path / "x", "expected it"))
    assert "The folder is empty." in str(missing("uadfv", tmp_path, "expected it"))
    assert examples(map(str, range(8))) == "0, 1, 2, 3, 4 and 3 more"
    assert examples(["a"]) == "a"


def test_the_miniature_painter_keeps_people_and_forges_their_pictures(tmp_path):
    world = Miniature(MiniatureSpec(train=4, val=2, test=3, pictures=2, side=32))
    paint = miniature(world)
    real, fake = paint(Subject("test", "000")), paint(Subject("test", "000", world.spec.kinds[0]))
    np.testing.assert_array_equal(real.landmarks, fake.landmarks)
    assert (real.pixels != fake.pixels).any()
    assert (paint(Subject("test", "000", "uniface")).pixels != real.pixels).any()
    assert (paint(Subject("test", "000", frame=1)).pixels != real.pixels).any()
    faceforensics.faceforensics(tmp_path, Hand(paint, frames=2), **SMALL)
    source = adapter("faceforensics", str(tmp_path))
    sample = next(s for s in source.samples if s.split == "test")
    loaded, drawn = source.load(sample), paint(Subject("test", sample.video.rpartition("/")[2]))
    np.testing.assert_array_equal(loaded.pixels, drawn.pixels)
    np.testing.assert_array_equal(loaded.landmarks, drawn.landmarks.round())


def test_squares_differ_by_subject():
    subjects = [Subject("test", "a"), Subject("test", "b"), Subject("test", "a", "x"), Subject("test", "a", frame=1)]
    assert len({squares(s).pixels.tobytes() for s in subjects}) == 4
    with pytest.raises(InputError):
        adapter("uadfv", "nowhere").load(Sample("x", "nowhere/x.png", 0))
