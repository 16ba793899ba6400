"""One shard of a feature store: an uncompressed Arrow IPC file, written whole or not at all."""

from __future__ import annotations

import dataclasses
import mmap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from corit.data.sample import Sample
from corit.data.stamp import UNKNOWN_VERSION, Version
from corit.errors import RecipeError, StoreError
from corit.files import atomic_file
from corit.recipe import Recipe

FORMAT = "2"
EARLIER = "1"  # without the version of each row, so that such rows are measured again
SUFFIX = ".arrow"
UNFINISHED = ".tmp"
OVERFLOW = "overflow"
# The columns of a row without its features.
METADATA = pa.schema(
    {
        "id": pa.string(),
        "path": pa.string(),
        "label": pa.int8(),
        "split": pa.string(),
        "manipulation": pa.string(),
        "dataset": pa.string(),
        "group": pa.string(),
        "video": pa.string(),
        "frame": pa.int32(),
        "face": pa.int16(),
        "box": pa.list_(pa.float32(), 4),
        "status": pa.string(),
        "reason": pa.string(),
        "stamp": pa.string(),
        "content": pa.string(),
    }
)
VERSION = ("stamp", "content")


@dataclass(frozen=True)
class FeatureRow:
    """One row to store: a face of a sample, with its feature or with the reason why there is none.

    Attributes:
        sample: the sample.
        face: the face's number in the picture, from 0.
        box: (x0, y0, x1, y1) of the face in pixels of the picture, or None.
        z: (Dz) finite float16, given exactly when the status is "ok".
        levels: (L+1, 1+K, D) finite float16, or None where levels are not kept.
        status: "ok", "overflow", or the status of the InputError.
        reason: why there is no feature; of a measured row, a note on how the picture was read.
        version: of the picture that was measured.
    """

    sample: Sample
    face: int = 0
    box: tuple[float, float, float, float] | None = None
    z: np.ndarray | None = None
    levels: np.ndarray | None = None
    status: str = "ok"
    reason: str = ""
    version: Version = UNKNOWN_VERSION

    def __post_init__(self) -> None:
        if (self.status == "ok") != (self.z is not None):
            raise ValueError(f"a row has a feature exactly when its status is ok, got {self.status!r}")
        for values in (self.z, self.levels):
            if values is not None and (values.dtype != np.float16 or not np.isfinite(values).all()):
                raise ValueError("features are stored as finite float16; make the row with `measured_row`")


def measured_row(
    sample: Sample,
    face: int,
    box: tuple[float, float, float, float] | None,
    z: np.ndarray,
    levels: np.ndarray | None = None,
    *,
    note: str = "",
    version: Version = UNKNOWN_VERSION,
) -> FeatureRow:
    """Make the row of a measured feature.

    Args:
        sample: the sample.
        face: the face's number in the picture, from 0.
        box: (x0, y0, x1, y1) of the face in pixels of the picture, or None.
        z: (Dz) float32.
        levels: (L+1, 1+K, D) float32, or None.
        note: the row's reason; see `Picture.note`.
        version: of the picture that was measured.

    Returns:
        The row in half precision; a row without features and with status "overflow" where half precision cannot hold
        them, or would make all of them zero.
    """
    with np.errstate(over="ignore"):
        half, half_levels = z.astype(np.float16), None if levels is None else levels.astype(np.float16)
    held = [(x, h) for x, h in ((z, half), (levels, half_levels)) if x is not None and h is not None]
    if all(np.isfinite(h).all() and (h.any() or not x.any()) for x, h in held):
        return FeatureRow(sample, face, box, half, half_levels, reason=note, version=version)
    largest = max(float(np.abs(x).max()) for x in (z, levels) if x is not None)
    reason = (
        f"expected features within float16's 65504 and not below its 6e-8, got {largest:g}; use another precision or "
        "another layer"
    )
    return FeatureRow(sample, face, box, status=OVERFLOW, reason=reason, version=version)


