"""CSV files as other programs write them: quoted headers, marks, empty cells, what is no path."""

from __future__ import annotations

import codecs

import pytest

from corit.data.index import Index
from corit.errors import DataError


def written(tmp_path, text, mark=b""):
    path = tmp_path / "mine.csv"
    path.write_bytes(mark + text.encode())
    return Index(str(path)).samples


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
@pytest.mark.parametrize("header", ['"path","label"', "path,label", ' "path" , label '])
def test_a_header_may_be_quoted_and_marked(tmp_path, mark, header):
    header = header.strip() if header.startswith(" ") else header
    found = written(tmp_path, f'{header}\n"a, b.png","0"\n"c.png","1"\n', mark)
    assert [(s.id, s.label, s.manipulation) for s in found] == [("a, b.png", 0, ""), ("c.png", 1, "fake")]


def test_empty_cells_are_filled_as_a_column_that_is_not_there(tmp_path):
    text = "path,label,group,dataset,manipulation\na.png,0,,,\nb.png,1,g,d,m\nc.png,1, , ,\n"
    keep = lambda s: (s.group, s.dataset, s.manipulation)
    assert list(map(keep, written(tmp_path, text))) == [("a", "mine", ""), ("g", "d", "m"), ("c", "mine", "fake")]


def test_a_header_may_be_written_in_capitals(tmp_path):
    (one,) = written(tmp_path, "Path,LABEL,Split,Note\na.png,fake,test,x\n")
    assert (one.id, one.label, one.split) == ("a.png", 1, "test")


def test_spaces_around_cells_do_not_matter(tmp_path):
    (one,) = written(tmp_path, "path,label,split,frame\n a.png , fake , test , 3 \n")
    assert (one.id, one.path, one.label, one.split, one.frame) == ("a.png", str(tmp_path / "a.png"), 1, "test", 3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("path,label\na.png,0\n,1\nb.png,1\n ,1\n", "as path of every row.*row 2, 4 below the header"),
        ("path,id\na.png,x\nb.png,\n", "as id of every row.*row 2 below the header"),
        ("path,label\na\0b.png,0\n", "text without NUL as path.*row 1 below"),
        ("path\na.png\n./a.png\n", "each path once"),
        ("path\nx/a.png\nx//a.png\n", "each path once"),
        ('"label","group"\n0,1\n', "a header with the column path"),
        ('"path","path"\n0,1\n', "a header with the column path"),
        ("path,label,Label\na.png,0,1\n", "a header with the column path"),
        ("", "a header with the column path"),
    ],
)
def test_rows_that_name_no_picture_are_refused_in_words(tmp_path, text, words):
    with pytest.raises(DataError, match=words):
        written(tmp_path, text)


def test_another_encoding_is_refused_in_words(tmp_path):
    (tmp_path / "mine.csv").write_text("path,label\na.png,0\n", encoding="utf-16")
    with pytest.raises(DataError, match=r"expected a CSV file with a column path at .*mine.csv"):
        _ = Index(str(tmp_path / "mine.csv")).samples
