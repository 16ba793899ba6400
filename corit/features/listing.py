"""The listing of a store: which rows of its shards belong to the last extraction, with its samples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from corit.data.sample import Sample
from corit.data.stamp import Version
from corit.errors import StoreError
from corit.features import shards
from corit.features.shards import METADATA, StoreHeader

NAME = "rows.ipc"
# Columns of the measurement; all others are the sample's, from the last run.
MEASURED = ("face", "box", "status", "reason")


class ListedRow(NamedTuple):
    """A row of the store.

    Attributes:
        sample: the sample of the last run.
        version: of the picture, as the last run saw it.
        part: number of the shard that holds the row.
        row: its place in the shard, from 0.
    """

    sample: Sample
    version: Version
    part: int
    row: int


def write(folder: Path, header: StoreHeader, rows: Sequence[ListedRow]) -> None:
    """Write the listing of a store, whole or not at all. Raises StoreError."""
    places = {"part": [r.part for r in rows], "row": [r.row for r in rows]}
    known = [f.name for f in METADATA if f.name not in (*MEASURED, *shards.VERSION)]
    columns = {n: pa.array([getattr(r.sample, n) for r in rows], METADATA.field(n).type) for n in known}
    columns |= {n: pa.array([getattr(r.version, n) for r in rows], pa.string()) for n in shards.VERSION}
    columns |= {n: pa.array(values, pa.int32()) for n, values in places.items()}
    schema = header.described(pa.schema([pa.field(n, c.type) for n, c in columns.items()]))
    shards.write_batch(folder / NAME, pa.RecordBatch.from_arrays(list(columns.values()), schema=schema))


def remove(folder: Path) -> None:
    """Remove the listing, so that every row of every shard belongs to the store."""
    (folder / NAME).unlink(missing_ok=True)


def read(folder: Path) -> pa.Table | None:
    """Read the listing of a store; None where it has none. Raises StoreError when it is damaged."""
    path = folder / NAME
    if not path.exists():
        return None
    try:
        with open(path, "rb") as source:
            return pa.ipc.open_file(source).read_all()
    except (OSError, ValueError, pa.ArrowException) as err:
        raise StoreError(f"{path} is damaged ({err}); delete it and extract again: what was measured is kept") from err


def stamps(folder: Path) -> dict[tuple[str, str], str]:
    """Read the stamp that the last run saw of each (id, content), so that a touched file is not read twice."""
    table = read(folder)
    if table is None:
        return {}
    names, contents, stamps = (table[c].to_pylist() for c in ("id", "content", "stamp"))
    return {(n, c): s for n, c, s in zip(names, contents, stamps, strict=True) if c}


def apply(table: pa.Table, numbers: Sequence[int], batches: Sequence[pa.RecordBatch]) -> tuple[pa.Table, np.ndarray]:
    """Select the listed rows of a store.

    Args:
        table: the listing.
        numbers: the number of each shard.
        batches: the rows of each shard.

    Returns:
        The columns of `METADATA` of the listed rows, and where each lies (n, 2): the index of its shard and its row.

    Raises:
        StoreError: when a shard with listed rows is missing.
    """
    index = {number: i for i, number in enumerate(numbers)}
    missing = sorted(set(table["part"].to_pylist()) - set(index))
    if missing:
        raise StoreError(
            f"the shard {shards.shard_path(Path(), missing[0])} is gone; extract again, which measures its rows"
        )
    part = np.array([index[n] for n in table["part"].to_pylist()], np.int64)
    row = table["row"].to_numpy().astype(np.int64)
    metadata = shards.metadata(batches)
    starts = np.cumsum([0, *(b.num_rows for b in batches)])
    measured = metadata.select(list(MEASURED)).take(pa.array(starts[part] + row))
    columns = [(measured if n in MEASURED else table)[n] for n in METADATA.names]
    return pa.table(columns, schema=METADATA), np.stack([part, row], axis=1)