@dataclass(frozen=True)
class StoreHeader:
    """What all shards of a store share.

    Attributes:
        recipe: the recipe's TOML.
        digest: the recipe's digest.
        width: Dz.
        levels: (L+1, 1+K, D) where levels are kept, else None.
    """

    recipe: str
    digest: str
    width: int
    levels: tuple[int, ...] | None = None

    @classmethod
    def of(cls, recipe: Recipe, width: int, levels: tuple[int, ...] | None = None) -> StoreHeader:
        """Make the header of a recipe's features."""
        return cls(recipe.to_toml(), recipe.digest, width, levels)

    @property
    def schema(self) -> pa.Schema:
        """The columns of a shard, with the header as the schema's metadata."""
        return self.described(self._columns(METADATA))

    def _columns(self, columns: pa.Schema) -> pa.Schema:
        schema = columns.append(pa.field("z", pa.list_(pa.float16(), self.width)))
        if self.levels is not None:
            schema = schema.append(pa.field("levels", pa.list_(pa.float16(), int(np.prod(self.levels)))))
        return schema

    @property
    def earlier(self) -> pa.Schema:
        """The columns of a shard of format 1, which has no versions."""
        return self._columns(pa.schema([f for f in METADATA if f.name not in VERSION]))

    def described(self, schema: pa.Schema) -> pa.Schema:
        """Add the header to columns as their metadata."""
        shape = ",".join(str(n) for n in self.levels or ())
        values = {"format": FORMAT, "recipe": self.recipe, "digest": self.digest, "width": self.width, "levels": shape}
        return schema.with_metadata({f"corit.{k}": str(v) for k, v in values.items()})

    @property
    def row_bytes(self) -> int:
        """Bytes of one row's features."""
        return 2 * (self.width + int(np.prod(self.levels or (0,))))

    @classmethod
    def read(cls, metadata: Mapping[bytes, bytes] | None, path: Path) -> StoreHeader:
        """Read the header of a shard. Raises StoreError when the file is not a shard, or is one of another format."""
        fields = {k.decode().removeprefix("corit."): v.decode() for k, v in (metadata or {}).items()}
        if "format" not in fields:
            raise StoreError(f"expected a shard of a feature store, but {path} is another Arrow file; move it away")
        if fields["format"] not in (FORMAT, EARLIER):
            raise StoreError(
                f"{path} has store format {fields['format']}, this version reads {EARLIER} and {FORMAT}; extract the "
                "features again"
            )
        shape = tuple(int(n) for n in fields["levels"].split(",") if n)
        return cls(fields["recipe"], fields["digest"], int(fields["width"]), shape or None)

    def require(self, other: StoreHeader, path: Path) -> None:
        """Raise StoreError, with what differs, unless features of the `other` header fit into this store."""
        if self.digest != other.digest:
            raise StoreError(
                f"{path} holds features of another recipe: {differences(self.recipe, other.recipe)}. Choose another "
                "folder, or that recipe"
            )
        if (self.width, self.levels) != (other.width, other.levels):
            raise StoreError(
                f"{path} holds features of width {self.width} and levels {self.levels}, asked for {other.width} and "
                f"{other.levels}; choose another folder"
            )


def differences(stored: str, current: str) -> str:
    """What differs between two recipes in TOML, field by field."""
    try:
        ours, theirs = (_flat(dataclasses.asdict(Recipe.from_toml(text))) for text in (stored, current))
    except RecipeError as err:
        return f"this version cannot read the stored one ({err})"
    lines = [f"{k} is {ours[k]!r} in the store, {theirs[k]!r} asked for" for k in ours if ours[k] != theirs[k]]
    return "; ".join(lines) or "it was made by another version of corit, whose recipes have other fields"


