"""Extract features of a source's pictures into stores; an interrupted extraction resumes where it was."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING, Any

from corit.data.sample import Sample, Source
from corit.data.stamp import CurrentVersion, current_version
from corit.errors import DataError
from corit.features.preparation import PreparedRow, PrepareTask, PrepareWorker, forged_sample, prepare
from corit.features.shards import FeatureRow, measured_row
from corit.features.targets import Output, Pass, StoreTarget, passes
from corit.features.writer import SHARD_ROWS, StoreWriter
from corit.progress import Progress, no_progress, part_of
from corit.views.prepare import Views

if TYPE_CHECKING:
    from corit.model.encode import Encoder


Forge = int | Callable[[Sample], int]


@dataclass(frozen=True)
class ExtractionSummary:
    """What an extraction did.

    Attributes:
        counts: rows that it stored, by status.
        skipped: samples that were stored before.
        seconds: how long it took.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    skipped: int = 0
    seconds: float = 0.0

    @property
    def rows(self) -> int:
        """Rows that the extraction stored."""
        return sum(self.counts.values())

    @property
    def rate(self) -> float:
        """Rows per second."""
        return self.rows / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True)
class _Settings:
    batch: int
    workers: int
    shard_rows: int
    forge: Forge

    def __post_init__(self) -> None:
        if self.batch < 1 or self.workers < 0 or (isinstance(self.forge, int) and self.forge < 0):
            values = f"{self.batch}, {self.workers}, {self.forge}"
            raise DataError(f"expected batch >= 1, workers >= 0, forge >= 0; got {values}")


def extract(
    source: Source,
    targets: Sequence[StoreTarget],
    *,
    batch: int = 8,
    workers: int = 0,
    shard_rows: int = SHARD_ROWS,
    forge: Forge = 0,
    limit: int | None = None,
    progress: Progress = no_progress,
) -> ExtractionSummary:
    """Measure the samples of a source that the targets' stores lack, and store them.

    Every picture is prepared once for all targets whose preparations differ in nothing but regions; see `passes`.
    Pictures that cannot be prepared become rows with a status and a reason. Afterwards the rows of a store are those
    of the source, with its labels and splits: a changed picture is measured again, and rows of other pictures stay in
    the shards for a run that asks for them. A run that is killed loses nothing and stores nothing twice when it is run
    again. The first Ctrl-C finishes the batch, stores it and raises KeyboardInterrupt; the second stops at once. Any
    other error, also one of a worker, stops the run after the measured rows are stored.

    Args:
        source: the pictures.
        targets: the stores to write.
        batch: views in one forward pass.
        workers: processes that decode and prepare pictures; 0 prepares them in this process, as do encoders whose
            preparation needs their backbone.
        shard_rows: rows of a shard at most.
        forge: self-blended fakes of each real sample, as a number or as a function of the sample. Their ids are
            "<id>~sbi<n>" and their manipulation is "self-blended"; group and split are the sample's.
        limit: measure only the first samples.
        progress: called with the number of samples done and of all samples.

    Returns:
        What was stored, of all stores together.

    Raises:
        StoreError: when a store holds another recipe's features.
        DataError: when the source has one id twice.
        MachineError: when a worker was killed.
    """
    settings = _Settings(batch, workers, shard_rows, forge)
    started, counts, skipped = time.monotonic(), Counter[str](), 0
    samples, plan = _samples(source, forge)[:limit], passes(targets)
    for i, one in enumerate(plan):
        part = part_of(progress, i * len(samples), len(plan) * len(samples))
        skipped += _run(source, samples, one, settings, counts, part)
    return ExtractionSummary(dict(counts), skipped, time.monotonic() - started)


def _run(
    source: Source, samples: Sequence[Sample], one: Pass, settings: _Settings, counts: Counter[str], progress: Progress
) -> int:
    """Make a pass; the number of samples that every store of it held before."""
    with ExitStack() as stack:
        stores = [
            stack.enter_context(StoreWriter(t.out, t.header, shard_rows=settings.shard_rows, listed=True))
            for t, _ in one.outputs
        ]
        tasks = [task for s in samples if (task := _task(s, settings.forge, stores)).draws]
        for store in stores:
            store.list_rows()  # stored rows belong to the store before anything is measured
        done = skipped = len(samples) - len(tasks)
        worker = PrepareWorker(source, one.preparer, versioned=True)
        workers = settings.workers if tasks and not one.in_process else 0
        with _interruptible() as interrupted, closing(prepare(tasks, worker, workers)) as stream:
            for prepared in _batches(stream, settings.batch):
                for output, store in zip(one.outputs, stores, strict=True):
                    for rows in _measure(output, _lacking(prepared, store), settings.batch):
                        store.append(rows)  # all rows of a picture at once, so that a kill never parts them
                        counts.update(r.status for r in rows)
                done += len(prepared)
                progress(done, len(samples))
                if interrupted.is_set():
                    raise KeyboardInterrupt
    return skipped


