"""Write rows to a feature store; one process at a time may do so."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from corit.data.sample import Sample
from corit.data.stamp import CurrentVersion, Version
from corit.errors import StoreError
from corit.features import listing, shards
from corit.features.shards import OVERFLOW, FeatureRow, StoreHeader
from corit.features.store import load_shards
from corit.journal import lock_folder

SHARD_ROWS = 2000
SHARD_BYTES = 2**26
SHARD_SECONDS = 300.0
LISTING_SECONDS = 30.0  # between two listings, each of which takes some seconds for a million rows
RETRIED = "unsupported"  # a status that another installation may not give, so that the next run tries again


class StoredVersion(NamedTuple):
    """The rows of one id and one version of its picture; all lie in one shard, the last that has some.

    Attributes:
        version: of the picture.
        prepared: whether the picture could be prepared.
        retry: whether the next run tries again.
        places: (shard, row) of each row, empty until the rows are on the disk.
    """

    version: Version
    prepared: bool = False
    retry: bool = False
    places: tuple[tuple[int, int], ...] = ()


class StoreWriter:
    """Adds rows to a store, shard by shard; the rows of one `append` reach the disk together or not at all.

    A shard is finished after `shard_rows` rows, SHARD_BYTES of features or SHARD_SECONDS, whichever comes first; a kill
    loses no more than that. Use the writer as a context manager: leaving it writes the last shard.

    Args:
        path: folder of the store.
        header: recipe, width and levels of the features.
        shard_rows: rows of a shard at most.
        listed: make only the rows that `find`, `include` or `append` get the store's rows, with the samples that these
            get; other rows stay in the shards for a run that asks for them again. Otherwise every row of every shard
            belongs to the store.

    Attributes:
        path: folder of the store.
        header: as given.

    Raises:
        StoreError: when another process writes to the store, or when the store is of another recipe, is damaged, or
            cannot be written.
    """

    def __init__(
        self, path: str | Path, header: StoreHeader, *, shard_rows: int = SHARD_ROWS, listed: bool = False
    ) -> None:
        if shard_rows < 1:
            raise StoreError(f"expected at least one row a shard, got {shard_rows}")
        self.path, self.header = Path(path), header
        self._rows = max(1, min(shard_rows, SHARD_BYTES // header.row_bytes))
        self._pending: list[FeatureRow] = []
        self._included: dict[str, tuple[Sample, Version]] | None = {} if listed else None
        self._since = self._since_listing = time.monotonic()
        self._lock = ExitStack()
        self._lock.enter_context(lock_folder(self.path, StoreError))
        try:
            self._kept = self._open()
            if not listed:
                listing.remove(self.path)
        except BaseException:
            self._lock.close()
            raise

    def _open(self) -> dict[str, dict[str, StoredVersion]]:
        """Remove half-written shards; what is stored, by id and version key."""
        for partial in self.path.glob(f"*{shards.UNFINISHED}"):
            partial.unlink()
        stored = load_shards(self.path)
        if stored is None:
            return {}
        stored.header.require(self.header, self.path)
        versions_of: dict[str, dict[str, StoredVersion]] = {}
        newer = listing.stamps(self.path)
        for number, batch in zip(stored.numbers, stored.batches, strict=True):
            columns = (batch[c].to_pylist() for c in ("id", "status", "stamp", "content"))
            for row, (name, status, stamp, content) in enumerate(zip(*columns, strict=True)):
                version = Version(newer.get((name, content), stamp), content)
                _note(versions_of.setdefault(name, {}), version, status, (number, row))
        return {name: {k: v for k, v in versions.items() if not v.retry} for name, versions in versions_of.items()}

    def find(self, sample: Sample, now: CurrentVersion) -> bool | None:
        """Look up the current version of a sample's picture, and make its rows the store's where it is stored.

        Args:
            sample: the sample to record in the store.
            now: the current version of its picture.

        Returns:
            Whether the picture could be prepared; None where it is not stored.
        """
        versions = self._kept.get(sample.id, {}).values()
        match = next((k for k in versions if k.version.stamp == now.stamp and k.version.content), None)
        match = match or next((k for k in versions if now.same(k.version)), None)
        if match is None:
            return None
        self.include(sample, Version(now.stamp, match.version.content))
        return match.prepared

    def holds(self, row: str, version: Version) -> bool:
        """Whether rows of an id and a version are stored and need no retry."""
        stored = self._kept.get(row, {}).get(_key(version))
        return stored is not None and not stored.retry

    def append(self, rows: Sequence[FeatureRow]) -> None:
        """Add rows; all rows of one id and version come in one call. Raises StoreError when they are stored already."""
        for row in rows:
            if self.holds(row.sample.id, row.version):
                raise StoreError(f"{self.path} holds {row.sample.id!r} already; ids must be unique")
        for row in rows:
            _note(self._kept.setdefault(row.sample.id, {}), row.version, row.status)
            self.include(row.sample, row.version)
        if not self._pending:
            self._since = time.monotonic()
        self._pending += rows
        if len(self._pending) >= self._rows or time.monotonic() - self._since > SHARD_SECONDS:
            self.flush()

    def include(self, sample: Sample, version: Version) -> None:
        """Make stored or appended rows of an id and version the store's, with the sample as given."""
        if self._included is not None:
            self._included[sample.id] = sample, version

    def flush(self) -> None:
        """Write the pending rows as a shard."""
        rows, self._pending = self._pending, []
        if rows:
            self._write(rows)
        if time.monotonic() - self._since_listing > LISTING_SECONDS:
            self.list_rows()

    def _write(self, rows: list[FeatureRow]) -> None:
        number = self._next()
        path = shards.shard_path(self.path, number)
        try:
            shards.write(path, self.header, rows)
        finally:  # after an interrupt the shard may have its name already: do not write it again
            self._pending = [] if path.exists() else rows
            for at, row in enumerate(rows) if path.exists() else ():
                _note(self._kept[row.sample.id], row.version, row.status, (number, at))

    def list_rows(self) -> None:
        """Write the listing of the store's rows that are on the disk; leaving the writer does so too."""
        self._since_listing = time.monotonic()
        if self._included is None:
            return
        included = ((s, v, self._kept[s.id][_key(v)].places) for s, v in self._included.values())
        rows = [listing.ListedRow(s, v, part, row) for s, v, places in included for part, row in places]
        listing.write(self.path, self.header, rows)

    def _next(self) -> int:
        """One more than the highest number of a shard, also where shards between were deleted."""
        return max(shards.shard_numbers(self.path), default=-1) + 1

    def __enter__(self) -> StoreWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.flush()
            self.list_rows()
        finally:
            self._lock.close()


def _note(
    versions: dict[str, StoredVersion], version: Version, status: str, place: tuple[int, int] | None = None
) -> None:
    """Add a row to those of its version; rows in an earlier shard are replaced."""
    before = versions.get(_key(version), StoredVersion(version))
    if place and before.places and before.places[0][0] != place[0]:
        before = StoredVersion(version)
    retry = before.retry or status == RETRIED or _unreadable(version)
    places = (*before.places, place) if place else before.places
    versions[_key(version)] = StoredVersion(before.version, before.prepared or prepared(status), retry, places)


def _key(version: Version) -> str:
    return version.content or version.stamp


def _unreadable(version: Version) -> bool:
    """Whether the bytes of the row's file could not be read; the next run tries again."""
    return bool(version.stamp) and not version.content


def prepared(status: str) -> bool:
    """Whether a row of this status is of a picture that could be prepared."""
    return status in ("ok", OVERFLOW)
