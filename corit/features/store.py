"""A feature store: a folder of Arrow shards; extract once, train many heads."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from corit.errors import StoreError
from corit.features import listing, shards
from corit.features.shards import Pages, StoreHeader
from corit.recipe import Recipe


@dataclass(frozen=True)
class MappedRows:
    """Rows (n, D) in half precision that stay on disk until they are gathered.

    Attributes:
        blocks: (n_i, D) float16 arrays, one per shard.
        shard: (n) the block of each row.
        row: (n) the place of each row in its block.
        pages: the shards' memory mappings.
    """

    blocks: tuple[np.ndarray, ...]
    shard: np.ndarray
    row: np.ndarray
    pages: Pages

    def __len__(self) -> int:
        return len(self.row)

    @property
    def width(self) -> int:
        """D."""
        return self.blocks[0].shape[1]

    def gather(self, index: np.ndarray) -> Tensor:
        """Read the rows of `index` (b) as a (b, D) float32 tensor."""
        out = np.empty((len(index), self.width), np.float16)
        places = zip(self.shard[index].tolist(), self.row[index].tolist(), strict=True)
        for i, (s, r) in enumerate(places):
            out[i] = self.blocks[s][r]
        self.pages.read(out.nbytes)
        return torch.from_numpy(out).float()

    def take(self, index: np.ndarray) -> MappedRows:
        """Select rows, in the order of `index`, without reading them."""
        return MappedRows(self.blocks, self.shard[index], self.row[index], self.pages)

    def to_tensor(self) -> Tensor:
        """Read all rows, as (n, D) float32."""
        out = torch.empty(len(self), self.width)
        for start in range(0, len(self), 2048):
            stop = min(start + 2048, len(self))
            out[start:stop] = self.gather(np.arange(start, stop))
        return out


@dataclass(frozen=True)
class Features:
    """Measured rows in the order of id and face, with their metadata; the order of extraction leaves no trace.

    Attributes:
        z: rows (n, Dz).
        table: the metadata columns of a shard, n rows.
        digest: the recipe's digest.
    """

    z: MappedRows
    table: pa.Table
    digest: str

    def __post_init__(self) -> None:
        if len(self.z) != self.table.num_rows:
            raise ValueError(f"expected a metadata row for each feature, got {self.table.num_rows} and {len(self.z)}")

    def __len__(self) -> int:
        return len(self.z)

    @property
    def width(self) -> int:
        """Dz."""
        return self.z.width

    @cached_property
    def y(self) -> np.ndarray:
        """Labels (n) int8: 0 real, 1 fake, -1 unknown."""
        return pc.fill_null(self.table["label"], -1).to_numpy()

    @cached_property
    def ids(self) -> np.ndarray:
        """Ids (n) as texts; faces of one picture share one."""
        return self.column("id")

    def column(self, name: str) -> np.ndarray:
        """Return one metadata column (n)."""
        return self.table[name].to_numpy(zero_copy_only=False)

    def gather(self, index: np.ndarray) -> Tensor:
        """Read the features of `index` (b) as a (b, Dz) float32 tensor."""
        return self.z.gather(index)

    def to_tensor(self) -> Tensor:
        """Read all features, as (n, Dz) float32."""
        return self.z.to_tensor()

    def take(self, index: np.ndarray) -> Features:
        """Select rows, in the order of `index`."""
        return Features(self.z.take(index), self.table.take(pa.array(index)), self.digest)

    def select(self, **equal: object) -> Features:
        """Select rows by the values of their metadata, such as `split="train"` or `manipulation=("", "DF")`.

        Args:
            equal: by column, the value that rows must have, or several of which they must have one.

        Returns:
            The rows with these values.

        Raises:
            StoreError: when there is no such column.
        """
        return self.take(np.flatnonzero(_matches(self.table, equal)))

    @cached_property
    def data_digest(self) -> str:
        """SHA-256 of ids, faces, labels and the features' bytes; it identifies the data that a head is trained on."""
        h = hashlib.sha256(self.digest.encode())
        for row in self.table.select(["id", "face", "label"]).to_pylist():
            h.update(f"{row['id']}\0{row['face']}\0{row['label']}\n".encode())
        for s, r in zip(self.z.shard.tolist(), self.z.row.tolist(), strict=True):
            h.update(self.z.blocks[s][r].tobytes())
            self.z.pages.read(2 * self.width)
        return h.hexdigest()


def _matches(table: pa.Table, equal: dict[str, object]) -> np.ndarray:
    matching = np.ones(table.num_rows, bool)
    for name, value in equal.items():
        if name not in table.column_names:
            raise StoreError(f"no column {name!r} to select by; there are {', '.join(table.column_names)}")
        values = list(value) if isinstance(value, Collection) and not isinstance(value, str) else [value]
        allowed = pa.array(values, table[name].type)
        matching &= pc.is_in(table[name], allowed).to_numpy(zero_copy_only=False)
    return matching


