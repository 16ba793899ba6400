"""Find data sets below a folder by a file or folder that only they have, without listing their rows."""

from __future__ import annotations

import os
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from glob import iglob
from pathlib import Path, PurePath

from corit.data.dataset import DataSet
from corit.data.walk import Folder, closed_folder, is_hidden, walk
from corit.errors import DataError

DEPTH = 2  # folders below the root that are looked at


@dataclass(frozen=True)
class FoundDataSet:
    """A data set that seems to lie at a path.

    Attributes:
        name: the data set's name.
        path: its root folder, or its file.
    """

    name: str
    path: str

    @property
    def spec(self) -> str:
        """The text that names it, for `corit.sources.open_source`."""
        return f"{self.name}:{self.path}"


def find_data_sets(root: str | os.PathLike[str], table: Mapping[str, DataSet]) -> tuple[FoundDataSet, ...]:
    """Find the data sets in a folder and in the folders up to `DEPTH` below it.

    The folders real/ and fake/ of a known data set are not reported as a plain folder, and its parts are not reported
    as the same data set again.

    Args:
        root: the folder.
        table: data sets by name.

    Returns:
        What was found, in the order of the table and of paths.

    Raises:
        DataError: the root is no folder, or cannot be opened.
    """
    if not os.path.isdir(root):
        raise DataError(f"expected a folder at {os.fspath(root)}; there is none")
    marks = {name: dataset.marks for name, dataset in table.items()}
    places: list[FoundDataSet] = []
    for folder in walk(root, depth=DEPTH, on_closed=partial(_pass_over, os.fspath(root))):
        around = {f.name for f in places if Path(folder.path).is_relative_to(f.path)}
        names = [n for n in marks if n not in around and any(_matches(folder.path, m) for m in marks[n])]
        here = [FoundDataSet(n, folder.path) for n in names]
        special = [f for f in here if f.name != "folder"]
        places += special or ([] if around else here)
        places += _files(folder)
    order = list(marks)
    return tuple(sorted(places, key=lambda f: (order.index(f.name), f.path)))


def describe_data_sets(
    table: Mapping[str, DataSet], root: str | os.PathLike[str] | None = None
) -> list[dict[str, str]]:
    """Describe each data set of the table in a row, or in a row for each place below a root where it was found.

    Args:
        table: data sets by name.
        root: the folder to look into; None for no folder.

    Returns:
        Rows with `name`, and `needs`, the layout that must be on the disk. With a root also `found`, the text that
        names the place, empty where there is none; without one `from`, who gives the data set, and `options`, how it is
        written.

    Raises:
        DataError: the root is no folder, or cannot be opened.
    """
    if root is None:
        return [
            {"name": name, "needs": d.origin.layout, "from": d.origin.where, "options": d.usage}
            for name, d in table.items()
        ]
    places = find_data_sets(root, table)
    rows = []
    for name, dataset in table.items():
        required = "".join(f",{r}=..." for r in dataset.required if r != dataset.place)
        specs = [f.spec + required for f in places if f.name == name]
        rows += [{"name": name, "found": spec, "needs": dataset.origin.layout} for spec in specs or [""]]
    return rows


def _pass_over(root: str, path: str, error: OSError) -> None:
    """Go on without a folder that cannot be opened, such as a disk's lost+found, but not without the root."""
    if path == root:
        raise closed_folder(path, error) from error


def _matches(folder: str, mark: str) -> bool:
    if "*" not in mark:
        return os.path.exists(os.path.join(folder, mark))
    return any(not any(map(is_hidden, PurePath(path).parts)) for path in iglob(mark, root_dir=folder))


def _files(folder: Folder) -> Iterator[FoundDataSet]:
    """JSON files of DeepfakeBench, which hold their own name, and CSV files with a column path."""
    for entry in folder.files:
        name, path = entry.name, entry.path
        if not name.endswith((".json", ".csv")) or not entry.is_file():
            continue
        try:
            with open(path, "rb") as file:
                head = file.read(4096)
        except OSError:
            continue
        bare = os.path.splitext(name)[0].removesuffix("_c40").encode()
        if name.endswith(".json") and head.lstrip().startswith(b"{") and b'"' + bare + b'"' in head[:300]:
            yield FoundDataSet("deepfakebench", path)
        header = head.removeprefix(BOM_UTF8).partition(b"\n")[0].split(b",")
        if name.endswith(".csv") and b"path" in (cell.strip(b' "\r') for cell in header):
            yield FoundDataSet("csv", path)
