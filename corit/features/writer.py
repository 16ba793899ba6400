"""The one process that adds rows to a feature store."""

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
from corit.features.store import load
from corit.journal import lock_folder

SHARD_ROWS = 2000
SHARD_BYTES = 2**26
SHARD_SECONDS = 300.0
LISTING_SECONDS = 30.0  # between two listings, each of which takes some seconds for a million rows
AGAIN = "unsupported"  # a status that another installation may not give: it is tried again


class StoredVersion(NamedTuple):
    """The rows of one id and one version of its picture, all of which lie in one shard: the last that has some.

    prepared: whether the picture could be prepared. again: it is to be tried again in the next run. places: (shard,
    row) of each, empty until they reach the disk.
    """

    version: Version
    prepared: bool = False
    again: bool = False
    places: tuple[tuple[int, int], ...] = ()


class StoreWriter:
    """Adds rows to a store, shard by shard; rows of one `append` reach the disk together or not at all.

    A shard is closed after `shard_rows` rows, SHARD_BYTES of features or SHARD_SECONDS, whichever comes first: a kill
    loses no more than that. Raises StoreError when another process writes here, when the store is of another recipe,
    damaged, or cannot be written. Use as a context manager: leaving it writes the last shard.

    listed: only rows that `find` or `append` met are the store's from now on, with the samples that these were given;
    all other rows stay in the shards for a run that asks for them again. Else every row of every shard is the store's.
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
        """Clear what a kill left half-written; what is stored, by id and key."""
        for partial in self.path.glob(f"*{shards.UNFINISHED}"):
            partial.unlink()
        found = load(self.path)
        if found is None:
            return {}
        found.header.require(self.header, self.path)
        kept: dict[str, dict[str, StoredVersion]] = {}
        newer = listing.stamps(self.path)
        for number, batch in zip(found.numbers, found.batches, strict=True):
            columns = (batch[c].to_pylist() for c in ("id", "status", "stamp", "content"))
            for row, (name, status, stamp, content) in enumerate(zip(*columns, strict=True)):
                version = Version(newer.get((name, content), stamp), content)
                _note(kept.setdefault(name, {}), version, status, (number, row))
        return {name: {k: v for k, v in versions.items() if not v.again} for name, versions in kept.items()}

    def find(self, sample: Sample, now: CurrentVersion) -> bool | None:
        """Whether the picture of a sample could be prepared, as it is now; None where it is not stored.

        A stored one becomes the store's, with the sample as it is given here.
        """
        versions = self._kept.get(sample.id, {}).values()
        found = next((k for k in versions if k.version.stamp == now.stamp and k.version.content), None)
        found = found or next((k for k in versions if now.same(k.version)), None)
        if found is None:
            return None
        self.include(sample, Version(now.stamp, found.version.content))
        return found.prepared

    def holds(self, row: str, version: Version) -> bool:
        """Whether rows of an id and a version are stored for good."""
        found = self._kept.get(row, {}).get(_key(version))
        return found is not None and not found.again

    def append(self, rows: Sequence[FeatureRow]) -> None:
        """Add rows; all rows of an id and version must come in one call. Raises StoreError for such as are there."""
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
        """Make rows that are stored, or appended, the store's, with the sample as it is given here."""
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
        path = shards.place(self.path, number)
        try:
            shards.write(path, self.header, rows)
        finally:  # an interrupt may come when the shard has its name already: then it is not written once more
            self._pending = [] if path.exists() else rows
            for at, row in enumerate(rows) if path.exists() else ():
                _note(self._kept[row.sample.id], row.version, row.status, (number, at))

    def list_rows(self) -> None:
        """Write which of the rows that reached the disk are the store's; leaving the writer does so as well."""
        self._since_listing = time.monotonic()
        if self._included is None:
            return
        found = ((s, v, self._kept[s.id][_key(v)].places) for s, v in self._included.values())
        rows = [listing.Listed(s, v, part, row) for s, v, places in found for part, row in places]
        listing.write(self.path, self.header, rows)

    def _next(self) -> int:
        """One more than the highest number of a shard, whatever shards somebody deleted in between."""
        return max(shards.numbers(self.path), default=-1) + 1

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
    """Add a row to those of its version, in place of those in an earlier shard."""
    before = versions.get(_key(version), StoredVersion(version))
    if place and before.places and before.places[0][0] != place[0]:
        before = StoredVersion(version)
    again = before.again or status == AGAIN or _unsure(version)
    places = (*before.places, place) if place else before.places
    versions[_key(version)] = StoredVersion(before.version, before.prepared or prepared(status), again, places)


def _key(version: Version) -> str:
    return version.content or version.stamp


def _unsure(version: Version) -> bool:
    """Whether a row is of a file whose bytes could not be read: it is tried again in the next run."""
    return bool(version.stamp) and not version.content


def prepared(status: str) -> bool:
    """Whether a row of this status stands for a picture that could be prepared."""
    return status in ("ok", OVERFLOW)