class FeatureStore:
    """A feature store opened for reading: its finished shards, mapped into memory.

    Its rows are those of the last extraction into it, with that extraction's labels and splits; a store that was
    written row by row has all rows of its shards.

    Attributes:
        path: the folder.
        header: recipe, width and levels of the features.
        table: the metadata columns of all rows, also of those without a feature.
    """

    def __init__(self, path: Path, parts: Shards, listed: pa.Table | None) -> None:
        self.path, self.header = path, parts.header
        self._batches, self._pages = tuple(parts.batches), parts.pages
        self.table, self._places = (
            _all(parts) if listed is None else listing.apply(listed, parts.numbers, parts.batches)
        )
        _require_unique(self.table, path)

    @classmethod
    def open(cls, path: str | Path) -> FeatureStore:
        """Open a store. Raises StoreError when there is none, it is damaged, or its shards' recipes differ."""
        folder = Path(path)
        listed = listing.read(folder)  # before the shards: more may be finished while these are read
        content = load_shards(folder)
        if content is None:
            raise StoreError(f"expected a feature store at {folder}, but it holds no shards; run `corit extract` first")
        return cls(folder, content, listed)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def digest(self) -> str:
        """The recipe's digest."""
        return self.header.digest

    @property
    def width(self) -> int:
        """Dz."""
        return self.header.width

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe of the features. Raises RecipeError when this version of corit cannot read it."""
        return Recipe.from_toml(self.header.recipe)

    def counts(self) -> dict[str, int]:
        """Count rows by status."""
        return {c["values"]: c["counts"] for c in pc.value_counts(self.table["status"]).to_pylist()}

    def features(self, *, level: int | None = None, **equal: object) -> Features:
        """Select the rows with a feature.

        Args:
            level: a layer, whose F_l = [C; T_1..T_K] with (1+K) D numbers takes the place of z; 0 is the embedding.
            equal: values of metadata columns; see `Features.select`.

        Returns:
            The rows, in the order of id and face.

        Raises:
            StoreError: when the store keeps no such level, or has no such row.
        """
        index = np.flatnonzero(_matches(self.table, {"status": "ok", **equal}))
        if len(index) == 0:
            raise StoreError(f"{self.path} holds no measured row with {equal or 'any value'}; it has {self.counts()}")
        table = self.table.take(pa.array(index))
        order = pc.sort_indices(table, sort_keys=[("id", "ascending"), ("face", "ascending")]).to_numpy()
        index = index[order]
        shard, row = self._places[index].T
        return Features(
            MappedRows(self._blocks(level), shard, row, self._pages), table.take(pa.array(order)), self.digest
        )

    def _blocks(self, level: int | None) -> tuple[np.ndarray, ...]:
        if level is None:
            return tuple(shards.block(b, "z") for b in self._batches)
        shape = self.header.levels
        if shape is None:
            raise StoreError(f"{self.path} keeps no levels; extract into another folder with levels kept")
        if not 0 <= level < shape[0]:
            raise StoreError(f"expected a level from 0 to {shape[0] - 1}, got {level}")
        blocks = (shards.block(b, "levels").reshape(-1, *shape)[:, level] for b in self._batches)
        return tuple(x.reshape(len(x), -1) for x in blocks)


class Shards(NamedTuple):
    """The shards of a folder.

    Attributes:
        header: what they share.
        numbers: the number in each name.
        batches: the rows of each.
        pages: their memory mappings.
    """

    header: StoreHeader
    numbers: list[int]
    batches: list[pa.RecordBatch]
    pages: Pages


def load_shards(folder: Path) -> Shards | None:
    """Map the shards of a folder; None where there are none. Raises StoreError when their headers differ."""
    numbers = shards.shard_numbers(folder)
    if not numbers:
        return None
    opened = [shards.read(shards.shard_path(folder, n)) for n in numbers]
    header = opened[0].header
    for number, shard in zip(numbers, opened, strict=True):
        header.require(shard.header, shards.shard_path(folder, number))
    return Shards(header, numbers, [shard.batch for shard in opened], Pages([shard.pages for shard in opened]))


def _all(parts: Shards) -> tuple[pa.Table, np.ndarray]:
    """All rows of all shards, and the shard and row (n, 2) where each lies."""
    places = [np.stack([np.full(b.num_rows, i), np.arange(b.num_rows)], axis=1) for i, b in enumerate(parts.batches)]
    return shards.metadata(parts.batches), np.concatenate(places)


def _require_unique(table: pa.Table, folder: Path) -> None:
    counts = table.group_by(["id", "face"]).aggregate([([], "count_all")])
    twice = counts.filter(pc.field("count_all") > 1)
    if twice.num_rows:
        name, face = twice["id"][0].as_py(), twice["face"][0].as_py()
        raise StoreError(f"{folder} holds {name!r}, face {face}, twice: two stores were mixed; extract again")
