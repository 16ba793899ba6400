"""Lists in another encoding, with a byte order mark, or damaged: read, or refused in words, by every adapter."""

from __future__ import annotations

import codecs

import pytest
from trees.celebdf import celebdf
from trees.deeperforensics import deeperforensics
from trees.dfdc import dfdc, dfdcp
from trees.faceforensics import faceforensics
from trees.write import Hand

from corit.data.text_files import read_json, read_text
from corit.errors import DataError
from corit.sources import SOURCES

LISTS = {
    "celeb-df-v2": (celebdf, "List_of_testing_videos.txt"),
    "deeperforensics": (deeperforensics, "lists/splits/val.txt"),
    "dfdc": (dfdc, "test/labels.csv"),
    "dfdcp": (dfdcp, "dataset.json"),
    "faceforensics": (faceforensics, "splits/val.json"),
}


@pytest.mark.parametrize("name", LISTS)
def test_byte_order_marks_are_read_and_other_encodings_refused(tmp_path, name):
    make, inside = LISTS[name]
    make(tmp_path, Hand(frames=1))
    path = tmp_path / inside
    before, content = SOURCES[name].build(str(tmp_path)).samples, path.read_bytes()
    path.write_bytes(codecs.BOM_UTF8 + content)
    assert SOURCES[name].build(str(tmp_path)).samples == before
    path.write_bytes(content.decode().encode("utf-16"))
    assert SOURCES[name].build(str(tmp_path)).samples == before
    for encoded in (content + "\nStraße".encode("latin-1"), content.decode().encode("utf-16")[:-1]):
        path.write_bytes(encoded)
        with pytest.raises(DataError, match="in UTF-8, but .*; save it as UTF-8"):
            _ = SOURCES[name].build(str(tmp_path)).samples


@pytest.mark.parametrize("name", [n for n, (_, inside) in LISTS.items() if inside.endswith(".json")])
@pytest.mark.parametrize("content", ["{", "[" * 100000, ""])
def test_damaged_json_is_refused_in_words(tmp_path, name, content):
    make, inside = LISTS[name]
    make(tmp_path, Hand(frames=1))
    (tmp_path / inside).write_text(content)
    with pytest.raises(DataError, match="download it again"):
        _ = SOURCES[name].build(str(tmp_path)).samples


def test_what_is_not_there_is_named(tmp_path):
    for read in (read_text, read_json):
        with pytest.raises(DataError, match=r"expected a list at .*none.json: .*No such file"):
            read(tmp_path / "none.json", "a list")
