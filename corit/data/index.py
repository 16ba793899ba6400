"""A CSV file that lists pictures and videos."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from corit.data.dataset import DataSet
from corit.data.folders import describe_extra, read_with_landmarks
from corit.data.frames import READ_ALL, VIDEO_SUFFIXES, WHOLE_VIDEO, read_frame, require_picture
from corit.data.landmarks import Landmarks, read_landmarks
from corit.data.origin import Origin
from corit.data.sample import Sample
from corit.data.text_files import encoding_of
from corit.errors import DataError, examples
from corit.images.picture import Picture

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("id", "path", "label", "split", "manipulation", "dataset", "group", "video", "frame")
# How labels are written, in small letters; an empty one is unknown.
LABELS: dict[str, int | None] = {"0": 0, "real": 0, "1": 1, "fake": 1, "": None}
SEPARATORS = (",", ";", "\t")
ABSOLUTE = re.compile(r"[A-Za-z]:[\\/]|\\\\")  # a path with a drive's letter, or one of a server
SPLITS = {"": "", "train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


@dataclass(frozen=True)
class CsvIndex:
    """The pictures that a CSV file lists, one a row, under a header of `COLUMNS` in any case; only path is needed.

    Columns are separated by commas, semicolons or tabs, and the text is in UTF-8, or in UTF-16 with a byte order mark,
    as spreadsheets save it. Paths written on Windows, with backslashes, are read with slashes: see `_slashed`.

    A label is 0 or real, 1 or fake, or nothing; a split is train, val, test or nothing. Without their column, or where
    a cell is empty, the id is the path, the data set the file's name, the group the video or else the path without its
    suffix, and a fake's manipulation "fake"; ids and paths may not be empty. A video without a frame is one row with
    the frame WHOLE_VIDEO, and a video of its own. Landmarks beside a preprocessed frame are read with it. Files that do
    not exist are reported when they are read, or by `corit data check`.

    Attributes:
        file: the CSV file.
        root: the folder that its paths start from; empty for the file's own.
        aligned: the pictures are face crops in the template's pose.
        landmarks: points by path, or None.

    Raises:
        DataError: when rows are listed: the file has another form.
    """

    file: str
    root: str = ""
    aligned: bool = False
    landmarks: Landmarks | None = field(default=None, compare=False)

    @cached_property
    def samples(self) -> Sequence[Sample]:
        """The rows in the file's order."""
        table = _read(self.file)
        if not table.num_rows:
            raise DataError(f"expected rows below the header of {self.file}, found none")
        columns = {name: table[name].to_pylist() for name in table.column_names}
        for name in columns.keys() & {"id", "path"}:
            self._require(name, columns[name])
        if os.sep == "/":
            columns["path"] = self._slashed(columns["path"])
        rows = self._rows(columns)
        keys = columns.get("id") or list(map(_plain, columns["path"]))
        if len(set(keys)) < len(keys):
            raise DataError(f"expected each {'id' if 'id' in columns else 'path'} once in {self.file}, but some repeat")
        return rows

    def _require(self, name: str, texts: list[str]) -> None:
        """Raise DataError for rows without an id or a path, and for a path that no file can have."""
        wrong = [str(i) for i, t in enumerate(texts, 1) if not t or "\0" in t]
        if wrong:
            raise DataError(
                f"expected a text without NUL as {name} of every row of {self.file}, got something else "
                f"in row {examples(wrong)} below the header; fill it in, or take the row out"
            )

    def _slashed(self, paths: list[str]) -> list[str]:
        """The paths with slashes for backslashes where those separate folders, as on Windows.

        A backslash may also be part of a name: a path that is there as it is written stays. Others are turned where the
        turned one is there, or where every path of the file that has a separator has backslashes only. Raises DataError
        for absolute paths of Windows that are not there as they are written.
        """
        written_there = not any("/" in p for p in paths)
        kept = [p if "\\" not in p or self._there(p) else self._turned(p, written_there) for p in paths]
        absolute = [str(i) for i, p in enumerate(paths, 1) if ABSOLUTE.match(p) and not self._there(p)]
        if absolute:
            raise DataError(
                f"expected paths below the folder of {self.file}, or of this system, got paths of Windows such as "
                f"{paths[int(absolute[0]) - 1]} in row {examples(absolute)} below the header; write them relative to "
                "the folder that holds the pictures, and name that folder with root="
            )
        return kept

    def _turned(self, path: str, written_there: bool) -> str:
        turned = path.replace("\\", "/")
        return turned if written_there or self._there(turned) else path

    def _there(self, path: str) -> bool:
        return os.path.lexists(os.path.join(self._root, path))

    @property
    def _root(self) -> str:
        return self.root or os.path.dirname(self.file)

    def _rows(self, columns: dict[str, list[str]]) -> tuple[Sample, ...]:
        paths = columns["path"]
        count = len(paths)
        labels = self._coded("label", columns, LABELS, count)
        ids = columns.get("id", paths)
        whole_videos = [os.path.splitext(p)[1].lower() in VIDEO_SUFFIXES for p in paths]
        videos = columns.get("video", [""] * count)
        bare = os.path.splitext(os.path.basename(self.file))[0]
        groups = [v or os.path.splitext(p)[0] for v, p in zip(videos, paths, strict=True)]
        kinds = ["fake" if label else "" for label in labels]
        named = [v or (i if whole_video else "") for v, i, whole_video in zip(videos, ids, whole_videos, strict=True)]
        rows = tuple(
            map(
                Sample,
                ids,
                [os.path.join(self._root, p) for p in paths],
                labels,
                self._coded("split", columns, SPLITS, count),
                _filled(columns.get("manipulation"), kinds),
                _filled(columns.get("dataset"), [bare] * count),
                _filled(columns.get("group"), groups),
                named,
                self._numbers(columns, whole_videos),
            )
        )
        return describe_extra(rows, self.aligned, self.landmarks)

    def _coded(self, name: str, columns: dict[str, list[str]], known: dict, count: int) -> list:  # type: ignore[type-arg]
        texts = columns.get(name, [""] * count)
        codes = {t: known.get(t.strip().lower(), t) for t in set(texts)}
        wrong = sorted(t for t, code in codes.items() if code == t and t not in known)
        if wrong:
            allowed = ", ".join(k for k in known if k)
            raise DataError(f"expected {name}s {allowed} or nothing in {self.file}, got {examples(wrong)}")
        return [codes[t] for t in texts]

    def _numbers(self, columns: dict[str, list[str]], whole_videos: list[bool]) -> list[int]:
        texts = columns.get("frame") or [""] * len(whole_videos)
        try:
            return [
                int(t) if t else WHOLE_VIDEO if whole_video else 0
                for t, whole_video in zip(texts, whole_videos, strict=True)
            ]
        except ValueError as err:
            raise DataError(f"expected whole numbers as frames in {self.file}: {err}") from err

    def load(self, sample: Sample) -> Picture:
        """Decode one picture, with its landmarks where they are known. Raises InputError's kinds."""
        require_picture(sample)
        if self.aligned or self.landmarks:
            return read_with_landmarks(sample.path, self.aligned, self._landmarks)
        return read_frame(sample, READ_ALL)

    @cached_property
    def _landmarks(self) -> Landmarks | None:
        """The landmarks for all pictures of the file."""
        return None if self.landmarks is None else self.landmarks.among(s.path for s in self.samples)