def _samples(source: Source, forge: Forge) -> Sequence[Sample]:
    """The source's samples. Raises DataError when two rows, fakes included, have one id."""
    ids = Counter(s.id for s in source.samples)
    ids.update(forged_sample(s, n).id for s in source.samples if s.label == 0 for n in range(_count(forge, s)))
    twice = next((name for name, count in ids.items() if count > 1), None)
    if twice is not None:
        raise DataError(f"expected ids that are unique within the source, got {twice!r} twice; rename one")
    return source.samples


def _count(forge: Forge, sample: Sample) -> int:
    return forge if isinstance(forge, int) else forge(sample)


def _task(sample: Sample, forge: Forge, stores: Sequence[StoreWriter]) -> PrepareTask:
    """What some store still lacks of a sample."""
    now = current_version(sample)
    return PrepareTask(sample, tuple(dict.fromkeys(n for store in stores for n in _draws(sample, forge, store, now))))


def _draws(sample: Sample, forge: Forge, store: StoreWriter, now: CurrentVersion) -> tuple[int | None, ...]:
    """What one store lacks of a sample; a picture that could not be prepared has no fakes."""
    stored = store.find(sample, now)
    itself: tuple[None, ...] = (None,) if stored is None else ()
    if sample.label != 0 or stored is False:
        return itself
    return itself + tuple(n for n in range(_count(forge, sample)) if store.find(forged_sample(sample, n), now) is None)


def _lacking(prepared: Sequence[Sequence[PreparedRow]], store: StoreWriter) -> list[list[PreparedRow]]:
    """The rows of each sample that the store lacks."""
    samples = []
    for items in prepared:
        lacking = []
        for item in items:
            if store.holds(item.sample.id, item.version):
                store.include(item.sample, item.version)
            else:
                lacking.append(item)
        if lacking:
            samples.append(lacking)
    return samples


@contextmanager
def _interruptible() -> Generator[threading.Event]:
    """Yield an event that the first SIGINT sets; later ones act as before.

    It is never set outside the main thread, nor where SIGINT is ignored, as in background jobs of scripts.
    """
    interrupted = threading.Event()
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before == signal.SIG_IGN:
        yield interrupted
        return

    def note(_signal: int, _frame: FrameType | None) -> None:
        interrupted.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)


def _batches(prepared: Iterator[list[PreparedRow]], batch: int) -> Iterator[list[list[PreparedRow]]]:
    """Group whole samples until they make up a batch of rows."""
    pending: list[list[PreparedRow]] = []
    for items in prepared:
        pending.append(items)
        if sum(map(len, pending)) >= batch:
            yield pending
            pending = []
    if pending:
        yield pending


def _measure(output: Output, prepared: Sequence[Sequence[PreparedRow]], batch: int) -> Iterator[list[FeatureRow]]:
    """The measured rows of each sample, in order."""
    views = [output.views(i.views) for items in prepared for i in items if i.views is not None]
    features = _features(output.target.encoder, views, batch, output.target.keep_levels)
    for items in prepared:
        yield [_row(i, features) for i in items]


def _row(item: PreparedRow, features: Iterator[tuple[Any, Any]]) -> FeatureRow:
    if item.views is None:
        return FeatureRow(
            item.sample, item.face, item.box, status=item.status, reason=item.reason, version=item.version
        )
    return measured_row(item.sample, item.face, item.box, *next(features), note=item.reason, version=item.version)


def _features(encoder: Encoder, views: Sequence[Views], batch: int, keep_levels: bool) -> Iterator[tuple[Any, Any]]:
    """z (Dz) of each view, and its levels (L+1, 1+K, D) or None."""
    for start in range(0, len(views), batch):
        readout = encoder(views[start : start + batch], keep_levels=keep_levels)
        z = readout.z.float().cpu().numpy()
        levels = [None] * len(z) if readout.levels is None else readout.levels.float().cpu().numpy()
        yield from zip(z, levels, strict=True)
