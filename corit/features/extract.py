"""A source's pictures -> the rows of a feature store, each measured once whatever interrupts the work."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from corit.data.sample import Sample, Source
from corit.data.stamp import CurrentVersion, current_version
from corit.errors import DataError, WeightsError
from corit.features.shards import FeatureRow, Header, measured
from corit.features.workers import Item, Job, Preparation, Worker, forged_sample, prepare
from corit.features.writer import SHARD_ROWS, StoreWriter
from corit.progress import Progress, no_progress
from corit.recipe import Recipe
from corit.views.prepare import Views

if TYPE_CHECKING:
    from corit.model.encode import Encoder


@dataclass(frozen=True)
class Summary:
    """What a run did: rows stored by status, samples that were stored before, seconds."""

    counts: Mapping[str, int] = field(default_factory=dict)
    skipped: int = 0
    seconds: float = 0.0

    @property
    def rows(self) -> int:
        """Rows stored by this run."""
        return sum(self.counts.values())

    @property
    def rate(self) -> float:
        """Rows a second."""
        return self.rows / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True)
class Target:
    """One of the stores that a run writes: whose features, where, with or without levels.

    rows: which of the prepared regions (K', N) are this encoder's; None for all, in their order.
    """

    encoder: Encoder
    out: str | Path
    keep_levels: bool = False
    rows: slice | None = None

    @property
    def header(self) -> Header:
        """What the store's shards share."""
        encoder = self.encoder
        return Header.of(recipe_of(encoder), encoder.width, encoder.level_shape if self.keep_levels else None)

    def views(self, views: Views) -> Views:
        """What this encoder sees of prepared views."""
        return views if self.rows is None else replace(views, regions=views.regions[self.rows])


def extract(
    source: Source,
    preparer: Preparation,
    encoder: Encoder,
    out: str | Path,
    *,
    batch: int = 8,
    workers: int = 0,
    shard_rows: int = SHARD_ROWS,
    keep_levels: bool = False,
    forge: int = 0,
    limit: int | None = None,
    progress: Progress = no_progress,
) -> Summary:
    """Measure the samples of a source that the store at `out` lacks, and store them.

    batch: views a forward pass. workers: processes that decode and prepare, 0 for none. forge: for each real sample,
    that many self-blended fakes of its crops, with ids "<id>~sbi<n>", the sample's group and split, and manipulation
    "self-blended". limit: only the first samples. progress: called with samples done and samples in all.

    Pictures that cannot be prepared become rows with a status and a reason. Afterwards the rows of the store are those
    of the source, with its labels and splits: a picture that has changed is measured again, and rows of other pictures
    are kept for a run that asks for them, but are not read. Killed and run again, nothing is lost or stored twice; a
    first Ctrl-C finishes the batch at hand, stores it and raises KeyboardInterrupt, a second stops at once. Raises
    StoreError for a store of another recipe, DataError for a source with one id twice; any other error, a worker's
    included, stops the run after storing what was measured.
    """
    return extract_into(
        source,
        preparer,
        [Target(encoder, out, keep_levels)],
        batch=batch,
        workers=workers,
        shard_rows=shard_rows,
        forge=forge,
        limit=limit,
        progress=progress,
    )


def extract_into(
    source: Source,
    preparer: Preparation,
    targets: Sequence[Target],
    *,
    batch: int = 8,
    workers: int = 0,
    shard_rows: int = SHARD_ROWS,
    forge: int = 0,
    limit: int | None = None,
    progress: Progress = no_progress,
) -> Summary:
    """`extract` into several stores at once: every picture is prepared once and passes through each encoder.

    Each store gets what it lacks; the summary counts the rows of all of them. Raises as `extract`.
    """
    if batch < 1 or workers < 0 or forge < 0:
        raise DataError(f"expected batch >= 1, workers >= 0, forge >= 0; got {batch}, {workers}, {forge}")
    started, counts = time.monotonic(), Counter[str]()
    samples = _samples(source, forge)[:limit]
    with ExitStack() as stack:
        stores = [
            stack.enter_context(StoreWriter(t.out, t.header, shard_rows=shard_rows, listed=True)) for t in targets
        ]
        jobs = [job for s in samples if (job := _job(s, forge, stores)).draws]
        for store in stores:
            store.list_rows()  # what is stored already is the store's before anything is measured
        done = skipped = len(samples) - len(jobs)
        worker = Worker(source, preparer, versioned=True)
        with _interruptible() as interrupted, closing(prepare(jobs, worker, workers if jobs else 0)) as stream:
            for prepared in _batches(stream, batch):
                for target, store in zip(targets, stores, strict=True):
                    for rows in _measure(target, _lacking(prepared, store), batch):
                        store.append(rows)  # all rows of a picture at once, so that a kill never parts them
                        counts.update(r.status for r in rows)
                done += len(prepared)
                progress(done, len(samples))
                if interrupted.is_set():
                    raise KeyboardInterrupt
    return Summary(dict(counts), skipped, time.monotonic() - started)


def recipe_of(encoder: Encoder) -> Recipe:
    """The encoder's recipe with its weights' digest. Raises WeightsError when the recipe names other weights."""
    recipe, digest = encoder.recipe, encoder.backbone.digest
    if recipe.backbone.weights not in ("", digest):
        raise WeightsError(
            f"the recipe is for {recipe.backbone.name} weights {recipe.backbone.weights[:12]}, but the backbone holds "
            f"{digest[:12]}; load the right file, or clear the recipe's backbone.weights"
        )
    return recipe.replace(**{"backbone.weights": digest})


def _samples(source: Source, forge: int) -> Sequence[Sample]:
    """The source's samples. Raises DataError unless every row that they lead to has its own id."""
    ids = Counter(s.id for s in source.samples)
    ids.update(forged_sample(s, n).id for s in source.samples if s.label == 0 for n in range(forge))
    twice = next((name for name, count in ids.items() if count > 1), None)
    if twice is not None:
        raise DataError(f"expected ids that are unique within the source, got {twice!r} twice; rename one")
    return source.samples


def _job(sample: Sample, forge: int, stores: Sequence[StoreWriter]) -> Job:
    """What some store still lacks of a sample."""
    now = current_version(sample)
    return Job(sample, tuple(dict.fromkeys(n for store in stores for n in _draws(sample, forge, store, now))))


def _draws(sample: Sample, forge: int, store: StoreWriter, now: CurrentVersion) -> tuple[int | None, ...]:
    """What one store lacks; nothing is forged from a picture that could not be prepared."""
    stored = store.find(sample, now)
    itself: tuple[None, ...] = (None,) if stored is None else ()
    if sample.label != 0 or stored is False:
        return itself
    return itself + tuple(n for n in range(forge) if store.find(forged_sample(sample, n), now) is None)


def _lacking(prepared: Sequence[Sequence[Item]], store: StoreWriter) -> list[list[Item]]:
    """The items of each sample that the store has not."""
    found = []
    for items in prepared:
        lacking = []
        for item in items:
            if store.holds(item.sample.id, item.version):
                store.ask(item.sample, item.version)
            else:
                lacking.append(item)
        if lacking:
            found.append(lacking)
    return found


@contextmanager
def _interruptible() -> Generator[threading.Event]:
    """An event that the first SIGINT sets; from the second on it acts as before.

    Never set outside the main thread, nor where SIGINT is ignored, as it is in a script's background jobs.
    """
    asked = threading.Event()
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before == signal.SIG_IGN:
        yield asked
        return

    def note(_signal: int, _frame: FrameType | None) -> None:
        asked.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def _batches(prepared: Iterator[list[Item]], batch: int) -> Iterator[list[list[Item]]]:
    """Whole samples until they make up a batch of rows."""
    pending: list[list[Item]] = []
    for items in prepared:
        pending.append(items)
        if sum(map(len, pending)) >= batch:
            yield pending
            pending = []
    if pending:
        yield pending


def _measure(target: Target, prepared: Sequence[Sequence[Item]], batch: int) -> Iterator[list[FeatureRow]]:
    """The rows of each job, in order."""
    views = [target.views(i.views) for items in prepared for i in items if i.views is not None]
    features = _features(target.encoder, views, batch, target.keep_levels)
    for items in prepared:
        yield [_row(i, features) for i in items]


def _row(item: Item, features: Iterator[tuple[Any, Any]]) -> FeatureRow:
    if item.views is None:
        return FeatureRow(
            item.sample, item.face, item.box, status=item.status, reason=item.reason, version=item.version
        )
    return measured(item.sample, item.face, item.box, *next(features), note=item.reason, version=item.version)


def _features(encoder: Encoder, views: Sequence[Views], batch: int, keep_levels: bool) -> Iterator[tuple[Any, Any]]:
    """z (Dz) and levels (L+1, 1+K, D) or None of each view."""
    for start in range(0, len(views), batch):
        readout = encoder(views[start : start + batch], keep_levels=keep_levels)
        z = readout.z.float().cpu().numpy()
        levels = [None] * len(z) if readout.levels is None else readout.levels.float().cpu().numpy()
        yield from zip(z, levels, strict=True)
