"""Which data sets lie below a folder: told by a file or folder that only they have, without listing them."""

from __future__ import annotations

import os
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from glob import iglob
from pathlib import Path, PurePath

from corit.data.dataset import DataSet
from corit.data.walk import Folder, is_hidden, walk
from corit.errors import DataError

DEPTH = 2  # folders below the root that are looked at


@dataclass(frozen=True)
class FoundDataSet:
    """A data set of a name that seems to lie at a path, and the text that names it."""

    name: str
    path: str

    @property
    def spec(self) -> str:
        """What `corit.data.spec.open_spec` takes."""
        return f"{self.name}:{self.path}"


def find_data_sets(root: str | os.PathLike[str], table: Mapping[str, DataSet]) -> tuple[FoundDataSet, ...]:
    """The data sets in a folder and in those up to `DEPTH` below it, sorted by name and path.

    Where a folder is found to be another data set, its real/ and fake/ are not called a plain folder too, nor are its
    parts called the same data set again. Raises DataError when there is no such folder.
    """
    if not os.path.isdir(root):
        raise DataError(f"expected a folder at {os.fspath(root)}; there is none")
    found: list[FoundDataSet] = []
    # A folder that cannot be opened, such as a disk's lost+found, is no data set.
    for folder in walk(root, depth=DEPTH, on_closed=lambda path, err: None):
        around = {p.name for p in found if Path(folder.path).is_relative_to(p.path)}
        names = [n for n, d in table.items() if n not in around and any(_there(folder.path, m) for m in d.marks)]
        here = [FoundDataSet(n, folder.path) for n in names]
        known = [p for p in here if p.name != "folder"]
        inside = any(Path(folder.path).is_relative_to(p.path) for p in found)
        found += known or ([] if inside else here)
        found += _files(folder)
    return tuple(sorted(found, key=lambda p: (list(table).index(p.name), p.path)))


def describe_data_sets(
    table: Mapping[str, DataSet], root: str | os.PathLike[str] | None = None
) -> list[dict[str, str]]:
    """A row for each name of the table, and for each place of a name below the root: what is to be known of it.

    found: the text that names what was found, empty for none. needs: what must be on the disk. Without a root also
    from: who gives it, and options: how it is written. Raises DataError when there is no such folder.
    """
    if root is None:
        return [
            {"name": name, "needs": d.origin.layout, "from": d.origin.where, "options": d.usage}
            for name, d in table.items()
        ]
    found = find_data_sets(root, table)
    rows = []
    for name, named in table.items():
        more = "".join(f",{r}=..." for r in named.required if r != named.place)  # what has to be said besides
        specs = [p.spec + more for p in found if p.name == name]
        rows += [{"name": name, "found": spec, "needs": named.origin.layout} for spec in specs or [""]]
    return rows


def _there(folder: str, mark: str) -> bool:
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
