"""A file of groups: which pictures belong together where their names do not say so."""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import PurePath

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from corit.data.sample import Sample
from corit.data.text_files import read_text
from corit.errors import DataError, examples

EXPECTED = "a CSV file with the columns path and group, or real and fake"


@dataclass(frozen=True)
class GroupEntry:
    """A line of the file: one picture, and a group that it belongs to.

    Attributes:
        name: the picture's path, its id, its file name, or its file name without the suffix.
        group: the group.
        label: 0 or 1 where only a real or a fake picture is meant, else None.
    """

    name: str
    group: str
    label: int | None = None


@dataclass(frozen=True)
class GroupedSamples:
    """Samples with the groups of a file.

    Attributes:
        samples: the samples in their order.
        named: how many of them the file names.
        unused: how many of the file's entries name none of them.
    """

    samples: tuple[Sample, ...]
    named: int
    unused: int


def read_groups(path: str | os.PathLike[str]) -> tuple[GroupEntry, ...]:
    """Read a file of groups: a CSV file with a header, whose other columns do not count.

    Its columns are `path` and `group`, a picture and its group; or `real` and `fake`, a real picture and a fake that
    was made from it.

    Args:
        path: the file.

    Raises:
        DataError: the file cannot be read, or has other columns or empty cells.
    """
    table = csv.DictReader(StringIO(read_text(path, EXPECTED)))
    names = {n.strip().lower(): n for n in table.fieldnames or ()}
    first, second = next(((a, b) for a, b in (("path", "group"), ("real", "fake")) if {a, b} <= names.keys()), ("", ""))
    if not first:
        raise DataError(f"expected {EXPECTED} at {os.fspath(path)}, got {', '.join(names) or 'no header'}")
    rows = [((r[names[first]] or "").strip(), (r[names[second]] or "").strip()) for r in table]
    empty = [str(i) for i, cells in enumerate(rows, 1) if not all(cells)]
    if empty or not rows:
        problem = f"row {examples(empty)} below the header lacks one" if empty else "there are no rows"
        raise DataError(f"expected a {first} and a {second} in every row of {os.fspath(path)}, but {problem}")
    if first == "path":
        return tuple(GroupEntry(*cells) for cells in rows)
    return tuple(e for real, fake in rows for e in (GroupEntry(real, real, 0), GroupEntry(fake, real, 1)))


def group_samples(
    samples: Sequence[Sample], entries: Sequence[GroupEntry], file: str | os.PathLike[str]
) -> GroupedSamples:
    """Join the groups of samples that a file says belong together.

    Groups are only ever joined: samples of one group stay in one, so that no pair can be divided by a file that names
    one half of it.

    Args:
        samples: the samples.
        entries: of `read_groups`.
        file: the file, for the error, and for paths that start from its folder.

    Raises:
        DataError: no entry names a sample.
    """
    places = _places(samples)
    below = os.path.dirname(os.path.abspath(file))
    matches = [tuple(_matches(e, places, samples, below)) for e in entries]
    links = [(i, e.group) for e, hits in zip(entries, matches, strict=True) for i in hits]
    if not links:
        raise DataError(
            f"expected paths or names of the pictures in {os.fspath(file)}, but no entry names one of "
            f"{len(samples)} pictures; the entries are such as {examples(e.name for e in entries)}, the pictures such "
            f"as {examples(s.id for s in samples)}"
        )
    return GroupedSamples(_join(samples, links), len({i for i, _ in links}), sum(not hits for hits in matches))


def _places(samples: Sequence[Sample]) -> dict[str, list[int]]:
    """Each name of a sample -> the samples that have it."""
    places: dict[str, list[int]] = defaultdict(list)
    for i, s in enumerate(samples):
        base = os.path.basename(s.path)
        for name in dict.fromkeys((os.path.abspath(s.path), s.id, base, PurePath(base).stem)):
            places[name].append(i)
    return places


def _matches(entry: GroupEntry, places: dict[str, list[int]], samples: Sequence[Sample], below: str) -> Iterator[int]:
    """The samples that an entry names: by its path from the file's folder, else by an id, a file name or a stem."""
    name = entry.name.replace("\\", "/")
    for key in (os.path.normpath(os.path.join(below, name)), os.path.abspath(name), os.path.normpath(name)):
        hits = [i for i in places.get(key, ()) if entry.label in (None, samples[i].label)]
        if hits:
            yield from hits
            return


def _join(samples: Sequence[Sample], links: Sequence[tuple[int, str]]) -> tuple[Sample, ...]:
    """The samples with one group for each component of samples, their own groups and the file's groups."""
    own = [s.group or f"\0{s.id}" for s in samples]
    nodes = {g: k for k, g in enumerate(dict.fromkeys([*(("own", g) for g in own), *(("file", g) for _, g in links)]))}
    count = len(samples)
    pairs = [(i, nodes["own", g]) for i, g in enumerate(own)] + [(i, nodes["file", g]) for i, g in links]
    row, column = np.array(pairs).T
    size = count + len(nodes)
    graph = coo_matrix((np.ones(len(pairs)), (row, count + column)), (size, size))
    component = connected_components(graph, directed=False)[1]
    names: dict[int, str] = {}
    for i, g in sorted(links, key=lambda link: link[1]):
        names.setdefault(int(component[i]), g)  # the first of its names in the file
    return tuple(replace(s, group=names.get(int(component[i]), s.group)) for i, s in enumerate(samples))
