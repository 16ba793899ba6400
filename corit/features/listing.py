"""Which rows of the shards are a store's: those that the last run asked for, with what it knew of them."""

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
PLACES = pa.schema({"part": pa.int32(), "row": pa.int32()})
# What only the measurement knows; all else is the sample's, as the last run had it.
MEASURED = ("face", "box", "status", "reason")


class Listed(NamedTuple):
    """A row that is the store's: the sample and the version that the run saw, and where the row lies."""

    sample: Sample
    version: Version
    part: int
    row: int


def write(folder: Path, header: StoreHeader, rows: Sequence[Listed]) -> None:
    """Write the listing, whole or not at all. Raises StoreError."""
    places = {"part": [r.part for r in rows], "row": [r.row for r in rows]}
    known = [f.name for f in METADATA if f.name not in (*MEASURED, *shards.VERSION)]
    columns = {n: pa.array([getattr(r.sample, n) for r in rows], METADATA.field(n).type) for n in known}
    columns |= {n: pa.array([getattr(r.version, n) for r in rows], pa.string()) for n in shards.VERSION}
    columns |= {n: pa.array(values, pa.int32()) for n, values in places.items()}
    schema = header.described(pa.schema([pa.field(n, c.type) for n, c in columns.items()]))
    shards.write_batch(folder / NAME, pa.RecordBatch.from_arrays(list(columns.values()), schema=schema))


def remove(folder: Path) -> None:
    """From now on every row of every shard is the store's."""
    (folder / NAME).unlink(missing_ok=True)


def read(folder: Path) -> pa.Table | None:
    """The listing of a store; None where it has none. Raises StoreError when it is damaged."""
    path = folder / NAME
    if not path.exists():
        return None
    try:
        with open(path, "rb") as source:
            return pa.ipc.open_file(source).read_all()
    except (OSError, ValueError, pa.ArrowException) as err:
        raise StoreError(f"{path} is damaged ({err}); delete it and extract again: what was measured is kept") from err


def stamps(folder: Path) -> dict[tuple[str, str], str]:
    """The stamp that the last run saw of each (id, content): a file that was only touched is not read twice."""
    table = read(folder)
    if table is None:
        return {}
    names, contents, stamps = (table[c].to_pylist() for c in ("id", "content", "stamp"))
    return {(n, c): s for n, c, s in zip(names, contents, stamps, strict=True) if c}


def apply(table: pa.Table, numbers: Sequence[int], batches: Sequence[pa.RecordBatch]) -> tuple[pa.Table, np.ndarray]:
    """The columns of `METADATA` of the listed rows, and where each lies (n, 2): the index of its shard and its row.

    Raises StoreError where a shard that holds listed rows is gone.
    """
    index = {number: i for i, number in enumerate(numbers)}
    gone = sorted(set(table["part"].to_pylist()) - set(index))
    if gone:
        raise StoreError(f"the shard {shards.place(Path(), gone[0])} is gone; extract again, which measures its rows")
    part = np.array([index[n] for n in table["part"].to_pylist()], np.int64)
    row = table["row"].to_numpy().astype(np.int64)
    whole = shards.metadata(batches)
    starts = np.cumsum([0, *(b.num_rows for b in batches)])
    measured = whole.select(list(MEASURED)).take(pa.array(starts[part] + row))
    columns = [(measured if n in MEASURED else table)[n] for n in METADATA.names]
    return pa.table(columns, schema=METADATA), np.stack([part, row], axis=1)
