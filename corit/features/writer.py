"""The one process that adds rows to a feature store."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from corit.errors import StoreError
from corit.features import shards
from corit.features.shards import OVERFLOW, FeatureRow, Header
from corit.features.store import load, metadata

SHARD_ROWS = 2000
SHARD_BYTES = 2**26
SHARD_SECONDS = 300.0
LOCK = ".lock"


class StoreWriter:
    """Adds rows to a store, shard by shard; rows of one `append` reach the disk together or not at all.

    A shard is closed after `shard_rows` rows, SHARD_BYTES of features or SHARD_SECONDS, whichever comes first: a kill
    loses no more than that. Raises StoreError when another process writes here, when the store is of another recipe,
    damaged, or cannot be written. Use as a context manager: leaving it writes the last shard.
    """

    def __init__(self, path: str | Path, header: Header, *, shard_rows: int = SHARD_ROWS) -> None:
        if shard_rows < 1:
            raise StoreError(f"expected at least one row a shard, got {shard_rows}")
        self.path, self.header = Path(path), header
        self._rows = max(1, min(shard_rows, SHARD_BYTES // header.row_bytes))
        self._pending: list[FeatureRow] = []
        self._since = time.monotonic()
        self._lock = _lock(self.path)
        try:
            self.stored = self._open()
        except BaseException:
            self._lock.release()
            raise

    def _open(self) -> dict[str, bool]:
        """Clear what a kill left half-written; which ids are stored, and whether their picture could be prepared."""
        for partial in self.path.glob(f"*{shards.UNFINISHED}"):
            partial.unlink()
        found = load(self.path)
        if found is None:
            return {}
        there, batches, _ = found
        there.require(self.header, self.path)
        table = metadata(batches).select(["id", "status"])
        stored: dict[str, bool] = {}
        for name, status in zip(*(c.to_pylist() for c in table.columns), strict=True):
            stored[name] = stored.get(name, False) or prepared(status)
        return stored

    def append(self, rows: Sequence[FeatureRow]) -> None:
        """Add rows; all rows of an id must come in one call. Raises StoreError for an id that is there already."""
        for name in {r.sample.id for r in rows}:
            if name in self.stored:
                raise StoreError(f"{self.path} holds {name!r} already; ids must be unique")
        for row in rows:
            self.stored[row.sample.id] = self.stored.get(row.sample.id, False) or prepared(row.status)
        if not self._pending:
            self._since = time.monotonic()
        self._pending += rows
        if len(self._pending) >= self._rows or time.monotonic() - self._since > SHARD_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write the pending rows as a shard."""
        if self._pending:
            shards.write(self.path / f"part-{self._next():06d}{shards.SUFFIX}", self.header, self._pending)
        self._pending = []

    def _next(self) -> int:
        """One more than the highest number of a shard, whatever shards somebody deleted in between."""
        names = (p.stem.removeprefix("part-") for p in self.path.glob(f"part-*{shards.SUFFIX}"))
        return max((int(n) for n in names if n.isdigit()), default=-1) + 1

    def __enter__(self) -> StoreWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.flush()
        finally:
            self._lock.release()


def prepared(status: str) -> bool:
    """Whether a row of this status stands for a picture that could be prepared."""
    return status in ("ok", OVERFLOW)


def _lock(folder: Path) -> FileLock:
    """Hold the store; the system lets go of the lock when its process dies, however it dies."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK)
        lock.acquire(timeout=0)
    except Timeout as err:
        raise StoreError(f"another process is writing to {folder}; wait for it, or choose another folder") from err
    except OSError as err:
        raise StoreError(f"{folder} cannot hold a feature store: {err.strerror}; choose another folder") from err
    return lock
