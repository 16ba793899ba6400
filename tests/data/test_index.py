"""CSV files as other programs write them: quoted headers, marks, empty cells, what is no path."""

from __future__ import annotations

import codecs
import os

import pytest

from corit.data.index import CsvIndex
from corit.errors import DataError


def written(tmp_path, text, mark=b""):
    path = tmp_path / "mine.csv"
    path.write_bytes(mark + text.encode())
    return CsvIndex(str(path)).samples


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


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
def test_what_spreadsheets_save_is_read(tmp_path, separator, encoding):
    rows = [["Label", "path", "Gruppe"], ["fake", "süß.png", "1,5"], ["real", "b.png", ""]]
    text = "".join(separator.join(f'"{c}"' if separator in c else c for c in row) + "\r\n" for row in rows)
    mark = codecs.BOM_UTF16_BE if encoding == "utf-16-be" else b""
    (tmp_path / "mine.csv").write_bytes(mark + text.encode(encoding))
    found = CsvIndex(str(tmp_path / "mine.csv")).samples
    assert [(s.id, s.label) for s in found] == [("süß.png", 1), ("b.png", 0)]


def test_the_comma_separates_where_it_can(tmp_path):
    found = written(tmp_path, "path,label;x\na;b.png,7\n")
    assert [(s.id, s.label) for s in found] == [("a;b.png", None)]


@pytest.mark.parametrize(
    "content", ["path,label\nsüß.png,0\n".encode("latin-1"), "sü,path\na.png,0\n".encode("cp1252")]
)
def test_another_encoding_is_refused_in_words(tmp_path, content):
    (tmp_path / "mine.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"expected a CSV file in UTF-8.* at .*mine.csv.*; save it as"):
        _ = CsvIndex(str(tmp_path / "mine.csv")).samples


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_an_encoding_that_nothing_says_is_refused_in_words(tmp_path, encoding):
    (tmp_path / "mine.csv").write_text("path,label\na.png,0\n", encoding=encoding)
    with pytest.raises(DataError, match="expected a byte order mark of UTF-16, or UTF-8, in .*; save it as UTF-8"):
        _ = CsvIndex(str(tmp_path / "mine.csv")).samples


def test_a_text_cut_in_the_middle_of_a_letter_is_refused(tmp_path):
    (tmp_path / "mine.csv").write_bytes("path,label\na.png,0\n".encode("utf-16")[:-1])
    with pytest.raises(DataError, match="in UTF-16 with a byte order mark, at .*, but .*; save it as UTF-8"):
        _ = CsvIndex(str(tmp_path / "mine.csv")).samples


posix = pytest.mark.skipif(os.sep != "/", reason="backslashes separate folders here")


@posix
def test_paths_of_windows_name_the_files_that_are_there(tmp_path):
    (tmp_path / "sub/deep").mkdir(parents=True)
    (tmp_path / "sub/deep/a.png").touch()
    mixed = written(tmp_path, "path,label\nsub\\deep\\a.png,0\nsub/b.png,1\nsub\\gone.png,1\n")
    assert [s.id for s in mixed] == ["sub/deep/a.png", "sub/b.png", "sub\\gone.png"]
    assert mixed[0].path == str(tmp_path / "sub/deep/a.png")
    assert (mixed[0].group, mixed[0].video) == ("sub/deep/a", "")
    all_windows = written(tmp_path, "path,label\nsub\\gone.png,0\n.\\sub\\deep\\a.png,1\nb.mp4,1\n")
    assert [s.id for s in all_windows] == ["sub/gone.png", "./sub/deep/a.png", "b.mp4"]


@posix
def test_a_backslash_in_a_name_stays(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("sub\\a.png", "sub/a.png"):
        (tmp_path / name).touch()
    (one,) = written(tmp_path, "path\nsub\\a.png\n")
    assert (one.id, one.path) == ("sub\\a.png", str(tmp_path / "sub\\a.png"))


@posix
def test_a_path_that_is_written_in_both_ways_is_one_path(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a.png").touch()
    with pytest.raises(DataError, match="each path once"):
        written(tmp_path, "path\nsub/a.png\nsub\\a.png\n")


@posix
@pytest.mark.parametrize("path", ["C:\\data\\a.png", "c:/data/a.png", "\\\\server\\share\\a.png"])
def test_absolute_paths_of_windows_are_refused_in_words(tmp_path, path):
    with pytest.raises(DataError) as caught:
        written(tmp_path, f"path\nb.png\n{path}\n")
    assert f"got paths of Windows such as {path} in row 2 below the header; write them relative" in str(caught.value)


@posix
def test_a_folder_that_is_called_as_a_drive_is_a_folder(tmp_path):
    (tmp_path / "C:").mkdir()
    (tmp_path / "C:/a.png").touch()
    (one,) = written(tmp_path, "path\nC:/a.png\n")
    assert one.path == str(tmp_path / "C:/a.png")