def open_index(file: str, root: str = "", aligned: bool = False, landmarks: str = "") -> CsvIndex:
    """Open a CSV file; see `CsvIndex`.

    Args:
        file: the CSV file.
        root: the folder that its paths start from; empty for the file's own.
        aligned: the pictures are face crops in the template's pose.
        landmarks: a file of landmarks; empty for none.

    Raises:
        DataError: the landmarks cannot be read.
    """
    return CsvIndex(file, root, aligned, read_landmarks(landmarks) if landmarks else None)


def _plain(path: str) -> str:
    """A path in one notation: ./a.png is a.png."""
    return os.path.normpath(path) if "./" in path or "//" in path else path


def _filled(column: list[str] | None, defaults: list[str]) -> list[str]:
    """A column whose empty cells hold the default."""
    return [c or d for c, d in zip(column, defaults, strict=True)] if column else defaults


def _read(path: str) -> pa.Table:
    """The file's known columns as texts without spaces around them. Raises DataError."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv as tables

    try:
        marked = encoding_of(path)
        encoding = "utf8" if marked == "utf-8-sig" else marked  # of which the parser itself knows the mark
        separator, header = _header(path, marked)
        options = tables.ConvertOptions(
            column_types=dict.fromkeys(header, pa.string()), include_columns=[c for c in COLUMNS if c in header]
        )
        table = tables.read_csv(
            path,
            read_options=tables.ReadOptions(column_names=header, skip_rows=1, encoding=encoding),
            parse_options=tables.ParseOptions(delimiter=separator, newlines_in_values=False),
            convert_options=options,
        )
        return pa.table({name: pc.utf8_trim_whitespace(table[name]) for name in table.column_names})
    except UnicodeError as err:
        raise DataError(
            f"expected a CSV file in UTF-8, or in UTF-16 with a byte order mark, at {path}, but {err}; save it as UTF-8"
        ) from err
    except OSError as err:
        raise DataError(f"expected a CSV file with a column path at {path}: {err}") from err
    except (ValueError, csv.Error) as err:  # pyarrow's errors of damaged files are ValueErrors
        raise DataError(f"expected a CSV file in UTF-8 with a column path at {path}: {err}; save it as that") from err


def _header(path: str, encoding: str) -> tuple[str, list[str]]:
    """The separator and the names of the columns. Raises DataError without a column path."""
    with open(path, encoding=encoding, newline="") as file:
        first = file.readline()
    if "\0" in first:
        raise DataError(f"expected a byte order mark of UTF-16, or UTF-8, in {path}, got NUL; save it as UTF-8")
    headers = {s: [_column(name.strip()) for name in next(csv.reader([first], delimiter=s), [])] for s in SEPARATORS}
    separator = next((s for s, names in headers.items() if "path" in names), SEPARATORS[0])
    _require_columns(path, headers[separator])
    return separator, headers[separator]


def _column(name: str) -> str:
    """A column's name as in `COLUMNS`, in capitals or small letters; other names as they are."""
    return name.lower() if name.lower() in COLUMNS else name


def _require_columns(path: str, header: list[str]) -> None:
    if "path" not in header or len(set(header)) < len(header):
        raise DataError(
            f"expected a header with the column path, and of {', '.join(COLUMNS)} those that are known, separated by "
            f"commas, semicolons or tabs, in {path}, got {', '.join(header)}"
        )


DATASET = DataSet(
    "csv",
    open_index,
    Origin(
        "a CSV file of one's own",
        "a CSV file with a column path and any of label, split, manipulation, dataset, group, video, frame, id",
    ),
    {"file": "text", "root": "text", "aligned": "flag", "landmarks": "text"},
    required=("file",),
)