def _flat(table: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in table.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def write(path: Path, header: StoreHeader, rows: Sequence[FeatureRow]) -> None:
    """Write a shard; it gets its name only when all of it is on the disk. Raises StoreError."""
    write_batch(path, _batch(header, rows))


def write_batch(path: Path, batch: pa.RecordBatch) -> None:
    """Write an Arrow file of one batch, whole or not at all. Raises StoreError."""
    staged = path.with_name(path.name + UNFINISHED)
    try:
        with (
            atomic_file(path, staged=staged, durable=True) as file,
            open(file, "wb") as sink,
            pa.ipc.new_file(sink, batch.schema) as writer,
        ):
            writer.write_batch(batch)
    except OSError as err:
        raise StoreError(f"{path} cannot be written: {err.strerror}; make room and run again") from err


def _batch(header: StoreHeader, rows: Sequence[FeatureRow]) -> pa.RecordBatch:
    schema = header.schema
    sample = {f.name for f in dataclasses.fields(Sample)}
    columns = [pa.array([_value(r, name, sample) for r in rows], METADATA.field(name).type) for name in METADATA.names]
    absent = pa.array([r.z is None for r in rows])
    columns.append(_matrix([r.z for r in rows], header.width, absent))
    if header.levels is not None:
        columns.append(_matrix([r.levels for r in rows], int(np.prod(header.levels)), absent))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _value(row: FeatureRow, name: str, sample: Collection[str]) -> Any:
    return getattr(row.sample if name in sample else row.version if name in VERSION else row, name)


def _matrix(values: Sequence[np.ndarray | None], width: int, absent: pa.Array) -> pa.FixedSizeListArray:
    """(n, width) as one block of half-precision numbers, zeros where a row is null."""
    block = np.zeros((len(values), width), np.float16)
    for i, x in enumerate(values):
        if x is not None:
            block[i] = x.reshape(width)
    return pa.FixedSizeListArray.from_arrays(pa.array(block.reshape(-1)), width, mask=absent)


class Shard(NamedTuple):
    """A shard opened for reading.

    Attributes:
        header: what all shards of the store share.
        batch: the rows.
        pages: the memory mapping that holds the columns.
    """

    header: StoreHeader
    batch: pa.RecordBatch
    pages: mmap.mmap


def read(path: Path) -> Shard:
    """Map a shard into memory. Raises StoreError when it is damaged or not a shard."""
    try:
        with open(path, "rb") as source:  # the mapping outlives the file handle
            pages = mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ)
        reader = pa.ipc.open_file(pa.py_buffer(pages))
        header = StoreHeader.read(reader.schema.metadata, path)
        batch = reader.get_batch(0)
    except (OSError, ValueError, pa.ArrowException) as err:  # an empty file is a ValueError
        raise StoreError(f"{path} is damaged ({err}); delete it and extract again: the rest is kept") from err
    if batch.schema.equals(header.earlier):
        batch = _without_version(batch, header)
    if not batch.schema.equals(header.schema):
        raise StoreError(f"{path} has columns that do not fit its header; delete it and extract again")
    return Shard(header, batch, pages)


def _without_version(batch: pa.RecordBatch, header: StoreHeader) -> pa.RecordBatch:
    """A batch of format 1 with empty versions added."""
    empty = pa.repeat(pa.scalar(""), batch.num_rows)
    columns = [empty if name in VERSION else batch.column(name) for name in header.schema.names]
    return pa.RecordBatch.from_arrays(columns, schema=header.schema)


def shard_path(folder: Path, number: int) -> Path:
    """The path of the shard with a number."""
    return folder / f"part-{number:06d}{SUFFIX}"


def shard_numbers(folder: Path) -> list[int]:
    """List the numbers of the shards in a folder, ascending."""
    names = (p.stem.removeprefix("part-") for p in folder.glob(f"part-*{SUFFIX}"))
    return sorted(int(n) for n in names if n.isdigit())


def block(batch: pa.RecordBatch, column: str) -> np.ndarray:
    """View the column "z" or "levels" as (n, width) float16, without a copy; rows without features hold zeros."""
    return batch.column(column).values.to_numpy(zero_copy_only=True).reshape(batch.num_rows, -1)


def metadata(batches: Sequence[pa.RecordBatch]) -> pa.Table:
    """Collect the columns of shards that are not features."""
    return pa.Table.from_batches([b.select(METADATA.names).replace_schema_metadata() for b in batches])


class Pages:
    """Memory mappings of shards; their pages go back to the system after every `limit` bytes that are read.

    A process that reads a whole store again and again never holds all of it; the system still caches the files. A row
    may bring a megabyte of its file into memory: a smaller limit saves memory and costs page faults. Systems without
    this advice decide by themselves what to keep.
    """

    def __init__(self, mappings: Sequence[mmap.mmap], limit: int = 2**24) -> None:
        self._mappings, self._limit, self._read = tuple(mappings), limit, 0

    def read(self, count: int) -> None:
        """Note that `count` bytes were read."""
        self._read += count
        if self._read >= self._limit and hasattr(mmap, "MADV_DONTNEED"):
            for mapping in self._mappings:
                mapping.madvise(mmap.MADV_DONTNEED)
            self._read = 0
