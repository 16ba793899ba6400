"""What all data sets have in common: their records, laziness, stable order, errors of missing data, tiny trees."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import import_module
from pkgutil import iter_modules

import numpy as np
import pytest
from trees import celebdf, deeperforensics, df40, dfdc, faceforensics, forensynths, genimage, uadfv
from trees.deepfakebench import flat_json, windows
from trees.paint import Subject, miniature, squares
from trees.plain import plain
from trees.write import Hand

from corit.data import sets
from corit.data.sample import Sample
from corit.errors import DataError, InputError, examples
from corit.sources import MODULES, SOURCES, open_source
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
NAMES = [n for n in SOURCES if n != "miniature"]  # whose pictures lie on the disk


def plant(name, root, hand):
    """A tiny tree and the constructor's arguments for it."""
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


@pytest.mark.parametrize("name", NAMES)
def test_every_data_set_lists_and_loads_its_tree(name, tmp_path):
    arguments = plant(name, tmp_path, Hand(frames=1))
    source = SOURCES[name].build(*arguments)
    assert {s.label for s in source.samples} == {0, 1}
    assert len({s.id for s in source.samples}) == len(source.samples)
    assert all(s.dataset and s.split and s.group and bool(s.manipulation) == bool(s.label) for s in source.samples)
    assert source.samples == SOURCES[name].build(*arguments).samples
    for sample in (source.samples[0], source.samples[-1]):
        assert source.load(sample).pixels.shape == (32, 32, 3)


@pytest.mark.parametrize("name", NAMES)
def test_every_data_set_names_a_file_that_is_no_picture(name, tmp_path):
    arguments = plant(name, tmp_path, Hand(frames=1))
    source = SOURCES[name].build(*arguments)
    sample = source.samples[0]
    with open(sample.path, "wb") as file:
        file.write(b"no picture")
    with pytest.raises(InputError, match="bytes are not"):
        source.load(sample)


@pytest.mark.parametrize("name", NAMES)
def test_every_data_set_refuses_an_empty_folder(name, tmp_path):
    more = {"df40": (("heygen",),), "deepfakebench": (str(tmp_path),)}.get(name, ())
    with pytest.raises(DataError) as caught:
        _ = SOURCES[name].build(str(tmp_path), *more).samples
    if name not in PLAIN:
        assert "The folder is empty" in str(caught.value)
        assert "Where to get it" in str(caught.value)


def test_a_data_set_is_imported_when_it_is_first_asked_for():
    code = "import sys, corit.sources; print([m for m in sys.modules if m.startswith(('corit.data.', 'corit.world'))])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "corit.data.spec" in out
    assert not [m for m in set(MODULES.values()) if repr(m) in out]
    assert "celebdf" not in SOURCES
    with pytest.raises(DataError, match="no data set 'celebdf' in 'celebdf:root'; expected .* one of faceforensics"):
        open_source("celebdf:root")


def test_every_record_is_in_the_table_under_its_name():
    names = [m.name for m in iter_modules(sets.__path__)]
    modules = {f"corit.data.sets.{n}": import_module(f"corit.data.sets.{n}") for n in names}
    records = [
        (m, d.name) for m, module in modules.items() for d in getattr(module, "DATASETS", ()) or [module.DATASET]
    ]
    assert sorted((m, n) for n, m in MODULES.items() if ".sets." in m) == sorted(records)
    assert [SOURCES[name].name for name in SOURCES] == list(SOURCES) == list(MODULES)
    assert len(SOURCES) == 16


@pytest.mark.parametrize("name", NAMES)
def test_every_option_is_one_that_the_constructor_takes(name):
    record = SOURCES[name]
    taken = inspect.signature(record.build).parameters
    assert set(record.own_options) <= set(taken)
    assert record.video == ("reading" in taken)
    assert set(record.required) <= set(record.own_options)


DISTRIBUTED = [n for n in NAMES if n not in ("folder", "csv")]


@pytest.mark.parametrize("name", DISTRIBUTED)
def test_the_error_of_missing_data_says_everything(name, tmp_path):
    (tmp_path / "part.7z").touch()
    (tmp_path / "notes.txt").touch()
    text = str(SOURCES[name].origin.missing(tmp_path, "expected x, found y", ["a", "b"]))
    for words in (
        str(tmp_path),
        "expected x, found y.",
        "Looked for: a, b.",
        "notes.txt, part.7z",
        "Not extracted: part.7z",
    ):
        assert words in text
    assert SOURCES[name].origin.layout in text
    assert "http" in text


def test_an_absent_or_empty_folder_is_named_as_such(tmp_path):
    origin = SOURCES["uadfv"].origin
    assert "cannot be opened: No such file" in str(origin.missing(tmp_path / "x", "expected it"))
    assert "The folder is empty." in str(origin.missing(tmp_path, "expected it"))
    assert examples(map(str, range(8))) == "0, 1, 2, 3, 4 and 3 more"
    assert examples(["a"]) == "a"


def test_the_miniature_painter_forges_pictures_of_its_people(tmp_path):
    world = Miniature(MiniatureSpec(train=4, val=2, test=3, pictures=2, side=32))
    paint = miniature(world)
    real, fake = paint(Subject("test", "000")), paint(Subject("test", "000", world.spec.kinds[0]))
    np.testing.assert_array_equal(real.landmarks, fake.landmarks)
    assert (real.pixels != fake.pixels).any()
    assert (paint(Subject("test", "000", "uniface")).pixels != real.pixels).any()
    assert (paint(Subject("test", "000", frame=1)).pixels != real.pixels).any()
    faceforensics.faceforensics(tmp_path, Hand(paint, frames=2), **SMALL)
    source = SOURCES["faceforensics"].build(str(tmp_path))
    sample = next(s for s in source.samples if s.split == "test")
    loaded, drawn = source.load(sample), paint(Subject("test", sample.video.rpartition("/")[2]))
    np.testing.assert_array_equal(loaded.pixels, drawn.pixels)
    np.testing.assert_array_equal(loaded.landmarks, drawn.landmarks.round())


def test_squares_differ_by_subject():
    subjects = [Subject("test", "a"), Subject("test", "b"), Subject("test", "a", "x"), Subject("test", "a", frame=1)]
    assert len({squares(s).pixels.tobytes() for s in subjects}) == 4
    with pytest.raises(InputError):
        SOURCES["uadfv"].build("nowhere").load(Sample("x", "nowhere/x.png", 0))
